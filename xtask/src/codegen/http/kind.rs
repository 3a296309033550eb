//! What a schema is in Rust.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};

use super::super::{
    contract::{Additional, Contract, Schema},
    names,
    ordered::Ordered,
};

/// The map of the standard library.
const MAP: &str = "std::collections::BTreeMap";

/// The Rust type of a schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A text.
    Text,
    /// A text that is not to be shown.
    Secret,
    /// Bytes, in a body that is not JSON.
    Bytes,
    /// A UUID.
    Uuid,
    /// A time (RFC 3339).
    Time,
    /// An integer of 32 or 64 bits.
    Integer(u8),
    /// A number.
    Number,
    /// A truth value.
    Bool,
    /// Any JSON value.
    Any,
    /// Any JSON object.
    Object,
    /// An object whose members are all alike.
    Map(Box<Kind>),
    /// An array.
    List(Box<Kind>),
    /// A struct or enumeration of a module.
    Named {
        /// The module.
        module: String,
        /// The name of the type.
        name: String,
        /// Whether it is a struct.
        object: bool,
        /// Whether the contract writes it where it is used rather than by name.
        inline: bool,
    },
}

impl Kind {
    /// The type as written in a module.
    pub(super) fn rust(&self, here: &str) -> String {
        match self {
            Self::Text | Self::Secret => "String".to_owned(),
            Self::Bytes => "Vec<u8>".to_owned(),
            Self::Uuid => "uuid::Uuid".to_owned(),
            Self::Time => "chrono::DateTime<chrono::Utc>".to_owned(),
            Self::Integer(bits) => format!("i{bits}"),
            Self::Number => "f64".to_owned(),
            Self::Bool => "bool".to_owned(),
            Self::Any => "serde_json::Value".to_owned(),
            Self::Object => "serde_json::Map<String, serde_json::Value>".to_owned(),
            Self::Map(of) => format!("BTreeMap<String, {}>", of.rust(here)),
            Self::List(of) => format!("Vec<{}>", of.rust(here)),
            Self::Named { module, name, .. } if module == here => name.clone(),
            Self::Named { module, name, .. } => format!("super::{module}::{name}"),
        }
    }

    /// The type as utoipa is told it.
    pub(super) fn documented(&self, here: &str) -> String {
        match self {
            // utoipa knows a map by this name, and the text needs no import for it.
            Self::Object => format!("{MAP}<String, serde_json::Value>"),
            Self::List(of) => format!("Vec<{}>", of.documented(here)),
            Self::Map(of) => format!("{MAP}<String, {}>", of.documented(here)),
            _ => self.rust(here),
        }
    }

    /// The type as the body or parameter of an operation, as utoipa is told it.
    pub(super) fn in_operation(&self, here: &str) -> String {
        match self {
            Self::Named { inline: true, .. } => format!("inline({})", self.rust(here)),
            _ => self.documented(here),
        }
    }

    /// Whether there is a free object anywhere in it, whose Rust type utoipa does not know.
    pub(super) fn has_object(&self) -> bool {
        match self {
            Self::Object => true,
            Self::List(of) | Self::Map(of) => of.has_object(),
            _ => false,
        }
    }

    /// The innermost type of lists and maps.
    pub(super) fn innermost(&self) -> &Self {
        match self {
            Self::List(of) | Self::Map(of) => of.innermost(),
            _ => self,
        }
    }
}

/// A type, and whether `null` stands for none.
#[derive(Clone, Debug)]
pub(super) struct Resolved<'a> {
    /// The type.
    pub(super) kind: Kind,
    /// Whether it may be `null`.
    pub(super) nullable: bool,
    /// The schema that says what values are valid.
    pub(super) schema: &'a Schema,
}

/// Finds the type of a schema in a module. `hint` names the enumeration it may write inline.
pub(super) fn resolve<'a>(
    contract: &'a Contract,
    module: &str,
    hint: &str,
    schema: &'a Schema,
) -> Result<Resolved<'a>> {
    if let Some(name) = schema.referred() {
        let (home, target) = contract.schema(name)?;
        if !is_named(target) {
            return resolve(contract, home, name, target);
        }
        let kind = Kind::Named {
            module: home.to_owned(),
            name: rust_name(name, target),
            object: target.values.is_empty(),
            inline: false,
        };
        return Ok(Resolved {
            kind,
            nullable: target.nullable(),
            schema: target,
        });
    }
    if !schema.one_of.is_empty() {
        return nullable_reference(contract, module, hint, schema);
    }
    let kinds = schema.types.0.iter().filter(|kind| *kind != "null").count();
    ensure!(kinds <= 1, "type: more than one besides 'null'");
    Ok(Resolved {
        kind: kind(contract, module, hint, schema)?,
        nullable: schema.nullable(),
        schema,
    })
}

/// `oneOf: [{$ref}, {type: 'null'}]`.
fn nullable_reference<'a>(
    contract: &'a Contract,
    module: &str,
    hint: &str,
    schema: &'a Schema,
) -> Result<Resolved<'a>> {
    let is_null = |one: &&Schema| one.types.0 == ["null"];
    let others: Vec<_> = schema.one_of.iter().filter(|one| !is_null(one)).collect();
    let [other] = others[..] else {
        bail!("oneOf: is only known for one schema or 'null'");
    };
    let mut resolved = resolve(contract, module, hint, other)?;
    resolved.nullable |= schema.one_of.len() > 1;
    Ok(resolved)
}

fn kind(contract: &Contract, module: &str, hint: &str, schema: &Schema) -> Result<Kind> {
    if !schema.values.is_empty() {
        return Ok(Kind::Named {
            module: module.to_owned(),
            name: rust_name(hint, schema),
            object: false,
            inline: true,
        });
    }
    let format = schema.format.as_deref();
    let within = |schema| resolve(contract, module, hint, schema).map(|inner| inner.kind);
    Ok(match (schema.kind(), format) {
        (None, None) if schema.properties.len() == 0 => Kind::Any,
        (Some("string"), None | Some("date" | "email" | "uri")) => Kind::Text,
        (Some("string"), Some("password")) => Kind::Secret,
        (Some("string"), Some("binary")) => Kind::Bytes,
        (Some("string"), Some("uuid")) => Kind::Uuid,
        (Some("string"), Some("date-time")) => Kind::Time,
        (Some("integer"), None | Some("int64")) => Kind::Integer(64),
        (Some("integer"), Some("int32")) => Kind::Integer(32),
        (Some("number"), None | Some("double")) => Kind::Number,
        (Some("boolean"), None) => Kind::Bool,
        (Some("array"), None) => {
            let items = schema.items.as_deref().context("items is missing")?;
            Kind::List(Box::new(within(items).context("items")?))
        }
        (Some("object"), None) => match &schema.additional_properties {
            _ if schema.properties.len() > 0 => {
                bail!("an object with properties needs a name in components: schemas")
            }
            Some(Additional::Of(of)) => {
                Kind::Map(Box::new(within(of).context("additionalProperties")?))
            }
            _ => Kind::Object,
        },
        (Some(kind), None) => bail!("type: unknown type `{kind}`"),
        (kind, Some(format)) => bail!(
            "format: unknown format `{format}` of type `{}`",
            kind.unwrap_or("any")
        ),
        (None, None) => bail!("type is missing"),
    })
}

/// Whether a schema of the components is a Rust type of its own: a struct or an enumeration.
pub(super) fn is_named(schema: &Schema) -> bool {
    let closed = matches!(schema.additional_properties, Some(Additional::Any(false)));
    !schema.values.is_empty()
        || (schema.kind() == Some("object") && (schema.properties.len() > 0 || closed))
}

/// The name of the Rust type of a schema.
pub(super) fn rust_name(name: &str, schema: &Schema) -> String {
    schema
        .rust_name
        .clone()
        .unwrap_or_else(|| names::pascal(name))
}

/// Which named schemas are part of a request, with what else they refer to.
#[derive(Debug, Default)]
pub(super) struct Usage {
    requests: BTreeSet<String>,
    responses: BTreeSet<String>,
    reach: BTreeMap<String, BTreeSet<String>>,
}

impl Usage {
    /// Follows the references from the operations.
    pub(super) fn of(contract: &Contract) -> Result<Self> {
        let mut usage = Self::default();
        for (name, (_, schema)) in contract.schemas.iter() {
            let mut reached = BTreeSet::new();
            follow(contract, schema, &mut reached)?;
            usage.reach.insert(name.to_owned(), reached);
        }
        for operation in &contract.operations {
            let bodies = operation.body.iter().map(|body| &body.content);
            for (_, media) in bodies.flat_map(Ordered::iter) {
                if let Some(schema) = &media.schema {
                    follow(contract, schema, &mut usage.requests)?;
                }
            }
            let answers = operation
                .responses
                .iter()
                .map(|(_, answer)| &answer.content);
            for (_, media) in answers.flat_map(Ordered::iter) {
                if let Some(schema) = &media.schema {
                    follow(contract, schema, &mut usage.responses)?;
                }
            }
        }
        Ok(usage)
    }

    /// Whether a schema is part of a request.
    pub(super) fn in_request(&self, name: &str) -> bool {
        self.requests.contains(name)
    }

    /// Whether a schema is part of an answer.
    pub(super) fn in_response(&self, name: &str) -> bool {
        self.responses.contains(name)
    }

    /// Whether a schema refers to another, over however many in between, or is it.
    pub(super) fn reaches(&self, from: &str, to: &str) -> bool {
        let reached = |found: &BTreeSet<String>| found.contains(to);
        from == to || self.reach.get(from).is_some_and(reached)
    }
}

/// Collects the named schemas that a schema refers to.
fn follow(contract: &Contract, schema: &Schema, found: &mut BTreeSet<String>) -> Result<()> {
    if let Some(name) = schema.referred()
        && found.insert(name.to_owned())
    {
        follow(contract, contract.schema(name)?.1, found)?;
    }
    for (_, property) in schema.properties.iter() {
        follow(contract, property, found)?;
    }
    if let Some(Additional::Of(of)) = &schema.additional_properties {
        follow(contract, of, found)?;
    }
    for one in schema.items.iter().map(AsRef::as_ref).chain(&schema.one_of) {
        follow(contract, one, found)?;
    }
    Ok(())
}
