//! An HTTP server by script, on every loopback address of this machine.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// How a request is answered.
pub(crate) enum Answer {
    /// With these bytes, and the connection is closed.
    Bytes(String),
    /// Never.
    Silence,
    /// With a head and the beginning of a body, and then never.
    Stalled,
    /// With a byte now and then, without an end.
    Dripping,
    /// With bytes as fast as they go, without an end.
    Endless,
    /// With chunks as fast as they go, without an end.
    Chunked,
    /// With one header after the other, without an end.
    EndlessHead,
    /// With less than was announced.
    Cut,
}

const OPEN: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const ANNOUNCED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning";

impl Answer {
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::Bytes(format!(
            "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ))
    }

    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        Self::text(status, "elsewhere").header(&format!("Location: {location}"))
    }

    pub(crate) fn unannounced(body: &str) -> Self {
        Self::Bytes(format!("{OPEN}{body}"))
    }

    pub(crate) fn header(self, line: &str) -> Self {
        match self {
            Self::Bytes(bytes) => {
                Self::Bytes(bytes.replacen("\r\n", &format!("\r\n{line}\r\n"), 1))
            }
            other => other,
        }
    }

    async fn send(self, stream: &mut TcpStream) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => stream.write_all(bytes.as_bytes()).await,
            Self::Silence => std::future::pending().await,
            Self::Stalled => {
                stream.write_all(ANNOUNCED.as_bytes()).await?;
                std::future::pending().await
            }
            Self::Cut => stream.write_all(ANNOUNCED.as_bytes()).await,
            Self::Endless => flood(stream, OPEN, "x").await,
            Self::Chunked => flood(stream, CHUNKED, "1\r\nx\r\n").await,
            Self::EndlessHead => flood(stream, "HTTP/1.1 200 OK\r\n", "X-More: x\r\n").await,
            Self::Dripping => {
                stream.write_all(OPEN.as_bytes()).await?;
                loop {
                    stream.write_all(b"x").await?;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }
}

/// Sends a beginning, and then the same for as long as anybody reads it.
async fn flood(stream: &mut TcpStream, begin: &str, more: &str) -> io::Result<()> {
    stream.write_all(begin.as_bytes()).await?;
    let more = more.repeat(1000);
    loop {
        stream.write_all(more.as_bytes()).await?;
    }
}

/// What came.
#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    addresses: Vec<String>,
}

pub(crate) struct Server {
    port: u16,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> io::Result<Self> {
        let listener = TcpListener::bind("0.0.0.0:0").await?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let answers: Vec<_> = answers.into_iter().collect();
        let task = tokio::spawn(serve(listener, answers, Arc::clone(&seen)));
        Ok(Self { port, seen, task })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The requests, as they came over the wire.
    pub(crate) fn requests(&self) -> Vec<String> {
        lock(&self.seen).requests.clone()
    }

    /// The addresses of this machine that were connected to.
    pub(crate) fn addresses(&self) -> Vec<String> {
        lock(&self.seen).addresses.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        lock(&self.seen).addresses.len()
    }

    /// Closes the port.
    pub(crate) async fn stop(self) {
        self.task.abort();
        // It was aborted, which is what is waited for.
        drop(self.task.await);
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, answers: Vec<Answer>, seen: Arc<Mutex<Seen>>) {
    let mut answers = answers.into_iter();
    while let Ok((mut stream, _)) = listener.accept().await {
        let address = stream.local_addr().map(|address| address.ip().to_string());
        lock(&seen).addresses.extend(address);
        let Ok(request) = read(&mut stream).await else {
            continue;
        };
        lock(&seen).requests.push(request);
        if let Some(answer) = answers.next() {
            // A client that has had enough goes away, which is no concern here.
            drop(answer.send(&mut stream).await);
        }
    }
}

/// Reads a request with the body that it announces.
async fn read(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.and_then(|n| n.parse().ok()).unwrap_or(0) {
            return Ok(text.into_owned());
        }
    }
}
