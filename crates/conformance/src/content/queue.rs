//! The queue of artifacts that wait to be indexed.

use archesai_content::{
    Artifact, IndexStatus,
    ports::{IndexJob, NewIndex, Store},
};

use super::{World, artifact, check, claim, texts, time};

async fn claim_one<S: Store>(world: &World<S>, now: u64, until: u64) -> Option<IndexJob> {
    let claimed = world.store.claim_unindexed(&claim(1, now, until)).await;
    claimed.unwrap().pop()
}

/// Runs every check.
pub(super) async fn suite<S: Store + Clone>(store: &S) {
    check(store, an_artifact_is_claimed_by_one_at_a_time).await;
    check(store, of_many_at_once_each_gets_another).await;
    check(store, a_late_result_is_refused).await;
    check(store, what_is_handed_back_costs_no_attempt).await;
    check(store, an_artifact_without_text_waits_no_longer).await;
    check(store, an_artifact_waits_from_when_it_was_stored_on).await;
    check(store, given_passages_end_every_claim_and_leave_the_text).await;
}

async fn an_artifact_is_claimed_by_one_at_a_time<S: Store>(world: &World<S>) {
    let (first, second) = (
        artifact(world.ours, "first"),
        artifact(world.theirs, "second"),
    );
    world.put(&first).await;
    world
        .put(&archesai_content::Artifact {
            created_at: time(1),
            ..second.clone()
        })
        .await;
    assert!(
        claim_one(world, 1, 60)
            .await
            .is_some_and(|job| job.artifact == first)
    );
    let job = claim_one(world, 1, 60).await.unwrap();
    assert_eq!((job.artifact.id, job.attempts), (second.id, 1));
    assert_eq!(claim_one(world, 59, 99).await, None);

    let again = claim_one(world, 60, 120).await.unwrap();
    assert_eq!(again.attempts, 2);
    assert_eq!(
        again.artifact.id, first.id,
        "the longest waiting comes first"
    );
}

async fn of_many_at_once_each_gets_another<S: Store>(world: &World<S>) {
    for n in 0..20 {
        world.put(&artifact(world.ours, &n.to_string())).await;
    }
    let one = claim(1, 1, 60);
    let claims = (0..20).map(|_| world.store.claim_unindexed(&one));
    let mut ids = Vec::new();
    for claimed in futures_util::future::join_all(claims).await {
        ids.extend(claimed.unwrap().into_iter().map(|job| job.artifact.id));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

async fn a_late_result_is_refused<S: Store>(world: &World<S>) {
    let store = &world.store;
    let it = artifact(world.ours, "it");
    world.put(&it).await;
    let late = claim_one(world, 0, 10).await.unwrap();
    assert!(
        store
            .extend_index_claim(world.ours, it.id, late.fence, time(20))
            .await
            .unwrap()
    );
    assert_eq!(claim_one(world, 19, 99).await, None);
    let newest = claim_one(world, 20, 30).await.unwrap();
    assert!(newest.fence > late.fence);

    let failed = IndexStatus::Failed;
    let mut index = texts(&it, &["late"]);
    index.fence = Some(late.fence);
    assert!(
        !store
            .extend_index_claim(world.ours, it.id, late.fence, time(99))
            .await
            .unwrap()
    );
    assert!(
        !store
            .release_index_claim(world.ours, it.id, late.fence, time(99))
            .await
            .unwrap()
    );
    assert!(
        !store
            .finish_unindexed(world.ours, it.id, late.fence, failed, "no")
            .await
            .unwrap()
    );
    assert!(
        !store
            .replace_chunks(world.ours, it.id, &index)
            .await
            .unwrap()
    );
    let read = store
        .find_artifact(world.ours, it.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (read.index_status, read.chunk_count),
        (IndexStatus::Pending, 0)
    );

    let mut index = texts(&it, &["in time", "too"]);
    index.fence = Some(newest.fence);
    assert!(
        store
            .replace_chunks(world.ours, it.id, &index)
            .await
            .unwrap()
    );
    assert!(
        !store
            .replace_chunks(world.ours, it.id, &index)
            .await
            .unwrap(),
        "only once"
    );
    let read = store
        .find_artifact(world.ours, it.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (read.index_status, read.chunk_count),
        (IndexStatus::Indexed, 2)
    );
    assert_eq!(read.version, 1);
    let text = store.find_text(world.ours, it.id).await.unwrap();
    assert_eq!(text.as_deref(), Some("in time\ntoo"));
    assert_eq!(claim_one(world, 1000, 2000).await, None);
}

async fn what_is_handed_back_costs_no_attempt<S: Store>(world: &World<S>) {
    let it = artifact(world.ours, "it");
    world.put(&it).await;
    for round in 0..5 {
        let job = claim_one(world, round * 10, 1000).await.unwrap();
        assert_eq!(job.attempts, 1);
        let due = time(round * 10 + 5);
        let released = world
            .store
            .release_index_claim(world.ours, it.id, job.fence, due)
            .await;
        assert!(released.unwrap());
        assert_eq!(claim_one(world, round * 10 + 4, 1000).await, None);
    }
}

async fn an_artifact_without_text_waits_no_longer<S: Store>(world: &World<S>) {
    let it = artifact(world.ours, "it");
    world.put(&it).await;
    let job = claim_one(world, 0, 10).await.unwrap();
    let unsupported = IndexStatus::Unsupported;
    let finished = world
        .store
        .finish_unindexed(world.ours, it.id, job.fence, unsupported, "an image")
        .await;
    assert!(finished.unwrap());
    let read = world.store.find_artifact(world.ours, it.id).await.unwrap();
    let read = read.unwrap();
    assert_eq!(read.index_status, unsupported);
    assert_eq!(read.index_error.as_deref(), Some("an image"));
    assert_eq!(claim_one(world, 1000, 2000).await, None);
}

async fn an_artifact_waits_from_when_it_was_stored_on<S: Store>(world: &World<S>) {
    let it = Artifact {
        created_at: time(10),
        ..artifact(world.ours, "it")
    };
    world.put(&it).await;
    assert_eq!(claim_one(world, 9, 60).await, None);
    assert!(claim_one(world, 10, 60).await.is_some());
}

async fn given_passages_end_every_claim_and_leave_the_text<S: Store>(world: &World<S>) {
    let store = &world.store;
    let it = artifact(world.ours, "it");
    world.put(&it).await;
    assert_eq!(store.find_text(world.ours, it.id).await.unwrap(), None);
    let mut index = texts(&it, &["found"]);
    let replaced = store.replace_chunks(world.ours, it.id, &index).await;
    assert!(replaced.unwrap());

    let other = artifact(world.ours, "other");
    world.put(&other).await;
    let job = claim_one(world, 0, 10).await.unwrap();
    assert_eq!(job.artifact.id, other.id);
    for (artifact, expected) in [(&it, Some("found")), (&other, None)] {
        index = NewIndex {
            text: None,
            ..texts(artifact, &["given"])
        };
        let replaced = store.replace_chunks(world.ours, artifact.id, &index);
        assert!(replaced.await.unwrap());
        let text = store.find_text(world.ours, artifact.id).await.unwrap();
        assert_eq!(text.as_deref(), expected);
    }
    index.fence = Some(job.fence);
    let late = store.replace_chunks(world.ours, other.id, &index).await;
    assert!(!late.unwrap());
    assert_eq!(claim_one(world, 1000, 2000).await, None);
}
