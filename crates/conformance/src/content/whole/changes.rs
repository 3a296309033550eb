//! Changing and deleting what is there.

use archesai_content::{LabelId, LabelSort, Slice};

use super::{
    ArtifactChanges, Error, IndexStatus, Json, ME, NewArtifact, Outbox, Passage, Program,
    SearchMode, Store, fresh, named, run,
};

fn slice() -> Slice<LabelSort> {
    Slice {
        limit: 9,
        after: None,
        sort: LabelSort::Name,
        descending: false,
    }
}

/// Runs every check.
pub(super) async fn suite<S: Store + Outbox + Clone>(store: &S) {
    run(store, given_passages_replace_those_that_were_found).await;
    run(store, changes_are_seen_at_once_and_lost_updates_refused).await;
    run(store, a_deleted_label_is_on_no_artifact).await;
}

async fn given_passages_replace_those_that_were_found<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    let stored = bench.store_text("it", "the cat sleeps").await;
    let passage = |text: &str| Passage {
        text: text.to_owned(),
        start: 0,
        end: text.len() as u64,
    };
    let passages = vec![passage("the dog barks"), passage("the cow moos")];
    let theirs = bench
        .service
        .store_passages(bench.theirs, ME, stored.id, None, passages.clone())
        .await;
    assert!(matches!(theirs, Err(Error::NotFound)));
    let empty = bench
        .service
        .store_passages(bench.ours, ME, stored.id, None, vec![passage(" ")])
        .await;
    assert!(matches!(
        empty,
        Err(Error::Invalid {
            field: "passages",
            ..
        })
    ));
    let chunks = bench
        .service
        .store_passages(bench.ours, ME, stored.id, None, passages)
        .await;
    let chunks = chunks.unwrap();
    assert!(chunks.iter().all(|chunk| chunk.embedding.is_some()));
    assert!(!bench.work().await.unwrap());
    assert_eq!(bench.read(&stored).await.chunk_count, 2);
    assert_eq!(
        bench.found("cow", SearchMode::Semantic).await[0],
        "the cow moos"
    );
    assert!(bench.found("cat", SearchMode::Keyword).await.is_empty());
}

async fn changes_are_seen_at_once_and_lost_updates_refused<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    let stored = bench.store_text("it", "text").await;
    bench.index_all().await;
    bench.read(&stored).await;
    let changes = ArtifactChanges {
        name: Some("renamed".to_owned()),
        metadata: Some(Json::Object([("n".to_owned(), Json::Float(1.0))].into())),
        labels: Some(vec!["b".to_owned(), "a".to_owned(), "b".to_owned()]),
    };
    let update = async |version, changes: ArtifactChanges| {
        bench
            .service
            .update_artifact(bench.ours, ME, stored.id, version, changes)
            .await
    };
    let updated = update(Some(&[1]), changes).await.unwrap();
    assert_eq!((updated.version, updated.name.as_str()), (2, "renamed"));
    assert_eq!(updated.index_status, IndexStatus::Indexed);
    assert_eq!(bench.read(&stored).await, updated);
    let late = update(Some(&[1]), ArtifactChanges::default()).await;
    assert!(matches!(late, Err(Error::VersionConflict)));
    let invalid = ArtifactChanges {
        name: Some(String::new()),
        ..ArtifactChanges::default()
    };
    assert!(matches!(
        update(None, invalid).await,
        Err(Error::Invalid { field: "name", .. })
    ));
    let theirs = bench
        .service
        .update_artifact(
            bench.theirs,
            ME,
            stored.id,
            None,
            ArtifactChanges::default(),
        )
        .await;
    assert!(matches!(theirs, Err(Error::NotFound)));
    assert_eq!(
        (
            bench.events("artifact.updated").await,
            bench.events("label.created").await
        ),
        (1, 2)
    );
}

async fn a_deleted_label_is_on_no_artifact<S: Store + Outbox + Clone>(bench: Program<S>) {
    let new = || NewArtifact {
        labels: vec!["x".to_owned()],
        ..named("it")
    };
    let stored = bench
        .service
        .create_artifact(bench.ours, ME, new(), b"text".to_vec())
        .await;
    let stored = stored.unwrap();
    bench.index_all().await;
    bench.read(&stored).await;
    let taken = bench
        .service
        .create_label(bench.ours, ME, LabelId(fresh()), " x ");
    assert!(matches!(taken.await, Err(Error::LabelTaken)));
    let slice = slice();
    let label = bench
        .service
        .list_labels(bench.ours, &slice)
        .await
        .unwrap()
        .items[0]
        .id;
    let theirs = bench.service.delete_label(bench.theirs, ME, label).await;
    assert!(matches!(theirs, Err(Error::NotFound)));
    bench
        .service
        .delete_label(bench.ours, ME, label)
        .await
        .unwrap();
    let read = bench.read(&stored).await;
    assert_eq!((read.labels.len(), read.version), (0, 2));
    assert_eq!(
        (
            bench.events("label.deleted").await,
            bench.events("artifact.updated").await
        ),
        (1, 1)
    );
}
