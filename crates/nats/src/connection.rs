//! The connection, which looks after itself.

use std::{sync::Arc, time::Duration};

use archesai_bus::Wakeups;
use async_nats::{
    Client, Event,
    connection::State,
    jetstream::{self, context::ContextBuilder},
};
use tokio::{sync::watch, task::yield_now, time::timeout};

use crate::{
    Error, NatsEvents, OpenError, Settings,
    stream::{self, EventStream},
    wakeups,
};

/// A connection to NATS. Cheap to clone; clones are the same connection.
#[derive(Clone, Debug)]
pub struct Nats {
    client: Client,
    jetstream: jetstream::Context,
    settings: Arc<Settings>,
    status: watch::Receiver<Status>,
}

/// What became of tries to connect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    /// How many connections were made so far.
    pub(crate) connections: u64,
    /// How many of them were lost.
    pub(crate) losses: u64,
    /// How the last try failed, unless there is a connection.
    failure: Option<String>,
}

impl Nats {
    /// Begins to connect, and goes on to for as long as the process lives. Answers when there is
    /// a connection, or a first try has failed: nobody needs NATS to start.
    ///
    /// # Errors
    ///
    /// If the settings are wrong, whatever the server says.
    pub async fn connect(settings: Settings) -> Result<Self, OpenError> {
        let (servers, options) = settings.options()?;
        let (sender, mut status) = watch::channel(Status::default());
        let options = options.event_callback(move |event| {
            note(&sender, event);
            async {}
        });
        let client = options.connect(servers).await.map_err(OpenError::Client)?;
        // Its own limits are for nobody to meet before ours.
        let jetstream = ContextBuilder::new()
            .timeout(2 * settings.timeout)
            .ack_timeout(2 * settings.timeout)
            .build(client.clone());
        let first = status.wait_for(|status| status.connections > 0 || status.failure.is_some());
        // That it takes longer is told by `check`.
        drop(timeout(settings.timeout, first).await);
        // The client tells of a connection a moment before it says that it has one.
        while status.borrow().connections == 1 && client.connection_state() == State::Pending {
            yield_now().await;
        }
        Ok(Self {
            client,
            jetstream,
            settings: Arc::new(settings),
            status,
        })
    }

    /// Published events.
    pub fn events(&self) -> NatsEvents {
        NatsEvents::new(EventStream::new(self.clone()))
    }

    /// A way to wake whoever waits for work of one kind. Its name is a word of ASCII letters,
    /// digits, `-` and `_`, and the same on every node.
    pub fn wakeups(&self, name: &str) -> Wakeups {
        let name = stream::token(name);
        wakeups::start(self, format!("{}.wakeups.{name}", self.settings.prefix))
    }

    /// Whether the server answers.
    ///
    /// # Errors
    ///
    /// If there is no connection, or nothing comes back within the time of the settings.
    pub async fn check(&self) -> Result<(), Error> {
        self.connected()?;
        // To itself and back; a flush says only that bytes were handed to the system.
        let inbox = self.client.new_inbox();
        let round = async {
            let mut answers = self.client.subscribe(inbox.clone()).await.ok()?;
            self.client.publish(inbox, "".into()).await.ok()?;
            futures_util::StreamExt::next(&mut answers).await
        };
        match timeout(self.timeout(), round).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(self.not_connected()),
            Err(_) => Err(Error::TimedOut(self.timeout())),
        }
    }

    /// # Errors
    ///
    /// If it is known that there is no connection.
    pub(crate) fn connected(&self) -> Result<(), Error> {
        match self.client.connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => Err(self.not_connected()),
        }
    }

    pub(crate) fn not_connected(&self) -> Error {
        Error::NotConnected {
            last: self.status.borrow().failure.clone(),
        }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    /// Changes with every connection that is made or lost.
    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

fn note(status: &watch::Sender<Status>, event: Event) {
    match event {
        Event::Connected => status.send_modify(|status| {
            status.connections += 1;
            status.failure = None;
        }),
        Event::ClientError(error) => {
            status.send_modify(|status| status.failure = Some(error.to_string()));
        }
        Event::Disconnected => {
            tracing::warn!("the connection to NATS is lost");
            status.send_modify(|status| status.losses += 1);
        }
        Event::ServerError(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "NATS complains");
        }
        _ => {}
    }
}
