//! The use cases of content from end to end, with stand-ins for what is no database.

mod changes;

mod fakes;

use archesai_content::{
    Artifact, ArtifactChanges, Error, IndexStatus, Json, LabelSort, NewArtifact, SearchMode,
    SearchRequest, Slice, UserId,
    ports::{BlobReader, Passage, Repository},
};

use crate::support::{OURS, THEIRS, fresh, model, texts};
use fakes::Bench;

const ME: Option<UserId> = Some(UserId(77));

fn named(name: &str) -> NewArtifact {
    NewArtifact {
        name: name.to_owned(),
        ..NewArtifact::default()
    }
}

fn searching(query: &str, mode: SearchMode) -> SearchRequest {
    SearchRequest {
        query: Some(query.to_owned()),
        mode: Some(mode),
        ..SearchRequest::default()
    }
}

impl Bench {
    async fn store_text(&self, name: &str, text: &str) -> Artifact {
        let stored = self
            .service
            .create_artifact(OURS, ME, named(name), text.as_bytes().to_vec())
            .await;
        stored.expect("it is stored")
    }

    async fn index_all(&self) {
        while self
            .service
            .index_next()
            .await
            .expect("it indexes")
            .is_some()
        {}
    }

    async fn read(&self, artifact: &Artifact) -> Artifact {
        self.service
            .artifact(OURS, artifact.id)
            .await
            .expect("it is there")
    }

    async fn found(&self, query: &str, mode: SearchMode) -> Vec<String> {
        let hits = self.service.search(OURS, searching(query, mode)).await;
        let hits = hits.expect("it searches");
        hits.into_iter().map(|hit| hit.text).collect()
    }

    fn events(&self, kind: &str) -> i64 {
        self.scratch.number(&format!(
            "SELECT count(*) AS number FROM events WHERE kind = '{kind}'"
        ))
    }

    fn deletions(&self) -> i64 {
        self.scratch
            .number("SELECT count(*) AS number FROM blob_deletions")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_found_in_every_mode() {
    let bench = Bench::new().await;
    let new = NewArtifact {
        labels: vec!["zoo".to_owned(), "a".to_owned()],
        ..named("animals.html")
    };
    let mut upload = bench
        .service
        .upload(OURS, ME, new)
        .await
        .expect("it begins");
    for part in ["the cat sleeps\n\nthe dog", " barks\n\nstock prices fell"] {
        upload
            .write(part.as_bytes().to_vec())
            .await
            .expect("it writes");
    }
    let stored = upload.finish().await.expect("it finishes");
    assert_eq!(stored.index_status, IndexStatus::Pending);
    assert_eq!((stored.media_type.as_str(), stored.size), ("text/html", 48));
    assert_eq!(stored.labels, ["a", "zoo"]);
    assert_eq!((bench.wakeups(), bench.deletions()), (1, 0));
    assert_eq!(
        (
            bench.events("artifact.created"),
            bench.events("label.created")
        ),
        (1, 2)
    );

    bench.index_all().await;
    let indexed = bench.read(&stored).await;
    assert_eq!(
        (indexed.index_status, indexed.chunk_count),
        (IndexStatus::Indexed, 3)
    );
    assert_eq!(indexed.version, stored.version);
    assert_eq!(bench.events("artifact.indexed"), 1);
    for mode in [
        SearchMode::Semantic,
        SearchMode::Keyword,
        SearchMode::Hybrid,
    ] {
        assert_eq!(
            bench.found("dog barks", mode).await[0],
            "the dog barks",
            "{mode}"
        );
    }
    assert_eq!(
        bench.found("dog", SearchMode::Semantic).await.len(),
        3,
        "as many as there are"
    );
    let theirs = bench
        .service
        .search(THEIRS, searching("dog", SearchMode::Hybrid))
        .await;
    assert!(theirs.expect("it searches").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_read_whole_and_in_ranges() {
    let bench = Bench::new().await;
    let stored = bench.store_text("it", "0123456789").await;
    for (range, expected) in [
        (None, "0123456789"),
        (Some(2..5), "234"),
        (Some(9..10), "9"),
    ] {
        let opened = bench.service.open_content(OURS, stored.id, range).await;
        let (_, mut reader) = opened.expect("it opens");
        let mut text = String::new();
        while let Some(bytes) = reader.next().await.expect("it reads") {
            text.push_str(&String::from_utf8(bytes).expect("it is text"));
        }
        assert_eq!(text, expected);
    }
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "what a hostile client asks for"
    )]
    for range in [0..0, 5..3, 9..11, 10..11] {
        let opened = bench
            .service
            .open_content(OURS, stored.id, Some(range))
            .await;
        assert!(matches!(
            opened.err(),
            Some(Error::Invalid { field: "range", .. })
        ));
    }
    let theirs = bench.service.open_content(THEIRS, stored.id, None).await;
    assert!(matches!(theirs.err(), Some(Error::NotFound)));
    let too_much = bench.service.read_content(OURS, stored.id, 9).await;
    assert!(matches!(too_much, Err(Error::TooLarge { limit: 9 })));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_fails_leaves_nothing() {
    let mut bench = Bench::new().await;
    bench.service.settings.max_bytes = 4;
    let mut upload = bench
        .service
        .upload(OURS, ME, named("long"))
        .await
        .expect("it begins");
    upload.write(b"1234".to_vec()).await.expect("it fits");
    let over = upload.write(b"5".to_vec()).await;
    assert!(matches!(over, Err(Error::TooLarge { limit: 4 })));
    assert!(matches!(upload.finish().await, Err(Error::TooLarge { .. })));

    let mut slow = bench
        .service
        .upload(OURS, ME, named("slow"))
        .await
        .expect("it begins");
    slow.write(b"1".to_vec()).await.expect("it fits");
    bench.pass(bench.service.settings.upload_ttl);
    assert!(matches!(slow.finish().await, Err(Error::TooSlow)));

    let dropped = bench
        .service
        .upload(OURS, ME, named("dropped"))
        .await
        .expect("it begins");
    drop(dropped);
    bench.pass(bench.service.settings.upload_ttl);
    while bench.service.sweep_blobs().await.expect("it sweeps") > 0 {}
    assert_eq!(
        (
            bench.blobs().len(),
            bench.deletions(),
            bench.events("artifact.created")
        ),
        (0, 0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_upload_is_can_be_said_after_its_bytes() {
    let bench = Bench::new().await;
    let early = NewArtifact {
        labels: vec!["early".to_owned()],
        ..named("early.txt")
    };
    let upload = bench.service.upload(OURS, ME, early).await;
    let mut upload = upload.expect("it begins");
    upload.write(b"cat".to_vec()).await.expect("it writes");
    let refused = upload.describe(named(""));
    assert!(matches!(refused, Err(Error::Invalid { field: "name", .. })));
    let late = NewArtifact {
        labels: vec!["late".to_owned()],
        ..named("late.html")
    };
    upload.describe(late).expect("it is fine");
    let stored = upload.finish().await.expect("it finishes");
    assert_eq!(
        (stored.name.as_str(), stored.media_type.as_str()),
        ("late.html", "text/html")
    );
    assert_eq!(
        (stored.labels.as_slice(), stored.size),
        (&["late".to_owned()][..], 3)
    );
    assert_eq!(bench.events("label.created"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_an_upload_that_died_are_swept() {
    let bench = Bench::new().await;
    // What a process leaves that dies after the bytes were durable and before the row was.
    bench.blobs().insert("orphan".to_owned(), vec![1]);
    let due = bench.now() + bench.service.settings.upload_ttl;
    bench
        .scratch
        .store
        .insert_blob_deletion(OURS, "orphan", due)
        .await
        .expect("it writes");
    assert_eq!(bench.service.sweep_blobs().await.expect("it sweeps"), 0);
    bench.pass(bench.service.settings.upload_ttl);
    assert_eq!(bench.service.sweep_blobs().await.expect("it sweeps"), 1);
    assert!(bench.blobs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_makes_up_for_a_storage_that_is_down() {
    let bench = Bench::new().await;
    let kept = bench.store_text("kept", "kept").await;
    let gone = bench.store_text("gone", "gone").await;
    bench.index_all().await;
    bench.read(&gone).await;
    bench.break_blobs(true);
    bench
        .service
        .delete_artifact(OURS, ME, gone.id)
        .await
        .expect("it is deleted");
    assert!(matches!(
        bench.service.artifact(OURS, gone.id).await,
        Err(Error::NotFound)
    ));
    assert_eq!((bench.blobs().len(), bench.deletions()), (2, 1));
    assert!(bench.service.sweep_blobs().await.is_err());
    bench.break_blobs(false);
    bench.pass(bench.service.settings.lease);
    assert_eq!(bench.service.sweep_blobs().await.expect("it sweeps"), 1);
    assert_eq!(bench.blobs().keys().collect::<Vec<_>>(), [&kept.blob_key]);
    let again = bench.service.delete_artifact(OURS, ME, gone.id).await;
    assert!(matches!(again, Err(Error::NotFound)));
    assert_eq!(bench.events("artifact.deleted"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn storing_twice_under_one_identity_stores_once() {
    let bench = Bench::new().await;
    let id = Some(archesai_content::ArtifactId(fresh()));
    let new = || NewArtifact { id, ..named("it") };
    let store = async |text: &str| {
        let bytes = text.as_bytes().to_vec();
        bench
            .service
            .create_artifact(OURS, ME, new(), bytes)
            .await
            .expect("it is stored")
    };
    let first = store("first").await;
    let second = store("second").await;
    assert_eq!(first, second);
    // Two at once: the loser's bytes must not replace or take along the winner's.
    let mut upload = bench
        .service
        .upload(OURS, ME, new())
        .await
        .expect("it begins");
    upload.write(b"third".to_vec()).await.expect("it writes");
    assert!(matches!(upload.finish().await, Err(Error::ArtifactExists)));
    let bytes = bench
        .service
        .read_content(OURS, first.id, 100)
        .await
        .expect("it reads");
    assert_eq!(bytes, b"first");
    assert_eq!((bench.blobs().len(), bench.deletions()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_words_are_found_and_meaning_follows_later() {
    let bench = Bench::new().await;
    bench.use_model(None);
    let stored = bench
        .store_text("it", "the cat sleeps\n\nthe dog barks")
        .await;
    bench.index_all().await;
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Indexed);
    for mode in [SearchMode::Keyword, SearchMode::Hybrid] {
        assert_eq!(bench.found("dog", mode).await, ["the dog barks"]);
    }
    let semantic = bench
        .service
        .search(OURS, searching("dog", SearchMode::Semantic))
        .await;
    assert!(matches!(semantic, Err(Error::NoModel)));
    assert_eq!(
        bench.service.embed_missing().await.expect("nothing to do"),
        0
    );

    bench.use_model(Some(model("words", fakes::DIMENSIONS)));
    assert_eq!(bench.service.embed_missing().await.expect("it embeds"), 2);
    assert_eq!(bench.service.embed_missing().await.expect("it embeds"), 0);
    assert_eq!(
        bench.found("dog", SearchMode::Semantic).await[0],
        "the dog barks"
    );

    bench.use_model(Some(model("other", fakes::DIMENSIONS)));
    assert!(bench.found("dog", SearchMode::Semantic).await.is_empty());
    assert_eq!(bench.service.embed_missing().await.expect("it embeds"), 2);
    assert_eq!(bench.found("dog", SearchMode::Semantic).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_embedding_must_fit_those_it_is_compared_with() {
    let bench = Bench::new().await;
    let by = |dimensions: usize| SearchRequest {
        embedding: Some(vec![0.5; dimensions]),
        ..SearchRequest::default()
    };
    let expected = fakes::DIMENSIONS;
    let wrong = bench.service.search(OURS, by(3)).await;
    assert!(matches!(wrong, Err(Error::Dimensions { expected: e }) if e == expected));
    bench.store_text("it", "cat").await;
    bench.index_all().await;
    let hits = bench
        .service
        .search(OURS, by(expected as usize))
        .await
        .expect("it searches");
    assert_eq!(hits.len(), 1);
    bench.use_model(None);
    let hits = bench
        .service
        .search(OURS, by(expected as usize))
        .await
        .expect("it searches");
    assert_eq!(
        hits.len(),
        1,
        "what is stored can be compared without a model"
    );
    let wrong = bench.service.search(OURS, by(3)).await;
    assert!(matches!(wrong, Err(Error::Dimensions { expected: e }) if e == expected));
    let none = bench
        .service
        .search(THEIRS, by(3))
        .await
        .expect("there is nothing to compare");
    assert!(none.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_does_not_keep_words_from_being_found() {
    let bench = Bench::new().await;
    bench.break_model(true);
    let stored = bench.store_text("it", "the cat sleeps").await;
    bench.index_all().await;
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Indexed);
    assert_eq!(bench.found("cat", SearchMode::Keyword).await.len(), 1);
    assert!(bench.service.embed_missing().await.is_err());
    bench.break_model(false);
    bench.pass(bench.service.settings.lease);
    assert_eq!(bench.service.embed_missing().await.expect("it embeds"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_searched_says_why() {
    let bench = Bench::new().await;
    let cases = [
        (
            "picture",
            "\u{1}PNG",
            IndexStatus::Unsupported,
            "no text can be found in files of this kind",
        ),
        (
            "broken",
            "damaged",
            IndexStatus::Failed,
            "the file ends too early",
        ),
        (
            "blank",
            " \n\n ",
            IndexStatus::Unsupported,
            "no text can be found in it",
        ),
    ];
    for (name, text, status, reason) in cases {
        let stored = bench.store_text(name, text).await;
        bench.index_all().await;
        let read = bench.read(&stored).await;
        assert_eq!(
            (read.index_status, read.index_error.as_deref()),
            (status, Some(reason))
        );
    }
    assert_eq!(bench.events("artifact.index_failed"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_sees_what_another_node_indexed() {
    let bench = Bench::new().await;
    let stored = bench.store_text("it", "the cat sleeps").await;
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Pending);
    let index = texts(&stored, &["the cat sleeps"]);
    let replaced = bench
        .scratch
        .store
        .replace_chunks(OURS, stored.id, &index)
        .await;
    assert!(replaced.expect("it is indexed"));
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Indexed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_storage_costs_no_attempt() {
    let bench = Bench::new().await;
    let stored = bench.store_text("it", "the cat sleeps").await;
    bench.break_blobs(true);
    for _ in 0..5 {
        assert!(bench.service.index_next().await.is_err());
        assert_eq!(bench.service.index_next().await.expect("it waits"), None);
        bench.pass(bench.service.settings.retry_delay);
    }
    bench.break_blobs(false);
    bench.index_all().await;
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Indexed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_kills_whoever_indexes_it_is_given_up() {
    let bench = Bench::new().await;
    let stored = bench.store_text("it", "poison").await;
    for _ in 0..3 {
        // What a process does that claims an artifact and dies.
        let claim = archesai_content::ports::Claim {
            limit: 1,
            now: bench.now(),
            until: bench.now() + bench.service.settings.lease,
        };
        let claimed = bench
            .scratch
            .store
            .claim_unindexed(&claim)
            .await
            .expect("it claims");
        assert_eq!(claimed.len(), 1);
        bench.pass(bench.service.settings.lease);
    }
    bench.index_all().await;
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Failed);
}
