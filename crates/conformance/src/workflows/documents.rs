//! The documents of steps and of their items.

use archesai_workflows::{
    Json, Page, Pipeline, Result, Run, Slice, StepError, StepRunId, StepStatus,
    engine::StepRow,
    ports::{
        PAGE_BYTES, PipelineSort, RunFilter, RunSort, StepResult, StepSort, StepValues, Store,
    },
};

use super::{World, item, object, pending, pipeline as pipeline_of, run as run_of, time};
use crate::fresh;

pub(super) async fn suite<S: Store>(world: &World<'_, S>) {
    values_replace_those_before(world).await;
    values_of_others_are_not_written(world).await;
    expressions_read_the_steps_they_name(world).await;
    an_item_is_found_by_its_place(world).await;
    items_are_joined_in_order(world).await;
    what_is_too_large_is_not_joined(world).await;
    results_that_are_too_large_are_not_read(world).await;
    pages_are_bounded(world).await;
}

fn values<S>(world: &World<'_, S>, step_run: StepRunId) -> StepValues {
    StepValues {
        organization: world.ours,
        step_run,
        input: None,
        output: None,
        error: None,
    }
}

fn error() -> StepError {
    StepError {
        code: "no".to_owned(),
        message: "it \"cannot\" be".to_owned(),
    }
}

/// The documents of a step run as they are shown.
async fn shown<S: Store>(world: &World<'_, S>, run: &Run, step: StepRunId) -> StepValues {
    let shown = world.step(run.id, step).await;
    StepValues {
        organization: world.ours,
        step_run: step,
        input: shown.input,
        output: shown.output,
        error: shown.error,
    }
}

async fn values_replace_those_before<S: Store>(world: &World<'_, S>) {
    let (one, two) = (pending("one"), pending("two"));
    let run = world.run(&[one.clone(), two.clone()]).await;
    let first = StepValues {
        input: Some(object([("a", Json::from(1))])),
        error: Some(error()),
        ..values(world, one.id)
    };
    let second = StepValues {
        // A null is a value; that there is none is something else.
        output: Some(Json::Null),
        ..values(world, two.id)
    };
    world
        .store
        .put_values(&[first.clone(), second.clone()])
        .await
        .unwrap();
    assert_eq!(shown(world, &run, one.id).await, first);
    assert_eq!(shown(world, &run, two.id).await, second);
    let third = StepValues {
        output: Some(Json::from("é")),
        ..values(world, one.id)
    };
    world
        .store
        .put_values(std::slice::from_ref(&third))
        .await
        .unwrap();
    assert_eq!(shown(world, &run, one.id).await, third);
    assert_eq!(shown(world, &run, two.id).await, second);
    world.remove(&run).await;
}

async fn values_of_others_are_not_written<S: Store>(world: &World<'_, S>) {
    let step = pending("one");
    let run = world.run(std::slice::from_ref(&step)).await;
    let foreign = StepValues {
        organization: world.theirs,
        output: Some(Json::from(1)),
        ..values(world, step.id)
    };
    let absent = StepValues {
        output: Some(Json::from(1)),
        ..values(world, StepRunId(fresh()))
    };
    world.store.put_values(&[foreign, absent]).await.unwrap();
    assert_eq!(shown(world, &run, step.id).await, values(world, step.id));
    world.remove(&run).await;
}

async fn expressions_read_the_steps_they_name<S: Store>(world: &World<'_, S>) {
    let fan_out = pending("one");
    let same_name = item(&fan_out, 0);
    let failed = StepRow {
        status: StepStatus::Failed,
        ..pending("two")
    };
    let rows = [
        fan_out.clone(),
        same_name.clone(),
        failed.clone(),
        pending("three"),
    ];
    let run = world.run(&rows).await;
    let puts = [
        StepValues {
            input: Some(Json::from(0)),
            output: Some(Json::from(1)),
            ..values(world, fan_out.id)
        },
        StepValues {
            output: Some(Json::from(2)),
            ..values(world, same_name.id)
        },
        StepValues {
            error: Some(error()),
            ..values(world, failed.id)
        },
    ];
    world.store.put_values(&puts).await.unwrap();
    let read = async |organization, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let found = world
            .store
            .find_step_results(organization, run.id, &names, 1_000);
        let mut found = found.await.unwrap().unwrap();
        found.sort_by_key(|result| result.step.clone());
        found
    };
    let one = StepResult {
        step: "one".to_owned(),
        status: StepStatus::Pending,
        output: Some(Json::from(1)),
        error: None,
    };
    let two = StepResult {
        step: "two".to_owned(),
        status: StepStatus::Failed,
        output: None,
        error: Some(error()),
    };
    let three = StepResult {
        step: "three".to_owned(),
        output: None,
        ..one.clone()
    };
    assert_eq!(
        read(world.ours, &["two", "absent", "one"]).await,
        vec![one, two]
    );
    assert_eq!(read(world.ours, &["three"]).await, vec![three]);
    assert_eq!(read(world.ours, &[]).await, vec![]);
    assert_eq!(read(world.theirs, &["one"]).await, vec![]);
    world.remove(&run).await;
}

async fn an_item_is_found_by_its_place<S: Store>(world: &World<'_, S>) {
    let fan_out = pending("one");
    let run = world.run(std::slice::from_ref(&fan_out)).await;
    let items = [Json::from(7), Json::Null, object([("a", Json::from("b"))])];
    let put = async |organization, items: &[Json]| {
        let put = world.store.put_items(organization, fan_out.id, items);
        put.await.unwrap();
    };
    let find = async |organization, index| {
        let found = world.store.find_item(organization, fan_out.id, index);
        found.await.unwrap()
    };
    put(world.ours, &items).await;
    for (index, item) in (0..).zip(&items) {
        assert_eq!(find(world.ours, index).await.as_ref(), Some(item));
        assert_eq!(find(world.theirs, index).await, None);
    }
    assert_eq!(find(world.ours, 3).await, None);
    put(world.theirs, &[]).await;
    assert_eq!(find(world.ours, 0).await.as_ref(), Some(&items[0]));
    put(world.ours, &items[2..]).await;
    assert_eq!(find(world.ours, 0).await.as_ref(), Some(&items[2]));
    assert_eq!(
        find(world.ours, 1).await,
        None,
        "a shorter list leaves nothing behind"
    );
    let absent = StepRunId(fresh());
    world
        .store
        .put_items(world.ours, absent, &items)
        .await
        .unwrap();
    let found = world.store.find_item(world.ours, absent, 0).await;
    assert_eq!(found.unwrap(), None);
    world.remove(&run).await;
}

/// A fan-out whose last item is written first.
async fn fan_out<S: Store>(world: &World<'_, S>, items: u32) -> (Run, StepRow, Vec<StepRow>) {
    let step = pending("one");
    let items: Vec<StepRow> = (0..items).map(|index| item(&step, index)).collect();
    let mut rows = vec![step.clone()];
    rows.extend(items.iter().rev().cloned());
    let run = world.run(&rows).await;
    (run, step, items)
}

async fn items_are_joined_in_order<S: Store>(world: &World<'_, S>) {
    let (run, step, items) = fan_out(world, 12).await;
    let mut puts = vec![StepValues {
        input: Some(Json::from("kept")),
        output: Some(Json::from("replaced")),
        ..values(world, step.id)
    }];
    let mut expected = vec![Json::Null; 12];
    for index in [11, 2, 0, 10, 9] {
        expected[index] = object([("at", Json::from(i64::try_from(index).unwrap()))]);
        puts.push(StepValues {
            output: Some(expected[index].clone()),
            ..values(world, items[index].id)
        });
    }
    puts.push(StepValues {
        input: Some(Json::from(1)),
        error: Some(error()),
        ..values(world, items[5].id)
    });
    world.store.put_values(&puts).await.unwrap();
    let joined = world.store.join_items(world.theirs, step.id, 1_000).await;
    assert!(!joined.unwrap());
    let before = shown(world, &run, step.id).await;
    assert_eq!(before.output, Some(Json::from("replaced")));
    let joined = world.store.join_items(world.ours, step.id, 1_000).await;
    assert!(joined.unwrap());
    let expected = StepValues {
        input: Some(Json::from("kept")),
        output: Some(Json::Array(expected)),
        ..values(world, step.id)
    };
    assert_eq!(shown(world, &run, step.id).await, expected);
    world.remove(&run).await;

    let (run, step, _) = fan_out(world, 0).await;
    let joined = world.store.join_items(world.ours, step.id, 2).await;
    assert!(joined.unwrap());
    let shown = shown(world, &run, step.id).await;
    assert_eq!(shown.output, Some(Json::Array(vec![])));
    world.remove(&run).await;
}

async fn what_is_too_large_is_not_joined<S: Store>(world: &World<'_, S>) {
    let (run, step, items) = fan_out(world, 3).await;
    // Two bytes for each letter, and a null.
    let text = Json::from("é".repeat(100));
    let puts = [0, 2].map(|index: usize| StepValues {
        output: Some(text.clone()),
        ..values(world, items[index].id)
    });
    world.store.put_values(&puts).await.unwrap();
    let outputs = Json::Array(vec![text.clone(), Json::Null, text]);
    let length = u64::try_from(outputs.to_string().len()).unwrap();
    // White space between the tokens may count or not.
    for (max_bytes, fits) in [(0, false), (length - 9, false), (length + 9, true)] {
        let joined = world.store.join_items(world.ours, step.id, max_bytes).await;
        assert_eq!(joined.unwrap(), fits, "{max_bytes} of {length} bytes");
        let output = shown(world, &run, step.id).await.output;
        assert_eq!(output, fits.then(|| outputs.clone()));
    }
    let joined = world.store.join_items(world.ours, step.id, u64::MAX).await;
    assert!(joined.unwrap());
    world.remove(&run).await;
}

async fn results_that_are_too_large_are_not_read<S: Store>(world: &World<'_, S>) {
    let steps = [pending("one"), pending("two")];
    let run = world.run(&steps).await;
    let text = Json::from("é".repeat(100));
    let puts = [0, 1].map(|index: usize| StepValues {
        input: Some(Json::from("x".repeat(10_000))),
        output: Some(text.clone()),
        ..values(world, steps[index].id)
    });
    world.store.put_values(&puts).await.unwrap();
    for (names, max_bytes, found) in [
        (&["one", "two"][..], 404, Some(2)),
        (&["one", "two"], 403, None),
        (&["two"], 202, Some(1)),
        (&["two"], 201, None),
        (&[], 0, Some(0)),
    ] {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let results = world
            .store
            .find_step_results(world.ours, run.id, &names, max_bytes);
        let results = results.await.unwrap();
        assert_eq!(results.map(|results| results.len()), found, "{max_bytes}");
    }
    world.remove(&run).await;
}

/// The lengths of the pages of a list that asks for more items than there are.
async fn lengths<S: Copy, T>(
    sort: S,
    read: impl AsyncFn(&Slice<S>) -> Result<Page<T>>,
) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut slice = Slice {
        limit: 100,
        after: None,
        sort,
        descending: false,
    };
    loop {
        let page = read(&slice).await.unwrap();
        lengths.push(page.items.len());
        if page.next.is_none() {
            return lengths;
        }
        slice.after = page.next;
    }
}

async fn pages_are_bounded<S: Store>(world: &World<'_, S>) {
    let bytes = usize::try_from(PAGE_BYTES).unwrap();
    let large = |size: usize| object([("text", Json::from("x".repeat(size)))]);
    let sizes = [bytes + 1, bytes / 4, bytes / 4, bytes - bytes / 8];
    let expected = [1, 2, 1];

    let steps = sizes.map(|size| pending(&format!("step_{size}_{}", fresh())));
    let run = world.run(&steps).await;
    let values = |(size, step): (usize, &StepRow)| StepValues {
        input: Some(large(size / 2)),
        output: Some(large(size / 2)),
        ..values(world, step.id)
    };
    let mut steps = steps.to_vec();
    steps.sort_by_key(|step| step.id);
    let puts: Vec<_> = sizes.into_iter().zip(&steps).map(values).collect();
    world.store.put_values(&puts).await.unwrap();
    let read = async |slice: &_| world.store.list_steps(world.ours, run.id, slice).await;
    assert_eq!(lengths(StepSort::CreatedAt, read).await, expected);
    world.remove(&run).await;

    let pipeline = world.pipeline().await;
    for (at, size) in (0..).zip(sizes) {
        let run = Run {
            input: large(size),
            created_at: time(at),
            ..run_of(&pipeline)
        };
        world.store.insert_run(&run, &[]).await.unwrap();
    }
    let filter = RunFilter {
        pipeline: Some(pipeline.id),
        status: None,
    };
    let read = async |slice: &_| world.store.list_runs(world.ours, filter, slice).await;
    assert_eq!(lengths(RunSort::CreatedAt, read).await, expected);
    let delete = async |id| {
        let deleted = world.store.delete_pipeline(world.ours, id).await;
        assert!(deleted.unwrap().is_some());
    };
    delete(pipeline.id).await;

    let mut pipelines = Vec::new();
    for (at, size) in (0..).zip(sizes) {
        let pipeline = Pipeline {
            definition: large(size),
            created_at: time(at),
            updated_at: time(at),
            ..pipeline_of(world.ours, &format!("p{at}"))
        };
        world.store.insert_pipeline(&pipeline).await.unwrap();
        pipelines.push(pipeline.id);
    }
    for sort in [
        PipelineSort::CreatedAt,
        PipelineSort::UpdatedAt,
        PipelineSort::Name,
    ] {
        let read = async |slice: &_| world.store.list_pipelines(world.ours, slice).await;
        assert_eq!(lengths(sort, read).await, expected, "{sort:?}");
    }
    for id in pipelines {
        delete(id).await;
    }
}
