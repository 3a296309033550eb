//! The parts that the event log is kept in.

use archesai_auth::{Event, OrganizationId, Recorded, UserId, ports::Repository as _};
use archesai_conformance as conformance;
use archesai_platform::{
    chains::Trail as _,
    events::{Changes as _, History as _, Mark, Outbox as _},
};
use archesai_postgres::{Database, Settings};
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};

use crate::scratch::{Scratch, connect};

/// How many places in the log a part has.
const WIDTH: i64 = 10_000_000;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// The owner, who the fence is for as well.
async fn owner(scratch: &Scratch) -> AsyncPgConnection {
    let mut owner = connect(&scratch.owner().url).await;
    let system = "SET archesai.system = 'on'";
    owner.batch_execute(system).await.unwrap();
    owner
}

/// The next event gets this place, or one soon after it.
async fn go_on_at(owner: &mut AsyncPgConnection, place: i64) {
    let restart = format!("ALTER TABLE events ALTER sequence RESTART WITH {place}");
    owner.batch_execute(&restart).await.unwrap();
    let look = "SELECT nextval('events_sequence_seq') AS count";
    count(owner, look).await;
}

async fn count(owner: &mut AsyncPgConnection, query: &str) -> i64 {
    let counts: Count = sql_query(query).get_result(owner).await.unwrap();
    counts.count
}

async fn has_part(owner: &mut AsyncPgConnection, part: i64) -> bool {
    let query = format!("SELECT count(to_regclass('archesai_log.events_{part}')) AS count");
    count(owner, &query).await == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_where_a_part_ends() {
    let scratch = Scratch::new().await;
    let mut owner = owner(&scratch).await;
    go_on_at(&mut owner, WIDTH - 2).await;
    let store = scratch.open().await.store();
    // They leave events behind.
    conformance::auth::suite(&store).await;
    conformance::auth::suite(&store).await;
    conformance::platform::event_log_suite(&store).await;
    for place in [2 * WIDTH - 4, 3 * WIDTH - 9] {
        go_on_at(&mut owner, place).await;
        scratch.open().await.tend_events().await.unwrap();
        conformance::event_log::following_suite(&store).await;
        conformance::event_log::chains::suite(&store).await;
    }
    for part in 0..=3 {
        let query = format!("SELECT count(*) AS count FROM archesai_log.events_{part}");
        assert!(count(&mut owner, &query).await > 0, "part {part}");
    }
}

/// However large the log is, nobody reads a part as a whole who has no index to look into.
#[tokio::test(flavor = "multi_thread")]
async fn every_look_goes_by_an_index_of_each_part() {
    let scratch = Scratch::new().await;
    let mut owner = owner(&scratch).await;
    go_on_at(&mut owner, WIDTH - 2).await;
    // A part is read as a whole only where there is no other way. One connection, whose counts are
    // in when it ends.
    let settings = Settings {
        max_connections: 1,
        ..Settings::new(format!(
            "{}?options=-c%20enable_seqscan%3Doff",
            scratch.server().url
        ))
    };
    let database = Database::open(&settings).await.unwrap();
    let store = database.store();
    let organization = 7;
    for user in 1..=4 {
        let event = Recorded {
            id: user,
            organization_id: Some(OrganizationId(organization)),
            actor_id: None,
            occurred_at: std::time::UNIX_EPOCH,
            event: Event::UserRegistered {
                user_id: UserId(user),
                email: "a@example.com".to_owned(),
            },
        };
        store.record(&event).await.unwrap();
    }
    let events = store.unpublished(&[1].into(), 10).await.unwrap();
    assert_eq!(events.len(), 4);
    store.mark().await.unwrap();
    let all = store.since(Mark::default(), &["user"], 10).await.unwrap();
    store.since(all.mark, &["user"], 10).await.unwrap();
    store
        .history(organization, ("user", 3), 0, 10)
        .await
        .unwrap();
    conformance::event_log::chains::publish(&store, &[organization]).await;
    let everything = (i64::MIN, i64::MIN);
    for owner in [organization, 0] {
        store.records(owner, everything, 10).await.unwrap();
        store.loose(owner).await.unwrap();
        store.next(owner).await.unwrap();
    }
    store.pending().await.unwrap();
    conformance::event_log::chains::shorten(&store, organization).await;
    drop((store, database));
    let looks = "SELECT coalesce(min(idx_scan), 0)::bigint AS count FROM pg_stat_all_tables \
        WHERE relname IN ('events_0', 'events_1')";
    let told = async {
        while count(&mut owner, looks).await < 5 {
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(std::time::Duration::from_secs(10), told);
    told.await
        .expect("what a connection counted is told when it ends");
    let whole = "SELECT sum(seq_scan)::bigint AS count FROM pg_stat_all_tables \
        WHERE relname LIKE 'events\\_%' AND schemaname = 'archesai_log'";
    assert_eq!(count(&mut owner, whole).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_made_ahead_and_dropped_when_empty() {
    let scratch = Scratch::new().await;
    let mut owner = owner(&scratch).await;
    let database = scratch.open().await;
    assert_eq!(database.tend_events().await.unwrap(), 0, "two are there");
    conformance::auth::suite(&database.store()).await;
    go_on_at(&mut owner, 4 * WIDTH + 3).await;
    assert_eq!(database.tend_events().await.unwrap(), 3);
    for (part, is_there) in [(0, true), (1, false), (4, true), (5, true), (6, false)] {
        assert_eq!(has_part(&mut owner, part).await, is_there, "part {part}");
    }
    // Somebody may be about to write into it.
    let mut other = connect(&scratch.owner().url).await;
    let hold = "BEGIN; LOCK TABLE archesai_log.events_0 IN ROW EXCLUSIVE MODE";
    other.batch_execute(hold).await.unwrap();
    owner.batch_execute("DELETE FROM events").await.unwrap();
    assert_eq!(database.tend_events().await.unwrap(), 0);
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(database.tend_events().await.unwrap(), 1);
    assert!(!has_part(&mut owner, 0).await);
    conformance::auth::suite(&database.store()).await;
}
