//! What values are valid: the rules of the validator crate, and what utoipa is told of them.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use yaml_serde::Number;

use super::{
    super::{
        contract::{Additional, Schema},
        emit, names,
    },
    dto::{Member, Module},
    kind::{self, Kind, Resolved},
};

impl Module<'_> {
    /// The rules of the validator crate that the schema of a member asks for.
    pub(super) fn rules(&mut self, member: &Member) -> Result<Vec<String>> {
        let Resolved { kind, schema, .. } = &member.resolved;
        let mut rules = Vec::new();
        match kind {
            Kind::Text | Kind::Secret => {
                rules.extend(length(schema.min_length, schema.max_length));
                if schema.format.as_deref() == Some("email") {
                    rules.push("email".to_owned());
                }
                if let Some(pattern) = &schema.pattern {
                    let name = names::screaming(&format!("{}_{}", member.owner, member.name));
                    self.pattern(&name, pattern);
                    let message = emit::literal(&format!("must match `{pattern}`"));
                    rules.push(format!("regex(path = *{name}, message = {message})"));
                }
            }
            Kind::Integer(_) | Kind::Number => {
                rules.extend(range(schema, kind));
            }
            Kind::List(of) => {
                rules.extend(length(schema.min_items, schema.max_items));
                rules.extend(self.item_rule(member, of)?);
            }
            Kind::Map(of) => {
                rules.extend(length(schema.min_properties, schema.max_properties));
                rules.extend(self.item_rule(member, of)?);
            }
            Kind::Object => rules.extend(self.size_rule(member)),
            Kind::Named { object: true, .. } => rules.push("nested".to_owned()),
            _ => {}
        }
        Ok(rules)
    }

    fn pattern(&mut self, name: &str, pattern: &str) {
        _ = write!(
            self.helpers,
            "static {name}: LazyLock<Regex> = LazyLock::new(|| {{
                Regex::new({}).expect(\"the pattern of the contract is a regular expression\")
            }});\n\n",
            emit::literal(pattern)
        );
    }

    /// How the items of an array or the members of a map are checked.
    fn item_rule(&mut self, member: &Member, of: &Kind) -> Result<Option<String>> {
        let schema = member.resolved.schema;
        let items = match (&schema.items, &schema.additional_properties) {
            (Some(items), _) => items,
            (_, Some(Additional::Of(of))) => of,
            _ => return Ok(None),
        };
        if matches!(of, Kind::Named { object: true, .. }) {
            return Ok(Some("nested".to_owned()));
        }
        let items = kind::resolve(self.contract, self.name, "", items)?.schema;
        let bounds = length(items.min_length, items.max_length);
        let other = items.pattern.is_some() || items.minimum.is_some() || items.maximum.is_some();
        ensure!(!other, "items: only their length can be checked");
        if bounds.is_none() {
            return Ok(None);
        }
        ensure!(
            matches!(of, Kind::Text),
            "items: only the length of texts can be checked"
        );
        let (argument, values) = match member.resolved.kind {
            Kind::List(_) => ("&[String]", "values.iter()"),
            _ => ("&BTreeMap<String, String>", "values.values()"),
        };
        let name = self.check(member, argument, &{
            let (min, max) = (items.min_length.unwrap_or(0), items.max_length);
            let max = max.map_or_else(|| "usize::MAX".to_owned(), |max| max.to_string());
            format!(
                "let fits = |value: &String| ({min}..={max}).contains(&value.chars().count());
                 if {values}.all(fits) {{ return Ok(()); }}
                 let message = \"each must have {} characters\";
                 Err(ValidationError::new(\"items\").with_message(message.into()))",
                within(items.min_length, items.max_length)
            )
        });
        Ok(Some(format!("custom(function = \"{name}\")")))
    }

    /// How the number of members of a free object is checked.
    fn size_rule(&mut self, member: &Member) -> Option<String> {
        let schema = member.resolved.schema;
        length(schema.min_properties, schema.max_properties)?;
        let min = schema.min_properties.unwrap_or(0);
        let max = schema.max_properties;
        let max = max.map_or_else(|| "usize::MAX".to_owned(), |max| max.to_string());
        let name = self.check(
            member,
            "&serde_json::Map<String, serde_json::Value>",
            &format!(
                "if ({min}..={max}).contains(&values.len()) {{ return Ok(()); }}
                 let message = \"must have {} members\";
                 Err(ValidationError::new(\"length\").with_message(message.into()))",
                within(schema.min_properties, schema.max_properties)
            ),
        );
        Some(format!("custom(function = \"{name}\")"))
    }

    /// Writes a function that checks a member, and answers its name.
    fn check(&mut self, member: &Member, argument: &str, body: &str) -> String {
        let name = names::snake(&format!("check_{}_{}", member.owner, member.name));
        _ = write!(
            self.helpers,
            "fn {name}(values: {argument}) -> Result<(), ValidationError> {{ {body} }}\n\n"
        );
        name
    }
}

/// What utoipa is told about the values that are valid.
pub(super) fn constraints(schema: &Schema, kind: &Kind) -> Vec<String> {
    let mut parts = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        parts.extend(value.map(|value| format!("{name} = {value}")));
    };
    let count = |value: Option<u64>| value.map(|value| value.to_string());
    let number = |value: &Option<Number>| value.as_ref().map(|value| numeral(value, kind));
    match kind {
        Kind::Text | Kind::Secret => {
            add("min_length", count(schema.min_length));
            add("max_length", count(schema.max_length));
            let pattern = schema.pattern.as_deref();
            add("pattern", pattern.map(emit::literal));
            let format = match schema.format.as_deref() {
                Some("date") => Some("Date"),
                Some("email") => Some("Email"),
                Some("uri") => Some("Uri"),
                Some("password") => Some("Password"),
                _ => None,
            };
            add("format", format.map(str::to_owned));
        }
        Kind::Integer(_) | Kind::Number => {
            add("minimum", number(&schema.minimum));
            add("maximum", number(&schema.maximum));
        }
        Kind::List(_) => {
            add("min_items", count(schema.min_items));
            add("max_items", count(schema.max_items));
        }
        Kind::Bytes => {
            parts.push("value_type = String".to_owned());
            parts.push("format = Binary".to_owned());
        }
        _ => {}
    }
    parts
}

/// Bounds in words.
fn within(min: Option<u64>, max: Option<u64>) -> String {
    match (min, max) {
        (None | Some(0), None) => "any number of".to_owned(),
        (Some(min), None) => format!("at least {min}"),
        (None | Some(0), Some(max)) => format!("at most {max}"),
        (Some(min), Some(max)) => format!("{min} to {max}"),
    }
}

/// The rule of the validator crate for a length, if there is a bound.
fn length(min: Option<u64>, max: Option<u64>) -> Option<String> {
    bounds(
        "length",
        min.map(|min| min.to_string()),
        max.map(|max| max.to_string()),
    )
}

/// The rule of the validator crate for a number, if there is a bound.
fn range(schema: &Schema, kind: &Kind) -> Option<String> {
    let number = |value: &Option<Number>| value.as_ref().map(|value| numeral(value, kind));
    bounds("range", number(&schema.minimum), number(&schema.maximum))
}

fn bounds(rule: &str, min: Option<String>, max: Option<String>) -> Option<String> {
    match (min, max) {
        (None, None) => None,
        (Some(min), None) => Some(format!("{rule}(min = {min})")),
        (None, Some(max)) => Some(format!("{rule}(max = {max})")),
        (Some(min), Some(max)) => Some(format!("{rule}(min = {min}, max = {max})")),
    }
}

/// A number as a literal of its kind.
fn numeral(number: &Number, kind: &Kind) -> String {
    let text = number.to_string();
    if *kind == Kind::Number && !text.contains(['.', 'e']) {
        text + ".0"
    } else {
        text
    }
}
