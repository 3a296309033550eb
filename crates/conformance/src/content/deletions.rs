//! Bytes that wait to be deleted.

use archesai_content::ports::Store;

use super::{World, check, claim, time};

/// Runs every check.
pub(super) async fn suite<S: Store + Clone>(store: &S) {
    check(store, a_deletion_that_somebody_claimed_cannot_be_cancelled).await;
    check(store, the_last_word_on_a_deletion_counts).await;
}

async fn a_deletion_that_somebody_claimed_cannot_be_cancelled<S: Store>(world: &World<S>) {
    let store = &world.store;
    let key = |name| format!("{}/{name}", world.ours);
    for (name, due) in [("b", 20), ("a", 10), ("c", 30)] {
        let key = key(name);
        let inserted = store.insert_blob_deletion(world.ours, &key, time(due));
        inserted.await.unwrap();
    }
    let keys = async |limit, now, until| -> Vec<String> {
        let claimed = store.claim_blob_deletions(&claim(limit, now, until)).await;
        let mut keys: Vec<_> = claimed
            .unwrap()
            .into_iter()
            .map(|deletion| deletion.blob_key)
            .collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(9, 9, 99).await, Vec::<String>::new());
    assert!(
        !store
            .cancel_blob_deletion(world.ours, &key("a"), time(11))
            .await
            .unwrap()
    );
    assert_eq!(
        keys(1, 20, 50).await,
        [key("a")],
        "the longest due comes first"
    );
    assert!(
        !store
            .cancel_blob_deletion(world.ours, &key("a"), time(10))
            .await
            .unwrap()
    );
    assert!(
        store
            .cancel_blob_deletion(world.ours, &key("b"), time(20))
            .await
            .unwrap()
    );
    assert!(
        !store
            .cancel_blob_deletion(world.ours, &key("b"), time(20))
            .await
            .unwrap()
    );
    assert_eq!(keys(9, 30, 60).await, [key("c")]);
    store
        .finish_blob_deletion(world.ours, &key("c"))
        .await
        .unwrap();
    assert_eq!(keys(9, 1000, 1001).await, [key("a")]);
}

async fn the_last_word_on_a_deletion_counts<S: Store>(world: &World<S>) {
    let store = &world.store;
    let key = format!("{}/twice", world.ours);
    for due in [90, 10] {
        let inserted = store.insert_blob_deletion(world.ours, &key, time(due));
        inserted.await.unwrap();
    }
    let early = store.cancel_blob_deletion(world.ours, &key, time(90)).await;
    assert!(!early.unwrap());
    assert_eq!(world.deletions(10).await.len(), 1);
}
