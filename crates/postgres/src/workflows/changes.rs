//! What the engine decided about runs.

use std::collections::BTreeSet;

use archesai_workflows::{
    Result, RunId,
    engine::{Changes, RunRow, StepRow},
};
use diesel::sql_types::{Array, Integer, Json, Nullable, Text, Timestamptz, Uuid};

use super::{
    steps::{self, Row},
    values::json_of,
};
use crate::{
    sql::Sql,
    types::{Count, Id, Time, Word},
};

/// The statements that write changes. Those of different runs are written together.
pub(super) fn apply(mut changes: &[Changes]) -> Result<Vec<Sql>> {
    let mut statements = Vec::new();
    while !changes.is_empty() {
        let mut seen: BTreeSet<RunId> = BTreeSet::new();
        let again = changes.iter().position(|one| !seen.insert(one.run.id));
        let (now, later) = changes.split_at(again.unwrap_or(changes.len()));
        apply_distinct(&mut statements, now)?;
        changes = later;
    }
    Ok(statements)
}

fn apply_distinct(statements: &mut Vec<Sql>, changes: &[Changes]) -> Result<()> {
    let created = rows(changes, |one| &one.created);
    let updated = rows(changes, |one| &one.updated);
    let (steps, items): (Vec<Row>, Vec<Row>) =
        updated.into_iter().partition(|row| row.parent.is_none());
    statements.push(update_runs(changes));
    statements.extend(steps::insert(&created));
    statements.extend(steps::update(&steps));
    statements.extend(cancel_items(changes));
    // After the cancellation, which does not apply to them.
    statements.extend(steps::update(&items));
    statements.extend(put_values(changes)?);
    Ok(())
}

fn rows(changes: &[Changes], pick: impl Fn(&Changes) -> &[StepRow]) -> Vec<Row> {
    let of_one = |one: &Changes| {
        let RunRow {
            organization_id,
            id,
            ..
        } = &one.run;
        pick(one)
            .iter()
            .map(|row| Row::new(*organization_id, *id, row))
            .collect::<Vec<_>>()
    };
    changes.iter().flat_map(of_one).collect()
}

const UPDATE_RUNS: &str = "UPDATE runs AS r SET status = n.status, progress = n.progress, \
        started_at = n.started_at, completed_at = n.completed_at \
    FROM unnest($1, $2, $3, $4, $5, $6) \
        AS n (id, organization_id, status, progress, started_at, completed_at) \
    WHERE r.id = n.id AND r.organization_id = n.organization_id";

fn update_runs(changes: &[Changes]) -> Sql {
    let runs = || changes.iter().map(|changes| &changes.run);
    let started: Vec<_> = runs().map(|run| run.started_at.map(Time)).collect();
    let completed: Vec<_> = runs().map(|run| run.completed_at.map(Time)).collect();
    Sql::new(UPDATE_RUNS)
        .bind::<Array<Uuid>, Vec<Id>>(runs().map(|run| Id(run.id.0)).collect())
        .bind::<Array<Uuid>, Vec<Id>>(runs().map(|run| Id(run.organization_id.0)).collect())
        .bind::<Array<Text>, Vec<_>>(runs().map(|run| Word(run.status)).collect())
        .bind::<Array<Integer>, Vec<_>>(runs().map(|run| Count(run.progress)).collect())
        .bind::<Array<Nullable<Timestamptz>>, _>(started)
        .bind::<Array<Nullable<Timestamptz>>, _>(completed)
}

const CANCEL_ITEMS: &str = "UPDATE step_runs AS i SET status = 'cancelled', worker = NULL, \
        ready_at = NULL, completed_at = f.completed_at \
    FROM unnest($1, $2, $3) AS n (id, run_id, organization_id) \
    JOIN step_runs AS f ON f.id = n.id AND f.run_id = n.run_id \
        AND f.organization_id = n.organization_id \
    WHERE i.parent = f.id AND i.status IN ('pending', 'ready', 'running', 'waiting')";

fn cancel_items(changes: &[Changes]) -> Option<Sql> {
    let stopped = changes.iter().flat_map(|changes| {
        let run = &changes.run;
        let stopped = changes.stopped.iter();
        stopped.map(|id| (Id(id.0), Id(run.id.0), Id(run.organization_id.0)))
    });
    let (fan_outs, (runs, organizations)): (Vec<Id>, (Vec<Id>, Vec<Id>)) = stopped
        .map(|(id, run, organization)| (id, (run, organization)))
        .unzip();
    (!fan_outs.is_empty()).then(|| {
        Sql::new(CANCEL_ITEMS)
            .bind::<Array<Uuid>, _>(fan_outs)
            .bind::<Array<Uuid>, _>(runs)
            .bind::<Array<Uuid>, _>(organizations)
    })
}

const PUT_VALUES: &str = "UPDATE run_values AS v SET output = coalesce(n.output, v.output), \
        error = coalesce(n.error, v.error) \
    FROM unnest($1, $2, $3, $4) AS n (run_id, organization_id, output, error) \
    WHERE v.run_id = n.run_id AND v.organization_id = n.organization_id";

fn put_values(changes: &[Changes]) -> Result<Option<Sql>> {
    let with = || {
        let changes = changes.iter();
        changes.filter(|changes| changes.output.is_some() || changes.error.is_some())
    };
    if with().next().is_none() {
        return Ok(None);
    }
    let outputs = with().map(|changes| json_of(changes.output.as_ref()));
    let errors = with().map(|changes| json_of(changes.error.as_ref()));
    let organizations = with().map(|changes| Id(changes.run.organization_id.0));
    let sql = Sql::new(PUT_VALUES)
        .bind::<Array<Uuid>, Vec<Id>>(with().map(|changes| Id(changes.run.id.0)).collect())
        .bind::<Array<Uuid>, Vec<Id>>(organizations.collect())
        .bind::<Array<Nullable<Json>>, _>(outputs.collect::<Result<Vec<_>>>()?)
        .bind::<Array<Nullable<Json>>, _>(errors.collect::<Result<Vec<_>>>()?);
    Ok(Some(sql))
}
