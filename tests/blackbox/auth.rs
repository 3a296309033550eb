//! Signing up, signing in, sessions, and who one is.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Server, User};

#[tokio::test]
async fn a_newcomer_signs_up_in_and_out() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let me = ada.client.get("/v1/users/me").await.expect(200);
    assert_eq!(me["email"], "ada@example.com");
    assert_eq!(ada.tokens["token_type"], "Bearer");
    assert_eq!(ada.tokens["expires_in"], 900);

    let again = ada.sign_in(&server.guest()).await;
    assert_eq!(again.organization, ada.organization);
    let sessions = again.client.get("/v1/auth/sessions").await.expect(200);
    assert_eq!(sessions["data"].as_array().unwrap().len(), 2);

    again
        .client
        .post("/v1/auth/logout", json!({}))
        .await
        .expect(204);
    again.client.get("/v1/users/me").await.problem(401);
    ada.client.get("/v1/users/me").await.expect(200);
}

#[tokio::test]
async fn an_address_is_taken_once_whatever_its_case() {
    let server = Server::start();
    server.sign_up("ada").await;
    let body = json!({ "email": "ADA@Example.com", "name": "Eve", "password": "long enough" });
    server
        .guest()
        .post("/v1/auth/register", body)
        .await
        .problem(409);
}

#[tokio::test]
async fn of_many_sign_ups_at_once_one_wins() {
    let server = Server::start();
    let guest = server.guest();
    let body = json!({ "email": "a@example.com", "name": "A", "password": "long enough" });
    let tries = (0..8).map(|_| guest.post("/v1/auth/register", body.clone()));
    let answers = futures_util::future::join_all(tries).await;
    let won = answers.iter().filter(|answer| answer.status == 201).count();
    let lost = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!((won, lost), (1, 7));
}

#[tokio::test]
async fn wrong_credentials_tell_nothing() {
    let server = Server::start();
    server.sign_up("ada").await;
    let login = async |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        let problem = server
            .guest()
            .post("/v1/auth/login", body)
            .await
            .problem(401);
        problem["detail"].clone()
    };
    let wrong = login("ada@example.com", "wrong password").await;
    assert_eq!(wrong, login("nobody@example.com", "wrong password").await);
    assert_eq!(wrong, login("no address", "wrong password").await);
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_copy_ends_the_session() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let guest = server.guest();
    let refresh = async |token: &Value| {
        let body = json!({ "refresh_token": token });
        guest.post("/v1/auth/refresh", body).await
    };
    let first = &ada.tokens["refresh_token"];
    let second = refresh(first).await.expect(200);
    let client = guest.bearing(second["access_token"].as_str().unwrap());
    client.get("/v1/users/me").await.expect(200);

    refresh(first).await.problem(401);
    client.get("/v1/users/me").await.problem(401);
    refresh(&second["refresh_token"]).await.problem(401);
}

#[tokio::test]
async fn a_revoked_session_is_refused_at_once() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let other = ada.sign_in(&server.guest()).await;
    let id = other.tokens["session"]["id"].as_str().unwrap();
    other.client.get("/v1/users/me").await.expect(200);
    ada.client
        .delete(&format!("/v1/auth/sessions/{id}"))
        .await
        .expect(204);
    other.client.get("/v1/users/me").await.problem(401);
    ada.client
        .delete(&format!("/v1/auth/sessions/{id}"))
        .await
        .problem(404);

    let eve = server.sign_up("eve").await;
    let id = ada.tokens["session"]["id"].as_str().unwrap();
    eve.client
        .delete(&format!("/v1/auth/sessions/{id}"))
        .await
        .problem(404);
    ada.client.get("/v1/users/me").await.expect(200);
}

#[tokio::test]
async fn a_profile_is_changed_by_version() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let read = ada.client.get("/v1/users/me").await;
    let etag = read.header("etag").unwrap().to_owned();
    let known = ada
        .client
        .with("if-none-match", &etag)
        .get("/v1/users/me")
        .await;
    assert_eq!((known.status, known.bytes.len()), (304, 0));

    let careful = ada.client.with("if-match", &etag);
    let body = json!({ "name": "Ada Lovelace" });
    let changed = careful.patch("/v1/users/me", body.clone()).await;
    assert_eq!(changed.expect(200)["name"], "Ada Lovelace");
    assert_ne!(changed.header("etag"), Some(etag.as_str()));
    careful.patch("/v1/users/me", body).await.problem(412);
    let me = ada.client.get("/v1/users/me").await.expect(200);
    assert_eq!(me["name"], "Ada Lovelace");
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let other = ada.sign_in(&server.guest()).await;
    let change =
        |current: &str| json!({ "current_password": current, "new_password": "another one" });
    let path = "/v1/users/me/password";
    ada.client
        .post(path, change("wrong"))
        .await
        .fault("/current_password");
    ada.client
        .post(path, change("correct horse battery staple"))
        .await
        .expect(204);
    other.client.get("/v1/users/me").await.problem(401);
    ada.client.get("/v1/users/me").await.expect(200);
    let body = json!({ "email": ada.email, "password": "another one" });
    server
        .guest()
        .post("/v1/auth/login", body)
        .await
        .expect(200);
}

#[tokio::test]
async fn an_api_key_does_what_its_scopes_say() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let body = json!({ "name": "ci", "scopes": ["organizations:read"] });
    let key = ada.client.post("/v1/api-keys", body).await.expect(201);
    let token = key["token"].as_str().unwrap();
    assert!(token.starts_with(key["prefix"].as_str().unwrap()));
    let program = server.guest().bearing(token);
    let place = format!("/v1/organizations/{}", ada.organization);
    program.get(&place).await.expect(200);
    program
        .patch(&place, json!({ "name": "x" }))
        .await
        .problem(403);
    program.get("/v1/api-keys").await.problem(403);

    let listed = ada.client.get("/v1/api-keys").await.expect(200);
    assert!(listed["data"][0].get("token").is_none());
    let id = key["id"].as_str().unwrap();
    ada.client
        .delete(&format!("/v1/api-keys/{id}"))
        .await
        .expect(204);
    program.get(&place).await.problem(401);
}

#[tokio::test]
async fn an_idempotent_sign_up_answers_the_same_again() {
    let server = Server::start();
    let client = server.guest().with("idempotency-key", "one");
    let body = json!({ "email": "a@example.com", "name": "A", "password": "long enough" });
    let first = client.post("/v1/auth/register", body.clone()).await;
    let second = client.post("/v1/auth/register", body).await;
    assert_eq!(first.expect(201), second.expect(201));
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    let other = json!({ "email": "b@example.com", "name": "B", "password": "long enough" });
    client
        .post("/v1/auth/register", other)
        .await
        .fault("/header/idempotency-key");
}

#[tokio::test]
async fn access_tokens_can_be_checked_with_the_published_keys() {
    let server = Server::start();
    let ada: User = server.sign_up("ada").await;
    let keys = server
        .guest()
        .get("/.well-known/jwks.json")
        .await
        .expect(200);
    assert_eq!(keys["keys"][0]["crv"], "Ed25519");
    let token = ada.tokens["access_token"].as_str().unwrap();
    assert_eq!(token.split('.').count(), 3);
}

/// Hashing takes turns: many who sign in at once neither fill the memory nor hold up the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_sign_in_at_once_are_in_nobodys_way() {
    const MIB: u64 = 1024 * 1024;
    let server = Server::with(&[("EMBEDDINGS", "off"), ("PARALLEL_PASSWORD_HASHES", "2")]);
    let ada = server.sign_up("ada").await;
    // Whether or not there is such a user, the work is the same.
    let guest = server.guest();
    let logins = (0..100).map(async |at| {
        if at % 2 == 0 {
            ada.sign_in(&guest).await;
        } else {
            let email = format!("nobody-{at}@example.com");
            let wrong = json!({ "email": email, "password": "long enough" });
            let answer = guest.post("/v1/auth/login", wrong).await;
            answer.problem(401);
        }
    });
    let before = server.peak_memory();
    let started = Instant::now();
    let done = AtomicBool::new(false);
    let logins = async {
        futures_util::future::join_all(logins).await;
        done.store(true, Ordering::Relaxed);
        started.elapsed()
    };
    let others = async {
        let (mut slowest, mut answered) = (Duration::ZERO, 0);
        while !done.load(Ordering::Relaxed) {
            let asked = Instant::now();
            ada.client.get("/v1/users/me").await.expect(200);
            slowest = slowest.max(asked.elapsed());
            answered += 1;
        }
        (slowest, answered)
    };
    let (all, (slowest, answered)) = tokio::join!(logins, others);
    assert!(answered > 10, "{answered} requests in {all:?}");
    assert!(slowest < all / 3, "{slowest:?} of {all:?}");
    let grown = server.peak_memory() - before;
    assert!(grown < 150 * MIB, "{} MiB", grown / MIB);
}
