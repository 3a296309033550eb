//! Lending connections: one set of queries serves the pool and an open transaction.

use std::{
    error,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use diesel::{QueryResult, connection::SimpleConnection, sqlite::SqliteConnection};
use diesel_async::{SimpleAsyncConnection, pooled_connection::deadpool::Object};
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::{
    database::{Connection, Database},
    queue::Queue,
};

/// What failed underneath, for the log.
pub(crate) type Failure = Box<dyn error::Error + Send + Sync>;

/// Lends a connection to one call.
pub trait Lend: Send + Sync + 'static {
    /// Lends a connection that reads what is committed, or what its transaction wrote.
    fn read(
        &self,
    ) -> impl Future<Output = Result<impl DerefMut<Target = Connection> + Send, Failure>> + Send;

    /// Lends the connection that writes.
    fn write(
        &self,
    ) -> impl Future<Output = Result<impl DerefMut<Target = Connection> + Send, Failure>> + Send;

    /// Runs a task on the thread of a connection.
    fn run<T: Send + 'static>(
        &self,
        access: Access,
        task: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> impl Future<Output = Result<T, Failure>> + Send;

    /// Where writes may wait for the next use of the connection, if anybody commits later on.
    fn queue(&self) -> Option<&Queue>;
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It reads what is committed, or what its transaction wrote.
    Read,
    /// It writes.
    Write,
}

/// The repositories of every domain, through a pool or within a transaction.
#[derive(Clone)]
pub struct Sqlite<L>(pub(crate) L);

/// Lends any free connection.
#[derive(Clone)]
pub struct Pooled(pub(crate) Database);

/// Lends the connection of one open transaction. Rolls back when it is dropped.
pub struct Open {
    connection: Option<Mutex<Object<Connection>>>,
    queue: Queue,
    committed: Arc<Notify>,
}

struct Checkout(Object<Connection>);

impl Deref for Checkout {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Checkout {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

struct Guard<'a>(MutexGuard<'a, Object<Connection>>);

impl Deref for Guard<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

impl Lend for Pooled {
    async fn read(&self) -> Result<impl DerefMut<Target = Connection> + Send, Failure> {
        Ok(Checkout(self.0.reader().await?))
    }

    async fn write(&self) -> Result<impl DerefMut<Target = Connection> + Send, Failure> {
        Ok(Checkout(self.0.writer().await?))
    }

    async fn run<T: Send + 'static>(
        &self,
        access: Access,
        task: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let mut connection = match access {
            Access::Read => self.0.reader().await?,
            Access::Write => self.0.writer().await?,
        };
        Ok(connection.spawn_blocking(task).await?)
    }

    fn queue(&self) -> Option<&Queue> {
        None
    }
}

impl Open {
    /// A transaction on a connection. It begins with its first use, so as not to
    /// change threads for that alone, and it may write from the start, so that it
    /// never finds out halfway that somebody else is writing.
    pub(crate) fn new(connection: Object<Connection>, committed: Arc<Notify>) -> Self {
        let queue = Queue::default();
        queue.push(|connection| Ok(connection.batch_execute("BEGIN IMMEDIATE")?));
        Self {
            connection: Some(Mutex::new(connection)),
            queue,
            committed,
        }
    }

    async fn lock(&self) -> Result<MutexGuard<'_, Object<Connection>>, Failure> {
        let connection = self.connection.as_ref();
        Ok(connection.ok_or("the transaction has ended")?.lock().await)
    }

    /// The connection, with nothing waiting for it.
    async fn own(&self) -> Result<Guard<'_>, Failure> {
        let mut connection = self.lock().await?;
        if let Some(batch) = self.queue.take()? {
            let done = connection.spawn_blocking(move |connection| Ok(batch.run(connection)));
            self.queue.ran(done.await?)?;
        }
        Ok(Guard(connection))
    }
}

impl Lend for Open {
    async fn read(&self) -> Result<impl DerefMut<Target = Connection> + Send, Failure> {
        self.own().await
    }

    async fn write(&self) -> Result<impl DerefMut<Target = Connection> + Send, Failure> {
        self.own().await
    }

    async fn run<T: Send + 'static>(
        &self,
        _access: Access,
        task: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let mut connection = self.lock().await?;
        let Some(batch) = self.queue.take()? else {
            return Ok(connection.spawn_blocking(task).await?);
        };
        let both = connection.spawn_blocking(move |connection| {
            let ran = batch.run(connection);
            Ok(ran.map(|()| task(connection)))
        });
        Ok(self.queue.ran(both.await?)??)
    }

    fn queue(&self) -> Option<&Queue> {
        Some(&self.queue)
    }
}

impl Sqlite<Open> {
    /// Makes the writes durable. On failure they are rolled back.
    pub(crate) async fn commit_now(self) -> Result<(), Failure> {
        let commit = |connection: &mut SqliteConnection| connection.batch_execute("COMMIT");
        self.0.run(Access::Write, commit).await?;
        let mut open = self.0;
        open.connection = None;
        open.committed.notify_one();
        Ok(())
    }
}

impl Drop for Open {
    /// Hands back a clean connection: rolls back first where a runtime is there
    /// to do it, and else takes the connection out of the pool, which closes it.
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let mut connection = connection.into_inner();
        if !self.queue.was_taken() {
            // It never began.
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    if connection.batch_execute("ROLLBACK").await.is_err() {
                        drop(Object::take(connection));
                    }
                });
            }
            Err(_) => drop(Object::take(connection)),
        }
    }
}
