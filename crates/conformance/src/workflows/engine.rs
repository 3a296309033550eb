//! Reading the state of runs, and writing what the engine decided about them.

use archesai_platform::events::{History, Outbox};
use archesai_workflows::{
    Event, Json, OrganizationId, Recorded, Run, RunError, RunId, RunStatus, StepRunId, StepStatus,
    WorkerId,
    engine::{Changes, Items, RunRow, StepRow},
    ports::{Repository as _, Scope, Store, Transaction as _},
};

use super::{World, item, object, pending, ready, row, time, unchanged};
use crate::fresh;

pub(super) async fn suite<S: Store + Outbox + History>(world: &World<'_, S>) {
    states_come_in_the_order_of_their_runs(world).await;
    items_come_with_their_run(world).await;
    a_locked_run_waits_for_nobody_else(world).await;
    what_is_decided_about_a_run_is_written(world).await;
    what_is_decided_about_steps_is_written(world).await;
    a_stopped_fan_out_stops_its_items(world).await;
    runs_of_others_are_left_alone(world).await;
    events_are_kept_in_their_order(world).await;
}

/// With a run come those of its items that are asked for, as they are.
async fn items_come_with_their_run<S: Store>(world: &World<'_, S>) {
    let fan_out = StepRow {
        status: StepStatus::Waiting,
        ..pending("a")
    };
    let items = [item(&fan_out, 0), item(&fan_out, 1), item(&fan_out, 2)];
    let mut rows = vec![fan_out.clone()];
    rows.extend(items.iter().cloned());
    let run = world.run(&rows).await;
    let other = world.run(&[pending("b")]).await;
    let runs = [(world.ours, run.id), (world.ours, other.id)];
    let asked = [items[2].id, StepRunId(fresh()), items[0].id, fan_out.id];
    let items_of = async |runs: &[(OrganizationId, RunId)]| {
        let states = world.store.lock_runs(runs, &asked).await.unwrap();
        let items = states.into_iter().map(|mut state| {
            state.items.sort_by_key(|item| item.index);
            (state.run.id, state.items)
        });
        let items: Vec<_> = items.filter(|(_, items)| !items.is_empty()).collect();
        items
    };
    let expected = vec![(run.id, vec![items[0].clone(), items[2].clone()])];
    assert_eq!(items_of(&runs).await, expected);
    assert_eq!(items_of(&runs[1..]).await, vec![], "without their run");
    assert_eq!(items_of(&[(world.theirs, run.id)]).await, vec![]);
    world.remove(&run).await;
    world.remove(&other).await;
}

async fn states_come_in_the_order_of_their_runs<S: Store>(world: &World<'_, S>) {
    let one = world.run(&[ready("a", 1), pending("b")]).await;
    let two = world.run(&[pending("a")]).await;
    let [first, second] = if one.id < two.id {
        [one.id, two.id]
    } else {
        [two.id, one.id]
    };
    let ours = world.ours;
    let asked = [
        (ours, second),
        (ours, RunId(fresh())),
        (ours, first),
        (world.theirs, one.id),
    ];
    let transaction = world.store.begin(Scope::System).await.unwrap();
    let within = transaction.lock_runs(&asked, &[]).await.unwrap();
    drop(transaction);
    let alone = world.store.lock_runs(&asked, &[]).await.unwrap();
    for states in [within, alone] {
        let ids: Vec<RunId> = states.iter().map(|state| state.run.id).collect();
        assert_eq!(ids, [first, second]);
        for state in states {
            let run = if state.run.id == one.id { &one } else { &two };
            assert_eq!(state.run, row(run));
            assert_eq!(state.steps.len(), if run == &one { 2 } else { 1 });
        }
    }
    world.remove(&one).await;
    world.remove(&two).await;
}

/// Whoever reads a run, adds to what it read and writes that is not overtaken.
async fn a_locked_run_waits_for_nobody_else<S: Store>(world: &World<'_, S>) {
    let run = world.run(&[pending("a")]).await;
    let additions = (0..20).map(async |_| {
        let transaction = world.store.begin(Scope::System).await.unwrap();
        let states = transaction.lock_runs(&[(world.ours, run.id)], &[]).await;
        let mut row = states.unwrap().remove(0).run;
        row.progress += 1;
        transaction.apply(&[unchanged(row)]).await.unwrap();
        transaction.commit().await.unwrap();
    });
    futures_util::future::join_all(additions).await;
    assert_eq!(world.find_run(run.id).await.progress, 20);
    world.remove(&run).await;
}

async fn what_is_decided_about_a_run_is_written<S: Store>(world: &World<'_, S>) {
    let run = world.run(&[pending("a")]).await;
    let other = world.run(&[pending("a")]).await;
    let now = RunRow {
        status: RunStatus::Failed,
        progress: 9_999,
        started_at: Some(time(1)),
        completed_at: Some(time(2)),
        ..row(&run)
    };
    let error = RunError {
        code: "no".to_owned(),
        message: "no".to_owned(),
        step: None,
    };
    let output = object([("y", Json::from(2))]);
    let mut expected = Run {
        status: RunStatus::Failed,
        progress: 9_999,
        started_at: Some(time(1)),
        completed_at: Some(time(2)),
        ..run.clone()
    };
    world.apply(unchanged(now.clone())).await;
    assert_eq!(world.find_run(run.id).await, expected);
    world
        .apply(Changes {
            error: Some(error.clone()),
            ..unchanged(now.clone())
        })
        .await;
    expected.error = Some(error);
    assert_eq!(world.find_run(run.id).await, expected);
    world
        .apply(Changes {
            output: Some(output.clone()),
            ..unchanged(now.clone())
        })
        .await;
    expected.output = Some(output);
    assert_eq!(world.find_run(run.id).await, expected, "the error stays");
    world.apply(unchanged(now)).await;
    assert_eq!(
        world.find_run(run.id).await,
        expected,
        "and so does the output"
    );
    assert_eq!(world.find_run(other.id).await, other);
    world.remove(&run).await;
    world.remove(&other).await;
}

async fn what_is_decided_about_steps_is_written<S: Store>(world: &World<'_, S>) {
    let (a, b) = (ready("a", 1), pending("b"));
    let run = world.run(&[a.clone(), b.clone()]).await;
    let a = StepRow {
        status: StepStatus::Waiting,
        attempt: 1,
        crashes: 2,
        sleeps: 3,
        ready_at: None,
        fence: 4,
        items: Some(Items {
            total: 9,
            started: 2,
            done: 1,
            failed: 1,
        }),
        started_at: Some(time(1)),
        completed_at: Some(time(2)),
        ..a
    };
    let b = StepRow {
        status: StepStatus::Running,
        worker: Some(WorkerId(fresh())),
        fence: 1,
        ..b
    };
    let created = [item(&a, 0), item(&a, 1)];
    let changes = Changes {
        updated: vec![b.clone(), a.clone()],
        created: created.to_vec(),
        ..unchanged(row(&run))
    };
    world.apply(changes).await;
    let mut steps = world.state(run.id).await.steps;
    steps.sort_by_key(|step| step.id);
    assert_eq!(steps, vec![a.clone(), b.clone()]);
    let shown = world.step(run.id, a.id).await;
    assert_eq!((shown.items, shown.crashes), (a.items, 2));
    let items: Vec<_> = world
        .steps(run.id)
        .await
        .into_iter()
        .filter_map(|step| step.index)
        .collect();
    assert_eq!(items, [0, 1]);
    // What was there is taken away where there is nothing now.
    let bare = StepRow {
        items: None,
        started_at: None,
        completed_at: None,
        worker: None,
        status: StepStatus::Pending,
        ..a
    };
    let done = StepRow {
        status: StepStatus::Succeeded,
        ready_at: None,
        ..created[1].clone()
    };
    let changes = Changes {
        updated: vec![done.clone(), bare.clone()],
        ..unchanged(row(&run))
    };
    world.apply(changes).await;
    let mut steps = world.state(run.id).await.steps;
    steps.sort_by_key(|step| step.id);
    assert_eq!(steps, vec![bare, b]);
    let shown = world.step(run.id, done.id).await;
    assert_eq!(
        (shown.status, shown.ready_at),
        (StepStatus::Succeeded, None)
    );
    world.remove(&run).await;
}

async fn a_stopped_fan_out_stops_its_items<S: Store>(world: &World<'_, S>) {
    let fan_out = StepRow {
        status: StepStatus::Waiting,
        ..pending("a")
    };
    let other = StepRow {
        status: StepStatus::Waiting,
        ..pending("b")
    };
    let status = |index, status| StepRow {
        status,
        ready_at: None,
        completed_at: Some(time(3)),
        ..item(&fan_out, index)
    };
    let running = StepRow {
        worker: Some(WorkerId(fresh())),
        completed_at: None,
        ..status(1, StepStatus::Running)
    };
    let items = [
        item(&fan_out, 0),
        running.clone(),
        status(2, StepStatus::Succeeded),
        status(3, StepStatus::Failed),
        item(&fan_out, 4),
    ];
    let elsewhere = item(&other, 0);
    let mut rows = vec![fan_out.clone(), other, elsewhere.clone()];
    rows.extend(items.iter().cloned());
    let run = world.run(&rows).await;
    let failed = StepRow {
        status: StepStatus::Failed,
        completed_at: Some(time(7)),
        ..fan_out.clone()
    };
    // It ended just now, and its own row says so.
    let last = StepRow {
        status: StepStatus::Failed,
        ready_at: None,
        completed_at: Some(time(6)),
        ..items[4].clone()
    };
    let changes = Changes {
        updated: vec![last, failed],
        stopped: vec![fan_out.id],
        ..unchanged(row(&run))
    };
    world.apply(changes).await;
    let shown = async |id| {
        let shown = world.step(run.id, id).await;
        (shown.status, shown.ready_at, shown.completed_at)
    };
    let cancelled = (StepStatus::Cancelled, None, Some(time(7)));
    assert_eq!(shown(items[0].id).await, cancelled);
    assert_eq!(shown(items[1].id).await, cancelled);
    assert_eq!(
        shown(items[2].id).await,
        (StepStatus::Succeeded, None, Some(time(3)))
    );
    assert_eq!(
        shown(items[3].id).await,
        (StepStatus::Failed, None, Some(time(3)))
    );
    assert_eq!(
        shown(items[4].id).await,
        (StepStatus::Failed, None, Some(time(6)))
    );
    assert_eq!(shown(elsewhere.id).await.0, StepStatus::Ready);
    world.remove(&run).await;
}

async fn runs_of_others_are_left_alone<S: Store>(world: &World<'_, S>) {
    let step = ready("a", 1);
    let run = world.run(std::slice::from_ref(&step)).await;
    let changed = StepRow {
        status: StepStatus::Cancelled,
        ready_at: None,
        ..step.clone()
    };
    let foreign = RunRow {
        organization_id: world.theirs,
        status: RunStatus::Cancelled,
        ..row(&run)
    };
    let changes = Changes {
        updated: vec![changed],
        created: vec![item(&step, 0)],
        output: Some(Json::Null),
        ..unchanged(foreign)
    };
    world.apply(changes).await;
    assert_eq!(world.find_run(run.id).await, run);
    assert_eq!(world.steps(run.id).await.len(), 1);
    assert_eq!(world.state(run.id).await.steps, vec![step]);
    world.remove(&run).await;
}

fn recorded(organization: OrganizationId, event: Event) -> Recorded {
    Recorded {
        id: fresh(),
        organization_id: Some(organization),
        actor_id: None,
        occurred_at: time(1),
        event,
    }
}

async fn events_are_kept_in_their_order<S: Store + Outbox + History>(world: &World<'_, S>) {
    let run_id = RunId(fresh());
    let events = [
        Event::RunStarted { run_id },
        Event::RunWaiting { run_id },
        Event::RunResumed { run_id },
        Event::RunSucceeded { run_id },
    ]
    .map(|event| recorded(world.ours, event));
    let transaction = world.store.begin(Scope::System).await.unwrap();
    transaction.record(&events[..3]).await.unwrap();
    transaction.record(&events[3..]).await.unwrap();
    transaction.record(&[]).await.unwrap();
    let history = async || {
        let aggregate = ("run", run_id.0);
        let history = world.store.history(world.ours.0, aggregate, 0, 100);
        history.await.unwrap()
    };
    assert_eq!(history().await, vec![], "nobody sees what is not committed");
    transaction.commit().await.unwrap();
    let transaction = world.store.begin(Scope::System).await.unwrap();
    let dropped = [recorded(world.ours, Event::RunCancelled { run_id })];
    transaction.record(&dropped).await.unwrap();
    drop(transaction);
    let logged = history().await;
    assert_eq!(logged.len(), events.len());
    for (logged, event) in logged.iter().zip(&events) {
        assert_eq!(
            (logged.id, logged.kind.as_str()),
            (event.id, event.event.kind())
        );
        assert_eq!(logged.organization_id, Some(world.ours.0));
        assert_eq!(logged.occurred_at, event.occurred_at);
    }
    assert!(
        logged
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
}
