//! Connections, each of which has a thread of its own, and pools of them.
//!
//! What a connection is asked to do is done one thing after the other, whether
//! or not anybody waits for it. So whoever gives up leaves nothing half done, no
//! runtime has to be there to tidy up, and of what is asked for without waiting
//! the order is kept.

use std::{
    error::Error,
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use diesel::{Connection as _, connection::SimpleConnection, sqlite::SqliteConnection};
use diesel_async::sync_connection_wrapper::{SpawnBlocking, SyncConnectionWrapper};
use tokio::{
    sync::{Semaphore, oneshot},
    time::Instant,
};

use archesai_platform::gauges::Connections;

use crate::lend::Failure;

/// A connection whose calls run on its thread.
pub(crate) type Connection = SyncConnectionWrapper<SqliteConnection, Thread>;

/// The longest wait for a free connection.
const CHECKOUT: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

/// A thread that does what it is sent, and ends when nobody can send any more.
#[derive(Clone)]
pub struct Thread(mpsc::Sender<Job>);

impl Thread {
    fn start() -> Self {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for job in jobs {
                // Who waits hears of a panic, and the next job is another's.
                _ = catch_unwind(AssertUnwindSafe(job));
            }
        });
        Self(sender)
    }

    fn send(&self, job: impl FnOnce() + Send + 'static) {
        // The thread is there for as long as this sender is.
        _ = self.0.send(Box::new(job));
    }
}

impl SpawnBlocking for Thread {
    /// Sends the task at once, not only when the answer is waited for.
    fn spawn_blocking<'a, R: Send + 'static>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = Result<R, Box<dyn Error + Send + Sync>>> + Send + 'a>> {
        let (answer, answered) = oneshot::channel();
        self.send(move || _ = answer.send(task()));
        Box::pin(async { answered.await.map_err(|_| "the task panicked".into()) })
    }

    fn get_runtime() -> Self {
        Self::start()
    }
}

/// Connections to one database that take turns.
pub(crate) struct Pool {
    /// What it is for.
    name: &'static str,
    size: usize,
    idle: Mutex<Vec<Member>>,
    ready: Semaphore,
}

struct Member {
    connection: Connection,
    thread: Thread,
}

/// A connection that nobody else has. It goes back when all that it was asked to
/// do is done, without a transaction open in it.
pub(crate) struct Lent {
    /// There until it is dropped.
    member: Option<Member>,
    pool: Arc<Pool>,
}

impl Pool {
    /// Opens so many connections, and does something with each first.
    pub(crate) async fn open(
        name: &'static str,
        url: &str,
        size: usize,
        setup: &'static str,
    ) -> Result<Arc<Self>, Failure> {
        let mut idle = Vec::with_capacity(size);
        for _ in 0..size {
            idle.push(Member::open(url.to_owned(), setup).await?);
        }
        Ok(Arc::new(Self {
            name,
            size,
            idle: Mutex::new(idle),
            ready: Semaphore::new(size),
        }))
    }

    /// Waits for a free connection, but not for ever.
    pub(crate) async fn get(self: &Arc<Self>) -> Result<Lent, Failure> {
        let since = Instant::now();
        let ready = tokio::time::timeout(CHECKOUT, self.ready.acquire()).await;
        metrics::histogram!("archesai_database_wait_seconds", "pool" => self.name)
            .record(since.elapsed());
        let ready = ready??;
        let member = self.idle().pop();
        ready.forget();
        Ok(Lent {
            member,
            pool: Arc::clone(self),
        })
    }

    /// How busy its connections are.
    pub(crate) fn connections(&self) -> Connections {
        let free = self.idle().len();
        let few = |count| u32::try_from(count).unwrap_or(u32::MAX);
        Connections {
            pool: self.name,
            busy: few(self.size.saturating_sub(free)),
            free: few(free),
        }
    }

    fn put_back(&self, member: Member) {
        self.idle().push(member);
        self.ready.add_permits(1);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Member>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    async fn open(url: String, setup: &'static str) -> Result<Self, Failure> {
        let mut thread = Thread::start();
        let opened = thread.spawn_blocking(move || -> Result<_, Failure> {
            let mut connection = SqliteConnection::establish(&url)?;
            connection.batch_execute(setup)?;
            Ok(connection)
        });
        Ok(Self {
            connection: Connection::with_runtime(opened.await??, thread.clone()),
            thread,
        })
    }
}

impl Deref for Lent {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        let member = self.member.as_ref();
        &member.expect("it is there until it is dropped").connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Connection {
        let member = self.member.as_mut();
        &mut member.expect("it is there until it is dropped").connection
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut member) = self.member.take() else {
            return;
        };
        // It fails where no transaction is open, which is as it should be.
        let tidy = |connection: &mut SqliteConnection| connection.batch_execute("ROLLBACK");
        drop(member.connection.spawn_blocking(tidy));
        let thread = member.thread.clone();
        let pool = Arc::clone(&self.pool);
        thread.send(move || pool.put_back(member));
    }
}
