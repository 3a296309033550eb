//! Content on a real database in a file: the suite of the port, and that no row, word or
//! vector is left behind.

#![expect(clippy::unwrap_used, reason = "a test fails loudly, at the place")]

use std::{collections::BTreeMap, time::UNIX_EPOCH};

use archesai_content::{
    Artifact, ArtifactId, Chunk, ChunkId, IndexStatus, Json, Label, LabelId, ModelInfo,
    OrganizationId,
    ports::{NewIndex, Repository},
};
use archesai_sqlite::{Database, Pooled, Sqlite};
use diesel::{
    Connection, QueryableByName, RunQueryDsl, sql_types::BigInt, sqlite::SqliteConnection,
};
use tempfile::TempDir;

const OURS: OrganizationId = OrganizationId(1);

/// A database with an artifact that has a label, passages and vectors.
struct Scratch {
    store: Sqlite<Pooled>,
    folder: TempDir,
}

const IT: ArtifactId = ArtifactId(2);

impl Scratch {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let store = Database::open(&path, 2).await.unwrap().store();
        let label = Label {
            id: LabelId(3),
            organization_id: OURS,
            name: "x".to_owned(),
            created_at: UNIX_EPOCH,
        };
        store.insert_label(OURS, &label).await.unwrap();
        store.insert_artifact(OURS, &artifact()).await.unwrap();
        Self { store, folder }
    }

    /// What the database answers to a question about numbers, past the adapter.
    fn number(&self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Number {
            #[diesel(sql_type = BigInt)]
            number: i64,
        }
        let row: Number = diesel::sql_query(sql)
            .get_result(&mut self.connection())
            .unwrap();
        row.number
    }

    fn rows(&self, table: &str) -> i64 {
        self.number(&format!("SELECT count(*) AS number FROM {table}"))
    }

    /// Fails if the index of words does not say what the passages do.
    fn check_words(&self) {
        diesel::sql_query(
            "INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('integrity-check', 1)",
        )
        .execute(&mut self.connection())
        .unwrap();
    }

    fn connection(&self) -> SqliteConnection {
        let path = self.folder.path().join("test.db");
        SqliteConnection::establish(&path.to_string_lossy()).unwrap()
    }

    async fn index(&self, index: NewIndex) {
        let replaced = self.store.replace_chunks(OURS, IT, &index).await;
        assert!(replaced.unwrap());
    }
}

fn artifact() -> Artifact {
    Artifact {
        id: IT,
        organization_id: OURS,
        name: "it".to_owned(),
        media_type: "text/plain".to_owned(),
        size: 5,
        sha256: [7; 32],
        blob_key: "1/2".to_owned(),
        metadata: Json::Object(BTreeMap::new()),
        labels: vec!["x".to_owned()],
        index_status: IndexStatus::Pending,
        index_error: None,
        chunk_count: 0,
        version: 1,
        created_by: None,
        created_at: UNIX_EPOCH,
        updated_at: UNIX_EPOCH,
    }
}

fn model() -> ModelInfo {
    ModelInfo {
        name: "m".to_owned(),
        dimensions: 2,
    }
}

/// Passages, the first `embedded` of them with a vector.
fn passages(texts: &[&str], embedded: usize) -> NewIndex {
    let chunks = texts.iter().zip(0_u32..).map(|(text, position)| Chunk {
        id: ChunkId(u128::from(position) + 10),
        artifact_id: IT,
        position,
        text: (*text).to_owned(),
        start: 0,
        end: text.len() as u64,
        embedding: ((position as usize) < embedded).then(|| vec![1.0, 0.0]),
    });
    NewIndex {
        fence: None,
        text: Some(texts.join("\n")),
        chunks: chunks.collect(),
        model: Some(model()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let database = Database::open(&path, 2).await.unwrap();
    archesai_conformance::content::suite(&database.store()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_takes_everything_along() {
    let scratch = Scratch::new().await;
    scratch.index(passages(&["one", "two"], 2)).await;
    let deleted = scratch.store.delete_artifact(OURS, IT).await.unwrap();
    assert!(deleted.is_some());
    for table in ["artifacts", "artifact_labels", "chunks", "chunk_embeddings"] {
        assert_eq!(scratch.rows(table), 0, "{table}");
    }
    scratch.check_words();
}

#[tokio::test(flavor = "multi_thread")]
async fn replaced_passages_leave_nothing() {
    let scratch = Scratch::new().await;
    scratch.index(passages(&["one", "two"], 2)).await;
    scratch.index(passages(&["three"], 0)).await;
    assert_eq!(scratch.rows("chunks"), 1);
    assert_eq!(scratch.rows("chunk_embeddings"), 0);
    scratch.check_words();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_has_a_direction_once_all_its_passages_have_one() {
    let scratch = Scratch::new().await;
    let directions = "SELECT count(*) AS number FROM artifacts WHERE embedding IS NOT NULL";
    scratch.index(passages(&["one", "two"], 1)).await;
    assert_eq!(scratch.number(directions), 0);
    let rest = [(ChunkId(11), vec![0.0, 1.0])];
    let stored = scratch.store.store_embeddings(OURS, &model(), &rest).await;
    stored.unwrap();
    assert_eq!(scratch.number(directions), 1);
}
