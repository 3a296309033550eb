//! Runs steps: claims those that are ready, calls their tools within their
//! time, reports what came of it, and says all the while that the worker lives.

mod attempt;
mod held;
mod log;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use archesai_workflows::{
    Adapters, Call, Error, Json, Service, ToolError, WorkerId, engine::Claim,
};
use futures_util::FutureExt;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{Stop, Wake};
use attempt::attempt;
use held::Held;

/// How many steps are claimed at once at most.
const BATCH: usize = 100;

/// How many steps are taken at once from workers that died.
const REAPED: u32 = 500;

/// How often a worker says that it lives, at least: a cancelled run is noticed by it.
const RHYTHM: Duration = Duration::from_millis(500);

/// How a worker works.
#[derive(Clone, Debug)]
pub struct StepSettings {
    /// How many steps run at once.
    pub concurrency: usize,
    /// How often to look for steps that nobody announced.
    pub poll: Duration,
    /// How long running steps may take to end once the worker is stopped.
    pub grace: Duration,
}

/// Runs steps until it is stopped, then gives those that are running some time,
/// and hands back the others for another worker to take at once.
pub async fn run_steps<A: Adapters, W: Wake>(
    service: Arc<Service<A>>,
    wake: W,
    settings: StepSettings,
    stop: Stop,
) {
    let worker = Arc::new(Worker {
        id: WorkerId(service.ids.next()),
        free: Arc::new(Semaphore::new(settings.concurrency)),
        held: Held::default(),
        service,
    });
    // The heartbeat outlives the claiming: what still runs must stay ours.
    let ended = Stop::new();
    let beating = tokio::spawn(Arc::clone(&worker).keep_alive(ended.clone()));
    let mut running = JoinSet::new();
    while !stop.is_cancelled() {
        let more = worker.fill(&mut running).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "claiming steps");
            false
        });
        while running.try_join_next().is_some() {}
        if more {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = wake.woken() => {}
            Some(_) = running.join_next(), if !running.is_empty() => {}
            () = tokio::time::sleep(settings.poll) => {}
        }
    }
    worker.wind_down(running, settings.grace).await;
    ended.cancel();
    _ = beating.await;
}

struct Worker<A: Adapters> {
    id: WorkerId,
    service: Arc<Service<A>>,
    free: Arc<Semaphore>,
    held: Held,
}

impl<A: Adapters> Worker<A> {
    /// Claims as many steps as there is room for, and starts them. Answers
    /// whether there may be more.
    async fn fill(self: &Arc<Self>, running: &mut JoinSet<()>) -> archesai_workflows::Result<bool> {
        let room = self.free.available_permits().min(BATCH);
        if room == 0 {
            return Ok(false);
        }
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let claims = self.service.claim(self.id, limit).await?;
        let full = claims.len() == room;
        for claim in claims {
            // Only this loop takes permits, so there is one for each claim.
            let permit = Arc::clone(&self.free).acquire_owned().await;
            let worker = Arc::clone(self);
            running.spawn(async move {
                worker.follow(claim).await;
                drop(permit);
            });
        }
        Ok(full)
    }

    /// Makes attempts, one after the other, as long as each leads to another.
    async fn follow(&self, first: Claim) {
        let mut next = Some(first);
        while let Some(claim) = next {
            let cancelled = self.held.take(&claim);
            let outcome = AssertUnwindSafe(attempt(&self.service, &claim, &cancelled));
            let outcome = outcome.catch_unwind().await;
            self.held.drop(&claim);
            next = match outcome {
                Ok(Ok(next)) => next,
                Ok(Err(Error::LeaseLost)) => {
                    tracing::info!(step_run_id = %claim.step.id, "the step is no longer ours");
                    metrics::counter!("archesai_steps_lost_total").increment(1);
                    None
                }
                Ok(Err(error)) => {
                    tracing::error!(
                        step_run_id = %claim.step.id,
                        error = &error as &dyn std::error::Error,
                        "running a step"
                    );
                    self.give_up(claim).await
                }
                Err(_) => {
                    tracing::error!(step_run_id = %claim.step.id, "running a step panicked");
                    self.give_up(claim).await
                }
            };
        }
    }

    /// Fails a step that cannot be run: held by a worker that lives but does
    /// nothing about it, it would hang for ever.
    async fn give_up(&self, claim: Claim) -> Option<Claim> {
        let call = Call {
            claim,
            input: Json::Null,
            timeout: Duration::ZERO,
        };
        let error = ToolError::permanent("internal", "the step could not be run");
        match self.service.finish(&call, Err(error)).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "failing a step");
                None
            }
        }
    }

    /// Says that the worker lives, stops what was taken from it, and takes over
    /// what dead workers left.
    async fn keep_alive(self: Arc<Self>, ended: Stop) {
        let rhythm = (self.service.settings.lease / 4).min(RHYTHM);
        loop {
            if let Err(error) = self.beat().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "heartbeat");
            }
            tokio::select! {
                () = ended.cancelled() => return,
                () = tokio::time::sleep(rhythm) => {}
            }
        }
    }

    async fn beat(&self) -> archesai_workflows::Result<()> {
        let before = self.held.now();
        if !before.is_empty() {
            let leases = self.service.heartbeat(self.id).await?;
            self.held.keep(&before, &leases);
        }
        let reaped = self.service.reap(REAPED).await?;
        if reaped > 0 {
            tracing::info!(steps = reaped, "took over steps of a worker that died");
        }
        Ok(())
    }

    async fn wind_down(&self, mut running: JoinSet<()>, grace: Duration) {
        let all = async { while running.join_next().await.is_some() {} };
        if tokio::time::timeout(grace, all).await.is_ok() {
            return;
        }
        running.shutdown().await;
        for claim in self.held.claims() {
            if let Err(error) = self.service.release(&claim).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "handing a step back"
                );
            }
        }
    }
}
