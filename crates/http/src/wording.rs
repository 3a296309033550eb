//! What is wrong with a value, said to people who never heard of the types of a programming
//! language. The value itself is not repeated: it may be a secret.

/// What parsers say of a text that is no whole number, and what each means.
const NUMBERS: [(&str, &str); 6] = [
    ("invalid digit found in string", "must be a whole number"),
    (
        "cannot parse integer from empty string",
        "must be a whole number",
    ),
    ("number too large to fit in target type", "is too large"),
    ("number too small to fit in target type", "is too small"),
    ("invalid float literal", "must be a number"),
    (
        "provided string was not `true` or `false`",
        "must be `true` or `false`",
    ),
];

/// What parsers say of a text that is no time.
const TIMES: [&str; 5] = [
    "input is out of range",
    "input is not enough for unique date and time",
    "input contains invalid characters",
    "premature end of input",
    "trailing input",
];

const TIME: &str = "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z";
const UUID: &str = "must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057";

/// What a deserializer says is wrong, in other words.
pub(crate) fn reworded(said: &str) -> String {
    if let Some((_, words)) = NUMBERS.iter().find(|(parser, _)| *parser == said) {
        return (*words).to_owned();
    }
    if TIMES.contains(&said) {
        return TIME.to_owned();
    }
    if said.starts_with("UUID parsing failed") {
        return UUID.to_owned();
    }
    if let Some(field) = said.strip_prefix("unknown field ") {
        return field.replacen(", expected ", " is no field here; there is ", 1);
    }
    if said.starts_with("duplicate field ") {
        return "is given twice".to_owned();
    }
    let is_about_kind = ["unknown variant ", "invalid type: ", "invalid value: "];
    let is_about_kind = is_about_kind.iter().any(|start| said.starts_with(start));
    match said.rsplit_once(", expected ") {
        Some((_, expected)) if is_about_kind => format!("must be {}", kind(expected)),
        _ => said.to_owned(),
    }
}

/// A kind of values.
fn kind(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" | "a borrowed string" => "a text",
        "a sequence" => "an array",
        "a map" => "an object",
        "a formatted UUID string" => "a UUID",
        _ if expected.starts_with("struct ") => "an object",
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, de::DeserializeOwned};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::reworded;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Order {
        Name,
        CreatedAt,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        _name: Option<String>,
    }

    fn said<T: DeserializeOwned + std::fmt::Debug>(value: Value) -> String {
        reworded(&serde_json::from_value::<T>(value).unwrap_err().to_string())
    }

    fn said_of_text<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> String {
        let Err(error) = text.parse::<T>() else {
            panic!("{text} is one");
        };
        reworded(&error.to_string())
    }

    #[test]
    fn kinds_are_named_as_people_name_them_and_no_value_is_repeated() {
        let secret = json!("secret");
        for (said, expected) in [
            (
                said::<u32>(secret.clone()),
                "must be a whole number of at least 0",
            ),
            (
                said::<u32>(json!(-1)),
                "must be a whole number of at least 0",
            ),
            (said::<i64>(json!(1.5)), "must be a whole number"),
            (said::<f64>(secret.clone()), "must be a number"),
            (said::<bool>(secret.clone()), "must be `true` or `false`"),
            (said::<String>(json!(1)), "must be a text"),
            (said::<Vec<u32>>(secret.clone()), "must be an array"),
            (
                said::<BTreeMap<String, u32>>(secret.clone()),
                "must be an object",
            ),
            (said::<Body>(json!(1)), "must be an object"),
            (
                said::<Order>(secret.clone()),
                "must be `name` or `created_at`",
            ),
            (
                said::<Uuid>(secret),
                "must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057",
            ),
        ] {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn fields_that_there_are_not_are_named_with_those_there_are() {
        let said = said::<Body>(json!({ "nmae": "a" }));
        assert_eq!(said, "`nmae` is no field here; there is `_name`");
    }

    #[test]
    fn texts_that_are_no_numbers_are_told_so() {
        assert_eq!(said_of_text::<u32>("ten"), "must be a whole number");
        assert_eq!(said_of_text::<u32>(""), "must be a whole number");
        assert_eq!(said_of_text::<u8>("256"), "is too large");
        assert_eq!(said_of_text::<i8>("-129"), "is too small");
        assert_eq!(said_of_text::<f64>("ten"), "must be a number");
        assert_eq!(said_of_text::<bool>("ten"), "must be `true` or `false`");
    }

    #[test]
    fn times_are_told_how_to_be_written() {
        let said = said::<chrono::DateTime<chrono::Utc>>(json!("yesterday"));
        assert_eq!(said, super::TIME);
    }

    #[test]
    fn what_nobody_knows_is_said_as_it_is() {
        assert_eq!(reworded("too deep"), "too deep");
    }
}
