//! What holds while two nodes publish the log at once, each in the belief that it alone does.

use std::{
    collections::BTreeSet,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use archesai_auth::ports::Repository;
use archesai_platform::{
    Result,
    chains::{Chain, Extension, Trail},
    events::{LoggedEvent, Outbox, Publisher},
    wakeups::Wake,
};
use archesai_worker::{Stop, relay};
use tokio::time::{sleep, timeout};

use super::{
    LATE,
    chains::{OpenVault, holds, record, records},
};
use crate::fresh;

/// How often the nodes look.
const POLL: Duration = Duration::from_millis(2);

/// How many events are told of each organization.
const EVENTS: u64 = 40;

/// A log that gives the right to publish to everybody.
#[derive(Clone)]
struct Lavish<S>(S);

impl<S: Outbox> Outbox for Lavish<S> {
    async fn unpublished(&self, known: &BTreeSet<i64>, limit: u32) -> Result<Vec<LoggedEvent>> {
        self.0.unpublished(known, limit).await
    }

    async fn appended(&self) {
        self.0.appended().await;
    }

    async fn chains(&self, organizations: &BTreeSet<u128>) -> Result<Vec<Chain>> {
        self.0.chains(organizations).await
    }

    async fn mark_published(&self, extension: &Extension) -> Result<bool> {
        self.0.mark_published(extension).await
    }

    async fn lead(&self, _node: u128, _lease: Duration) -> Result<bool> {
        Ok(true)
    }

    async fn resign(&self, _node: u128) -> Result<()> {
        Ok(())
    }
}

/// Writes down what is published.
#[derive(Clone, Default)]
struct Published(Arc<Mutex<Vec<u128>>>);

impl Publisher for Published {
    async fn publish(&self, event: &LoggedEvent) -> Result<()> {
        self.0.lock().unwrap().push(event.id);
        Ok(())
    }
}

/// Whom nobody wakes.
struct Asleep;

impl Wake for Asleep {
    async fn woken(&self) {
        pending::<()>().await;
    }
}

/// Every event is published, and no chain forks.
pub async fn suite<S: Outbox + Trail + Repository + Clone>(store: &S) {
    let (published, stop) = (Published::default(), Stop::new());
    let relays = [(), ()].map(|()| {
        tokio::spawn(relay(
            Lavish(store.clone()),
            Arc::new(OpenVault),
            published.clone(),
            Asleep,
            fresh(),
            POLL,
            stop.clone(),
        ))
    });
    let owners = [fresh(), fresh(), fresh()];
    for at in 0..EVENTS {
        for owner in owners {
            record(store, owner, at).await;
        }
        // Long enough for the nodes to mark what they published again and again.
        sleep(POLL * 10).await;
    }
    let all_marked = async {
        while store.pending().await.unwrap() > 0 {
            sleep(POLL).await;
        }
    };
    timeout(LATE, all_marked).await.expect("all is marked");
    stop.cancel();
    for relay in relays {
        relay.await.unwrap();
    }
    let published = published.0.lock().unwrap().clone();
    for owner in owners {
        holds(store, owner).await;
        let chained = records(store, owner).await;
        assert_eq!(chained.len() as u64, EVENTS);
        let mut ids = chained.iter().map(|record| record.event.id);
        assert!(ids.all(|id| published.contains(&id)));
    }
}
