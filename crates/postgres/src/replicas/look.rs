//! Looking at a replica: whether it is one, and how far it has come.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use diesel::{
    QueryableByName,
    sql_types::{BigInt, Bool, Nullable},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use tokio::time::timeout;

use super::{Fault, GLANCE};
use crate::{migrate, session::Connector, settings::Settings, sql::Sql, task::Failure};

/// How far the log of the primary had come at some moments, the oldest first. Places in it are
/// numbers of bytes.
pub(super) struct Trail {
    places: VecDeque<(Instant, i64)>,
    max_lag: Duration,
}

impl Trail {
    pub(super) fn new(max_lag: Duration) -> Self {
        Self {
            places: VecDeque::new(),
            max_lag,
        }
    }

    /// Asks the primary how far it has come. Where it does not answer, the trail grows cold.
    pub(super) async fn follow(&mut self, primary: &mut Glass) {
        let asked = Instant::now();
        if let Ok(Ok(written)) = timeout(GLANCE, primary.written()).await {
            self.places.push_back((asked, written));
        }
        self.forget(Instant::now());
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, _)) = self.places.front() {
            if now.duration_since(*at) <= self.max_lag {
                return;
            }
            self.places.pop_front();
        }
    }

    /// What a replica must have replayed so as to be no further behind than it may: as much as was
    /// written at the oldest of the moments that are not too long ago.
    pub(super) fn needed(&self) -> Option<i64> {
        self.places.front().map(|(_, place)| *place)
    }
}

/// Looks at one server, by a connection of its own: calls must not keep it from looking. The
/// connection is given up by a look that fails or is given up.
pub(super) struct Glass {
    connector: Connector,
    link: Option<AsyncPgConnection>,
}

#[derive(QueryableByName)]
struct Written {
    #[diesel(sql_type = BigInt)]
    written: i64,
}

const WRITTEN: &str =
    "SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint AS written";

#[derive(QueryableByName)]
struct Progress {
    #[diesel(sql_type = Bool)]
    is_replica: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    replayed: Option<i64>,
}

const PROGRESS: &str = "SELECT pg_is_in_recovery() AS is_replica, \
    pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint AS replayed";

impl Glass {
    pub(super) fn new(settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            connector: Connector::new(settings)?,
            link: None,
        })
    }

    async fn link(&mut self) -> Result<AsyncPgConnection, Failure> {
        match self.link.take() {
            Some(link) => Ok(link),
            None => self.connector.connect().await,
        }
    }

    /// How far the primary has come.
    async fn written(&mut self) -> Result<i64, Failure> {
        let link = self.link().await?;
        let said: Written = Sql::new(WRITTEN).get_result(&mut &link).await?;
        self.link = Some(link);
        Ok(said.written)
    }

    /// How far the replica has come, or what is wrong with it.
    pub(super) async fn look(&mut self) -> Result<i64, (Fault, Failure)> {
        let unavailable = |cause| (Fault::Unavailable, cause);
        let unfit = |cause| (Fault::Unfit, cause);
        let link = self.link().await.map_err(unavailable)?;
        let progress = Sql::new(PROGRESS).get_result(&mut &link).await;
        let progress: Progress = progress.map_err(|cause| unavailable(cause.into()))?;
        migrate::refuse_unfit(&link).await.map_err(unfit)?;
        self.link = Some(link);
        let replayed = progress.replayed.filter(|_| progress.is_replica);
        replayed.ok_or_else(|| unfit("it is no replica".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_must_have_replayed_what_was_written_a_while_ago() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut trail = Trail::new(Duration::from_secs(5));
        assert_eq!(trail.needed(), None);
        trail
            .places
            .extend([(at(0), 100), (at(2), 300), (at(6), 300)]);
        for (now, needed) in [
            (5, Some(100)),
            (6, Some(300)),
            (11, Some(300)),
            // The primary has not answered for too long.
            (12, None),
        ] {
            trail.forget(at(now));
            assert_eq!(trail.needed(), needed, "{now}");
        }
    }
}
