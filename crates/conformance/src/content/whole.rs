//! The use cases of content from end to end, over a store, with stand-ins for the rest.

mod changes;
mod erasure;
mod indexing;

use archesai_content::{
    ArtifactChanges, ArtifactId, Error, IndexStatus, Json, NewArtifact, SearchMode, SearchRequest,
    UserId,
    ports::{BlobReader, Claim, Passage},
};
use archesai_platform::events::Outbox;

use super::{
    Store, World, model,
    program::{DIMENSIONS, Program},
};
use crate::fresh;

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

/// Runs one check, and takes away what it leaves.
async fn run<S: Store + Outbox + Clone>(store: &S, check: impl AsyncFn(Program<S>)) {
    let world = World::new(store);
    check(Program::new(&world)).await;
    world.leave().await;
}

/// Runs every check.
pub(super) async fn suite<S: Store + Outbox + Clone>(store: &S) {
    run(store, what_is_stored_is_found_in_every_mode).await;
    run(store, content_is_read_whole_and_in_ranges).await;
    run(store, an_upload_that_fails_leaves_nothing).await;
    run(store, what_an_upload_is_can_be_said_after_its_bytes).await;
    run(store, bytes_of_an_upload_that_died_are_swept).await;
    run(
        store,
        an_upload_that_ends_after_its_bytes_were_swept_leaves_none,
    )
    .await;
    run(store, the_bytes_of_an_artifact_are_never_swept).await;
    run(store, an_upload_must_come_to_an_end).await;
    run(store, deleting_makes_up_for_a_storage_that_is_down).await;
    run(store, storing_twice_under_one_identity_stores_once).await;
    run(store, a_given_embedding_must_fit_those_it_is_compared_with).await;
    changes::suite(store).await;
    indexing::suite(store).await;
    erasure::suite(store).await;
}

async fn what_is_stored_is_found_in_every_mode<S: Store + Outbox + Clone>(bench: Program<S>) {
    let new = NewArtifact {
        labels: vec!["zoo".to_owned(), "a".to_owned()],
        ..named("animals.html")
    };
    let mut upload = bench.service.upload(bench.ours, ME, new).await.unwrap();
    for part in ["the cat sleeps\n\nthe dog", " barks\n\nstock prices fell"] {
        upload.write(part.as_bytes().to_vec()).await.unwrap();
    }
    let stored = bench.service.finish_upload(upload).await.unwrap();
    assert_eq!(stored.index_status, IndexStatus::Pending);
    assert_eq!((stored.media_type.as_str(), stored.size), ("text/html", 48));
    assert_eq!(stored.labels, ["a", "zoo"]);
    assert_eq!((bench.wakeups(), bench.deletions().await), (1, 0));
    assert_eq!(
        (
            bench.events("artifact.created").await,
            bench.events("label.created").await
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
    assert_eq!(bench.events("artifact.indexed").await, 1);
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
        .search(bench.theirs, searching("dog", SearchMode::Hybrid))
        .await;
    assert!(theirs.unwrap().is_empty());
}

async fn content_is_read_whole_and_in_ranges<S: Store + Outbox + Clone>(bench: Program<S>) {
    let stored = bench.store_text("it", "0123456789").await;
    for (range, expected) in [
        (None, "0123456789"),
        (Some(2..5), "234"),
        (Some(9..10), "9"),
    ] {
        let opened = bench
            .service
            .open_content(bench.ours, stored.id, range)
            .await;
        let (_, mut reader) = opened.unwrap();
        let mut text = String::new();
        while let Some(bytes) = reader.next().await.unwrap() {
            text.push_str(&String::from_utf8(bytes).unwrap());
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
            .open_content(bench.ours, stored.id, Some(range))
            .await;
        assert!(matches!(
            opened.err(),
            Some(Error::Invalid { field: "range", .. })
        ));
    }
    let theirs = bench
        .service
        .open_content(bench.theirs, stored.id, None)
        .await;
    assert!(matches!(theirs.err(), Some(Error::NotFound)));
    let too_much = bench.service.read_content(bench.ours, stored.id, 9).await;
    assert!(matches!(too_much, Err(Error::TooLarge { limit: 9 })));
}

async fn an_upload_that_fails_leaves_nothing<S: Store + Outbox + Clone>(mut bench: Program<S>) {
    bench.service.settings.max_bytes = 4;
    let mut upload = bench
        .service
        .upload(bench.ours, ME, named("long"))
        .await
        .unwrap();
    upload.write(b"1234".to_vec()).await.unwrap();
    let over = upload.write(b"5".to_vec()).await;
    assert!(matches!(over, Err(Error::TooLarge { limit: 4 })));
    assert!(matches!(
        bench.service.finish_upload(upload).await,
        Err(Error::TooLarge { .. })
    ));

    let mut slow = bench
        .service
        .upload(bench.ours, ME, named("slow"))
        .await
        .unwrap();
    slow.write(b"1".to_vec()).await.unwrap();
    bench.pass(bench.service.settings.upload_ttl);
    assert!(matches!(
        bench.service.finish_upload(slow).await,
        Err(Error::TooSlow)
    ));

    let dropped = bench
        .service
        .upload(bench.ours, ME, named("dropped"))
        .await
        .unwrap();
    drop(dropped);
    bench.pass(bench.service.settings.upload_ttl);
    while bench.service.sweep_blobs().await.unwrap() > 0 {}
    assert_eq!(
        (
            bench.blobs().len(),
            bench.deletions().await,
            bench.events("artifact.created").await
        ),
        (0, 0, 0)
    );
}

async fn what_an_upload_is_can_be_said_after_its_bytes<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    let early = NewArtifact {
        labels: vec!["early".to_owned()],
        ..named("early.txt")
    };
    let upload = bench.service.upload(bench.ours, ME, early).await;
    let mut upload = upload.unwrap();
    upload.write(b"cat".to_vec()).await.unwrap();
    let refused = upload.describe(named(""));
    assert!(matches!(refused, Err(Error::Invalid { field: "name", .. })));
    let late = NewArtifact {
        labels: vec!["late".to_owned()],
        ..named("late.html")
    };
    upload.describe(late).unwrap();
    let stored = bench.service.finish_upload(upload).await.unwrap();
    assert_eq!(
        (stored.name.as_str(), stored.media_type.as_str()),
        ("late.html", "text/html")
    );
    assert_eq!(
        (stored.labels.as_slice(), stored.size),
        (&["late".to_owned()][..], 3)
    );
    assert_eq!(bench.events("label.created").await, 1);
}

async fn bytes_of_an_upload_that_died_are_swept<S: Store + Outbox + Clone>(bench: Program<S>) {
    // What a process leaves that dies after the bytes were durable and before the row was.
    bench.put_blob("orphan");
    let due = bench.now() + bench.service.settings.upload_ttl;
    bench
        .service
        .store
        .insert_blob_deletion(bench.ours, "orphan", due)
        .await
        .unwrap();
    assert_eq!(bench.service.sweep_blobs().await.unwrap(), 0);
    bench.pass(bench.service.settings.upload_ttl);
    assert_eq!(bench.service.sweep_blobs().await.unwrap(), 1);
    assert!(bench.blobs().is_empty());
}

async fn deleting_makes_up_for_a_storage_that_is_down<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    let kept = bench.store_text("kept", "kept").await;
    let gone = bench.store_text("gone", "gone").await;
    bench.index_all().await;
    bench.read(&gone).await;
    bench.break_blobs(true);
    let delete = |versions| {
        bench
            .service
            .delete_artifact(bench.ours, ME, gone.id, versions)
    };
    let refused = delete(Some(&[2, 3])).await;
    assert!(matches!(refused, Err(Error::VersionConflict)));
    bench.read(&gone).await;
    delete(Some(&[2, 1])).await.unwrap();
    assert!(matches!(
        bench.service.artifact(bench.ours, gone.id).await,
        Err(Error::NotFound)
    ));
    assert_eq!(bench.blobs().len(), 2);
    assert!(bench.service.sweep_blobs().await.is_err());
    bench.break_blobs(false);
    bench.pass(bench.service.settings.lease);
    assert_eq!(bench.service.sweep_blobs().await.unwrap(), 1);
    assert_eq!(bench.blobs(), [kept.blob_key]);
    let again = delete(None).await;
    assert!(matches!(again, Err(Error::NotFound)));
    assert_eq!(bench.events("artifact.deleted").await, 1);
}

async fn storing_twice_under_one_identity_stores_once<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    let id = Some(ArtifactId(fresh()));
    let new = || NewArtifact { id, ..named("it") };
    let store = async |text: &str| {
        let bytes = text.as_bytes().to_vec();
        bench
            .service
            .create_artifact(bench.ours, ME, new(), bytes)
            .await
            .unwrap()
    };
    let first = store("first").await;
    let second = store("second").await;
    assert_eq!(first, second);
    // Two at once: the loser's bytes must not replace or take along the winner's.
    let mut upload = bench.service.upload(bench.ours, ME, new()).await.unwrap();
    upload.write(b"third".to_vec()).await.unwrap();
    assert_eq!(bench.service.finish_upload(upload).await.unwrap(), first);
    let theirs = bench
        .service
        .create_artifact(bench.theirs, ME, new(), Vec::new());
    assert!(matches!(theirs.await, Err(Error::AlreadyExists)));
    let bytes = bench
        .service
        .read_content(bench.ours, first.id, 100)
        .await
        .unwrap();
    assert_eq!(bytes, b"first");
    assert_eq!((bench.blobs().len(), bench.deletions().await), (1, 0));
}

async fn a_given_embedding_must_fit_those_it_is_compared_with<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    let by = |dimensions: usize| SearchRequest {
        embedding: Some(vec![0.5; dimensions]),
        ..SearchRequest::default()
    };
    let expected = DIMENSIONS;
    let wrong = bench.service.search(bench.ours, by(3)).await;
    assert!(matches!(wrong, Err(Error::Dimensions { expected: e }) if e == expected));
    bench.store_text("it", "cat").await;
    bench.index_all().await;
    let hits = bench
        .service
        .search(bench.ours, by(expected as usize))
        .await
        .unwrap();
    assert_eq!(hits.len(), 1);
    bench.use_model(None);
    let hits = bench
        .service
        .search(bench.ours, by(expected as usize))
        .await
        .unwrap();
    assert_eq!(
        hits.len(),
        1,
        "what is stored can be compared without a model"
    );
    let wrong = bench.service.search(bench.ours, by(3)).await;
    assert!(matches!(wrong, Err(Error::Dimensions { expected: e }) if e == expected));
    let none = bench.service.search(bench.theirs, by(3)).await.unwrap();
    assert!(none.is_empty());
}

async fn an_upload_that_ends_after_its_bytes_were_swept_leaves_none<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    let upload = bench.service.upload(bench.ours, ME, named("late")).await;
    let mut upload = upload.unwrap();
    upload.write(b"bytes".to_vec()).await.unwrap();
    // By a node whose clock is ahead, say.
    let now = bench.now() + bench.service.settings.upload_ttl;
    let claim = Claim {
        limit: 1,
        now,
        until: now,
    };
    let store = &bench.service.store;
    for swept in store.claim_blob_deletions(&claim).await.unwrap() {
        let finished = store.finish_blob_deletion(bench.ours, &swept.blob_key);
        finished.await.unwrap();
    }
    let finished = bench.service.finish_upload(upload).await;
    assert!(matches!(finished, Err(Error::TooSlow)), "{finished:?}");
    assert_eq!((bench.blobs().len(), bench.deletions().await), (0, 0));
}

async fn the_bytes_of_an_artifact_are_never_swept<S: Store + Outbox + Clone>(bench: Program<S>) {
    let stored = bench.store_text("it", "text").await;
    for _ in 0..3 {
        bench.pass(bench.service.settings.upload_ttl);
        assert_eq!(bench.service.sweep_blobs().await.unwrap(), 0);
    }
    let bytes = bench.service.read_content(bench.ours, stored.id, 9).await;
    assert_eq!(bytes.unwrap(), b"text");
}

async fn an_upload_must_come_to_an_end<S: Store + Outbox + Clone>(bench: Program<S>) {
    let upload = bench.service.upload(bench.ours, ME, named("drip")).await;
    let mut upload = upload.unwrap();
    upload.write(b"1".to_vec()).await.unwrap();
    bench.pass(bench.service.settings.upload_ttl);
    let more = upload.write(b"2".to_vec()).await;
    assert!(matches!(more, Err(Error::TooSlow)), "{more:?}");
}
