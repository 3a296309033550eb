//! The replica of the Postgres that tests talk to. It is one for all, so those that stop it take
//! turns with those that read it.

use tokio_postgres::Client;

use super::{
    scratch::{admin_url, connect, elsewhere},
    told,
};

/// A number that nobody else locks.
const LOCK: i64 = 0x0000_7265_706c_6963;

/// A turn with the replica, which ends when this is dropped.
pub struct Replica {
    _turn: Client,
    is_alone: bool,
}

impl Replica {
    /// A turn to read it, among others that do.
    pub async fn among_others() -> Self {
        Self::take("pg_advisory_lock_shared", false).await
    }

    /// A turn of which nobody else has one, to stop it.
    pub async fn alone() -> Self {
        Self::take("pg_advisory_lock", true).await
    }

    async fn take(lock: &str, is_alone: bool) -> Self {
        let turn = connect(&admin_url()).await;
        turn.batch_execute(&format!("SELECT {lock}({LOCK})"))
            .await
            .unwrap();
        // Whoever had it before may have been killed.
        resume().await;
        Self {
            _turn: turn,
            is_alone,
        }
    }

    /// Lets it fall behind: from now on it learns nothing new.
    pub async fn pause(&self) {
        assert!(self.is_alone, "others read it");
        let replica = connect(&url()).await;
        let pause = "SELECT pg_wal_replay_pause()";
        replica.batch_execute(pause).await.unwrap();
        let state = "SELECT pg_get_wal_replay_pause_state()";
        while replica
            .query_one(state, &[])
            .await
            .unwrap()
            .get::<_, String>(0)
            != "paused"
        {}
    }

    /// Lets it catch up.
    pub async fn resume(&self) {
        resume().await;
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if self.is_alone {
            elsewhere(resume());
        }
    }
}

async fn resume() {
    let replica = connect(&url()).await;
    let resume = "SELECT pg_wal_replay_resume()";
    replica.batch_execute(resume).await.unwrap();
}

/// How the role that owns databases reaches it.
fn url() -> String {
    let replica = told("ARCHESAI_TEST_POSTGRES_REPLICA_URL");
    let (_, place) = replica.split_once('@').expect("a URL with a user");
    let owner = admin_url();
    let (user, _) = owner.split_once('@').expect("a URL with a user");
    format!("{user}@{place}")
}
