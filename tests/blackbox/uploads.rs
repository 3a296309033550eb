//! Uploads that do not come to their end leave nothing behind.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use crate::support::{Server, User, eventually};

/// How much of a file is sent before something happens: more than is held in memory.
const BEGUN: usize = 5 << 20;

/// How a form begins and ends whose one part is a file.
const PART: &str =
    "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\r\n";
const END: &str = "\r\n--x--\r\n";

/// Uploads a file but for the end of the form.
fn begin(server: &Server, user: &User) -> TcpStream {
    let address = server.url.strip_prefix("http://").unwrap();
    let token = user.tokens["access_token"].as_str().unwrap();
    let length = PART.len() + BEGUN + END.len();
    let head = format!(
        "POST /v1/artifacts HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n{PART}"
    );
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(&vec![b'a'; BEGUN]).unwrap();
    connection
}

/// The status that a request is answered with.
fn status(mut connection: TcpStream) -> u16 {
    let patience = Some(Duration::from_secs(20));
    connection.set_read_timeout(patience).unwrap();
    let mut line = [0; 12];
    connection.read_exact(&mut line).unwrap();
    let status = std::str::from_utf8(&line)
        .unwrap()
        .strip_prefix("HTTP/1.1 ");
    status.unwrap().parse().unwrap()
}

/// The files that hold bytes of artifacts, finished or not.
fn files(server: &Server) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.path() {
                folder if folder.is_dir() => below(&folder, found),
                file => found.push(file),
            }
        }
    }
    let mut found = Vec::new();
    below(&server.folder().join("files"), &mut found);
    found
}

async fn arrived(server: &Server) {
    let some = async || (!files(server).is_empty()).then_some(());
    eventually(Duration::from_secs(20), some).await;
}

async fn gone(server: &Server) {
    let none = async || files(server).is_empty().then_some(());
    eventually(Duration::from_secs(20), none).await;
}

#[tokio::test]
async fn a_client_that_pauses_for_too_long_is_told() {
    let server = Server::with(&[("EMBEDDINGS", "off"), ("IDLE_TIMEOUT", "1s")]);
    let ada = server.sign_up("ada").await;
    assert_eq!(status(begin(&server, &ada)), 408);
    gone(&server).await;
    let all = ada.client.get("/v1/artifacts").await.expect(200);
    assert_eq!(all["data"], json!([]));
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing() {
    let server = Server::embedded();
    let ada = server.sign_up("ada").await;
    let connection = begin(&server, &ada);
    arrived(&server).await;
    connection.shutdown(Shutdown::Both).unwrap();
    gone(&server).await;
    let all = ada.client.get("/v1/artifacts").await.expect(200);
    assert_eq!(all["data"], json!([]));
}

#[tokio::test]
async fn a_server_that_is_killed_clears_up_when_it_starts() {
    let mut server = Server::embedded();
    let ada = server.sign_up("ada").await;
    let stored = json!({ "name": "kept.txt", "content": "kept" });
    ada.client.post("/v1/artifacts", stored).await.expect(201);
    let connection = begin(&server, &ada);
    let both = async || (files(&server).len() == 2).then_some(());
    eventually(Duration::from_secs(20), both).await;
    server.kill();
    drop(connection);
    assert_eq!(files(&server).len(), 2);
    server.restart();
    assert_eq!(files(&server).len(), 1);
    let client = ada.client.at(&server.url);
    let all = client.get("/v1/artifacts").await.expect(200);
    assert_eq!(all["data"][0]["name"], "kept.txt");
}

#[tokio::test]
async fn an_organization_that_is_deleted_takes_its_files_along() {
    let mut server = Server::embedded();
    let ada = server.sign_up("ada").await;
    let team = json!({ "name": "Team" });
    let team = ada.client.post("/v1/organizations", team).await.expect(201);
    let place = format!("/v1/organizations/{}", team["id"].as_str().unwrap());
    let member = ada
        .switch(&server.guest(), team["id"].as_str().unwrap())
        .await;
    for n in 0..5 {
        let body = json!({ "name": format!("{n}.txt"), "content": "text", "labels": ["a"] });
        member.client.post("/v1/artifacts", body).await.expect(201);
    }
    let mut late = begin(&server, &member);
    let all = async || (files(&server).len() == 6).then_some(());
    eventually(Duration::from_secs(20), all).await;

    ada.client.delete(&place).await.expect(204);
    let rest = async || (files(&server).len() == 1).then_some(());
    eventually(Duration::from_secs(20), rest).await;
    late.write_all(END.as_bytes()).unwrap();
    assert_eq!(status(late), 404, "there is no place for it any more");
    gone(&server).await;

    // Killed at once after the deletion was acknowledged, it is done by the next start.
    let team = json!({ "name": "Team" });
    let team = ada.client.post("/v1/organizations", team).await.expect(201);
    let place = format!("/v1/organizations/{}", team["id"].as_str().unwrap());
    let member = ada
        .switch(&server.guest(), team["id"].as_str().unwrap())
        .await;
    let body = json!({ "name": "a.txt", "content": "text" });
    member.client.post("/v1/artifacts", body).await.expect(201);
    assert_eq!(files(&server).len(), 1);
    ada.client.delete(&place).await.expect(204);
    server.kill();
    server.restart();
    gone(&server).await;
}
