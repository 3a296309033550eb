//! What connections outlive: the thread that uses them first, and callers who give up.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, UNIX_EPOCH},
};

use archesai_sqlite::{Database, Pooled, Sqlite};
use archesai_workflows::{
    Event, OrganizationId, Recorded, RunId, WorkerId,
    ports::{Repository, Scope, Store, Transaction},
};
use futures_util::FutureExt;
use tempfile::TempDir;

const READERS: usize = 2;

async fn database() -> (Database, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archesai.db");
    (Database::open(&path, READERS).await.unwrap(), folder)
}

/// Does something as a worker of a web server does: on a thread whose runtime
/// is its own, cannot block, and ends.
fn on_a_worker<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) {
    let worker = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, work());
    });
    worker.join().unwrap();
}

/// Uses every connection there is.
async fn use_all(store: &Sqlite<Pooled>) {
    let reads = (0..=READERS).map(|_| store.find_run(OrganizationId(1), RunId(1)));
    for found in futures_util::future::join_all(reads).await {
        assert_eq!(found.unwrap(), None);
    }
    write(store).await;
}

/// One call that writes.
async fn beat(store: &Sqlite<Pooled>) {
    let held = store.heartbeat(WorkerId(1), Duration::from_secs(1), UNIX_EPOCH);
    assert!(held.await.unwrap().is_empty());
}

/// A transaction.
async fn write(store: &Sqlite<Pooled>) {
    let transaction = Store::begin(store, Scope::System).await.unwrap();
    transaction.record(&[recorded()]).await.unwrap();
    Transaction::commit(transaction).await.unwrap();
}

static NEXT: AtomicU64 = AtomicU64::new(1);

fn recorded() -> Recorded {
    Recorded {
        id: NEXT.fetch_add(1, Ordering::Relaxed).into(),
        organization_id: None,
        actor_id: None,
        occurred_at: UNIX_EPOCH,
        event: Event::RunStarted { run_id: RunId(1) },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_outlive_the_thread_that_uses_them_first() {
    let (database, _folder) = database().await;
    let store = database.store();
    let theirs = store.clone();
    on_a_worker(move || async move { use_all(&theirs).await });
    use_all(&store).await;
}

/// Polls a call so many times at most, and drops it.
async fn give_up<T>(call: impl Future<Output = T>, polls: usize) {
    let mut call = Box::pin(call);
    for _ in 0..polls {
        if call.as_mut().now_or_never().is_some() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_up_leaves_clean_connections() {
    let (database, _folder) = database().await;
    let store = database.store();
    let theirs = store.clone();
    on_a_worker(move || async move {
        for polls in 1..8 {
            give_up(theirs.find_run(OrganizationId(1), RunId(1)), polls).await;
            give_up(beat(&theirs), polls).await;
            give_up(write(&theirs), polls).await;
            use_all(&theirs).await;
        }
    });
    use_all(&store).await;
}

/// What nobody waited for is not lost: who commits hears that it failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_fails_its_transaction() {
    let (database, _folder) = database().await;
    let store = database.store();
    let twice = recorded();
    let transaction = Store::begin(&store, Scope::System).await.unwrap();
    for event in [&twice, &twice, &recorded()] {
        _ = transaction.record(std::slice::from_ref(event)).await;
    }
    let read = transaction.find_run(OrganizationId(1), RunId(1)).await;
    assert!(read.is_err(), "it reads what may be there or not");
    assert!(Transaction::commit(transaction).await.is_err());
    let transaction = Store::begin(&store, Scope::System).await.unwrap();
    transaction.record(&[twice]).await.unwrap();
    Transaction::commit(transaction).await.unwrap();
}
