//! How nodes hear of each other through the database alone: by LISTEN and NOTIFY.
//!
//! One connection of each node listens. What is said reaches whoever listens at that moment and
//! nobody else, so whoever lost the connection is told that they may have missed something.

mod events;
mod wakeups;

use std::{sync::Arc, time::Duration};

use archesai_platform::events::LoggedEvent;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl as _;
use futures_util::StreamExt as _;
use tokio::{
    sync::{Notify, broadcast},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Notification};

use crate::{
    database::Database,
    errand::{Link, write},
    lend::{Lend as _, Pooled},
    session::{Connector, Scope},
    sql::Sql,
    task::Failure,
};

pub use events::{EventNotices, EventSubscription};
pub use wakeups::WakeupNotices;

/// The channel of published events.
const EVENTS: &str = "archesai_events";

/// The channel of wake-ups; what is said is who is to wake up.
const WAKEUPS: &str = "archesai_wakeups";

/// How many events a slow listener may lag behind before it misses some.
const BACKLOG: usize = 4096;

/// How long to wait before connecting again.
const AGAIN: Duration = Duration::from_millis(500);

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// What a listener is told: an event, or that some were missed.
type Heard = Option<Arc<LoggedEvent>>;

/// What this node says to the others and hears of them.
#[derive(Clone)]
pub struct Signals {
    database: Database,
    heard: broadcast::Sender<Heard>,
    /// Who may be woken, by name.
    waiting: Arc<[(&'static str, Arc<Notify>)]>,
    _listening: Arc<Listening>,
}

/// Ends with the last clone.
struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Signals {
    /// Begins to listen, on the tokio runtime this is called in, for events and for wake-ups by
    /// these names.
    pub(crate) fn start(database: Database, connector: Connector, names: &[&'static str]) -> Self {
        let heard = broadcast::Sender::new(BACKLOG);
        let waiting: Arc<[_]> = names.iter().map(|name| (*name, Arc::default())).collect();
        let listener = Listener {
            connector,
            heard: heard.clone(),
            waiting: Arc::clone(&waiting),
        };
        Self {
            database,
            heard,
            waiting,
            _listening: Arc::new(Listening(tokio::spawn(listener.listen_on()))),
        }
    }

    /// Says something on a channel.
    async fn say(&self, channel: &'static str, text: String) -> archesai_platform::Result<()> {
        let say = async |mut link: Link<'_>| {
            let say = Sql::new("SELECT pg_notify($1, $2)").bind::<Text, _>(channel);
            say.bind::<Text, _>(text.clone()).execute(&mut link).await?;
            Ok(())
        };
        Pooled(self.database.clone())
            .run(write(Scope::Nobody), say)
            .await
    }
}

/// Listens, on a connection of its own.
struct Listener {
    connector: Connector,
    heard: broadcast::Sender<Heard>,
    waiting: Arc<[(&'static str, Arc<Notify>)]>,
}

impl Listener {
    async fn listen_on(self) {
        loop {
            if let Err(error) = self.listen().await {
                let error = error.as_ref() as &dyn std::error::Error;
                tracing::warn!(error, "listening to other nodes");
            }
            sleep(AGAIN).await;
        }
    }

    /// Listens until the connection is lost.
    async fn listen(&self) -> Result<(), Failure> {
        let connecting = timeout(PATIENCE, self.connector.connect_raw());
        let (client, mut connection) = connecting.await??;
        let mut messages =
            futures_util::stream::poll_fn(move |context| connection.poll_message(context));
        let both = format!("LISTEN {EVENTS}; LISTEN {WAKEUPS}");
        let mut asking = Box::pin(client.batch_execute(&both));
        let mut is_asking = true;
        loop {
            tokio::select! {
                asked = &mut asking, if is_asking => {
                    asked?;
                    is_asking = false;
                    self.may_have_missed();
                }
                message = messages.next() => match message {
                    Some(Ok(AsyncMessage::Notification(said))) => self.hear(&said),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => return Err("the connection was closed".into()),
                },
            }
        }
    }

    fn hear(&self, said: &Notification) {
        if said.channel() == EVENTS {
            // That nobody listens is no error.
            _ = self.heard.send(events::read(said.payload()));
        } else if let Some((_, waiting)) = self
            .waiting
            .iter()
            .find(|(name, _)| *name == said.payload())
        {
            waiting.notify_one();
        }
    }

    /// Tells everybody to look by themselves.
    fn may_have_missed(&self) {
        _ = self.heard.send(None);
        for (_, waiting) in self.waiting.iter() {
            waiting.notify_one();
        }
    }
}
