//! Passages that wait for their embedding, and the models that made those there are.

use archesai_content::{ChunkId, IndexStatus, SearchFilter, ports::Store};

use super::{World, artifact, check, claim, model, texts, time, vectors};

/// Runs every check.
pub(super) async fn suite<S: Store + Clone>(store: &S) {
    check(
        store,
        passages_without_an_embedding_of_the_model_are_claimed,
    )
    .await;
    check(store, those_never_claimed_come_first).await;
    check(store, what_was_claimed_before_is_claimed_alone).await;
    check(store, what_is_handed_back_costs_no_attempt).await;
    check(
        store,
        a_refused_passage_waits_no_longer_and_its_artifact_has_failed,
    )
    .await;
    check(store, the_most_used_model_comes_first).await;
    check(store, passages_that_are_gone_are_left_out).await;
}

async fn passages_without_an_embedding_of_the_model_are_claimed<S: Store>(world: &World<S>) {
    let store = &world.store;
    let (old, new) = (model("old", 2), model("new", 2));
    let embedded = artifact(world.ours, "embedded");
    let bare = artifact(world.theirs, "bare");
    let right = vec![1.0, 0.0];
    world
        .put_indexed(
            &embedded,
            vectors(&embedded, &old, std::slice::from_ref(&right)),
        )
        .await;
    world.put_indexed(&bare, texts(&bare, &["a", "b"])).await;

    let mut waiting = store
        .claim_unembedded(&old, &claim(10, 0, 60))
        .await
        .unwrap();
    waiting.sort_by(|one, other| one.text.cmp(&other.text));
    let found: Vec<_> = waiting
        .iter()
        .map(|c| (c.organization_id, c.text.as_str()))
        .collect();
    assert_eq!(found, [(world.theirs, "a"), (world.theirs, "b")]);
    assert!(
        store
            .claim_unembedded(&old, &claim(10, 59, 90))
            .await
            .unwrap()
            .is_empty()
    );
    let again = store
        .claim_unembedded(&old, &claim(1, 60, 90))
        .await
        .unwrap();
    assert_eq!(again.len(), 1);

    let (a, b) = (waiting[0].id, waiting[1].id);
    store
        .store_embeddings(world.theirs, &old, &[(a, right.clone())])
        .await
        .unwrap();
    store
        .store_embeddings(world.theirs, &old, &[(b, vec![0.0, 1.0])])
        .await
        .unwrap();
    assert!(
        store
            .claim_unembedded(&old, &claim(9, 500, 600))
            .await
            .unwrap()
            .is_empty()
    );

    // Another model has embedded none of them.
    let all = store
        .claim_unembedded(&new, &claim(9, 500, 600))
        .await
        .unwrap();
    assert_eq!(all.len(), 3);
    store
        .store_embeddings(world.theirs, &new, &[(a, right.clone())])
        .await
        .unwrap();
    assert_eq!(store.list_models(world.theirs).await.unwrap().len(), 2);
    let any = SearchFilter::default();
    let hits = store
        .search_semantic(world.theirs, &new, &right, &any, 9)
        .await
        .unwrap();
    assert_eq!(
        hits.len(),
        1,
        "vectors of different models are never compared"
    );
    assert_eq!(hits[0].chunk_id, a);
    let hits = store
        .search_semantic(world.theirs, &old, &right, &any, 9)
        .await
        .unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].chunk_id, b);
}

async fn those_never_claimed_come_first<S: Store>(world: &World<S>) {
    let store = &world.store;
    let model = model("m", 2);
    let (first, second) = (artifact(world.ours, "1"), artifact(world.ours, "2"));
    world.put_indexed(&first, texts(&first, &["first"])).await;
    let claimed = store.claim_unembedded(&model, &claim(5, 0, 10)).await;
    assert_eq!(claimed.unwrap().len(), 1);
    world
        .put_indexed(&second, texts(&second, &["second"]))
        .await;
    let claimed = store.claim_unembedded(&model, &claim(1, 20, 30)).await;
    assert_eq!(claimed.unwrap()[0].text, "second");
    let claimed = store.claim_unembedded(&model, &claim(1, 20, 30)).await;
    assert_eq!(claimed.unwrap()[0].text, "first", "its claim had run out");
}

async fn the_most_used_model_comes_first<S: Store>(world: &World<S>) {
    let store = &world.store;
    let (rare, common) = (model("rare", 2), model("common", 3));
    let one = artifact(world.ours, "one");
    world
        .put_indexed(&one, vectors(&one, &rare, &[vec![1.0, 0.0]]))
        .await;
    let two = artifact(world.ours, "two");
    let three = [vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]];
    world
        .put_indexed(&two, vectors(&two, &common, &three))
        .await;
    let models = store.list_models(world.ours).await.unwrap();
    assert_eq!(models, [common, rare]);
    assert_eq!(store.list_models(world.theirs).await.unwrap(), []);
}

async fn passages_that_are_gone_are_left_out<S: Store>(world: &World<S>) {
    let store = &world.store;
    let model = model("m", 2);
    let it = artifact(world.ours, "it");
    world.put_indexed(&it, texts(&it, &["old"])).await;
    let claimed = store
        .claim_unembedded(&model, &claim(9, 0, 10))
        .await
        .unwrap();
    let index = texts(&it, &["new"]);
    let replaced = store.replace_chunks(world.ours, it.id, &index);
    assert!(replaced.await.unwrap());
    let late = [(claimed[0].id, vec![1.0, 0.0])];
    let stored = store.store_embeddings(world.ours, &model, &late).await;
    stored.unwrap();
    assert_eq!(store.list_models(world.ours).await.unwrap(), []);
    let claimed = store
        .claim_unembedded(&model, &claim(9, 0, 10))
        .await
        .unwrap();
    assert_eq!(claimed[0].text, "new");
}

async fn what_was_claimed_before_is_claimed_alone<S: Store>(world: &World<S>) {
    let store = &world.store;
    let model = model("m", 2);
    let it = artifact(world.ours, "it");
    world.put_indexed(&it, texts(&it, &["a", "b", "c"])).await;
    let attempts = async |now, until| -> Vec<u32> {
        let claimed = store.claim_unembedded(&model, &claim(9, now, until)).await;
        let claimed = claimed.unwrap().into_iter();
        claimed.map(|passage| passage.attempts).collect()
    };
    assert_eq!(attempts(0, 10).await, [1, 1, 1]);
    for _ in 0..3 {
        assert_eq!(attempts(10, 20).await, [2]);
    }
    assert!(attempts(10, 20).await.is_empty());
    let other = artifact(world.ours, "other");
    world.put_indexed(&other, texts(&other, &["d", "e"])).await;
    assert_eq!(attempts(20, 30).await, [1, 1]);
    assert_eq!(attempts(20, 30).await, [3]);
}

async fn what_is_handed_back_costs_no_attempt<S: Store>(world: &World<S>) {
    let store = &world.store;
    let model = model("m", 2);
    let it = artifact(world.ours, "it");
    world.put_indexed(&it, texts(&it, &["a", "b"])).await;
    for round in 0..3 {
        let now = round * 10;
        let claimed = store.claim_unembedded(&model, &claim(9, now, 999)).await;
        let ids: Vec<_> = claimed
            .unwrap()
            .iter()
            .map(|it| (it.id, it.attempts))
            .collect();
        assert!(ids.len() == 2 && ids.iter().all(|(_, attempts)| *attempts == 1));
        let ids: Vec<_> = ids.into_iter().map(|(id, _)| id).collect();
        // Somebody else's word counts for nothing.
        let theirs = store.release_unembedded(world.theirs, &ids, time(0)).await;
        theirs.unwrap();
        let early = store
            .claim_unembedded(&model, &claim(9, now + 9, 999))
            .await;
        assert_eq!(early.unwrap(), []);
        let released = store
            .release_unembedded(world.ours, &ids, time(now + 10))
            .await;
        released.unwrap();
        let early = store
            .claim_unembedded(&model, &claim(9, now + 9, 999))
            .await;
        assert_eq!(early.unwrap(), []);
    }
}

async fn a_refused_passage_waits_no_longer_and_its_artifact_has_failed<S: Store>(world: &World<S>) {
    let store = &world.store;
    let (model, other) = (model("m", 2), model("other", 2));
    let it = artifact(world.ours, "it");
    let index = vectors(&it, &other, &[vec![1.0, 0.0], vec![0.0, 1.0]]);
    let [bad, good] = [index.chunks[0].id, index.chunks[1].id];
    world.put_indexed(&it, index).await;
    let theirs = store
        .refuse_embedding(world.theirs, &model, bad, "no")
        .await;
    assert_eq!(theirs.unwrap(), None);
    let refused = store.refuse_embedding(world.ours, &model, bad, "no").await;
    assert_eq!(refused.unwrap(), Some(it.id));
    let read = store
        .find_artifact(world.ours, it.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read.index_status, IndexStatus::Failed);
    assert_eq!(
        (read.index_error.as_deref(), read.chunk_count),
        (Some("no"), 2)
    );
    let waiting = store
        .claim_unembedded(&model, &claim(9, 0, 1))
        .await
        .unwrap();
    let waiting: Vec<_> = waiting.into_iter().map(|passage| passage.id).collect();
    assert_eq!(waiting, [good]);

    // The rest is embedded, which does not make the artifact whole; another model can.
    let vector = vec![1.0, 0.0];
    let store_of = async |model, ids: &[ChunkId]| {
        let embeddings: Vec<_> = ids.iter().map(|id| (*id, vector.clone())).collect();
        let stored = store.store_embeddings(world.ours, model, &embeddings).await;
        stored.unwrap()
    };
    assert_eq!(store_of(&model, &[good]).await, []);
    let all = SearchFilter::default();
    let near = store
        .search_semantic(world.ours, &model, &vector, &all, 9)
        .await;
    assert_eq!(near.unwrap().len(), 1);
    let waiting = store
        .claim_unembedded(&other, &claim(9, 0, 1))
        .await
        .unwrap();
    assert_eq!(waiting.len(), 2);
    assert_eq!(store_of(&other, &[bad]).await, []);
    assert_eq!(store_of(&other, &[good]).await, [it.id]);
    let read = store
        .find_artifact(world.ours, it.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (read.index_status, read.index_error),
        (IndexStatus::Indexed, None)
    );
}
