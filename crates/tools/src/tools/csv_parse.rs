//! `csv.parse`: a table out of text.

use archesai_workflows::{Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    shapes,
    slots::Slots,
    table::{self, Limits, Options, TableError},
    tool::{Call, Spec, Tool, done},
    wording::counted,
};

/// Parses CSV.
pub(super) struct CsvParse(pub(super) Slots);

#[derive(Deserialize)]
struct Input {
    text: String,
    delimiter: Option<char>,
    #[serde(default = "yes")]
    header: bool,
}

const fn yes() -> bool {
    true
}

#[async_trait]
impl Tool for CsvParse {
    fn spec(&self) -> Spec {
        let input = json!({
            "text": shapes::text("The table as text."),
            "delimiter": {
                "type": "string", "minLength": 1, "maxLength": 1,
                "description": "What separates fields; by default guessed among comma, semicolon, tab and bar.",
            },
            "header": {
                "type": "boolean", "default": true,
                "description": "Whether the first line names the columns; otherwise they are column_1, column_2 and so on.",
            },
        });
        let row = json!({"type": "object", "additionalProperties": {"type": ["string", "null"]}});
        let output = json!({
            "columns": {"type": "array", "items": {"type": "string"}, "description": "The names of the columns."},
            "rows": {"type": "array", "items": row, "description": "The rows: objects of texts by column, null where a field is missing."},
        });
        Spec {
            name: "csv.parse",
            description: "Parses comma-, semicolon- or tab-separated values into rows by column.",
            input: shapes::object(input, &["text"]),
            output: shapes::object(output, &["columns", "rows"]),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let Input {
            text,
            delimiter,
            header,
        } = call.read()?;
        let options = Options { delimiter, header };
        let parse = move || table::parse(&text, &options, &Limits::default());
        let table = self.0.run(parse).await?.map_err(|error| failed(&error))?;
        let size = |member: &str| {
            table
                .get(member)
                .and_then(Value::as_array)
                .map_or(0, Vec::len)
        };
        let (rows, columns) = (
            counted(size("rows"), "row"),
            counted(size("columns"), "column"),
        );
        call.tell(&format!("parsed {rows} of {columns}"));
        done(table)
    }
}

fn failed(error: &TableError) -> ToolError {
    let code = match error {
        TableError::Delimiter(_) => "invalid_input",
        TableError::TooLarge { .. } => "table_too_large",
        TableError::Line(_) => "damaged_table",
    };
    ToolError::permanent(code, error.to_string())
}
