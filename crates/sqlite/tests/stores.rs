//! The suites of every port, on a real database in a file.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

use archesai_conformance as conformance;
use archesai_sqlite::Database;
use tempfile::TempDir;

async fn database() -> (Database, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archesai.db");
    (Database::open(&path, 2).await.unwrap(), folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn auth() {
    let (database, _folder) = database().await;
    conformance::auth::suite(&database.store()).await;
    conformance::auth::races::suite(&database.store()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations() {
    let (database, _folder) = database().await;
    conformance::organizations::suite(&database.store()).await;
    conformance::organizations::races::suite(&database.store()).await;
    conformance::organizations::usage::suite(&database.store()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn platform() {
    let (database, _folder) = database().await;
    let store = database.store();
    conformance::platform::idempotency_suite(&store).await;
    conformance::data_keys::suite(&store).await;
    // The other suites leave events behind.
    conformance::auth::suite(&store).await;
    conformance::auth::suite(&store).await;
    conformance::platform::event_log_suite(&store).await;
    conformance::event_log::leading_suite(&store).await;
    conformance::event_log::following_suite(&store).await;
    conformance::event_log::chains::suite(&store).await;
    conformance::event_log::relays::suite(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_open_one_new_database_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..8 {
        let path = folder.path().join(format!("{round}.db"));
        let opening = (0..8).map(|_| Database::open(&path, 1));
        for opened in futures_util::future::join_all(opening).await {
            opened.unwrap();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own file")]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archesai.db");
    std::fs::write(&path, "this is a letter, and rather a long one at that").unwrap();
    let error = Database::open(&path, 1).await.err().unwrap().to_string();
    assert!(error.contains("archesai.db"), "{error}");
}

/// Whatever moment a transaction is given up at, the next one begins clean.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_given_up_while_it_begins_leaves_nothing() {
    use archesai_auth::ports::Store;
    use futures_util::FutureExt;

    let (database, _folder) = database().await;
    let store = database.store();
    for polls in 1..6 {
        let mut beginning = Box::pin(Store::begin(&store));
        for _ in 0..polls {
            if beginning.as_mut().now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(beginning);
        conformance::auth::suite(&store).await;
    }
}

/// The event log is appended to, and nothing else, by whoever.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_is_not_unsaid() {
    use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection, sql_query};

    let (database, folder) = database().await;
    conformance::auth::suite(&database.store()).await;
    conformance::event_log::chains::suite(&database.store()).await;
    let path = folder.path().join("archesai.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    for sql in [
        "UPDATE events SET kind = 'x'",
        "UPDATE events SET sequence = sequence + 1000",
        "DELETE FROM events",
        "UPDATE events SET position = position + 1 WHERE position IS NOT NULL",
    ] {
        let refused = sql_query(sql).execute(&mut connection).unwrap_err();
        assert!(
            refused.to_string().contains("append-only"),
            "{sql}: {refused}"
        );
    }
}

/// No key is taken away that something may be sealed under.
#[tokio::test(flavor = "multi_thread")]
async fn data_keys_stay() {
    use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection, sql_query};

    let (database, folder) = database().await;
    conformance::data_keys::suite(&database.store()).await;
    let path = folder.path().join("archesai.db");
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let delete = sql_query("DELETE FROM data_keys").execute(&mut connection);
    assert!(delete.unwrap_err().to_string().contains("data keys stay"));
}
