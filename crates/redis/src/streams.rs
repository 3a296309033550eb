//! The two streams that nodes tell each other things by.
//!
//! `{<prefix>}:events` has an entry for each published event, in the field `event`, as JSON; an
//! entry without the field says nothing. `{<prefix>}:wakeups` has one for each time that something
//! was woken, with its `name` and the `node` that it was woken from. The braces put both on the
//! same node of a cluster, so that one connection hears of both. Old entries are dropped.

use std::collections::HashMap;

use archesai_platform::events::LoggedEvent;
use deadpool_redis::redis::{Cmd, RedisResult, cmd, pipe};

use crate::{Settings, link::Link};

/// How many published events are kept at least.
const EVENTS: usize = 100_000;

/// How many wake-ups are kept at least: who was away is woken anyway.
const WAKEUPS: usize = 1_000;

/// How many entries are read at once.
const BATCH: usize = 500;

/// The names of the streams.
#[derive(Clone)]
pub(crate) struct Streams {
    events: String,
    wakeups: String,
    node: String,
}

/// Up to where they were read: identities of entries.
#[derive(Clone)]
pub(crate) struct Place {
    event: String,
    wakeup: String,
}

/// What is new.
pub(crate) struct News {
    /// Whether the event that was read last is still there, and so all that came after it.
    pub(crate) is_complete: bool,
    /// Published events; `None` for one that another version of the program wrote.
    pub(crate) events: Vec<Option<LoggedEvent>>,
    /// What was woken on other nodes.
    pub(crate) woken: Vec<String>,
}

type Entries = Vec<(String, HashMap<String, Vec<u8>>)>;

impl Streams {
    /// Those of a system, for a node of it.
    pub(crate) fn new(settings: &Settings) -> Self {
        let prefix = &settings.prefix;
        Self {
            events: format!("{{{prefix}}}:events"),
            wakeups: format!("{{{prefix}}}:wakeups"),
            node: settings.node.to_string(),
        }
    }

    /// Tells of an event.
    pub(crate) fn publish(&self, event: &str) -> Cmd {
        let mut add = add(&self.events, EVENTS);
        add.arg("event").arg(event);
        add
    }

    /// Tells that something was woken.
    pub(crate) fn wake(&self, name: &str) -> Cmd {
        let mut add = add(&self.wakeups, WAKEUPS);
        add.arg("name").arg(name).arg("node").arg(&self.node);
        add
    }

    /// The end of the streams.
    pub(crate) async fn end(&self, link: &mut Link) -> RedisResult<Place> {
        let event = if let Some(id) = last(&self.events, link).await? {
            id
        } else {
            // There must be an entry, to see later whether all after it is there.
            let mut add = add(&self.events, EVENTS);
            add.arg("node").arg(&self.node).query_async(link).await?
        };
        let wakeup = last(&self.wakeups, link).await?;
        Ok(Place {
            event,
            wakeup: wakeup.unwrap_or_else(|| "0-0".to_owned()),
        })
    }

    /// Waits, for so many milliseconds, for what comes after a place, and moves the place.
    pub(crate) async fn read(
        &self,
        link: &mut Link,
        place: &mut Place,
        patience: u64,
    ) -> RedisResult<News> {
        let mut read = pipe();
        // An entry that is there now is still there when reading begins, right after.
        read.cmd("XRANGE").arg(&self.events);
        read.arg(&place.event).arg(&place.event);
        read.cmd("XREAD").arg("COUNT").arg(BATCH);
        read.arg("BLOCK").arg(patience).arg("STREAMS");
        read.arg(&self.events).arg(&self.wakeups);
        read.arg(&place.event).arg(&place.wakeup);
        let (known, found): (Entries, Option<Vec<(String, Entries)>>) =
            read.query_async(link).await?;
        let mut news = News {
            is_complete: !known.is_empty(),
            events: Vec::new(),
            woken: Vec::new(),
        };
        for (stream, entries) in found.unwrap_or_default() {
            for (id, fields) in entries {
                if stream == self.events {
                    let event = fields.get("event");
                    news.events.extend(event.map(|event| understand(event)));
                    place.event = id;
                } else {
                    news.woken.extend(self.woken(&fields));
                    place.wakeup = id;
                }
            }
        }
        Ok(news)
    }

    /// What another node woke.
    fn woken(&self, fields: &HashMap<String, Vec<u8>>) -> Option<String> {
        let is_own = fields.get("node").map(Vec::as_slice) == Some(self.node.as_bytes());
        let name = fields.get("name").filter(|_| !is_own)?;
        String::from_utf8(name.clone()).ok()
    }
}

fn understand(event: &[u8]) -> Option<LoggedEvent> {
    let event = serde_json::from_slice(event);
    if let Err(error) = &event {
        tracing::warn!(%error, "a published event is not understood");
    }
    event.ok()
}

/// Adds an entry, whose fields are to follow.
fn add(stream: &str, keep: usize) -> Cmd {
    let mut add = cmd("XADD");
    add.arg(stream).arg("MAXLEN").arg("~").arg(keep).arg("*");
    add
}

/// The identity of the last entry of a stream.
async fn last(stream: &str, link: &mut Link) -> RedisResult<Option<String>> {
    let mut last = cmd("XREVRANGE");
    last.arg(stream).arg("+").arg("-").arg("COUNT").arg(1);
    let entries: Entries = last.query_async(link).await?;
    Ok(entries.into_iter().next().map(|(id, _)| id))
}
