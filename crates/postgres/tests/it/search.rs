//! The index for vectors, which is asked where comparing one by one would take long.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant, UNIX_EPOCH},
};

use archesai_content::{
    Artifact, ArtifactId, Chunk, ChunkId, IndexStatus, Json, ModelInfo, OrganizationId,
    SearchFilter,
    ports::{NewIndex, Repository as _},
};
use archesai_postgres::{Database, Pooled, Postgres, Settings};
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use diesel_async::{AsyncPgConnection, RunQueryDsl as _};

use crate::scratch::{Scratch, connect};

const OURS: OrganizationId = OrganizationId(1);
const THEIRS: OrganizationId = OrganizationId(2);
const DIMENSIONS: usize = 64;
const OWN: u128 = 400;

fn model() -> ModelInfo {
    ModelInfo {
        name: "m".to_owned(),
        dimensions: u32::try_from(DIMENSIONS).unwrap(),
    }
}

/// Numbers between -1 and 1 that look random and are always the same (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bits = u16::try_from((z ^ (z >> 31)) >> 48).unwrap();
        f32::from(bits) / 32_768.0 - 1.0
    }

    fn unit(&mut self) -> Vec<f32> {
        let vector: Vec<f32> = (0..DIMENSIONS).map(|_| self.next()).collect();
        let length = dot(&vector, &vector).sqrt();
        vector.into_iter().map(|x| x / length).collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Stores an artifact with a passage for each vector.
async fn put(store: &Postgres<Pooled>, organization: OrganizationId, vectors: &[Vec<f32>]) {
    let first = organization.0 * 1_000_000;
    let artifact = Artifact {
        id: ArtifactId(first),
        organization_id: organization,
        name: "it".to_owned(),
        media_type: "text/plain".to_owned(),
        size: 1,
        sha256: [7; 32],
        blob_key: "k".to_owned(),
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
    store
        .insert_artifact(organization, &artifact)
        .await
        .unwrap();
    let chunks = vectors.iter().zip(0..).map(|(vector, position)| Chunk {
        id: ChunkId(first + u128::from(position)),
        artifact_id: artifact.id,
        position,
        text: "passage".to_owned(),
        start: 0,
        end: 7,
        embedding: Some(vector.clone()),
    });
    let index = NewIndex {
        fence: None,
        text: None,
        chunks: chunks.collect(),
        model: Some(model()),
    };
    let replaced = store.replace_chunks(organization, artifact.id, &index);
    assert!(replaced.await.unwrap());
}

/// How many of the ten nearest are found, and that ten always are.
async fn recall(store: &Postgres<Pooled>, known: &[Vec<f32>], numbers: &mut Numbers) -> f64 {
    let mut found = 0_u32;
    for _ in 0..40 {
        let query = numbers.unit();
        let all = SearchFilter::default();
        let hits = store
            .search_semantic(OURS, &model(), &query, &all, 10)
            .await;
        let hits = hits.unwrap();
        assert_eq!(hits.len(), 10);
        assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
        let mut nearest: Vec<_> = known.iter().zip(0_u128..).collect();
        nearest.sort_by(|(a, _), (b, _)| dot(b, &query).total_cmp(&dot(a, &query)));
        let nearest: BTreeSet<u128> = nearest.iter().take(10).map(|(_, at)| *at).collect();
        let is_near = |id: ChunkId| nearest.contains(&(id.0 - OURS.0 * 1_000_000));
        found += hits
            .iter()
            .map(|hit| u32::from(is_near(hit.chunk_id)))
            .sum::<u32>();
    }
    f64::from(found) / 400.0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_misses_few_and_finds_as_many_as_asked_for() {
    let scratch = Scratch::new().await;
    let mut numbers = Numbers(1);
    let ours: Vec<_> = (0..OWN).map(|_| numbers.unit()).collect();
    let theirs: Vec<_> = (0..OWN).map(|_| numbers.unit()).collect();
    let by_index = Settings {
        exact_search_up_to: 300,
        ..scratch.server()
    };
    let by_index = Database::open(&by_index).await.unwrap().store();
    let one_by_one = scratch.open().await.store();
    put(&one_by_one, OURS, &ours).await;
    put(&one_by_one, THEIRS, &theirs).await;
    // As the database itself would after a while.
    let mut owner = connect(&scratch.owner().url).await;
    let analyze = sql_query("ANALYZE chunk_embeddings").execute(&mut owner);
    analyze.await.unwrap();
    let exact = recall(&one_by_one, &ours, &mut numbers).await;
    assert!(exact > 0.98, "{exact}");
    let approximate = recall(&by_index, &ours, &mut numbers).await;
    assert!(approximate >= 0.95, "{approximate}");
    // A connection tells what it did when it ends.
    drop(by_index);
    let begun = Instant::now();
    while scans(&mut owner).await < 40 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the index is not used"
        );
    }
}

/// How often the index was asked.
async fn scans(owner: &mut AsyncPgConnection) -> i64 {
    #[derive(QueryableByName)]
    struct Number {
        #[diesel(sql_type = BigInt)]
        number: i64,
    }

    let scans = "SELECT pg_stat_get_numscans('chunk_embeddings_vector'::regclass) AS number";
    let scans: Number = sql_query(scans).get_result(owner).await.unwrap();
    scans.number
}
