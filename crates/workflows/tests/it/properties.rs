//! The engine under random definitions, failures, retries, cancels, lost
//! workers and late reports: what holds whatever happens.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use archesai_workflows::{
    Ids, Json, OrganizationId, PipelineId, RunId, RunStatus, StepRunId, StepStatus, ToolError,
    UserId, WorkerId,
    definition::{Definition, OnError},
    engine::{Decision, Lease, Machine, Policy, RunRow, RunState, StepEvent, StepRow},
};
use proptest::prelude::*;

use crate::support::{Paths, json};

/// What a random step says. Its needs are among the steps before it, and a
/// shuffle decides where in the definition it stands.
#[derive(Clone, Debug)]
struct Spec {
    needs: u16,
    fans_out: bool,
    concurrency: Option<u32>,
    on_error: &'static str,
    max_attempts: u32,
}

fn spec() -> impl Strategy<Value = Spec> {
    (
        any::<u16>(),
        any::<bool>(),
        proptest::option::of(1..4_u32),
        prop::sample::select(vec!["fail", "continue", "skip"]),
        1..4_u32,
    )
        .prop_map(
            |(needs, fans_out, concurrency, on_error, max_attempts)| Spec {
                needs,
                fans_out,
                concurrency,
                on_error,
                max_attempts,
            },
        )
}

fn definition(specs: &[Spec], order: &[usize]) -> Definition {
    let step = |&at: &usize| {
        let spec = &specs[at];
        let needs = (0..at).filter(|need| spec.needs >> (need % 16) & 1 == 1);
        let needs: Vec<String> = needs.map(|need| format!(r#""s{need}""#)).collect();
        let fan_out = match (spec.fans_out, spec.concurrency) {
            (false, _) => String::new(),
            (true, None) => r#""for_each": "{{ inputs }}","#.to_owned(),
            (true, Some(slots)) => {
                format!(r#""for_each": "{{{{ inputs }}}}", "concurrency": {slots},"#)
            }
        };
        format!(
            r#"{{"id": "s{at}", "tool": "do", "needs": [{}], {fan_out} "on_error": "{}",
                "retry": {{"max_attempts": {}}}}}"#,
            needs.join(","),
            spec.on_error,
            spec.max_attempts
        )
    };
    let steps: Vec<String> = order.iter().map(step).collect();
    let text = format!(r#"{{"steps": [{}]}}"#, steps.join(","));
    Definition::load(&json(&text), &Paths)
}

#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Ids for Counter {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// A store of one run, and the claims that workers have or think they have.
struct World {
    definition: Definition,
    policy: Policy,
    ids: Counter,
    now: SystemTime,
    run: RunRow,
    rows: BTreeMap<StepRunId, StepRow>,
    claims: Vec<StepRow>,
    /// Steps that a failure under `skip` reached.
    barred: Vec<usize>,
}

impl World {
    fn new(definition: Definition) -> Self {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let run = RunRow {
            id: RunId(1),
            organization_id: OrganizationId(1),
            pipeline_id: PipelineId(1),
            pipeline_version: 1,
            status: RunStatus::Queued,
            progress: 0,
            created_by: UserId(1),
            started_at: None,
            completed_at: None,
        };
        let (policy, ids) = (Policy::default(), Counter::default());
        let decision = Machine::start(&definition, &policy, &ids, now, run.clone()).decide();
        let mut world = Self {
            definition,
            policy,
            ids,
            now,
            run,
            rows: BTreeMap::new(),
            claims: Vec::new(),
            barred: Vec::new(),
        };
        world.write(decision);
        world
    }

    fn state(&self) -> RunState {
        let rows = self.rows.values().cloned();
        let (steps, items) = rows.partition(|row| row.parent.is_none());
        RunState {
            run: self.run.clone(),
            steps,
            items,
        }
    }

    /// Does something to the run in a transaction; answers whether it was accepted.
    fn transact(&mut self, act: impl FnOnce(&mut Machine<'_>) -> bool) -> bool {
        let state = self.state();
        let machine = Machine::resume(&self.definition, &self.policy, &self.ids, self.now, state);
        let mut machine = machine.expect("the steps are those of the definition");
        if !act(&mut machine) {
            assert!(
                machine.decide().changes.updated.is_empty(),
                "a refusal changes nothing"
            );
            return false;
        }
        while let Some(fan_out) = machine.next_join() {
            machine.joined(fan_out, Ok(()));
        }
        if machine.is_complete() {
            machine.conclude(Ok(Json::Null));
        }
        let taken = machine.take(WorkerId(9));
        let decision = machine.decide();
        self.write(decision);
        self.claims.extend(taken);
        true
    }

    fn write(&mut self, decision: Decision) {
        let changes = decision.changes;
        assert!(changes.run.progress >= self.run.progress, "progress falls");
        assert!(changes.run.progress <= 10_000);
        self.run = changes.run;
        for row in changes.created {
            assert!(
                self.rows.insert(row.id, row).is_none(),
                "an id is used twice"
            );
        }
        for row in changes.updated {
            let before = self
                .rows
                .insert(row.id, row.clone())
                .expect("it was stored");
            let stays = !before.status.is_ended() || before.status == row.status;
            assert!(stays, "what has ended changes");
        }
        for parent in changes.stopped {
            let rows = self.rows.values_mut();
            for row in rows.filter(|row| row.parent == Some(parent) && !row.status.is_ended()) {
                row.status = StepStatus::Cancelled;
                row.worker = None;
                row.ready_at = None;
            }
        }
        self.check();
    }

    /// What holds after every transaction.
    fn check(&self) {
        let status = |at: usize| {
            let id = &self.definition.steps[at].id;
            let mut rows = self.rows.values();
            let row = rows.find(|row| row.step == *id && row.parent.is_none());
            row.expect("every step has a row").status
        };
        for row in self.rows.values() {
            let at = self.definition.position(&row.step).unwrap();
            let step = &self.definition.steps[at];
            let has_begun = !matches!(
                row.status,
                StepStatus::Pending | StepStatus::Cancelled | StepStatus::Skipped
            );
            if has_begun && row.parent.is_none() {
                let all = step.needs.iter().all(|&need| status(need).is_ended());
                assert!(all, "{} begins before its inputs", row.step);
                assert!(!self.barred.contains(&at), "{} was to be skipped", row.step);
            }
            if self.run.status.is_ended() {
                assert!(row.status.is_ended(), "{row:?} outlives its run");
            }
            if let Some(items) = row.items {
                let own = |item: &&StepRow| item.parent == Some(row.id);
                let all = self.rows.values().filter(own).count();
                let done = self.rows.values().filter(own);
                let done = done.filter(|item| item.status.is_ended()).count();
                assert_eq!(all, items.started as usize);
                assert!(all <= items.total as usize);
                if row.status == StepStatus::Waiting {
                    assert_eq!(done, items.done as usize);
                    assert!(all - done <= step.concurrency.unwrap_or(u32::MAX) as usize);
                    assert!(done < items.total as usize, "a fan-out hangs");
                }
                if items.total == 0 {
                    assert_eq!(row.status, StepStatus::Succeeded);
                }
                if row.status == StepStatus::Succeeded {
                    assert_eq!(items.done, items.total);
                }
            }
        }
        self.check_run();
    }

    fn check_run(&self) {
        let steps = || self.rows.values().filter(|row| row.parent.is_none());
        let under_way = steps().any(|row| {
            matches!(row.status, StepStatus::Running | StepStatus::Waiting) || row.is_due(self.now)
        });
        let failed = |row: &StepRow| {
            let at = self.definition.position(&row.step).unwrap();
            let on_error = self.definition.steps[at].on_error;
            row.status == StepStatus::Failed && on_error != OnError::Continue
        };
        match self.run.status {
            RunStatus::Succeeded => {
                assert_eq!(self.run.progress, 10_000);
                assert!(!steps().any(failed));
                assert!(steps().all(|row| row.status != StepStatus::Cancelled));
            }
            RunStatus::Failed => assert!(steps().any(failed)),
            RunStatus::Waiting => assert!(!under_way),
            RunStatus::Running => assert!(under_way),
            RunStatus::Queued => assert!(steps().all(|row| row.attempt == 0)),
            RunStatus::Cancelled => {}
        }
        assert_eq!(self.run.status.is_ended(), self.run.completed_at.is_some());
    }

    /// What a store does for a worker: see `Repository::claim`.
    fn claim(&mut self, pick: usize) -> bool {
        let now = self.now;
        let due: Vec<StepRunId> = self
            .rows
            .values()
            .filter(|row| row.is_due(now))
            .map(|row| row.id)
            .collect();
        if due.is_empty() {
            return false;
        }
        assert!(!self.run.status.is_ended(), "a step begins after the end");
        let id = due[pick % due.len()];
        let row = self.rows.get_mut(&id).unwrap();
        row.status = StepStatus::Running;
        row.worker = Some(WorkerId(9));
        row.attempt += 1;
        row.fence += 1;
        row.ready_at = None;
        row.started_at.get_or_insert(now);
        self.claims.push(row.clone());
        if matches!(self.run.status, RunStatus::Queued | RunStatus::Waiting) {
            self.run.status = RunStatus::Running;
            self.run.started_at.get_or_insert(now);
        }
        true
    }

    /// Whether a claim still holds.
    fn holds(&self, claim: &StepRow) -> bool {
        let row = &self.rows[&claim.id];
        row.status == StepStatus::Running && row.fence == claim.fence
    }

    /// Reports an event for one of the claims. The report of an old claim may
    /// come at any time, and comes to nothing.
    fn report(&mut self, pick: usize, event: StepEvent) {
        if self.claims.is_empty() {
            return;
        }
        let claim = self.claims[pick % self.claims.len()].clone();
        let holds = self.holds(&claim);
        let ended = self.run.status.is_ended();
        let lease = Lease {
            step_run: claim.id,
            fence: claim.fence,
        };
        let accepted = self.transact(|machine| machine.apply(lease, event).is_ok());
        assert_eq!(accepted, holds && !ended, "{claim:?}");
        if accepted {
            // The claim stays: it may be reported a second time.
            self.bar(&claim);
        }
    }

    /// Notes the steps that may not begin any more if a failure skipped this one.
    fn bar(&mut self, claim: &StepRow) {
        let at = self.definition.position(&claim.step).unwrap();
        let rows = self.rows.values();
        let mut steps = rows.filter(|row| row.step == claim.step && row.parent.is_none());
        let row = steps.next().unwrap();
        let is_failure = self.definition.steps[at].on_error == OnError::Skip
            && row.status == StepStatus::Skipped;
        if is_failure {
            let mut reached: Vec<usize> = vec![at];
            while let Some(at) = reached.pop() {
                let dependants = self.definition.steps[at].dependants.iter();
                reached.extend(dependants.clone());
                self.barred.extend(dependants);
            }
        }
        self.check();
    }

    /// What a worker may report about a claim.
    fn event(&self, pick: usize, kind: u8, number: u32) -> Option<StepEvent> {
        let claim = self.claims.get(pick % self.claims.len().max(1))?;
        let at = self.definition.position(&claim.step)?;
        let fans_out = self.definition.steps[at].for_each.is_some() && claim.parent.is_none();
        let error = |retryable: bool| ToolError {
            retryable,
            ..ToolError::permanent("e", "m")
        };
        let jitter = 500;
        Some(match kind {
            0 => StepEvent::Failed {
                error: error(true),
                jitter,
            },
            1 => StepEvent::Failed {
                error: error(false),
                jitter,
            },
            2 => StepEvent::Lost,
            3 => StepEvent::Released,
            4 => StepEvent::Slept {
                until: self.now + Duration::from_secs(number.into()),
            },
            _ if fans_out => StepEvent::Expanded { items: number },
            _ => StepEvent::Succeeded,
        })
    }

    /// Lets time pass until something is due.
    fn pass_time(&mut self) {
        let due = self.rows.values().filter_map(|row| row.ready_at).min();
        self.now = self.now.max(due.unwrap_or(self.now));
    }

    /// Leaves the claims that still hold.
    fn forget_old_claims(&mut self) {
        let mut claims = std::mem::take(&mut self.claims);
        claims.retain(|claim| self.holds(claim));
        self.claims = claims;
    }

    /// Goes on until the run ends, while steps still fail now and then.
    fn drain(&mut self, failures: &[u8]) {
        let mut failures = failures.iter().cycle();
        for _ in 0..20_000 {
            if self.run.status.is_ended() {
                return;
            }
            self.forget_old_claims();
            if self.claims.is_empty() && !self.claim(0) {
                self.pass_time();
                continue;
            }
            let kind = *failures.next().unwrap();
            let event = self.event(0, kind, 3).unwrap();
            self.report(0, event);
        }
        panic!("the run does not end: {:?}", self.run);
    }
}

fn specs() -> impl Strategy<Value = (Vec<Spec>, Vec<usize>)> {
    prop::collection::vec(spec(), 1..8).prop_flat_map(|specs| {
        let order: Vec<usize> = (0..specs.len()).collect();
        (Just(specs), Just(order).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn whatever_happens_a_run_ends_well_formed(
        (specs, order) in specs(),
        actions in prop::collection::vec((0..10_u8, any::<usize>(), 0..8_u8, 0..6_u32), 0..120),
        failures in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 2, 9, 9, 9, 9, 9]), 1..20),
        cancels in proptest::option::weighted(0.2, 0..120_usize),
    ) {
        let mut world = World::new(definition(&specs, &order));
        for (nth, (action, pick, kind, number)) in actions.into_iter().enumerate() {
            if cancels == Some(nth) {
                let ended = world.run.status.is_ended();
                let accepted = world.transact(|machine| machine.cancel().is_ok());
                prop_assert_eq!(accepted, !ended);
                prop_assert!(world.run.status.is_ended());
            }
            match action {
                0..4 => _ = world.claim(pick),
                4 => {
                    world.pass_time();
                    // The store finds a run waiting whose delay has ended; the next claim resumes it.
                    _ = world.claim(pick);
                }
                _ => if let Some(event) = world.event(pick, kind, number) {
                    world.report(pick, event);
                },
            }
        }
        world.drain(&failures);
        world.check();
        prop_assert!(!world.claim(0), "a step begins after the end");
    }

    #[test]
    fn without_failures_every_step_succeeds((specs, order) in specs(), items in 0..5_u32) {
        let mut world = World::new(definition(&specs, &order));
        while !world.run.status.is_ended() {
            world.forget_old_claims();
            if world.claims.is_empty() {
                prop_assert!(world.claim(0));
            }
            let event = world.event(0, 9, items).unwrap();
            world.report(0, event);
        }
        prop_assert_eq!(world.run.status, RunStatus::Succeeded);
        prop_assert!(world.rows.values().all(|row| row.status == StepStatus::Succeeded));
        prop_assert!(world.rows.values().all(|row| row.attempt == 1 && row.crashes == 0));
    }

    #[test]
    fn no_definition_makes_the_reader_panic(text in r#"[\{\}\[\]":,a-z0-9 {{}}]{0,80}"#) {
        let value = serde_json::from_str(&text).unwrap_or(Json::Text(text));
        let _ = Definition::load(&value, &Paths);
        let wrapped = Json::Object(BTreeMap::from([("steps".to_owned(), Json::Array(vec![value]))]));
        let _ = Definition::load(&wrapped, &Paths);
    }
}
