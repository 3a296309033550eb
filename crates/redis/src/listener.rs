//! Hears what other nodes say, and passes it on within this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use archesai_bus::{Events, Notes, Task};
use tokio::time::{sleep, timeout};

use crate::{
    Error, Settings,
    pool::{Lent, Pool},
    streams::{News, Place, Streams},
    tend::PAUSE,
};

/// How long to wait for news at a time, in milliseconds. A connection that is lost without a word
/// is noticed that much later.
const PATIENCE: u64 = 1_000;

/// Hears what other nodes say, until it is dropped.
pub(crate) struct Listener {
    audience: Arc<Audience>,
    _task: Task,
}

/// Those within the process whom it concerns.
struct Audience {
    events: Events,
    /// Who waits, by the name of what for.
    waiting: Mutex<HashMap<&'static str, Arc<Notes>>>,
}

impl Audience {
    fn waiting(&self) -> MutexGuard<'_, HashMap<&'static str, Arc<Notes>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_all(&self) {
        for waiting in self.waiting().values() {
            waiting.hear();
        }
    }

    fn pass_on(&self, news: News) {
        if !news.is_complete {
            self.events.tell(None);
        }
        for event in news.events {
            self.events.tell(event);
        }
        let waiting = self.waiting();
        for name in &news.woken {
            if let Some(waiting) = waiting.get(name.as_str()) {
                waiting.hear();
            }
        }
    }
}

impl Listener {
    /// Begins to listen, on the tokio runtime this is called in.
    pub(crate) fn start(pool: Pool, settings: &Settings) -> Self {
        let audience = Arc::new(Audience {
            events: Events::default(),
            waiting: Mutex::default(),
        });
        let hearing = Hearing {
            pool,
            streams: Streams::new(settings),
            audience: Arc::clone(&audience),
            connect_timeout: settings.connect_timeout,
            place: None,
        };
        Self {
            audience,
            _task: Task::spawn(hearing.listen()),
        }
    }

    /// Every event that is published from now on, or that some were missed.
    pub(crate) fn events(&self) -> &Events {
        &self.audience.events
    }

    /// What is told when something of this name is woken.
    pub(crate) fn notes(&self, name: &'static str) -> Arc<Notes> {
        Arc::clone(self.audience.waiting().entry(name).or_default())
    }
}

struct Hearing {
    pool: Pool,
    streams: Streams,
    audience: Arc<Audience>,
    connect_timeout: Duration,
    /// Up to where everything was heard; unknown at first.
    place: Option<Place>,
}

impl Hearing {
    async fn listen(mut self) {
        let mut is_lost = false;
        loop {
            let error = match timeout(self.connect_timeout, self.connect()).await {
                Ok(Ok(link)) => {
                    if is_lost {
                        tracing::info!("redis tells again what happens elsewhere");
                    }
                    is_lost = false;
                    self.hear(link).await
                }
                Ok(Err(error)) => error,
                Err(elapsed) => elapsed.into(),
            };
            if !is_lost {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "redis does not tell what happens elsewhere");
                is_lost = true;
            }
            sleep(PAUSE).await;
        }
    }

    /// Connects, and finds the place to go on from.
    async fn connect(&mut self) -> Result<Lent, Error> {
        let mut link = self.pool.get().await?;
        if self.place.is_none() {
            self.place = Some(self.streams.end(&mut link).await?);
            self.audience.events.tell(None);
        }
        // Whatever was woken meanwhile.
        self.audience.wake_all();
        Ok(link)
    }

    /// Passes on what comes, until the connection is lost.
    async fn hear(&mut self, mut link: Lent) -> Error {
        loop {
            if let Err(error) = self.hear_some(&mut link).await {
                return error;
            }
        }
    }

    async fn hear_some(&mut self, link: &mut Lent) -> Result<(), Error> {
        let Some(place) = &mut self.place else {
            return Ok(());
        };
        let reading = self.streams.read(link, place, PATIENCE);
        let patience = Duration::from_millis(PATIENCE) + self.connect_timeout;
        let news = timeout(patience, reading).await??;
        if !news.is_complete && news.events.is_empty() {
            // Nothing is left of what was read last, and so nothing to go on from.
            *place = timeout(self.connect_timeout, self.streams.end(link)).await??;
        }
        self.audience.pass_on(news);
        Ok(())
    }
}
