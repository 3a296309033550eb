//! The use cases of workflows, over whatever implements its ports: those of
//! people who write and run pipelines, and those of workers who run their steps.

mod advance;
mod definitions;
mod pipelines;
mod pool;
mod prepare;
mod runs;
mod scope;
mod work;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    Clock, Event, Ids, OrganizationId, Recorded, UserId,
    engine::Policy,
    ports::{Expressions, Pool, Store, Toolbox, Wakeups},
};

pub use advance::Move;
pub use definitions::Definitions;
pub use pipelines::{NewPipeline, PipelineChanges};
pub use prepare::{Call, Prepared};
pub use work::Reaped;

/// The adapters workflows runs on, chosen by whoever composes it.
pub trait Adapters: Send + Sync + 'static {
    /// Keeps what workflows owns.
    type Store: Store;
    /// The tools that steps may call.
    type Toolbox: Toolbox;
    /// The language of expressions.
    type Expressions: Expressions;
}

/// How long things may last and how large they may be.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a worker that is not heard of keeps its steps.
    pub lease: Duration,
    /// How long one call of a tool may take, where the step does not say it.
    pub step_timeout: Duration,
    /// How large the input and the output of a step, and those of a run, may be,
    /// in bytes of compact JSON.
    pub max_value_bytes: u64,
    /// How large the results of the steps that a step reads may be together.
    pub max_results_bytes: u64,
    /// How many items a step may fan out over.
    pub max_items: u32,
    /// How long a line of a log, or the message of an error, may be; what is longer is cut off.
    pub max_message_bytes: usize,
    /// What applies to every run.
    pub policy: Policy,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(12),
            step_timeout: Duration::from_mins(5),
            max_value_bytes: 4 * 1024 * 1024,
            max_results_bytes: 8 * 1024 * 1024,
            max_items: 10_000,
            max_message_bytes: 8 * 1024,
            policy: Policy::default(),
        }
    }
}

/// Who acts, and in which organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The tenant.
    pub organization_id: OrganizationId,
    /// The user.
    pub user_id: UserId,
}

/// The use cases of workflows.
pub struct Service<A: Adapters> {
    /// Keeps what workflows owns.
    pub store: A::Store,
    /// The tools that steps may call.
    pub toolbox: Arc<A::Toolbox>,
    /// The language of expressions.
    pub expressions: Arc<A::Expressions>,
    /// Where definitions are checked and expressions evaluated.
    pub pool: Arc<dyn Pool>,
    /// Wakes workers up.
    pub wakeups: Arc<dyn Wakeups>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids.
    pub ids: Arc<dyn Ids>,
    /// Remembers definitions; starts empty.
    pub definitions: Definitions,
    /// How long things may last and how large they may be.
    pub settings: Settings,
}

impl<A: Adapters> fmt::Debug for Service<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<A: Adapters> Service<A> {
    fn recorded(
        &self,
        organization: OrganizationId,
        actor: Option<UserId>,
        now: SystemTime,
        event: Event,
    ) -> Recorded {
        Recorded {
            id: self.ids.next(),
            organization_id: Some(organization),
            actor_id: actor,
            occurred_at: now,
            event,
        }
    }
}
