//! A database that is gone, silent or slow: everything answers within five seconds, and goes on by
//! itself once it is back.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant, UNIX_EPOCH},
};

use archesai_auth::{
    Event, Recorded, UserId,
    ports::{Repository as _, Store as _, Transaction as _},
};
use archesai_conformance::fault_proxy::{Fault, FaultProxy};
use archesai_platform::events::Outbox as _;
use archesai_postgres::{Database, Pooled, Postgres, Settings};
use archesai_workflows::WorkerId;
use futures_util::future::{join_all, join3};

use crate::scratch::Scratch;

const LIMIT: Duration = Duration::from_secs(5);

/// A database behind a proxy.
struct Distant {
    store: Postgres<Pooled>,
    settings: Settings,
    proxy: FaultProxy,
    _scratch: Scratch,
}

impl Distant {
    async fn new() -> Self {
        let scratch = Scratch::new().await;
        let near = scratch.server();
        let (before, place) = near.url.split_once('@').unwrap();
        let (server, name) = place.split_once('/').unwrap();
        let server: SocketAddr = server.parse().unwrap();
        let proxy = FaultProxy::start(server).await;
        let settings = Settings {
            url: format!("{before}@{}/{name}", proxy.address()),
            ..near
        };
        Self {
            store: Database::open(&settings).await.unwrap().store(),
            settings,
            proxy,
            _scratch: scratch,
        }
    }

    /// One of each kind of calls. Answers how many succeeded, each within the limit.
    async fn calls(&self) -> usize {
        let begun = Instant::now();
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let worker = WorkerId(1);
        let reads = (0..40).map(|id| async move { self.store.find_user(UserId(id)).await.is_ok() });
        let write = async {
            let store = &self.store;
            let beat = archesai_workflows::ports::Repository::heartbeat(store, worker, LIMIT, now);
            beat.await.is_ok()
        };
        let transaction = async {
            let Ok(open) = self.store.begin().await else {
                return false;
            };
            let lock = open.lock_user(UserId(1)).await;
            lock.is_ok()
                && archesai_auth::ports::Transaction::commit(open)
                    .await
                    .is_ok()
        };
        let (reads, write, transaction) = join3(join_all(reads), write, transaction).await;
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
        reads.into_iter().map(usize::from).sum::<usize>()
            + usize::from(write)
            + usize::from(transaction)
    }

    /// Waits until all is as before, which takes no longer than the limit.
    async fn recovers(&self) {
        let begun = Instant::now();
        while self.calls().await < 42 {
            assert!(begun.elapsed() < LIMIT);
        }
        assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_is_told_at_once_and_used_again() {
    let distant = Distant::new().await;
    assert_eq!(distant.calls().await, 42);
    for _ in 0..3 {
        distant.proxy.set(Fault::Refuse).await;
        assert_eq!(distant.calls().await, 0);
        distant.proxy.set(Fault::None).await;
        distant.recovers().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_silent_is_given_up_in_time_and_used_again() {
    let distant = Distant::new().await;
    assert_eq!(distant.calls().await, 42);
    distant.proxy.set(Fault::BlackHole).await;
    assert_eq!(distant.calls().await, 0);
    let opened = Instant::now();
    Database::open(&distant.settings).await.err().unwrap();
    assert!(opened.elapsed() < LIMIT);
    distant.proxy.set(Fault::None).await;
    distant.recovers().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_database_is_waited_for() {
    let distant = Distant::new().await;
    distant
        .proxy
        .set(Fault::Slow {
            latency: Duration::from_millis(50),
            bytes_per_second: 10_000_000,
        })
        .await;
    assert_eq!(distant.calls().await, 42);
}

/// Whether it took effect cannot be known, and is not said to be known. It did once.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_fails_and_is_not_repeated() {
    let distant = Distant::new().await;
    let swallow = Fault::SwallowAnswer(b"COMMIT\0".to_vec());
    let event = |id| Recorded {
        id,
        organization_id: None,
        actor_id: None,
        occurred_at: UNIX_EPOCH,
        event: Event::UserRegistered {
            user_id: UserId(1),
            email: "a@example.com".to_owned(),
        },
    };
    distant.proxy.set(swallow.clone()).await;
    let open = distant.store.begin().await.unwrap();
    open.record(&event(1)).await.unwrap();
    open.commit().await.unwrap_err();
    distant.proxy.set(swallow).await;
    distant.store.record(&event(2)).await.unwrap_err();
    distant.recovers().await;
    let events = distant.store.unpublished(&BTreeSet::new(), 10).await;
    let ids: Vec<u128> = events.unwrap().iter().map(|event| event.id).collect();
    assert_eq!(ids, [1, 2]);
}
