//! The work in the background of this process.

use std::{sync::Arc, time::Duration};

use archesai_platform::{
    idempotency::IdempotencyKeys,
    system::{Clock, Ids},
};
use archesai_worker::{
    Chore, StepSettings, Stop, Work, expire, herald, index, keep_house, project, relay, run_steps,
};
use tokio::task::JoinHandle;

use crate::{
    compose::{Infrastructure, Services, UsageProjection},
    config::Config,
    serve::{Part, forgetting::Forgetting, reactions::Reactions},
};

/// How much longer than their grace running steps are waited for.
const AFTER_GRACE: Duration = Duration::from_secs(5);

/// How often what has had its time is swept away.
const SWEEP: Duration = Duration::from_mins(1);

/// What runs in the background, and how to end it.
pub(super) struct Background {
    tasks: Vec<JoinHandle<()>>,
    /// What ends last, for what the others still have to say.
    last_stop: Stop,
    last: Vec<JoinHandle<()>>,
    grace: Duration,
}

impl Background {
    /// Starts what this part of the system does; what has no end of its own ends with `stop`.
    pub(super) fn start(
        part: Part,
        stop: &Stop,
        config: &Config,
        services: &Services,
        infrastructure: &Arc<Infrastructure>,
    ) -> Self {
        let mut background = Self {
            tasks: Vec::new(),
            last_stop: Stop::new(),
            last: Vec::new(),
            grace: config.shutdown_timeout + AFTER_GRACE,
        };
        background.hear(services, infrastructure);
        if part.works() {
            background.work(stop, config, services, infrastructure);
            background.publish(config, services, infrastructure);
        }
        background
    }

    /// What every process does: it tells the others of its changes, and hears of theirs.
    fn hear(&mut self, services: &Services, infrastructure: &Arc<Infrastructure>) {
        let herald = herald(
            infrastructure.database.outbox(),
            Arc::new(infrastructure.bus.appended.clone()),
            self.last_stop.clone(),
        );
        let forgetting = Forgetting::new(services, infrastructure);
        let forgetting = forgetting.run(self.last_stop.clone());
        self.last.push(watched("herald", herald));
        self.last.push(watched("forgetting", forgetting));
    }

    fn work(
        &mut self,
        stop: &Stop,
        config: &Config,
        services: &Services,
        infrastructure: &Arc<Infrastructure>,
    ) {
        let settings = StepSettings {
            concurrency: config.worker_concurrency,
            poll: config.poll_interval,
            grace: config.shutdown_timeout,
        };
        let steps = run_steps(
            Arc::clone(&services.workflows),
            infrastructure.bus.steps.clone(),
            settings,
            stop.clone(),
        );
        let indexing = index(
            Arc::clone(&services.content),
            infrastructure.bus.indexing.clone(),
            config.poll_interval,
            stop.clone(),
        );
        let house = keep_house(chores(config, services, infrastructure), stop.clone());
        let database = &infrastructure.database;
        let usage = UsageProjection::new(database.organizations_store());
        let usage = project(database.changes(), usage, stop.clone());
        self.tasks.extend([
            watched("steps", steps),
            watched("indexing", indexing),
            watched("housekeeping", house),
            watched("usage", usage),
        ]);
    }

    fn publish(&mut self, config: &Config, services: &Services, infrastructure: &Infrastructure) {
        let relay = relay(
            infrastructure.database.outbox(),
            Arc::clone(&infrastructure.vault) as _,
            Reactions {
                services: services.clone(),
                then: Arc::clone(&infrastructure.bus.publisher),
            },
            infrastructure.bus.appended.clone(),
            infrastructure.system.next(),
            config.poll_interval,
            self.last_stop.clone(),
        );
        self.last.push(watched("relay", relay));
    }

    /// Waits until everything has ended, but not for ever: what is cut off here
    /// is taken up again at the next start.
    pub(super) async fn end(self) {
        let all = async {
            for task in self.tasks {
                _ = task.await;
            }
            self.last_stop.cancel();
            for task in self.last {
                _ = task.await;
            }
        };
        if tokio::time::timeout(self.grace, all).await.is_err() {
            tracing::warn!("work in the background took too long to end");
        }
    }
}

/// Runs a task that must not end before it is told to. Should it break down, the
/// process ends: half a server that looks whole is worse than one that starts
/// again, and everything it does survives that.
fn watched(name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    let task = tokio::spawn(task);
    tokio::spawn(async move {
        if task.await.is_err() {
            tracing::error!(
                name,
                "a task in the background broke down; the process ends"
            );
            std::process::exit(1);
        }
    })
}

/// A chore whose work needs clones of something at every round.
fn chore<T, F, R, E>(name: &'static str, on: T, work: F) -> Chore
where
    T: Clone + Send + Sync + 'static,
    F: Fn(T) -> R + Send + Sync + 'static,
    R: Future<Output = Result<u64, E>> + Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    Chore {
        name,
        every: SWEEP,
        work: Box::new(move || -> Work {
            let round = work(on.clone());
            Box::pin(async move { Ok(round.await?) })
        }),
    }
}

fn chores(
    config: &Config,
    services: &Services,
    infrastructure: &Arc<Infrastructure>,
) -> Vec<Chore> {
    let ttl = config.idempotency_ttl;
    let retention = config.event_retention;
    let clock = Arc::clone(&infrastructure.system);
    let keys = Arc::new(infrastructure.database.idempotency_keys());
    vec![
        chore("sessions", Arc::clone(&services.auth), |auth| async move {
            auth.sweep_sessions().await
        }),
        chore(
            "idempotency keys",
            (keys, clock),
            move |(keys, clock)| async move {
                let now = clock.now();
                keys.sweep(now - ttl).await
            },
        ),
        Chore {
            every: config.poll_interval,
            ..chore(
                "erasures",
                Arc::clone(&services.content),
                |content| async move { content.erase().await },
            )
        },
        chore(
            "blobs",
            Arc::clone(&services.content),
            |content| async move { content.sweep_blobs().await.map(u64::from) },
        ),
        chore(
            "event log",
            Arc::clone(infrastructure),
            move |infrastructure| async move { keep_log(retention, &infrastructure).await },
        ),
    ]
}

/// Makes room in the event log, and takes away what has had its time there.
async fn keep_log(
    retention: Option<Duration>,
    infrastructure: &Infrastructure,
) -> archesai_platform::Result<u64> {
    infrastructure.database.tend_events().await?;
    let Some(retention) = retention else {
        return Ok(0);
    };
    let trail = infrastructure.database.trail();
    let now = infrastructure.system.now();
    // What is not counted yet stays until it is.
    let counted = now - UsageProjection::lag(&infrastructure.database, now).await?;
    let before = counted.min(now - retention);
    expire(&trail, &*infrastructure.vault, before).await
}
