//! The documents of step runs, and the lists they fan out over.

use std::collections::BTreeMap;

use archesai_workflows::{Error, Json, OrganizationId, Result, StepRunId, ports::StepValues};
use diesel::{
    prelude::*,
    sql_types::{Array, BigInt, Json as SqlJson, Nullable, Uuid},
};
use diesel_async::RunQueryDsl;
use serde::Serialize;

use super::TaskResult;
use crate::{
    errand::Link,
    schema::step_items,
    sql::Sql,
    types::{Count, Document, Id, JsonText},
};

/// A document as it is kept, if there is one.
pub(super) fn json_of(document: Option<&impl Serialize>) -> Result<Option<JsonText>> {
    let json = document.map(JsonText::of).transpose();
    json.map_err(Error::unavailable)
}

const PUT: &str = "INSERT INTO step_values (step_run_id, organization_id, input, output, error) \
    SELECT s.id, s.organization_id, n.input, n.output, n.error \
    FROM unnest($1, $2, $3, $4, $5) AS n (organization_id, step_run_id, input, output, error) \
    JOIN step_runs AS s ON s.id = n.step_run_id AND s.organization_id = n.organization_id \
    ON CONFLICT (step_run_id) DO UPDATE \
        SET input = excluded.input, output = excluded.output, error = excluded.error";

/// The statement that writes documents; of several for one step run the last.
pub(super) fn put(values: &[StepValues]) -> Result<Sql> {
    let last: BTreeMap<_, _> = values.iter().map(|value| (value.step_run, value)).collect();
    let values: Vec<&StepValues> = last.into_values().collect();
    let organizations = values.iter().map(|value| Id(value.organization.0));
    let step_runs = values.iter().map(|value| Id(value.step_run.0));
    let inputs = values.iter().map(|value| json_of(value.input.as_ref()));
    let outputs = values.iter().map(|value| json_of(value.output.as_ref()));
    let errors = values.iter().map(|value| json_of(value.error.as_ref()));
    Ok(Sql::new(PUT)
        .bind::<Array<Uuid>, Vec<Id>>(organizations.collect())
        .bind::<Array<Uuid>, Vec<Id>>(step_runs.collect())
        .bind::<Array<Nullable<SqlJson>>, _>(inputs.collect::<Result<Vec<_>>>()?)
        .bind::<Array<Nullable<SqlJson>>, _>(outputs.collect::<Result<Vec<_>>>()?)
        .bind::<Array<Nullable<SqlJson>>, _>(errors.collect::<Result<Vec<_>>>()?))
}

const CLEAR_ITEMS: &str = "DELETE FROM step_items WHERE step_run_id = $1 AND organization_id = $2";

const PUT_ITEMS: &str = "INSERT INTO step_items (step_run_id, item, organization_id, value) \
    SELECT s.id, n.place - 1, s.organization_id, n.value \
    FROM step_runs AS s, unnest($3) WITH ORDINALITY AS n (value, place) \
    WHERE s.id = $1 AND s.organization_id = $2";

/// The statements that write a list in place of another.
pub(super) fn put_items(
    organization: OrganizationId,
    step_run: StepRunId,
    items: &[Json],
) -> Result<Vec<Sql>> {
    let items: serde_json::Result<Vec<_>> = items.iter().map(JsonText::of).collect();
    let of = |sql: &str| {
        Sql::new(sql)
            .bind::<Uuid, _>(Id(step_run.0))
            .bind::<Uuid, _>(Id(organization.0))
    };
    let put = of(PUT_ITEMS).bind::<Array<SqlJson>, _>(items.map_err(Error::unavailable)?);
    Ok(vec![of(CLEAR_ITEMS), put])
}

pub(super) async fn find_item(
    mut link: Link<'_>,
    organization: OrganizationId,
    step_run: StepRunId,
    index: u32,
) -> TaskResult<Option<Json>> {
    let item: Option<Document<Json>> = step_items::table
        .find((Id(step_run.0), Count(index)))
        .filter(step_items::organization_id.eq(Id(organization.0)))
        .select(step_items::value)
        .get_result(&mut link)
        .await
        .optional()?;
    Ok(item.map(|item| item.0))
}

/// Makes one document of those of the items that the step run `$1` of the organization `$2` fanned
/// out over, if it has at most `$3` bytes: one comma or bracket for each, and a bracket more. The
/// document is put together only once that is known.
const JOIN: &str = "INSERT INTO step_values (step_run_id, organization_id, output) \
    SELECT fan_out.id, fan_out.organization_id, ('[' || coalesce(( \
        SELECT string_agg(coalesce(v.output::text, 'null'), ',' ORDER BY i.item) \
        FROM step_runs AS i LEFT JOIN step_values AS v ON v.step_run_id = i.id \
        WHERE i.parent = fan_out.id), '') || ']')::json \
    FROM step_runs AS fan_out \
    WHERE fan_out.id = $1 AND fan_out.organization_id = $2 AND $3 >= ( \
        SELECT 1 + coalesce(sum(1 + coalesce(octet_length(v.output::text), 4)), 1) \
        FROM step_runs AS i LEFT JOIN step_values AS v ON v.step_run_id = i.id \
        WHERE i.parent = fan_out.id) \
    ON CONFLICT (step_run_id) DO UPDATE SET output = excluded.output";

/// Answers whether the document is small enough.
pub(super) async fn join_items(
    mut link: Link<'_>,
    organization: OrganizationId,
    step_run: StepRunId,
    max_bytes: u64,
) -> TaskResult<bool> {
    let joined = Sql::new(JOIN)
        .bind::<Uuid, _>(Id(step_run.0))
        .bind::<Uuid, _>(Id(organization.0))
        .bind::<BigInt, _>(i64::try_from(max_bytes).unwrap_or(i64::MAX))
        .execute(&mut link)
        .await?;
    Ok(joined == 1)
}
