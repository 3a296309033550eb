//! Builds what expressions may read.

use std::collections::{BTreeMap, BTreeSet};

use super::prepare::Stop;
use crate::{
    Error, Json, StepError, ToolError,
    definition::{Definition, Template},
    engine::{Machine, RunRow},
    ports::{Repository, StepResult},
};

/// The scope of some templates of a run: of inputs and steps only what they read,
/// and of what the steps came to at most `max_bytes`.
///
/// # Errors
///
/// [`Error::LeaseLost`] if the run is gone.
pub(super) async fn of_run(
    repository: &impl Repository,
    definition: &Definition,
    run: &RunRow,
    templates: &[&Template],
    max_bytes: u64,
) -> Result<BTreeMap<String, Json>, Stop> {
    let mut scope = BTreeMap::from([("run".to_owned(), about(run))]);
    let organization = run.organization_id;
    if templates.iter().any(|template| template.inputs) {
        let given = repository.find_run_input(organization, run.id).await?;
        let inputs = definition.scope_inputs(&given.ok_or(Error::NotFound)?);
        scope.insert("inputs".to_owned(), inputs);
    }
    let positions: BTreeSet<usize> = templates
        .iter()
        .flat_map(|template| template.steps.iter().copied())
        .collect();
    if !positions.is_empty() {
        let names: Vec<String> = positions
            .iter()
            .map(|&at| definition.steps[at].id.clone())
            .collect();
        let results = repository.find_step_results(organization, run.id, &names, max_bytes);
        let results = results.await?.ok_or_else(|| too_large(max_bytes))?;
        let steps = results.into_iter().map(of_step).collect();
        scope.insert("steps".to_owned(), Json::Object(steps));
    }
    Ok(scope)
}

fn too_large(max_bytes: u64) -> ToolError {
    let message = format!("the results of the steps it reads are larger than {max_bytes} bytes");
    ToolError::permanent("input_too_large", message)
}

/// The scope of a run's outputs before any step has ended.
pub(super) fn of_start(
    definition: &Definition,
    run: &RunRow,
    input: &Json,
) -> BTreeMap<String, Json> {
    BTreeMap::from([
        ("run".to_owned(), about(run)),
        ("inputs".to_owned(), definition.scope_inputs(input)),
    ])
}

fn about(run: &RunRow) -> Json {
    let version = i64::try_from(run.pipeline_version).unwrap_or(i64::MAX);
    Json::Object(BTreeMap::from([
        ("id".to_owned(), Json::from(run.id.to_string())),
        (
            "pipeline_id".to_owned(),
            Json::from(run.pipeline_id.to_string()),
        ),
        ("pipeline_version".to_owned(), Json::from(version)),
    ]))
}

/// Tells how steps have ended that are not written yet.
pub(super) fn bring_up_to_date(scope: &mut BTreeMap<String, Json>, machine: &Machine<'_>) {
    let Some(Json::Object(steps)) = scope.get_mut("steps") else {
        return;
    };
    for row in machine.steps() {
        let Some(Json::Object(step)) = steps.get_mut(&row.step) else {
            continue;
        };
        step.insert("status".to_owned(), Json::from(row.status.as_str()));
        if let Some(why) = machine.errors().get(&row.id) {
            step.insert("error".to_owned(), error(why.clone()));
        }
    }
}

fn error(error: StepError) -> Json {
    Json::Object(BTreeMap::from([
        ("code".to_owned(), Json::from(error.code)),
        ("message".to_owned(), Json::from(error.message)),
    ]))
}

fn of_step(result: StepResult) -> (String, Json) {
    let members = BTreeMap::from([
        ("output".to_owned(), result.output.unwrap_or_default()),
        (
            "error".to_owned(),
            result.error.map(error).unwrap_or_default(),
        ),
        ("status".to_owned(), Json::from(result.status.as_str())),
    ]);
    (result.step, Json::Object(members))
}
