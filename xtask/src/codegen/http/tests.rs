//! What becomes of the contract in `fixtures/`, which has one of everything.

use super::*;

fn fixture() -> Vec<(String, String)> {
    [
        ("openapi.yaml", include_str!("../fixtures/openapi.yaml")),
        (
            "content/paths.yaml",
            include_str!("../fixtures/content/paths.yaml"),
        ),
        (
            "content/schemas.yaml",
            include_str!("../fixtures/content/schemas.yaml"),
        ),
    ]
    .map(|(name, text)| (format!("api-spec/{name}"), text.to_owned()))
    .into()
}

/// The domains, as far as operations refer to them.
fn domains() -> Vec<Domain> {
    let text = "
x-domain: any
x-ids: {OrganizationId: One., UserId: Two.}
x-enums:
  Role: {description: R, values: {viewer: V, member: M}}
  Scope: {description: S, values: {'content:read': R, 'content:write': W}}
";
    vec![Domain::parse(text).unwrap()]
}

fn generated(name: &str) -> String {
    let contract = Contract::parse(&fixture()).unwrap();
    let outputs = outputs(&contract, &domains()).unwrap();
    let path = format!("{FOLDER}/{name}.gen.rs");
    let output = outputs.iter().find(|output| output.path == path).unwrap();
    let file = syn::parse_file(&output.text).unwrap();
    // On one line, so that it does not matter where lines are broken.
    let text = prettyplease::unparse(&file);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_has(text: &str, expected: &[&str]) {
    for expected in expected {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

/// The error after a change of the fixture.
fn error(from: &str, to: &str) -> String {
    let mut files = fixture();
    assert!(files.iter().any(|(_, text)| text.contains(from)), "{from}");
    for (_, text) in &mut files {
        *text = text.replacen(from, to, 1);
    }
    let result = Contract::parse(&files).and_then(|contract| outputs(&contract, &domains()));
    format!("{:#}", result.unwrap_err())
}

#[test]
fn every_operation_becomes_a_constant() {
    let text = generated("operations");
    assert_has(
        &text,
        &[
            "pub const CREATE_ARTIFACT: Operation = Operation { id: \"create_artifact\", method: \"POST\", path: \"/v1/artifacts\",",
            "scope: Some(archesai_auth::Scope::ContentWrite), place: Place::Active, }, };",
            "place: Place::Path,",
            "access: Access::Public,",
            "access: Access::Unlimited,",
            "access: Access::User,",
            "pub const ALL: &[Operation] = &[ HEALTHZ,",
        ],
    );
}

#[test]
fn null_absence_and_presence_are_told_apart() {
    let text = generated("content");
    assert_has(
        &text,
        &[
            "#[schema(required = true)] pub deleted_at: Option<chrono::DateTime<chrono::Utc>>,",
            "#[schema(nullable = false)] pub counts: Option<BTreeMap<String, i64>>,",
            "pub owner: Option<Option<String>>,",
            "pub metadata: serde_json::Map<String, serde_json::Value>,",
        ],
    );
}

#[test]
fn what_the_contract_bounds_is_validated() {
    let text = generated("content");
    assert_has(
        &text,
        &[
            "#[validate(length(min = 1, max = 255))]",
            "#[validate(range(min = 0, max = 9))]",
            "#[validate(range(min = 0.0))]",
            "#[validate(email)]",
            "#[validate(nested)]",
            "#[validate(custom(function = \"check_create_artifact_request_labels\"))]",
            "(1..=50).contains(&value.chars().count())",
            "Regex::new(\"^[^/]+$\")",
        ],
    );
}

#[test]
fn a_secret_is_not_shown() {
    let text = generated("content");
    assert_has(&text, &[".field(\"password\", &format_args!(\"***\"))"]);
}

#[test]
fn handlers_do_the_same_things_in_the_same_order() {
    let text = generated("content");
    assert_has(
        &text,
        &[
            "let call = Call::open(&request, &operations::UPDATE_ARTIFACT).await?; \
             let id = call.path(\"id\")?; \
             let if_match = call.if_match()?; \
             let body: UpdateArtifactRequest = call.body(payload).await?; \
             let answer = api.update_artifact(call.caller(), id, if_match, body).await?; \
             call.answer(StatusCode::OK, &answer)",
            "call.once( body, StatusCode::CREATED, async move |call: &Call, new_id, body| { \
             api.create_artifact(call.caller(), new_id, body).await }, ) .await",
            "Ok(HttpResponse::NoContent().finish())",
            "api.get_artifact_content(call, payload, id).await",
        ],
    );
    let system = generated("system");
    assert_has(
        &system,
        &["Call::open_public(&request, &operations::HEALTHZ)"],
    );
}

#[test]
fn a_fixed_path_comes_before_one_with_a_parameter() {
    let text = generated("content");
    let fixed = text
        .find("web::resource(\"/v1/artifacts/upload\")")
        .unwrap();
    let open = text.find("web::resource(\"/v1/artifacts/{id}\")").unwrap();
    assert!(fixed < open);
}

#[test]
fn what_is_not_known_is_refused_with_its_place() {
    assert_eq!(
        error("{type: boolean, description", "{type: bool, description"),
        "content: components: schemas: Options: properties: dry: type: unknown type `bool`"
    );
    assert_eq!(
        error("format: email", "format: mail"),
        "content: components: schemas: CreateArtifactRequest: properties: owner: \
         format: unknown format `mail` of type `string`"
    );
    assert_eq!(
        error("role: member", "role: boss"),
        "create_artifact: x-authorization: unknown role `boss`"
    );
    assert_eq!(
        error("required: [code]", "required: [cod]"),
        "content: components: schemas: ArtifactError: required: `cod` is not among the properties"
    );
}

#[test]
fn the_bundle_names_its_source_in_the_first_line_and_is_json() {
    let contract = Contract::parse(&fixture()).unwrap();
    let bundle = contract.bundle().unwrap();
    let first = bundle.text.lines().next().unwrap();
    assert!(first.contains("cargo xtask codegen"), "{first}");
    let document: serde_json::Value = serde_json::from_str(&bundle.text).unwrap();
    let healthz = &document["paths"]["/healthz"]["get"];
    assert_eq!(healthz["security"], serde_json::json!([]));
    assert_eq!(document["paths"]["/v1/artifacts"]["post"]["x-etag"], true);
}
