//! Bytes on a connection, for what no proper client would send.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A connection to a server.
pub(crate) struct Raw(TcpStream);

/// An answer on a connection.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The head in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Whether the server said that it takes no more on this connection.
    pub(crate) fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close")
    }

    /// Insists on a problem with a status.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{}{body}", self.head);
        let kind = "\r\ncontent-type: application/problem+json";
        assert!(self.head.contains(kind), "{}{body}", self.head);
    }
}

impl Raw {
    /// Connects to the server at a URL; `None` if nobody listens there.
    pub(crate) async fn open(url: &str) -> Option<Self> {
        let address = url.strip_prefix("http://").unwrap();
        TcpStream::connect(address).await.ok().map(Self)
    }

    /// Sends bytes.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.0.write_all(bytes.as_ref()).await
    }

    /// Reads one answer; `None` if the connection ends before it begins.
    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        let reading = tokio::time::timeout(PATIENCE, self.read());
        reading.await.expect("the answer comes")
    }

    /// Reads the head of an answer that has no body, in lower case; `None` if the connection ends
    /// before it begins.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let (head, rest) = self.read_head().await?;
        assert!(rest.is_empty(), "a body came with it");
        Some(head)
    }

    async fn read_head(&mut self) -> Option<(String, Vec<u8>)> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.more(&mut bytes).await == 0 {
                assert!(bytes.is_empty(), "an answer broke off in its head");
                return None;
            }
        };
        let rest = bytes.split_off(end);
        Some((String::from_utf8_lossy(&bytes).to_lowercase(), rest))
    }

    async fn read(&mut self) -> Option<Reply> {
        let (head, mut body) = self.read_head().await?;
        let length = head.split("\r\ncontent-length: ").nth(1);
        let length: usize = length.map_or(0, |rest| {
            rest.split("\r\n").next().unwrap().parse().unwrap()
        });
        while body.len() < length {
            assert!(self.more(&mut body).await > 0, "an answer broke off");
        }
        Some(Reply {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body,
        })
    }

    /// Reads some more; 0 at the end, however it comes.
    async fn more(&mut self, bytes: &mut Vec<u8>) -> usize {
        self.0.read_buf(bytes).await.unwrap_or(0)
    }
}

/// A request with a JSON body, as text.
pub(crate) fn request(line: &str, token: Option<&str>, body: &str) -> String {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    format!(
        "{line} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{}\r\n{body}",
        body.len(),
        token.unwrap_or_default()
    )
}
