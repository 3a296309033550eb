//! What the contract's reader accepts and refuses.

use super::*;

const MAIN: &str = "
openapi: 3.1.0
tags:
  - {name: things, description: Things.}
components:
  schemas:
    Thing: {type: object, properties: {id: {type: string}}}
";

const OPERATION: &str = "
paths:
  /v1/things/{id}:
    get:
      operationId: get_thing
      summary: Shows a thing
      tags: [things]
      x-authorization: {role: viewer, scope: 'content:read'}
      parameters:
        - {name: id, in: path, required: true, schema: {type: string, format: uuid}}
      responses:
        '200':
          description: The thing
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
";

fn parse(paths: &str) -> Result<Contract> {
    Contract::parse(&[
        ("api-spec/openapi.yaml".to_owned(), MAIN.to_owned()),
        ("api-spec/things/paths.yaml".to_owned(), paths.to_owned()),
    ])
}

fn error(from: &str, to: &str) -> String {
    assert!(OPERATION.contains(from), "{from}");
    format!("{:#}", parse(&OPERATION.replace(from, to)).unwrap_err())
}

#[test]
fn paths_and_operations_are_read() {
    let contract = parse(OPERATION).unwrap();
    let operation = &contract.operations[0];
    assert_eq!(operation.id, "get_thing");
    assert_eq!(operation.method, "GET");
    assert_eq!(operation.path, "/v1/things/{id}");
    assert_eq!(operation.parameters_in("path").count(), 1);
    let (status, schema) = operation.success().unwrap();
    assert_eq!(
        (status, schema.and_then(Schema::referred)),
        (200, Some("Thing"))
    );
}

#[test]
fn an_operation_says_who_may_call_it() {
    assert_eq!(
        error(
            "      x-authorization: {role: viewer, scope: 'content:read'}\n",
            ""
        ),
        "api-spec/things/paths.yaml: paths: /v1/things/{id}: get: x-authorization is missing: say who may call it"
    );
}

#[test]
fn a_reference_to_nothing_is_refused_with_its_place() {
    assert_eq!(
        error("schemas/Thing", "schemas/Think"),
        "api-spec/things/paths.yaml: paths: /v1/things/{id}: get: responses: 200: content: \
         application/json: schema: `$ref` to `#/components/schemas/Think`, which does not exist"
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let text = error("x-authorization:", "x-autorisation:");
    assert!(
        text.contains("unknown field `x-autorisation`") && text.contains("line 8"),
        "{text}"
    );
}

#[test]
fn an_unknown_kind_of_caller_is_refused() {
    let text = error("{role: viewer, scope: 'content:read'}", "everybody");
    assert!(
        text.contains("expected `unlimited`, `public`, `user`"),
        "{text}"
    );
}

#[test]
fn a_parameter_of_the_path_is_declared() {
    let text = error("{name: id,", "{name: ib,");
    assert!(text.contains("`id` of the path is not declared"), "{text}");
}

#[test]
fn an_operation_id_occurs_once() {
    let second = OPERATION.replace("/v1/things/{id}", "/v1/others/{id}");
    let both = format!("{OPERATION}{}", second.replace("\npaths:\n", ""));
    let text = format!("{:#}", parse(&both).unwrap_err());
    assert!(text.contains("`get_thing` occurs twice"), "{text}");
}

#[test]
fn a_path_belongs_to_one_file() {
    let result = Contract::parse(&[
        ("api-spec/openapi.yaml".to_owned(), MAIN.to_owned()),
        ("api-spec/a/paths.yaml".to_owned(), OPERATION.to_owned()),
        ("api-spec/b/paths.yaml".to_owned(), OPERATION.to_owned()),
    ]);
    let text = format!("{:#}", result.unwrap_err());
    assert!(
        text.contains("`/v1/things/{id}` is in another file already"),
        "{text}"
    );
}

/// What is missing in an operation that is whole but for a change.
fn missing(from: &str, to: &str) -> String {
    let whole = OPERATION.replace(
        "      responses:\n",
        "      responses:
        '401': {description: D}
        '403': {description: D}
        '422': {description: D}
        '429': {description: D}
        '503': {description: D}\n",
    );
    complete::check(&parse(&whole).unwrap()).unwrap();
    assert!(whole.contains(from), "{from}");
    let contract = parse(&whole.replacen(from, to, 1)).unwrap();
    format!("{:#}", complete::check(&contract).unwrap_err())
}

#[test]
fn an_answer_that_can_be_given_is_in_the_contract() {
    for (status, because) in [
        ("401", "takes a credential"),
        ("422", "takes what can be invalid"),
        ("429", "is not unlimited"),
    ] {
        let line = format!("        '{status}': {{description: D}}\n");
        assert_eq!(
            missing(&line, ""),
            format!("get_thing: responses: {status} is missing, and the operation {because}")
        );
    }
    let body = "      requestBody: {content: {application/json: {schema: {type: object}}}}\n";
    let text = missing(
        "      tags: [things]\n",
        &format!("      tags: [things]\n{body}"),
    );
    assert!(text.contains("takes a body"), "{text}");
}

#[test]
fn a_version_is_in_the_contract_with_all_that_goes_with_it() {
    let etag = "      tags: [things]\n      x-etag: true\n";
    let text = missing("      tags: [things]\n", etag);
    assert!(text.ends_with("`If-None-Match` is missing"), "{text}");
    let header = "      parameters:\n        - {name: If-None-Match, in: header}\n";
    let text = missing("      parameters:\n", header);
    assert!(text.contains("304 is missing"), "{text}");
    let text = missing(
        "x-authorization",
        "x-idempotent: true\n      x-authorization",
    );
    assert!(text.contains("409 is missing"), "{text}");
}
