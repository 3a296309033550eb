//! Runs, how they and their steps are listed, and what they tell.

use archesai_workflows::{
    Error, Json, LogEntry, LogLevel, LogLine, PipelineId, Run, RunError, RunId, RunStatus, Slice,
    StepRun, StepRunId,
    ports::{RunFilter, RunSort, StepSort, Store},
};

use super::{World, item, object, pages, pending, pipeline, ready, row, run, time};
use crate::fresh;

pub(super) async fn suite<S: Store>(world: &World<'_, S>) {
    a_run_is_found_as_it_was_put(world).await;
    a_run_is_of_a_version_that_exists(world).await;
    an_id_is_taken_once(world).await;
    runs_are_listed_by_what_is_asked_for(world).await;
    steps_are_listed_with_their_items(world).await;
    logs_are_read_after_a_place(world).await;
    nothing_is_told_of_a_run_that_is_gone(world).await;
}

async fn a_run_is_found_as_it_was_put<S: Store>(world: &World<'_, S>) {
    let pipeline = world.pipeline().await;
    let queued = run(&pipeline);
    let succeeded = Run {
        status: RunStatus::Succeeded,
        progress: 10_000,
        output: Some(Json::Null),
        started_at: Some(time(3)),
        completed_at: Some(time(4)),
        ..run(&pipeline)
    };
    let failed = Run {
        status: RunStatus::Failed,
        input: object([("deep", object([("é", Json::Float(0.5))]))]),
        error: Some(RunError {
            code: "no".to_owned(),
            message: "it \"cannot\" be".to_owned(),
            step: Some("a".to_owned()),
        }),
        ..run(&pipeline)
    };
    for run in [&queued, &succeeded, &failed] {
        world.store.insert_run(run, &[]).await.unwrap();
        assert_eq!(&world.find_run(run.id).await, run);
        let input = world.store.find_run_input(world.ours, run.id).await;
        assert_eq!(input.unwrap().as_ref(), Some(&run.input));
        let state = world.state(run.id).await;
        assert_eq!((state.run, state.steps), (row(run), vec![]));
    }
    for (organization, id) in [(world.theirs, queued.id), (world.ours, RunId(fresh()))] {
        let found = world.store.find_run(organization, id).await;
        assert_eq!(found.unwrap(), None);
        let found = world.store.find_run_input(organization, id).await;
        assert_eq!(found.unwrap(), None);
        let found = world.store.lock_runs(&[(organization, id)], &[]).await;
        assert_eq!(found.unwrap(), vec![]);
    }
    world.remove(&queued).await;
}

async fn a_run_is_of_a_version_that_exists<S: Store>(world: &World<'_, S>) {
    let theirs = pipeline(world.theirs, "theirs");
    world.store.insert_pipeline(&theirs).await.unwrap();
    let ours = world.pipeline().await;
    let mut next = run(&ours);
    next.pipeline_version = 2;
    let mut absent = run(&ours);
    absent.pipeline_id = PipelineId(fresh());
    let mut foreign = run(&theirs);
    foreign.organization_id = world.ours;
    for run in [next, absent, foreign] {
        let refused = world.store.insert_run(&run, &[ready("a", 0)]).await;
        assert!(matches!(refused, Err(Error::NotFound)), "{refused:?}");
        for organization in [world.ours, world.theirs] {
            let found = world.store.find_run(organization, run.id).await;
            assert_eq!(found.unwrap(), None);
        }
    }
    for pipeline in [ours, theirs] {
        let removed = world
            .store
            .delete_pipeline(pipeline.organization_id, pipeline.id);
        assert!(removed.await.unwrap().is_some());
    }
}

async fn an_id_is_taken_once<S: Store>(world: &World<'_, S>) {
    let one = world.run(&[ready("a", 0)]).await;
    let other = Run {
        id: one.id,
        ..run(&world.pipeline().await)
    };
    // Even if its pipeline does not exist.
    let absent = Run {
        pipeline_id: PipelineId(fresh()),
        ..one.clone()
    };
    for again in [&one, &other, &absent] {
        let refused = world.store.insert_run(again, &[ready("b", 0)]).await;
        assert!(matches!(refused, Err(Error::AlreadyExists)), "{refused:?}");
    }
    assert_eq!(world.find_run(one.id).await, one);
    assert_eq!(world.steps(one.id).await.len(), 1);
    world.remove(&one).await;
    world.remove(&other).await;
}

async fn runs_are_listed_by_what_is_asked_for<S: Store>(world: &World<'_, S>) {
    let (one, two) = (world.pipeline().await, world.pipeline().await);
    let mut runs = Vec::new();
    for (pipeline, status, created) in [
        (&one, RunStatus::Queued, 3),
        (&two, RunStatus::Running, 1),
        (&one, RunStatus::Running, 1),
        (&one, RunStatus::Failed, 2),
        (&two, RunStatus::Running, 1),
        (&one, RunStatus::Running, 7),
    ] {
        let run = Run {
            status,
            created_at: time(created),
            ..run(pipeline)
        };
        world.store.insert_run(&run, &[]).await.unwrap();
        runs.push(run);
    }
    runs.sort_by_key(|run| (run.created_at, run.id));
    for pipeline in [None, Some(one.id), Some(two.id), Some(PipelineId(fresh()))] {
        for status in [None, Some(RunStatus::Running), Some(RunStatus::Cancelled)] {
            let filter = RunFilter { pipeline, status };
            let asked_for = |run: &&Run| {
                pipeline.is_none_or(|id| run.pipeline_id == id)
                    && status.is_none_or(|status| run.status == status)
            };
            let mut expected: Vec<Run> = runs.iter().filter(asked_for).cloned().collect();
            for descending in [false, true] {
                let read =
                    async |slice: &Slice<_>| world.store.list_runs(world.ours, filter, slice).await;
                let listed = pages(RunSort::CreatedAt, descending, read).await;
                assert_eq!(listed, expected, "{filter:?}");
                let read = async |slice: &Slice<_>| {
                    world.store.list_runs(world.theirs, filter, slice).await
                };
                let listed = pages(RunSort::CreatedAt, descending, read).await;
                assert_eq!(listed, vec![]);
                expected.reverse();
            }
        }
    }
    for pipeline in [one, two] {
        let removed = world.store.delete_pipeline(world.ours, pipeline.id).await;
        assert!(removed.unwrap().is_some());
    }
}

async fn steps_are_listed_with_their_items<S: Store>(world: &World<'_, S>) {
    let (first, second) = (ready("first", 5), pending("second"));
    let mut rows = vec![first.clone(), second.clone()];
    rows.extend((0..3).map(|index| item(&second, index)));
    rows[3].created_at = time(9);
    let run = world.run(&rows).await;
    rows.sort_by_key(|row| (row.created_at, row.id));
    for descending in [false, true] {
        let read = async |slice: &Slice<_>| world.store.list_steps(world.ours, run.id, slice).await;
        let listed = pages(StepSort::CreatedAt, descending, read).await;
        let expected: Vec<StepRun> = rows
            .iter()
            .map(|row| StepRun {
                id: row.id,
                run_id: run.id,
                step: row.step.clone(),
                index: row.index,
                tool: row.tool.clone(),
                status: row.status,
                attempt: 0,
                crashes: 0,
                items: None,
                ready_at: row.ready_at,
                input: None,
                output: None,
                error: None,
                created_at: row.created_at,
                started_at: None,
                completed_at: None,
            })
            .collect();
        assert_eq!(listed, expected);
        rows.reverse();
    }
    for (organization, id) in [(world.theirs, run.id), (world.ours, RunId(fresh()))] {
        let read = async |slice: &Slice<_>| world.store.list_steps(organization, id, slice).await;
        let listed = pages(StepSort::CreatedAt, false, read).await;
        assert_eq!(listed, vec![]);
    }
    let mut steps = world.state(run.id).await.steps;
    steps.sort_by_key(|row| row.id);
    assert_eq!(steps, vec![first, second], "items are not among the steps");
    world.remove(&run).await;
}

fn entry(seconds: u64, level: LogLevel, message: &str) -> LogEntry {
    LogEntry {
        at: time(seconds),
        level,
        message: message.to_owned(),
    }
}

async fn logs_are_read_after_a_place<S: Store>(world: &World<'_, S>) {
    let (one, two) = (pending("one"), pending("two"));
    let run = world.run(&[one.clone(), two.clone()]).await;
    let elsewhere = world.run(&[pending("one")]).await;
    // Their times are not what they are ordered by.
    let told = [
        (one.id, entry(3, LogLevel::Info, "a")),
        (one.id, entry(1, LogLevel::Debug, "")),
        (two.id, entry(2, LogLevel::Warn, "c\n🦀")),
        (one.id, entry(2, LogLevel::Error, "d")),
    ];
    for (step_run, entries) in [
        (one.id, &[told[0].1.clone(), told[1].1.clone()][..]),
        (two.id, &[told[2].1.clone()]),
        (one.id, &[]),
        (one.id, &[told[3].1.clone()]),
    ] {
        let appended = world
            .store
            .append_logs(world.ours, run.id, step_run, entries);
        appended.await.unwrap();
    }
    let list = async |step_run, after, limit| {
        let lines = world
            .store
            .list_logs(world.ours, run.id, step_run, after, limit);
        lines.await.unwrap()
    };
    let lines = list(None, 0, 100).await;
    let expected: Vec<LogLine> = told
        .into_iter()
        .zip(&lines)
        .map(|((step_run_id, entry), line)| LogLine {
            sequence: line.sequence,
            run_id: run.id,
            step_run_id,
            at: entry.at,
            level: entry.level,
            message: entry.message,
        })
        .collect();
    assert_eq!(lines, expected);
    assert!(
        lines
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
    assert_eq!(list(None, lines[1].sequence, 100).await, lines[2..]);
    assert_eq!(list(None, lines[0].sequence, 2).await, lines[1..3]);
    assert_eq!(list(None, lines[3].sequence, 2).await, vec![]);
    assert_eq!(list(Some(two.id), 0, 100).await, lines[2..3]);
    assert_eq!(list(Some(one.id), lines[1].sequence, 100).await, lines[3..]);
    assert_eq!(list(Some(StepRunId(fresh())), 0, 100).await, vec![]);
    let lines = world.store.list_logs(world.theirs, run.id, None, 0, 100);
    assert_eq!(lines.await.unwrap(), vec![]);
    let lines = world
        .store
        .list_logs(world.ours, elsewhere.id, None, 0, 100);
    assert_eq!(lines.await.unwrap(), vec![]);
    world.remove(&run).await;
    world.remove(&elsewhere).await;
}

async fn nothing_is_told_of_a_run_that_is_gone<S: Store>(world: &World<'_, S>) {
    let step = pending("one");
    let run = world.run(std::slice::from_ref(&step)).await;
    let entries = [entry(1, LogLevel::Info, "a")];
    let append = async |organization| {
        let appended = world
            .store
            .append_logs(organization, run.id, step.id, &entries);
        appended.await.unwrap();
        let lines = world.store.list_logs(organization, run.id, None, 0, 100);
        lines.await.unwrap().len()
    };
    assert_eq!(append(world.ours).await, 1);
    assert_eq!(append(world.theirs).await, 0);
    world.remove(&run).await;
    assert_eq!(append(world.ours).await, 0);
}
