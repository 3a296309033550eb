//! Row-level security: on every table that belongs to tenants, whichever is added.

use archesai_conformance as conformance;
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Bool, Text},
};
use diesel_async::RunQueryDsl as _;

use crate::scratch::{Scratch, connect};

/// The tables that belong to no tenant, and why.
const OF_NOBODY: [&str; 11] = [
    "__diesel_schema_migrations", // which migrations were run
    "data_keys",                  // of the server
    "embedding_models",           // names of models
    "idempotency_keys",           // by digests of who asks and what
    "leases",                     // what one node at a time may do
    "sessions",                   // of users
    "signing_keys",               // of the server
    "spent_tokens",               // of sessions
    "usage_tallies",              // how far the log was read
    "users",                      // who may belong to several
    "workers",                    // processes
];

#[derive(Debug, QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    is_forced: bool,
    #[diesel(sql_type = Bool)]
    has_policies: bool,
    #[diesel(sql_type = Bool)]
    is_indexed: bool,
}

/// Every table; whether it is fenced off for its owner too, whether it has the two policies and no
/// other, and whether an index begins with the tenant.
const TABLES: &str = "SELECT c.relname AS name, \
        c.relrowsecurity AND c.relforcerowsecurity AS is_forced, \
        (SELECT coalesce(array_agg(polname::text ORDER BY polname), '{}') FROM pg_policy \
            WHERE polrelid = c.oid AND polcmd = '*' AND polpermissive AND polroles = '{0}') \
            = ARRAY['of_the_system', 'of_the_tenant'] AS has_policies, \
        EXISTS (SELECT FROM pg_index AS i JOIN pg_attribute AS a \
            ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
            WHERE i.indrelid = c.oid AND i.indpred IS NULL AND a.attname = \
                CASE c.relname WHEN 'organizations' THEN 'id' ELSE 'organization_id' END) \
            AS is_indexed \
    FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace \
    ORDER BY c.relname";

#[tokio::test(flavor = "multi_thread")]
async fn every_table_of_tenants_is_fenced_and_indexed() {
    let scratch = Scratch::new().await;
    let mut owner = connect(&scratch.owner().url).await;
    let tables: Vec<Table> = sql_query(TABLES).load(&mut owner).await.unwrap();
    assert!(tables.len() > 20);
    for table in &tables {
        if !OF_NOBODY.contains(&table.name.as_str()) {
            assert!(
                table.is_forced && table.has_policies && table.is_indexed,
                "{table:?}"
            );
        }
    }
    for name in OF_NOBODY {
        assert!(tables.iter().any(|table| table.name == name), "{name}");
    }
}

/// The event log is appended to, and nothing else, by whoever, and no key is taken away that
/// something may be sealed under.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_is_not_unsaid() {
    let scratch = Scratch::new().await;
    let mut server = connect(&scratch.server().url).await;
    let mut owner = connect(&scratch.owner().url).await;
    for sql in [
        "UPDATE events SET kind = 'x'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DELETE FROM chains",
        // Behind the log, where no fence is.
        "SELECT FROM archesai_log.events_0",
        "DELETE FROM data_keys",
        "UPDATE __diesel_schema_migrations SET version = 'x'",
        "ALTER TABLE events NO FORCE ROW LEVEL SECURITY",
        "CREATE TABLE mine (id integer)",
    ] {
        let refused = sql_query(sql).execute(&mut server).await;
        refused.expect_err(sql);
    }
    conformance::event_log::chains::suite(&scratch.open().await.store()).await;
    let system = sql_query("SET archesai.system = 'on'");
    system.execute(&mut owner).await.unwrap();
    for sql in [
        "UPDATE events SET kind = 'x'",
        "UPDATE events SET position = position + 1 WHERE position IS NOT NULL",
        "DELETE FROM data_keys",
        "TRUNCATE data_keys",
    ] {
        let refused = sql_query(sql).execute(&mut owner).await;
        refused.expect_err(sql);
    }
}
