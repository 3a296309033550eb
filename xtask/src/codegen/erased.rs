//! Ports behind pointers. `crates/server/src/erased/<domain>.gen.rs` has those of a domain, so
//! that configuration can choose the adapters at run time; those of `platform` that every request
//! passes are in `crates/http/src/erased.gen.rs`, the others with the domains'.
//!
//! For a port `Store` there are a private `DynStore`, which can be made into an object and which
//! every `Store` implements, and a public `AnyStore`, which holds such an object and is a `Store`.

mod imports;
mod port;

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result, ensure};

use super::{emit, output::Output};
use port::{Method, Port, Taken};

const KERNEL: &str = include_str!("templates/kernel.rs");

/// A file with twins of ports that domains share.
struct Shared {
    path: &'static str,
    about: &'static str,
    /// Modules of `platform` with the names of their ports.
    ports: &'static [(&'static str, &'static [&'static str])],
}

const SHARED: [Shared; 2] = [
    Shared {
        path: "crates/http/src/erased.gen.rs",
        about: "What every request passes, behind pointers: no handler sees which adapters there are.",
        ports: &[
            ("events", &["History"]),
            ("idempotency", &["IdempotencyKeys"]),
            ("limits", &["RateLimiter"]),
        ],
    },
    Shared {
        path: "crates/server/src/erased/platform.gen.rs",
        about: "How nodes hear of each other and what they share, behind pointers, so that configuration can choose the adapters.",
        ports: &[
            ("chains", &["Trail"]),
            ("data_keys", &["DataKeys"]),
            (
                "events",
                &[
                    "Changes",
                    "Outbox",
                    "Publisher",
                    "Subscriber",
                    "Subscription",
                ],
            ),
        ],
    },
];

/// The twins of the ports that domains share.
pub(crate) fn shared(root: &Path) -> Result<Vec<Output>> {
    SHARED.iter().map(|shared| shared.output(root)).collect()
}

impl Shared {
    fn output(&self, root: &Path) -> Result<Output> {
        let mut body = String::new();
        let mut files = Vec::new();
        for (module, names) in self.ports {
            let source = format!("crates/platform/src/{module}.rs");
            let file = syn::parse_file(&fs::read_to_string(root.join(&source))?)?;
            let mut ports = port::ports(&file).with_context(|| source.clone())?;
            ports.retain(|port| names.contains(&port.name.as_str()));
            ensure!(
                ports.len() == names.len(),
                "{source}: not all of {names:?} are ports"
            );
            body += &twins(&ports)?;
            files.push((format!("archesai_platform::{module}"), file));
        }
        let imports = imports::text("archesai_platform", &files, &body);
        let header = emit::header("`crates/platform/src/`");
        Ok(Output {
            path: self.path.to_owned(),
            text: format!(
                "{header}//! {}

{imports}use async_trait::async_trait;

{body}",
                self.about
            ),
        })
    }
}

/// The twins of a domain's ports; `None` while it has none.
pub(crate) fn output(root: &Path, domain: &str) -> Result<Option<Output>> {
    let source = format!("crates/{domain}/src/ports.rs");
    let file = root.join(&source);
    if !file.exists() {
        return Ok(None);
    }
    let ports = fs::read_to_string(file)?;
    Ok(Some(Output {
        path: format!("crates/server/src/erased/{domain}.gen.rs"),
        text: text(domain, &ports).with_context(|| source)?,
    }))
}

/// The twins of the ports in a text.
fn text(domain: &str, ports: &str) -> Result<String> {
    let file = syn::parse_file(ports)?;
    let kernel = syn::parse_file(KERNEL)?;
    let mut body = twins(&port::ports(&file)?)?;
    body += &twins(&port::ports(&kernel)?)?;
    let krate = format!("archesai_{domain}");
    let files = [(format!("{krate}::ports"), file), (krate.clone(), kernel)];
    let imports = imports::text(&krate, &files, &body);
    let header = emit::header(&format!("`crates/{domain}/src/ports.rs`"));
    Ok(format!(
        "{header}//! The ports of {domain} behind pointers, so that configuration can choose the adapters.

{imports}use async_trait::async_trait;

{body}"
    ))
}

/// The twins of ports, some of which may build on others.
fn twins(ports: &[Port]) -> Result<String> {
    let mut text = String::new();
    for port in ports {
        text += &object(port, ports)?;
        // What others build on is reached through them.
        let base = ports.iter().any(|other| other.supers.contains(&port.name));
        if !base {
            text += &any(port, ports)?;
        }
    }
    Ok(text)
}

/// The private trait that can be made into an object, and its implementation for every adapter.
fn object(port: &Port, ports: &[Port]) -> Result<String> {
    let Port { name, .. } = port;
    let bounded = port.bounded();
    let generics = bracketed(&bounded);
    let mut bounds: Vec<String> = port
        .supers
        .iter()
        .map(|name| format!("Dyn{name}"))
        .collect();
    if bounds.is_empty() {
        bounds.clone_from(&port.markers);
    }
    let mut declared = String::new();
    let mut given = String::new();
    for method in &port.methods {
        let signature = method.signature(port, ports, true)?;
        _ = writeln!(declared, "{signature};");
        let receiver = if method.taken == Taken::Owned {
            "*self"
        } else {
            "self"
        };
        let mut arguments = vec![receiver];
        arguments.extend(method.arguments.iter().map(|(name, _)| name.as_str()));
        let call = format!("{name}::{}({})", method.name, arguments.join(", "));
        let call = method.awaited(&call);
        let wrapped = method.wrapped(port, ports, &call)?;
        _ = writeln!(given, "{signature} {{ {wrapped} }}");
    }
    let parameters = port.parameters();
    let also = if bounded.is_empty() {
        String::new()
    } else {
        format!(", {bounded}")
    };
    Ok(format!(
        "#[async_trait]
trait Dyn{name}{generics}: {} {{ {declared} }}

#[async_trait]
impl<T: {name}{parameters}{also}> Dyn{name}{parameters} for T {{ {given} }}

",
        bounds.join(" + "),
    ))
}

/// The public type that holds an object, and what it implements.
fn any(port: &Port, ports: &[Port]) -> Result<String> {
    let Port { name, .. } = port;
    let bounded = bracketed(&port.bounded());
    let parameters = port.parameters();
    let mut text = format!(
        "/// Any [`{name}`].
pub struct Any{name}{bounded}(Box<dyn Dyn{name}{parameters}>);

impl{bounded} Any{name}{parameters} {{
    /// Hides which one this is.
    pub fn new(hidden: impl {name}{parameters}) -> Self {{
        Self(Box::new(hidden))
    }}
}}

"
    );
    let mut implemented: Vec<&Port> = Vec::new();
    ancestors(port, ports, &mut implemented);
    for base in implemented {
        let mut items = String::new();
        for (associated, bound) in &base.associated {
            _ = writeln!(items, "type {associated} = Any{bound};\n");
        }
        for method in &base.methods {
            let names: Vec<&str> = method.arguments.iter().map(|(name, _)| &**name).collect();
            let call = format!("self.0.{}({})", method.name, names.join(", "));
            _ = writeln!(
                items,
                "{} {{ {} }}\n",
                method.signature(base, ports, false)?,
                method.awaited(&call) + watched(base, &method.name)
            );
        }
        _ = write!(
            text,
            "impl{bounded} {}{parameters} for Any{name}{parameters} {{ {items} }}\n\n",
            base.name
        );
    }
    Ok(text)
}

/// What is told of the answers of a port and of its failures, of which whoever calls it
/// does not tell.
fn watched(port: &Port, method: &str) -> &'static str {
    match (port.name.as_str(), method) {
        ("Cache", "get") => {
            ".inspect(|found| super::cache_answered::<V>(found.is_some()))
            .inspect_err(|error| super::cache_failed(error))"
        }
        ("Cache", _) => ".inspect_err(|error| super::cache_failed(error))",
        _ => "",
    }
}

/// A port with those it builds on, those first.
fn ancestors<'a>(port: &'a Port, ports: &'a [Port], found: &mut Vec<&'a Port>) {
    for name in &port.supers {
        if let Some(base) = ports.iter().find(|other| other.name == *name) {
            ancestors(base, ports, found);
        }
    }
    if !found.iter().any(|known| known.name == port.name) {
        found.push(port);
    }
}

/// Parameters in angle brackets, or nothing.
fn bracketed(parameters: &str) -> String {
    if parameters.is_empty() {
        String::new()
    } else {
        format!("<{parameters}>")
    }
}

impl Method {
    /// The call, awaited if the method is async, and a statement if it gives nothing.
    fn awaited(&self, call: &str) -> String {
        let wait = if self.is_async { ".await" } else { "" };
        let end = if self.gives() { "" } else { ";" };
        format!("{call}{wait}{end}")
    }
}

#[cfg(test)]
mod tests;
