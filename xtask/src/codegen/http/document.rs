//! What utoipa is told about the operations, so that it can be compared with the contract.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::{
    super::{
        contract::{Contract, Media, Operation, Response, Schema},
        emit, names,
        ordered::Ordered,
    },
    api::Call,
    dto::Module,
    rules,
};

/// The doc comment of an operation.
pub(super) fn prose(operation: &Operation) -> String {
    let mut text = emit::doc(&operation.summary);
    if let Some(description) = &operation.description {
        text += "///\n";
        text += &emit::doc(description);
    }
    text
}

/// The doc comment and the attribute of the handler of an operation.
pub(super) fn attribute<'a>(
    contract: &'a Contract,
    types: &mut Module<'a>,
    call: &Call<'a>,
) -> Result<String> {
    let operation = call.operation;
    let mut text = prose(operation);
    _ = write!(
        text,
        "#[utoipa::path(
    {},
    path = {},
    operation_id = {},
    tag = {},\n",
        operation.method.to_ascii_lowercase(),
        emit::literal(&operation.path),
        emit::literal(&operation.id),
        emit::literal(&operation.tag),
    );
    let parameters = parameters(types, call)?;
    if !parameters.is_empty() {
        _ = writeln!(text, "    params(\n{parameters}    ),");
    }
    if let Some(body) = &operation.body {
        let content = content(types, operation, &body.content).context("requestBody")?;
        let description = body.description.as_deref().unwrap_or("The request");
        _ = writeln!(
            text,
            "    request_body({content}, description = {}),",
            emit::literal(description)
        );
    }
    text += "    responses(\n";
    for (status, response) in &operation.responses {
        text += &answer(contract, types, operation, *status, response)
            .with_context(|| format!("responses: {status}"))?;
    }
    text += "    ),\n";
    let schemes: Vec<_> = operation
        .security
        .iter()
        .map(|requirement| {
            let names: Vec<_> = requirement
                .names()
                .map(|name| format!("{} = []", emit::literal(name)))
                .collect();
            format!("({})", names.join(", "))
        })
        .collect();
    if !schemes.is_empty() {
        _ = writeln!(text, "    security({}),", schemes.join(", "));
    }
    text += ")]\n";
    Ok(text)
}

fn parameters<'a>(types: &mut Module<'a>, call: &Call<'a>) -> Result<String> {
    let mut text = String::new();
    for parameter in &call.operation.parameters {
        let place = match parameter.place.as_str() {
            "path" => "Path",
            "header" => "Header",
            _ => continue,
        };
        let hint = format!("{}_{}", names::pascal(&call.operation.id), parameter.name);
        let resolved = types
            .resolve(&hint, &parameter.schema, parameter.description.as_deref())
            .with_context(|| format!("parameters: {}", parameter.name))?;
        let kind = resolved.kind.in_operation(types.name);
        let mut parts = Vec::new();
        if parameter.required {
            parts.push(kind);
        } else {
            parts.push(format!("Option<{kind}>"));
        }
        parts.push(place.to_owned());
        if let Some(description) = &parameter.description {
            parts.push(format!("description = {}", emit::literal(description)));
        }
        if !parameter.required {
            parts.push("nullable = false".to_owned());
        }
        parts.extend(rules::constraints(resolved.schema, &resolved.kind));
        _ = writeln!(
            text,
            "        ({} = {}),",
            emit::literal(&parameter.name),
            parts.join(", ")
        );
    }
    if let Some(query) = &call.query {
        _ = writeln!(text, "        {query},");
    }
    Ok(text)
}

fn answer<'a>(
    contract: &'a Contract,
    types: &mut Module<'a>,
    operation: &'a Operation,
    status: u16,
    response: &'a Response,
) -> Result<String> {
    let mut parts = vec![
        format!("status = {status}"),
        format!("description = {}", emit::literal(&response.description)),
    ];
    if response.content.len() > 0 {
        parts.push(content(types, operation, &response.content)?);
    }
    let mut headers = Vec::new();
    for (name, header) in response.headers.iter() {
        let description = contract.header(header).description.as_deref();
        headers.push(format!(
            "({} = String, description = {})",
            emit::literal(name),
            emit::literal(description.unwrap_or_default())
        ));
    }
    if !headers.is_empty() {
        parts.push(format!("headers({})", headers.join(", ")));
    }
    Ok(format!("        ({}),\n", parts.join(", ")))
}

/// The media types of a body and what each holds.
fn content<'a>(
    types: &mut Module<'a>,
    operation: &'a Operation,
    content: &'a Ordered<Media>,
) -> Result<String> {
    let mut parts = Vec::new();
    for (media, of) in content.iter() {
        let kind = of
            .schema
            .as_ref()
            .map(|schema| body_type(types, operation, media, schema))
            .transpose()
            .with_context(|| media.to_owned())?
            .unwrap_or_else(|| "String".to_owned());
        parts.push(format!("{kind} = {}", emit::literal(media)));
    }
    let parts: Vec<_> = parts.iter().map(|part| format!("({part})")).collect();
    Ok(format!("content({})", parts.join(", ")))
}

/// What a body holds. One that is not JSON is bytes or text to utoipa unless it has a name.
fn body_type<'a>(
    types: &mut Module<'a>,
    operation: &'a Operation,
    media: &str,
    schema: &'a Schema,
) -> Result<String> {
    if !media.ends_with("json") && schema.reference.is_none() {
        let binary = schema.format.as_deref() == Some("binary");
        return Ok(if binary { "Vec<u8>" } else { "String" }.to_owned());
    }
    let resolved = types.resolve(&names::pascal(&operation.id), schema, None)?;
    let kind = resolved.kind.in_operation(types.name);
    Ok(if resolved.nullable {
        format!("Option<{kind}>")
    } else {
        kind
    })
}

/// The listing of the operations and types of a module.
pub(super) fn listing(operations: &[&Operation], schemas: &[String]) -> String {
    let paths: Vec<_> = operations
        .iter()
        .map(|operation| names::snake(&operation.id))
        .collect();
    format!(
        "/// What utoipa reads off the handlers and types.
#[derive(OpenApi)]
#[openapi(paths({}), components(schemas({})))]
struct Documentation;

/// The operations and types of this module as utoipa reads them off the code.
pub fn openapi() -> utoipa::openapi::OpenApi {{
    <Documentation as OpenApi>::openapi()
}}
",
        paths.join(", "),
        schemas.join(", ")
    )
}
