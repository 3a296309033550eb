//! What workflows needs from the outside world.
//!
//! Every async method may fail with [`Error::Unavailable`](crate::Error::Unavailable),
//! and one that reads with [`Error::Unreadable`](crate::Error::Unreadable) if it
//! will fail on the same thing each time; the other errors a method may give are said at the method, and adapters give
//! them for that reason only. A thing of another organization than the one
//! named is treated as one that does not exist.

use std::{
    error, fmt,
    pin::Pin,
    time::{Duration, SystemTime},
};

use crate::{
    Invocation, Json, LogEntry, LogLine, OrganizationId, Outcome, Page, Pipeline, PipelineId,
    Recorded, Result, Run, RunId, RunStatus, Slice, StepError, StepRun, StepRunId, StepStatus,
    ToolError, ToolSpec, Violation, WorkerId,
    engine::{Changes, Claim, RunState, StepRow},
};

/// How many bytes of documents a page of a list holds. One that would hold more ends earlier, but not
/// before its first item; the documents of one item more may be read beside.
pub const PAGE_BYTES: u64 = 4 * 1024 * 1024;

/// A slice that ends before a page has more than [`PAGE_BYTES`], by how many bytes
/// of documents each of its items has, in order.
pub fn bounded<S: Clone>(slice: &Slice<S>, bytes: &[i64]) -> Slice<S> {
    let mut left = PAGE_BYTES;
    let fitting = bytes.iter().take_while(|bytes| {
        let rest = left.checked_sub(bytes.unsigned_abs());
        left = rest.unwrap_or_default();
        rest.is_some()
    });
    let fitting = u32::try_from(fitting.count()).unwrap_or(u32::MAX);
    Slice {
        limit: fitting.max(1).min(slice.limit),
        ..slice.clone()
    }
}

/// What a transaction may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One tenant.
    Organization(OrganizationId),
    /// Every tenant: for workers, which run the steps of all of them.
    System,
}

/// What lists of pipelines are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineSort {
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// What it is called.
    Name,
}

/// What lists of runs are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunSort {
    /// When it was asked for.
    CreatedAt,
}

/// What lists of step runs are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepSort {
    /// When it came into being.
    CreatedAt,
}

/// Which runs to list; `None` is any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this pipeline.
    pub pipeline: Option<PipelineId>,
    /// That stand here.
    pub status: Option<RunStatus>,
}

/// The documents of a step run, kept apart from its [`StepRow`].
#[derive(Clone, Debug, PartialEq)]
pub struct StepValues {
    /// The tenant.
    pub organization: OrganizationId,
    /// Of which step run.
    pub step_run: StepRunId,
    /// What its tool was called with.
    pub input: Option<Json>,
    /// What came of it.
    pub output: Option<Json>,
    /// Why it, or its last attempt, failed.
    pub error: Option<StepError>,
}

/// What expressions may read of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepResult {
    /// The step's id in the definition.
    pub step: String,
    /// Where it stands.
    pub status: StepStatus,
    /// What came of it.
    pub output: Option<Json>,
    /// Why it failed.
    pub error: Option<StepError>,
}

/// Reads and writes what workflows owns, the queue of steps among it.
///
/// A pool of connections implements it, and then each call stands alone; a
/// [`Transaction`] implements it too, and then the calls share one commit.
///
/// What it lists comes in pages of at most [`PAGE_BYTES`].
///
/// Of the step runs, the hot and narrow columns ([`StepRow`]) are kept apart
/// from the documents ([`StepValues`], the items of fan-outs): what is done at
/// every step must not read the documents of others.
pub trait Repository: Send + Sync + 'static {
    /// Adds a pipeline, and keeps its definition under its version.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::Error::AlreadyExists) if there is one with the id, whoever's.
    fn insert_pipeline(&self, pipeline: &Pipeline) -> impl Future<Output = Result<()>> + Send;

    /// Finds a pipeline.
    fn find_pipeline(
        &self,
        organization: OrganizationId,
        id: PipelineId,
    ) -> impl Future<Output = Result<Option<Pipeline>>> + Send;

    /// The pipelines of an organization.
    fn list_pipelines(
        &self,
        organization: OrganizationId,
        slice: &Slice<PipelineSort>,
    ) -> impl Future<Output = Result<Page<Pipeline>>> + Send;

    /// Writes a pipeline's name, description, definition, version and
    /// `updated_at`, if the stored version is `pipeline.version - 1`, and keeps
    /// the definition under the new version beside those of the earlier ones.
    ///
    /// # Errors
    ///
    /// [`VersionConflict`](crate::Error::VersionConflict) if it is not, or there is no such pipeline.
    fn update_pipeline(&self, pipeline: &Pipeline) -> impl Future<Output = Result<()>> + Send;

    /// Deletes a pipeline with its versions, its runs and all that belongs to
    /// them, whether they have ended or not. Answers the version it had; `None` if there
    /// is no such pipeline.
    fn delete_pipeline(
        &self,
        organization: OrganizationId,
        id: PipelineId,
    ) -> impl Future<Output = Result<Option<u64>>> + Send;

    /// The definition of a pipeline as it was in a version.
    fn find_definition(
        &self,
        organization: OrganizationId,
        pipeline: PipelineId,
        version: u64,
    ) -> impl Future<Output = Result<Option<Json>>> + Send;

    /// Adds a run with its steps.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::Error::AlreadyExists) if there is a run with the id, whoever's, or
    /// else [`NotFound`](crate::Error::NotFound) if the pipeline has no such version.
    fn insert_run(&self, run: &Run, steps: &[StepRow]) -> impl Future<Output = Result<()>> + Send;

    /// Finds a run.
    fn find_run(
        &self,
        organization: OrganizationId,
        id: RunId,
    ) -> impl Future<Output = Result<Option<Run>>> + Send;

    /// The runs of an organization.
    fn list_runs(
        &self,
        organization: OrganizationId,
        filter: RunFilter,
        slice: &Slice<RunSort>,
    ) -> impl Future<Output = Result<Page<Run>>> + Send;

    /// The steps of a run and the items of their fan-outs; none for no such run.
    fn list_steps(
        &self,
        organization: OrganizationId,
        run: RunId,
        slice: &Slice<StepSort>,
    ) -> impl Future<Output = Result<Page<StepRun>>> + Send;

    /// Appends lines to a run's log, in this order. Nothing is appended, and it
    /// is no error, if the run is gone.
    fn append_logs(
        &self,
        organization: OrganizationId,
        run: RunId,
        step_run: StepRunId,
        entries: &[LogEntry],
    ) -> impl Future<Output = Result<()>> + Send;

    /// The first `limit` lines of a run's log whose sequence is greater than
    /// `after`, in order; of one step run only, where it is named.
    fn list_logs(
        &self,
        organization: OrganizationId,
        run: RunId,
        step_run: Option<StepRunId>,
        after: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<LogLine>>> + Send;

    /// The input of a run.
    fn find_run_input(
        &self,
        organization: OrganizationId,
        run: RunId,
    ) -> impl Future<Output = Result<Option<Json>>> + Send;

    /// What expressions may read of these steps of a run, in any order; those
    /// that do not exist are left out. `None` if their documents are larger than
    /// `max_bytes` together, as compact JSON, give or take white space.
    fn find_step_results(
        &self,
        organization: OrganizationId,
        run: RunId,
        steps: &[String],
        max_bytes: u64,
    ) -> impl Future<Output = Result<Option<Vec<StepResult>>>> + Send;

    /// One item of the list that a step run fans out over.
    fn find_item(
        &self,
        organization: OrganizationId,
        step_run: StepRunId,
        index: u32,
    ) -> impl Future<Output = Result<Option<Json>>> + Send;

    /// When the step run that is due first is or was; `None` if none is ready.
    fn next_due(&self) -> impl Future<Output = Result<Option<SystemTime>>> + Send;

    /// Hands at most `limit` step runs to a worker, and extends its lease as
    /// [`heartbeat`](Self::heartbeat) does.
    ///
    /// They are ready and due (`ready_at <= now`), those due for longest first,
    /// and no two calls get the same one: rows another transaction is busy with
    /// are passed over, not waited for. Of each it writes `status = running`,
    /// `worker`, `attempt + 1`, `fence + 1`, no `ready_at`, and `started_at` if
    /// there is none; the claim shows the step run as it is then. Of a run that
    /// is `queued` or `waiting` it writes `status = running`, and `started_at`
    /// if there is none; the claims show the run as it was before.
    fn claim(
        &self,
        worker: WorkerId,
        limit: u32,
        lease: Duration,
        now: SystemTime,
    ) -> impl Future<Output = Result<Vec<Claim>>> + Send;

    /// Says that a worker lives: everything it holds is its own until `now + lease`.
    /// Answers what it holds, with the runs as they are. What it claimed before
    /// the call and is not in the answer was taken from it: it was cancelled,
    /// deleted, or is another worker's.
    ///
    /// An adapter whose database has a clock of its own goes by that clock.
    fn heartbeat(
        &self,
        worker: WorkerId,
        lease: Duration,
        now: SystemTime,
    ) -> impl Future<Output = Result<Vec<Claim>>> + Send;

    /// At most `limit` running step runs whose worker's lease ended before `now`,
    /// with the runs as they are. It changes nothing.
    fn expired(
        &self,
        limit: u32,
        now: SystemTime,
    ) -> impl Future<Output = Result<Vec<Claim>>> + Send;

    /// Reads the state of runs, in the order of their ids, and holds off other
    /// transactions that lock one of them until this one ends. With each come
    /// those of the step runs `items` that are items of its fan-outs. What does
    /// not exist is left out. Alone, outside a transaction, it only reads.
    fn lock_runs(
        &self,
        runs: &[(OrganizationId, RunId)],
        items: &[StepRunId],
    ) -> impl Future<Output = Result<Vec<RunState>>> + Send;

    /// Writes the documents of step runs, in place of those they had.
    fn put_values(&self, values: &[StepValues]) -> impl Future<Output = Result<()>> + Send;

    /// Writes the list that a step run fans out over, in place of one it had.
    fn put_items(
        &self,
        organization: OrganizationId,
        step_run: StepRunId,
        items: &[Json],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Makes the outputs of a fan-out's items, in order, the output of the step
    /// run itself; `null` for an item without one. Answers `false`, and writes
    /// nothing, if that array is longer than `max_bytes` as compact JSON, give
    /// or take white space.
    fn join_items(
        &self,
        organization: OrganizationId,
        step_run: StepRunId,
        max_bytes: u64,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Writes what the engine decided about runs that [`lock_runs`](Self::lock_runs)
    /// read in this transaction.
    ///
    /// Of a run it writes `status`, `progress`, `started_at` and `completed_at`,
    /// and `output` and `error` if there are any; of an updated step run all that
    /// its row holds; of a stopped fan-out's items that have not ended
    /// `status = cancelled`, no worker, no `ready_at`, and as `completed_at` that
    /// of the fan-out.
    fn apply(&self, changes: &[Changes]) -> impl Future<Output = Result<()>> + Send;

    /// Appends events to the log, in this order, to be published after the commit.
    fn record(&self, events: &[Recorded]) -> impl Future<Output = Result<()>> + Send;
}

/// A [`Repository`] that can group its writes.
pub trait Store: Repository {
    /// An open transaction of this store.
    type Transaction: Transaction;

    /// Opens a transaction.
    fn begin(&self, scope: Scope) -> impl Future<Output = Result<Self::Transaction>> + Send;
}

/// A [`Repository`] whose writes take effect together, or, if it is dropped
/// before [`commit`](Self::commit), not at all.
pub trait Transaction: Repository {
    /// Makes the writes durable and visible to others.
    fn commit(self) -> impl Future<Output = Result<()>> + Send;
}

/// The tools that steps may call.
pub trait Toolbox: Send + Sync + 'static {
    /// Every tool, by name.
    fn specs(&self) -> &[ToolSpec];

    /// Where an input does not fit a tool's input schema; nowhere if it does.
    /// An unknown tool is a violation of the whole.
    fn check(&self, tool: &str, input: &Json) -> Vec<Violation>;

    /// Calls a tool.
    ///
    /// # Errors
    ///
    /// A [`ToolError`] says whether another attempt may help; one for an unknown
    /// tool does not.
    fn call(
        &self,
        invocation: Invocation<'_>,
    ) -> impl Future<Output = Result<Outcome, ToolError>> + Send;
}

/// The language of `{{ … }}` in definitions. It is total: every expression
/// ends, without I/O, within bounds of time and size.
pub trait Expressions: Send + Sync + 'static {
    /// The names of the scope that the expressions in a template use, one for
    /// each use. Functions, filters and an expression's own variables are not among them.
    ///
    /// # Errors
    ///
    /// A violation for each string that is no well-formed template.
    fn references(&self, template: &Json) -> Result<Vec<Reference>, Vec<Violation>>;

    /// Fills in a template: every string in it that is one expression becomes
    /// the value of that, whatever its type, and every other expression becomes
    /// text. A template without expressions is its own value. What it took is
    /// added to `work`, and so counts against the bound of those that come after.
    ///
    /// # Errors
    ///
    /// An [`ExpressionError`] if an expression fails or exceeds a bound.
    fn evaluate(
        &self,
        template: &Json,
        scope: &Json,
        work: &mut Work,
    ) -> Result<Json, ExpressionError>;

    /// Whether a value counts as true.
    fn truthy(&self, value: &Json) -> bool;
}

/// What templates that are filled in together took so far, in units of the language's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work(pub u64);

/// Where a template uses a name of its scope: `{{ steps.split.output[0] }}` at
/// `/text` gives `steps`, `split`, `output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The string in the template that uses it (JSON Pointer, RFC 6901).
    pub pointer: String,
    /// The name and the names of members after it, as far as they are constant.
    pub path: Vec<String>,
}

/// Why a template could not be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionError {
    /// The string in the template (JSON Pointer, RFC 6901).
    pub pointer: String,
    /// What is wrong with it, for who wrote it.
    pub message: String,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl error::Error for ExpressionError {}

/// Tells workers that steps are ready. A hint only: workers also look by themselves.
pub trait Wakeups: Send + Sync + 'static {
    /// Wakes workers up. Never blocks, and never fails where anyone could tell.
    fn wake(&self);
}

/// Threads for work that keeps a processor busy, apart from those that everybody waits on.
pub trait Pool: Send + Sync + 'static {
    /// Does the work once there is room for it, and ends when it is done.
    ///
    /// # Errors
    ///
    /// [`Unfinished`].
    fn run(
        &self,
        work: Box<dyn FnOnce() + Send>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Unfinished>> + Send + '_>>;
}

/// Why nothing came of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// It took too long. Nobody waits for it any more.
    TimedOut,
    /// It broke down.
    Broken,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "it takes too long to work out",
            Self::Broken => "it broke down",
        })
    }
}

impl error::Error for Unfinished {}
