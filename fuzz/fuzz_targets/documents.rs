//! Readers of documents but PDF: no panic, none that takes long, and sections that lie in the text.

#![no_main]

use archesai_tools::{
    extract::{ExtractError, Limits, extract},
    table,
};
use libfuzzer_sys::fuzz_target;

const TYPES: [&str; 6] = [
    "",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "text/html",
    "text/markdown",
    "text/csv; charset=windows-1252",
    "text/plain",
];

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else {
        return;
    };
    if bytes.starts_with(b"%PDF") {
        return;
    }
    let media_type = TYPES[usize::from(*kind) % TYPES.len()];
    match extract(bytes, media_type, "", &Limits::default()) {
        Ok(found) => {
            let length = found.text.chars().count();
            assert!(found.sections.is_sorted_by_key(|section| section.start));
            assert!(found.sections.iter().all(|section| section.start <= length));
        }
        Err(error) => assert!(!matches!(error, ExtractError::TooSlow(_)), "{error}"),
    }
    if let Ok(text) = str::from_utf8(bytes) {
        let options = table::Options {
            delimiter: None,
            header: kind % 2 == 0,
        };
        drop(table::parse(text, &options, &table::Limits::default()));
    }
});
