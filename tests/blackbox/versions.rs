//! `ETag`, `If-None-Match` and `If-Match` (RFC 9110, section 13): every operation of the contract
//! that has them is walked.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    content::indexed,
    contract::operations,
    pipelines::pipeline,
    support::{Answer, Client, Server, User},
};

/// A thing with versions: where it is, what changes it, and with which operations.
struct Thing {
    reads: &'static str,
    path: String,
    changes: Vec<(&'static str, Method, Value)>,
}

/// The operations that create, whose answers carry an `ETag` as well.
const CREATE: [&str; 2] = ["create_organization", "create_pipeline"];

async fn things(ada: &User, other_member: &str) -> Vec<Thing> {
    let place = format!("/v1/organizations/{}", ada.organization);
    let body = json!({ "name": "a.txt", "content": "hello" });
    let artifact = ada.client.post("/v1/artifacts", body).await.expect(201);
    indexed(&ada.client, &artifact).await;
    let definition = json!({ "steps": [] });
    let named = || json!({ "name": "another" });
    let thing = |reads, path: String, update, body| Thing {
        reads,
        path,
        changes: vec![(update, Method::PATCH, body)],
    };
    let mut things = vec![
        thing("get_me", "/v1/users/me".to_owned(), "update_me", named()),
        thing(
            "get_organization",
            place.clone(),
            "update_organization",
            named(),
        ),
        thing(
            "get_member",
            format!("{place}/members/{other_member}"),
            "update_member",
            json!({ "role": "member" }),
        ),
        thing(
            "get_artifact",
            format!("/v1/artifacts/{}", artifact["id"].as_str().unwrap()),
            "update_artifact",
            named(),
        ),
        thing(
            "get_pipeline",
            pipeline(&ada.client, definition.clone()).await,
            "update_pipeline",
            named(),
        ),
    ];
    let whole = json!({ "name": "whole", "definition": definition });
    let pipeline = things.last_mut().unwrap();
    let replace = ("replace_pipeline", Method::PUT, whole);
    pipeline.changes.push(replace);
    things
}

fn etag(answer: &Answer) -> String {
    answer.header("etag").unwrap().to_owned()
}

async fn change(client: &Client, thing: &Thing, at: usize, if_match: &str) -> Answer {
    let (_, method, body) = &thing.changes[at];
    let request = client.request(method.clone(), &thing.path);
    let request = request.header("if-match", if_match).json(body);
    client.send(request).await
}

async fn member(server: &Server, ada: &User) -> (User, String) {
    let bob = server.sign_up("bob").await;
    let bob = ada.bring_in(&server.guest(), &bob, "viewer").await;
    let members = format!("/v1/organizations/{}/members", ada.organization);
    let members = ada.client.get(&members).await.expect(200);
    let members = members["data"].as_array().unwrap();
    let found = members.iter().find(|member| member["email"] == bob.email);
    let id = found.unwrap()["id"].as_str().unwrap().to_owned();
    (bob, id)
}

#[tokio::test]
async fn every_operation_with_an_etag_is_walked() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let (_, member) = member(&server, &ada).await;
    let mut walked: BTreeSet<_> = CREATE.into_iter().collect();
    for thing in things(&ada, &member).await {
        walked.insert(thing.reads);
        let read = ada.client.get(&thing.path).await;
        read.expect(200);
        let first = etag(&read);
        let get = async |if_none_match: &str| {
            let client = ada.client.with("if-none-match", if_none_match);
            client.get(&thing.path).await
        };
        for known in [
            first.clone(),
            format!("W/{first}"),
            format!("\"other\" , {first}"),
            "*".to_owned(),
        ] {
            let answer = get(&known).await;
            let place = format!("{}: {known}", thing.reads);
            assert_eq!((answer.status, answer.bytes.len()), (304, 0), "{place}");
            assert_eq!(etag(&answer), first, "{place}");
        }
        get("\"other\"").await.expect(200);
        get("other").await.problem(400);

        let mut newest = first.clone();
        for (at, (operation, ..)) in thing.changes.iter().enumerate() {
            walked.insert(operation);
            for stale in ["\"999999\"", "\"other\"", &format!("W/{newest}")] {
                let refused = change(&ada.client, &thing, at, stale).await;
                assert_eq!(refused.status, 412, "{operation}: {stale}");
                refused.problem(412);
            }
            let malformed = change(&ada.client, &thing, at, "whatever").await;
            malformed.problem(400);
            // Nothing has changed yet.
            assert_eq!(get(&newest).await.status, 304, "{operation}");
            let list = format!("\"999999\", {newest}");
            let changed = change(&ada.client, &thing, at, &list).await;
            let body = changed.expect(200);
            let read = get(&newest).await;
            assert_eq!(read.expect(200), body, "{operation}");
            assert_eq!(etag(&read), etag(&changed), "{operation}");
            assert_ne!(etag(&read), newest, "{operation}");
            let lost = change(&ada.client, &thing, at, &newest).await;
            lost.problem(412);
            newest = etag(&changed);
        }
        change(&ada.client, &thing, 0, "*").await.expect(200);
    }
    let all = operations(&server).await;
    let all: BTreeSet<_> = all
        .iter()
        .filter(|(_, _, operation)| operation["x-etag"] == true)
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(walked, all);
}

#[tokio::test]
async fn what_is_created_carries_the_etag_it_is_read_with() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let definition = json!({ "name": "p", "definition": { "steps": [] } });
    for (list, body) in [
        ("/v1/organizations", json!({ "name": "team" })),
        ("/v1/pipelines", definition),
    ] {
        let made = ada.client.post(list, body).await;
        let path = format!("{list}/{}", made.expect(201)["id"].as_str().unwrap());
        let read = ada.client.get(&path).await;
        assert_eq!(read.expect(200), made.json());
        assert_eq!(etag(&read), etag(&made));
    }
}

#[tokio::test]
async fn the_etag_of_an_organization_is_that_of_what_one_sees() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let (bob, id) = member(&server, &ada).await;
    let place = format!("/v1/organizations/{}", ada.organization);
    let first = bob.client.get(&place).await;
    assert_ne!(etag(&first), etag(&ada.client.get(&place).await));
    let role = json!({ "role": "admin" });
    let path = format!("{place}/members/{id}");
    ada.client.patch(&path, role).await.expect(200);
    let client = bob.client.with("if-none-match", &etag(&first));
    assert_eq!(client.get(&place).await.expect(200)["role"], "admin");
    let careful = bob.client.with("if-match", &etag(&first));
    let renamed = careful.patch(&place, json!({ "name": "team" })).await;
    renamed.problem(412);
}

#[tokio::test]
async fn the_etag_of_a_member_is_that_of_name_and_role() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let (bob, id) = member(&server, &ada).await;
    let path = format!("/v1/organizations/{}/members/{id}", ada.organization);
    let first = ada.client.get(&path).await;
    let renamed = bob.client.patch("/v1/users/me", json!({ "name": "Bob!" }));
    renamed.await.expect(200);
    let client = ada.client.with("if-none-match", &etag(&first));
    let second = client.get(&path).await;
    assert_eq!(second.expect(200)["name"], "Bob!");
    let role = || json!({ "role": "admin" });
    let stale = ada.client.with("if-match", &etag(&first));
    stale.patch(&path, role()).await.problem(412);
    let careful = ada.client.with("if-match", &etag(&second));
    let promoted = careful.patch(&path, role()).await;
    assert_eq!(promoted.expect(200)["role"], "admin");
    careful.patch(&path, role()).await.problem(412);
}

#[tokio::test]
async fn a_thing_that_is_not_there_matches_nothing() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let client = ada.client.with("if-match", "\"1\"");
    let path = "/v1/pipelines/01890a5d-ac96-774b-bcce-b302099a8057";
    client
        .patch(path, json!({ "name": "x" }))
        .await
        .problem(404);
}

#[tokio::test]
async fn what_has_changed_is_not_deleted() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let (_, member) = member(&server, &ada).await;
    let delete = async |path: &str, if_match: &str| {
        let client = ada.client.with("if-match", if_match);
        client.delete(path).await
    };
    let mut walked = BTreeSet::new();
    for thing in things(&ada, &member).await {
        let operation = match thing.reads {
            "get_artifact" => "delete_artifact",
            "get_pipeline" => "delete_pipeline",
            _ => continue,
        };
        walked.insert(operation);
        let first = etag(&ada.client.get(&thing.path).await);
        change(&ada.client, &thing, 0, &first).await.expect(200);
        delete(&thing.path, &first).await.problem(412);
        delete(&thing.path, "other").await.problem(400);
        let newest = etag(&ada.client.get(&thing.path).await);
        delete(&thing.path, &newest).await.expect(204);
        ada.client.get(&thing.path).await.problem(404);
    }
    let all = operations(&server).await;
    let all: BTreeSet<_> = all
        .iter()
        .filter(|(method, _, operation)| {
            let parameters = operation["parameters"].to_string();
            *method == Method::DELETE && parameters.contains("IfMatch")
        })
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(walked, all);
}
