//! Following the stream of events, through everything that may happen to it and to the
//! connection.

use std::{sync::Arc, time::Duration};

use archesai_bus::{BACKLOG, Events, Task};
use async_nats::{
    datetime::DateTime,
    jetstream::{
        Message,
        consumer::{AckPolicy, DeliverPolicy, pull},
    },
};
use futures_util::StreamExt;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::{Error, connection::Status, stream::EventStream, wire};

/// How many messages the server may send ahead.
const BATCH: usize = 1000;

/// How often the server says that it is there when it has nothing to say. After twice as long
/// without a word the reading begins anew.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// For how long the server is asked for messages at a time.
const EXPIRES: Duration = Duration::from_secs(30);

/// How long the server remembers a reader that is gone.
const REMEMBERED: Duration = Duration::from_mins(1);

/// How long to wait before the reading begins anew.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Hands events to every listener of this process.
#[derive(Debug)]
pub(crate) struct Follower {
    events: Events,
    _task: Task,
}

impl Follower {
    pub(crate) fn start(stream: Arc<EventStream>) -> Self {
        let events = Events::default();
        let reader = Reader {
            status: stream.nats().status(),
            stream,
            events: events.clone(),
            place: None,
        };
        Self {
            events,
            _task: Task::spawn(reader.run()),
        }
    }

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }
}

/// What it takes to know which stream it is, and how far one has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place<Created> {
    /// When the stream was made: another of the same name was made at another time.
    created: Created,
    /// The last message that was read.
    last: u64,
}

/// Where to go on in a stream that has the messages from `first` to `last`, and whether all that
/// came after `place` is among what is read then.
fn resume<C: PartialEq>(place: Option<Place<C>>, now: Place<C>, first: u64) -> (Place<C>, bool) {
    match place {
        Some(place)
            if place.created == now.created
                && place.last <= now.last
                && first <= place.last + 1
                // More would not fit between the reader and those who listen.
                && now.last - place.last < BACKLOG as u64 =>
        {
            (place, true)
        }
        _ => (now, false),
    }
}

/// Reads the stream, and hands out what it reads.
struct Reader {
    status: watch::Receiver<Status>,
    stream: Arc<EventStream>,
    events: Events,
    place: Option<Place<DateTime>>,
}

impl Reader {
    async fn run(mut self) {
        let mut is_told = false;
        loop {
            match self.attach().await {
                Ok(messages) => {
                    is_told = false;
                    self.read(messages).await;
                }
                // Once for each outage.
                Err(error) if !is_told => {
                    is_told = true;
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "reading published events");
                }
                Err(_) => {}
            }
            sleep(AFTER_FAILURE).await;
        }
    }

    /// Begins to read where it ended, or at the end, and tells of a gap.
    async fn attach(&mut self) -> Result<pull::Stream, Error> {
        self.status.borrow_and_update();
        let stream = Arc::clone(&self.stream);
        stream.nats().connected()?;
        // It takes four requests.
        let limit = 4 * stream.nats().timeout();
        let open = timeout(limit, self.open(&stream)).await;
        open.map_err(|_| Error::TimedOut(limit))?
    }

    async fn open(&mut self, stream: &EventStream) -> Result<pull::Stream, Error> {
        let stream = stream.ensure().await?;
        let info = stream.cached_info();
        let end = Place {
            created: info.created,
            last: info.state.last_sequence,
        };
        let (place, is_whole) = resume(self.place, end, info.state.first_sequence);
        let consumer = stream.create_consumer(consumer(place.last + 1)).await?;
        let messages = consumer.stream().max_messages_per_batch(BATCH);
        let messages = messages.heartbeat(HEARTBEAT).expires(EXPIRES);
        let messages = messages.messages().await?;
        self.place = Some(place);
        // Whatever is published from now on is read.
        if !is_whole {
            self.events.tell(None);
        }
        Ok(messages)
    }

    /// Reads until something is wrong, or there is another connection, on which nobody asks for
    /// messages yet.
    async fn read(&mut self, mut messages: pull::Stream) {
        for expected in 1.. {
            let message = tokio::select! {
                _ = self.status.changed() => return,
                message = messages.next() => message,
            };
            let Some(Ok(message)) = message else { return };
            if !self.take(&message, expected) {
                return;
            }
        }
    }

    /// Hands out a message. Not one that comes out of turn: some before it are lost on their way, and
    /// must be asked for again.
    fn take(&mut self, message: &Message, expected: u64) -> bool {
        let (Ok(info), Some(place)) = (message.info(), &mut self.place) else {
            return false;
        };
        if info.consumer_sequence != expected {
            return false;
        }
        let is_next = info.stream_sequence == place.last + 1;
        place.last = info.stream_sequence;
        if !is_next {
            // What is between was removed before it could be read.
            self.events.tell(None);
        }
        let headers = message.headers.as_ref();
        let event = headers.and_then(|headers| wire::event(headers, &message.payload));
        self.events.tell(event);
        true
    }
}

/// A reader of the messages from one on, which the server forgets by itself.
fn consumer(start_sequence: u64) -> pull::Config {
    pull::Config {
        description: Some("A node of ArchesAI".to_owned()),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ack_policy: AckPolicy::None,
        inactive_threshold: REMEMBERED,
        num_replicas: 1,
        memory_storage: true,
        ..pull::Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(created: u64, last: u64) -> Place<u64> {
        Place { created, last }
    }

    #[test]
    fn reading_goes_on_only_where_nothing_is_missed() {
        let end = at(1, 10);
        // The first time, nobody knows what was before.
        assert_eq!(resume(None, end, 1), (end, false));
        assert_eq!(resume(Some(at(1, 7)), end, 1), (at(1, 7), true));
        assert_eq!(resume(Some(at(1, 7)), end, 8), (at(1, 7), true));
        assert_eq!(resume(Some(at(1, 10)), end, 11), (end, true));
        // What comes next is gone.
        assert_eq!(resume(Some(at(1, 7)), end, 9), (end, false));
        // Another stream, or one that somebody has put back.
        assert_eq!(resume(Some(at(0, 7)), end, 1), (end, false));
        assert_eq!(resume(Some(at(1, 11)), end, 1), (end, false));
        // More than listeners can be handed.
        let far = at(1, 7 + BACKLOG as u64);
        assert_eq!(resume(Some(at(1, 7)), far, 1), (far, false));
    }
}
