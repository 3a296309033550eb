//! One attempt at a step: from the claim to the report.

use std::{future::Future, panic::AssertUnwindSafe, pin::Pin, time::Duration};

use archesai_workflows::{
    Adapters, Call, Cancellation, Error, Outcome, Prepared, Result, Service, ToolError,
    engine::Claim,
};
use futures_util::{
    FutureExt,
    future::{Fuse, FusedFuture},
};
use tokio::time::Instant;

use super::{log::StepLog, reports::Reports};

use crate::Stop;

/// How long a tool that is told to stop may take to do so.
const TO_STOP: Duration = Duration::from_secs(5);

/// The longest wait before the database is tried again.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// How often what a step tells is written while it runs.
const FLUSH: Duration = Duration::from_millis(250);

/// Tells a tool to stop.
struct Told<'a>(&'a Stop);

impl Cancellation for Told<'_> {
    fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    fn cancelled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.cancelled())
    }
}

/// Prepares, calls and reports. Answers what came of it, in a word, and a claim to
/// go on with, if there is one.
///
/// # Errors
///
/// [`Error::LeaseLost`] if the step was taken away meanwhile.
pub(super) async fn attempt<A: Adapters>(
    service: &Service<A>,
    reports: &Reports,
    claim: &Claim,
    stop: &Stop,
) -> Result<(&'static str, Option<Claim>)> {
    let call = match insist(stop, || service.prepare(claim)).await? {
        Prepared::Call(call) => call,
        Prepared::Ended(next) => return Ok(("settled", next)),
    };
    let log = StepLog::new(service.clock.clone());
    let result = watched(service, &call, &log, stop).await;
    flush(service, claim, &log).await;
    let next = insist(stop, || {
        reports.finish(service, call.clone(), result.clone())
    })
    .await?;
    Ok((outcome(&result), next))
}

/// What came of an attempt, in a word.
fn outcome(result: &Result<Outcome, ToolError>) -> &'static str {
    match result {
        Ok(Outcome::Sleep { .. }) => "waiting",
        Ok(_) => "succeeded",
        Err(_) => "failed",
    }
}

/// Tries again while the database is unavailable: the worker lives, so nobody
/// else would take the step up. Gives up once the step was taken away.
async fn insist<T, F: Future<Output = Result<T>>>(
    stop: &Stop,
    mut work: impl FnMut() -> F,
) -> Result<T> {
    let started = Instant::now();
    let mut wait = Duration::from_millis(50);
    loop {
        match work().await {
            Err(Error::Unavailable(cause)) => {
                tracing::warn!(error = &*cause as &dyn std::error::Error, "a step waits");
                // A tool that ran out of time was told to stop as well, and is still ours.
                if stop.is_cancelled() && started.elapsed() > TO_STOP {
                    return Err(Error::LeaseLost);
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(MAX_WAIT);
            }
            result => return result,
        }
    }
}

/// Calls the tool within its time, until it is told to stop, and writes what it tells meanwhile.
pub(super) async fn watched<A: Adapters>(
    service: &Service<A>,
    call: &Call,
    log: &StepLog,
    stop: &Stop,
) -> Result<Outcome, ToolError> {
    let told = Told(stop);
    let tool = AssertUnwindSafe(service.call(call, log, &told)).catch_unwind();
    let timed = tokio::time::timeout(call.timeout, tool);
    tokio::pin!(timed);
    let stopped = async {
        stop.cancelled().await;
        tokio::time::sleep(TO_STOP).await;
    };
    tokio::pin!(stopped);
    let mut rhythm = tokio::time::interval(FLUSH);
    // The tool goes on while what it told is being written.
    let flushing = Fuse::terminated();
    tokio::pin!(flushing);
    let result = loop {
        tokio::select! {
            result = &mut timed => break settle(result, call, stop),
            () = &mut stopped => break Err(ToolError::permanent("cancelled", "it was cancelled")),
            () = &mut flushing => {}
            _ = rhythm.tick(), if flushing.is_terminated() => {
                flushing.set(flush(service, &call.claim, log).fuse());
            }
        }
    };
    if !flushing.is_terminated() {
        flushing.await;
    }
    result
}

type Timed = Result<std::thread::Result<Result<Outcome, ToolError>>, tokio::time::error::Elapsed>;

fn settle(result: Timed, call: &Call, stop: &Stop) -> Result<Outcome, ToolError> {
    match result {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(ToolError::permanent("tool_failed", "the tool broke down")),
        Err(_) => {
            stop.cancel();
            Err(ToolError::timed_out(call.timeout))
        }
    }
}

/// Writes what the step told since the last time. Its log is worth less than its result.
async fn flush<A: Adapters>(service: &Service<A>, claim: &Claim, log: &StepLog) {
    let entries = log.take();
    if entries.is_empty() {
        return;
    }
    if let Err(error) = service.append_logs(claim, entries).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "a step's log");
    }
}
