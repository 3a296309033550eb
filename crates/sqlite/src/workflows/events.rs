//! What happened, for the log of events.

use archesai_workflows::{Error, Recorded, Result};
use diesel::{prelude::*, sqlite::SqliteConnection};

use super::{columns::json, task::TaskResult};
use crate::{
    schema::events,
    types::{Id, Time},
};

#[derive(Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
pub(super) struct Row {
    id: Id,
    organization_id: Option<Id>,
    actor_id: Option<Id>,
    aggregate_kind: &'static str,
    aggregate_id: Id,
    kind: &'static str,
    payload: String,
    occurred_at: Time,
}

impl TryFrom<&Recorded> for Row {
    type Error = Error;

    fn try_from(recorded: &Recorded) -> Result<Self> {
        let (aggregate_kind, aggregate_id) = recorded.event.aggregate();
        Ok(Self {
            id: Id(recorded.id),
            organization_id: recorded.organization_id.map(|id| Id(id.0)),
            actor_id: recorded.actor_id.map(|id| Id(id.0)),
            aggregate_kind,
            aggregate_id: Id(aggregate_id),
            kind: recorded.event.kind(),
            payload: json(&recorded.event)?,
            occurred_at: Time(recorded.occurred_at),
        })
    }
}

pub(super) fn append(connection: &mut SqliteConnection, rows: &[Row]) -> TaskResult<()> {
    for row in rows {
        diesel::insert_into(events::table)
            .values(row)
            .execute(connection)?;
    }
    Ok(())
}
