//! What workers do: claim steps, report what came of them, and stay alive.

use std::{collections::HashSet, time::Duration};

use super::{Adapters, Call, Service, advance::Move};
use crate::{
    Error, Event, LogEntry, Outcome, Result, RunStatus, StepRunId, ToolError, WorkerId,
    engine::{Claim, StepEvent},
    ports::{Repository as _, Scope, Store as _, Transaction as _},
    size,
};

/// What came of looking for steps whose workers died.
#[derive(Debug, Default)]
pub struct Reaped {
    /// How many were taken from them.
    pub steps: usize,
    /// Those with which runs end whose outputs are still to be worked out; see [`Service::settle`].
    pub open: Vec<Move>,
    /// Why others were not; the runs of those that cannot be read were failed.
    pub errors: Vec<Error>,
}

impl<A: Adapters> Service<A> {
    /// How long it is until a step is due: no time if one is now, `None` if none is ready.
    /// Looking keeps nobody waiting, as claiming may.
    pub async fn due_in(&self) -> Result<Option<Duration>> {
        let due = self.store.next_due().await?;
        let now = self.clock.now();
        Ok(due.map(|due| due.duration_since(now).unwrap_or_default()))
    }

    /// Hands at most `limit` steps that are due to a worker.
    pub async fn claim(&self, worker: WorkerId, limit: u32) -> Result<Vec<Claim>> {
        let now = self.clock.now();
        let transaction = self.store.begin(Scope::System).await?;
        let claims = transaction
            .claim(worker, limit, self.settings.lease, now)
            .await?;
        if claims.is_empty() {
            return Ok(claims);
        }
        let mut seen = HashSet::new();
        let mut events = Vec::new();
        for Claim { run, step } in &claims {
            let mut record = |event| {
                events.push(self.recorded(run.organization_id, None, now, event));
            };
            let run_id = run.id;
            if seen.insert(run_id) {
                match run.status {
                    RunStatus::Queued => record(Event::RunStarted { run_id }),
                    RunStatus::Waiting => record(Event::RunResumed { run_id }),
                    _ => {}
                }
            }
            record(Event::StepStarted {
                run_id,
                step_run_id: step.id,
                step: step.step.clone(),
                attempt: step.attempt.into(),
            });
        }
        transaction.record(&events).await?;
        transaction.commit().await?;
        Ok(claims)
    }

    /// Reports what came of a call. The worker may be given a step that became
    /// ready by it, as a claim to go on with.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseLost`] if the worker does not hold the step any more; nothing
    /// is written then. [`Error::Unreadable`] if the run had to be failed.
    pub async fn finish(
        &self,
        call: &Call,
        result: Result<Outcome, ToolError>,
    ) -> Result<Option<Claim>> {
        self.advance_one(self.report(call.clone(), result, true))
            .await
    }

    /// What came of a call, to be written by [`advance`](Self::advance). Its worker
    /// may go on with a step that becomes ready by it if it `goes_on`.
    pub fn report(&self, call: Call, result: Result<Outcome, ToolError>, goes_on: bool) -> Move {
        let max_bytes = self.settings.max_value_bytes;
        let result = result.and_then(|outcome| match outcome {
            Outcome::Done(output) => {
                size::check(&output, max_bytes, "output")?;
                Ok((StepEvent::Succeeded, Some(output)))
            }
            Outcome::Sleep { until } => Ok((StepEvent::Slept { until }, None)),
        });
        let (event, output) = match result {
            Ok(done) => done,
            Err(error) => (self.failed(&call.claim, error), None),
        };
        let mut step = Move::new(&call.claim, event).with(call.input, output);
        step.goes_on = goes_on;
        step
    }

    /// Gives a step back undone, for another worker to take at once.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseLost`] if the worker does not hold it any more.
    pub async fn release(&self, claim: &Claim) -> Result<()> {
        let mut step = Move::new(claim, StepEvent::Released);
        step.goes_on = false;
        self.advance_one(step).await.map(|_| ())
    }

    /// Says that a worker lives, at least three times per lease. Answers what it
    /// holds: what it claimed before this call and is not in the answer was
    /// taken from it or cancelled, and its tool is to be told to stop.
    pub async fn heartbeat(&self, worker: WorkerId) -> Result<Vec<Claim>> {
        let now = self.clock.now();
        self.store.heartbeat(worker, self.settings.lease, now).await
    }

    /// Takes at most `limit` steps from workers whose lease ended, but not from
    /// the one that asks: it lives. Any number of workers may do this at once.
    pub async fn reap(&self, worker: WorkerId, limit: u32) -> Result<Reaped> {
        let mut lost = self.store.expired(limit, self.clock.now()).await?;
        lost.retain(|claim| claim.step.worker != Some(worker));
        if lost.is_empty() {
            return Ok(Reaped::default());
        }
        let moves = lost.iter().map(|claim| {
            let mut step = Move::new(claim, StepEvent::Lost);
            step.goes_on = false;
            step
        });
        let mut moves: Vec<Move> = moves.collect();
        self.advance(&mut moves).await;
        let mut reaped = Reaped::default();
        for step in moves {
            match step.moved {
                _ if step.is_open() => reaped.open.push(step),
                Ok(_) => reaped.steps += 1,
                // Somebody else was faster.
                Err(Error::LeaseLost) => {}
                Err(error) => reaped.errors.push(error),
            }
        }
        Ok(reaped)
    }

    /// Appends to the log of a claimed step; messages that are too long are cut off.
    pub async fn append_logs(&self, claim: &Claim, mut entries: Vec<LogEntry>) -> Result<()> {
        for entry in &mut entries {
            let kept = size::cut(&entry.message, self.settings.max_message_bytes).len();
            entry.message.truncate(kept);
        }
        let Claim { run, step } = claim;
        self.store
            .append_logs(run.organization_id, run.id, step.id, &entries)
            .await
    }

    pub(super) fn failed(&self, claim: &Claim, mut error: ToolError) -> StepEvent {
        let kept = size::cut(&error.message, self.settings.max_message_bytes).len();
        error.message.truncate(kept);
        StepEvent::Failed {
            error,
            jitter: jitter(claim.step.id, claim.step.attempt),
        }
    }
}

/// A number from 0 to 1000 that steps which failed together do not share: the
/// step run and the attempt, mixed as in `SplitMix64` (Steele, Lea, Flood 2014).
fn jitter(step_run: StepRunId, attempt: u32) -> u16 {
    let bytes = step_run.0.to_le_bytes();
    let mut mixed = u64::from(attempt);
    for half in bytes.chunks_exact(8) {
        let half = half
            .iter()
            .fold(0, |word, &byte| (word << 8) | u64::from(byte));
        mixed = (mixed ^ half).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
    }
    u16::try_from(mixed % 1_001).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_spreads() {
        let values: HashSet<u16> = (0..100).map(|id| jitter(StepRunId(id), 1)).collect();
        assert!(values.len() > 80);
        assert!(values.iter().all(|&value| value <= 1_000));
        assert_ne!(jitter(StepRunId(1), 1), jitter(StepRunId(1), 2));
    }
}
