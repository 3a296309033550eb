//! Artifacts, labels and search, on real documents.

use std::{fmt::Write as _, time::Duration};

use reqwest::{Method, multipart};
use serde_json::{Value, json};

use crate::support::{Client, Server, eventually, root};

/// A file of `tests/data`.
pub(crate) fn document(name: &str) -> Vec<u8> {
    std::fs::read(root().join("tests/data").join(name)).unwrap()
}

/// Uploads a file of `tests/data` as a form.
pub(crate) async fn upload(client: &Client, name: &str, labels: &str) -> Value {
    let bytes = document(name);
    let file_name = name.rsplit('/').next().unwrap().to_owned();
    let form = multipart::Form::new()
        .part("file", multipart::Part::bytes(bytes).file_name(file_name))
        .text("labels", labels.to_owned());
    let request = client
        .request(Method::POST, "/v1/artifacts")
        .multipart(form);
    client.send(request).await.expect(201)
}

/// Waits until an artifact is in search, or cannot be.
pub(crate) async fn indexed(client: &Client, artifact: &Value) -> Value {
    let path = format!("/v1/artifacts/{}", artifact["id"].as_str().unwrap());
    eventually(Duration::from_mins(1), async || {
        let found = client.get(&path).await.expect(200);
        (found["index_status"] != "pending").then_some(found)
    })
    .await
}

#[tokio::test]
async fn every_kind_of_document_becomes_searchable() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let names = [
        ("fhs-3.0.pdf", "hierarchy standard"),
        ("constitution.docx", "supermajority"),
        ("html/sql-vacuum.html", "reclaims storage"),
        (
            "social-contract.txt",
            "contract with the free software community",
        ),
        ("seattle-weather.csv", "drizzle"),
    ];
    for (name, words) in names {
        let artifact = upload(&ada.client, name, "real,documents").await;
        let found = indexed(&ada.client, &artifact).await;
        assert_eq!(found["index_status"], "indexed", "{found}");
        let filter = json!({ "artifact_ids": [artifact["id"]] });
        let body = json!({ "query": words, "mode": "keyword", "limit": 1, "filter": filter });
        let hits = ada.client.post("/v1/search", body).await.expect(200);
        assert_eq!(
            hits["data"][0]["artifact_id"], artifact["id"],
            "{name}: {hits}"
        );
    }
    let all = ada
        .client
        .get("/v1/artifacts?filter[label]=real&limit=100")
        .await
        .expect(200);
    assert_eq!(all["data"].as_array().unwrap().len(), names.len());
}

#[tokio::test]
async fn bytes_come_back_whole_and_in_part() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let artifact = upload(&ada.client, "fhs-3.0.pdf", "").await;
    let bytes = document("fhs-3.0.pdf");
    let path = format!("/v1/artifacts/{}/content", artifact["id"].as_str().unwrap());
    let whole = ada.client.get(&path).await;
    whole.expect(200);
    assert!(whole.bytes == bytes);
    assert_eq!(whole.header("content-type"), Some("application/pdf"));
    let etag = whole.header("etag").unwrap().to_owned();
    let known = ada.client.with("if-none-match", &etag).get(&path).await;
    assert_eq!((known.status, known.bytes.len()), (304, 0));

    let part = ada.client.with("range", "bytes=100-199").get(&path).await;
    assert_eq!(part.status, 206);
    assert!(part.bytes == bytes[100..200]);
    let range = format!("bytes 100-199/{}", bytes.len());
    assert_eq!(part.header("content-range"), Some(range.as_str()));
    let tail = ada.client.with("range", "bytes=-5").get(&path).await;
    assert!(tail.bytes == bytes[bytes.len() - 5..]);
    ada.client
        .with("range", "bytes=999999999-")
        .get(&path)
        .await
        .problem(416);
}

#[tokio::test]
async fn an_artifact_is_changed_by_version_and_deleted() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let body = json!({ "name": "a.txt", "content": "hello", "metadata": { "team": "legal" } });
    let artifact = ada.client.post("/v1/artifacts", body).await.expect(201);
    indexed(&ada.client, &artifact).await;
    let path = format!("/v1/artifacts/{}", artifact["id"].as_str().unwrap());
    let etag = ada
        .client
        .get(&path)
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    let careful = ada.client.with("if-match", &etag);
    let changed = careful
        .patch(&path, json!({ "labels": ["b", "a"] }))
        .await
        .expect(200);
    assert_eq!(changed["labels"], json!(["a", "b"]));
    careful
        .patch(&path, json!({ "name": "x" }))
        .await
        .problem(412);
    let filter = "/v1/artifacts?filter[metadata]={\"team\":\"legal\"}";
    let found = ada.client.get(filter).await.expect(200);
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    let labels = ada.client.get("/v1/labels").await.expect(200);
    assert_eq!(labels["data"].as_array().unwrap().len(), 2);

    ada.client.delete(&path).await.expect(204);
    ada.client.get(&path).await.problem(404);
    ada.client
        .get(&format!("{path}/content"))
        .await
        .problem(404);
    let body = json!({ "query": "hello", "mode": "keyword" });
    let hits = ada.client.post("/v1/search", body).await.expect(200);
    assert_eq!(hits["data"], json!([]));
}

#[tokio::test]
async fn meaning_is_found_with_the_local_model() {
    let server = Server::with(&[]);
    let ada = server.sign_up("ada").await;
    for (name, content) in [
        ("pets.txt", "A cat sits on a mat."),
        ("finance.txt", "Quarterly revenue grew by ten percent."),
    ] {
        let body = json!({ "name": name, "content": content, "labels": [name] });
        let artifact = ada.client.post("/v1/artifacts", body).await.expect(201);
        indexed(&ada.client, &artifact).await;
    }
    let search = async |body: Value| {
        let hits = ada.client.post("/v1/search", body).await.expect(200);
        hits["data"].clone()
    };
    let hits = search(json!({ "query": "a kitten rests on a rug", "mode": "semantic" })).await;
    assert_eq!(hits.as_array().unwrap().len(), 2);
    assert_eq!(hits[0]["artifact_name"], "pets.txt");
    assert!(hits[0]["score"].as_f64() > hits[1]["score"].as_f64());
    assert_eq!(hits[0]["text"], "A cat sits on a mat.");
    let filter = json!({ "labels": ["finance.txt"] });
    let body = json!({ "query": "a kitten rests on a rug", "filter": filter });
    assert_eq!(search(body).await[0]["artifact_name"], "finance.txt");
}

#[tokio::test]
async fn without_a_model_search_says_so_and_words_work() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let body = json!({ "name": "a.txt", "content": "the quick brown fox" });
    let artifact = ada.client.post("/v1/artifacts", body).await.expect(201);
    indexed(&ada.client, &artifact).await;
    let body = json!({ "query": "fox", "mode": "semantic" });
    let problem = ada.client.post("/v1/search", body).await.problem(409);
    assert!(
        problem["detail"].as_str().unwrap().contains("model"),
        "{problem}"
    );
    let hits = ada
        .client
        .post("/v1/search", json!({ "query": "FOX\" OR *" }))
        .await
        .expect(200);
    assert_eq!(hits["data"][0]["artifact_id"], artifact["id"]);
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let send = async |name: &str, bytes: Vec<u8>| {
        let part = multipart::Part::bytes(bytes).file_name(name.to_owned());
        let form = multipart::Form::new().part("file", part);
        let request = ada
            .client
            .request(Method::POST, "/v1/artifacts")
            .multipart(form);
        let artifact = ada.client.send(request).await.expect(201);
        indexed(&ada.client, &artifact).await
    };
    let mut broken = document("fhs-3.0.pdf");
    broken.truncate(20_000);
    for (name, bytes) in [
        ("broken.pdf", broken),
        ("broken.docx", b"PK\x03\x04nonsense".to_vec()),
    ] {
        let found = send(name, bytes).await;
        assert_eq!(found["index_status"], "failed", "{found}");
        assert!(
            found["index_error"]
                .as_str()
                .is_some_and(|error| !error.is_empty())
        );
    }
    let found = send("picture.bin", vec![0, 159, 146, 150, 0, 1, 2, 3]).await;
    assert_eq!(found["index_status"], "unsupported", "{found}");
}

/// A PDF of a few kilobytes whose objects, as many as `count`, are all the same array of
/// `length` numbers, so that only whoever reads it has that many.
fn multiplying_pdf(count: usize, length: usize) -> Vec<u8> {
    let index = (10..10 + count).fold(String::new(), |index, id| index + &id.to_string() + " 0 ");
    let array = format!("[{}]", "0 ".repeat(length));
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R >>".to_owned(),
        format!(
            "<< /Type /ObjStm /N {count} /First {} /Length {} >>\nstream\n{index}{array}\nendstream",
            index.len(),
            index.len() + array.len(),
        ),
    ];
    let (mut pdf, mut xref) = ("%PDF-1.5\n".to_owned(), "0000000000 65535 f \n".to_owned());
    for (at, object) in objects.iter().enumerate() {
        let (place, id) = (pdf.len(), at + 1);
        writeln!(xref, "{place:010} 00000 n ").unwrap();
        writeln!(pdf, "{id} 0 obj\n{object}\nendobj").unwrap();
    }
    let start = pdf.len();
    let trailer = format!("trailer\n<< /Root 1 0 R /Size 5 >>\nstartxref\n{start}\n%%EOF");
    format!("{pdf}xref\n0 5\n{xref}{trailer}").into_bytes()
}

#[tokio::test]
async fn what_takes_too_much_memory_takes_none_of_the_servers() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let before = server.peak_memory();
    for (pdf, status) in [
        (multiplying_pdf(2, 5_000), "unsupported"),
        (multiplying_pdf(3_000, 5_000), "failed"),
        (document("fhs-3.0.pdf"), "indexed"),
    ] {
        let part = multipart::Part::bytes(pdf).file_name("some.pdf");
        let form = multipart::Form::new().part("file", part);
        let request = ada.client.request(Method::POST, "/v1/artifacts");
        let artifact = ada.client.send(request.multipart(form)).await.expect(201);
        let found = indexed(&ada.client, &artifact).await;
        assert_eq!(found["index_status"], status, "{found}");
        if status == "failed" {
            let error = found["index_error"].as_str().unwrap();
            assert!(error.contains("memory"), "{error}");
        }
    }
    let grown = server.peak_memory() - before;
    assert!(grown < 64 << 20, "{} MiB", grown >> 20);
}

#[tokio::test]
async fn an_oversized_upload_leaves_nothing() {
    let server = Server::with(&[("EMBEDDINGS", "off"), ("MAX_UPLOAD_BYTES", "1KiB")]);
    let ada = server.sign_up("ada").await;
    let part = multipart::Part::bytes(vec![b'x'; 4096]).file_name("big.txt");
    let form = multipart::Form::new().part("file", part);
    let request = ada
        .client
        .request(Method::POST, "/v1/artifacts")
        .multipart(form);
    ada.client.send(request).await.problem(413);
    let all = ada.client.get("/v1/artifacts").await.expect(200);
    assert_eq!(all["data"], json!([]));
}
