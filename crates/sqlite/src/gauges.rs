//! What an operator wants to know of the database: what waits in it, and how
//! busy its connections are.

use std::time::SystemTime;

use archesai_platform::gauges::{Backlog, Connections, Waiting};
use diesel::{
    dsl::{count_star, min},
    prelude::*,
    sqlite::SqliteConnection,
};

use crate::{
    database::Database,
    lend::{Access, Lend as _, Pooled},
    schema::{artifacts, events, step_runs},
    types::Time,
};

impl Database {
    /// What waits to be done at a time.
    ///
    /// # Errors
    ///
    /// [`archesai_platform::Error`] if the database does not answer.
    pub async fn backlog(&self, now: SystemTime) -> archesai_platform::Result<Backlog> {
        let count = move |connection: &mut SqliteConnection| count(connection, Time(now));
        let counted = Pooled(self.clone()).run(Access::Read, count).await;
        let counted = counted.map_err(archesai_platform::Error::unavailable)?;
        counted.map_err(archesai_platform::Error::unavailable)
    }

    /// How busy the connections are.
    pub fn connections(&self) -> [Connections; 2] {
        [&self.readers, &self.writer].map(|pool| pool.connections())
    }
}

fn count(connection: &mut SqliteConnection, now: Time) -> QueryResult<Backlog> {
    let steps = step_runs::table
        .filter(step_runs::ready_at.le(now))
        .select((count_star(), min(step_runs::ready_at)))
        .first(connection)?;
    let artifacts = artifacts::table
        .filter(artifacts::index_due.le(now))
        .select((count_star(), min(artifacts::index_due)))
        .first(connection)?;
    let events = events::table
        .filter(events::published_at.is_null())
        .select((count_star(), min(events::occurred_at)))
        .first(connection)?;
    Ok(Backlog {
        steps: waiting(steps),
        artifacts: waiting(artifacts),
        events: waiting(events),
    })
}

fn waiting((count, since): (i64, Option<Time>)) -> Waiting {
    Waiting {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        since: since.map(|since| since.0),
    }
}
