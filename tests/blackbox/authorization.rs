//! Who may do what: every operation of the contract, asked for by everybody
//! who may and everybody who may not. What the contract says is read from it, so
//! that a new operation falls under this without anybody thinking of it.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    contract::operations,
    support::{Client, Server, User},
};

/// The roles there are, the least first.
const ROLES: [&str; 4] = ["viewer", "member", "admin", "owner"];

/// An id that names nothing.
const NOTHING: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// An organization with somebody in every role.
struct Cast {
    organization: String,
    /// The session of whoever has a role.
    sessions: BTreeMap<&'static str, Client>,
    /// An API key of theirs with every scope.
    keys: BTreeMap<&'static str, Client>,
    /// An API key of the owner's with one scope alone.
    scoped: BTreeMap<String, Client>,
}

/// A key of whoever asks, for the organization they are in.
async fn key(server: &Server, client: &Client, scopes: &[String]) -> Client {
    let body = json!({ "name": "walk", "scopes": scopes });
    let key = client.post("/v1/api-keys", body).await.expect(201);
    server.guest().bearing(key["token"].as_str().unwrap())
}

impl Cast {
    /// Founds an organization, so that what is done to it harms no other test.
    async fn gather(server: &Server, users: &[User], scopes: &[String]) -> Self {
        let guest = server.guest();
        let (owner, others) = users.split_last().unwrap();
        let body = json!({ "name": "walk" });
        let made = owner.client.post("/v1/organizations", body).await;
        let organization = made.expect(201)["id"].as_str().unwrap().to_owned();
        let owner = owner.switch(&guest, &organization).await;
        let mut sessions = BTreeMap::from([("owner", owner.client.clone())]);
        for (role, user) in ROLES.iter().zip(others) {
            let joined = owner.bring_in(&guest, user, role).await;
            sessions.insert(*role, joined.client);
        }
        let mut keys = BTreeMap::new();
        for (role, session) in &sessions {
            keys.insert(*role, key(server, session, scopes).await);
        }
        let mut scoped = BTreeMap::new();
        for scope in scopes {
            let alone = key(server, &owner.client, std::slice::from_ref(scope)).await;
            scoped.insert(scope.clone(), alone);
        }
        Self {
            organization,
            sessions,
            keys,
            scoped,
        }
    }

    /// The same, unless what was asked for did away with it.
    async fn again(self, server: &Server, users: &[User], scopes: &[String]) -> Self {
        let place = format!("/v1/organizations/{}", self.organization);
        if self.sessions["owner"].get(&place).await.status == 200 {
            return self;
        }
        Self::gather(server, users, scopes).await
    }
}

/// One operation, ready to be asked for: in an organization of one's own where it
/// names one, and otherwise about nothing.
struct Step {
    name: String,
    method: Method,
    path: String,
}

impl Step {
    fn new(method: Method, template: &str, operation: &Value, organization: &str) -> Self {
        let of_organization = operation["x-authorization"]["organization"] == "path";
        let mut path = template.to_owned();
        if of_organization {
            path = path.replacen("{id}", organization, 1);
        }
        while let Some((before, rest)) = path.split_once('{') {
            let (_, after) = rest.split_once('}').unwrap();
            path = format!("{before}{NOTHING}{after}");
        }
        Self {
            name: format!("{} ({method} {path})", operation["operationId"]),
            method,
            path,
        }
    }

    fn request(&self, client: &Client) -> RequestBuilder {
        client.request(self.method.clone(), &self.path)
    }

    /// Insists that somebody is kept out, with a status.
    async fn refuses(&self, client: &Client, status: u16, who: &str) {
        let answer = client.send(self.request(client)).await;
        assert_eq!(answer.status, status, "{} by {who}: {answer:?}", self.name);
        answer.problem(status);
    }

    /// Insists that somebody gets past the gate. Their request asks for nothing
    /// in particular, so that most fail for that.
    async fn admits(&self, client: &Client, who: &str) {
        let answer = client.send(self.request(client)).await;
        let kept_out = [401, 403, 429, 500, 503].contains(&answer.status);
        assert!(!kept_out, "{} by {who}: {answer:?}", self.name);
    }
}

/// The scopes that the contract names, in the schema that API keys are made of.
async fn scopes(server: &Server) -> Vec<String> {
    let contract = server.guest().get("/openapi.json").await.expect(200);
    let scopes = contract["components"]["schemas"]["ApiKeyScope"]["enum"].clone();
    serde_json::from_value(scopes).unwrap()
}

fn server() -> Server {
    Server::with(&[
        ("EMBEDDINGS", "off"),
        ("GUEST_REQUESTS_PER_MINUTE", "100000"),
    ])
}

#[tokio::test]
async fn a_member_does_what_their_role_allows_and_a_key_what_its_scope_allows() {
    let server = server();
    let mut users = Vec::new();
    for role in ROLES {
        users.push(server.sign_up(role).await);
    }
    let scopes = scopes(&server).await;
    let mut cast = Cast::gather(&server, &users, &scopes).await;
    let mut walked = 0;
    for (method, path, operation) in operations(&server).await {
        let rule = &operation["x-authorization"];
        let Some(needed) = rule["role"].as_str() else {
            continue;
        };
        let needed = ROLES.iter().position(|role| *role == needed).unwrap();
        let (too_small, enough) = ROLES.split_at(needed);
        let scope = rule["scope"].as_str().unwrap();
        cast = cast.again(&server, &users, &scopes).await;
        let step = Step::new(method, &path, &operation, &cast.organization);
        step.refuses(&server.guest(), 401, "a guest").await;
        for role in too_small {
            step.refuses(&cast.sessions[role], 403, role).await;
            step.refuses(&cast.keys[role], 403, &format!("a key of a {role}"))
                .await;
        }
        for (other, key) in &cast.scoped {
            if other != scope {
                step.refuses(key, 403, &format!("a key for {other}")).await;
            }
        }
        // The greatest last: it can do away with what the others would be asking about.
        for role in enough {
            step.admits(&cast.sessions[role], role).await;
        }
        cast = cast.again(&server, &users, &scopes).await;
        let step = Step::new(step.method, &path, &operation, &cast.organization);
        match cast.scoped.get(scope) {
            Some(key) => step.admits(key, "a key with the scope").await,
            None => step.refuses(&cast.keys["owner"], 403, "a key").await,
        }
        walked += 1;
    }
    assert!(walked > 20, "{walked}");
}

#[tokio::test]
async fn what_takes_a_session_takes_any_session_and_no_key() {
    let server = server();
    let scopes = scopes(&server).await;
    for (index, (method, path, operation)) in operations(&server).await.into_iter().enumerate() {
        let step = Step::new(method, &path, &operation, NOTHING);
        match operation["x-authorization"].as_str() {
            Some("public" | "unlimited") => step.admits(&server.guest(), "a guest").await,
            Some("user") => {
                // Somebody new for each, since some of them end the session.
                let user = server.sign_up(&format!("user{index}")).await;
                let key = key(&server, &user.client, &scopes).await;
                step.refuses(&server.guest(), 401, "a guest").await;
                step.refuses(&key, 403, "a key").await;
                step.admits(&user.client, "a session").await;
            }
            _ => assert!(
                operation["x-authorization"]["role"].is_string(),
                "{}",
                step.name
            ),
        }
    }
}
