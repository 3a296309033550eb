//! Runs steps: claims those that are ready, calls their tools within their
//! time, reports what came of it, and says all the while that the worker lives.

mod attempt;
mod held;
mod log;
mod reports;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use archesai_platform::wakeups::Wake;
use archesai_workflows::{
    Adapters, Call, Error, Json, Reaped, Service, ToolError, WorkerId,
    engine::{Claim, Lease},
};
use futures_util::FutureExt;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use crate::Stop;
use attempt::attempt;
use held::Held;
use reports::Reports;

/// How many steps are claimed at once at most.
const BATCH: usize = 100;

/// How many steps are taken at once from workers that died.
const REAPED: u32 = 500;

/// How long to wait for what is due while another transaction is busy with it.
const BUSY: Duration = Duration::from_millis(50);

/// How often a worker says that it lives, at least: a cancelled run is noticed by it.
const RHYTHM: Duration = Duration::from_millis(500);

/// How a worker works.
#[derive(Clone, Debug)]
pub struct StepSettings {
    /// How many steps run at once.
    pub concurrency: usize,
    /// How often to look for steps that nobody announced. Those that are to wait are begun when they are due.
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
        doubt: Mutex::new(None),
        reports: Reports::take(Arc::clone(&service), stop.clone()),
        service,
    });
    // The heartbeat outlives the claiming: what still runs must stay ours.
    let ended = Stop::new();
    let beating = tokio::spawn(Arc::clone(&worker).keep_alive(ended.clone()));
    let mut running = JoinSet::new();
    while !stop.is_cancelled() {
        let wait = worker.fill(&mut running).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "claiming steps");
            None
        });
        while running.try_join_next().is_some() {}
        if wait.is_some_and(|wait| wait.is_zero()) {
            continue;
        }
        let wait = wait.unwrap_or(settings.poll).min(settings.poll);
        tokio::select! {
            () = stop.cancelled() => {}
            () = wake.woken() => {}
            Some(_) = running.join_next(), if !running.is_empty() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    worker.wind_down(running, settings.grace).await;
    ended.cancel();
    _ = beating.await;
}

/// One line in the log and one metric for each attempt at a step.
fn report(claim: &Claim, outcome: &'static str, took: Duration) {
    let Claim { run, step } = claim;
    tracing::info!(
        run_id = %run.id,
        step_run_id = %step.id,
        step = step.step,
        action = step.tool,
        attempt = step.attempt,
        outcome,
        duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3,
        "step"
    );
    metrics::histogram!(
        "archesai_step_duration_seconds",
        "tool" => step.tool.clone(),
        "outcome" => outcome
    )
    .record(took.as_secs_f64());
}

/// How a step fails that cannot be run.
fn broken(cause: Option<&Error>) -> ToolError {
    match cause {
        Some(Error::Unreadable(_)) => {
            ToolError::permanent("unreadable", "what the step needs cannot be read")
        }
        _ => ToolError::permanent("internal", "the step could not be run"),
    }
}

struct Worker<A: Adapters> {
    id: WorkerId,
    service: Arc<Service<A>>,
    free: Arc<Semaphore>,
    held: Held,
    /// Until when steps may turn up that the worker was given by an answer which was lost.
    doubt: Mutex<Option<Instant>>,
    reports: Reports,
}

impl<A: Adapters> Worker<A> {
    /// Claims as many steps as there is room for, and starts them. Answers how
    /// long it is until there may be more, if that is known.
    async fn fill(
        self: &Arc<Self>,
        running: &mut JoinSet<()>,
    ) -> archesai_workflows::Result<Option<Duration>> {
        let room = self.free.available_permits().min(BATCH);
        if room == 0 {
            return Ok(None);
        }
        let due_in = self.service.due_in().await?;
        if due_in.is_none_or(|wait| !wait.is_zero()) {
            return Ok(due_in);
        }
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let claims = self.service.claim(self.id, limit).await;
        let claims = claims.inspect_err(|_| self.begin_to_doubt())?;
        let wait = if claims.is_empty() {
            BUSY
        } else {
            Duration::ZERO
        };
        for claim in claims {
            // Only this loop takes permits, so there is one for each claim.
            let permit = Arc::clone(&self.free).acquire_owned().await;
            let stop = self.held.take(&claim);
            let worker = Arc::clone(self);
            running.spawn(async move {
                worker.follow(claim, stop).await;
                drop(permit);
            });
        }
        Ok(Some(wait))
    }

    /// Makes attempts, one after the other, as long as each leads to another.
    async fn follow(&self, first: Claim, stop: Stop) {
        let mut next = Some((first, stop));
        while let Some((claim, stop)) = next {
            let started = Instant::now();
            let ended = attempt(&self.service, &self.reports, &claim, &stop);
            let ended = AssertUnwindSafe(ended).catch_unwind().await;
            self.held.drop(&claim);
            let (outcome, goes_on) = match ended {
                Ok(Ok((outcome, next))) => (outcome, Ok(next)),
                Ok(Err(Error::LeaseLost)) => {
                    // Perhaps because an earlier report of it was heard, and its answer not.
                    self.begin_to_doubt();
                    ("lost", Ok(None))
                }
                Ok(Err(error)) => {
                    tracing::error!(
                        step_run_id = %claim.step.id,
                        error = &error as &dyn std::error::Error,
                        "running a step"
                    );
                    ("broken", Err(broken(Some(&error))))
                }
                Err(_) => ("broken", Err(broken(None))),
            };
            report(&claim, outcome, started.elapsed());
            let led_to = match goes_on {
                Ok(next) => next,
                Err(reason) => self.give_up(claim, reason).await,
            };
            next = match led_to {
                Some(claim) if self.reports.stopping.is_cancelled() => {
                    self.hand_back(&claim).await;
                    None
                }
                led_to => led_to.map(|claim| {
                    let stop = self.held.take(&claim);
                    (claim, stop)
                }),
            };
        }
    }

    /// Fails a step that cannot be run: held by a worker that lives but does
    /// nothing about it, it would hang for ever.
    async fn give_up(&self, claim: Claim, reason: ToolError) -> Option<Claim> {
        let call = Call {
            claim,
            input: Json::Null,
            timeout: Duration::ZERO,
        };
        match self.service.finish(&call, Err(reason)).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "failing a step");
                self.begin_to_doubt();
                None
            }
        }
    }

    /// The worker may hold more than it knows of, for a lease from now.
    fn begin_to_doubt(&self) {
        let until = Instant::now() + self.service.settings.lease;
        *self.doubt.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    fn doubts(&self) -> bool {
        let doubt = self.doubt.lock().unwrap_or_else(PoisonError::into_inner);
        doubt.is_some_and(|until| Instant::now() < until)
    }

    /// Says that the worker lives, stops what was taken from it, and takes over
    /// what dead workers left.
    async fn keep_alive(self: Arc<Self>, ended: Stop) {
        let rhythm = (self.service.settings.lease / 4).min(RHYTHM);
        let mut unknown = HashSet::new();
        loop {
            let round = AssertUnwindSafe(self.round(&mut unknown)).catch_unwind();
            match round.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "heartbeat");
                }
                Err(_) => tracing::error!("a heartbeat broke down"),
            }
            tokio::select! {
                () = ended.cancelled() => return,
                () = tokio::time::sleep(rhythm) => {}
            }
        }
    }

    /// Only who has just been heard of itself may say that others are dead: where
    /// nobody can write, nobody's lease is extended.
    async fn round(&self, unknown: &mut HashSet<Lease>) -> archesai_workflows::Result<()> {
        self.beat(unknown).await?;
        self.reap().await;
        Ok(())
    }

    /// One heartbeat. A step that is this worker's by the database, and of which
    /// the worker knows nothing at two heartbeats in a row, was given to it by an
    /// answer that was lost: it is handed back. `unknown` is what the last one found.
    async fn beat(&self, unknown: &mut HashSet<Lease>) -> archesai_workflows::Result<()> {
        let before = self.held.leases();
        if before.is_empty() && unknown.is_empty() && !self.doubts() {
            return Ok(());
        }
        let mut claims = self.service.heartbeat(self.id).await?;
        self.held.keep(&before, &claims);
        claims.retain(|claim| !self.held.has(claim.lease()));
        for claim in &claims {
            if unknown.contains(&claim.lease()) {
                tracing::warn!(step_run_id = %claim.step.id, "nobody heard of being given the step");
                self.hand_back(claim).await;
            }
        }
        *unknown = claims.iter().map(Claim::lease).collect();
        Ok(())
    }

    async fn reap(&self) {
        let reaped = self.service.reap(self.id, REAPED).await;
        let reaped = reaped.unwrap_or_else(|error| Reaped {
            errors: vec![error],
            ..Reaped::default()
        });
        for step in reaped.open {
            // Should it come to nothing, the step is found again.
            let service = Arc::clone(&self.service);
            tokio::spawn(async move { service.settle(step).await });
        }
        if reaped.steps > 0 {
            let steps = reaped.steps;
            tracing::info!(steps, "took over steps of a worker that died");
        }
        for error in reaped.errors {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "taking over steps of a worker that died");
        }
    }

    async fn wind_down(&self, mut running: JoinSet<()>, grace: Duration) {
        let all = async { while running.join_next().await.is_some() {} };
        let ended = tokio::time::timeout(grace, all).await.is_ok();
        if ended && !self.doubts() {
            return;
        }
        running.shutdown().await;
        if let Err(error) = self.hand_all_back().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "handing steps back");
        }
    }

    /// Hands back what the worker holds by the database. A report on its way may
    /// give it a step meanwhile, unless the one it tells of was handed back before.
    async fn hand_all_back(&self) -> archesai_workflows::Result<()> {
        loop {
            let claims = self.service.heartbeat(self.id).await?;
            if claims.is_empty() {
                return Ok(());
            }
            for claim in &claims {
                match self.service.release(claim).await {
                    Ok(()) | Err(Error::LeaseLost) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn hand_back(&self, claim: &Claim) {
        if let Err(error) = self.service.release(claim).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "handing a step back");
        }
    }
}
