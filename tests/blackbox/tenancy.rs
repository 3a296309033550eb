//! What belongs to another organization is as good as not there.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    content::indexed,
    contract::operations,
    pipelines::{ended, pipeline, start},
    support::{Answer, Client, Server, User},
};

/// One try: the operation it is of, its method, its path and its body, with
/// `{}` where the id of a thing goes.
struct Try {
    operation: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
}

/// Every operation that names a thing of an organization, in its path or its body.
fn tries(things: &Things) -> Vec<(Try, String)> {
    let mut tries = Vec::new();
    let mut add = |operation, method, path: &str, body: Option<Value>, id: &str| {
        let path = path.to_owned();
        tries.push((
            Try {
                operation,
                method,
                path,
                body,
            },
            id.to_owned(),
        ));
    };
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    let (patch, delete) = (Method::PATCH, Method::DELETE);
    let name = || Some(json!({ "name": "x" }));
    let role = || Some(json!({ "role": "viewer" }));
    let organization = things.organization.as_str();
    add(
        "get_organization",
        get.clone(),
        "/v1/organizations/{}",
        None,
        organization,
    );
    add(
        "update_organization",
        patch.clone(),
        "/v1/organizations/{}",
        name(),
        organization,
    );
    add(
        "delete_organization",
        delete.clone(),
        "/v1/organizations/{}",
        None,
        organization,
    );
    add(
        "get_usage",
        get.clone(),
        "/v1/organizations/{}/usage",
        None,
        organization,
    );
    add(
        "list_members",
        get.clone(),
        "/v1/organizations/{}/members",
        None,
        organization,
    );
    add(
        "list_invitations",
        get.clone(),
        "/v1/organizations/{}/invitations",
        None,
        organization,
    );
    let invitation = Some(json!({ "email": "x@example.com", "role": "viewer" }));
    add(
        "create_invitation",
        post.clone(),
        "/v1/organizations/{}/invitations",
        invitation,
        organization,
    );
    let own = |rest: &str| format!("/v1/organizations/{}/{rest}", things.own_organization);
    add(
        "get_member",
        get.clone(),
        &own("members/{}"),
        None,
        &things.member,
    );
    add(
        "update_member",
        patch.clone(),
        &own("members/{}"),
        role(),
        &things.member,
    );
    add(
        "remove_member",
        delete.clone(),
        &own("members/{}"),
        None,
        &things.member,
    );
    add(
        "revoke_invitation",
        delete.clone(),
        &own("invitations/{}"),
        None,
        &things.invitation,
    );
    let session = |id: &str| Some(json!({ "active_organization_id": id }));
    add(
        "update_session",
        patch.clone(),
        "/v1/auth/session",
        session("{}"),
        organization,
    );
    add(
        "revoke_session",
        delete.clone(),
        "/v1/auth/sessions/{}",
        None,
        &things.session,
    );
    add(
        "delete_api_key",
        delete.clone(),
        "/v1/api-keys/{}",
        None,
        &things.api_key,
    );

    let artifact = things.artifact.as_str();
    add(
        "get_artifact",
        get.clone(),
        "/v1/artifacts/{}",
        None,
        artifact,
    );
    add(
        "get_artifact_content",
        get.clone(),
        "/v1/artifacts/{}/content",
        None,
        artifact,
    );
    add(
        "update_artifact",
        patch.clone(),
        "/v1/artifacts/{}",
        name(),
        artifact,
    );
    add(
        "delete_artifact",
        delete.clone(),
        "/v1/artifacts/{}",
        None,
        artifact,
    );
    add(
        "delete_label",
        delete.clone(),
        "/v1/labels/{}",
        None,
        &things.label,
    );
    let search =
        Some(json!({ "query": "secret", "mode": "keyword", "filter": { "artifact_ids": ["{}"] } }));
    add("search", post.clone(), "/v1/search", search, artifact);

    let pipeline = things.pipeline.as_str();
    add(
        "get_pipeline",
        get.clone(),
        "/v1/pipelines/{}",
        None,
        pipeline,
    );
    let whole = Some(json!({ "name": "x", "definition": things.definition }));
    add("replace_pipeline", put, "/v1/pipelines/{}", whole, pipeline);
    add(
        "update_pipeline",
        patch,
        "/v1/pipelines/{}",
        name(),
        pipeline,
    );
    add(
        "delete_pipeline",
        delete,
        "/v1/pipelines/{}",
        None,
        pipeline,
    );
    add(
        "start_run",
        post.clone(),
        "/v1/pipelines/{}/runs",
        Some(json!({ "input": {} })),
        pipeline,
    );
    add(
        "list_runs",
        get.clone(),
        "/v1/runs?filter[pipeline_id]={}",
        None,
        pipeline,
    );
    let run = things.run.as_str();
    add("get_run", get.clone(), "/v1/runs/{}", None, run);
    add(
        "list_run_steps",
        get.clone(),
        "/v1/runs/{}/steps",
        None,
        run,
    );
    add("list_run_logs", get.clone(), "/v1/runs/{}/logs", None, run);
    add("stream_run_events", get, "/v1/runs/{}/events", None, run);
    add(
        "cancel_run",
        post,
        "/v1/runs/{}/cancel",
        Some(json!({})),
        run,
    );
    tries
}

/// Operations that name nothing of an organization: there is nothing to confuse.
/// The lists among them are checked by
/// [`nothing_of_anothers_shows_in_any_list_search_or_stream`].
const NAMELESS: &[&str] = &[
    "get_health",
    "get_readiness",
    "get_metrics",
    "get_contract",
    "get_docs",
    "register",
    "login",
    "refresh",
    "logout",
    "jwks",
    "list_sessions",
    "get_me",
    "update_me",
    "change_password",
    "list_api_keys",
    "create_api_key",
    "list_organizations",
    "create_organization",
    "accept_invitation",
    "decline_invitation",
    "list_artifacts",
    "create_artifact",
    "list_labels",
    "create_label",
    "list_pipelines",
    "create_pipeline",
    "validate_pipeline",
    "list_tools",
    "get_tool",
];

/// What somebody owns.
struct Things {
    own_organization: String,
    organization: String,
    member: String,
    invitation: String,
    session: String,
    api_key: String,
    artifact: String,
    label: String,
    pipeline: String,
    definition: Value,
    run: String,
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// Makes one of everything.
async fn things(owner: &User, stranger: &User) -> Things {
    let client = &owner.client;
    let place = format!("/v1/organizations/{}", owner.organization);
    let members = client.get(&format!("{place}/members")).await.expect(200);
    let body = json!({ "email": "z@example.com", "role": "viewer" });
    let invitation = client
        .post(&format!("{place}/invitations"), body)
        .await
        .expect(201);
    let body = json!({ "name": "key", "scopes": ["content:read"] });
    let api_key = client.post("/v1/api-keys", body).await.expect(201);
    let body = json!({ "name": "secret.txt", "content": "a secret", "labels": ["hidden"] });
    let artifact = client.post("/v1/artifacts", body).await.expect(201);
    let labels = client.get("/v1/labels").await.expect(200);
    let definition =
        json!({ "steps": [{ "id": "wait", "tool": "time.sleep", "with": { "seconds": 3600 } }] });
    let pipeline = pipeline(client, definition.clone()).await;
    let run = start(client, &pipeline, json!({})).await;
    let last = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    Things {
        own_organization: stranger.organization.clone(),
        organization: owner.organization.clone(),
        member: id(&members["data"][0]),
        invitation: id(&invitation),
        session: id(&owner.tokens["session"]),
        api_key: id(&api_key),
        artifact: id(&artifact),
        label: id(&labels["data"][0]),
        pipeline: last(&pipeline),
        definition,
        run: last(&run),
    }
}

async fn attempt(client: &Client, attempt: &Try, id: &str) -> Answer {
    let mut request = client.request(attempt.method.clone(), &attempt.path.replace("{}", id));
    if let Some(body) = &attempt.body {
        let text = body.to_string().replace("{}", id);
        // An empty object was meant as such.
        let text = if body.to_string().contains("\"{}\"") {
            text
        } else {
            body.to_string()
        };
        request = request
            .header("content-type", "application/json")
            .body(text);
    }
    client.send(request).await
}

/// An answer without what differs between any two: ids of the request and its path.
fn essence(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json();
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
        body.remove("instance");
    }
    (answer.status, body)
}

#[tokio::test]
async fn another_tenants_ids_are_as_good_as_none() {
    let server = Server::start();
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let things = things(&ada, &eve).await;
    for (one, id) in tries(&things) {
        let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
        let foreign = attempt(&eve.client, &one, &id).await;
        let absent = attempt(&eve.client, &one, unknown).await;
        assert_eq!(essence(&foreign), essence(&absent), "{}", one.operation);
        let nothing = foreign.status == 404 || foreign.json()["data"] == json!([]);
        assert!(nothing, "{}: {foreign:?}", one.operation);
    }
    // None of it did anything.
    for (one, id) in tries(&things) {
        let of_eve = one.path.contains(&things.own_organization);
        if one.method == Method::GET && !of_eve && !one.path.contains("events") {
            let found = attempt(&ada.client, &one, &id).await;
            assert_eq!(found.status, 200, "{}", one.operation);
        }
    }
}

/// A word that stands in the name of everything that Ada owns.
const MARK: &str = "zanzibar";

/// Everything that Ada owns, each marked, and the ids of it.
async fn marked(server: &Server) -> (User, Vec<String>) {
    let ada = server.sign_up(&format!("{MARK}-ada")).await;
    let client = &ada.client;
    let place = format!("/v1/organizations/{}", ada.organization);
    let name = || json!({ "name": MARK });
    client.patch(&place, name()).await.expect(200);
    let body = json!({ "email": format!("{MARK}@example.com"), "role": "viewer" });
    let invitation = client.post(&format!("{place}/invitations"), body).await;
    let body = json!({ "name": MARK, "scopes": ["content:read"] });
    let key = client.post("/v1/api-keys", body).await.expect(201);
    let body =
        json!({ "name": MARK, "content": MARK, "labels": [MARK], "metadata": { "a": MARK } });
    let artifact = client.post("/v1/artifacts", body).await.expect(201);
    indexed(client, &artifact).await;
    let definition =
        json!({ "steps": [{ "id": MARK, "tool": "text.split", "with": { "text": MARK } }] });
    let body = json!({ "name": MARK, "definition": definition });
    let pipeline = client.post("/v1/pipelines", body).await.expect(201);
    let run = format!("/v1/pipelines/{}", pipeline["id"].as_str().unwrap());
    let run = start(client, &run, json!({})).await;
    let over = ended(client, &run).await;
    let steps = client.get(&format!("{run}/steps")).await.expect(200);
    let members = client.get(&format!("{place}/members")).await.expect(200);
    let labels = client.get("/v1/labels").await.expect(200);
    let mut ids: Vec<_> = [
        &artifact,
        &pipeline,
        &over,
        &key,
        &members["data"][0],
        &labels["data"][0],
    ]
    .map(id)
    .into();
    ids.push(id(&invitation.expect(201)));
    ids.push(id(&ada.tokens["session"]));
    ids.push(id(&ada.tokens["user"]));
    ids.push(ada.organization.clone());
    ids.push(steps["data"][0]["run_step_id"].as_str().unwrap().to_owned());
    (ada, ids)
}

/// Insists that an answer tells nothing of what is Ada's.
fn tells_nothing(answer: &Answer, ids: &[String], what: &str) {
    let text = String::from_utf8_lossy(&answer.bytes);
    assert!(!text.contains(MARK), "{what}: {text}");
    for id in ids {
        assert!(!text.contains(id.as_str()), "{what}: {text}");
    }
}

#[tokio::test]
async fn nothing_of_anothers_shows_in_any_list_search_or_stream() {
    let server = Server::start();
    let (ada, ids) = marked(&server).await;
    let eve = server.sign_up("eve").await;
    let client = &eve.client;
    let body = json!({ "name": "own.txt", "content": "own words", "labels": ["own"] });
    let own = client.post("/v1/artifacts", body).await.expect(201);
    indexed(client, &own).await;
    let definition =
        json!({ "steps": [{ "id": "a", "tool": "text.split", "with": { "text": "own" } }] });
    let run = start(client, &pipeline(client, definition).await, json!({})).await;
    ended(client, &run).await;
    let run = run.rsplit('/').next().unwrap();

    // Everything that can be read without naming what is another's.
    let mut read = 0;
    for (method, template, operation) in operations(&server).await {
        let of_run = template.starts_with("/v1/runs/{id}");
        let of_organization = template.starts_with("/v1/organizations/{id}");
        let place = if of_run {
            run
        } else {
            eve.organization.as_str()
        };
        let path = template.replace("{id}", place);
        let known = of_run || of_organization || path == template;
        if method != Method::GET || path.contains('{') || !known {
            continue;
        }
        let name = operation["operationId"].as_str().unwrap();
        // Metrics and docs are nobody's; what they tell is tested elsewhere.
        if operation["x-authorization"].is_object() || operation["x-authorization"] == "user" {
            let answer = client.get(&path).await;
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            tells_nothing(&answer, &ids, name);
            read += 1;
        }
    }
    assert!(read > 10, "{read}");
    for mode in ["keyword", "hybrid"] {
        let body = json!({ "query": MARK, "mode": mode });
        let hits = client.post("/v1/search", body).await;
        assert_eq!(hits.expect(200)["data"], json!([]), "{mode}");
    }
    for filter in ["label", "name"] {
        let path = format!("/v1/artifacts?filter[{filter}]={MARK}");
        let found = client.get(&path).await.expect(200);
        assert_eq!(found["data"], json!([]), "{filter}");
    }
    // Names are taken within one organization alone.
    client
        .post("/v1/labels", json!({ "name": MARK }))
        .await
        .expect(201);
    // Where the same is asked for by whom it belongs to, it is there.
    let body = json!({ "query": MARK, "mode": "keyword" });
    let hits = ada.client.post("/v1/search", body).await.expect(200);
    assert_eq!(hits["data"][0]["artifact_name"], MARK);
}

#[tokio::test]
async fn no_error_tells_of_what_is_anothers() {
    let server = Server::start();
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let things = things(&ada, &eve).await;
    for (one, id) in tries(&things) {
        let answer = attempt(&eve.client, &one, &id).await;
        let mut text = String::from_utf8_lossy(&answer.bytes).into_owned();
        // What she asked for she may be told that she asked for.
        text = text.replace(&id, "");
        for told in [
            &things.organization,
            &things.artifact,
            &things.run,
            &ada.email,
        ] {
            assert!(!text.contains(told.as_str()), "{}: {text}", one.operation);
        }
        assert!(!text.contains("secret.txt"), "{}: {text}", one.operation);
    }
}

#[tokio::test]
async fn every_operation_has_a_tenancy_test() {
    let server = Server::start();
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let things = things(&ada, &eve).await;
    let tried: BTreeSet<_> = tries(&things)
        .iter()
        .map(|(one, _)| one.operation)
        .collect();
    let nameless: BTreeSet<_> = NAMELESS.iter().copied().collect();
    let contract = server.guest().get("/openapi.json").await.expect(200);
    let mut all = BTreeSet::new();
    for item in contract["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            all.insert(operation["operationId"].as_str().unwrap());
        }
    }
    let covered: BTreeSet<_> = tried.union(&nameless).copied().collect();
    assert_eq!(covered, all);
    assert!(tried.is_disjoint(&nameless));
}
