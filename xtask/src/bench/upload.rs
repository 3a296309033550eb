//! The memory that a large file takes on its way in and out.

use std::{
    io::Write as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    http::{Answer, Client},
    proc,
    programs::Programs,
    report::{Must, Row},
    served::Server,
    start::mebibytes,
};
use crate::progress::Progress;

const SIZE: u64 = 1 << 30;
const PIECE: usize = 256 * 1024;

/// How long a server is left alone before its memory counts.
const REST: Duration = Duration::from_secs(2);

const BOUNDARY: &str = "archesai-bench-boundary";

/// Measures it.
pub(super) fn measure(programs: &Programs, folder: &Path) -> Result<Vec<Row>> {
    let server = Server::start(programs, folder)?;
    let token = server.sign_up()?;
    // A server that has not hashed a password, for that takes memory which might be used again.
    let server = server.restart()?;
    let client = server.client(&token);
    client.get("/v1/users/me")?;
    thread::sleep(REST);
    let before = proc::resident(server.pid())?;
    proc::forget_peak(server.pid())?;

    let (artifact, up) = upload(&client)?;
    let growth = mebibytes(proc::peak(server.pid())?.saturating_sub(before));
    let up = Row::new("memory over an upload of 1 GiB", growth, "MiB")
        .must(Must::Below(32.0))
        .detail(speed(up));
    let down = download(&client, &artifact)?;
    let growth = mebibytes(proc::peak(server.pid())?.saturating_sub(before));
    let down = Row::new("memory over its download too", growth, "MiB")
        .must(Must::Below(32.0))
        .detail(speed(down));
    Ok(vec![up, down])
}

fn speed(took: Duration) -> String {
    format!("{:.0} MiB/s", 1024.0 / took.as_secs_f64())
}

/// Uploads a file that is made up as it goes; its id, and how long it took.
fn upload(client: &Client) -> Result<(String, Duration)> {
    let progress = Progress::bytes("  uploading 1 GiB", SIZE);
    let before = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"big.bin\"\r\n\
         content-type: application/octet-stream\r\n\r\n"
    );
    let after = format!("\r\n--{BOUNDARY}--\r\n");
    let length = before.len() as u64 + SIZE + after.len() as u64;
    let headers = [
        (
            "content-type",
            format!("multipart/form-data; boundary={BOUNDARY}"),
        ),
        ("content-length", length.to_string()),
    ];
    let began = Instant::now();
    let mut stream = client.open()?;
    stream.write_all(client.head("POST", "/v1/artifacts", &headers).as_bytes())?;
    stream.write_all(before.as_bytes())?;
    let piece: Vec<u8> = (0..=u8::MAX).cycle().take(PIECE).collect();
    let mut left = SIZE;
    while left > 0 {
        stream.write_all(&piece)?;
        progress.advance(PIECE);
        left = left.saturating_sub(PIECE as u64);
    }
    stream.write_all(after.as_bytes())?;
    let answer = Answer::read(stream)?.whole()?;
    let took = began.elapsed();
    progress.end();
    let artifact: Value = serde_json::from_slice(&answer)?;
    let id = artifact["id"].as_str().context("the artifact has no id")?;
    Ok((id.to_owned(), took))
}

/// Downloads it and throws it away; how long it took.
fn download(client: &Client, artifact: &str) -> Result<Duration> {
    let progress = Progress::bytes("  downloading it", SIZE);
    let began = Instant::now();
    let mut stream = client.open()?;
    let path = format!("/v1/artifacts/{artifact}/content");
    stream.write_all(client.head("GET", &path, &[]).as_bytes())?;
    let length = Answer::read(stream)?.drain(|read| progress.advance(read))?;
    let took = began.elapsed();
    progress.end();
    ensure!(length == SIZE, "{length} bytes came back");
    Ok(took)
}
