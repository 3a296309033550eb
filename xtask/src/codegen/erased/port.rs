//! Ports read from source text.

use anyhow::{Context as _, Result, bail, ensure};
use quote::ToTokens;
use syn::{
    File, FnArg, GenericParam, Item, ItemTrait, Pat, ReturnType, TraitItem, TraitItemFn, Type,
    TypeParamBound, Visibility,
};

/// A port: a public trait with async methods.
#[derive(Debug)]
pub(super) struct Port {
    /// The name of the trait.
    pub(super) name: String,
    /// Its type parameters.
    pub(super) types: Vec<String>,
    /// The ports it builds on.
    pub(super) supers: Vec<String>,
    /// `Send` and `Sync`, as far as it asks for them.
    pub(super) markers: Vec<String>,
    /// The associated types, each with the port that it is.
    pub(super) associated: Vec<(String, String)>,
    /// The methods in order.
    pub(super) methods: Vec<Method>,
}

/// A method of a port.
#[derive(Debug)]
pub(super) struct Method {
    /// The name.
    pub(super) name: String,
    /// How `self` is taken.
    pub(super) taken: Taken,
    /// The names and types of the arguments.
    pub(super) arguments: Vec<(String, String)>,
    /// Whether it returns a future.
    pub(super) is_async: bool,
    /// What it gives in the end; `None` for nothing.
    output: Option<Type>,
}

/// How a method takes `self`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Taken {
    /// `&self`
    Shared,
    /// `&mut self`
    Exclusive,
    /// `self`
    Owned,
}

/// The ports of a file, in its order.
pub(super) fn ports(file: &File) -> Result<Vec<Port>> {
    let traits: Vec<&ItemTrait> = file
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Trait(item) if matches!(item.vis, Visibility::Public(_)) => Some(item),
            _ => None,
        })
        .collect();
    let mut ports = Vec::new();
    for item in &traits {
        let port = read(item, &traits).with_context(|| format!("trait {}", item.ident))?;
        // A trait without a future or a type in it can be made into an object as it is.
        let needed = port.methods.iter().any(|method| method.is_async);
        if needed || !port.supers.is_empty() || !port.associated.is_empty() {
            ports.push(port);
        }
    }
    Ok(ports)
}

fn read(item: &ItemTrait, traits: &[&ItemTrait]) -> Result<Port> {
    let mut port = Port {
        name: item.ident.to_string(),
        types: Vec::new(),
        supers: Vec::new(),
        markers: Vec::new(),
        associated: Vec::new(),
        methods: Vec::new(),
    };
    for parameter in &item.generics.params {
        match parameter {
            GenericParam::Type(parameter) => port.types.push(parameter.ident.to_string()),
            _ => bail!("only type parameters are known"),
        }
    }
    for bound in &item.supertraits {
        let text = bound.to_token_stream().to_string();
        if traits.iter().any(|other| other.ident == text) {
            port.supers.push(text);
        } else if matches!(text.as_str(), "Send" | "Sync") {
            port.markers.push(text);
        } else {
            ensure!(text.starts_with('\''), "unknown supertrait `{text}`");
        }
    }
    for member in &item.items {
        match member {
            TraitItem::Fn(function) => {
                let name = &function.sig.ident;
                let method = method(function).with_context(|| format!("method {name}"))?;
                port.methods.push(method);
            }
            TraitItem::Type(associated) => {
                let name = associated.ident.to_string();
                let bound = associated
                    .bounds
                    .iter()
                    .find(|bound| matches!(bound, TypeParamBound::Trait(_)));
                let bound = bound.with_context(|| format!("type {name}: is no port"))?;
                port.associated
                    .push((name, bound.to_token_stream().to_string()));
            }
            _ => bail!("only methods and types are known"),
        }
    }
    Ok(port)
}

fn method(function: &TraitItemFn) -> Result<Method> {
    let signature = &function.sig;
    ensure!(
        signature.generics.params.is_empty(),
        "type and lifetime parameters cannot be erased"
    );
    let mut taken = None;
    let mut arguments = Vec::new();
    for input in &signature.inputs {
        match input {
            FnArg::Receiver(receiver) => taken = Some(how_taken(&receiver.to_token_stream())?),
            FnArg::Typed(argument) => {
                let Pat::Ident(name) = argument.pat.as_ref() else {
                    bail!("an argument has no name");
                };
                arguments.push((
                    name.ident.to_string(),
                    argument.ty.to_token_stream().to_string(),
                ));
            }
        }
    }
    let (is_async, output) = match &signature.output {
        ReturnType::Default => (signature.asyncness.is_some(), None),
        ReturnType::Type(_, output) => match future(output)? {
            Some(inner) => (true, Some(inner)),
            None => (signature.asyncness.is_some(), Some((**output).clone())),
        },
    };
    Ok(Method {
        name: signature.ident.to_string(),
        taken: taken.context("takes no `self`")?,
        arguments,
        is_async,
        output,
    })
}

fn how_taken(receiver: &impl ToString) -> Result<Taken> {
    let text = receiver.to_string();
    match text.replace(' ', "").as_str() {
        "&self" => Ok(Taken::Shared),
        "&mutself" => Ok(Taken::Exclusive),
        "self" => Ok(Taken::Owned),
        _ => bail!("takes `{text}`"),
    }
}

/// What a future gives, if a type is one.
fn future(output: &Type) -> Result<Option<Type>> {
    let Type::ImplTrait(output) = output else {
        return Ok(None);
    };
    for bound in &output.bounds {
        let TypeParamBound::Trait(bound) = bound else {
            continue;
        };
        let Some(last) = bound.path.segments.last() else {
            continue;
        };
        if last.ident == "Future" {
            let text = last.arguments.to_token_stream().to_string();
            let inner = text
                .trim_start_matches('<')
                .trim_end_matches(',')
                .trim()
                .strip_prefix("Output")
                .map(|rest| rest.trim_start().trim_start_matches('=').trim())
                .and_then(|rest| rest.strip_suffix('>'));
            let inner = inner.context("a future without an output")?;
            return Ok(Some(syn::parse_str(inner.trim().trim_end_matches(','))?));
        }
    }
    bail!("answers another `impl` than a future")
}

impl Port {
    /// The type parameters in angle brackets, or nothing.
    pub(super) fn parameters(&self) -> String {
        super::bracketed(&self.types.join(", "))
    }

    /// The type parameters with what passing them between threads takes.
    pub(super) fn bounded(&self) -> String {
        let bounded: Vec<_> = self
            .types
            .iter()
            .map(|name| format!("{name}: Send + Sync + 'static"))
            .collect();
        bounded.join(", ")
    }
}

impl Method {
    /// Whether it gives anything in the end.
    pub(super) fn gives(&self) -> bool {
        match &self.output {
            Some(Type::Tuple(tuple)) => !tuple.elems.is_empty(),
            output => output.is_some(),
        }
    }

    /// The signature, of the private trait or of the port.
    pub(super) fn signature(&self, port: &Port, ports: &[Port], boxed: bool) -> Result<String> {
        let mut arguments = vec![match self.taken {
            Taken::Shared => "&self".to_owned(),
            Taken::Exclusive => "&mut self".to_owned(),
            Taken::Owned if boxed => "self: Box<Self>".to_owned(),
            Taken::Owned => "self".to_owned(),
        }];
        for (name, of) in &self.arguments {
            arguments.push(format!("{name}: {of}"));
        }
        let output = match &self.output {
            Some(_) if !self.gives() => String::new(),
            Some(output) => format!(" -> {}", erased(output, port, ports)?),
            None => String::new(),
        };
        let prefix = if self.is_async { "async " } else { "" };
        Ok(format!(
            "{prefix}fn {}({}){output}",
            self.name,
            arguments.join(", ")
        ))
    }

    /// A call, its result put into a twin where it is of an associated type.
    pub(super) fn wrapped(&self, port: &Port, ports: &[Port], call: &str) -> Result<String> {
        let Some(output) = &self.output else {
            return Ok(call.to_owned());
        };
        let text = output.to_token_stream().to_string().replace(' ', "");
        for (name, bound) in &port.associated {
            let this = format!("Self::{name}");
            if text == this {
                return Ok(format!("Any{bound}::new({call})"));
            }
            if text.starts_with(&format!("Result<{this}")) || text == format!("Option<{this}>") {
                return Ok(format!("{call}.map(Any{bound}::new)"));
            }
        }
        erased(output, port, ports)?;
        ensure!(
            !text.contains("Self::"),
            "method {}: `{text}` cannot be erased",
            self.name
        );
        Ok(call.to_owned())
    }
}

/// A type with the twins in place of the associated types.
fn erased(of: &Type, port: &Port, ports: &[Port]) -> Result<String> {
    let mut text = of.to_token_stream().to_string();
    for (name, bound) in &port.associated {
        ensure!(
            ports.iter().any(|other| other.name == *bound),
            "type {name}: `{bound}` is no port of the file with async methods"
        );
        text = text.replace(&format!("Self :: {name}"), &format!("Any{bound}"));
    }
    Ok(text)
}
