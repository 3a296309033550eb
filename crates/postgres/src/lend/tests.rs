//! That nobody sees what is another's, and that no connection is handed back in disorder: with a
//! single connection, which all that is done uses in turn.

#[path = "../../tests/it/scratch.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod scratch;

use std::time::{Duration, Instant};

use archesai_platform::Error;
use diesel::{
    QueryableByName,
    sql_types::{BigInt, Integer, Text, Uuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};
use futures_util::FutureExt as _;

use super::*;
use crate::{
    Settings,
    errand::{Link, read, together, write},
    types::Id,
};
use scratch::{Scratch, connect};

const OURS: u128 = 1;
const THEIRS: u128 = 2;

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// A database with an organization of ours and one of theirs, through one connection.
async fn database() -> (Pooled, Scratch) {
    let scratch = Scratch::new().await;
    let settings = Settings {
        max_connections: 1,
        ..scratch.server()
    };
    let pooled = Pooled(Database::open(&settings).await.unwrap());
    for id in [OURS, THEIRS] {
        let add = vec![organization(id)];
        let added = pooled.later::<Error>(together(Scope::Tenant(id)), add);
        added.await.unwrap();
    }
    (pooled, scratch)
}

fn organization(id: u128) -> Sql {
    Sql::new(
        "INSERT INTO organizations (id, name, version, created_at, updated_at) \
         VALUES ($1, 'somebody', 1, now(), now())",
    )
    .bind::<Uuid, _>(Id(id))
}

async fn number(pooled: &impl Lend, errand: Errand, sql: &str) -> Result<i64, Error> {
    let ask = async |mut link: Link<'_>| {
        let answer: Number = Sql::new(sql).get_result(&mut link).await?;
        Ok(answer.number)
    };
    pooled.run(errand, ask).await
}

/// How many organizations somebody sees.
async fn seen(pooled: &impl Lend, scope: Scope) -> i64 {
    let count = "SELECT count(*) AS number FROM organizations";
    number(pooled, read(scope), count).await.unwrap()
}

/// Which process of the server answers.
async fn process(pooled: &impl Lend) -> i64 {
    let ask = "SELECT pg_backend_pid()::bigint AS number";
    number(pooled, read(Scope::Nobody), ask).await.unwrap()
}

/// Nobody sees anything, whoever had the connection before.
async fn is_clean(pooled: &Pooled) -> bool {
    seen(pooled, Scope::Nobody).await == 0
        && seen(pooled, Scope::Tenant(OURS)).await == 1
        && seen(pooled, Scope::Tenant(9)).await == 0
        && seen(pooled, Scope::System).await == 2
        && seen(pooled, Scope::Nobody).await == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sees_their_own_and_nobody_sees_anything() {
    let (pooled, _scratch) = database().await;
    assert!(is_clean(&pooled).await);
    let before = process(&pooled).await;
    // In transactions too, whatever becomes of them, and whatever was before.
    for scope in [Scope::Tenant(OURS), Scope::System] {
        for commits in [true, false] {
            let open = Open::new(pooled.0.clone(), scope).await.unwrap();
            let expected = if scope == Scope::System { 2 } else { 1 };
            assert_eq!(seen(&open, scope).await, expected);
            if commits {
                open.end::<Error>().await.unwrap();
            } else {
                drop(open);
            }
            assert!(is_clean(&pooled).await, "{scope:?} {commits}");
        }
    }
    // A failure leaves nothing either.
    let failed = number(
        &pooled,
        write(Scope::Tenant(OURS)),
        "SELECT 1 / 0 AS number",
    )
    .await;
    assert!(failed.is_err());
    assert!(is_clean(&pooled).await);
    assert_eq!(
        process(&pooled).await,
        before,
        "the connection is still the same"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_gets_in_for_anybody_else() {
    let (pooled, _scratch) = database().await;
    for scope in [Scope::Nobody, Scope::Tenant(OURS)] {
        let foreign = pooled.later::<Error>(together(scope), vec![organization(7)]);
        foreign.await.unwrap_err();
        let change = async |mut link: Link<'_>| {
            let rename = Sql::new("UPDATE organizations SET name = 'x' WHERE id = $1");
            let rename = rename.bind::<Uuid, _>(Id(THEIRS));
            Ok(rename.execute(&mut link).await?)
        };
        let changed: Result<usize, Error> = pooled.run(write(scope), change).await;
        assert_eq!(changed.unwrap(), 0);
    }
    assert_eq!(seen(&pooled, Scope::System).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_connection_of_the_server_sees_nothing() {
    let (_pooled, scratch) = database().await;
    let mut plain = connect(&scratch.server().url).await;
    let count = Sql::new("SELECT count(*) AS number FROM organizations");
    let seen: Number = count.get_result(&mut plain).await.unwrap();
    assert_eq!(seen.number, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_transaction_hands_back_its_connection_clean() {
    let (pooled, _scratch) = database().await;
    let before = process(&pooled).await;
    for polls in 0..4 {
        let open = Open::new(pooled.0.clone(), Scope::System).await.unwrap();
        let add = open.later::<Error>(together(Scope::System), vec![organization(7)]);
        add.await.unwrap();
        if polls > 0 {
            assert_eq!(seen(&open, Scope::System).await, 3);
        }
        drop(open);
        assert_eq!(seen(&pooled, Scope::System).await, 2);
        assert_eq!(process(&pooled).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_halfway_takes_its_connection_with_it() {
    let (pooled, _scratch) = database().await;
    let sleep = "SELECT 1::bigint AS number FROM pg_sleep(60)";
    let begun = Instant::now();
    let before = process(&pooled).await;
    let mut alone = Box::pin(number(&pooled, write(Scope::Tenant(OURS)), sleep));
    assert!(alone.as_mut().now_or_never().is_none());
    drop(alone);
    assert!(is_clean(&pooled).await);
    let open = Open::new(pooled.0.clone(), Scope::System).await.unwrap();
    let mut within = Box::pin(number(&open, write(Scope::System), sleep));
    assert!(within.as_mut().now_or_never().is_none());
    drop(within);
    number(&open, read(Scope::System), "SELECT 1::bigint AS number")
        .await
        .expect_err("the transaction is broken");
    drop(open);
    assert!(is_clean(&pooled).await);
    assert_ne!(process(&pooled).await, before);
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_with_a_failure_in_it_does_not_commit() {
    let (pooled, _scratch) = database().await;
    let open = Open::new(pooled.0.clone(), Scope::System).await.unwrap();
    let add = open.later::<Error>(together(Scope::System), vec![organization(7)]);
    add.await.unwrap();
    number(&open, write(Scope::System), "SELECT 1 / 0 AS number")
        .await
        .unwrap_err();
    open.end::<Error>().await.unwrap_err();
    assert_eq!(seen(&pooled, Scope::System).await, 2);
    // So it is with what travels with the commit.
    let open = Open::new(pooled.0.clone(), Scope::System).await.unwrap();
    let add = vec![organization(7), organization(OURS), organization(8)];
    let added = open.later::<Error>(together(Scope::System), add).await;
    added.unwrap();
    open.end::<Error>().await.unwrap_err();
    assert_eq!(seen(&pooled, Scope::System).await, 2);
}

/// Ends the connection of a pool from outside.
async fn terminate(pooled: &Pooled, owner: &mut AsyncPgConnection) {
    let terminate = Sql::new("SELECT pg_terminate_backend($1) ");
    let process = i32::try_from(process(pooled).await).unwrap();
    let terminate = terminate.bind::<Integer, _>(process);
    terminate.execute(owner).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_replaced() {
    let (pooled, scratch) = database().await;
    let mut owner = connect(&scratch.owner().url).await;
    for _ in 0..20 {
        terminate(&pooled, &mut owner).await;
        assert_eq!(
            seen(&pooled, Scope::Tenant(OURS)).await,
            1,
            "a read is tried again"
        );
        terminate(&pooled, &mut owner).await;
        let open = Open::new(pooled.0.clone(), Scope::System).await.unwrap();
        assert_eq!(
            seen(&open, Scope::System).await,
            2,
            "so is what begins a transaction"
        );
        terminate_open(&open, &mut owner).await;
        number(&open, read(Scope::System), "SELECT 1::bigint AS number")
            .await
            .expect_err("what came before is lost");
        drop(open);
        assert!(is_clean(&pooled).await);
    }
}

async fn terminate_open(open: &Open, owner: &mut AsyncPgConnection) {
    let process = i32::try_from(process(open).await).unwrap();
    let terminate = Sql::new("SELECT pg_terminate_backend($1) ").bind::<Integer, _>(process);
    terminate.execute(owner).await.unwrap();
}

/// Statements that must be prepared first do not fall behind those that are.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_together_happens_in_its_order() {
    let (pooled, _scratch) = database().await;
    let append = |place: usize, is_new: bool| {
        // Another text is another statement.
        let text = if is_new {
            format!(" -- {place}")
        } else {
            String::new()
        };
        Sql::new(format!(
            "SELECT set_config('archesai.test', \
             coalesce(current_setting('archesai.test', true), '') || $1, false){text}"
        ))
        .bind::<Text, _>(format!("{place},"))
    };
    let all = async |mut link: Link<'_>| {
        let statements = (0..60).map(|place| append(place, place % 3 == 0)).collect();
        in_order(link, statements).await?;
        let length = "SELECT (SELECT string_agg(n || ',', '' ORDER BY n) \
            FROM generate_series(0, 59) AS n) = current_setting('archesai.test') AS is_right";
        let right = Sql::new(format!(
            "SELECT count(*) AS number FROM ({length}) AS a WHERE is_right"
        ));
        let right: Number = right.get_result(&mut link).await?;
        Ok(right.number)
    };
    let right: Result<i64, Error> = pooled.run(write(Scope::Nobody), all).await;
    assert_eq!(right.unwrap(), 1);
}
