//! What was measured, as a table for people and as JSON for programs.

use std::{fmt, fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// One figure.
#[derive(Debug)]
pub(super) struct Row {
    what: String,
    figure: f64,
    unit: &'static str,
    must: Option<Must>,
    /// What stands behind the figure.
    detail: String,
}

/// What a figure must reach.
#[derive(Clone, Copy, Debug)]
pub(super) enum Must {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

impl Must {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bound) => figure >= bound,
            Self::AtMost(bound) => figure <= bound,
            Self::Below(bound) => figure < bound,
        }
    }
}

impl fmt::Display for Must {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, ">= {bound}"),
            Self::AtMost(bound) => write!(f, "<= {bound}"),
            Self::Below(bound) => write!(f, "< {bound}"),
        }
    }
}

impl Row {
    /// A figure that is only reported.
    pub(super) fn new(what: impl Into<String>, figure: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            figure,
            unit,
            must: None,
            detail: String::new(),
        }
    }

    /// The same figure with what it must reach.
    pub(super) fn must(mut self, must: Must) -> Self {
        self.must = Some(must);
        self
    }

    /// The same figure with what stands behind it.
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Whether the figure reaches what it must.
    pub(super) fn is_met(&self) -> bool {
        self.must.is_none_or(|must| must.is_met(self.figure))
    }

    fn cells(&self) -> [String; 5] {
        let verdict = match (self.must, self.is_met()) {
            (None, _) => "-",
            (Some(_), true) => "ok",
            (Some(_), false) => "MISSED",
        };
        [
            self.what.clone(),
            format!("{} {}", figure(self.figure), self.unit)
                .trim_end()
                .to_owned(),
            self.must
                .map_or_else(|| "-".to_owned(), |must| must.to_string()),
            verdict.to_owned(),
            self.detail.clone(),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what,
            "figure": self.figure,
            "unit": self.unit,
            "must": self.must.map(|must| must.to_string()),
            "met": self.is_met(),
            "detail": self.detail,
        })
    }
}

/// A figure with as many digits as say something.
fn figure(figure: f64) -> String {
    let digits = match figure.abs() {
        1000.0.. => 0,
        100.0.. => 1,
        10.0.. => 2,
        _ => 3,
    };
    format!("{figure:.digits$}")
}

/// The table.
pub(super) fn table(rows: &[Row]) -> String {
    let head = ["what", "figure", "must", "verdict", ""].map(ToOwned::to_owned);
    let cells: Vec<[String; 5]> = std::iter::once(head)
        .chain(rows.iter().map(Row::cells))
        .collect();
    let width = |column: usize| {
        let widths = cells.iter().map(|cells| cells[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let (what, number, must, verdict) = (width(0), width(1), width(2), width(3));
    let line = |[a, b, c, d, e]: &[String; 5]| {
        let line = format!("{a:<what$}  {b:>number$}  {c:>must$}  {d:<verdict$}  {e}");
        line.trim_end().to_owned()
    };
    cells.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Writes the figures of one name into `folder`, with how busy the machine was before.
pub(super) fn write(folder: &Path, name: &str, rows: &[Row], load: f64) -> Result<()> {
    let path = folder.join(format!("{name}.json"));
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    let document = json!({
        "name": name,
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "load_before": load,
        "rows": rows,
    });
    let text = serde_json::to_string_pretty(&document)? + "\n";
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}

/// The one in the middle.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least and the greatest.
pub(super) fn range(figures: &[f64]) -> (f64, f64) {
    let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (least, greatest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_held_against_what_it_must_reach() {
        let row = |figure| Row::new("reads", figure, "").must(Must::AtLeast(0.6));
        assert!(row(0.6).is_met());
        assert!(!row(0.59).is_met());
        assert!(!row(f64::NAN).is_met());
        assert!(Row::new("reads", 0.1, "").is_met());
        assert!(!Row::new("start", 1.0, "s").must(Must::Below(1.0)).is_met());
        assert!(
            Row::new("logins", 1.05, "")
                .must(Must::AtMost(1.05))
                .is_met()
        );
    }

    #[test]
    fn the_table_is_aligned() {
        let rows = [
            Row::new("reads", 0.712, "x")
                .must(Must::AtLeast(0.6))
                .detail("3 rounds"),
            Row::new("memory", 1234.5, "MiB").must(Must::Below(60.0)),
        ];
        let expected = "\
what      figure    must  verdict
reads    0.712 x  >= 0.6  ok       3 rounds
memory  1234 MiB    < 60  MISSED";
        assert_eq!(table(&rows), expected);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
        assert_eq!(range(&[3.0, 1.0, 2.0]), (1.0, 3.0));
    }
}
