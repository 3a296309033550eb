//! Changing keys: what was sealed before stays good, on servers that run and on those that start.

use std::{
    fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Backends, Server, User, fail, succeed};

/// Two master keys: 32 bytes in base64.
const OLD: &str = "b2xkLWtleS1vbGQta2V5LW9sZC1rZXktb2xkLWtleS0=";
const NEW: &str = "bmV3LWtleS1uZXcta2V5LW5ldy1rZXktbmV3LWtleS0=";

/// A server with something sealed: the key that its tokens are signed with, and answers.
struct Sealed {
    server: Server,
    ada: User,
    /// What requests were answered, by their idempotency keys.
    answers: Vec<(String, Value)>,
}

impl Sealed {
    async fn start(backends: &str, master_key: &str) -> Self {
        let backends = Backends::named(backends).but("MASTER_KEY", master_key);
        let server = Server::part("serve", backends, &[("EMBEDDINGS", "off")]);
        let mut sealed = Self {
            ada: server.sign_up("ada").await,
            server,
            answers: Vec::new(),
        };
        sealed.seal("first").await;
        sealed
    }

    /// Gets an answer that tells a token, which nothing but the sealed answer could repeat.
    async fn answer(&self, url: &str, key: &str) -> Value {
        let client = self.ada.client.at(url).with("idempotency-key", key);
        let body = json!({ "name": key, "scopes": ["content:read"] });
        let answer = client.post("/v1/api-keys", body).await.expect(201);
        assert!(answer["token"].is_string(), "{answer}");
        answer
    }

    async fn seal(&mut self, key: &str) {
        let answer = self.answer(&self.server.url, key).await;
        self.answers.push((key.to_owned(), answer));
    }

    /// Whatever was sealed is good at a server.
    async fn is_good_at(&self, url: &str) {
        let me = self.ada.client.at(url).get("/v1/users/me").await;
        me.expect(200);
        for (key, answer) in &self.answers {
            assert_eq!(self.answer(url, key).await, *answer);
        }
    }

    async fn is_good(&self) {
        self.is_good_at(&self.server.url).await;
    }

    /// Starts the server again, with other settings.
    fn restart(&mut self, settings: &[(&str, &str)]) {
        self.server.kill();
        for (name, value) in settings {
            self.server.set(name, value);
        }
        self.server.restart();
    }

    fn rotate(&self) -> String {
        succeed(self.server.command(&["keys", "rotate"]))
    }

    /// Why the server does not start.
    fn refusal(&mut self) -> String {
        self.server.kill();
        fail(self.server.command(&["serve"]))
    }

    /// Where the data folder keeps the master key, and where the next one lies for a moment.
    fn files(&self) -> [PathBuf; 2] {
        let keys = self.server.folder().join("keys");
        ["master.key", "master.key.next"].map(|name| keys.join(name))
    }
}

async fn a_master_key_that_is_set_is_changed(backends: &str) {
    let mut sealed = Sealed::start(backends, OLD).await;
    sealed.restart(&[("MASTER_KEY", NEW), ("PREVIOUS_MASTER_KEYS", OLD)]);
    sealed.is_good().await;
    // Where the database serves several.
    let other = (!backends.is_empty()).then(|| sealed.server.beside("api"));

    let said = sealed.rotate();
    assert!(said.contains("previous_master_keys can go"), "{said}");
    assert!(said.contains("data key 2 seals from now on"), "{said}");
    sealed.is_good().await;
    sealed.seal("second").await;
    if let Some(other) = &other {
        sealed.is_good_at(&other.url).await;
    }
    // Whoever starts now seals under the new key, which others then meet.
    if let Some(other) = &other {
        let third = sealed.server.beside("api");
        let answer = sealed.answer(&third.url, "third").await;
        sealed.answers.push(("third".to_owned(), answer));
        sealed.is_good_at(&other.url).await;
        sealed.is_good().await;
    }

    sealed.restart(&[("PREVIOUS_MASTER_KEYS", "")]);
    sealed.is_good().await;
    sealed.server.set("MASTER_KEY", OLD);
    let refusal = sealed.refusal();
    assert!(refusal.contains("set master_key"), "{refusal}");
    assert!(!refusal.contains(OLD), "{refusal}");
}

#[tokio::test]
async fn a_master_key_that_is_set_is_changed_in_the_embedded_database() {
    a_master_key_that_is_set_is_changed("").await;
}

#[tokio::test]
async fn a_master_key_that_is_set_is_changed_in_postgres() {
    a_master_key_that_is_set_is_changed("postgres").await;
}

/// What is not a key is told so by name.
#[tokio::test]
async fn what_is_no_key_is_refused() {
    let mut sealed = Sealed::start("", OLD).await;
    for (name, value) in [
        ("PREVIOUS_MASTER_KEYS", "c2hvcnQ="),
        ("MASTER_KEY", "not base64, and secret"),
    ] {
        sealed.server.set(name, value);
        let refusal = sealed.refusal();
        assert!(refusal.contains(&name.to_lowercase()), "{refusal}");
        assert!(refusal.contains("32 bytes in base64"), "{refusal}");
        assert!(!refusal.contains(value), "{refusal}");
    }
}

async fn a_master_key_that_is_kept_is_changed(backends: &str) {
    let mut sealed = Sealed::start(backends, "").await;
    let [file, next] = sealed.files();
    let old = fs::read_to_string(&file).unwrap();

    let said = sealed.rotate();
    assert!(said.contains("a new master key"), "{said}");
    let new = fs::read_to_string(&file).unwrap();
    assert_ne!(new, old);
    assert!(!next.exists());
    sealed.is_good().await;
    sealed.seal("second").await;
    sealed.restart(&[]);
    sealed.is_good().await;
    sealed.seal("third").await;

    // As a rotation leaves it that is killed right after it made the next key.
    fs::write(&next, NEW).unwrap();
    sealed.restart(&[]);
    sealed.is_good().await;
    sealed.rotate();
    assert_eq!(fs::read_to_string(&file).unwrap(), NEW);
    // As one leaves it that is killed before the next key took the other's place.
    fs::write(&file, &new).unwrap();
    fs::write(&next, NEW).unwrap();
    sealed.restart(&[]);
    sealed.is_good().await;
    sealed.rotate();
    assert_eq!(fs::read_to_string(&file).unwrap(), NEW);
    sealed.restart(&[]);
    sealed.is_good().await;

    fs::write(&file, &old).unwrap();
    let refusal = sealed.refusal();
    assert!(refusal.contains("keys/master.key"), "{refusal}");
    assert!(refusal.contains("put the file back"), "{refusal}");
    assert!(!refusal.contains(old.trim()), "{refusal}");
}

#[tokio::test]
async fn a_master_key_that_is_kept_is_changed_in_the_embedded_database() {
    a_master_key_that_is_kept_is_changed("").await;
}

#[tokio::test]
async fn a_master_key_that_is_kept_is_changed_in_postgres() {
    a_master_key_that_is_kept_is_changed("postgres").await;
}

/// A key that is kept gives way to one that is set, and the other way round.
#[tokio::test]
async fn a_master_key_moves_out_of_the_data_folder_and_back() {
    let mut sealed = Sealed::start("", "").await;
    let [file, _] = sealed.files();
    let kept = fs::read_to_string(&file).unwrap();
    sealed.restart(&[("MASTER_KEY", NEW), ("PREVIOUS_MASTER_KEYS", &kept)]);
    sealed.rotate();
    fs::remove_file(&file).unwrap();
    sealed.restart(&[("PREVIOUS_MASTER_KEYS", "")]);
    sealed.is_good().await;
    sealed.restart(&[("MASTER_KEY", ""), ("PREVIOUS_MASTER_KEYS", NEW)]);
    sealed.rotate();
    sealed.restart(&[("PREVIOUS_MASTER_KEYS", "")]);
    sealed.is_good().await;
}

async fn a_rotation_can_be_killed_at_any_moment(backends: &str) {
    const ROUNDS: u32 = 12;
    let mut sealed = Sealed::start(backends, "").await;
    let began = Instant::now();
    sealed.rotate();
    let all = began.elapsed();
    for round in 0..ROUNDS {
        let mut rotation = sealed.server.command(&["keys", "rotate"]);
        let mut rotation = rotation.stdout(Stdio::null()).spawn().unwrap();
        // What is waited for is a moment, whichever that is.
        std::thread::sleep(all * round / ROUNDS + Duration::from_millis(1));
        rotation.kill().unwrap();
        rotation.wait().unwrap();
        sealed.is_good().await;
        sealed.restart(&[]);
        sealed.is_good().await;
        sealed.seal(&format!("round {round}")).await;
    }
    sealed.rotate();
    sealed.restart(&[]);
    sealed.is_good().await;
}

#[tokio::test]
async fn a_rotation_in_the_embedded_database_can_be_killed_at_any_moment() {
    a_rotation_can_be_killed_at_any_moment("").await;
}

#[tokio::test]
async fn a_rotation_in_postgres_can_be_killed_at_any_moment() {
    a_rotation_can_be_killed_at_any_moment("postgres").await;
}

/// In a folder without a database there is nothing to rotate, and nothing is made.
#[test]
fn a_folder_without_a_database_has_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = crate::support::program();
    command
        .args(["keys", "rotate"])
        .env("ARCHESAI_DATA_DIR", folder.path())
        .current_dir(folder.path());
    let refusal = fail(command);
    assert!(refusal.contains("there is no database"), "{refusal}");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}
