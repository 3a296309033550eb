//! Whatever creates is carried out once per `Idempotency-Key`, whatever becomes of the process,
//! the connection and the answer.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::{join_all, select_all};
use reqwest::{Method, RequestBuilder, multipart};
use serde_json::{Value, json};

use crate::{
    contract::operations,
    pipelines::pipeline,
    support::{Answer, Client, Server, User, eventually},
};

/// How long a server that was started again may take to forget the answers it kept.
const SOON: Duration = Duration::from_secs(20);

/// Keeps no answer for long: a restart forgets them all.
const FORGETFUL: &[(&str, &str)] = &[
    ("EMBEDDINGS", "off"),
    ("IDEMPOTENCY_TTL", "1ms"),
    ("GUEST_REQUESTS_PER_MINUTE", "100000"),
];

/// A request that creates something.
struct Creation {
    operation: &'static str,
    path: String,
    body: Value,
    /// Another body that is as good.
    other: Value,
    /// Where what it creates is listed; nowhere for users, of whom there is one per address.
    list: Option<String>,
}

/// Whether the answer holds a token that is shown once.
fn tells_a_secret(creation: &Creation) -> bool {
    ["create_api_key", "create_invitation"].contains(&creation.operation)
}

fn creations(user: &User, pipeline: &str) -> Vec<Creation> {
    let mut creations = Vec::new();
    let mut add = |operation, path: &str, body, other, list: Option<&str>| {
        creations.push(Creation {
            operation,
            path: path.to_owned(),
            body,
            other,
            list: list.map(str::to_owned),
        });
    };
    let newcomer = |name: &str| {
        let email = format!("{name}@example.com");
        json!({ "email": email, "name": name, "password": "long enough" })
    };
    add(
        "register",
        "/v1/auth/register",
        newcomer("new"),
        newcomer("newer"),
        None,
    );
    let named = |name: &str| json!({ "name": name });
    let invite = |email: &str| json!({ "email": email, "role": "viewer" });
    let key = |name: &str| json!({ "name": name, "scopes": ["content:read"] });
    let text = |name: &str| json!({ "name": name, "content": name, "labels": ["l"] });
    let definition = json!({ "inputs": { "n": { "type": "integer", "default": 0 } }, "steps": [] });
    let written = |name: &str| json!({ "name": name, "definition": definition });
    let run = |n: u8| json!({ "input": { "n": n } });
    let invitations = format!("/v1/organizations/{}/invitations", user.organization);
    for (operation, path, body, other) in [
        (
            "create_organization",
            "/v1/organizations",
            named("a"),
            named("b"),
        ),
        (
            "create_invitation",
            &invitations,
            invite("a@x.com"),
            invite("b@x.com"),
        ),
        ("create_api_key", "/v1/api-keys", key("a"), key("b")),
        ("create_artifact", "/v1/artifacts", text("a"), text("b")),
        ("create_label", "/v1/labels", named("a"), named("b")),
        (
            "create_pipeline",
            "/v1/pipelines",
            written("a"),
            written("b"),
        ),
    ] {
        add(operation, path, body, other, Some(path));
    }
    let runs = format!("{pipeline}/runs");
    add("start_run", &runs, run(1), run(2), Some("/v1/runs"));
    creations
}

fn id(answer: &Answer) -> Value {
    let body = answer.json();
    let thing = body.get("user").unwrap_or(&body);
    assert!(thing["id"].is_string(), "{body}");
    thing["id"].clone()
}

/// How many things there are in a list.
async fn count(client: &Client, list: Option<&str>) -> usize {
    let Some(list) = list else { return 0 };
    let page = client.get(&format!("{list}?limit=100")).await;
    let page = if page.status == 422 {
        client.get(list).await
    } else {
        page
    };
    page.expect(200)["data"].as_array().unwrap().len()
}

async fn ada(server: &Server) -> (User, Vec<Creation>) {
    let ada = server.sign_up("ada").await;
    let pipeline = pipeline(
        &ada.client,
        json!({ "inputs": { "n": { "type": "integer", "default": 0 } }, "steps": [] }),
    )
    .await;
    let creations = creations(&ada, &pipeline);
    (ada, creations)
}

#[tokio::test]
async fn every_operation_that_creates_is_tried() {
    let server = Server::start();
    let (_, creations) = ada(&server).await;
    let tried: BTreeSet<_> = creations
        .iter()
        .map(|creation| creation.operation.to_owned())
        .collect();
    let all: BTreeSet<_> = operations(&server)
        .await
        .into_iter()
        .filter(|(_, _, operation)| operation["x-idempotent"] == true)
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(tried, all);
}

#[tokio::test]
async fn of_twenty_requests_with_one_key_one_is_carried_out() {
    let server = Server::start();
    let (ada, creations) = ada(&server).await;
    for creation in creations {
        let name = creation.operation;
        let list = creation.list.as_deref();
        let before = count(&ada.client, list).await;
        let client = ada.client.with("idempotency-key", "one");
        let post = || client.post(&creation.path, creation.body.clone());
        let mut made = BTreeSet::new();
        for answer in join_all((0..20).map(|_| post())).await {
            if answer.status == 409 {
                assert_eq!(
                    answer.header("retry-after"),
                    Some("1"),
                    "{name}: {answer:?}"
                );
            } else {
                assert!([201, 202].contains(&answer.status), "{name}: {answer:?}");
                made.insert(answer.json().to_string());
            }
        }
        assert_eq!(made.len(), 1, "{name}: {made:?}");
        let again = post().await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{name}");
        assert_eq!(again.json().to_string(), *made.first().unwrap(), "{name}");
        let added = usize::from(list.is_some());
        assert_eq!(count(&ada.client, list).await, before + added, "{name}");
        client
            .post(&creation.path, creation.other.clone())
            .await
            .fault("/header/idempotency-key");
        // Another key is another request.
        let client = ada.client.with("idempotency-key", "two");
        let other = client.post(&creation.path, creation.other).await;
        assert_ne!(id(&other), id(&again), "{name}");
    }
}

#[tokio::test]
async fn a_repeat_meets_what_was_made_though_its_answer_is_lost() {
    let mut server = Server::with(FORGETFUL);
    let (ada, creations) = ada(&server).await;
    let client = ada.client.with("idempotency-key", "one");
    let mut made = Vec::new();
    for creation in &creations {
        let answer = client.post(&creation.path, creation.body.clone()).await;
        assert!([201, 202].contains(&answer.status), "{answer:?}");
        let list = creation.list.as_deref();
        made.push((id(&answer), count(&ada.client, list).await));
    }
    server.kill();
    server.restart();
    let client = client.at(&server.url);
    for (creation, (first, before)) in creations.iter().zip(made) {
        let name = creation.operation;
        let again = eventually(SOON, async || {
            let again = client.post(&creation.path, creation.body.clone()).await;
            (again.header("idempotency-replayed").is_none()).then_some(again)
        })
        .await;
        if tells_a_secret(creation) {
            let detail = again.problem(409)["detail"].clone();
            let detail = detail.as_str().unwrap();
            assert!(detail.contains(first.as_str().unwrap()), "{name}: {detail}");
        } else {
            assert!([201, 202].contains(&again.status), "{name}: {again:?}");
            assert_eq!(id(&again), first, "{name}");
        }
        let list = creation.list.as_deref();
        assert_eq!(count(&client, list).await, before, "{name}");
    }
    // What a repeat answers works: the tokens of whoever signed up, for one.
    let again = client.post(&creations[0].path, creations[0].body.clone());
    let tokens = again.await.json();
    let new = User::of(&server.guest(), String::new(), tokens);
    new.client.get("/v1/users/me").await.expect(200);
}

#[tokio::test]
async fn a_key_alone_signs_nobody_in() {
    let mut server = Server::with(FORGETFUL);
    let client = server.guest().with("idempotency-key", "one");
    let body =
        |password: &str| json!({ "email": "a@example.com", "name": "A", "password": password });
    let path = "/v1/auth/register";
    let first = client.post(path, body("long enough")).await;
    let tokens = first.expect(201);
    server.kill();
    server.restart();
    let client = client.at(&server.url);
    eventually(SOON, async || {
        let guess = client.post(path, body("long enough?")).await;
        (guess.status == 409).then_some(())
    })
    .await;
    // Nor does the password of then.
    let session = server
        .guest()
        .bearing(tokens["access_token"].as_str().unwrap());
    let change = json!({ "current_password": "long enough", "new_password": "longer than that" });
    session
        .post("/v1/users/me/password", change)
        .await
        .expect(204);
    client.post(path, body("long enough")).await.problem(409);
}

#[tokio::test]
async fn a_request_that_failed_leaves_its_key_free() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    ada.client
        .post("/v1/labels", json!({ "name": "taken" }))
        .await
        .expect(201);
    let client = ada.client.with("idempotency-key", "one");
    for _ in 0..2 {
        let refused = client.post("/v1/labels", json!({ "name": "taken" })).await;
        refused.problem(409);
    }
    let made = client.post("/v1/labels", json!({ "name": "free" })).await;
    made.expect(201);
    assert_eq!(made.header("idempotency-replayed"), None);
}

#[tokio::test]
async fn keys_belong_to_whoever_uses_them() {
    let server = Server::start();
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let create = async |user: &User| {
        let client = user.client.with("idempotency-key", "one");
        client.post("/v1/labels", json!({ "name": "x" })).await
    };
    let (first, second) = (create(&ada).await, create(&eve).await);
    first.expect(201);
    second.expect(201);
    assert_ne!(id(&first), id(&second));
    assert_eq!(second.header("idempotency-replayed"), None);
}

/// A file as a form, under a key.
fn form(client: &Client, key: &str, bytes: &str) -> RequestBuilder {
    let part = multipart::Part::bytes(bytes.as_bytes().to_vec()).file_name("a.txt");
    let form = multipart::Form::new().part("file", part);
    client
        .request(Method::POST, "/v1/artifacts")
        .header("idempotency-key", key)
        .multipart(form)
}

#[tokio::test]
async fn a_file_is_stored_once_as_well() {
    let mut server = Server::with(FORGETFUL);
    let ada = server.sign_up("ada").await;
    let first = ada.client.send(form(&ada.client, "one", "bytes")).await;
    let artifact = first.expect(201);
    server.kill();
    server.restart();
    let client = ada.client.at(&server.url);
    let again = eventually(SOON, async || {
        let again = client.send(form(&client, "one", "bytes")).await;
        (again.header("idempotency-replayed").is_none()).then_some(again)
    })
    .await;
    assert_eq!(again.expect(201)["id"], artifact["id"]);
    assert_eq!(count(&client, Some("/v1/artifacts")).await, 1);
    let path = format!("/v1/artifacts/{}/content", artifact["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.bytes, b"bytes");
    client.send(form(&client, "two", "bytes")).await.expect(201);
    assert_eq!(count(&client, Some("/v1/artifacts")).await, 2);
}

#[tokio::test]
async fn a_process_that_is_killed_at_any_moment_does_nothing_twice() {
    let mut server = Server::with(FORGETFUL);
    let (ada, creations) = ada(&server).await;
    let creations: Vec<_> = creations
        .into_iter()
        .filter(|creation| creation.list.is_some() && !tells_a_secret(creation))
        .filter(|creation| creation.operation != "create_label")
        .collect();
    let mut client = ada.client.clone();
    for creation in &creations {
        let list = creation.list.as_deref();
        let before = count(&client, list).await;
        let request = |client: &Client, at: usize| {
            let request = client.request(Method::POST, &creation.path);
            let request = request.header("idempotency-key", at.to_string());
            request.json(&creation.body)
        };
        // The first answer is the signal; the others are cut wherever they are.
        let sent = (0..12).map(|at| Box::pin(client.try_send(request(&client, at))));
        let (_, _, others) = select_all(sent).await;
        server.kill();
        drop(others);
        server.restart();
        client = client.at(&server.url);
        let mut made = BTreeSet::new();
        for at in 0..12 {
            let answer = eventually(SOON, async || {
                let answer = client.send(request(&client, at)).await;
                (answer.status != 409).then_some(answer)
            })
            .await;
            assert!([201, 202].contains(&answer.status), "{answer:?}");
            made.insert(id(&answer).to_string());
        }
        assert_eq!(made.len(), 12, "{}", creation.operation);
        let after = count(&client, list).await;
        assert_eq!(after, before + 12, "{}", creation.operation);
    }
}
