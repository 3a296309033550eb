//! Usage, counted anew in a database whose log and figures are as a test wants them.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use archesai_content::{ArtifactId, Event, Recorded, ports::Repository as _};
use archesai_organizations::{Counts, Figure, Organization, Plan};
use archesai_platform::{
    events::{LoggedEvent, Outbox as _, Publisher},
    system::Ids as _,
};
use archesai_worker::{Stop, expire, relay};
use tempfile::TempDir;
use tokio::{runtime::Handle, task::block_in_place};

use super::*;
use crate::{compose::Infrastructure, config::Config};

/// What publishes to nobody.
struct Nobody;

impl Publisher for Nobody {
    async fn publish(&self, _event: &LoggedEvent) -> archesai_platform::Result<()> {
        Ok(())
    }
}

struct World {
    infrastructure: Infrastructure,
    place: OrganizationId,
    /// The beginning of today, in UTC.
    today: SystemTime,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().to_str().unwrap();
        let config = Config::with(&[("data_dir", data), ("embeddings", "off")]);
        let infrastructure = Infrastructure::open(&config).await.unwrap();
        let now = infrastructure.system.now();
        let here = Organization {
            id: OrganizationId(infrastructure.system.next()),
            name: "here".to_owned(),
            plan: Plan::Free,
            credits: 0,
            personal_of: None,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let store = infrastructure.database.organizations_store();
        store.insert_organization(&here).await.unwrap();
        let days = u32::try_from(Day::of(now).0).unwrap();
        Self {
            infrastructure,
            place: here.id,
            today: SystemTime::UNIX_EPOCH + A_DAY * days,
            _folder: folder,
        }
    }

    /// The noon of so many days ago.
    fn ago(&self, days: u32) -> SystemTime {
        self.today - A_DAY * days + A_DAY / 2
    }

    /// Has it stand in the log that bytes were stored so many days ago.
    async fn stored(&self, days: u32, bytes: i64) {
        let artifact_id = ArtifactId(self.infrastructure.system.next());
        let recorded = Recorded {
            id: self.infrastructure.system.next(),
            organization_id: Some(archesai_content::OrganizationId(self.place.0)),
            actor_id: None,
            occurred_at: self.ago(days),
            event: Event::ArtifactCreated {
                artifact_id,
                name: "a".to_owned(),
                labels: Vec::new(),
                bytes,
            },
        };
        let store = self.infrastructure.database.content_store();
        store.record(&recorded).await.unwrap();
    }

    /// Publishes and chains the log, and takes away what happened more days ago.
    async fn keep(&self, days: u32) {
        let Infrastructure {
            database,
            bus,
            vault,
            system,
            ..
        } = &self.infrastructure;
        let stop = Stop::new();
        let poll = Duration::from_millis(1);
        let vault = Arc::clone(vault);
        let publishing = relay(
            database.outbox(),
            Arc::clone(&vault) as _,
            Nobody,
            bus.appended.clone(),
            system.next(),
            poll,
            stop.clone(),
        );
        let published = async {
            let outbox = database.outbox();
            while !outbox
                .unpublished(&BTreeSet::new(), 1)
                .await
                .unwrap()
                .is_empty()
            {
                tokio::time::sleep(poll).await;
            }
            stop.cancel();
        };
        tokio::join!(publishing, published);
        let before = self.today - A_DAY * days;
        while expire(&database.trail(), &*vault, before).await.unwrap() > 0 {}
    }

    /// Counts in the tally that is read what never happened.
    async fn miscount(&self, days: u32, bytes: i64) {
        let store = self.infrastructure.database.organizations_store();
        let tally = store.current_tally().await.unwrap();
        let mut counts = Counts::default();
        counts.add(self.place, self.ago(days), Figure::BytesStored, bytes);
        let mark = tally.mark.clone();
        assert!(store.add_usage(&tally, &mark, &counts).await.unwrap());
    }

    /// How many bytes were stored so many days ago.
    async fn bytes(&self, days: u32) -> i64 {
        let store = self.infrastructure.database.organizations_store();
        let day = Day::of(self.ago(days));
        let found = store.list_usage(self.place, day, day).await.unwrap();
        let figures = found.first().map(|found| found.figures.clone());
        let bytes = figures
            .unwrap_or_default()
            .get(&Figure::BytesStored)
            .copied();
        bytes.unwrap_or_default()
    }

    async fn replay(&self) -> anyhow::Result<Replayed> {
        let clock = self.infrastructure.system.as_ref();
        super::usage(&self.infrastructure.database, clock, |_, _| {}).await
    }

    async fn catch_up(&self) {
        let database = &self.infrastructure.database;
        let read = UsageProjection::new(database.organizations_store());
        let mut read = Projector::new(database.changes(), read);
        read_all(&mut read, &mut |_, _| {}).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_that_are_wrong_are_right_afterwards() {
    let world = Box::pin(World::new()).await;
    for days in [3, 0] {
        world.stored(days, 5).await;
    }
    world.catch_up().await;
    world.miscount(3, 100).await;
    assert_eq!((world.bytes(3).await, world.bytes(0).await), (105, 5));
    // What is not counted yet is counted too.
    world.stored(0, 1).await;
    let replayed = world.replay().await.unwrap();
    assert_eq!((replayed.events, replayed.kept), (3, 0));
    assert_eq!((world.bytes(3).await, world.bytes(0).await), (5, 6));
    world.stored(0, 1).await;
    world.catch_up().await;
    assert_eq!(world.bytes(0).await, 7);
}

/// The log begins in the midst of a day: that one and those before it keep what they were counted.
#[tokio::test(flavor = "multi_thread")]
async fn days_that_the_log_does_not_cover_whole_keep_their_figures() {
    let world = Box::pin(World::new()).await;
    for days in [10, 6, 5, 0] {
        world.stored(days, 5).await;
    }
    world.catch_up().await;
    world.keep(8).await;
    for days in [10, 6, 5, 0] {
        world.miscount(days, 100).await;
    }
    let replayed = world.replay().await.unwrap();
    assert_eq!((replayed.events, replayed.kept), (3, 1));
    for (days, bytes) in [(10, 105), (6, 105), (5, 5), (0, 5)] {
        assert_eq!(world.bytes(days).await, bytes, "{days} days ago");
    }
    // Where nothing is left but what is to come, all but today is kept.
    world.stored(0, 1).await;
    world.miscount(5, 100).await;
    world.miscount(0, 100).await;
    world.keep(0).await;
    let replayed = world.replay().await.unwrap();
    assert_eq!((replayed.events, replayed.kept), (2, 1));
    for (days, bytes) in [(10, 105), (6, 105), (5, 105), (0, 6)] {
        assert_eq!(world.bytes(days).await, bytes, "{days} days ago");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_the_later_one_counts() {
    let world = Box::pin(World::new()).await;
    world.stored(1, 5).await;
    world.catch_up().await;
    world.miscount(1, 100).await;
    let database = &world.infrastructure.database;
    let clock = world.infrastructure.system.as_ref();
    let store = database.organizations_store();
    let mut later = None;
    let earlier = super::usage(database, clock, |_, _| {
        let begun = block_in_place(|| Handle::current().block_on(store.begin_tally()));
        later = Some(begun.unwrap());
    });
    let error = earlier.await.unwrap_err().to_string();
    assert!(error.contains("another replay"), "{error}");
    assert_eq!(world.bytes(1).await, 105);
    let none = BTreeMap::new();
    assert!(store.switch_tally(later.unwrap().id, &none).await.unwrap());
    assert_eq!(world.bytes(1).await, 0);
}
