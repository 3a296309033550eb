//! Artifacts: what is written can be read, by those it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use archesai_content::{
    Artifact, ArtifactFilter, ArtifactId, ArtifactSort, Error, IndexStatus, Json, LabelSort,
    SearchFilter, Slice, UserId,
    ports::{Repository, Scope, Store, Transaction},
};

use crate::support::{OURS, Scratch, THEIRS, artifact, at, label, model, texts, vectors};

fn slice(sort: ArtifactSort, limit: u32) -> Slice<ArtifactSort> {
    Slice {
        limit,
        after: None,
        sort,
        descending: false,
    }
}

fn object(members: &[(&str, Json)]) -> Json {
    let members = members
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Json::Object(members.collect())
}

async fn names(scratch: &Scratch, filter: ArtifactFilter) -> Vec<String> {
    let slice = slice(ArtifactSort::Name, 100);
    let page = scratch.store.list_artifacts(OURS, &filter, &slice).await;
    let items = page.expect("a page").items;
    items.into_iter().map(|artifact| artifact.name).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_read_as_it_was_written() {
    let scratch = Scratch::new().await;
    let written = Artifact {
        labels: vec!["a".to_owned(), "b".to_owned(), "ä".to_owned()],
        metadata: object(&[("x", Json::Array(vec![Json::Null, Json::Float(1.5)]))]),
        created_by: Some(UserId(9)),
        media_type: "text/html; charset=utf-8".to_owned(),
        size: 1 << 40,
        ..artifact(OURS, "o'clock \"%_\u{1F600}")
    };
    scratch.put(&written).await;
    let read = scratch.store.find_artifact(OURS, written.id).await;
    assert_eq!(read.expect("it answers"), Some(written.clone()));
    let again = scratch.store.insert_artifact(OURS, &written).await;
    assert!(matches!(again, Err(Error::ArtifactExists)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_others_does_not_exist() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    let secret = Artifact {
        labels: vec!["secret".to_owned()],
        ..artifact(THEIRS, "secret")
    };
    let model = model("m", 2);
    let index = vectors(&secret, &model, &[vec![1.0, 0.0]]);
    let chunk = index.chunks[0].id;
    scratch.put_indexed(&secret, index).await;
    let waiting = artifact(THEIRS, "waiting");
    scratch.put(&waiting).await;
    store
        .insert_blob_deletion(THEIRS, "theirs", at(5))
        .await
        .expect("it writes");

    assert_eq!(
        store.find_artifact(OURS, secret.id).await.expect("find"),
        None
    );
    assert_eq!(store.find_text(OURS, secret.id).await.expect("text"), None);
    let changed = Artifact {
        version: 2,
        name: "ours".to_owned(),
        ..secret.clone()
    };
    let update = store
        .update_artifact(
            OURS,
            &Artifact {
                labels: vec![],
                ..changed
            },
        )
        .await;
    assert!(matches!(update, Err(Error::VersionConflict)));
    assert_eq!(
        store
            .delete_artifact(OURS, secret.id)
            .await
            .expect("delete"),
        None
    );
    assert_eq!(
        names(&scratch, ArtifactFilter::default()).await,
        Vec::<String>::new()
    );
    let labels = Slice {
        limit: 10,
        after: None,
        sort: LabelSort::Name,
        descending: false,
    };
    assert!(
        store
            .list_labels(OURS, &labels)
            .await
            .expect("list")
            .items
            .is_empty()
    );
    let theirs = store
        .list_labels(THEIRS, &labels)
        .await
        .expect("list")
        .items[0]
        .id;
    assert!(
        store
            .take_off_label(OURS, theirs, 10, at(1))
            .await
            .expect("take off")
            .is_empty()
    );
    assert!(!store.delete_label(OURS, theirs).await.expect("delete"));
    assert!(
        !store
            .cancel_blob_deletion(OURS, "theirs", at(5))
            .await
            .expect("cancel")
    );
    store
        .finish_blob_deletion(OURS, "theirs")
        .await
        .expect("finish");
    assert_eq!(
        scratch.number("SELECT count(*) AS number FROM blob_deletions"),
        1
    );

    assert!(
        !store
            .extend_index_claim(OURS, waiting.id, 0, at(9))
            .await
            .expect("extend")
    );
    assert!(
        !store
            .release_index_claim(OURS, waiting.id, 0, at(9))
            .await
            .expect("release")
    );
    let failed = IndexStatus::Failed;
    assert!(
        !store
            .finish_unindexed(OURS, waiting.id, 0, failed, "no")
            .await
            .expect("finish")
    );
    let ours = texts(&waiting, &["ours"]);
    assert!(
        !store
            .replace_chunks(OURS, waiting.id, &ours)
            .await
            .expect("replace")
    );
    store
        .store_embeddings(OURS, &model, &[(chunk, vec![0.0, 1.0])])
        .await
        .expect("store");
    assert!(store.list_models(OURS).await.expect("models").is_empty());

    let filter = SearchFilter {
        artifact_ids: Some(vec![secret.id]),
        ..SearchFilter::default()
    };
    for filter in [SearchFilter::default(), filter] {
        let near = store
            .search_semantic(OURS, &model, &[1.0, 0.0], &filter, 10)
            .await;
        assert!(near.expect("search").is_empty());
        let words = store.search_keyword(OURS, "passage", &filter, 10).await;
        assert!(words.expect("search").is_empty());
    }
    let near = store
        .search_semantic(THEIRS, &model, &[1.0, 0.0], &SearchFilter::default(), 10)
        .await
        .expect("search");
    assert!(
        (near[0].score - 1.0).abs() < 1e-6,
        "their vector was not changed"
    );
    let kept = store.find_artifact(THEIRS, secret.id).await.expect("find");
    assert_eq!(kept.expect("it is there").name, "secret");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_stay_stable_while_rows_are_inserted() {
    let scratch = Scratch::new().await;
    let mut expected = BTreeSet::new();
    for n in 0..23 {
        let written = Artifact {
            // Many have the same key, so that the id has to decide.
            created_at: at(n / 5),
            ..artifact(OURS, &format!("name {}", n / 5))
        };
        scratch.put(&written).await;
        expected.insert(written.id);
    }
    for sort in [ArtifactSort::CreatedAt, ArtifactSort::Name] {
        for descending in [false, true] {
            walk(&scratch, sort, descending, &expected).await;
        }
    }
}

/// Reads all pages, putting rows in before and after the position between them.
async fn walk(
    scratch: &Scratch,
    sort: ArtifactSort,
    descending: bool,
    expected: &BTreeSet<ArtifactId>,
) {
    let mut slice = Slice {
        descending,
        ..slice(sort, 4)
    };
    let mut seen: Vec<Artifact> = Vec::new();
    loop {
        let filter = ArtifactFilter::default();
        let page = scratch.store.list_artifacts(OURS, &filter, &slice).await;
        let page = page.expect("a page");
        assert!(page.items.len() <= 4);
        seen.extend(page.items);
        let Some(next) = page.next else { break };
        slice.after = Some(next);
        for (name, seconds) in [("name 0", 0), ("name 2", 2), ("name 4", 4)] {
            let new = Artifact {
                created_at: at(seconds),
                ..artifact(OURS, name)
            };
            scratch.put(&new).await;
        }
        assert!(seen.len() < 1000, "it comes to an end");
    }
    let found: Vec<_> = seen
        .iter()
        .map(|a| a.id)
        .filter(|id| expected.contains(id))
        .collect();
    assert_eq!(
        found.len(),
        expected.len(),
        "{sort:?}: none is missing or twice"
    );
    let key = |a: &Artifact| match sort {
        ArtifactSort::CreatedAt => (Some(a.created_at), None, a.id),
        ArtifactSort::Name => (None, Some(a.name.clone()), a.id),
    };
    let in_order = seen.is_sorted_by(|a, b| {
        if descending {
            key(a) > key(b)
        } else {
            key(a) < key(b)
        }
    });
    assert!(in_order, "{sort:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered() {
    let scratch = Scratch::new().await;
    let both = vec!["x".to_owned(), "y".to_owned()];
    scratch
        .put(&Artifact {
            labels: both.clone(),
            ..artifact(OURS, "100%.TXT")
        })
        .await;
    scratch
        .put(&Artifact {
            labels: vec!["x".to_owned()],
            ..artifact(OURS, "1000.txt")
        })
        .await;
    let html = "text/html; charset=utf-8".to_owned();
    scratch
        .put(&Artifact {
            media_type: html,
            ..artifact(OURS, "Page")
        })
        .await;
    scratch
        .put_indexed(&artifact(OURS, "done"), texts(&artifact(OURS, ""), &[]))
        .await;

    let all = ArtifactFilter::default;
    let by = |labels: &[String]| ArtifactFilter {
        labels: labels.to_vec(),
        ..all()
    };
    assert_eq!(names(&scratch, by(&both)).await, ["100%.TXT"]);
    assert_eq!(
        names(&scratch, by(&both[..1])).await,
        ["100%.TXT", "1000.txt"]
    );
    let named = |name: &str| ArtifactFilter {
        name: Some(name.to_owned()),
        ..all()
    };
    assert_eq!(names(&scratch, named("0%.t")).await, ["100%.TXT"]);
    assert_eq!(names(&scratch, named("_")).await, Vec::<String>::new());
    assert_eq!(names(&scratch, named("PAGE")).await, ["Page"]);
    let of = |kind: &str| ArtifactFilter {
        media_type: Some(kind.to_owned()),
        ..all()
    };
    assert_eq!(names(&scratch, of("text/html")).await, ["Page"]);
    assert_eq!(names(&scratch, of("text/htm")).await, Vec::<String>::new());
    let indexed = ArtifactFilter {
        index_status: Some(IndexStatus::Indexed),
        ..all()
    };
    assert_eq!(names(&scratch, indexed).await, ["done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_compared_member_by_member() {
    let scratch = Scratch::new().await;
    let nested = object(&[
        ("b", Json::Integer(1)),
        ("a", Json::Array(vec!["ü".into()])),
    ]);
    let metadata = object(&[
        ("text", "1".into()),
        ("number", Json::Integer(1)),
        ("truth", Json::Bool(true)),
        ("nothing", Json::Null),
        ("nested", nested.clone()),
        ("$.text", "path".into()),
        ("a\"b.c", "\"quoted\"\n".into()),
    ]);
    scratch
        .put(&Artifact {
            metadata: metadata.clone(),
            ..artifact(OURS, "it")
        })
        .await;
    scratch.put(&artifact(OURS, "other")).await;

    let one = |name: &str, value: Json| object(&[(name, value)]);
    let matching = [
        metadata.clone(),
        one("text", "1".into()),
        one("number", Json::Integer(1)),
        one("truth", Json::Bool(true)),
        one("nothing", Json::Null),
        one("nested", nested),
        one("$.text", "path".into()),
        one("a\"b.c", "\"quoted\"\n".into()),
        object(&[("text", "1".into()), ("number", Json::Integer(1))]),
    ];
    for metadata in matching {
        let filter = ArtifactFilter {
            metadata: metadata.clone(),
            ..ArtifactFilter::default()
        };
        assert_eq!(names(&scratch, filter).await, ["it"], "{metadata}");
    }
    let others = [
        one("text", Json::Integer(1)),
        one("number", "1".into()),
        one("number", Json::Bool(true)),
        one("truth", Json::Integer(1)),
        one("missing", Json::Null),
        one("nested", object(&[("b", Json::Integer(1))])),
        object(&[("text", "1".into()), ("number", Json::Integer(2))]),
    ];
    for metadata in others {
        let filter = ArtifactFilter {
            metadata: metadata.clone(),
            ..ArtifactFilter::default()
        };
        assert_eq!(
            names(&scratch, filter).await,
            Vec::<String>::new(),
            "{metadata}"
        );
    }
    let any = ArtifactFilter {
        metadata: Json::Object(BTreeMap::new()),
        ..ArtifactFilter::default()
    };
    assert_eq!(names(&scratch, any).await, ["it", "other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_update_is_refused() {
    let scratch = Scratch::new().await;
    let first = Artifact {
        labels: vec!["old".to_owned()],
        ..artifact(OURS, "first")
    };
    scratch.put(&first).await;
    let store = &scratch.store;
    store
        .ensure_labels(OURS, &[label(OURS, "new")])
        .await
        .expect("labels");
    let second = Artifact {
        name: "second".to_owned(),
        labels: vec!["new".to_owned()],
        metadata: object(&[("n", Json::Integer(2))]),
        version: 2,
        updated_at: at(7),
        ..first.clone()
    };
    store.update_artifact(OURS, &second).await.expect("update");
    let again = store
        .update_artifact(
            OURS,
            &Artifact {
                version: 2,
                ..first
            },
        )
        .await;
    assert!(matches!(again, Err(Error::VersionConflict)));
    let read = store.find_artifact(OURS, second.id).await.expect("find");
    assert_eq!(read, Some(second));
    let missing = Artifact {
        version: 2,
        ..artifact(OURS, "missing")
    };
    let missing = store.update_artifact(OURS, &missing).await;
    assert!(matches!(missing, Err(Error::VersionConflict)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_cannot_have_a_label_that_does_not_exist() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    store
        .ensure_labels(THEIRS, &[label(THEIRS, "x")])
        .await
        .expect("labels");
    let with = Artifact {
        labels: vec!["x".to_owned()],
        ..artifact(OURS, "it")
    };
    assert!(matches!(
        store.insert_artifact(OURS, &with).await,
        Err(Error::Unavailable(_))
    ));
    let found = store.find_artifact(OURS, with.id).await.expect("find");
    assert_eq!(found, None, "half of it would be worse than nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_transaction_leaves_nothing() {
    let scratch = Scratch::new().await;
    let written = artifact(OURS, "it");
    let transaction = scratch
        .store
        .begin(Scope::Organization(OURS))
        .await
        .expect("begin");
    transaction
        .insert_artifact(OURS, &written)
        .await
        .expect("insert");
    assert!(
        transaction
            .find_artifact(OURS, written.id)
            .await
            .expect("find")
            .is_some()
    );
    assert!(
        scratch
            .store
            .find_artifact(OURS, written.id)
            .await
            .expect("find")
            .is_none()
    );
    drop(transaction);
    assert!(
        scratch
            .store
            .find_artifact(OURS, written.id)
            .await
            .expect("find")
            .is_none()
    );

    let transaction = scratch
        .store
        .begin(Scope::Organization(OURS))
        .await
        .expect("begin");
    transaction
        .insert_artifact(OURS, &written)
        .await
        .expect("insert");
    // A call that fails takes nothing of the transaction with it.
    let twice = transaction.insert_artifact(OURS, &written).await;
    assert!(matches!(twice, Err(Error::ArtifactExists)));
    transaction.commit().await.expect("commit");
    assert!(
        scratch
            .store
            .find_artifact(OURS, written.id)
            .await
            .expect("find")
            .is_some()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_takes_everything_along() {
    let scratch = Scratch::new().await;
    let it = Artifact {
        labels: vec!["x".to_owned()],
        ..artifact(OURS, "it")
    };
    let kept = artifact(OURS, "kept");
    let model = model("m", 2);
    scratch
        .put_indexed(&it, vectors(&it, &model, &[vec![1.0, 0.0]]))
        .await;
    scratch
        .put_indexed(&kept, texts(&kept, &["passage kept"]))
        .await;
    let deleted = scratch
        .store
        .delete_artifact(OURS, it.id)
        .await
        .expect("delete");
    assert_eq!(deleted, Some(it.blob_key));
    assert_eq!(
        scratch
            .store
            .delete_artifact(OURS, it.id)
            .await
            .expect("delete"),
        None
    );
    for table in ["artifact_labels", "chunk_embeddings"] {
        let left = scratch.number(&format!("SELECT count(*) AS number FROM {table}"));
        assert_eq!(left, 0, "{table}");
    }
    scratch.check_words();
    let all = SearchFilter::default();
    let found = scratch
        .store
        .search_keyword(OURS, "passage", &all, 10)
        .await
        .expect("search");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].artifact_id, kept.id);
}
