//! What belongs to another organization is as good as not there.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    pipelines::{pipeline, start},
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
/// The lists among them are checked by [`lists_show_ones_own_alone`].
const NAMELESS: &[&str] = &[
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
        if one.method == Method::GET && !one.path.contains("events") {
            let found = attempt(&ada.client, &one, &id).await;
            assert_eq!(found.status, 200, "{}", one.operation);
        }
    }
}

#[tokio::test]
async fn lists_show_ones_own_alone() {
    let server = Server::start();
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    things(&ada, &eve).await;
    for path in [
        "/v1/artifacts",
        "/v1/labels",
        "/v1/pipelines",
        "/v1/runs",
        "/v1/api-keys",
    ] {
        let own = ada.client.get(path).await.expect(200);
        assert_ne!(own["data"], json!([]), "{path}");
        let foreign = eve.client.get(path).await.expect(200);
        assert_eq!(foreign["data"], json!([]), "{path}");
    }
    let body = json!({ "query": "secret", "mode": "keyword" });
    let hits = eve.client.post("/v1/search", body).await.expect(200);
    assert_eq!(hits["data"], json!([]));
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
