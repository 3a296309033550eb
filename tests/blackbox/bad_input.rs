//! Whatever a client sends, a problem comes back and the server stays up.

use reqwest::Method;
use serde_json::json;

use crate::support::{PASSWORD, Server};

#[tokio::test]
async fn malformed_bodies_are_refused_by_place() {
    let server = Server::start();
    let guest = server.guest();
    let path = "/v1/auth/register";
    let good = json!({ "email": "a@example.com", "name": "A", "password": "long enough" });
    let with = |name: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    guest
        .post(path, with("email", json!(5)))
        .await
        .fault("/email");
    guest
        .post(path, with("email", json!("nobody")))
        .await
        .fault("/email");
    guest
        .post(path, with("password", json!("short")))
        .await
        .fault("/password");
    guest
        .post(path, with("name", json!("   ")))
        .await
        .fault("/name");
    guest
        .post(path, with("colour", json!("red")))
        .await
        .fault("/colour");
    guest
        .post(path, json!({ "email": "a@example.com", "name": "A" }))
        .await
        .fault("/password");
    let long = guest
        .post(path, with("password", json!("p".repeat(2000))))
        .await;
    assert!(!long.fault("/password").contains("pppp"));
}

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let server = Server::start();
    let guest = server.guest();
    let send = async |media_type: &str, body: &str| {
        let request = guest.request(Method::POST, "/v1/auth/login");
        let request = request
            .header("content-type", media_type)
            .body(body.to_owned());
        guest.send(request).await
    };
    send("application/json", "{").await.problem(400);
    send(
        "application/json",
        r#"{"email":"a","email":"b","password":"c"}"#,
    )
    .await
    .problem(400);
    send("application/json", &"[".repeat(100_000))
        .await
        .problem(400);
    send("text/plain", "{}").await.problem(415);
    send("application/json", &format!("\"{}\"", "a".repeat(20 << 20)))
        .await
        .problem(413);
    let zipped = guest.with("content-encoding", "gzip");
    zipped.post("/v1/auth/login", json!({})).await.problem(415);
    guest.get("/healthz").await.expect(200);
}

#[tokio::test]
async fn malformed_ids_cursors_queries_and_headers_are_refused() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let client = &ada.client;
    client
        .get("/v1/organizations/not-an-id")
        .await
        .fault("/path/id");
    client
        .delete("/v1/auth/sessions/12")
        .await
        .fault("/path/id");
    client
        .get("/v1/organizations?cursor=nonsense")
        .await
        .fault("/query/cursor");
    client
        .get("/v1/organizations?limit=0")
        .await
        .fault("/query/limit");
    client
        .get("/v1/organizations?limit=101")
        .await
        .fault("/query/limit");
    client
        .get("/v1/organizations?limit=many")
        .await
        .fault("/query/limit");
    client
        .get("/v1/organizations?sort=colour")
        .await
        .fault("/query/sort");
    client
        .get("/v1/organizations?colour=red")
        .await
        .fault("/query/colour");
    let careless = client.with("if-match", "whatever");
    careless.patch("/v1/users/me", json!({})).await.problem(400);
}

#[tokio::test]
async fn unknown_paths_methods_and_tokens_are_problems_too() {
    let server = Server::start();
    let guest = server.guest();
    guest.get("/nowhere").await.problem(404);
    for (path, allowed) in [
        ("/v1/auth/login", "POST"),
        ("/v1/users/me", "GET, PATCH, HEAD"),
        ("/v1/pipelines", "GET, POST, HEAD"),
        ("/healthz", "GET, HEAD"),
    ] {
        let refused = guest.delete(path).await;
        refused.problem(405);
        assert_eq!(refused.header("allow"), Some(allowed), "{path}");
    }
    guest.get("/v1/users/me").await.problem(401);
    for token in ["", "x", "ark_unknown", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
        guest.bearing(token).get("/v1/users/me").await.problem(401);
    }
    let basic = guest.with("authorization", "Basic YTpi");
    basic.get("/v1/users/me").await.problem(401);
}

#[tokio::test]
async fn request_ids_are_taken_when_harmless_and_made_when_not() {
    let server = Server::start();
    let guest = server.guest();
    let named = guest
        .with("x-request-id", "from-client.1")
        .get("/healthz")
        .await;
    assert_eq!(named.header("x-request-id"), Some("from-client.1"));
    let odd = guest.with("x-request-id", "a b;c");
    let made = odd.get("/nowhere").await;
    assert_eq!(made.header("x-request-id").unwrap().len(), 36);
}

#[tokio::test]
async fn too_many_guesses_must_wait() {
    let server = Server::with(&[("EMBEDDINGS", "off"), ("GUEST_REQUESTS_PER_MINUTE", "3")]);
    let guest = server.guest();
    let body = json!({ "email": "a@example.com", "password": "wrong" });
    for _ in 0..3 {
        guest
            .post("/v1/auth/login", body.clone())
            .await
            .problem(401);
    }
    let refused = guest.post("/v1/auth/login", body).await;
    refused.problem(429);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(
        refused.header("ratelimit-policy"),
        Some("\"guest\";q=3;w=60")
    );
}

#[tokio::test]
async fn too_many_wrong_passwords_stop_an_account_and_nobody_else() {
    let settings = [
        ("EMBEDDINGS", "off"),
        ("FAILED_LOGINS_PER_QUARTER_HOUR", "3"),
    ];
    let server = Server::with(&settings);
    let (ada, eve) = (server.sign_up("ada").await, server.sign_up("eve").await);
    let guest = server.guest();
    let login = async |email: &str, password: &str| {
        let body = json!({ "email": email, "password": password });
        guest.post("/v1/auth/login", body).await
    };
    // Those that are right are not counted.
    for _ in 0..5 {
        login(&ada.email, PASSWORD).await.expect(200);
    }
    // An account that there is not is treated alike.
    let mut refusals = Vec::new();
    for email in [ada.email.as_str(), "nobody@example.com"] {
        let shouted = email.to_uppercase();
        for email in [email, &shouted, email] {
            login(email, "wrong").await.problem(401);
        }
        let refused = login(email, "wrong").await;
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=300).contains(&wait), "{wait}");
        refusals.push(refused.problem(429)["detail"].clone());
    }
    assert_eq!(refusals[0], refusals[1]);
    // Nor is the right one tried now; whoever is signed in already is not concerned.
    login(&ada.email, PASSWORD).await.problem(429);
    ada.client.get("/v1/users/me").await.expect(200);
    login(&eve.email, PASSWORD).await.expect(200);
    // A session is no way around it.
    let body = json!({ "current_password": "wrong", "new_password": "another good one" });
    for _ in 0..3 {
        let answer = eve.client.post("/v1/users/me/password", body.clone()).await;
        answer.problem(422);
    }
    let answer = eve.client.post("/v1/users/me/password", body).await;
    answer.problem(429);
}

#[tokio::test]
async fn wrong_passwords_at_once_are_stopped_too() {
    let server = Server::with(&[("EMBEDDINGS", "off")]);
    let ada = server.sign_up("ada").await;
    let guest = server.guest();
    let tries = (0..60).map(|at| {
        let body = json!({ "email": ada.email, "password": format!("guess {at}") });
        guest.post("/v1/auth/login", body)
    });
    let answers = futures_util::future::join_all(tries).await;
    let tried = answers.iter().filter(|answer| answer.status == 401);
    assert_eq!(tried.count(), 10);
    assert!(
        answers
            .iter()
            .all(|answer| [401, 429].contains(&answer.status))
    );
}

#[tokio::test]
async fn a_stalled_body_is_cut_off() {
    let server = Server::with(&[("EMBEDDINGS", "off"), ("BODY_TIMEOUT", "200ms")]);
    let guest = server.guest();
    let stalled = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let request = guest.request(Method::POST, "/v1/auth/login");
    let request = request
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(stalled));
    let answer = request.send().await;
    // The answer may come while the request is still being sent.
    assert!(answer.is_err() || answer.unwrap().status() == 408);
    guest.get("/healthz").await.expect(200);
}
