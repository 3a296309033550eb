//! The trait to implement, the handlers that call it, and the routes to the handlers.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    super::{
        contract::{Contract, Operation},
        emit, names,
    },
    document,
    dto::Module,
    kind::Kind,
};

/// What a handler and the method it calls have in common.
pub(super) struct Call<'a> {
    /// The operation.
    pub(super) operation: &'a Operation,
    /// The names and types of the parameters of the path.
    pub(super) path: Vec<(String, Kind)>,
    /// The name of the query's type.
    pub(super) query: Option<String>,
    /// The type of the body.
    body: Option<String>,
    /// The type of the answer.
    answer: String,
    /// The status code of the answer.
    status: u16,
}

/// The text for the operations of a module.
pub(super) fn text<'a>(
    contract: &'a Contract,
    types: &mut Module<'a>,
    operations: &[&'a Operation],
) -> Result<String> {
    if operations.is_empty() {
        return Ok(String::new());
    }
    let mut calls = Vec::new();
    for operation in operations {
        let call = Call::new(types, operation)
            .with_context(|| format!("{} {}", operation.method, operation.path))?;
        calls.push(call);
    }
    let module = types.name;
    let api = format!("{}Api", names::pascal(module));
    let mut text = format!(
        "/// The operations tagged `{module}`, for the server to implement.\npub trait {api}: 'static {{\n"
    );
    for call in &calls {
        _ = writeln!(
            text,
            "{}{};\n",
            document::prose(call.operation),
            call.signature()
        );
    }
    text += "}\n\n";
    for call in &calls {
        text += &document::attribute(contract, types, call)?;
        text += &call.handler(&api)?;
    }
    text += &routes(&api, operations);
    Ok(text)
}

impl<'a> Call<'a> {
    fn new(types: &mut Module<'a>, operation: &'a Operation) -> Result<Self> {
        let mut path = Vec::new();
        for parameter in operation.parameters_in("path") {
            let hint = format!("{}_{}", names::pascal(&operation.id), parameter.name);
            let resolved = types
                .resolve(&hint, &parameter.schema, parameter.description.as_deref())
                .with_context(|| format!("parameters: {}", parameter.name))?;
            path.push((parameter.name.clone(), resolved.kind));
        }
        let query = types.query(operation)?;
        let hint = names::pascal(&operation.id);
        let body = match operation.json_body()? {
            Some(schema) => Some(types.resolve(&hint, schema, None).context("requestBody")?),
            None => None,
        };
        let body = body.map(|body| body.kind.rust(types.name));
        let (status, schema) = operation.success()?;
        let answer = match schema {
            Some(schema) => {
                let resolved = types.resolve(&hint, schema, None).context("responses")?;
                let plain = resolved.kind.rust(types.name);
                if resolved.nullable {
                    format!("Option<{plain}>")
                } else {
                    plain
                }
            }
            None => "()".to_owned(),
        };
        ensure!(
            !operation.etag || operation.raw || schema.is_some(),
            "x-etag: the answer has no body"
        );
        ensure!(
            !operation.idempotent || operation.raw || schema.is_some(),
            "x-idempotent: the answer has no body"
        );
        ensure!(
            operation.raw || (status == 204) == schema.is_none(),
            "responses: 204 has no body, and all others have one"
        );
        let answer = if operation.etag {
            format!("Versioned<{answer}>")
        } else {
            answer
        };
        Ok(Self {
            operation,
            path,
            query,
            body,
            answer,
            status,
        })
    }

    /// The name of the method and of the handler.
    fn name(&self) -> String {
        names::snake(&self.operation.id)
    }

    /// Whether what it makes is given its identity, by which a second try is recognised.
    fn creates(&self) -> bool {
        self.operation.idempotent && !self.operation.raw
    }

    /// The method of the trait.
    fn signature(&self) -> String {
        let mut arguments = vec!["&self".to_owned()];
        if self.operation.raw {
            arguments.push("call: Call".to_owned());
            arguments.push("payload: web::Payload".to_owned());
        } else if self.operation.authorization.is_open() {
            arguments.push("guest: &Guest".to_owned());
        } else {
            arguments.push("caller: &Caller".to_owned());
        }
        if self.creates() {
            arguments.push("new_id: uuid::Uuid".to_owned());
        }
        for (name, kind) in &self.path {
            // Parameters are of the module itself, so that no path is needed.
            arguments.push(format!("{}: {}", names::snake(name), kind.rust("")));
        }
        if let Some(query) = &self.query {
            arguments.push(format!("query: {query}"));
        }
        if !self.operation.raw && self.operation.takes("If-Match") {
            arguments.push("if_match: Option<Vec<u64>>".to_owned());
        }
        if let Some(body) = &self.body {
            arguments.push(format!("body: {body}"));
        }
        let answer = if self.operation.raw {
            "HttpResponse"
        } else {
            &self.answer
        };
        format!(
            "fn {}({}) -> impl Future<Output = Result<{answer}, Problem>>",
            self.name(),
            arguments.join(", ")
        )
    }

    /// The arguments that a handler passes besides the body.
    fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        if self.operation.raw {
            arguments.extend(["call".to_owned(), "payload".to_owned()]);
        } else if self.operation.authorization.is_open() {
            arguments.push("call.guest()".to_owned());
        } else {
            arguments.push("call.caller()".to_owned());
        }
        if self.creates() {
            arguments.push("new_id".to_owned());
        }
        arguments.extend(self.path.iter().map(|(name, _)| names::snake(name)));
        arguments.extend(self.query.iter().map(|_| "query".to_owned()));
        if !self.operation.raw && self.operation.takes("If-Match") {
            arguments.push("if_match".to_owned());
        }
        arguments
    }

    fn handler(&self, api: &str) -> Result<String> {
        let name = self.name();
        let payload = self.operation.raw || self.body.is_some();
        let payload = if payload {
            ", payload: web::Payload"
        } else {
            ""
        };
        let open = if self.operation.authorization.is_open() {
            "open_public"
        } else {
            "open"
        };
        let constant = names::screaming(&self.operation.id);
        let mut text = format!(
            "async fn {name}<A: {api}>(api: web::Data<A>, request: HttpRequest{payload}) -> Result<HttpResponse, Problem> {{
                let call = Call::{open}(&request, &operations::{constant}).await?;\n"
        );
        for (parameter, _) in &self.path {
            let literal = emit::literal(parameter);
            _ = writeln!(
                text,
                "let {} = call.path({literal})?;",
                names::snake(parameter)
            );
        }
        if let Some(query) = &self.query {
            _ = writeln!(text, "let query: {query} = call.query()?;");
        }
        if !self.operation.raw && self.operation.takes("If-Match") {
            text += "let if_match = call.if_match()?;\n";
        }
        if let Some(body) = &self.body {
            _ = writeln!(text, "let body: {body} = call.body(payload).await?;");
        }
        text += &self.ending(&name)?;
        text += "}\n\n";
        Ok(text)
    }

    /// Calls the method and turns its result into an answer.
    fn ending(&self, name: &str) -> Result<String> {
        let mut arguments = self.arguments();
        if self.operation.raw {
            return Ok(format!("api.{name}({}).await\n", arguments.join(", ")));
        }
        let status = status_code(self.status)?;
        arguments.extend(self.body.iter().map(|_| "body".to_owned()));
        let arguments = arguments.join(", ");
        Ok(if self.creates() {
            let body = if self.body.is_some() { "body" } else { "()" };
            format!(
                "call.once({body}, {status}, async move |call: &Call, new_id, {body}| {{
                    api.{name}({arguments}).await
                }}).await\n"
            )
        } else if self.answer == "()" {
            format!("api.{name}({arguments}).await?;\nOk(HttpResponse::NoContent().finish())\n")
        } else {
            format!(
                "let answer = api.{name}({arguments}).await?;\ncall.answer({status}, &answer)\n"
            )
        })
    }
}

/// The constant of a status code.
fn status_code(status: u16) -> Result<&'static str> {
    Ok(match status {
        200 => "StatusCode::OK",
        201 => "StatusCode::CREATED",
        202 => "StatusCode::ACCEPTED",
        204 => "StatusCode::NO_CONTENT",
        _ => bail!("responses: {status} needs `x-raw: true`"),
    })
}

/// The function that adds the routes, one resource per path.
fn routes(api: &str, operations: &[&Operation]) -> String {
    let mut paths: Vec<&str> = Vec::new();
    for operation in operations {
        if !paths.contains(&operation.path.as_str()) {
            paths.push(&operation.path);
        }
    }
    // The first resource that matches takes the request, so `/x/new` comes before `/x/{id}`.
    let key = |path: &str| -> Vec<(bool, String)> {
        path.split('/')
            .map(|segment| (segment.starts_with('{'), segment.to_owned()))
            .collect()
    };
    paths.sort_by_key(|path| key(path));
    let mut text = format!(
        "/// Adds the operations to an app, one resource per path, so that a known path with another
/// method is told from an unknown path.
pub fn routes<A: {api}>(config: &mut web::ServiceConfig) {{\nconfig\n"
    );
    for path in paths {
        _ = write!(text, ".service(web::resource({})", emit::literal(path));
        for operation in operations.iter().filter(|one| one.path == path) {
            _ = write!(
                text,
                ".route(web::{}().to({}::<A>))",
                operation.method.to_ascii_lowercase(),
                names::snake(&operation.id)
            );
        }
        text += ")\n";
    }
    text += ";\n}\n\n";
    text
}
