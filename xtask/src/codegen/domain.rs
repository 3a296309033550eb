//! `api-spec/<domain>/domain.yaml`: the identities, enumerations and events of a domain.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::{names, ordered::Ordered};

/// What a domain's file declares.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Domain {
    /// The name of the domain, which is also that of its folder and crate.
    #[serde(rename = "x-domain")]
    pub(crate) name: String,
    /// Identities and what they identify.
    #[serde(rename = "x-ids")]
    pub(crate) ids: Ordered<String>,
    /// Whether the domain needs a JSON value.
    #[serde(rename = "x-json", default)]
    pub(crate) json: bool,
    /// Enumerations.
    #[serde(rename = "x-enums", default)]
    pub(crate) enums: Ordered<Enumeration>,
    /// Events by kind, such as `user.registered`.
    #[serde(rename = "x-events", default)]
    pub(crate) events: Ordered<EventKind>,
}

/// One enumeration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enumeration {
    /// What it is.
    pub(crate) description: String,
    /// The values and what they mean, least first.
    pub(crate) values: Ordered<String>,
}

/// One kind of event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventKind {
    /// What happened.
    pub(crate) description: String,
    /// The name of what it happened to, and the field with its identity.
    pub(crate) aggregate: Ordered<String>,
    /// What is told about it.
    pub(crate) fields: Ordered<Field>,
}

/// One field of an event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Field {
    /// An id, an enumeration, `string`, `string?`, `integer`, `boolean` or `[string]`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What it says.
    pub(crate) description: String,
}

impl Domain {
    /// The file of a domain, from the root of the workspace.
    pub(crate) fn source(name: &str) -> String {
        format!("api-spec/{name}/domain.yaml")
    }

    /// Reads the file of a domain.
    pub(crate) fn read(root: &Path, name: &str) -> Result<Self> {
        let source = Self::source(name);
        let text =
            fs::read_to_string(root.join(&source)).with_context(|| format!("reading {source}"))?;
        let domain = Self::parse(&text).with_context(|| source.clone())?;
        ensure!(
            domain.name == name,
            "{source}: x-domain: `{}` is not the name of the folder",
            domain.name
        );
        Ok(domain)
    }

    /// Parses and checks the text of a file.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let domain: Self = yaml_serde::from_str(text)?;
        for id in ["OrganizationId", "UserId"] {
            ensure!(
                domain.ids.get(id).is_some(),
                "x-ids: `{id}` is missing, and every event records one"
            );
        }
        for (name, enumeration) in domain.enums.iter() {
            ensure!(
                enumeration.values.len() > 0,
                "x-enums: {name}: has no values"
            );
        }
        for (kind, event) in domain.events.iter() {
            domain
                .check_event(event)
                .with_context(|| format!("x-events: {kind}"))?;
        }
        Ok(domain)
    }

    fn check_event(&self, event: &EventKind) -> Result<()> {
        for (name, field) in event.fields.iter() {
            self.rust_type(field)
                .with_context(|| format!("fields: {name}"))?;
        }
        let (_, id) = event.aggregate()?;
        let field = event
            .fields
            .get(id)
            .with_context(|| format!("aggregate: there is no field `{id}`"))?;
        ensure!(
            self.ids.get(&field.kind).is_some(),
            "aggregate: the field `{id}` is no identity"
        );
        Ok(())
    }

    /// The Rust type of a field.
    pub(crate) fn rust_type<'a>(&self, field: &'a Field) -> Result<&'a str> {
        let kind = field.kind.as_str();
        Ok(match kind {
            "string" => "String",
            "string?" => "Option<String>",
            "integer" => "i64",
            "boolean" => "bool",
            "[string]" => "Vec<String>",
            _ if self.ids.get(kind).is_some() || self.enums.get(kind).is_some() => kind,
            _ => bail!("unknown type `{kind}`"),
        })
    }
}

impl EventKind {
    /// The name of the aggregate and the field with its identity.
    pub(crate) fn aggregate(&self) -> Result<(&str, &str)> {
        ensure!(
            self.aggregate.len() == 1,
            "aggregate: names {} fields rather than one",
            self.aggregate.len()
        );
        let entry = self.aggregate.iter().next();
        entry
            .map(|(name, field)| (name, field.as_str()))
            .context("aggregate: is empty")
    }

    /// The name of the variant of an event of this kind.
    pub(crate) fn variant(kind: &str) -> String {
        names::pascal(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: &str = "x-domain: d\nx-ids: {OrganizationId: One., UserId: Two.}\n";

    fn error(rest: &str) -> String {
        let result = Domain::parse(&format!("{IDS}{rest}"));
        format!("{:#}", result.map(|_| ()).unwrap_err())
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(error("x-evnets: {}\n").contains("unknown field `x-evnets`"));
    }

    #[test]
    fn an_unknown_type_is_refused_with_its_place() {
        let text = error(
            "x-events:\n  a.b:\n    description: D\n    aggregate: {a: id}\n    fields: {id: {type: Nope, description: D}}\n",
        );
        assert_eq!(text, "x-events: a.b: fields: id: unknown type `Nope`");
    }

    #[test]
    fn an_aggregate_needs_its_field() {
        let text = error(
            "x-events:\n  a.b:\n    description: D\n    aggregate: {a: id}\n    fields: {}\n",
        );
        assert_eq!(text, "x-events: a.b: aggregate: there is no field `id`");
    }

    #[test]
    fn a_name_that_occurs_twice_is_refused() {
        let text = error("x-enums:\n  E: {description: D, values: {a: A, a: B}}\n");
        assert!(
            text.contains("twice") || text.contains("duplicate"),
            "{text}"
        );
    }
}
