//! Artifacts: what is written can be read, by those it belongs to.

use std::collections::{BTreeMap, BTreeSet};

use archesai_content::{
    Artifact, ArtifactFilter, ArtifactId, ArtifactSort, Error, IndexStatus, Json, LabelSort,
    SearchFilter, Slice, UserId,
    ports::{Leftover, Repository, Scope, Store, Transaction},
};

use super::{World, artifact, check, label, model, texts, time, vectors};

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

async fn names<S: Store>(world: &World<S>, filter: ArtifactFilter) -> Vec<String> {
    let slice = slice(ArtifactSort::Name, 100);
    let page = world
        .store
        .list_artifacts(world.ours, &filter, &slice)
        .await;
    let items = page.unwrap().items;
    items.into_iter().map(|artifact| artifact.name).collect()
}

/// Runs every check.
pub(super) async fn suite<S: Store + Clone>(store: &S) {
    check(store, an_artifact_is_read_as_it_was_written).await;
    check(store, what_belongs_to_others_does_not_exist).await;
    check(store, pages_stay_stable_while_rows_are_inserted).await;
    check(store, lists_are_filtered).await;
    check(store, metadata_is_compared_member_by_member).await;
    check(store, a_lost_update_is_refused).await;
    check(store, an_artifact_cannot_have_a_label_that_does_not_exist).await;
    check(store, a_dropped_transaction_leaves_nothing).await;
    check(store, deleting_takes_everything_along).await;
}

async fn an_artifact_is_read_as_it_was_written<S: Store>(world: &World<S>) {
    let written = Artifact {
        labels: vec!["a".to_owned(), "b".to_owned(), "ä".to_owned()],
        metadata: object(&[("x", Json::Array(vec![Json::Null, Json::Float(1.5)]))]),
        created_by: Some(UserId(9)),
        media_type: "text/html; charset=utf-8".to_owned(),
        size: 1 << 40,
        ..artifact(world.ours, "o'clock \"%_\u{1F600}")
    };
    world.put(&written).await;
    let read = world.store.find_artifact(world.ours, written.id).await;
    assert_eq!(read.unwrap(), Some(written.clone()));
    for organization in [world.ours, world.theirs] {
        let again = Artifact {
            id: written.id,
            ..artifact(organization, "again")
        };
        let refused = world.store.insert_artifact(organization, &again).await;
        assert!(matches!(refused, Err(Error::AlreadyExists)), "{refused:?}");
    }
}

async fn what_belongs_to_others_does_not_exist<S: Store>(world: &World<S>) {
    let store = &world.store;
    let secret = Artifact {
        labels: vec!["secret".to_owned()],
        ..artifact(world.theirs, "secret")
    };
    let model = model("m", 2);
    let index = vectors(&secret, &model, &[vec![1.0, 0.0]]);
    let chunk = index.chunks[0].id;
    world.put_indexed(&secret, index).await;
    let waiting = artifact(world.theirs, "waiting");
    world.put(&waiting).await;
    store
        .insert_blob_deletion(world.theirs, &waiting.blob_key, time(5))
        .await
        .unwrap();

    assert_eq!(
        store.find_artifact(world.ours, secret.id).await.unwrap(),
        None
    );
    assert_eq!(store.find_text(world.ours, secret.id).await.unwrap(), None);
    let changed = Artifact {
        version: 2,
        name: "ours".to_owned(),
        ..secret.clone()
    };
    let update = store
        .update_artifact(
            world.ours,
            &Artifact {
                labels: vec![],
                ..changed
            },
        )
        .await;
    assert!(matches!(update, Err(Error::VersionConflict)));
    assert_eq!(
        store.delete_artifact(world.ours, secret.id).await.unwrap(),
        None
    );
    assert_eq!(
        names(world, ArtifactFilter::default()).await,
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
            .list_labels(world.ours, &labels)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let theirs = store
        .list_labels(world.theirs, &labels)
        .await
        .unwrap()
        .items[0]
        .id;
    assert!(
        store
            .take_off_label(world.ours, theirs, 10, time(1))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(!store.delete_label(world.ours, theirs).await.unwrap());
    assert!(
        !store
            .cancel_blob_deletion(world.ours, &waiting.blob_key, time(5))
            .await
            .unwrap()
    );
    store
        .finish_blob_deletion(world.ours, &waiting.blob_key)
        .await
        .unwrap();
    assert_eq!(world.deletions(5).await.len(), 1);

    assert!(
        !store
            .extend_index_claim(world.ours, waiting.id, 0, time(9))
            .await
            .unwrap()
    );
    assert!(
        !store
            .release_index_claim(world.ours, waiting.id, 0, time(9))
            .await
            .unwrap()
    );
    let failed = IndexStatus::Failed;
    assert!(
        !store
            .finish_unindexed(world.ours, waiting.id, 0, failed, "no")
            .await
            .unwrap()
    );
    let ours = texts(&waiting, &["ours"]);
    assert!(
        !store
            .replace_chunks(world.ours, waiting.id, &ours)
            .await
            .unwrap()
    );
    store
        .store_embeddings(world.ours, &model, &[(chunk, vec![0.0, 1.0])])
        .await
        .unwrap();
    assert!(store.list_models(world.ours).await.unwrap().is_empty());

    let filter = SearchFilter {
        artifact_ids: Some(vec![secret.id]),
        ..SearchFilter::default()
    };
    for filter in [SearchFilter::default(), filter] {
        let near = store
            .search_semantic(world.ours, &model, &[1.0, 0.0], &filter, 10)
            .await;
        assert!(near.unwrap().is_empty());
        let words = store
            .search_keyword(world.ours, "passage", &filter, 10)
            .await;
        assert!(words.unwrap().is_empty());
    }
    let near = store
        .search_semantic(
            world.theirs,
            &model,
            &[1.0, 0.0],
            &SearchFilter::default(),
            10,
        )
        .await
        .unwrap();
    assert!(
        (near[0].score - 1.0).abs() < 1e-6,
        "their vector was not changed"
    );
    let kept = store.find_artifact(world.theirs, secret.id).await.unwrap();
    assert_eq!(kept.unwrap().name, "secret");
}

async fn pages_stay_stable_while_rows_are_inserted<S: Store>(world: &World<S>) {
    let mut expected = BTreeSet::new();
    for n in 0..23 {
        let written = Artifact {
            // Many have the same key, so that the id has to decide.
            created_at: time(n / 5),
            ..artifact(world.ours, &format!("name {}", n / 5))
        };
        world.put(&written).await;
        expected.insert(written.id);
    }
    for sort in [ArtifactSort::CreatedAt, ArtifactSort::Name] {
        for descending in [false, true] {
            walk(world, sort, descending, &expected).await;
        }
    }
}

/// Reads all pages, putting rows in before and after the position between them.
async fn walk<S: Store>(
    world: &World<S>,
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
        let page = world
            .store
            .list_artifacts(world.ours, &filter, &slice)
            .await;
        let page = page.unwrap();
        assert!(page.items.len() <= 4);
        seen.extend(page.items);
        let Some(next) = page.next else { break };
        slice.after = Some(next);
        for (name, seconds) in [("name 0", 0), ("name 2", 2), ("name 4", 4)] {
            let new = Artifact {
                created_at: time(seconds),
                ..artifact(world.ours, name)
            };
            world.put(&new).await;
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

async fn lists_are_filtered<S: Store>(world: &World<S>) {
    let both = vec!["x".to_owned(), "y".to_owned()];
    world
        .put(&Artifact {
            labels: both.clone(),
            ..artifact(world.ours, "100%.TXT")
        })
        .await;
    world
        .put(&Artifact {
            labels: vec!["x".to_owned()],
            ..artifact(world.ours, "1000.txt")
        })
        .await;
    let html = "text/html; charset=utf-8".to_owned();
    world
        .put(&Artifact {
            media_type: html,
            ..artifact(world.ours, "Page")
        })
        .await;
    world
        .put_indexed(
            &artifact(world.ours, "done"),
            texts(&artifact(world.ours, ""), &[]),
        )
        .await;

    let all = ArtifactFilter::default;
    let by = |labels: &[String]| ArtifactFilter {
        labels: labels.to_vec(),
        ..all()
    };
    assert_eq!(names(world, by(&both)).await, ["100%.TXT"]);
    assert_eq!(names(world, by(&both[..1])).await, ["100%.TXT", "1000.txt"]);
    let named = |name: &str| ArtifactFilter {
        name: Some(name.to_owned()),
        ..all()
    };
    assert_eq!(names(world, named("0%.t")).await, ["100%.TXT"]);
    assert_eq!(names(world, named("_")).await, Vec::<String>::new());
    assert_eq!(names(world, named("PAGE")).await, ["Page"]);
    let of = |kind: &str| ArtifactFilter {
        media_type: Some(kind.to_owned()),
        ..all()
    };
    assert_eq!(names(world, of("text/html")).await, ["Page"]);
    assert_eq!(names(world, of("text/htm")).await, Vec::<String>::new());
    let indexed = ArtifactFilter {
        index_status: Some(IndexStatus::Indexed),
        ..all()
    };
    assert_eq!(names(world, indexed).await, ["done"]);
}

async fn metadata_is_compared_member_by_member<S: Store>(world: &World<S>) {
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
    world
        .put(&Artifact {
            metadata: metadata.clone(),
            ..artifact(world.ours, "it")
        })
        .await;
    world.put(&artifact(world.ours, "other")).await;

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
        assert_eq!(names(world, filter).await, ["it"], "{metadata}");
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
            names(world, filter).await,
            Vec::<String>::new(),
            "{metadata}"
        );
    }
    let any = ArtifactFilter {
        metadata: Json::Object(BTreeMap::new()),
        ..ArtifactFilter::default()
    };
    assert_eq!(names(world, any).await, ["it", "other"]);
}

async fn a_lost_update_is_refused<S: Store>(world: &World<S>) {
    let first = Artifact {
        labels: vec!["old".to_owned()],
        ..artifact(world.ours, "first")
    };
    world.put(&first).await;
    let store = &world.store;
    store
        .ensure_labels(world.ours, &[label(world.ours, "new")])
        .await
        .unwrap();
    let second = Artifact {
        name: "second".to_owned(),
        labels: vec!["new".to_owned()],
        metadata: object(&[("n", Json::Integer(2))]),
        version: 2,
        updated_at: time(7),
        ..first.clone()
    };
    store.update_artifact(world.ours, &second).await.unwrap();
    let again = store
        .update_artifact(
            world.ours,
            &Artifact {
                version: 2,
                ..first
            },
        )
        .await;
    assert!(matches!(again, Err(Error::VersionConflict)));
    let read = store.find_artifact(world.ours, second.id).await.unwrap();
    assert_eq!(read, Some(second));
    let missing = Artifact {
        version: 2,
        ..artifact(world.ours, "missing")
    };
    let missing = store.update_artifact(world.ours, &missing).await;
    assert!(matches!(missing, Err(Error::VersionConflict)));
}

async fn an_artifact_cannot_have_a_label_that_does_not_exist<S: Store>(world: &World<S>) {
    let store = &world.store;
    store
        .ensure_labels(world.theirs, &[label(world.theirs, "x")])
        .await
        .unwrap();
    let with = Artifact {
        labels: vec!["x".to_owned()],
        ..artifact(world.ours, "it")
    };
    assert!(matches!(
        store.insert_artifact(world.ours, &with).await,
        Err(Error::Unavailable(_))
    ));
    let found = store.find_artifact(world.ours, with.id).await.unwrap();
    assert_eq!(found, None, "half of it would be worse than nothing");
}

async fn a_dropped_transaction_leaves_nothing<S: Store>(world: &World<S>) {
    let written = artifact(world.ours, "it");
    let transaction = world
        .store
        .begin(Scope::Organization(world.ours))
        .await
        .unwrap();
    transaction
        .insert_artifact(world.ours, &written)
        .await
        .unwrap();
    assert!(
        transaction
            .find_artifact(world.ours, written.id)
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        world
            .store
            .find_artifact(world.ours, written.id)
            .await
            .unwrap()
            .is_none()
    );
    drop(transaction);
    assert!(
        world
            .store
            .find_artifact(world.ours, written.id)
            .await
            .unwrap()
            .is_none()
    );

    let transaction = world
        .store
        .begin(Scope::Organization(world.ours))
        .await
        .unwrap();
    transaction
        .insert_artifact(world.ours, &written)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert!(
        world
            .store
            .find_artifact(world.ours, written.id)
            .await
            .unwrap()
            .is_some()
    );
}

async fn deleting_takes_everything_along<S: Store>(world: &World<S>) {
    let it = Artifact {
        labels: vec!["x".to_owned()],
        ..artifact(world.ours, "it")
    };
    let kept = artifact(world.ours, "kept");
    let model = model("m", 2);
    world
        .put_indexed(&it, vectors(&it, &model, &[vec![1.0, 0.0]]))
        .await;
    world
        .put_indexed(&kept, texts(&kept, &["passage kept"]))
        .await;
    let deleted = world
        .store
        .delete_artifact(world.ours, it.id)
        .await
        .unwrap();
    let leftover = Leftover {
        blob_key: it.blob_key,
        size: it.size,
        version: it.version,
    };
    assert_eq!(deleted, Some(leftover));
    assert_eq!(
        world
            .store
            .delete_artifact(world.ours, it.id)
            .await
            .unwrap(),
        None
    );
    let all = SearchFilter::default();
    let found = world
        .store
        .search_keyword(world.ours, "passage", &all, 10)
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].artifact_id, kept.id);
}
