//! `csv.parse`: a CSV file as `{"columns": [...], "rows": [{...}]}`.

use serde_json::{Map, Value};
use thiserror::Error;

/// What a table may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most records, without the header. Default 100,000.
    pub rows: usize,
    /// Most columns. Default 1,000.
    pub columns: usize,
    /// Most bytes of names and values in the answer, where a name counts in every row. Default 32 MiB.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 100_000,
            columns: 1_000,
            output_bytes: 32 << 20,
        }
    }
}

/// How a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What separates fields. Default: guessed from the first line among `,`, `;`, tab and `|`.
    pub delimiter: Option<char>,
    /// Whether the first record names the columns. Default true; else they are `column_1`, `column_2` and so on.
    pub header: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            delimiter: None,
            header: true,
        }
    }
}

/// Why a file gave no table.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TableError {
    /// The delimiter is not one ASCII character, or is a quote or the end of a line.
    #[error("{0:?} cannot separate fields")]
    Delimiter(char),
    /// A limit was reached.
    #[error("the table has more than {limit} {unit}")]
    TooLarge {
        /// How much is allowed.
        limit: usize,
        /// In what it is counted.
        unit: &'static str,
    },
    /// A record cannot be read.
    #[error("line {0} cannot be read")]
    Line(u64),
}

/// Parses a CSV file. Values stay text. A field that a record lacks is null; a record with more fields than there are columns
/// adds columns.
///
/// # Errors
/// When the delimiter is impossible, a limit is reached or a record cannot be read.
pub fn parse(text: &str, options: &Options, limits: &Limits) -> Result<Value, TableError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text, options)?)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut table = Table {
        columns: Vec::new(),
        rows: Vec::new(),
        bytes: 0,
        limits,
    };
    let mut records = reader.records();
    if options.header
        && let Some(header) = records.next()
    {
        let header = header.map_err(|error| line_of(&error))?;
        table.widen(header.len())?;
        table.columns = column_names(&header);
    }
    for record in records {
        table.push(&record.map_err(|error| line_of(&error))?)?;
    }
    Ok(table.finish())
}

fn line_of(error: &csv::Error) -> TableError {
    TableError::Line(error.position().map_or(0, csv::Position::line))
}

fn delimiter(text: &str, options: &Options) -> Result<u8, TableError> {
    let Some(delimiter) = options.delimiter else {
        return Ok(guess_delimiter(text));
    };
    match u8::try_from(delimiter) {
        Ok(byte) if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => Ok(byte),
        _ => Err(TableError::Delimiter(delimiter)),
    }
}

struct Table<'a> {
    columns: Vec<String>,
    rows: Vec<Value>,
    bytes: usize,
    limits: &'a Limits,
}

impl Table<'_> {
    fn push(&mut self, record: &csv::StringRecord) -> Result<(), TableError> {
        if self.rows.len() >= self.limits.rows {
            return Err(self.too_large(self.limits.rows, "rows"));
        }
        self.widen(record.len())?;
        let mut row = Map::new();
        for (index, column) in self.columns.iter().enumerate() {
            let value = record.get(index);
            self.bytes += column.len() + value.map_or(4, str::len);
            if self.bytes > self.limits.output_bytes {
                return Err(self.too_large(self.limits.output_bytes, "bytes"));
            }
            row.insert(column.clone(), value.map_or(Value::Null, Value::from));
        }
        self.rows.push(Value::Object(row));
        Ok(())
    }

    fn widen(&mut self, width: usize) -> Result<(), TableError> {
        if width > self.limits.columns {
            return Err(self.too_large(self.limits.columns, "columns"));
        }
        while self.columns.len() < width {
            self.columns.push(unused(
                format!("column_{}", self.columns.len() + 1),
                &self.columns,
            ));
        }
        Ok(())
    }

    #[expect(
        clippy::unused_self,
        reason = "reads as a property of the table where it is called"
    )]
    fn too_large(&self, limit: usize, unit: &'static str) -> TableError {
        TableError::TooLarge { limit, unit }
    }

    /// Rows before a wider one get the columns that came later.
    fn finish(mut self) -> Value {
        for row in &mut self.rows {
            if let Value::Object(row) = row {
                for column in self.columns.iter().skip(row.len()) {
                    row.insert(column.clone(), Value::Null);
                }
            }
        }
        let columns = self.columns.into_iter().map(Value::String).collect();
        let answer = [
            ("columns".to_owned(), Value::Array(columns)),
            ("rows".to_owned(), Value::Array(self.rows)),
        ];
        Value::Object(answer.into_iter().collect())
    }
}

/// The names of columns: trimmed, never empty, never twice.
pub(crate) fn column_names(header: &csv::StringRecord) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    let mut seen = std::collections::HashMap::new();
    for (index, name) in header.iter().enumerate() {
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = if name.is_empty() {
            format!("column_{}", index + 1)
        } else {
            name
        };
        let times: &mut usize = seen.entry(name.clone()).or_default();
        *times += 1;
        let name = if *times > 1 {
            format!("{name}_{times}")
        } else {
            name
        };
        names.push(unused(name, &names));
    }
    names
}

/// `name`, with underscores after it while it is taken.
fn unused(mut name: String, taken: &[String]) -> String {
    while taken.contains(&name) {
        name.push('_');
    }
    name
}

/// The delimiter that the first line uses most, outside of quotes.
pub(crate) fn guess_delimiter(text: &str) -> u8 {
    const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
    let (mut counts, mut quoted) = ([0_usize; 4], false);
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => {
                if let Some(index) = CANDIDATES.iter().position(|candidate| *candidate == byte) {
                    counts[index] += 1;
                }
            }
        }
    }
    let best = (0..CANDIDATES.len())
        .rev()
        .max_by_key(|index| counts[*index]);
    best.map_or(b',', |index| CANDIDATES[index])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::samples;

    fn table(text: &str) -> Result<Value, TableError> {
        parse(text, &Options::default(), &Limits::default())
    }

    #[test]
    fn real_weather_has_four_years_of_days() {
        let answer = table(&samples::text("seattle-weather.csv")).unwrap();
        assert_eq!(
            answer["columns"],
            json!([
                "date",
                "precipitation",
                "temp_max",
                "temp_min",
                "wind",
                "weather"
            ])
        );
        assert_eq!(answer["rows"].as_array().unwrap().len(), 1461);
        assert_eq!(answer["rows"][1]["date"], "2012-01-02");
        assert_eq!(answer["rows"][1]["weather"], "rain");
    }

    #[test]
    fn quotes_and_lines_inside_fields_are_kept() {
        let answer = table("a;b\n\"x;\"\"y\"\"\nz\";2\n").unwrap();
        assert_eq!(answer["rows"], json!([{"a": "x;\"y\"\nz", "b": "2"}]));
    }

    #[test]
    fn ragged_rows_give_nulls_and_more_columns() {
        let answer = table("a,,a\n1\n1,2,3,4\n").unwrap();
        assert_eq!(
            answer["columns"],
            json!(["a", "column_2", "a_2", "column_4"])
        );
        assert_eq!(
            answer["rows"][0],
            json!({"a": "1", "column_2": null, "a_2": null, "column_4": null})
        );
        assert_eq!(answer["rows"][1]["column_4"], "4");
    }

    #[test]
    fn names_are_unique_whatever_the_header_says() {
        let header = csv::StringRecord::from(vec!["a", "a_2", "a", "column_5", ""]);
        let names = column_names(&header);
        let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }

    #[test]
    fn a_file_without_header_counts_its_columns() {
        let options = Options {
            delimiter: Some('|'),
            header: false,
        };
        let answer = parse("1|2\n3|4", &options, &Limits::default()).unwrap();
        assert_eq!(answer["rows"][1], json!({"column_1": "3", "column_2": "4"}));
    }

    #[test]
    fn limits_end_with_an_error() {
        let limits = Limits {
            rows: 2,
            columns: 3,
            output_bytes: 40,
        };
        let parse = |text: &str| {
            parse(text, &Options::default(), &limits)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(parse("a\n1\n2\n3\n"), "the table has more than 2 rows");
        assert_eq!(parse("a,b,c,d\n"), "the table has more than 3 columns");
        assert_eq!(
            parse(&format!("a\n{}\n", "x".repeat(50))),
            "the table has more than 40 bytes"
        );
    }

    #[test]
    fn a_bad_delimiter_is_refused() {
        let options = Options {
            delimiter: Some('"'),
            header: true,
        };
        assert_eq!(
            parse("a", &options, &Limits::default()),
            Err(TableError::Delimiter('"'))
        );
    }

    #[test]
    fn nothing_is_an_empty_table() {
        assert_eq!(table("").unwrap(), json!({"columns": [], "rows": []}));
    }
}
