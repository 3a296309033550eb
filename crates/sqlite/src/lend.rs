//! Lending connections: one set of queries serves the pool and an open transaction.

use std::{
    error,
    ops::DerefMut,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
};

use diesel::{connection::SimpleConnection, sqlite::SqliteConnection};
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::{
    connection::{Connection, Lent},
    database::Database,
    task::all_or_nothing,
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
        task: impl FnOnce(&mut SqliteConnection) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, Failure>> + Send;

    /// Runs a task that writes. Within a transaction it is not waited for: should
    /// it fail, so does what comes after it, the commit at last.
    fn post(
        &self,
        task: impl FnOnce(&mut SqliteConnection) -> Result<(), Failure> + Send + 'static,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
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

/// Lends the connection of one open transaction, which is rolled back when this
/// is dropped.
pub struct Open {
    connection: Mutex<Lent>,
    /// What went wrong, if the transaction can come to no good any more.
    broken: Arc<OnceLock<String>>,
    committed: Arc<Notify>,
}

impl Lend for Pooled {
    async fn read(&self) -> Result<impl DerefMut<Target = Connection> + Send, Failure> {
        self.0.readers.get().await
    }

    async fn write(&self) -> Result<impl DerefMut<Target = Connection> + Send, Failure> {
        self.0.writer.get().await
    }

    async fn run<T: Send + 'static>(
        &self,
        access: Access,
        task: impl FnOnce(&mut SqliteConnection) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let mut connection = match access {
            Access::Read => self.0.readers.get().await?,
            Access::Write => self.0.writer.get().await?,
        };
        Ok(connection.spawn_blocking(|c| Ok(task(c))).await?)
    }

    async fn post(
        &self,
        task: impl FnOnce(&mut SqliteConnection) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        self.run(Access::Write, |c| all_or_nothing(c, task)).await?
    }
}

impl Open {
    /// A transaction on a connection. It may write from the start, so that it
    /// never finds out halfway that somebody else is writing.
    pub(crate) fn new(connection: Lent, committed: Arc<Notify>) -> Self {
        let mut open = Self {
            connection: Mutex::new(connection),
            broken: Arc::default(),
            committed,
        };
        let begin = open.unless_broken(|c| Ok(c.batch_execute("BEGIN IMMEDIATE")?));
        drop(open.connection.get_mut().spawn_blocking(|c| Ok(begin(c))));
        open
    }

    /// A task that breaks the transaction if it fails, and does nothing in one
    /// that is broken.
    fn unless_broken<T, F>(
        &self,
        task: F,
    ) -> impl FnOnce(&mut SqliteConnection) -> Result<T, Failure> + use<T, F>
    where
        F: FnOnce(&mut SqliteConnection) -> Result<T, Failure>,
    {
        let broken = Arc::clone(&self.broken);
        move |connection| {
            if let Some(cause) = broken.get() {
                return Err(format!("the transaction is broken: {cause}").into());
            }
            let done = catch_unwind(AssertUnwindSafe(|| task(connection)));
            done.unwrap_or_else(|_| Err("a task panicked".into()))
                .inspect_err(|error| _ = broken.set(error.to_string()))
        }
    }

    /// The connection, when all that was asked of it is done.
    async fn own(&self) -> Result<impl DerefMut<Target = Connection> + Send, Failure> {
        let done = self.unless_broken(|_| Ok(()));
        let mut connection = self.connection.lock().await;
        connection.spawn_blocking(|c| Ok(done(c))).await??;
        Ok(MutexGuard::map(connection, |connection| &mut **connection))
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
        task: impl FnOnce(&mut SqliteConnection) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let task = self.unless_broken(|c| Ok(task(c)));
        let mut connection = self.connection.lock().await;
        connection.spawn_blocking(|c| Ok(task(c))).await?
    }

    async fn post(
        &self,
        task: impl FnOnce(&mut SqliteConnection) -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        let task = self.unless_broken(task);
        let mut connection = self.connection.lock().await;
        drop(connection.spawn_blocking(|c| Ok(task(c))));
        Ok(())
    }
}

impl Sqlite<Open> {
    /// Makes the writes durable. On failure they are rolled back.
    pub(crate) async fn commit_now(self) -> Result<(), Failure> {
        let committed = Arc::clone(&self.0.committed);
        let commit = move |connection: &mut SqliteConnection| {
            let done = connection.batch_execute("COMMIT");
            done.inspect(|()| committed.notify_one())
        };
        Ok(self.0.run(Access::Write, commit).await??)
    }
}

#[cfg(test)]
mod tests {
    use diesel::QueryResult;

    use super::*;

    const INSERT: &str = "INSERT INTO workers VALUES (zeroblob(16), 1)";

    async fn database() -> (Database, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("archesai.db"), 1).await;
        (database.unwrap(), folder)
    }

    fn insert(connection: &mut SqliteConnection) -> QueryResult<()> {
        connection.batch_execute(INSERT)
    }

    /// What breaks down halfway takes no effect, and the next one starts anew.
    #[tokio::test]
    async fn a_panic_leaves_nothing_open() {
        let (database, _folder) = database().await;
        for round in 0..2 {
            let pooled = Pooled(database.clone());
            let broken = pooled.run(Access::Write, |connection| {
                all_or_nothing(connection, |connection| -> QueryResult<()> {
                    insert(connection)?;
                    panic!("halfway")
                })
            });
            assert!(broken.await.is_err(), "round {round}");
        }
        let transaction = database.begin().await.unwrap();
        transaction
            .0
            .run(Access::Write, insert)
            .await
            .unwrap()
            .unwrap();
        transaction.commit_now().await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_breaks_its_transaction() {
        let (database, _folder) = database().await;
        let transaction = database.begin().await.unwrap();
        transaction.0.post(|c| Ok(insert(c)?)).await.unwrap();
        transaction.0.post(|_| panic!("halfway")).await.unwrap();
        let error = transaction.commit_now().await.unwrap_err().to_string();
        assert_eq!(error, "the transaction is broken: a task panicked");
        let transaction = database.begin().await.unwrap();
        transaction.0.post(|c| Ok(insert(c)?)).await.unwrap();
        transaction.commit_now().await.unwrap();
    }

    /// Posted work is done in its order, before what is waited for.
    #[tokio::test]
    async fn what_is_posted_comes_first() {
        let (database, _folder) = database().await;
        let transaction = database.begin().await.unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        for number in 0..3 {
            let sender = sender.clone();
            let note = move |_: &mut SqliteConnection| Ok(sender.send(number)?);
            transaction.0.post(note).await.unwrap();
        }
        let done = transaction.0.run(Access::Read, move |_| {
            receiver.try_iter().collect::<Vec<_>>()
        });
        assert_eq!(done.await.unwrap(), vec![0, 1, 2]);
    }
}
