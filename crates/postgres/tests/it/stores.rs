//! The suites of every port.

use std::time::UNIX_EPOCH;

use archesai_conformance as conformance;

use crate::scratch::Scratch;

#[tokio::test(flavor = "multi_thread")]
async fn auth() {
    let scratch = Scratch::new().await;
    let store = scratch.open().await.store();
    conformance::auth::suite(&store).await;
    Box::pin(conformance::auth::races::suite(&store)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn organizations() {
    let scratch = Scratch::new().await;
    let store = scratch.open().await.store();
    conformance::organizations::suite(&store).await;
    conformance::organizations::races::suite(&store).await;
    conformance::organizations::usage::suite(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn platform() {
    let scratch = Scratch::new().await;
    let store = scratch.open().await.store();
    conformance::platform::idempotency_suite(&store).await;
    conformance::data_keys::suite(&store).await;
    // The other suites leave events behind.
    conformance::auth::suite(&store).await;
    conformance::auth::suite(&store).await;
    conformance::platform::event_log_suite(&store).await;
    conformance::event_log::leading_suite(&store).await;
    conformance::event_log::following_suite(&store).await;
    conformance::event_log::chains::suite(&store).await;
    conformance::event_log::relays::suite(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows() {
    use archesai_organizations::{Organization, OrganizationId, Plan, ports::Repository as _};
    use archesai_workflows::OrganizationId as Tenant;

    let scratch = Scratch::new().await;
    let store = scratch.open().await.store();
    for id in [1, 2] {
        let organization = Organization {
            id: OrganizationId(id),
            name: "somebody".to_owned(),
            plan: Plan::Free,
            credits: 0,
            personal_of: None,
            version: 1,
            created_at: UNIX_EPOCH,
            updated_at: UNIX_EPOCH,
        };
        store.insert_organization(&organization).await.unwrap();
    }
    conformance::workflows::suite(&store, [Tenant(1), Tenant(2)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content() {
    let scratch = Scratch::new().await;
    conformance::content::suite(&scratch.open().await.store()).await;
}
