//! Indexing, with all that can go wrong about it.

use archesai_content::IndexWork;

use super::{
    Claim, DIMENSIONS, Error, IndexStatus, ME, Outbox, Passage, Program, SearchMode, Store, model,
    run, searching,
};

/// Runs every check.
pub(super) async fn suite<S: Store + Outbox + Clone>(store: &S) {
    run(
        store,
        without_a_model_words_are_found_and_meaning_follows_later,
    )
    .await;
    run(
        store,
        a_model_that_fails_does_not_keep_words_from_being_found,
    )
    .await;
    run(store, what_cannot_be_searched_says_why).await;
    run(store, an_outage_of_storage_costs_no_attempt).await;
    run(store, an_artifact_that_kills_whoever_indexes_it_is_given_up).await;
    run(store, one_refused_text_does_not_keep_others_waiting).await;
    run(store, work_that_is_handed_back_costs_no_attempt).await;
    run(store, a_claim_lasts_while_it_is_kept).await;
    run(store, the_text_of_given_passages_is_kept).await;
}

async fn without_a_model_words_are_found_and_meaning_follows_later<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    bench.use_model(None);
    let stored = bench
        .store_text("it", "the cat sleeps\n\nthe dog barks")
        .await;
    bench.index_all().await;
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Indexed);
    for mode in [SearchMode::Keyword, SearchMode::Hybrid] {
        assert_eq!(bench.found("dog", mode).await, ["the dog barks"]);
    }
    let semantic = bench
        .service
        .search(bench.ours, searching("dog", SearchMode::Semantic))
        .await;
    assert!(matches!(semantic, Err(Error::NoModel)));
    assert!(!bench.work().await.unwrap());

    bench.use_model(Some(model("words", DIMENSIONS)));
    bench.index_all().await;
    assert_eq!(
        bench.found("dog", SearchMode::Semantic).await[0],
        "the dog barks"
    );

    bench.use_model(Some(model("other", DIMENSIONS)));
    assert!(bench.found("dog", SearchMode::Semantic).await.is_empty());
    bench.index_all().await;
    assert_eq!(bench.found("dog", SearchMode::Semantic).await.len(), 2);
}

async fn a_model_that_fails_does_not_keep_words_from_being_found<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    bench.break_model(true);
    let stored = bench.store_text("it", "the cat sleeps").await;
    assert!(bench.work().await.unwrap());
    let status = async || bench.read(&stored).await.index_status;
    assert_eq!(status().await, IndexStatus::Embedding);
    assert_eq!(bench.found("cat", SearchMode::Keyword).await.len(), 1);
    // However long that lasts.
    for _ in 0..5 {
        assert!(bench.work().await.is_err());
        assert!(!bench.work().await.unwrap());
        bench.pass(bench.service.settings.retry_delay);
    }
    bench.break_model(false);
    bench.index_all().await;
    assert_eq!(bench.found("cat", SearchMode::Semantic).await.len(), 1);
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Indexed);
}

async fn what_cannot_be_searched_says_why<S: Store + Outbox + Clone>(bench: Program<S>) {
    let cases = [
        (
            "picture",
            "\u{1}PNG",
            IndexStatus::Unsupported,
            "no text can be found in files of this kind",
        ),
        (
            "broken",
            "damaged",
            IndexStatus::Failed,
            "the file ends too early",
        ),
        (
            "blank",
            " \n\n ",
            IndexStatus::Unsupported,
            "no text can be found in it",
        ),
    ];
    for (name, text, status, reason) in cases {
        let stored = bench.store_text(name, text).await;
        bench.index_all().await;
        let read = bench.read(&stored).await;
        assert_eq!(
            (read.index_status, read.index_error.as_deref()),
            (status, Some(reason))
        );
    }
    assert_eq!(bench.events("artifact.index_failed").await, 3);
}

async fn an_outage_of_storage_costs_no_attempt<S: Store + Outbox + Clone>(bench: Program<S>) {
    let stored = bench.store_text("it", "the cat sleeps").await;
    bench.break_blobs(true);
    for _ in 0..5 {
        assert!(bench.work().await.is_err());
        assert!(!bench.work().await.unwrap());
        bench.pass(bench.service.settings.retry_delay);
    }
    bench.break_blobs(false);
    bench.index_all().await;
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Indexed);
}

async fn an_artifact_that_kills_whoever_indexes_it_is_given_up<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    let stored = bench.store_text("it", "poison").await;
    for _ in 0..3 {
        // What a process does that claims an artifact and dies.
        let claim = Claim {
            limit: 1,
            now: bench.now(),
            until: bench.now() + bench.service.settings.lease,
        };
        let claimed = bench.service.store.claim_unindexed(&claim).await.unwrap();
        assert_eq!(claimed.len(), 1);
        bench.pass(bench.service.settings.lease);
    }
    bench.index_all().await;
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Failed);
}

async fn one_refused_text_does_not_keep_others_waiting<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    bench.use_model(None);
    let text = "the cat\n\nsleeps\n\npoison\n\nthe dog\n\nbarks";
    let stored = bench.store_text("it", text).await;
    bench.index_all().await;
    bench.use_model(Some(model("words", DIMENSIONS)));
    bench.refuse(Some("poison"));
    bench.index_all().await;
    let found = bench.found("dog", SearchMode::Semantic).await;
    assert_eq!((found.len(), found[0].as_str()), (4, "the dog"));

    // It is asked for some more times, and then no more.
    for _ in 1..bench.service.settings.max_index_attempts {
        assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Indexed);
        bench.pass(bench.service.settings.lease);
        bench.index_all().await;
    }
    let read = bench.read(&stored).await;
    assert_eq!(read.index_status, IndexStatus::Failed);
    let error = read.index_error.unwrap();
    assert!(error.contains("it has its reasons"), "{error}");
    assert_eq!(bench.events("artifact.index_failed").await, 1);
    bench.pass(bench.service.settings.lease);
    assert!(!bench.work().await.unwrap());
    assert_eq!(bench.found("poison", SearchMode::Keyword).await.len(), 1);

    // Another model may think otherwise.
    bench.use_model(Some(model("other", DIMENSIONS)));
    bench.refuse(None);
    bench.index_all().await;
    let read = bench.read(&stored).await;
    assert_eq!(
        (read.index_status, read.index_error),
        (IndexStatus::Indexed, None)
    );
    assert_eq!(bench.found("dog", SearchMode::Semantic).await.len(), 5);
    assert_eq!(bench.events("artifact.indexed").await, 2);
}

async fn work_that_is_handed_back_costs_no_attempt<S: Store + Outbox + Clone>(bench: Program<S>) {
    bench.use_model(None);
    let stored = bench.store_text("it", "the cat\n\nsleeps").await;
    let give_back = async || {
        for _ in 0..5 {
            let work = bench.service.claim_work().await.unwrap().unwrap();
            match &work {
                IndexWork::Index(job) => assert_eq!(job.attempts, 1),
                IndexWork::Embed(chunks) => {
                    assert_eq!(chunks.len(), 2);
                    assert!(chunks.iter().all(|chunk| chunk.attempts == 1));
                }
            }
            bench.service.hand_back(&work).await.unwrap();
        }
    };
    give_back().await;
    bench.index_all().await;
    assert_eq!(bench.read(&stored).await.index_status, IndexStatus::Indexed);
    bench.use_model(Some(model("words", DIMENSIONS)));
    give_back().await;
    bench.index_all().await;
    assert_eq!(bench.found("cat", SearchMode::Semantic).await.len(), 2);
}

async fn a_claim_lasts_while_it_is_kept<S: Store + Outbox + Clone>(bench: Program<S>) {
    bench.store_text("it", "the cat sleeps").await;
    let work = bench.service.claim_work().await.unwrap().unwrap();
    for _ in 0..5 {
        bench.pass(bench.service.settings.lease / 2);
        assert!(bench.service.keep(&work).await.unwrap());
        assert_eq!(bench.service.claim_work().await.unwrap(), None);
    }
    bench.pass(bench.service.settings.lease);
    let again = bench.service.claim_work().await.unwrap();
    assert!(
        again.is_some(),
        "who was silent for a lease is taken for dead"
    );
    assert!(!bench.service.keep(&work).await.unwrap());
}

async fn the_text_of_given_passages_is_kept<S: Store + Outbox + Clone>(bench: Program<S>) {
    let stored = bench.store_text("it", "the cat sleeps").await;
    let passage = Passage {
        text: "the cat".to_owned(),
        start: 0,
        end: 7,
    };
    let text = Some("the cat sleeps".to_owned());
    let given = bench
        .service
        .store_passages(bench.ours, ME, stored.id, text, vec![passage]);
    given.await.unwrap();
    let text = bench.service.text(bench.ours, stored.id).await.unwrap();
    assert_eq!(text.as_deref(), Some("the cat sleeps"));
    assert!(!bench.work().await.unwrap());
}
