//! Lending connections: one set of queries serves the pool and an open transaction.

use std::{
    mem,
    sync::{Mutex as Lock, MutexGuard, PoisonError},
};

use diesel_async::{RunQueryDsl as _, SimpleAsyncConnection as _};
use futures_util::future::{FutureExt as _, join};
use tokio::sync::Mutex;

use crate::{
    database::{Database, Ways},
    errand::{self, Errand, Task, Use},
    pipeline::in_order,
    session::{Lent, Scope},
    sql::Sql,
    task::{Failure, PortError, TaskError, TaskResult},
};

/// Lends a connection to one call.
pub trait Lend: Send + Sync + 'static {
    /// Runs a task.
    fn run<T: Send, E: PortError>(
        &self,
        errand: Errand,
        task: impl Task<T, E>,
    ) -> impl Future<Output = Result<T, E>> + Send;

    /// Runs statements whose outcome nobody needs. In a transaction they wait, and travel together
    /// with what comes next.
    fn later<E: PortError>(
        &self,
        errand: Errand,
        statements: Vec<Sql>,
    ) -> impl Future<Output = Result<(), E>> + Send;

    /// How some things are done.
    fn ways(&self) -> Ways;
}

/// The repositories of every domain, through a pool or within a transaction.
#[derive(Clone)]
pub struct Postgres<L>(pub(crate) L);

/// Lends any free connection.
#[derive(Clone)]
pub struct Pooled(pub(crate) Database);

impl Lend for Pooled {
    async fn run<T: Send, E: PortError>(
        &self,
        errand: Errand,
        task: impl Task<T, E>,
    ) -> Result<T, E> {
        let work = async {
            if errand.may_lag
                && let Some(done) = self.0.replicas.run(errand, &task).await
            {
                return done;
            }
            self.carry_out(errand, &task).await
        };
        // The callers' futures hold this one, which is large: better by a pointer.
        let done = self.0.within(errand.limit, Box::pin(work)).await;
        done.map_err(TaskError::into_said)
    }

    async fn later<E: PortError>(&self, errand: Errand, statements: Vec<Sql>) -> Result<(), E> {
        let work = async {
            let open = Open::new(self.0.clone(), errand.scope).await?;
            open.waiting().extend(statements);
            open.end().await
        };
        let done = self.0.within(errand.limit, Box::pin(work)).await;
        done.map_err(TaskError::into_said)
    }

    fn ways(&self) -> Ways {
        self.0.ways
    }
}

impl Pooled {
    /// Runs a task in this very database.
    pub(crate) async fn carry_out<T, E>(
        &self,
        errand: Errand,
        task: &impl Task<T, E>,
    ) -> TaskResult<T, E> {
        match errand.usage {
            Use::Together => self.in_transaction(errand.scope, task).await,
            Use::Write => self.alone(errand.scope, task).await,
            Use::Read => match self.alone(errand.scope, task).await {
                Err(error) if error.is_lost() => self.alone(errand.scope, task).await,
                done => done,
            },
        }
    }

    /// Runs a task outside of a transaction. For whom a connection works is declared whenever it
    /// changes, and never taken from whoever had the connection before.
    async fn alone<T, E>(&self, scope: Scope, task: &impl Task<T, E>) -> TaskResult<T, E> {
        let mut session = self.0.session().await?;
        session.is_busy = true;
        let done = if session.scope == Some(scope) {
            task(&session.link).await
        } else {
            session.scope = None;
            let declare = scope.declare(false).execute(&mut &session.link);
            let (declared, done) = join(declare, task(&session.link)).await;
            declared?;
            session.scope = Some(scope);
            done
        };
        session.is_busy = false;
        done
    }

    /// Runs a task in a transaction of its own.
    async fn in_transaction<T, E>(&self, scope: Scope, task: &impl Task<T, E>) -> TaskResult<T, E> {
        let open = Open::new(self.0.clone(), scope).await?;
        let done = open.perform(task).await?;
        open.end().await?;
        Ok(done)
    }
}

/// Lends the connection of one open transaction. Rolls back when it is dropped.
pub struct Open {
    held: Mutex<Option<Held>>,
    /// Statements that travel with the next one.
    waiting: Lock<Vec<Sql>>,
    scope: Scope,
    database: Database,
}

struct Held {
    session: Lent,
    state: State,
}

impl Held {
    async fn fresh(database: &Database) -> Result<Self, Failure> {
        Ok(Self {
            session: database.session().await?,
            state: State::Fresh,
        })
    }
}

/// How far a transaction came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The server has not heard of it.
    Fresh,
    /// It is open and all is well.
    Begun,
    /// A statement of it failed or is not known to have ended: nothing of it may take effect. If it
    /// was the very first, it may be tried anew.
    Broken { is_first: bool },
}

impl Open {
    /// A transaction for somebody. It begins with its first statement.
    pub(crate) async fn new(database: Database, scope: Scope) -> Result<Self, Failure> {
        Ok(Self {
            held: Mutex::new(Some(Held::fresh(&database).await?)),
            waiting: Lock::default(),
            scope,
            database,
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Sql>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a task after all that waits; once more on another connection if the first turns out to
    /// be dead, as long as nothing came before.
    async fn perform<T, E>(&self, task: &impl Task<T, E>) -> TaskResult<T, E> {
        let mut slot = self.held.lock().await;
        let held = slot.as_mut().ok_or_else(ended)?;
        let done = self.attempt(held, task).await;
        match (&done, held.state) {
            (Err(error), State::Broken { is_first: true }) if error.is_lost() => {
                // Out of the pool with the dead one, which may be the only one there is room for.
                slot.take().map(|held| Lent::take(held.session));
                let held = slot.insert(Held::fresh(&self.database).await?);
                self.attempt(held, task).await
            }
            _ => done,
        }
    }

    async fn attempt<T, E>(&self, held: &mut Held, task: &impl Task<T, E>) -> TaskResult<T, E> {
        let before = self.statements_before(held)?;
        let (before, done) = join(
            in_order(&held.session.link, before),
            task(&held.session.link),
        )
        .await;
        before?;
        if !matches!(done, Err(TaskError::Database(_) | TaskError::Failed(_))) {
            held.state = State::Begun;
        }
        done
    }

    /// What must be sent first. From now on the transaction counts as broken, until all that is sent
    /// is known to have gone well.
    fn statements_before(&self, held: &mut Held) -> Result<Vec<Sql>, Failure> {
        let waiting = mem::take(&mut *self.waiting());
        let is_first = waiting.is_empty() && held.state == State::Fresh;
        let mut statements = match held.state {
            State::Fresh => vec![Sql::new("BEGIN"), self.scope.declare(true)],
            State::Begun => Vec::new(),
            State::Broken { .. } => {
                return Err("an earlier statement of the transaction failed".into());
            }
        };
        statements.extend(waiting);
        held.session.is_busy = true;
        held.state = State::Broken { is_first };
        Ok(statements)
    }

    /// Commits, after all that waits.
    async fn end<E>(self) -> TaskResult<(), E> {
        let mut held = self.held.lock().await;
        let held = held.as_mut().ok_or_else(ended)?;
        if held.state == State::Fresh && self.waiting().is_empty() {
            return Ok(());
        }
        let mut statements = self.statements_before(held)?;
        statements.push(Sql::new("COMMIT"));
        in_order(&held.session.link, statements).await?;
        held.session.is_busy = false;
        held.state = State::Fresh;
        self.database.committed();
        Ok(())
    }
}

fn ended() -> Failure {
    "the transaction has ended".into()
}

impl Drop for Open {
    /// Hands back a clean connection: what rolls back is on its way before the next user's statements
    /// are. Where it is not known what the connection is doing, it is closed.
    fn drop(&mut self) {
        let Some(Held { mut session, state }) = self.held.get_mut().take() else {
            return;
        };
        let is_clean = match state {
            State::Fresh => true,
            State::Begun => {
                let rolling_back = session.link.batch_execute("ROLLBACK").now_or_never();
                rolling_back.is_none_or(|done| done.is_ok())
            }
            State::Broken { .. } => false,
        };
        if is_clean {
            session.is_busy = false;
        } else {
            drop(Lent::take(session));
        }
    }
}

impl Lend for Open {
    async fn run<T: Send, E: PortError>(
        &self,
        errand: Errand,
        task: impl Task<T, E>,
    ) -> Result<T, E> {
        let work = Box::pin(self.perform(&task));
        let done = self.database.within(errand.limit, work).await;
        done.map_err(TaskError::into_said)
    }

    async fn later<E: PortError>(&self, _errand: Errand, statements: Vec<Sql>) -> Result<(), E> {
        self.waiting().extend(statements);
        Ok(())
    }

    fn ways(&self) -> Ways {
        self.database.ways
    }
}

impl Postgres<Open> {
    /// Makes the writes durable. On failure they are rolled back.
    pub(crate) async fn commit_now<E: PortError>(self) -> Result<(), E> {
        let database = self.0.database.clone();
        let work = Box::pin(self.0.end());
        let done = database.within(errand::SHORT, work).await;
        done.map_err(TaskError::into_said)
    }
}

impl Postgres<Pooled> {
    /// Opens a transaction for somebody.
    pub(crate) async fn begin_for<E: PortError>(&self, scope: Scope) -> Result<Postgres<Open>, E> {
        let database = &self.0.0;
        let work = Box::pin(async { Ok(Open::new(database.clone(), scope).await?) });
        let open = database.within(errand::SHORT, work).await;
        open.map(Postgres).map_err(TaskError::into_said)
    }
}

#[cfg(test)]
mod tests;
