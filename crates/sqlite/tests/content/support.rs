//! A database of its own for each test, and things to put into it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

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

pub(crate) const OURS: OrganizationId = OrganizationId(1);
pub(crate) const THEIRS: OrganizationId = OrganizationId(2);

static NEXT: AtomicU64 = AtomicU64::new(1000);

/// An identity that no other call answers; they grow.
pub(crate) fn fresh() -> u128 {
    u128::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A time, so many seconds after some other one.
pub(crate) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

/// A database that is deleted when it is dropped.
pub(crate) struct Scratch {
    pub(crate) store: Sqlite<Pooled>,
    folder: TempDir,
}

impl Scratch {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(&folder.path().join("test.db"), 2)
            .await
            .expect("it opens");
        Self {
            store: database.store(),
            folder,
        }
    }

    /// What the database answers to a question about numbers, past the adapter.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Number {
            #[diesel(sql_type = BigInt)]
            number: i64,
        }
        let row: Number = diesel::sql_query(sql)
            .get_result(&mut self.connection())
            .expect("it answers");
        row.number
    }

    /// Fails if the index of words does not say what the passages do.
    pub(crate) fn check_words(&self) {
        diesel::sql_query(
            "INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('integrity-check', 1)",
        )
        .execute(&mut self.connection())
        .expect("words and passages agree");
    }

    fn connection(&self) -> SqliteConnection {
        let path = self.folder.path().join("test.db");
        SqliteConnection::establish(&path.to_string_lossy()).expect("it opens")
    }

    /// Stores an artifact of an organization, and its labels before it.
    pub(crate) async fn put(&self, artifact: &Artifact) {
        let organization = artifact.organization_id;
        let labels: Vec<_> = artifact
            .labels
            .iter()
            .map(|name| label(organization, name))
            .collect();
        let store = &self.store;
        store
            .ensure_labels(organization, &labels)
            .await
            .expect("labels");
        store
            .insert_artifact(organization, artifact)
            .await
            .expect("artifact");
    }

    /// Stores an artifact that is indexed.
    pub(crate) async fn put_indexed(&self, artifact: &Artifact, index: NewIndex) {
        self.put(artifact).await;
        let replaced = self
            .store
            .replace_chunks(artifact.organization_id, artifact.id, &index)
            .await;
        assert!(replaced.expect("chunks"));
    }
}

/// An artifact that waits to be indexed.
pub(crate) fn artifact(organization: OrganizationId, name: &str) -> Artifact {
    let id = fresh();
    Artifact {
        id: ArtifactId(id),
        organization_id: organization,
        name: name.to_owned(),
        media_type: "text/plain".to_owned(),
        size: 5,
        sha256: [7; 32],
        blob_key: format!("{organization}/{id}"),
        metadata: Json::Object(std::collections::BTreeMap::new()),
        labels: Vec::new(),
        index_status: IndexStatus::Pending,
        index_error: None,
        chunk_count: 0,
        version: 1,
        created_by: None,
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(crate) fn label(organization: OrganizationId, name: &str) -> Label {
    Label {
        id: LabelId(fresh()),
        organization_id: organization,
        name: name.to_owned(),
        created_at: at(0),
    }
}

pub(crate) fn model(name: &str, dimensions: u32) -> ModelInfo {
    ModelInfo {
        name: name.to_owned(),
        dimensions,
    }
}

/// Passages of an artifact, by their texts.
pub(crate) fn texts(artifact: &Artifact, texts: &[&str]) -> NewIndex {
    let chunks = texts.iter().zip(0..).map(|(text, position)| Chunk {
        id: ChunkId(fresh()),
        artifact_id: artifact.id,
        position,
        text: (*text).to_owned(),
        start: 0,
        end: text.len() as u64,
        embedding: None,
    });
    NewIndex {
        fence: None,
        text: Some(texts.join("\n")),
        chunks: chunks.collect(),
        model: None,
    }
}

/// Passages of an artifact, by their vectors.
pub(crate) fn vectors(artifact: &Artifact, model: &ModelInfo, vectors: &[Vec<f32>]) -> NewIndex {
    let names: Vec<_> = (0..vectors.len())
        .map(|at| format!("passage {at}"))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut index = texts(artifact, &names);
    for (chunk, vector) in index.chunks.iter_mut().zip(vectors) {
        chunk.embedding = Some(vector.clone());
    }
    index.model = Some(model.clone());
    index
}
