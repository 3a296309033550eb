//! A store that keeps everything in memory. One transaction at a time works on
//! a copy of all there is, which its commit puts in place.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, SystemTime},
};

use archesai_workflows::{
    Cursor, CursorKey, Error, Json, LogEntry, LogLine, OrganizationId, Page, Pipeline, PipelineId,
    Recorded, Result, Run, RunId, RunStatus, Slice, StepRun, StepRunId, StepStatus, WorkerId,
    engine::{Changes, Claim, RunRow, RunState, StepRow},
    ports::{
        PipelineSort, Repository, RunFilter, RunSort, Scope, StepResult, StepSort, StepValues,
        Store, Transaction,
    },
};
use tokio::sync::{Mutex, OwnedMutexGuard};

#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pipelines: HashMap<PipelineId, Pipeline>,
    definitions: HashMap<(PipelineId, u64), Json>,
    runs: HashMap<RunId, Run>,
    steps: BTreeMap<StepRunId, (RunId, StepRow)>,
    values: HashMap<StepRunId, StepValues>,
    items: HashMap<StepRunId, Vec<Json>>,
    logs: Vec<LogLine>,
    leases: HashMap<WorkerId, SystemTime>,
    events: Vec<Recorded>,
}

/// The store itself, or with a guard an open transaction of it.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore<G = ()> {
    tables: Arc<Mutex<Tables>>,
    guard: G,
}

impl Clone for MemoryStore {
    fn clone(&self) -> Self {
        Self {
            tables: self.tables.clone(),
            guard: (),
        }
    }
}

impl MemoryStore {
    /// The events so far.
    pub(crate) async fn events(&self) -> Vec<Recorded> {
        self.tables.lock().await.events.clone()
    }
}

impl Store for MemoryStore {
    type Transaction = MemoryStore<OwnedMutexGuard<Tables>>;

    async fn begin(&self, _scope: Scope) -> Result<Self::Transaction> {
        let guard = self.tables.clone().lock_owned().await;
        let tables = Arc::new(Mutex::new(guard.clone()));
        Ok(MemoryStore { tables, guard })
    }
}

impl Transaction for MemoryStore<OwnedMutexGuard<Tables>> {
    async fn commit(mut self) -> Result<()> {
        *self.guard = self.tables.lock().await.clone();
        Ok(())
    }
}

impl Tables {
    fn run(&self, organization: OrganizationId, id: RunId) -> Option<&Run> {
        let run = self.runs.get(&id);
        run.filter(|run| run.organization_id == organization)
    }

    fn run_row(run: &Run) -> RunRow {
        RunRow {
            id: run.id,
            organization_id: run.organization_id,
            pipeline_id: run.pipeline_id,
            pipeline_version: run.pipeline_version,
            status: run.status,
            progress: run.progress,
            created_by: run.created_by,
            started_at: run.started_at,
            completed_at: run.completed_at,
        }
    }

    fn step_run(&self, run: RunId, row: &StepRow) -> StepRun {
        let values = self.values.get(&row.id);
        StepRun {
            id: row.id,
            run_id: run,
            step: row.step.clone(),
            index: row.index,
            tool: row.tool.clone(),
            status: row.status,
            attempt: row.attempt,
            crashes: row.crashes,
            items: row.items,
            ready_at: row.ready_at,
            input: values.and_then(|values| values.input.clone()),
            output: values.and_then(|values| values.output.clone()),
            error: values.and_then(|values| values.error.clone()),
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
        }
    }

    fn put_pipeline(&mut self, pipeline: &Pipeline) {
        let version = (pipeline.id, pipeline.version);
        self.definitions
            .insert(version, pipeline.definition.clone());
        self.pipelines.insert(pipeline.id, pipeline.clone());
    }

    fn due(&self, limit: u32, now: SystemTime) -> Vec<StepRunId> {
        let mut due: Vec<_> = self
            .steps
            .values()
            .filter(|(_, row)| row.is_due(now))
            .map(|(_, row)| (row.ready_at, row.id))
            .collect();
        due.sort();
        due.truncate(limit as usize);
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// The step runs that some workers hold.
    fn held(&self, by: impl Fn(WorkerId) -> bool) -> impl Iterator<Item = Claim> {
        let rows = self.steps.values();
        let rows = rows.filter(move |(_, row)| row.worker.is_some_and(&by));
        rows.map(|(run, row)| Claim {
            run: Self::run_row(&self.runs[run]),
            step: row.clone(),
        })
    }

    fn apply(&mut self, changes: &Changes) {
        let row = &changes.run;
        if let Some(run) = self.runs.get_mut(&row.id) {
            run.status = row.status;
            run.progress = row.progress;
            run.started_at = row.started_at;
            run.completed_at = row.completed_at;
            run.output = changes.output.clone().or(run.output.take());
            run.error = changes.error.clone().or(run.error.take());
        }
        for step in changes.updated.iter().chain(&changes.created) {
            self.steps.insert(step.id, (row.id, step.clone()));
        }
        for parent in &changes.stopped {
            let completed_at = self.steps[parent].1.completed_at;
            for (_, item) in self.steps.values_mut() {
                if item.parent == Some(*parent) && !item.status.is_ended() {
                    item.status = StepStatus::Cancelled;
                    item.worker = None;
                    item.ready_at = None;
                    item.completed_at = completed_at;
                }
            }
        }
    }
}

/// A page of what was found, sorted by a key and the id.
fn page<S, T>(mut found: Vec<T>, slice: &Slice<S>, key: impl Fn(&T) -> Cursor) -> Page<T> {
    let order = |cursor: &Cursor| match &cursor.key {
        CursorKey::Time(at) => (Some(*at), String::new(), cursor.id),
        CursorKey::Text(text) => (None, text.clone(), cursor.id),
    };
    found.sort_by_key(|item| order(&key(item)));
    if slice.descending {
        found.reverse();
    }
    if let Some(after) = &slice.after {
        let position = order(after);
        found.retain(|item| {
            let own = order(&key(item));
            if slice.descending {
                own < position
            } else {
                own > position
            }
        });
    }
    found.truncate(slice.limit as usize + 1);
    Page::from_rows(found, slice.limit, key)
}

impl<G: Send + Sync + 'static> Repository for MemoryStore<G> {
    async fn insert_pipeline(&self, pipeline: &Pipeline) -> Result<()> {
        let mut tables = self.tables.lock().await;
        if tables.pipelines.contains_key(&pipeline.id) {
            return Err(Error::AlreadyExists);
        }
        tables.put_pipeline(pipeline);
        Ok(())
    }

    async fn find_pipeline(
        &self,
        organization: OrganizationId,
        id: PipelineId,
    ) -> Result<Option<Pipeline>> {
        let tables = self.tables.lock().await;
        let found = tables.pipelines.get(&id);
        let found = found.filter(|found| found.organization_id == organization);
        Ok(found.cloned())
    }

    async fn list_pipelines(
        &self,
        organization: OrganizationId,
        slice: &Slice<PipelineSort>,
    ) -> Result<Page<Pipeline>> {
        let tables = self.tables.lock().await;
        let own = |pipeline: &&Pipeline| pipeline.organization_id == organization;
        let found = tables.pipelines.values().filter(own).cloned().collect();
        Ok(page(found, slice, |pipeline| Cursor {
            key: match slice.sort {
                PipelineSort::CreatedAt => CursorKey::Time(pipeline.created_at),
                PipelineSort::UpdatedAt => CursorKey::Time(pipeline.updated_at),
                PipelineSort::Name => CursorKey::Text(pipeline.name.clone()),
            },
            id: pipeline.id.0,
        }))
    }

    async fn update_pipeline(&self, pipeline: &Pipeline) -> Result<()> {
        let mut tables = self.tables.lock().await;
        match tables.pipelines.get(&pipeline.id) {
            Some(stored)
                if stored.organization_id == pipeline.organization_id
                    && stored.version == pipeline.version - 1 =>
            {
                tables.put_pipeline(pipeline);
                Ok(())
            }
            _ => Err(Error::VersionConflict),
        }
    }

    async fn delete_pipeline(
        &self,
        organization: OrganizationId,
        id: PipelineId,
    ) -> Result<Option<u64>> {
        let Some(pipeline) = self.find_pipeline(organization, id).await? else {
            return Ok(None);
        };
        let mut tables = self.tables.lock().await;
        tables.pipelines.remove(&id);
        tables
            .definitions
            .retain(|(pipeline, _), _| *pipeline != id);
        tables.runs.retain(|_, run| run.pipeline_id != id);
        let Tables { runs, steps, .. } = &mut *tables;
        steps.retain(|_, (run, _)| runs.contains_key(run));
        Ok(Some(pipeline.version))
    }

    async fn find_definition(
        &self,
        organization: OrganizationId,
        pipeline: PipelineId,
        version: u64,
    ) -> Result<Option<Json>> {
        if self.find_pipeline(organization, pipeline).await?.is_none() {
            return Ok(None);
        }
        let tables = self.tables.lock().await;
        Ok(tables.definitions.get(&(pipeline, version)).cloned())
    }

    async fn insert_run(&self, run: &Run, steps: &[StepRow]) -> Result<()> {
        let mut tables = self.tables.lock().await;
        let version = (run.pipeline_id, run.pipeline_version);
        if tables.runs.contains_key(&run.id) {
            return Err(Error::AlreadyExists);
        }
        if !tables.definitions.contains_key(&version) {
            return Err(Error::NotFound);
        }
        tables.runs.insert(run.id, run.clone());
        for step in steps {
            tables.steps.insert(step.id, (run.id, step.clone()));
        }
        Ok(())
    }

    async fn find_run(&self, organization: OrganizationId, id: RunId) -> Result<Option<Run>> {
        Ok(self.tables.lock().await.run(organization, id).cloned())
    }

    async fn list_runs(
        &self,
        organization: OrganizationId,
        filter: RunFilter,
        slice: &Slice<RunSort>,
    ) -> Result<Page<Run>> {
        let tables = self.tables.lock().await;
        let wanted = |run: &&Run| {
            run.organization_id == organization
                && filter.pipeline.is_none_or(|id| run.pipeline_id == id)
                && filter.status.is_none_or(|status| run.status == status)
        };
        let found = tables.runs.values().filter(wanted).cloned().collect();
        Ok(page(found, slice, |run| Cursor {
            key: CursorKey::Time(run.created_at),
            id: run.id.0,
        }))
    }

    async fn list_steps(
        &self,
        organization: OrganizationId,
        run: RunId,
        slice: &Slice<StepSort>,
    ) -> Result<Page<StepRun>> {
        let tables = self.tables.lock().await;
        let mut found = Vec::new();
        if tables.run(organization, run).is_some() {
            let rows = tables.steps.values().filter(|(of, _)| *of == run);
            found.extend(rows.map(|(_, row)| tables.step_run(run, row)));
        }
        Ok(page(found, slice, |step| Cursor {
            key: CursorKey::Time(step.created_at),
            id: step.id.0,
        }))
    }

    async fn append_logs(
        &self,
        organization: OrganizationId,
        run: RunId,
        step_run: StepRunId,
        entries: &[LogEntry],
    ) -> Result<()> {
        let mut tables = self.tables.lock().await;
        if tables.run(organization, run).is_none() {
            return Ok(());
        }
        for entry in entries {
            let line = LogLine {
                sequence: tables.logs.len() as u64 + 1,
                run_id: run,
                step_run_id: step_run,
                at: entry.at,
                level: entry.level,
                message: entry.message.clone(),
            };
            tables.logs.push(line);
        }
        Ok(())
    }

    async fn list_logs(
        &self,
        organization: OrganizationId,
        run: RunId,
        step_run: Option<StepRunId>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<LogLine>> {
        let tables = self.tables.lock().await;
        if tables.run(organization, run).is_none() {
            return Ok(Vec::new());
        }
        let wanted = |line: &&LogLine| {
            line.run_id == run
                && line.sequence > after
                && step_run.is_none_or(|id| line.step_run_id == id)
        };
        let lines = tables.logs.iter().filter(wanted);
        Ok(lines.take(limit as usize).cloned().collect())
    }

    async fn find_run_input(
        &self,
        organization: OrganizationId,
        run: RunId,
    ) -> Result<Option<Json>> {
        let tables = self.tables.lock().await;
        Ok(tables.run(organization, run).map(|run| run.input.clone()))
    }

    async fn find_step_results(
        &self,
        organization: OrganizationId,
        run: RunId,
        steps: &[String],
        max_bytes: u64,
    ) -> Result<Option<Vec<StepResult>>> {
        let tables = self.tables.lock().await;
        if tables.run(organization, run).is_none() {
            return Ok(Some(Vec::new()));
        }
        let rows = tables
            .steps
            .values()
            .filter(|(of, row)| *of == run && row.parent.is_none() && steps.contains(&row.step));
        let results = rows.map(|(_, row)| {
            let shown = tables.step_run(run, row);
            StepResult {
                step: shown.step,
                status: shown.status,
                output: shown.output,
                error: shown.error,
            }
        });
        let results: Vec<StepResult> = results.collect();
        let size =
            |result: &StepResult| result.output.as_ref().map_or(0, |it| it.to_string().len());
        let bytes: usize = results.iter().map(size).sum();
        Ok((bytes as u64 <= max_bytes).then_some(results))
    }

    async fn find_item(
        &self,
        _organization: OrganizationId,
        step_run: StepRunId,
        index: u32,
    ) -> Result<Option<Json>> {
        let tables = self.tables.lock().await;
        let items = tables.items.get(&step_run);
        Ok(items.and_then(|items| items.get(index as usize).cloned()))
    }

    async fn next_due(&self) -> Result<Option<SystemTime>> {
        let tables = self.tables.lock().await;
        Ok(tables
            .steps
            .values()
            .filter_map(|(_, row)| row.ready_at)
            .min())
    }

    async fn claim(
        &self,
        worker: WorkerId,
        limit: u32,
        lease: Duration,
        now: SystemTime,
    ) -> Result<Vec<Claim>> {
        let mut tables = self.tables.lock().await;
        tables.leases.insert(worker, now + lease);
        let due = tables.due(limit, now);
        let mut claims = Vec::new();
        let mut before = HashMap::new();
        for id in due {
            let Tables { runs, steps, .. } = &mut *tables;
            let Some((run, step)) = steps.get_mut(&id) else {
                continue;
            };
            step.status = StepStatus::Running;
            step.worker = Some(worker);
            step.attempt += 1;
            step.fence += 1;
            step.ready_at = None;
            step.started_at.get_or_insert(now);
            let Some(run) = runs.get_mut(run) else {
                continue;
            };
            let row: &RunRow = before.entry(run.id).or_insert_with(|| Tables::run_row(run));
            if matches!(run.status, RunStatus::Queued | RunStatus::Waiting) {
                run.status = RunStatus::Running;
                run.started_at.get_or_insert(now);
            }
            claims.push(Claim {
                run: row.clone(),
                step: step.clone(),
            });
        }
        Ok(claims)
    }

    async fn heartbeat(
        &self,
        worker: WorkerId,
        lease: Duration,
        now: SystemTime,
    ) -> Result<Vec<Claim>> {
        let mut tables = self.tables.lock().await;
        tables.leases.insert(worker, now + lease);
        Ok(tables.held(|holder| holder == worker).collect())
    }

    async fn expired(&self, limit: u32, now: SystemTime) -> Result<Vec<Claim>> {
        let tables = self.tables.lock().await;
        let lost = |worker| tables.leases.get(&worker).is_none_or(|end| *end < now);
        Ok(tables.held(lost).take(limit as usize).collect())
    }

    async fn lock_runs(
        &self,
        runs: &[(OrganizationId, RunId)],
        items: &[StepRunId],
    ) -> Result<Vec<RunState>> {
        let tables = self.tables.lock().await;
        let steps = |run: RunId, wanted: &dyn Fn(&StepRow) -> bool| {
            let rows = tables.steps.values().filter(|(of, _)| *of == run);
            let rows = rows.map(|(_, row)| row).filter(|row| wanted(row));
            rows.cloned().collect()
        };
        let found = runs
            .iter()
            .filter_map(|(organization, id)| tables.run(*organization, *id));
        let mut states: Vec<RunState> = found
            .map(|run| RunState {
                run: Tables::run_row(run),
                steps: steps(run.id, &|row| row.parent.is_none()),
                items: steps(run.id, &|row| {
                    row.parent.is_some() && items.contains(&row.id)
                }),
            })
            .collect();
        states.sort_by_key(|state| state.run.id);
        Ok(states)
    }

    async fn put_values(&self, values: &[StepValues]) -> Result<()> {
        let mut tables = self.tables.lock().await;
        for value in values {
            #[cfg(test)]
            assert_ne!(value.output, Some(Json::from("break the store")));
            tables.values.insert(value.step_run, value.clone());
        }
        Ok(())
    }

    async fn put_items(
        &self,
        _organization: OrganizationId,
        step_run: StepRunId,
        items: &[Json],
    ) -> Result<()> {
        let mut tables = self.tables.lock().await;
        tables.items.insert(step_run, items.to_vec());
        Ok(())
    }

    async fn join_items(
        &self,
        organization: OrganizationId,
        step_run: StepRunId,
        max_bytes: u64,
    ) -> Result<bool> {
        let mut tables = self.tables.lock().await;
        let rows = tables.steps.values().map(|(_, row)| row);
        let mut items: Vec<_> = rows.filter(|row| row.parent == Some(step_run)).collect();
        items.sort_by_key(|row| row.index);
        let output = |row: &&StepRow| tables.values.get(&row.id)?.output.clone();
        let outputs = items.iter().map(|row| output(row).unwrap_or_default());
        let output = Json::Array(outputs.collect());
        if output.to_string().len() as u64 > max_bytes {
            return Ok(false);
        }
        let values = tables.values.entry(step_run).or_insert(StepValues {
            organization,
            step_run,
            input: None,
            output: None,
            error: None,
        });
        values.output = Some(output);
        Ok(true)
    }

    async fn apply(&self, changes: &[Changes]) -> Result<()> {
        let mut tables = self.tables.lock().await;
        for changes in changes {
            tables.apply(changes);
        }
        Ok(())
    }

    async fn record(&self, events: &[Recorded]) -> Result<()> {
        self.tables.lock().await.events.extend_from_slice(events);
        Ok(())
    }
}
