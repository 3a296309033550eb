//! Erasing what an organization has that is no more.

use std::time::Duration;

use archesai_content::{ArtifactFilter, ArtifactSort, LabelId, LabelSort, OrganizationId, Slice};

use super::{
    Claim, Error, ME, NewArtifact, Outbox, Program, SearchMode, Store, fresh, named, run, searching,
};

/// Runs every check.
pub(super) async fn suite<S: Store + Outbox + Clone>(store: &S) {
    run(store, an_organization_that_is_no_more_leaves_nothing).await;
    run(store, much_is_erased_piece_by_piece).await;
    run(store, nothing_can_be_added_to_what_is_erased).await;
    run(
        store,
        an_upload_under_way_when_erasing_begins_leaves_nothing,
    )
    .await;
    run(store, an_erasure_comes_to_an_end).await;
}

fn all<T>(sort: T) -> Slice<T> {
    Slice {
        limit: 100,
        after: None,
        sort,
        descending: false,
    }
}

impl<S: Store + Outbox + Clone> Program<S> {
    async fn artifacts(&self, organization: OrganizationId) -> usize {
        let (filter, slice) = (ArtifactFilter::default(), all(ArtifactSort::CreatedAt));
        let page = self.service.list_artifacts(organization, filter, &slice);
        page.await.unwrap().items.len()
    }

    async fn labels(&self, organization: OrganizationId) -> usize {
        let slice = all(LabelSort::Name);
        let page = self.service.list_labels(organization, &slice).await;
        page.unwrap().items.len()
    }

    async fn erase_all(&self) -> u64 {
        let mut erased = 0;
        loop {
            match self.service.erase().await.unwrap() {
                0 => break,
                more => erased += more,
            }
        }
        erased
    }
}

async fn an_organization_that_is_no_more_leaves_nothing<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    let mut kept = None;
    for (organization, count) in [(bench.ours, 3), (bench.theirs, 1)] {
        for n in 0..count {
            let new = NewArtifact {
                labels: vec![n.to_string()],
                ..named("it")
            };
            let bytes = b"a text\n\nin two passages".to_vec();
            let stored = bench.service.create_artifact(organization, ME, new, bytes);
            kept = Some(stored.await.unwrap().blob_key);
        }
    }
    bench.index_all().await;
    bench.service.begin_erasure(bench.ours).await.unwrap();
    assert_eq!(bench.erase_all().await, 3 + 3 * 2 + 3);
    assert_eq!(bench.artifacts(bench.ours).await, 0);
    assert_eq!(bench.labels(bench.ours).await, 0);
    assert_eq!(bench.events("artifact.deleted").await, 3);
    assert_eq!(bench.events("label.deleted").await, 3);
    let query = || searching("text", SearchMode::Hybrid);
    let found = bench.service.search(bench.ours, query()).await.unwrap();
    assert_eq!(found, []);

    let found = bench.service.search(bench.theirs, query()).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(bench.artifacts(bench.theirs).await, 1);
    assert_eq!(bench.labels(bench.theirs).await, 1);
    assert_eq!(bench.blobs(), [kept.unwrap()]);
}

async fn much_is_erased_piece_by_piece<S: Store + Outbox + Clone>(bench: Program<S>) {
    bench.use_model(None);
    for _ in 0..4 {
        bench.store_text("long", &"a\n\n".repeat(300)).await;
    }
    bench.index_all().await;
    bench.service.begin_erasure(bench.ours).await.unwrap();
    let mut pieces = Vec::new();
    loop {
        // Whoever does it may die after any of them: the next finds the rest.
        match bench.service.erase().await.unwrap() {
            0 => break,
            piece => pieces.push(piece),
        }
    }
    assert!(pieces.iter().all(|piece| *piece <= 500), "{pieces:?}");
    assert_eq!(pieces.iter().sum::<u64>(), 4 * 301);
    assert_eq!(bench.artifacts(bench.ours).await, 0);
}

async fn nothing_can_be_added_to_what_is_erased<S: Store + Outbox + Clone>(bench: Program<S>) {
    bench.service.begin_erasure(bench.ours).await.unwrap();
    let stored = bench
        .service
        .create_artifact(bench.ours, ME, named("late"), b"text".to_vec())
        .await;
    assert!(matches!(stored, Err(Error::NotFound)), "{stored:?}");
    let made = bench
        .service
        .create_label(bench.ours, ME, LabelId(fresh()), "late")
        .await;
    assert!(matches!(made, Err(Error::NotFound)), "{made:?}");
    assert_eq!(bench.labels(bench.ours).await, 0);
    assert_eq!((bench.blobs().len(), bench.deletions().await), (0, 0));
}

async fn an_upload_under_way_when_erasing_begins_leaves_nothing<S: Store + Outbox + Clone>(
    bench: Program<S>,
) {
    let new = NewArtifact {
        labels: vec!["late".to_owned()],
        ..named("late")
    };
    let upload = bench.service.upload(bench.ours, ME, new).await;
    let mut upload = upload.unwrap();
    upload.write(b"text".to_vec()).await.unwrap();
    bench.service.begin_erasure(bench.ours).await.unwrap();
    bench.erase_all().await;
    let finished = bench.service.finish_upload(upload).await;
    assert!(matches!(finished, Err(Error::NotFound)), "{finished:?}");
    assert_eq!(bench.artifacts(bench.ours).await, 0);
    assert_eq!(bench.labels(bench.ours).await, 0);
    assert_eq!((bench.blobs().len(), bench.deletions().await), (0, 0));
}

async fn an_erasure_comes_to_an_end<S: Store + Outbox + Clone>(bench: Program<S>) {
    let waiting = async |seconds| {
        let now = bench.now() + Duration::from_secs(seconds);
        let claim = Claim {
            limit: 10,
            now,
            until: now,
        };
        let claimed = bench.service.store.claim_erasures(&claim).await.unwrap();
        claimed
            .iter()
            .any(|erasure| erasure.organization_id == bench.ours)
    };
    bench.service.begin_erasure(bench.ours).await.unwrap();
    bench.erase_all().await;
    assert!(!waiting(60).await, "there was nothing");
    assert!(waiting(3_600).await, "something may have come since");
    bench.pass(Duration::from_hours(2));
    bench.erase_all().await;
    bench.service.begin_erasure(bench.ours).await.unwrap();
    assert!(!waiting(1_000_000).await, "nothing can have come since");
}
