//! The types of a module: what is sent and answered, and the queries.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::{Context as _, Result, bail, ensure};
use yaml_serde::Value;

use super::{
    super::{
        contract::{Contract, Operation, Schema},
        emit, names,
    },
    kind::{self, Kind, Resolved, Usage},
    rules,
};

/// The types of one module, as far as they have been written.
pub(super) struct Module<'a> {
    pub(super) contract: &'a Contract,
    usage: &'a Usage,
    /// The name of the module.
    pub(super) name: &'a str,
    text: String,
    /// Functions and constants that the types need.
    pub(super) helpers: String,
    known: BTreeSet<String>,
    documented: Vec<String>,
}

/// A property of an object, or a parameter in a query.
pub(super) struct Member<'a> {
    pub(super) owner: &'a str,
    pub(super) name: &'a str,
    pub(super) description: Option<&'a str>,
    pub(super) required: bool,
    pub(super) resolved: Resolved<'a>,
}

impl Member<'_> {
    /// The name of the field.
    fn field(&self) -> String {
        let schema = self.resolved.schema;
        let typed = matches!(self.resolved.kind.innermost(), Kind::Named { .. });
        match &schema.rust_name {
            // Of a type of its own it would be the name.
            Some(name) if !typed => name.clone(),
            _ => names::snake(self.name),
        }
    }
}

/// What a struct is for.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// Only sent to the server.
    Request,
    /// Sent both ways.
    Both,
    /// Only answered.
    Response,
    /// The query of an operation.
    Query,
}

impl Role {
    const fn validated(self) -> bool {
        !matches!(self, Self::Response)
    }
}

impl<'a> Module<'a> {
    /// A module without types.
    pub(super) fn new(contract: &'a Contract, usage: &'a Usage, name: &'a str) -> Self {
        Self {
            contract,
            usage,
            name,
            text: String::new(),
            helpers: String::new(),
            known: BTreeSet::new(),
            documented: Vec::new(),
        }
    }

    /// The types written so far.
    pub(super) fn text(self) -> String {
        self.text + &self.helpers
    }

    /// The types that are components of the contract.
    pub(super) fn documented(&self) -> Vec<String> {
        self.documented.clone()
    }

    /// Writes the type of a named schema, unless it is another name for one that needs none.
    pub(super) fn schema(&mut self, name: &'a str, schema: &'a Schema) -> Result<()> {
        if !kind::is_named(schema) {
            kind::resolve(self.contract, self.name, name, schema)?;
            return Ok(());
        }
        let rust = kind::rust_name(name, schema);
        ensure!(
            self.known.insert(rust.clone()),
            "another type is called `{rust}`"
        );
        self.documented.push(rust.clone());
        if schema.values.is_empty() {
            self.object(name, &rust, schema)
        } else {
            self.enumeration(&rust, schema, None)
        }
    }

    /// Finds the type of a schema used in this module, writing the enumeration it may hold inline,
    /// which `about` describes where it does not itself.
    pub(super) fn resolve(
        &mut self,
        hint: &str,
        schema: &'a Schema,
        about: Option<&str>,
    ) -> Result<Resolved<'a>> {
        let resolved = kind::resolve(self.contract, self.name, hint, schema)?;
        if let Kind::Named {
            inline: true,
            name,
            module,
            ..
        } = resolved.kind.innermost()
            && module == self.name
            && self.known.insert(name.clone())
        {
            let name = name.clone();
            let mut inner = resolved.schema;
            while let Some(items) = &inner.items {
                inner = items;
            }
            self.enumeration(&name, inner, about)?;
        }
        Ok(resolved)
    }

    fn enumeration(&mut self, name: &str, schema: &Schema, about: Option<&str>) -> Result<()> {
        let mut values = Vec::new();
        for value in &schema.values {
            match value {
                Value::String(text) => values.push(text.as_str()),
                Value::Null => {}
                _ => bail!("enum: only texts are known"),
            }
        }
        let described: Vec<(&str, String)> = values
            .iter()
            .map(|value| {
                let known = schema.value_descriptions.get(value).cloned();
                (
                    *value,
                    known.unwrap_or_else(|| format!("The value `{value}`.")),
                )
            })
            .collect();
        let mut variants = BTreeSet::new();
        for value in &values {
            ensure!(
                variants.insert(names::pascal(value)),
                "enum: `{value}` and another value have the same name in Rust"
            );
        }
        let fallback = format!("One of {} values.", values.len());
        let description = schema.description.as_deref().or(about).unwrap_or(&fallback);
        self.text += &emit::text_enum(
            name,
            description,
            described
                .iter()
                .map(|(value, meaning)| (*value, meaning.as_str())),
            ", ToSchema",
            "UnknownValue",
        );
        self.text.push('\n');
        Ok(())
    }

    fn object(&mut self, name: &str, rust: &str, schema: &'a Schema) -> Result<()> {
        let role = match (self.usage.in_request(name), self.usage.in_response(name)) {
            (true, false) => Role::Request,
            (true, true) => Role::Both,
            (false, _) => Role::Response,
        };
        let mut members = Vec::new();
        for (property, of) in schema.properties.iter() {
            let hint = format!("{rust}_{property}");
            let resolved = self
                .resolve(&hint, of, None)
                .with_context(|| format!("properties: {property}"))?;
            members.push(Member {
                owner: rust,
                name: property,
                description: of.description.as_deref(),
                required: schema.required.iter().any(|required| required == property),
                resolved,
            });
        }
        for required in &schema.required {
            ensure!(
                schema.properties.get(required).is_some(),
                "required: `{required}` is not among the properties"
            );
        }
        let description = schema.description.clone();
        let description = description.unwrap_or_else(|| self.purpose(name));
        self.structure(name, rust, &description, &members, role)
    }

    /// What a schema without a description is for.
    fn purpose(&self, name: &str) -> String {
        let is = |schema: &Schema| schema.referred() == Some(name);
        for operation in &self.contract.operations {
            let place = format!("`{} {}`", operation.method, operation.path);
            if let Ok(Some(body)) = operation.json_body()
                && is(body)
            {
                return format!("The body of {place}.");
            }
            if let Ok((_, Some(answer))) = operation.success()
                && is(answer)
            {
                return format!("What {place} answers.");
            }
        }
        format!("The `{name}` of the contract.")
    }

    /// Writes the query of an operation as a struct, and answers its name; `None` without one.
    pub(super) fn query(&mut self, operation: &'a Operation) -> Result<Option<String>> {
        let rust = format!("{}Query", names::pascal(&operation.id));
        let mut members = Vec::new();
        for parameter in operation.parameters_in("query") {
            let hint = format!("{}_{}", names::pascal(&operation.id), parameter.name);
            let resolved = self
                .resolve(&hint, &parameter.schema, parameter.description.as_deref())
                .with_context(|| format!("parameters: {}", parameter.name))?;
            members.push(Member {
                owner: &rust,
                name: &parameter.name,
                description: parameter.description.as_deref(),
                required: parameter.required,
                resolved,
            });
        }
        if members.is_empty() {
            return Ok(None);
        }
        let description = format!("The query of `{} {}`.", operation.method, operation.path);
        self.structure("", &rust, &description, &members, Role::Query)?;
        Ok(Some(rust))
    }

    fn structure(
        &mut self,
        schema: &str,
        rust: &str,
        description: &str,
        members: &[Member],
        role: Role,
    ) -> Result<()> {
        let secret = members
            .iter()
            .any(|member| member.resolved.kind == Kind::Secret);
        let debug = if secret { "" } else { "Debug, " };
        let (derives, attributes) = match role {
            Role::Request | Role::Both => (
                "Serialize, Deserialize, Validate, ToSchema",
                "#[serde(deny_unknown_fields)]\n",
            ),
            Role::Response => ("Serialize, ToSchema", ""),
            Role::Query => (
                "Deserialize, Validate, IntoParams",
                "#[serde(deny_unknown_fields)]\n#[into_params(parameter_in = Query)]\n",
            ),
        };
        let mut text = emit::doc(description);
        _ = writeln!(
            text,
            "#[derive(Clone, {debug}{derives})]\n{attributes}pub struct {rust} {{"
        );
        for member in members {
            let field = self
                .field(schema, member, role)
                .with_context(|| format!("properties: {}", member.name))?;
            text += &field;
        }
        text += "}\n\n";
        if secret {
            text += &redacted(rust, members);
        }
        self.text += &text;
        Ok(())
    }

    fn field(&mut self, schema: &str, member: &Member, role: Role) -> Result<String> {
        let Resolved { kind, nullable, .. } = &member.resolved;
        let name = member.field();
        let plain = kind.rust(self.name);
        let double = role == Role::Request && *nullable && !member.required;
        let optional = *nullable || !member.required;
        let listed = role == Role::Query && !member.required && matches!(kind, Kind::List(_));
        let rust = match (double, optional && !listed) {
            (true, _) => format!("Option<Option<{plain}>>"),
            (false, true) => format!("Option<{plain}>"),
            (false, false) => plain,
        };
        ensure!(
            kind.innermost() != kind || !self.leads_back(schema, kind),
            "the schema holds itself, and not in an array or map"
        );
        let described = member
            .description
            .or(member.resolved.schema.description.as_deref());
        let fallback = format!("Its `{}`.", member.name);
        let mut text = emit::doc(described.unwrap_or(&fallback));
        text += &serde_attribute(member, &name, role, double, listed);
        if role.validated() {
            for rule in self.rules(member)? {
                _ = writeln!(text, "#[validate({rule})]");
            }
        }
        text += &self.documentation(schema, member, role, double);
        _ = writeln!(text, "pub {name}: {rust},");
        Ok(text)
    }

    /// Whether a type refers, over however many in between, to the schema it is a member of.
    fn leads_back(&self, schema: &str, kind: &Kind) -> bool {
        let Kind::Named {
            name, object: true, ..
        } = kind.innermost()
        else {
            return false;
        };
        let target = self
            .contract
            .schemas
            .iter()
            .find(|(known, (_, of))| kind::rust_name(known, of) == *name);
        target.is_some_and(|(target, _)| self.usage.reaches(target, schema))
    }

    /// What utoipa is told about a member besides its type.
    fn documentation(&self, schema: &str, member: &Member, role: Role, double: bool) -> String {
        let Resolved {
            kind,
            nullable,
            schema: of,
        } = &member.resolved;
        let mut parts = Vec::new();
        if double || kind.has_object() {
            let plain = kind.documented(self.name);
            let nullable_part = if *nullable {
                format!("Option<{plain}>")
            } else {
                plain
            };
            parts.push(format!("value_type = {nullable_part}"));
        }
        if matches!(kind.innermost(), Kind::Named { inline: true, .. }) {
            parts.push("inline".to_owned());
        }
        if role != Role::Query {
            if *nullable && member.required {
                parts.push("required = true".to_owned());
            }
            if !nullable && !member.required {
                if kind.has_object() {
                    parts.push("required = false".to_owned());
                } else {
                    parts.push("nullable = false".to_owned());
                }
            }
            if self.leads_back(schema, kind) {
                parts.push("no_recursion".to_owned());
            }
        }
        parts.extend(rules::constraints(of, kind));
        if parts.is_empty() {
            return String::new();
        }
        let attribute = if role == Role::Query {
            "param"
        } else {
            "schema"
        };
        format!("#[{attribute}({})]\n", parts.join(", "))
    }
}

/// The attribute of serde for a member.
fn serde_attribute(member: &Member, field: &str, role: Role, double: bool, listed: bool) -> String {
    let mut parts = Vec::new();
    if field.trim_start_matches("r#") != member.name {
        parts.push(format!("rename = {}", emit::literal(member.name)));
    }
    if double {
        parts.push("default".to_owned());
        parts.push("deserialize_with = \"super::double_option\"".to_owned());
    }
    if listed {
        parts.push("default".to_owned());
    }
    if !member.required && role != Role::Query {
        parts.push("skip_serializing_if = \"Option::is_none\"".to_owned());
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("#[serde({})]\n", parts.join(", "))
}

/// A `Debug` that does not show what is secret.
fn redacted(rust: &str, members: &[Member]) -> String {
    let mut text = format!(
        "impl fmt::Debug for {rust} {{
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
                f.debug_struct({})",
        emit::literal(rust)
    );
    for member in members {
        let name = member.field();
        let shown = if member.resolved.kind == Kind::Secret {
            "&format_args!(\"***\")".to_owned()
        } else {
            format!("&self.{name}")
        };
        _ = write!(text, ".field({}, {shown})", emit::literal(member.name));
    }
    text += ".finish() } }\n\n";
    text
}
