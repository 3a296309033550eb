//! Usage between the contract and the domain.

use archesai_organizations::{DailyUsage, Day, Error, Figure, Figures, Usage};
use chrono::NaiveDate;

use crate::{Problem, generated::organizations as api};

/// The days that are asked for.
pub(super) fn asked(query: &api::GetUsageQuery) -> Result<(Option<Day>, Option<Day>), Problem> {
    let read = |name: &str, text: &Option<String>| {
        let day = text.as_deref().map(|text| {
            let fault = || {
                Problem::fault(
                    format!("/query/{name}"),
                    "must be a date such as 2026-01-31",
                )
            };
            day(text).ok_or_else(fault)
        });
        day.transpose()
    };
    Ok((read("from", &query.from)?, read("to", &query.to)?))
}

/// A full date of RFC 3339, and nothing that only resembles one.
fn day(text: &str) -> Option<Day> {
    let date: NaiveDate = text.parse().ok()?;
    let day = Day(date.to_epoch_days());
    (day.to_string() == text).then_some(day)
}

/// What is wrong is wrong with the query.
pub(super) fn problem(error: Error) -> Problem {
    match error {
        Error::Invalid { field, reason } => Problem::fault(format!("/query/{field}"), reason),
        error => error.into(),
    }
}

pub(super) fn shown(usage: Usage) -> api::Usage {
    let daily = |DailyUsage { day, figures }| api::DailyUsage {
        date: day.to_string(),
        figures: self::figures(&figures),
    };
    api::Usage {
        from: usage.from.to_string(),
        to: usage.to.to_string(),
        days: usage.days.into_iter().map(daily).collect(),
        total: figures(&usage.total),
    }
}

fn figures(figures: &Figures) -> api::UsageFigures {
    let much = |figure| figures.get(&figure).copied().unwrap_or_default();
    api::UsageFigures {
        runs_started: much(Figure::RunsStarted),
        runs_succeeded: much(Figure::RunsSucceeded),
        runs_failed: much(Figure::RunsFailed),
        runs_cancelled: much(Figure::RunsCancelled),
        steps_finished: much(Figure::StepsFinished),
        artifacts_created: much(Figure::ArtifactsCreated),
        artifacts_deleted: much(Figure::ArtifactsDeleted),
        bytes_stored: much(Figure::BytesStored),
        bytes_freed: much(Figure::BytesFreed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_taken_as_they_are_written_in_the_contract() {
        for (text, expected) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2024-02-29", 19_782),
            ("9999-12-31", 2_932_896),
        ] {
            assert_eq!(day(text), Some(Day(expected)), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026-1-5",
            "2026-02-30",
            "2025-02-29",
            "+2026-01-01",
            "12026-01-01",
            " 2026-01-01",
            "2026-01-01 ",
            "2026-01-01T00:00:00Z",
            "20260101",
            "yesterday",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
