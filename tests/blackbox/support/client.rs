//! A client of the API.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use reqwest::{
    Method, RequestBuilder,
    header::{HeaderMap, HeaderName},
};
use serde_json::{Value, json};

/// The password of every user of the tests.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Every credential that a server gave to its clients.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<Mutex<BTreeSet<String>>>);

impl Secrets {
    /// All of them.
    pub(crate) fn all(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().clone()
    }

    /// Takes down what an answer gives away.
    fn note(&self, body: &Value) {
        for (name, value) in body.as_object().into_iter().flatten() {
            if let (true, Some(token)) = (name.ends_with("token"), value.as_str()) {
                self.0.lock().unwrap().insert(token.to_owned());
            }
        }
    }
}

/// An HTTP client with or without a credential.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    secrets: Secrets,
    url: String,
    token: Option<String>,
    headers: Vec<(String, String)>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// The body as JSON; `null` where there is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let name: HeaderName = name.parse().unwrap();
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Insists on a status, and answers the body.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        let body = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, status, "{body}");
        self.json()
    }

    /// Insists on a problem with a status, and answers its body.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        let body = self.expect(status);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(body["status"], status);
        for member in ["type", "title", "request_id", "instance"] {
            assert!(body[member].is_string(), "{member} in {body}");
        }
        assert_eq!(body["request_id"].as_str(), self.header("x-request-id"));
        body
    }

    /// Insists on a 422 with a fault at a place, and answers what it says.
    #[track_caller]
    pub(crate) fn fault(&self, pointer: &str) -> String {
        let body = self.problem(422);
        let faults = body["errors"].as_array().cloned().unwrap_or_default();
        let fault = faults.iter().find(|fault| fault["pointer"] == pointer);
        let fault = fault.unwrap_or_else(|| panic!("no fault at {pointer} in {body}"));
        fault["detail"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub(crate) fn new(url: &str, token: Option<String>, secrets: Secrets) -> Self {
        // Nothing here speaks TLS, but the client wants to be able to.
        _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            secrets,
            url: url.to_owned(),
            token,
            headers: Vec::new(),
        }
    }

    /// The same client with a header on every request.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The same client with another credential.
    pub(crate) fn bearing(&self, token: &str) -> Self {
        let mut client = self.clone();
        client.token = Some(token.to_owned());
        client
    }

    /// The same client of a server that moved.
    pub(crate) fn at(&self, url: &str) -> Self {
        let mut client = self.clone();
        url.clone_into(&mut client.url);
        client
    }

    /// The credential it bears.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap()
    }

    /// Sends a request to a server that may not be there.
    pub(crate) async fn try_send(&self, request: RequestBuilder) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let answer = Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            bytes: response.bytes().await?.to_vec(),
        };
        self.secrets.note(&answer.json());
        Ok(answer)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body))
            .await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(&body))
            .await
    }
}

/// Somebody who signed up, with the client of their first session.
pub(crate) struct User {
    pub(crate) client: Client,
    pub(crate) email: String,
    pub(crate) organization: String,
    pub(crate) tokens: Value,
}

impl User {
    /// Signs somebody up, under an address made of their name.
    pub(crate) async fn sign_up(guest: Client, name: &str) -> Self {
        let email = format!("{name}@example.com");
        let body = json!({ "email": email, "name": name, "password": PASSWORD });
        let tokens = guest.post("/v1/auth/register", body).await.expect(201);
        Self::of(&guest, email, tokens)
    }

    /// Signs somebody in again.
    pub(crate) async fn sign_in(&self, guest: &Client) -> Self {
        let body = json!({ "email": self.email, "password": PASSWORD });
        let tokens = guest.post("/v1/auth/login", body).await.expect(200);
        Self::of(guest, self.email.clone(), tokens)
    }

    /// A user with the tokens they were given.
    pub(crate) fn of(guest: &Client, email: String, tokens: Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            client: guest.bearing(&text(&tokens["access_token"])),
            email,
            organization: text(&tokens["session"]["active_organization_id"]),
            tokens,
        }
    }

    /// Switches this user's session to another organization.
    pub(crate) async fn switch(&self, guest: &Client, organization: &str) -> Self {
        let body = json!({ "active_organization_id": organization });
        let tokens = self
            .client
            .patch("/v1/auth/session", body)
            .await
            .expect(200);
        Self::of(guest, self.email.clone(), tokens)
    }

    /// Invites somebody to this user's organization, and lets them accept and switch.
    pub(crate) async fn bring_in(&self, guest: &Client, other: &Self, role: &str) -> Self {
        let path = format!("/v1/organizations/{}/invitations", self.organization);
        let body = json!({ "email": other.email, "role": role });
        let invitation = self.client.post(&path, body).await.expect(201);
        let body = json!({ "token": invitation["token"] });
        other
            .client
            .post("/v1/invitations/accept", body)
            .await
            .expect(200);
        other.switch(guest, &self.organization).await
    }
}
