//! Load: the same request over and over, on many connections.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::http::{Answer, Client};

/// How many connections there are. Each has one request under way.
const CONNECTIONS: usize = 64;

/// Sends a request over and over for some time, and answers how many were answered per second.
///
/// One thread goes round the connections: it waits for the answer of each and sends the next
/// request, while the others' are being worked on. This costs two calls of the kernel for each
/// request and hardly anything else, so that the server has the rest of the machine.
pub(super) fn press(client: &Client, path: &str, time: Duration) -> Result<f64> {
    let request = client.head("GET", path, &[]).into_bytes();
    let body = body(client, &request)?;
    let mut streams = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut stream = client.open()?;
        stream.write_all(&request)?;
        streams.push(stream);
    }
    let mut buffer = vec![0; 16 * 1024];
    let mut answered: u32 = 0;
    let began = Instant::now();
    while began.elapsed() < time {
        for stream in &mut streams {
            receive(stream, &mut buffer, &body)?;
            stream.write_all(&request)?;
            answered += 1;
        }
    }
    Ok(f64::from(answered) / began.elapsed().as_secs_f64())
}

/// What the request is answered with each time.
fn body(client: &Client, request: &[u8]) -> Result<Vec<u8>> {
    let mut stream = client.open()?;
    stream.write_all(request)?;
    Answer::read(stream)?.whole()
}

/// Receives an answer. It ends with the body, which is known, and nothing comes after it before
/// the next request is sent.
fn receive(stream: &mut TcpStream, buffer: &mut [u8], body: &[u8]) -> Result<()> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..])?;
        ensure!(read > 0, "the server closed a connection");
        length += read;
        if buffer[..length].ends_with(body) {
            break;
        }
    }
    ensure!(
        buffer.starts_with(b"HTTP/1.1 200 "),
        "a request was refused"
    );
    Ok(())
}
