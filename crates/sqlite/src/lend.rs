//! Lending connections: one set of queries serves the pool and an open transaction.

use std::{
    error,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use diesel_async::{SimpleAsyncConnection, pooled_connection::deadpool::Object};
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::database::{Connection, Database};

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
}

/// The repositories of every domain, through a pool or within a transaction.
#[derive(Clone)]
pub struct Sqlite<L>(pub(crate) L);

/// Lends any free connection.
#[derive(Clone)]
pub struct Pooled(pub(crate) Database);

/// Lends the connection of one open transaction. Rolls back when it is dropped.
pub struct Open {
    pub(crate) connection: Option<Mutex<Object<Connection>>>,
    pub(crate) committed: Arc<Notify>,
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

pub(crate) struct Guard<'a>(MutexGuard<'a, Object<Connection>>);

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
}

impl Open {
    pub(crate) async fn own(&self) -> Result<Guard<'_>, Failure> {
        let connection = self
            .connection
            .as_ref()
            .ok_or("the transaction has ended")?;
        Ok(Guard(connection.lock().await))
    }
}

impl Lend for Open {
    async fn read(&self) -> Result<impl DerefMut<Target = Connection> + Send, Failure> {
        self.own().await
    }

    async fn write(&self) -> Result<impl DerefMut<Target = Connection> + Send, Failure> {
        self.own().await
    }
}

impl Sqlite<Open> {
    /// Makes the writes durable. On failure they are rolled back.
    pub(crate) async fn commit_now(self) -> Result<(), Failure> {
        self.0.own().await?.batch_execute("COMMIT").await?;
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
