//! Organizations whose content goes.

use archesai_content::{Artifact, Error, ports::Store};

use super::{World, artifact, check, claim, label, texts, time};

/// Runs every check.
pub(super) async fn suite<S: Store + Clone>(store: &S) {
    check(store, nothing_is_added_once_erasing_began).await;
    check(store, an_erasure_is_claimed_by_one_at_a_time).await;
    check(store, so_many_passages_are_deleted).await;
}

async fn nothing_is_added_once_erasing_began<S: Store>(world: &World<S>) {
    let store = &world.store;
    let before = artifact(world.ours, "before");
    world.put(&before).await;
    for _ in 0..2 {
        store.begin_erasure(world.ours, time(1)).await.unwrap();
    }
    let after = artifact(world.ours, "after");
    let refused = store.insert_artifact(world.ours, &after).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    let found = store.find_artifact(world.ours, after.id).await.unwrap();
    assert_eq!(found, None);
    let after = label(world.ours, "after");
    let refused = store.insert_label(world.ours, &after).await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    let refused = store
        .ensure_labels(world.ours, std::slice::from_ref(&after))
        .await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
    let found = store.find_label(world.ours, after.id).await.unwrap();
    assert_eq!(found, None);

    // What is there can still be read, changed and deleted, and others are not concerned.
    let changed = Artifact {
        version: 2,
        ..before
    };
    store.update_artifact(world.ours, &changed).await.unwrap();
    world.put(&artifact(world.theirs, "theirs")).await;
    store.schedule_erasure(world.ours, None).await.unwrap();
    let refused = store
        .insert_artifact(world.ours, &artifact(world.ours, "later"))
        .await;
    assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
}

async fn an_erasure_is_claimed_by_one_at_a_time<S: Store>(world: &World<S>) {
    let store = &world.store;
    let claimed = async |limit, now, until| {
        let claimed = store
            .claim_erasures(&claim(limit, now, until))
            .await
            .unwrap();
        claimed
            .into_iter()
            .map(|it| (it.organization_id, it.begun_at))
            .collect::<Vec<_>>()
    };
    store.begin_erasure(world.theirs, time(2)).await.unwrap();
    store.begin_erasure(world.ours, time(1)).await.unwrap();
    store.begin_erasure(world.ours, time(9)).await.unwrap();
    let (ours, theirs) = ((world.ours, time(1)), (world.theirs, time(2)));
    assert_eq!(
        claimed(1, 5, 10).await,
        [ours],
        "the longest due comes first"
    );
    assert_eq!(claimed(9, 5, 20).await, [theirs]);
    assert_eq!(claimed(9, 9, 30).await, []);
    assert_eq!(claimed(9, 10, 30).await, [ours]);
    let again = Some(time(15));
    store.schedule_erasure(world.ours, again).await.unwrap();
    store.schedule_erasure(world.theirs, None).await.unwrap();
    assert_eq!(claimed(9, 100, 200).await, [ours]);
    store.schedule_erasure(world.ours, None).await.unwrap();
    store.begin_erasure(world.ours, time(300)).await.unwrap();
    assert_eq!(claimed(9, 1_000, 2_000).await, []);
}

async fn so_many_passages_are_deleted<S: Store>(world: &World<S>) {
    let store = &world.store;
    let it = artifact(world.ours, "it");
    world.put_indexed(&it, texts(&it, &["a", "b", "c"])).await;
    let delete = async |organization, limit| {
        let deleted = store.delete_passages(organization, it.id, limit).await;
        deleted.unwrap()
    };
    assert_eq!(delete(world.theirs, 9).await, 0);
    assert_eq!(delete(world.ours, 2).await, 2);
    assert_eq!(delete(world.ours, 2).await, 1);
    assert_eq!(delete(world.ours, 2).await, 0);
}
