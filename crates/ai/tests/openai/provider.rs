//! A stand-in of a provider: answers requests in turn with what it was told to, and remembers them.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What is answered to one request.
pub(crate) enum Answer {
    /// Bytes, as they go over the wire.
    Bytes(String),
    /// Nothing, and the connection stays open.
    Silence,
    /// A part of what is announced, and the connection is closed.
    Cut,
}

impl Answer {
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self::Bytes(format!(
            "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ))
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, &body.to_string())
    }

    pub(crate) fn header(self, line: &str) -> Self {
        match self {
            Self::Bytes(bytes) => {
                Self::Bytes(bytes.replacen("\r\n", &format!("\r\n{line}\r\n"), 1))
            }
            other => other,
        }
    }
}

/// A request that came.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}

pub(crate) struct Provider {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Provider {
    pub(crate) async fn start(answers: impl IntoIterator<Item = Answer>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<_> = answers.into_iter().collect();
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            let mut silent = Vec::new();
            for answer in answers {
                let Ok((mut stream, _)) = listener.accept().await else {
                    return;
                };
                let Ok(request) = read(&mut stream).await else {
                    return;
                };
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(request);
                match answer {
                    // Who was answered enough goes away, which is no concern here.
                    Answer::Bytes(bytes) => drop(stream.write_all(bytes.as_bytes()).await),
                    Answer::Silence => silent.push(stream),
                    Answer::Cut => {
                        let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
                        drop(stream.write_all(cut.as_bytes()).await);
                    }
                }
            }
            std::future::pending::<()>().await;
        });
        Ok(Self {
            address,
            requests,
            task,
        })
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1/", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Closes the port.
    pub(crate) async fn stop(self) {
        self.task.abort();
        // It was aborted, which is what is waited for.
        drop(self.task.await);
    }
}

async fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            return Ok(Request {
                head: head.to_owned(),
                body,
            });
        }
    }
}
