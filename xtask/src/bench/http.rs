//! As much of HTTP/1.1 as the bench needs: one request on a connection of its own.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A client of a server, with or without a credential.
pub(super) struct Client {
    address: String,
    token: Option<String>,
}

/// The beginning of an answer, and what its body is read from.
pub(super) struct Answer {
    status: u16,
    /// How long the body is.
    length: u64,
    body: BufReader<TcpStream>,
}

impl Client {
    /// A client of the server at an address.
    pub(super) fn new(address: &str, token: Option<&str>) -> Self {
        Self {
            address: address.to_owned(),
            token: token.map(ToOwned::to_owned),
        }
    }

    /// Gets JSON.
    pub(super) fn get(&self, path: &str) -> Result<Value> {
        self.call("GET", path, None)
    }

    /// Posts JSON, and reads the JSON that is answered.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call("POST", path, Some(body))
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let body = body.map_or_else(String::new, Value::to_string);
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("content-length", body.len().to_string()),
        ];
        let mut stream = self.open()?;
        let request = self.head(method, path, &headers) + &body;
        stream.write_all(request.as_bytes())?;
        let body = Answer::read(stream)?.whole();
        let body = body.with_context(|| format!("{method} {path}"))?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).context("the answer is no JSON")
    }

    /// Opens a connection.
    pub(super) fn open(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(&self.address)
            .with_context(|| format!("connecting to {}", self.address))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// The beginning of a request.
    pub(super) fn head(&self, method: &str, path: &str, headers: &[(&str, String)]) -> String {
        let mut lines = vec![
            format!("{method} {path} HTTP/1.1"),
            format!("host: {}", self.address),
        ];
        if let Some(token) = &self.token {
            lines.push(format!("authorization: Bearer {token}"));
        }
        let headers = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}"));
        lines.extend(headers);
        lines.join("\r\n") + "\r\n\r\n"
    }
}

impl Answer {
    /// Reads the beginning of an answer.
    pub(super) fn read(stream: TcpStream) -> Result<Self> {
        let mut body = BufReader::with_capacity(256 * 1024, stream);
        let mut line = String::new();
        body.read_line(&mut line)?;
        let status = line.split_whitespace().nth(1);
        let status = status.and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("{line:?} is no answer"))?;
        let mut length = 0;
        loop {
            line.clear();
            ensure!(body.read_line(&mut line)? > 0, "the answer breaks off");
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse()?,
                "transfer-encoding" => bail!("the answer comes in chunks"),
                _ => {}
            }
        }
        Ok(Self {
            status,
            length,
            body,
        })
    }

    /// Reads the body; an error unless the answer is a success.
    pub(super) fn whole(mut self) -> Result<Vec<u8>> {
        let mut body = vec![0; usize::try_from(self.length)?];
        self.body.read_exact(&mut body)?;
        let text = String::from_utf8_lossy(&body);
        ensure!((200..300).contains(&self.status), "{}: {text}", self.status);
        Ok(body)
    }

    /// Reads the body piece by piece, each told of; how long it was.
    pub(super) fn drain(mut self, mut told: impl FnMut(usize)) -> Result<u64> {
        ensure!(self.status == 200, "the answer is {}", self.status);
        let mut left = self.length;
        while left > 0 {
            let read = self.body.fill_buf()?.len();
            ensure!(read > 0, "the answer breaks off");
            self.body.consume(read);
            told(read);
            left = left.saturating_sub(read as u64);
        }
        Ok(self.length)
    }
}
