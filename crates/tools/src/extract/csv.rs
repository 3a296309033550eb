//! CSV as text: one `header: value` line per field and an empty line between records, so that a passage cut from the middle
//! still says what its values mean.

use super::writer::Writer;
use super::{ExtractError, Extracted, Format, Source, plain};
use crate::table::{column_names, guess_delimiter};

/// How many records are read between two looks at the deadline.
const STRIDE: usize = 1 << 10;

/// Reads a table whose first record names the columns.
pub(super) fn read(source: &Source) -> Result<Extracted, ExtractError> {
    let text = plain::decode(source.bytes, source.charset);
    let mut records = csv::ReaderBuilder::new()
        .delimiter(guess_delimiter(&text))
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
        .into_records()
        .map(|record| record.map_err(|error| damaged(&error)));
    let mut writer = Writer::new(source.limits.output_chars);
    let Some(header) = records.next().transpose()? else {
        return Ok(writer.finish());
    };
    check_width(header.len(), source)?;
    let mut columns = column_names(&header);
    for (number, record) in records.enumerate() {
        if number % STRIDE == 0 {
            source.go_on()?;
        }
        let record = record?;
        check_width(record.len(), source)?;
        while columns.len() < record.len() {
            columns.push(format!("column_{}", columns.len() + 1));
        }
        write_record(&mut writer, &columns, &record)?;
    }
    Ok(writer.finish())
}

fn check_width(width: usize, source: &Source) -> Result<(), ExtractError> {
    if width > source.limits.columns {
        return Err(ExtractError::too_large(
            "table",
            source.limits.columns,
            "columns",
        ));
    }
    Ok(())
}

fn write_record(
    writer: &mut Writer,
    columns: &[String],
    record: &csv::StringRecord,
) -> Result<(), ExtractError> {
    writer.paragraph();
    for (column, value) in columns.iter().zip(record) {
        if value.trim().is_empty() {
            continue;
        }
        writer.line();
        writer.push(column)?;
        writer.push(": ")?;
        writer.words(value)?;
    }
    Ok(())
}

fn damaged(error: &csv::Error) -> ExtractError {
    let detail = match error.position() {
        Some(position) => format!("line {} cannot be read", position.line()),
        None => "it cannot be read".to_owned(),
    };
    ExtractError::damaged(Format::Csv, detail)
}
