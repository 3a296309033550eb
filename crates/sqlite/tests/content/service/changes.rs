//! Changing and deleting what is there.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn given_passages_replace_those_that_were_found() {
    let bench = Bench::new().await;
    let stored = bench.store_text("it", "the cat sleeps").await;
    let passage = |text: &str| Passage {
        text: text.to_owned(),
        start: 0,
        end: text.len() as u64,
    };
    let passages = vec![passage("the dog barks"), passage("the cow moos")];
    let theirs = bench
        .service
        .store_passages(THEIRS, ME, stored.id, passages.clone())
        .await;
    assert!(matches!(theirs, Err(Error::NotFound)));
    let empty = bench
        .service
        .store_passages(OURS, ME, stored.id, vec![passage(" ")])
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
        .store_passages(OURS, ME, stored.id, passages)
        .await;
    let chunks = chunks.expect("they are stored");
    assert!(chunks.iter().all(|chunk| chunk.embedding.is_some()));
    assert_eq!(bench.service.index_next().await.expect("it answers"), None);
    assert_eq!(bench.read(&stored).await.chunk_count, 2);
    assert_eq!(
        bench.found("cow", SearchMode::Semantic).await[0],
        "the cow moos"
    );
    assert!(bench.found("cat", SearchMode::Keyword).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_seen_at_once_and_lost_updates_refused() {
    let bench = Bench::new().await;
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
            .update_artifact(OURS, ME, stored.id, version, changes)
            .await
    };
    let updated = update(Some(1), changes).await.expect("it is changed");
    assert_eq!((updated.version, updated.name.as_str()), (2, "renamed"));
    assert_eq!(updated.index_status, IndexStatus::Indexed);
    assert_eq!(bench.read(&stored).await, updated);
    let late = update(Some(1), ArtifactChanges::default()).await;
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
        .update_artifact(THEIRS, ME, stored.id, None, ArtifactChanges::default())
        .await;
    assert!(matches!(theirs, Err(Error::NotFound)));
    assert_eq!(
        (
            bench.events("artifact.updated"),
            bench.events("label.created")
        ),
        (1, 2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_label_is_on_no_artifact() {
    let bench = Bench::new().await;
    let new = || NewArtifact {
        labels: vec!["x".to_owned()],
        ..named("it")
    };
    let stored = bench
        .service
        .create_artifact(OURS, ME, new(), b"text".to_vec())
        .await;
    let stored = stored.expect("it is stored");
    bench.index_all().await;
    bench.read(&stored).await;
    let taken = bench.service.create_label(OURS, ME, " x ").await;
    assert!(matches!(taken, Err(Error::LabelTaken)));
    let slice = Slice {
        limit: 9,
        after: None,
        sort: LabelSort::Name,
        descending: false,
    };
    let label = bench
        .service
        .list_labels(OURS, &slice)
        .await
        .expect("list")
        .items[0]
        .id;
    let theirs = bench.service.delete_label(THEIRS, ME, label).await;
    assert!(matches!(theirs, Err(Error::NotFound)));
    bench
        .service
        .delete_label(OURS, ME, label)
        .await
        .expect("it is deleted");
    let read = bench.read(&stored).await;
    assert_eq!((read.labels.len(), read.version), (0, 2));
    assert_eq!(
        (
            bench.events("label.deleted"),
            bench.events("artifact.updated")
        ),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_that_is_no_more_leaves_nothing() {
    let bench = Bench::new().await;
    for n in 0..3 {
        let new = NewArtifact {
            labels: vec![n.to_string()],
            ..named("it")
        };
        bench
            .service
            .create_artifact(OURS, ME, new, b"text".to_vec())
            .await
            .expect("stored");
    }
    let new = NewArtifact {
        labels: vec!["theirs".to_owned()],
        ..named("it")
    };
    let theirs = bench
        .service
        .create_artifact(THEIRS, None, new, b"text".to_vec())
        .await;
    bench.index_all().await;
    assert_eq!(
        bench
            .service
            .delete_everything(OURS)
            .await
            .expect("it is deleted"),
        3
    );
    assert_eq!(
        bench.blobs().keys().collect::<Vec<_>>(),
        [&theirs.expect("stored").blob_key]
    );
    for table in ["artifacts", "labels", "chunks", "chunk_embeddings"] {
        let left = bench
            .scratch
            .number(&format!("SELECT count(*) AS number FROM {table}"));
        assert_eq!(left, 1, "{table}");
    }
}
