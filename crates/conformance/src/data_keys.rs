//! What is promised of the keys that seal.

use std::time::{Duration, UNIX_EPOCH};

use archesai_platform::data_keys::{DataKey, DataKeys};
use futures_util::future::join_all;

fn key(id: u32, wrapped: u8) -> DataKey {
    DataKey {
        id,
        wrapped: vec![wrapped; 60],
        created_at: UNIX_EPOCH + Duration::from_secs(1_700_000_000 + u64::from(id)),
    }
}

/// Runs every check on a store of data keys that has none yet.
pub async fn suite(keys: &impl DataKeys) {
    assert!(keys.list().await.unwrap().is_empty());
    let first = of_many_first_keys_one_is_kept(keys).await;
    let both = keys_are_wrapped_anew_and_added_at_once(keys, first).await;
    whoever_was_overtaken_changes_nothing(keys, &both).await;
    of_many_changes_at_once_one_takes_effect(keys, &both).await;
}

async fn of_many_first_keys_one_is_kept(keys: &impl DataKeys) -> DataKey {
    let made = (0..16).map(|number| async move {
        let first = key(1, number);
        let is_kept = keys.change(&[], std::slice::from_ref(&first)).await;
        is_kept.unwrap().then_some(first)
    });
    let mut kept: Vec<_> = join_all(made).await.into_iter().flatten().collect();
    assert_eq!(keys.list().await.unwrap(), kept);
    assert_eq!(kept.len(), 1);
    kept.remove(0)
}

async fn keys_are_wrapped_anew_and_added_at_once(
    keys: &impl DataKeys,
    first: DataKey,
) -> [DataKey; 2] {
    let then = [key(1, 100), key(2, 101)];
    assert!(keys.change(&[first], &then).await.unwrap());
    assert_eq!(keys.list().await.unwrap(), then);
    then
}

async fn whoever_was_overtaken_changes_nothing(keys: &impl DataKeys, there: &[DataKey]) {
    let then = [key(1, 200), key(2, 201), key(3, 202)];
    for listed in [
        vec![],
        vec![key(1, 100)],
        vec![key(1, 99), key(2, 101)],
        then.to_vec(),
    ] {
        assert!(!keys.change(&listed, &then).await.unwrap());
        assert_eq!(keys.list().await.unwrap(), there);
    }
}

async fn of_many_changes_at_once_one_takes_effect(keys: &impl DataKeys, there: &[DataKey]) {
    let changes = (0..16).map(|number| async move {
        let then = [key(1, number), key(2, number), key(3, number)];
        let is_done = keys.change(there, &then).await.unwrap();
        is_done.then_some(then)
    });
    let done: Vec<_> = join_all(changes).await.into_iter().flatten().collect();
    assert_eq!(done.len(), 1);
    assert_eq!(keys.list().await.unwrap(), done[0]);
}
