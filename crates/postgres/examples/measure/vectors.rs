//! Searching by vectors of the usual size.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant, UNIX_EPOCH},
};

use archesai_conformance::servers::Scratch;
use archesai_content::{
    Artifact, ArtifactId, Chunk, ChunkId, IndexStatus, Json, ModelInfo, OrganizationId,
    SearchFilter,
    ports::{NewIndex, Repository as _},
};
use archesai_postgres::{Database, Pooled, Postgres};
use serde_json::json;
use tokio_postgres::{Client, NoTls};

use crate::server;

const OURS: OrganizationId = OrganizationId(1);
const DIMENSIONS: usize = 1536;

/// How many passages an artifact has.
const OF_ONE: usize = 500;

/// Vectors lie around so many centres, as those of texts lie around what the texts are about.
const CENTRES: usize = 200;

/// How far from its centre a vector lies: about as far as from the origin.
const SPREAD: f32 = 1.0;

const QUERIES: usize = 100;
const NEAREST: u32 = 10;

/// The index is made when the vectors are there, which takes a fraction of the time.
const WITHOUT_INDEX: &str = "DROP INDEX chunk_embeddings_vector";
const WITH_INDEX: &str = "SET maintenance_work_mem = '2GB'; \
    CREATE INDEX chunk_embeddings_vector ON chunk_embeddings USING hnsw (vector halfvec_cosine_ops); \
    ANALYZE";

pub(super) async fn measure(scratch: &Scratch, count: usize) {
    let settings = server(scratch);
    let by_index = count > settings.exact_search_up_to as usize;
    let store = Database::open(&settings).await.unwrap().store();
    let owner = connect(&scratch.owner_url()).await;
    let mut texts = Texts::new();
    owner.batch_execute(WITHOUT_INDEX).await.unwrap();
    for number in (1..).take(count / OF_ONE) {
        let vectors = (0..OF_ONE).map(|_| texts.vector()).collect();
        put(&store, number, vectors).await;
    }
    owner.batch_execute(WITH_INDEX).await.unwrap();

    let exact = Plain::connect(scratch, false).await;
    let plain = Plain::connect(scratch, by_index).await;
    let (mut found, mut of_adapter, mut of_sql) = (0, Vec::new(), Vec::new());
    for _ in 0..QUERIES {
        let query = texts.vector();
        let nearest = exact.search(&query).await;
        let began = Instant::now();
        let hits = search(&store, &query).await;
        of_adapter.push(began.elapsed());
        let began = Instant::now();
        plain.search(&query).await;
        of_sql.push(began.elapsed());
        assert_eq!(hits.len(), NEAREST as usize);
        found += hits.intersection(&nearest).count();
    }
    let expected = QUERIES * NEAREST as usize;
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    let recall = found as f64 / expected as f64;
    let figures = json!({
        "recall": recall,
        "adapter": median(of_adapter).as_secs_f64(),
        "sql": median(of_sql).as_secs_f64(),
    });
    println!("{figures}");
}

fn model() -> ModelInfo {
    ModelInfo {
        name: "measured".to_owned(),
        dimensions: u32::try_from(DIMENSIONS).unwrap(),
    }
}

/// What a model might make of texts: vectors around centres.
struct Texts {
    random: Random,
    centres: Vec<Vec<f32>>,
}

impl Texts {
    fn new() -> Self {
        let mut random = Random(1);
        let centres = (0..CENTRES).map(|_| random.vector()).collect();
        Self { random, centres }
    }

    fn vector(&mut self) -> Vec<f32> {
        let centre = &self.centres[self.random.next() as usize % CENTRES];
        let around = self.random.vector();
        let sum = centre.iter().zip(around);
        unit(sum.map(|(at, by)| at + SPREAD * by).collect())
    }
}

/// Numbers that look random and are always the same (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 32) as u32
    }

    fn vector(&mut self) -> Vec<f32> {
        let number = |_| {
            let [_, _, high @ ..] = self.next().to_le_bytes();
            f32::from(i16::from_le_bytes(high)) / 32_768.0
        };
        unit((0..DIMENSIONS).map(number).collect())
    }
}

fn unit(vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.into_iter().map(|x| x / length).collect()
}

/// Stores an artifact with a passage for each vector.
async fn put(store: &Postgres<Pooled>, number: u128, vectors: Vec<Vec<f32>>) {
    let first = number * 1_000_000;
    let artifact = Artifact {
        id: ArtifactId(first),
        organization_id: OURS,
        name: "measured".to_owned(),
        media_type: "text/plain".to_owned(),
        size: 1,
        sha256: [7; 32],
        blob_key: number.to_string(),
        metadata: Json::Object(BTreeMap::new()),
        labels: Vec::new(),
        index_status: IndexStatus::Pending,
        index_error: None,
        chunk_count: 0,
        version: 1,
        created_by: None,
        created_at: UNIX_EPOCH,
        updated_at: UNIX_EPOCH,
    };
    store.insert_artifact(OURS, &artifact).await.unwrap();
    let chunks = vectors
        .into_iter()
        .zip(0..)
        .map(|(vector, position)| Chunk {
            id: ChunkId(first + u128::from(position)),
            artifact_id: artifact.id,
            position,
            text: "passage".to_owned(),
            start: 0,
            end: 7,
            embedding: Some(vector),
        });
    let index = NewIndex {
        fence: None,
        text: None,
        chunks: chunks.collect(),
        model: Some(model()),
    };
    let replaced = store.replace_chunks(OURS, artifact.id, &index);
    assert!(replaced.await.unwrap());
}

async fn search(store: &Postgres<Pooled>, query: &[f32]) -> BTreeSet<u128> {
    let all = SearchFilter::default();
    let model = model();
    let hits = store.search_semantic(OURS, &model, query, &all, NEAREST);
    hits.await
        .unwrap()
        .iter()
        .map(|hit| hit.chunk_id.0)
        .collect()
}

/// Searches as somebody would who has nothing but SQL.
struct Plain {
    client: Client,
    statement: tokio_postgres::Statement,
}

impl Plain {
    async fn connect(scratch: &Scratch, by_index: bool) -> Self {
        let client = connect(&scratch.server_url()).await;
        let set = format!(
            "SET archesai.organization = '{:032x}'; SET hnsw.ef_search = 100; \
             SET enable_indexscan = {by_index}; SET hnsw.iterative_scan = relaxed_order",
            OURS.0
        );
        client.batch_execute(&set).await.unwrap();
        let sql = format!(
            "SELECT c.id::text, c.text, c.position, a.name, 1 - e.distance \
             FROM (SELECT chunk, artifact_id, \
                     vector <=> (SELECT $1::float4[]::halfvec) AS distance \
                 FROM chunk_embeddings WHERE organization_id = '{:032x}' \
                 ORDER BY distance LIMIT {NEAREST}) AS e \
             JOIN chunks AS c ON c.sequence = e.chunk JOIN artifacts AS a ON a.id = e.artifact_id",
            OURS.0
        );
        let statement = client.prepare(&sql).await.unwrap();
        Self { client, statement }
    }

    async fn search(&self, query: &[f32]) -> BTreeSet<u128> {
        let rows = self.client.query(&self.statement, &[&query]).await.unwrap();
        let id = |row: &tokio_postgres::Row| {
            let id: String = row.get(0);
            u128::from_str_radix(&id.replace('-', ""), 16).unwrap()
        };
        rows.iter().map(id).collect()
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
