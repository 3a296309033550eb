//! Bringing tables up to date, and what the start refuses.

use std::time::{Duration, Instant};

use archesai_postgres::{Database, Settings};
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use diesel_async::RunQueryDsl as _;
use futures_util::future::join_all;

use archesai_conformance::servers::{
    scratch::{admin_url, with_name},
    told,
};

use crate::scratch::{Scratch, connect};

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

async fn refusal(settings: &Settings) -> String {
    let begun = Instant::now();
    let refused = Database::open(settings).await.err().unwrap().to_string();
    assert!(begun.elapsed() < Duration::from_secs(5), "{refused}");
    assert!(!refused.contains("archesai:"), "{refused}");
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_start_on_an_empty_database_one_migrates() {
    let scratch = Scratch::empty().await;
    let starts = (0..8).map(|_| async {
        Database::migrate(&scratch.owner(), &scratch.server()).await?;
        Database::open(&scratch.server()).await
    });
    for started in join_all(starts).await {
        started.unwrap().check().await.unwrap();
    }
    let mut owner = connect(&scratch.owner().url).await;
    let starts = "SELECT count(DISTINCT run_on) AS number FROM __diesel_schema_migrations";
    let starts: Number = sql_query(starts).get_result(&mut owner).await.unwrap();
    assert_eq!(starts.number, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_version_wrote_is_refused() {
    let scratch = Scratch::new().await;
    let mut owner = connect(&scratch.owner().url).await;
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99999999999999')";
    sql_query(newer).execute(&mut owner).await.unwrap();
    let refused = refusal(&scratch.server()).await;
    assert!(refused.contains("99999999999999"), "{refused}");
    assert!(refused.contains("newer version"), "{refused}");
    let refused = Database::migrate(&scratch.owner(), &scratch.server()).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("newer version"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_not_up_to_date_are_refused() {
    let scratch = Scratch::empty().await;
    let refused = refusal(&scratch.server()).await;
    assert!(refused.contains("archesai migrate"), "{refused}");
    Database::migrate(&scratch.owner(), &scratch.server())
        .await
        .unwrap();
    let mut owner = connect(&scratch.owner().url).await;
    let older = "DELETE FROM __diesel_schema_migrations WHERE version = '00000000000005'";
    sql_query(older).execute(&mut owner).await.unwrap();
    let refused = refusal(&scratch.server()).await;
    assert!(
        refused.contains("lacks migration 00000000000005"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_sees_everything_is_refused() {
    let scratch = Scratch::new().await;
    Database::migrate(&scratch.owner(), &scratch.bypass())
        .await
        .unwrap();
    let refused = refusal(&scratch.bypass()).await;
    assert!(refused.contains("BYPASSRLS"), "{refused}");
    let refused = refusal(&scratch.owner()).await;
    assert!(refused.contains("owns the tables"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_pgvector_is_refused() {
    let scratch = Scratch::bare().await;
    let refused = Database::migrate(&scratch.owner(), &scratch.server()).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("CREATE EXTENSION vector"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_database_the_start_says_so() {
    let absent = with_name(&told("ARCHESAI_TEST_POSTGRES_URL"), "there_is_none");
    let refused = refusal(&Settings::new(absent)).await;
    assert!(refused.contains("there_is_none"), "{refused}");
    let wrong =
        told("ARCHESAI_TEST_POSTGRES_URL").replace("archesai_server:archesai@", "nobody:wrong@");
    let refused = refusal(&Settings::new(wrong)).await;
    assert!(refused.contains("nobody"), "{refused}");
    let nobody_listens = Settings::new("postgres://u:archesai@127.0.0.1:1/d");
    let refused = refusal(&nobody_listens).await;
    assert!(refused.contains("127.0.0.1:1/d"), "{refused}");
    assert!(refused.contains("refused"), "{refused}");
    let refused = refusal(&Settings::new("mysql://u:archesai@h/d")).await;
    assert!(refused.contains("postgres"), "{refused}");
    let settings = Settings::new(admin_url());
    assert!(!format!("{settings:?}").contains(":archesai@"));
}
