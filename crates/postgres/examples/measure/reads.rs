//! Reading a row by its key.

use std::{
    collections::BTreeMap,
    io::Write as _,
    time::{Duration, Instant, UNIX_EPOCH},
};

use archesai_conformance::servers::Scratch;
use archesai_postgres::{Database, Pooled, Postgres};
use archesai_workflows::{
    Json, OrganizationId, Pipeline, PipelineId, UserId, ports::Repository as _,
};
use diesel::{
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    pg::{Pg, PgValue},
    prelude::*,
    serialize::{self, IsNull, Output, ToSql},
    sql_query,
    sql_types::Uuid,
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use crate::server;

// Times and documents are taken as they come, so that nothing is compared but the reading.
diesel::table! {
    pipelines (id) {
        id -> Uuid,
        organization_id -> Uuid,
        name -> Text,
        description -> Nullable<Text>,
        version -> BigInt,
        created_by -> Uuid,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    pipeline_versions (pipeline_id, version) {
        organization_id -> Uuid,
        pipeline_id -> Uuid,
        version -> BigInt,
        definition -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(pipelines, pipeline_versions);

/// An id.
#[derive(Clone, Copy, Debug, AsExpression, FromSqlRow)]
#[diesel(sql_type = Uuid)]
struct Id(u128);

impl ToSql<Uuid, Pg> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.0.to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Uuid, Pg> for Id {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(u128::from_be_bytes(value.as_bytes().try_into()?)))
    }
}

/// How many read at once: as many as the pool has connections.
const READERS: usize = 25;
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(3);

const OURS: OrganizationId = OrganizationId(1);
const PIPELINE: PipelineId = PipelineId(2);

pub(super) async fn measure(scratch: &Scratch) {
    let database = Database::open(&server(scratch)).await.unwrap();
    let store = database.store();
    found(&store).await;
    store.insert_pipeline(&pipeline()).await.unwrap();
    let mut free = connections(&scratch.owner_url()).await;
    let mut fenced = connections(&scratch.server_url()).await;
    let mut stores = vec![store; READERS];
    let (mut select, mut fenced_select, mut repository) = (Vec::new(), Vec::new(), Vec::new());
    // They take turns, so that whatever else happens happens to all.
    for _ in 0..ROUNDS {
        select.push(round(&mut free, select_on).await);
        fenced_select.push(round(&mut fenced, select_on).await);
        repository.push(round(&mut stores, find_in).await);
    }
    let figures = json!({
        "select": median(select),
        "fenced_select": median(fenced_select),
        "repository": median(repository),
    });
    println!("{figures}");
}

/// Makes the organization whose pipeline is read.
async fn found(store: &Postgres<Pooled>) {
    use archesai_organizations::{Organization, OrganizationId, Plan, ports::Repository as _};

    let organization = Organization {
        id: OrganizationId(OURS.0),
        name: "measured".to_owned(),
        plan: Plan::default(),
        credits: 0,
        personal_of: None,
        version: 1,
        created_at: UNIX_EPOCH,
        updated_at: UNIX_EPOCH,
    };
    store.insert_organization(&organization).await.unwrap();
}

fn pipeline() -> Pipeline {
    Pipeline {
        id: PIPELINE,
        organization_id: OURS,
        name: "measured".to_owned(),
        description: None,
        definition: Json::Object(BTreeMap::new()),
        version: 1,
        created_by: UserId(3),
        created_at: UNIX_EPOCH,
        updated_at: UNIX_EPOCH,
    }
}

/// Connections that work for the one tenant.
async fn connections(url: &str) -> Vec<AsyncPgConnection> {
    let scope = format!(
        "SELECT set_config('archesai.organization', '{:032x}', false)",
        OURS.0
    );
    let mut connections = Vec::new();
    for _ in 0..READERS {
        let mut connection = AsyncPgConnection::establish(url).await.unwrap();
        sql_query(&scope).execute(&mut connection).await.unwrap();
        connections.push(connection);
    }
    connections
}

/// Reads with a connection until a time; how often that was.
async fn select_on(mut connection: AsyncPgConnection, until: Instant) -> (AsyncPgConnection, u32) {
    type Row = ((Id, Id, String, Option<String>, i64, Id, i64, i64), String);

    let mut done = 0;
    while Instant::now() < until {
        let row: Row = pipelines::table
            .inner_join(
                pipeline_versions::table.on(pipeline_versions::organization_id
                    .eq(pipelines::organization_id)
                    .and(pipeline_versions::pipeline_id.eq(pipelines::id))
                    .and(pipeline_versions::version.eq(pipelines::version))),
            )
            .filter(pipelines::id.eq(Id(PIPELINE.0)))
            .select((pipelines::all_columns, pipeline_versions::definition))
            .first(&mut connection)
            .await
            .unwrap();
        drop(row);
        done += 1;
    }
    (connection, done)
}

/// The same with the repository.
async fn find_in(store: Postgres<Pooled>, until: Instant) -> (Postgres<Pooled>, u32) {
    let mut done = 0;
    while Instant::now() < until {
        let found = store.find_pipeline(OURS, PIPELINE).await;
        assert!(found.unwrap().is_some());
        done += 1;
    }
    (store, done)
}

/// How many times a second all of them read together.
async fn round<R, F>(readers: &mut Vec<R>, read: fn(R, Instant) -> F) -> f64
where
    R: Send + 'static,
    F: Future<Output = (R, u32)> + Send + 'static,
{
    let began = Instant::now();
    let reading: Vec<_> = readers
        .drain(..)
        .map(|reader| tokio::spawn(read(reader, began + ROUND)))
        .collect();
    let mut done = 0;
    for reading in reading {
        let (reader, times) = reading.await.unwrap();
        readers.push(reader);
        done += times;
    }
    f64::from(done) / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
