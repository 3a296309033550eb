//! What an operator wants to know of the database: what waits in it, and how busy its
//! connections are.

use std::time::SystemTime;

use archesai_platform::gauges::{Backlog, Connections, Waiting};
use diesel::{
    dsl::{count_star, min},
    prelude::*,
};
use diesel_async::RunQueryDsl;

use crate::{
    database::Database,
    errand::{Link, read},
    lend::{Lend as _, Pooled},
    schema::{artifacts, events, step_runs},
    session::Scope,
    types::Time,
};

impl Database {
    /// What waits to be done at a time. It may lag.
    ///
    /// # Errors
    ///
    /// [`archesai_platform::Error`] if the database does not answer.
    pub async fn backlog(&self, now: SystemTime) -> archesai_platform::Result<Backlog> {
        let now = Time(now);
        let count = async |mut link: Link<'_>| {
            let steps = step_runs::table
                .filter(step_runs::ready_at.le(now))
                .select((count_star(), min(step_runs::ready_at)))
                .first(&mut link);
            let steps = waiting(steps.await?);
            let artifacts = artifacts::table
                .filter(artifacts::index_due.le(now))
                .select((count_star(), min(artifacts::index_due)))
                .first(&mut link);
            let artifacts = waiting(artifacts.await?);
            let events = events::table
                .filter(events::published_at.is_null())
                .select((count_star(), min(events::occurred_at)))
                .first(&mut link);
            let events = waiting(events.await?);
            Ok(Backlog {
                steps,
                artifacts,
                events,
            })
        };
        let errand = read(Scope::System).may_lag();
        Pooled(self.clone()).run(errand, count).await
    }

    /// How busy the connections are, to it and to its replicas.
    pub fn connections(&self) -> Vec<Connections> {
        let mut found = vec![self.own_connections()];
        let of_replicas = self.replicas.databases().map(Self::own_connections);
        found.extend(of_replicas.reduce(|all, one| Connections {
            busy: all.busy + one.busy,
            free: all.free + one.free,
            ..all
        }));
        found
    }

    fn own_connections(&self) -> Connections {
        let status = self.status();
        let free = status.available.min(status.size);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Connections {
            pool: self.name,
            busy: count(status.size - free),
            free: count(free),
        }
    }
}

fn waiting((count, since): (i64, Option<Time>)) -> Waiting {
    Waiting {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        since: since.map(|since| since.0),
    }
}
