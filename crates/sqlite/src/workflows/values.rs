//! The documents of step runs, and the lists they fan out over.

use archesai_workflows::{Error, Json, OrganizationId, Result, StepRunId, ports::StepValues};
use diesel::{
    dsl::exists,
    prelude::*,
    select, sql_query,
    sql_types::{BigInt, Binary, Nullable, Text},
    sqlite::SqliteConnection,
};

use super::{
    columns::{Count, json_of},
    task::TaskResult,
};
use crate::{
    schema::{runs, step_items, step_runs, step_values},
    types::{Document, Id, signed},
};

/// Makes one document of those of the items that the step run `?1` of the
/// organization `?2` fanned out over, if it has at most `?3` bytes: one comma or
/// bracket for each, and a bracket more. The size is found without a look at
/// the documents.
const JOIN: &str = "INSERT INTO step_values (step_run_id, output) \
    SELECT fan_out.id, '[' || coalesce(( \
        SELECT group_concat(coalesce(v.output, 'null'), ',' ORDER BY i.item) \
        FROM step_runs AS i LEFT JOIN step_values AS v ON v.step_run_id = i.id \
        WHERE i.parent = fan_out.id), '') || ']' \
    FROM step_runs AS fan_out JOIN runs AS r ON r.id = fan_out.run_id \
    WHERE fan_out.id = ?1 AND r.organization_id = ?2 AND ?3 >= ( \
        SELECT 1 + coalesce(sum(1 + coalesce(octet_length(v.output), 4)), 1) \
        FROM step_runs AS i LEFT JOIN step_values AS v ON v.step_run_id = i.id \
        WHERE i.parent = fan_out.id) \
    ON CONFLICT (step_run_id) DO UPDATE SET output = excluded.output";

/// A step run of an organization.
macro_rules! owned {
    ($organization:expr, $step_run:expr) => {
        step_runs::table
            .inner_join(runs::table)
            .filter(step_runs::id.eq($step_run))
            .filter(runs::organization_id.eq($organization))
    };
}

/// [`StepValues`], as they are written.
pub(super) struct Prepared {
    organization: Id,
    step_run: Id,
    input: Option<String>,
    output: Option<String>,
    error: Option<String>,
}

impl TryFrom<&StepValues> for Prepared {
    type Error = Error;

    fn try_from(values: &StepValues) -> Result<Self> {
        Ok(Self {
            organization: Id(values.organization.0),
            step_run: Id(values.step_run.0),
            input: json_of(values.input.as_ref())?,
            output: json_of(values.output.as_ref())?,
            error: json_of(values.error.as_ref())?,
        })
    }
}

pub(super) fn put(connection: &mut SqliteConnection, values: Vec<Prepared>) -> QueryResult<()> {
    for values in values {
        let row = owned!(values.organization, values.step_run).select((
            step_runs::id,
            values.input.into_sql::<Nullable<Text>>(),
            values.output.into_sql::<Nullable<Text>>(),
            values.error.into_sql::<Nullable<Text>>(),
        ));
        diesel::replace_into(step_values::table)
            .values(row)
            .into_columns((
                step_values::step_run_id,
                step_values::input,
                step_values::output,
                step_values::error,
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn put_items(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    step_run: StepRunId,
    items: Vec<String>,
) -> TaskResult<()> {
    let id = Id(step_run.0);
    let step_run = owned!(Id(organization.0), id);
    diesel::delete(step_items::table)
        .filter(step_items::step_run_id.eq(id))
        .filter(exists(step_run))
        .execute(connection)?;
    if !select(exists(step_run)).get_result(connection)? {
        return Ok(());
    }
    for (item, value) in (0_i64..).zip(items) {
        diesel::insert_into(step_items::table)
            .values((
                step_items::step_run_id.eq(id),
                step_items::item.eq(item),
                step_items::value.eq(value),
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn find_item(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    step_run: StepRunId,
    index: u32,
) -> TaskResult<Option<Json>> {
    let item: Option<Document<Json>> = owned!(Id(organization.0), Id(step_run.0))
        .inner_join(step_items::table)
        .filter(step_items::item.eq(Count(index)))
        .select(step_items::value)
        .get_result(connection)
        .optional()?;
    Ok(item.map(|item| item.0))
}

/// Answers whether the document is small enough.
pub(super) fn join_items(
    connection: &mut SqliteConnection,
    organization: OrganizationId,
    step_run: StepRunId,
    max_bytes: u64,
) -> TaskResult<bool> {
    let joined = sql_query(JOIN)
        .bind::<Binary, _>(Id(step_run.0))
        .bind::<Binary, _>(Id(organization.0))
        .bind::<BigInt, _>(signed(max_bytes))
        .execute(connection)?;
    Ok(joined == 1)
}
