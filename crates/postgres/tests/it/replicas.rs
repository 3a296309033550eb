//! Read replicas: what is read from them, and what is done without them.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant, UNIX_EPOCH},
};

use archesai_conformance::{
    fault_proxy::{Fault, FaultProxy},
    servers::Replica,
};
use archesai_content::{
    Artifact, ArtifactId, Chunk, ChunkId, IndexStatus, Json, ModelInfo, OrganizationId,
    SearchFilter,
    ports::{NewIndex, Repository, Scope, Store as _},
};
use archesai_postgres::{Database, Fault as Reason, Pooled, Postgres, Settings};

use crate::scratch::Scratch;

const OURS: OrganizationId = OrganizationId(1);

/// Within what time a replica is read that is well, on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// How long a search may take that meets a replica which fails, on a busy machine.
const BRIEF: Duration = Duration::from_secs(3);

fn model() -> ModelInfo {
    ModelInfo {
        name: "m".to_owned(),
        dimensions: 2,
    }
}

/// Stores an artifact with one passage.
async fn put(store: &Postgres<Pooled>, id: u128, text: &str) {
    let artifact = Artifact {
        id: ArtifactId(id),
        organization_id: OURS,
        name: "it".to_owned(),
        media_type: "text/plain".to_owned(),
        size: 1,
        sha256: [7; 32],
        blob_key: id.to_string(),
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
    let passage = Chunk {
        id: ChunkId(id),
        artifact_id: artifact.id,
        position: 0,
        text: text.to_owned(),
        start: 0,
        end: 1,
        embedding: Some(vec![1.0, 0.0]),
    };
    let index = NewIndex {
        fence: None,
        text: None,
        chunks: vec![passage],
        model: Some(model()),
    };
    let replaced = store.replace_chunks(OURS, artifact.id, &index).await;
    assert!(replaced.unwrap());
}

/// How many passages have a word, and how many are there at all.
async fn found(store: &impl Repository, word: &str) -> (usize, usize) {
    let all = SearchFilter::default();
    let begun = Instant::now();
    let by_word = store.search_keyword(OURS, word, &all, 10).await.unwrap();
    let model = model();
    let nearest = store.search_semantic(OURS, &model, &[1.0, 0.0], &all, 10);
    let nearest = nearest.await.unwrap();
    assert!(begun.elapsed() < BRIEF * 2, "{:?}", begun.elapsed());
    (by_word.len(), nearest.len())
}

async fn open(settings: Settings) -> Database {
    Database::open(&settings).await.unwrap()
}

fn with_replica(scratch: &Scratch, url: String, max_lag: Duration) -> Settings {
    Settings {
        replica_urls: vec![url],
        replica_max_lag: max_lag,
        ..scratch.server()
    }
}

/// Waits until the replicas are so.
async fn turn_out(database: &Database, reasons: &[Option<Reason>]) {
    let begun = Instant::now();
    while database.replicas() != reasons {
        let are = database.replicas();
        assert!(begun.elapsed() < SOON, "{are:?}, and not {reasons:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_searched_as_long_as_it_keeps_up() {
    let turn = Replica::alone().await;
    let scratch = Scratch::new().await;
    let patient = with_replica(&scratch, scratch.replica_url(), Duration::from_hours(1));
    let (patient, strict) = (open(patient).await, {
        let max_lag = Duration::from_secs(1);
        open(with_replica(&scratch, scratch.replica_url(), max_lag)).await
    });
    let (lagging, current) = (patient.store(), strict.store());
    put(&current, 1, "one").await;
    for database in [&patient, &strict] {
        turn_out(database, &[None]).await;
    }
    let begun = Instant::now();
    while found(&lagging, "one").await != (1, 1) {
        assert!(begun.elapsed() < SOON, "it does not get to the replica");
    }

    turn.pause().await;
    put(&current, 2, "two").await;
    assert_eq!(found(&lagging, "two").await, (0, 1));
    turn_out(&strict, &[Some(Reason::Behind)]).await;
    for _ in 0..10 {
        assert_eq!(found(&current, "two").await, (1, 2));
    }
    // A transaction sees what it wrote.
    let open = lagging.begin(Scope::Organization(OURS)).await.unwrap();
    assert_eq!(found(&open, "two").await, (1, 2));
    // What is not said to lag does not.
    let artifact = lagging.find_artifact(OURS, ArtifactId(2)).await;
    assert!(artifact.unwrap().is_some());

    turn.resume().await;
    turn_out(&strict, &[None]).await;
    let begun = Instant::now();
    while found(&lagging, "two").await != (1, 2) {
        assert!(begun.elapsed() < SOON, "the replica does not catch up");
    }
}

/// Nobody hears of a replica that is gone, and once it is back it is read again.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_fails_fails_no_search() {
    let _turn = Replica::among_others().await;
    let scratch = Scratch::new().await;
    let url = scratch.replica_url();
    let (user, place) = url.split_once('@').unwrap();
    let (server, name) = place.split_once('/').unwrap();
    let server: SocketAddr = server.parse().unwrap();
    let proxy = FaultProxy::start(server).await;
    let url = format!("{user}@{}/{name}", proxy.address());
    let database = open(with_replica(&scratch, url, Duration::from_hours(1))).await;
    let store = database.store();
    put(&store, 1, "one").await;
    let slow = Fault::Slow {
        latency: Duration::from_secs(3),
        bytes_per_second: 1_000,
    };
    for fault in [Fault::Refuse, Fault::BlackHole, slow] {
        turn_out(&database, &[None]).await;
        let begun = Instant::now();
        while found(&store, "one").await != (1, 1) {
            assert!(begun.elapsed() < SOON, "it does not get to the replica");
        }
        proxy.set(fault).await;
        for _ in 0..20 {
            assert_eq!(found(&store, "one").await, (1, 1));
        }
        turn_out(&database, &[Some(Reason::Unavailable)]).await;
        let begun = Instant::now();
        for _ in 0..20 {
            assert_eq!(found(&store, "one").await, (1, 1));
        }
        assert!(begun.elapsed() < BRIEF, "it is asked although it is gone");
        proxy.set(Fault::None).await;
    }
    turn_out(&database, &[None]).await;
    for _ in 0..50 {
        proxy.reset();
        assert_eq!(found(&store, "one").await, (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_replica_is_not_read() {
    let _turn = Replica::among_others().await;
    let scratch = Scratch::new().await;
    let elsewhere = scratch.replica_url() + "_which_is_not_there";
    let settings = Settings {
        replica_urls: vec![
            // A primary: nobody knows what it has.
            scratch.server().url,
            // A role that sees everything.
            scratch
                .replica_url()
                .replace("archesai_server", "archesai_bypass"),
            elsewhere,
            scratch.replica_url(),
        ],
        replica_max_lag: Duration::from_mins(1),
        ..scratch.server()
    };
    let database = open(settings.clone()).await;
    let unfit = Some(Reason::Unfit);
    let reasons = [unfit, unfit, Some(Reason::Unavailable), None];
    turn_out(&database, &reasons).await;
    let store = database.store();
    put(&store, 1, "one").await;
    let begun = Instant::now();
    while found(&store, "one").await != (1, 1) {
        assert!(begun.elapsed() < SOON, "it does not get to the replica");
    }
    let nonsense = Settings {
        replica_urls: vec!["mysql://u:hidden@h/d".to_owned()],
        ..settings
    };
    let refused = Database::open(&nonsense).await.err().unwrap().to_string();
    assert!(refused.contains("postgres"), "{refused}");
    assert!(!refused.contains("hidden"), "{refused}");
}
