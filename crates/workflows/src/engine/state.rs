//! What the engine knows of a run: the narrow rows that are read and written at
//! every step, without the documents that go in and come out.

use std::time::SystemTime;

use crate::{
    Json, OrganizationId, PipelineId, RunError, RunId, RunStatus, StepRunId, StepStatus, UserId,
    WorkerId,
};

/// A run and its steps, and of the items of fan-outs those that matter.
#[derive(Clone, Debug, PartialEq)]
pub struct RunState {
    /// The run itself.
    pub run: RunRow,
    /// Its steps, in any order; the items of fan-outs are not among them.
    pub steps: Vec<StepRow>,
    /// The items to which something happened, in any order.
    pub items: Vec<StepRow>,
}

/// The narrow part of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Identity.
    pub id: RunId,
    /// The tenant.
    pub organization_id: OrganizationId,
    /// Of which pipeline.
    pub pipeline_id: PipelineId,
    /// Of which version of it.
    pub pipeline_version: u64,
    /// Where it stands.
    pub status: RunStatus,
    /// The share of its steps that ended, in hundredths of a percent (0 to 10 000).
    pub progress: u16,
    /// Who started it.
    pub created_by: UserId,
    /// When its first step began.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub completed_at: Option<SystemTime>,
}

impl RunRow {
    /// What stores find it by.
    pub(crate) fn key(&self) -> (OrganizationId, RunId) {
        (self.organization_id, self.id)
    }
}

/// In place of how often a tool slept: it sleeps longer than its step may take.
pub const OVERSLEPT: u32 = 0x7fff_ffff;

/// The narrow part of a step run: of a step, or of one item of its fan-out.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRow {
    /// Identity.
    pub id: StepRunId,
    /// The step's id in the definition.
    pub step: String,
    /// The tool it calls.
    pub tool: String,
    /// Of an item, the step run that fans out; `None` for a step.
    pub parent: Option<StepRunId>,
    /// Of an item, which, from 0; `None` for a step.
    pub index: Option<u32>,
    /// Where it stands.
    pub status: StepStatus,
    /// Which attempt it is at, from 1; 0 before the first.
    pub attempt: u32,
    /// How many workers were lost with it.
    pub crashes: u32,
    /// How often its tool went to sleep in this attempt; [`OVERSLEPT`] if the
    /// step's timeout is over before it would wake up, so that it fails when it is due.
    pub sleeps: u32,
    /// When it is due; `None` unless it is ready.
    pub ready_at: Option<SystemTime>,
    /// Who has it; `None` unless it is running.
    pub worker: Option<WorkerId>,
    /// Counts its claims: the fencing token of the latest one.
    pub fence: u64,
    /// How far its fan-out is; `None` where it has none.
    pub items: Option<Items>,
    /// When it came into being.
    pub created_at: SystemTime,
    /// When its first attempt began.
    pub started_at: Option<SystemTime>,
    /// When it ended.
    pub completed_at: Option<SystemTime>,
}

/// How far a fan-out is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Items {
    /// How many there are.
    pub total: u32,
    /// How many have a step run; those are the first ones.
    pub started: u32,
    /// How many ended, in whatever way.
    pub done: u32,
    /// How many of these failed.
    pub failed: u32,
}

/// What is to be written of a run, together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The run, as it is now.
    pub run: RunRow,
    /// What came of the run, if it succeeded just now.
    pub output: Option<Json>,
    /// Why the run failed, if it did just now.
    pub error: Option<RunError>,
    /// Step runs that changed, as they are now.
    pub updated: Vec<StepRow>,
    /// Step runs that came into being.
    pub created: Vec<StepRow>,
    /// Fan-outs whose items that have not ended are cancelled, but for those in `updated`.
    pub stopped: Vec<StepRunId>,
}

/// A step run in the hands of a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The run, as it was before the claim.
    pub run: RunRow,
    /// The step run, as it is under the claim.
    pub step: StepRow,
}

impl Claim {
    /// What the worker proves by that it still holds the step run.
    pub fn lease(&self) -> Lease {
        self.step.lease()
    }
}

/// A step run and the fencing token it was claimed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The step run.
    pub step_run: StepRunId,
    /// The count of its claims when it was claimed.
    pub fence: u64,
}

impl StepRow {
    /// Its lease, if it is under one.
    pub(super) fn lease(&self) -> Lease {
        Lease {
            step_run: self.id,
            fence: self.fence,
        }
    }

    /// Whether a worker may have it now.
    pub fn is_due(&self, now: SystemTime) -> bool {
        self.status == StepStatus::Ready && self.ready_at.is_some_and(|at| at <= now)
    }
}

impl RunStatus {
    /// Whether a run that stands here stays here.
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl StepStatus {
    /// Whether a step that stands here stays here.
    pub const fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Skipped | Self::Cancelled
        )
    }
}
