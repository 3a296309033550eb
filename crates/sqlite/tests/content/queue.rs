//! What waits to be done: artifacts to index, passages to embed, bytes to delete.

use archesai_content::{
    IndexStatus, SearchFilter,
    ports::{Claim, IndexJob, Repository},
};

use crate::support::{OURS, Scratch, THEIRS, artifact, at, model, texts, vectors};

fn claim(limit: u32, now: u64, until: u64) -> Claim {
    Claim {
        limit,
        now: at(now),
        until: at(until),
    }
}

async fn claim_one(scratch: &Scratch, now: u64, until: u64) -> Option<IndexJob> {
    let claimed = scratch.store.claim_unindexed(&claim(1, now, until)).await;
    claimed.expect("it answers").pop()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_claimed_by_one_at_a_time() {
    let scratch = Scratch::new().await;
    let (first, second) = (artifact(OURS, "first"), artifact(THEIRS, "second"));
    scratch.put(&first).await;
    scratch
        .put(&archesai_content::Artifact {
            created_at: at(1),
            ..second.clone()
        })
        .await;
    assert!(
        claim_one(&scratch, 1, 60)
            .await
            .is_some_and(|job| job.artifact == first)
    );
    let job = claim_one(&scratch, 1, 60).await.expect("the second waits");
    assert_eq!((job.artifact.id, job.attempts), (second.id, 1));
    assert_eq!(claim_one(&scratch, 59, 99).await, None);

    let again = claim_one(&scratch, 60, 120)
        .await
        .expect("the claim ran out");
    assert_eq!(again.attempts, 2);
    assert_eq!(
        again.artifact.id, first.id,
        "the longest waiting comes first"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_each_gets_another() {
    let scratch = Scratch::new().await;
    for n in 0..20 {
        scratch.put(&artifact(OURS, &n.to_string())).await;
    }
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = scratch.store.clone();
            tokio::spawn(async move { store.claim_unindexed(&claim(1, 1, 60)).await })
        })
        .collect();
    let mut ids = Vec::new();
    for task in tasks {
        let jobs = task.await.expect("it ends").expect("it answers");
        ids.extend(jobs.into_iter().map(|job| job.artifact.id));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_result_is_refused() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    let it = artifact(OURS, "it");
    scratch.put(&it).await;
    let late = claim_one(&scratch, 0, 10).await.expect("it waits");
    assert!(
        store
            .extend_index_claim(OURS, it.id, late.fence, at(20))
            .await
            .expect("extend")
    );
    assert_eq!(claim_one(&scratch, 19, 99).await, None);
    let newest = claim_one(&scratch, 20, 30).await.expect("it ran out");
    assert!(newest.fence > late.fence);

    let failed = IndexStatus::Failed;
    let mut index = texts(&it, &["late"]);
    index.fence = Some(late.fence);
    assert!(
        !store
            .extend_index_claim(OURS, it.id, late.fence, at(99))
            .await
            .expect("extend")
    );
    assert!(
        !store
            .release_index_claim(OURS, it.id, late.fence, at(99))
            .await
            .expect("release")
    );
    assert!(
        !store
            .finish_unindexed(OURS, it.id, late.fence, failed, "no")
            .await
            .expect("finish")
    );
    assert!(
        !store
            .replace_chunks(OURS, it.id, &index)
            .await
            .expect("replace")
    );
    let read = store
        .find_artifact(OURS, it.id)
        .await
        .expect("find")
        .expect("it is there");
    assert_eq!(
        (read.index_status, read.chunk_count),
        (IndexStatus::Pending, 0)
    );

    let mut index = texts(&it, &["in time", "too"]);
    index.fence = Some(newest.fence);
    assert!(
        store
            .replace_chunks(OURS, it.id, &index)
            .await
            .expect("replace")
    );
    assert!(
        !store
            .replace_chunks(OURS, it.id, &index)
            .await
            .expect("replace"),
        "only once"
    );
    let read = store
        .find_artifact(OURS, it.id)
        .await
        .expect("find")
        .expect("it is there");
    assert_eq!(
        (read.index_status, read.chunk_count),
        (IndexStatus::Indexed, 2)
    );
    assert_eq!(read.version, 1);
    let text = store.find_text(OURS, it.id).await.expect("text");
    assert_eq!(text.as_deref(), Some("in time\ntoo"));
    assert_eq!(claim_one(&scratch, 1000, 2000).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_back_costs_no_attempt() {
    let scratch = Scratch::new().await;
    let it = artifact(OURS, "it");
    scratch.put(&it).await;
    for round in 0..5 {
        let job = claim_one(&scratch, round * 10, 1000)
            .await
            .expect("it waits");
        assert_eq!(job.attempts, 1);
        let due = at(round * 10 + 5);
        let released = scratch
            .store
            .release_index_claim(OURS, it.id, job.fence, due)
            .await;
        assert!(released.expect("release"));
        assert_eq!(claim_one(&scratch, round * 10 + 4, 1000).await, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_without_text_waits_no_longer() {
    let scratch = Scratch::new().await;
    let it = artifact(OURS, "it");
    scratch.put(&it).await;
    let job = claim_one(&scratch, 0, 10).await.expect("it waits");
    let unsupported = IndexStatus::Unsupported;
    let finished = scratch
        .store
        .finish_unindexed(OURS, it.id, job.fence, unsupported, "an image")
        .await;
    assert!(finished.expect("finish"));
    let read = scratch
        .store
        .find_artifact(OURS, it.id)
        .await
        .expect("find");
    let read = read.expect("it is there");
    assert_eq!(read.index_status, unsupported);
    assert_eq!(read.index_error.as_deref(), Some("an image"));
    assert_eq!(claim_one(&scratch, 1000, 2000).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn passages_without_an_embedding_of_the_model_are_claimed() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    let (old, new) = (model("old", 2), model("new", 2));
    let embedded = artifact(OURS, "embedded");
    let bare = artifact(THEIRS, "bare");
    let right = vec![1.0, 0.0];
    scratch
        .put_indexed(
            &embedded,
            vectors(&embedded, &old, std::slice::from_ref(&right)),
        )
        .await;
    scratch.put_indexed(&bare, texts(&bare, &["a", "b"])).await;

    let waiting = store
        .claim_unembedded(&old, &claim(10, 0, 60))
        .await
        .expect("claim");
    let found: Vec<_> = waiting
        .iter()
        .map(|c| (c.organization_id, c.text.as_str()))
        .collect();
    assert_eq!(found, [(THEIRS, "a"), (THEIRS, "b")]);
    assert!(
        store
            .claim_unembedded(&old, &claim(10, 59, 90))
            .await
            .expect("claim")
            .is_empty()
    );
    let again = store
        .claim_unembedded(&old, &claim(1, 60, 90))
        .await
        .expect("claim");
    assert_eq!(again.len(), 1);

    let (a, b) = (waiting[0].id, waiting[1].id);
    store
        .store_embeddings(THEIRS, &old, &[(a, right.clone())])
        .await
        .expect("store");
    let means = "SELECT count(*) AS number FROM artifacts WHERE embedding IS NOT NULL";
    assert_eq!(scratch.number(means), 1, "not before all passages have one");
    store
        .store_embeddings(THEIRS, &old, &[(b, vec![0.0, 1.0])])
        .await
        .expect("store");
    assert_eq!(scratch.number(means), 2);
    assert!(
        store
            .claim_unembedded(&old, &claim(9, 500, 600))
            .await
            .expect("claim")
            .is_empty()
    );

    // Another model has embedded none of them.
    let all = store
        .claim_unembedded(&new, &claim(9, 500, 600))
        .await
        .expect("claim");
    assert_eq!(all.len(), 3);
    store
        .store_embeddings(THEIRS, &new, &[(a, right.clone())])
        .await
        .expect("store");
    assert_eq!(store.list_models(THEIRS).await.expect("models").len(), 2);
    let any = SearchFilter::default();
    let hits = store
        .search_semantic(THEIRS, &new, &right, &any, 9)
        .await
        .expect("search");
    assert_eq!(
        hits.len(),
        1,
        "vectors of different models are never compared"
    );
    assert_eq!(hits[0].chunk_id, a);
    let hits = store
        .search_semantic(THEIRS, &old, &right, &any, 9)
        .await
        .expect("search");
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].chunk_id, b);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_somebody_claimed_cannot_be_cancelled() {
    let scratch = Scratch::new().await;
    let store = &scratch.store;
    for (key, due) in [("b", 20), ("a", 10), ("c", 30)] {
        store
            .insert_blob_deletion(OURS, key, at(due))
            .await
            .expect("insert");
    }
    let keys = async |limit, now, until| -> Vec<String> {
        let claimed = store.claim_blob_deletions(&claim(limit, now, until)).await;
        let mut keys: Vec<_> = claimed
            .expect("claim")
            .into_iter()
            .map(|deletion| deletion.blob_key)
            .collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(9, 9, 99).await, Vec::<String>::new());
    assert!(
        !store
            .cancel_blob_deletion(OURS, "a", at(11))
            .await
            .expect("cancel")
    );
    assert_eq!(keys(1, 20, 50).await, ["a"], "the longest due comes first");
    assert!(
        !store
            .cancel_blob_deletion(OURS, "a", at(10))
            .await
            .expect("cancel")
    );
    assert!(
        store
            .cancel_blob_deletion(OURS, "b", at(20))
            .await
            .expect("cancel")
    );
    assert!(
        !store
            .cancel_blob_deletion(OURS, "b", at(20))
            .await
            .expect("cancel")
    );
    assert_eq!(keys(9, 30, 60).await, ["c"]);
    store.finish_blob_deletion(OURS, "c").await.expect("finish");
    assert_eq!(keys(9, 1000, 1001).await, ["a"]);
}
