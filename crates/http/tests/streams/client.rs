//! A client of server-sent events.

use std::{future::poll_fn, pin::Pin};

use actix_web::{
    body::{BoxBody, MessageBody},
    dev::ServiceResponse,
};
use serde_json::Value;

/// An event as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Event {
    /// What it says, in short.
    pub(crate) fn gist(&self) -> String {
        let text = |name: &str| self.data[name].as_str().unwrap_or_default();
        let rest = match self.name.as_str() {
            "run" => text("status").to_owned(),
            "step" => format!("{} {}", text("id"), text("status")),
            "log" => text("message").to_owned(),
            _ => self.data["progress"].to_string(),
        };
        format!("{} {rest}", self.name)
    }
}

/// An answer, read as it comes.
pub(crate) struct Reader {
    pub(crate) status: u16,
    body: BoxBody,
    buffer: String,
}

impl Reader {
    pub(crate) fn new(answer: ServiceResponse<BoxBody>) -> Self {
        Self {
            status: answer.status().as_u16(),
            body: answer.into_body(),
            buffer: String::new(),
        }
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            if block.starts_with("id: ") {
                return Some(parse(&block));
            }
        }
    }

    /// Waits for a comment.
    pub(crate) async fn comment(&mut self) {
        while !self.block().await.unwrap().starts_with(':') {}
    }

    /// All events that are left.
    pub(crate) async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// What stands before the next empty line.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                return Some(block);
            }
            let chunk = poll_fn(|context| Pin::new(&mut self.body).poll_next(context)).await?;
            let chunk = chunk.unwrap();
            self.buffer += std::str::from_utf8(&chunk).unwrap();
        }
    }
}

fn parse(block: &str) -> Event {
    let mut lines = block.lines();
    let mut field = |name: &str| lines.next().unwrap().strip_prefix(name).unwrap().to_owned();
    let event = Event {
        id: field("id: "),
        name: field("event: "),
        data: serde_json::from_str(&field("data: ")).unwrap(),
    };
    assert_eq!(lines.next(), None);
    event
}
