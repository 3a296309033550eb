//! What every operation of the contract must have, read from the contract itself.

use reqwest::Method;
use serde_json::Value;

use crate::support::Server;

/// Method, path and operation of everything in the contract that a server serves.
pub(crate) async fn operations(server: &Server) -> Vec<(Method, String, Value)> {
    let contract = server.guest().get("/openapi.json").await.expect(200);
    let mut operations = Vec::new();
    for (path, item) in contract["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            operations.push((method, path.clone(), operation.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn the_contract_and_its_docs_are_served() {
    let server = Server::start();
    let contract = server.guest().get("/openapi.json").await.expect(200);
    assert_eq!(contract["openapi"], "3.1.0");
    let docs = server.guest().get("/docs/").await;
    docs.expect(200);
    assert!(String::from_utf8_lossy(&docs.bytes).contains("swagger-ui"));
}

#[tokio::test]
async fn what_is_not_public_takes_a_credential() {
    let server = Server::start();
    let guest = server.guest();
    let operations = operations(&server).await;
    assert!(operations.len() > 20);
    for (method, path, operation) in operations {
        let path = path.replace(['{', '}'], "");
        let answer = guest.send(guest.request(method.clone(), &path)).await;
        let kind = &operation["x-authorization"];
        let public = kind == "public" || kind == "unlimited";
        assert_eq!(
            answer.status != 401,
            public,
            "{method} {path}: {}",
            answer.status
        );
    }
}
