//! Publishing events, and hearing of them.

use std::sync::{Arc, OnceLock};

use archesai_bus::EventSubscription;
use archesai_platform::{
    Result,
    events::{LoggedEvent, Publisher, Subscriber},
};
use async_nats::jetstream::{context::PublishErrorKind, message::PublishMessage};
use tokio::time::timeout;

use crate::{Error, breaker::Breaker, follow::Follower, stream::EventStream, wire};

/// Published events, kept in a stream of `JetStream`. Cheap to clone; clones are the same.
///
/// The stream is called `<prefix>-events`, and the subject of an event is
/// `<prefix>.events.<kind of aggregate>.<what>`: `run.started` is published to
/// `archesai.events.run.started`, and something that happens to a run and is called
/// `step.started` to `archesai.events.run.step.started`. So a consumer, durable or not, can ask
/// for what it needs. A message is a `CloudEvent` in binary mode: its body is the JSON of what
/// happened, and its headers say the rest, among them `ce-id`, by which consumers deduplicate, and
/// `ce-organization`. An event too large for a message comes without its body and with the header
/// `ce-omitted`; the API has it.
#[derive(Clone, Debug)]
pub struct NatsEvents(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    stream: Arc<EventStream>,
    breaker: Breaker,
    /// Begins with the first who listens.
    follower: OnceLock<Follower>,
}

impl NatsEvents {
    pub(crate) fn new(stream: EventStream) -> Self {
        Self(Arc::new(Inner {
            stream: Arc::new(stream),
            breaker: Breaker::default(),
            follower: OnceLock::new(),
        }))
    }
}

impl Inner {
    /// Publishes an event, and waits until the stream has it.
    async fn publish(&self, event: &LoggedEvent) -> Result<(), Error> {
        self.stream.ensure_once().await?;
        match self.put(event).await {
            // Somebody removed the stream.
            Err(error) if is(&error, PublishErrorKind::StreamNotFound) => {
                self.stream.ensure().await?;
                self.put(event).await
            }
            answer => answer,
        }
    }

    async fn put(&self, event: &LoggedEvent) -> Result<(), Error> {
        let body = event.payload.clone();
        match self.send(event, Some(body)).await {
            Err(error) if is(&error, PublishErrorKind::MaxPayloadExceeded) => {
                self.send(event, None).await
            }
            answer => answer,
        }
    }

    async fn send(&self, event: &LoggedEvent, body: Option<String>) -> Result<(), Error> {
        let nats = self.stream.nats();
        let headers = wire::headers(event, &nats.settings().prefix);
        let mut headers = headers.map_err(|error| Error::Stream(Box::new(error)))?;
        if body.is_none() {
            wire::omit_body(&mut headers);
        }
        let message = PublishMessage::build()
            .headers(headers)
            .payload(body.unwrap_or_default().into());
        let subject = self.stream.subject(&event.aggregate_kind, &event.kind);
        let sent = nats.jetstream().send_publish(subject, message).await;
        sent.map_err(Error::Publish)?
            .await
            .map_err(Error::Publish)
            .map(drop)
    }
}

fn is(error: &Error, kind: PublishErrorKind) -> bool {
    matches!(error, Error::Publish(error) if error.kind() == kind)
}

impl Publisher for NatsEvents {
    /// Fails at once while there is no connection, and in time if there is no answer. An event that
    /// was published in vain may have arrived all the same; publishing it again changes nothing.
    async fn publish(&self, event: &LoggedEvent) -> Result<()> {
        let Inner {
            stream, breaker, ..
        } = &*self.0;
        let nats = stream.nats();
        let mut status = nats.status();
        let losses = status.borrow().losses;
        nats.connected()?;
        if breaker.is_open() {
            return Err(Error::Silent.into());
        }
        let published = tokio::select! {
            published = timeout(nats.timeout(), self.0.publish(event)) => published,
            // The answer went with the connection.
            Ok(_) = status.wait_for(|status| status.losses > losses) => {
                return Err(nats.not_connected().into());
            }
        };
        Ok(published.unwrap_or_else(|_| {
            breaker.open();
            Err(Error::TimedOut(nats.timeout()))
        })?)
    }
}

impl Subscriber for NatsEvents {
    type Subscription = EventSubscription;

    /// To be called in a tokio runtime, which the first call begins a task on.
    fn subscribe(&self) -> EventSubscription {
        let start = || Follower::start(Arc::clone(&self.0.stream));
        self.0.follower.get_or_init(start).events().subscribe()
    }
}
