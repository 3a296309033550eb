//! `crates/<domain>/src/model.gen.rs`: the identities, enumerations and events of a domain.

use std::fmt::Write as _;

use anyhow::Result;

use super::{
    domain::{Domain, EventKind},
    emit,
    output::Output,
};

const IDS: &str = include_str!("templates/ids.tmpl");

/// The model of a domain.
pub(crate) fn output(domain: &Domain) -> Result<Output> {
    let name = &domain.name;
    let mut text = emit::header(&format!("`{}`", Domain::source(name)));
    _ = write!(
        text,
        "//! The identities, enumerations and events of the {name} domain.

use std::{{fmt, str::FromStr, time::SystemTime}};

use serde::{{Deserialize, Serialize}};

{IDS}
"
    );
    for (id, description) in domain.ids.iter() {
        // rustfmt leaves the body of the macro as it is.
        let doc = emit::doc(description).replace("///", "    ///");
        _ = writeln!(text, "id! {{\n{doc}    {id}\n}}");
    }
    enumerations(&mut text, domain);
    events(&mut text, domain)?;
    text += RECORDED;
    Ok(Output {
        path: format!("crates/{name}/src/model.gen.rs"),
        text,
    })
}

fn enumerations(text: &mut String, domain: &Domain) {
    for (name, enumeration) in domain.enums.iter() {
        let values = enumeration.values.names().zip(enumeration.values.iter());
        let values: Vec<_> = values
            .map(|(value, (_, meaning))| (value, meaning.as_str()))
            .collect();
        text.push('\n');
        *text += &emit::text_enum(
            name,
            &enumeration.description,
            values.iter().copied(),
            "",
            "UnknownValue",
        );
    }
    if domain.enums.len() > 0 {
        *text += UNKNOWN_VALUE;
    }
}

fn events(text: &mut String, domain: &Domain) -> Result<()> {
    let (mut variants, mut kinds) = (String::new(), String::new());
    for (kind, event) in domain.events.iter() {
        let variant = EventKind::variant(kind);
        let literal = emit::literal(kind);
        variants += &emit::doc(&event.description);
        _ = writeln!(variants, "#[serde(rename = {literal})]\n{variant} {{");
        for (name, field) in event.fields.iter() {
            let rust = domain.rust_type(field)?;
            _ = writeln!(variants, "{}{name}: {rust},", emit::doc(&field.description));
        }
        variants += "},\n";
        _ = writeln!(kinds, "Self::{variant} {{ .. }} => {literal},");
    }
    let aggregates = aggregates(domain)?;
    _ = write!(
        text,
        "
/// Something that happened in the {name} domain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = \"type\")]
pub enum Event {{ {variants} }}

impl Event {{
    /// The name of what happened, as in the event log.
    pub const fn kind(&self) -> &'static str {{
        match self {{ {kinds} }}
    }}

    /// What it happened to: the aggregate within which events keep their order.
    pub const fn aggregate(&self) -> (&'static str, u128) {{
        match self {{ {aggregates} }}
    }}
}}
",
        name = domain.name
    );
    Ok(())
}

/// The arms that say what an event happened to; one for all the events of an aggregate.
fn aggregates(domain: &Domain) -> Result<String> {
    let mut arms: Vec<((&str, &str), Vec<String>)> = Vec::new();
    for (kind, event) in domain.events.iter() {
        let aggregate = event.aggregate()?;
        let pattern = format!(
            "Self::{} {{ {}, .. }}",
            EventKind::variant(kind),
            aggregate.1
        );
        match arms.iter_mut().find(|(known, _)| *known == aggregate) {
            Some((_, patterns)) => patterns.push(pattern),
            None => arms.push((aggregate, vec![pattern])),
        }
    }
    let arms = arms.into_iter().map(|((name, id), patterns)| {
        format!(
            "{} => ({}, {id}.0),\n",
            patterns.join(" | "),
            emit::literal(name)
        )
    });
    Ok(arms.collect())
}

const UNKNOWN_VALUE: &str = r#"
/// The text is none of the values of an enumeration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownValue;

impl fmt::Display for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one of the known values")
    }
}

impl std::error::Error for UnknownValue {}
"#;

const RECORDED: &str = "
/// An [`Event`] with when, where and by whom it came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Identifies the event; what consumers deduplicate by.
    pub id: u128,
    /// The tenant it belongs to; `None` where it concerns a person and no tenant.
    pub organization_id: Option<OrganizationId>,
    /// The user who brought it about; `None` for the platform itself.
    pub actor_id: Option<UserId>,
    /// When.
    pub occurred_at: SystemTime,
    /// What.
    pub event: Event,
}
";
