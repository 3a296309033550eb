//! Opening the database: what must hold of it, and the pool of connections to it.

use std::{fmt, sync::Arc, time::Duration};

use deadpool::Status;
use deadpool::managed::{Pool, PoolError};
use diesel_async::RunQueryDsl as _;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use crate::{
    errand::{self, Link, read},
    lend::{Lend as _, Pooled, Postgres},
    migrate,
    replicas::{Fault, Replicas},
    session::{self, Connector, Lent, Scope},
    settings::{LeaseClock, Settings, place},
    signals::Signals,
    sql::Sql,
    task::{Failure, TaskResult},
};

/// An open database. Clones share its connections.
#[derive(Clone)]
pub struct Database {
    pool: Arc<Pool<Connector>>,
    /// What its connections are for.
    pub(crate) name: &'static str,
    /// Those that read what it has, for calls that may lag.
    pub(crate) replicas: Arc<Replicas>,
    pub(crate) ways: Ways,
    /// Told of every commit of this process, for whoever waits for events.
    committed: Arc<Notify>,
    settings: Settings,
}

/// How some things are done, by the settings.
#[derive(Clone, Copy, Debug)]
pub struct Ways {
    pub(crate) lease_clock: LeaseClock,
    pub(crate) exact_search_up_to: u32,
}

/// Why a database could not be opened or brought up to date.
#[derive(Debug)]
pub struct OpenError {
    place: String,
    cause: Failure,
}

impl OpenError {
    pub(crate) fn new(url: &str, cause: Failure) -> Self {
        Self {
            place: place(url),
            cause,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, cause } = self;
        write!(f, "the database {place} cannot be used: {cause}")?;
        // The client's own errors say little; what is underneath says why.
        let mut source = cause.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for OpenError {}

impl Database {
    /// Opens a database whose tables are up to date, as the role of the server.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if it does not answer, is not of this version of the program, or the role is
    /// one to which row-level security does not apply. Replicas may be as they like.
    pub async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let opened = async {
            let database = Self {
                replicas: Replicas::watch(settings)?,
                ..Self::new(settings, "primary")?
            };
            let session = database.session().await?;
            migrate::refuse_unfit(&session.link).await?;
            drop(session);
            Ok(database)
        };
        let opened = match timeout(errand::SHORT, opened).await {
            Ok(opened) => opened,
            Err(_) => Err("it does not answer".into()),
        };
        opened.map_err(|cause| OpenError::new(&settings.url, cause))
    }

    /// A database by itself, at which nobody has looked.
    pub(crate) fn new(settings: &Settings, name: &'static str) -> Result<Self, Failure> {
        Ok(Self {
            pool: session::pool(settings)?,
            name,
            replicas: Arc::default(),
            ways: Ways {
                lease_clock: settings.lease_clock,
                exact_search_up_to: settings.exact_search_up_to,
            },
            committed: Arc::default(),
            settings: settings.clone(),
        })
    }

    /// The repositories, each call alone.
    pub fn store(&self) -> Postgres<Pooled> {
        Postgres(Pooled(self.clone()))
    }

    /// Begins to hear of other nodes, by wake-ups of these names.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the settings are not usable.
    pub fn listen(&self, names: &[&'static str]) -> Result<Signals, OpenError> {
        let connector = Connector::new(&self.settings);
        let connector = connector.map_err(|cause| OpenError::new(&self.settings.url, cause))?;
        Ok(Signals::start(self.clone(), connector, names))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    ///
    /// [`archesai_platform::Error`] if it does not.
    pub async fn check(&self) -> archesai_platform::Result<()> {
        let look = async |mut link: Link<'_>| {
            Ok(Sql::new("SELECT 1 FROM users LIMIT 1")
                .execute(&mut link)
                .await?)
        };
        let _: usize = Pooled(self.clone()).run(read(Scope::Nobody), look).await?;
        Ok(())
    }

    /// Why each replica is passed over, if it is, in the order of the settings.
    pub fn replicas(&self) -> Vec<Option<Fault>> {
        self.replicas.faults()
    }

    /// How full the pool is.
    pub(crate) fn status(&self) -> Status {
        self.pool.status()
    }

    /// A free connection.
    pub(crate) async fn session(&self) -> Result<Lent, Failure> {
        let asked = Instant::now();
        let session = self.pool.get().await;
        metrics::histogram!("archesai_database_wait_seconds", "pool" => self.name)
            .record(asked.elapsed().as_secs_f64());
        session.map_err(|error| match error {
            PoolError::Backend(cause) => cause,
            other => other.to_string().into(),
        })
    }

    /// Does something, but not for ever. If the time is over, the connections that nobody uses are
    /// closed as well: they may lead to the same place that does not answer.
    pub(crate) async fn within<T, E>(
        &self,
        limit: Duration,
        work: impl Future<Output = TaskResult<T, E>>,
    ) -> TaskResult<T, E> {
        if let Ok(done) = timeout(limit, work).await {
            return done;
        }
        self.close_idle();
        Err(Failure::from("the database did not answer in time").into())
    }

    /// Closes the connections that nobody uses.
    pub(crate) fn close_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Tells whoever waits for events that there may be some.
    pub(crate) fn committed(&self) {
        self.committed.notify_one();
    }

    /// Waits for a commit of this process.
    pub(crate) async fn wait_for_commit(&self) {
        self.committed.notified().await;
    }
}
