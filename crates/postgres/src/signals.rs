//! How nodes hear of each other through the database alone: by LISTEN and NOTIFY.
//!
//! One connection of each node listens. What is said reaches whoever listens at that moment and
//! nobody else, so whoever lost the connection is told that they may have missed something.

mod events;
mod wakeups;

use std::{sync::Arc, time::Duration};

use archesai_bus::{Events, Notes, Task};
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl as _;
use futures_util::StreamExt as _;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Notification};

use crate::{
    database::Database,
    errand::{Link, write},
    lend::{Lend as _, Pooled},
    session::{Connector, Scope},
    sql::Sql,
    task::Failure,
};

pub use events::EventNotices;

/// The channel of published events.
const EVENTS: &str = "archesai_events";

/// The channel of wake-ups; what is said is who is to wake up.
const WAKEUPS: &str = "archesai_wakeups";

/// How long to wait before connecting again.
const AGAIN: Duration = Duration::from_millis(500);

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// What this node says to the others and hears of them.
#[derive(Clone)]
pub struct Signals {
    database: Database,
    events: Events,
    /// Who may be woken, by name.
    waiting: Arc<[(&'static str, Arc<Notes>)]>,
    _listening: Arc<Task>,
}

impl Signals {
    /// Begins to listen, on the tokio runtime this is called in, for events and for wake-ups by
    /// these names.
    pub(crate) fn start(database: Database, connector: Connector, names: &[&'static str]) -> Self {
        let events = Events::default();
        let waiting: Arc<[_]> = names.iter().map(|name| (*name, Arc::default())).collect();
        let listener = Listener {
            connector,
            events: events.clone(),
            waiting: Arc::clone(&waiting),
        };
        Self {
            database,
            events,
            waiting,
            _listening: Arc::new(Task::spawn(listener.listen_on())),
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
    events: Events,
    waiting: Arc<[(&'static str, Arc<Notes>)]>,
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
            self.events.tell(events::read(said.payload()));
        } else if let Some((_, waiting)) = self
            .waiting
            .iter()
            .find(|(name, _)| *name == said.payload())
        {
            waiting.hear();
        }
    }

    /// Tells everybody to look by themselves.
    fn may_have_missed(&self) {
        self.events.tell(None);
        for (_, waiting) in self.waiting.iter() {
            waiting.hear();
        }
    }
}
