//! What names, labels, media types and metadata must be like.

use crate::{ArtifactFilter, Error, Json, Result, SearchFilter};

/// The most labels an artifact may have.
const MAX_LABELS: usize = 32;

/// The longest metadata as compact JSON, in bytes.
const MAX_METADATA: usize = 64 * 1024;

/// The deepest nesting of arrays and objects in metadata.
const MAX_DEPTH: usize = 16;

/// Checks what an artifact is called. Slashes are fine: a name is no path.
pub(crate) fn check_name(name: &str) -> Result<String> {
    let name = name.trim();
    if !has_length(name, 255) || name.contains(char::is_control) {
        return Err(Error::Invalid {
            field: "name",
            reason: "must have 1 to 255 characters, no control characters among them",
        });
    }
    Ok(name.to_owned())
}

/// Checks what a label is called.
pub(crate) fn check_label(field: &'static str, name: &str) -> Result<String> {
    let name = name.trim();
    if !has_length(name, 64) || name.contains(char::is_control) {
        return Err(Error::Invalid {
            field,
            reason: "must have 1 to 64 characters, no control characters among them",
        });
    }
    Ok(name.to_owned())
}

/// Checks the labels of an artifact, sorts them and drops repetitions.
pub(crate) fn check_labels(names: &[String]) -> Result<Vec<String>> {
    let mut labels = names
        .iter()
        .map(|name| check_label("labels", name))
        .collect::<Result<Vec<_>>>()?;
    labels.sort_unstable();
    labels.dedup();
    if labels.len() > MAX_LABELS {
        return Err(Error::Invalid {
            field: "labels",
            reason: "must be 32 at most",
        });
    }
    Ok(labels)
}

/// Checks a media type (RFC 9110, section 8.3.1), and writes type and subtype in lower case.
pub(crate) fn check_media_type(text: &str) -> Result<String> {
    let text = text.trim();
    let (essence, parameters) = text.split_at(text.find(';').unwrap_or(text.len()));
    let valid = text.len() <= 255
        && essence
            .trim_end()
            .split_once('/')
            .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
        && parameters.bytes().all(|b| matches!(b, b' '..=b'~'));
    if !valid {
        return Err(Error::Invalid {
            field: "media_type",
            reason: "must be a type and a subtype, such as text/plain",
        });
    }
    Ok(essence.trim_end().to_ascii_lowercase() + parameters)
}

/// Checks metadata: an object, neither too long nor too deep. `null` stands for an empty one.
pub(crate) fn check_metadata(metadata: Json) -> Result<Json> {
    let metadata = match metadata {
        Json::Null => Json::Object(std::collections::BTreeMap::new()),
        object @ Json::Object(_) => object,
        _ => return invalid_metadata("must be an object"),
    };
    if depth(&metadata) > MAX_DEPTH {
        return invalid_metadata("must be nested 16 deep at most");
    }
    if metadata.to_string().len() > MAX_METADATA {
        return invalid_metadata("must have 65536 bytes at most");
    }
    if !is_storable(&metadata) {
        return invalid_metadata("must not have a null character in a text");
    }
    Ok(canonical(metadata))
}

/// Checks which artifacts somebody wants listed.
pub(crate) fn check_artifact_filter(mut filter: ArtifactFilter) -> Result<ArtifactFilter> {
    filter.labels = check_labels(&filter.labels)?;
    filter.media_type = filter.media_type.as_deref().map(essence).transpose()?;
    if !filter.metadata.is_null() {
        filter.metadata = check_metadata(filter.metadata)?;
    }
    if let Some(name) = &filter.name {
        check_name(name)?;
    }
    Ok(filter)
}

/// Checks where somebody wants to search.
pub(crate) fn check_search_filter(mut filter: SearchFilter) -> Result<SearchFilter> {
    filter.labels = check_labels(&filter.labels)?;
    filter.media_type = filter.media_type.as_deref().map(essence).transpose()?;
    if !filter.metadata.is_null() {
        filter.metadata = check_metadata(filter.metadata)?;
    }
    if filter
        .artifact_ids
        .as_ref()
        .is_some_and(|ids| ids.len() > 1000)
    {
        return Err(Error::Invalid {
            field: "artifact_ids",
            reason: "must be 1000 at most",
        });
    }
    Ok(filter)
}

/// Type and subtype of a media type, without its parameters.
fn essence(text: &str) -> Result<String> {
    let checked = check_media_type(text)?;
    let end = checked.find(';').unwrap_or(checked.len());
    Ok(checked[..end].to_owned())
}

fn invalid_metadata(reason: &'static str) -> Result<Json> {
    Err(Error::Invalid {
        field: "metadata",
        reason,
    })
}

fn has_length(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.chars().take(max + 1).count())
}

/// Whether a text is a token (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// How deep arrays and objects are nested. Goes no deeper than needed to tell
/// too deep from deep enough, so that it cannot overflow the stack.
fn depth(json: &Json) -> usize {
    fn below(json: &Json, budget: usize) -> usize {
        if budget == 0 {
            return 0;
        }
        match json {
            Json::Array(items) => 1 + deepest(items.iter(), budget),
            Json::Object(members) => 1 + deepest(members.values(), budget),
            _ => 0,
        }
    }
    fn deepest<'a>(items: impl Iterator<Item = &'a Json>, budget: usize) -> usize {
        items.map(|item| below(item, budget - 1)).max().unwrap_or(0)
    }
    below(json, MAX_DEPTH + 1)
}

/// Writes numbers without a fraction as integers, for `1.0` and `1` are the same
/// number and a filter must not tell them apart.
fn canonical(json: Json) -> Json {
    match json {
        Json::Float(number) => as_integer(number).map_or(json, Json::Integer),
        Json::Array(items) => Json::Array(items.into_iter().map(canonical).collect()),
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, canonical(value)))
                .collect(),
        ),
        json => json,
    }
}

/// The integer that a number is, up to 2⁵³: beyond, doubles leave integers out.
fn as_integer(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = number.trunc();
    if number.is_finite() && number.abs() <= EXACT && (number - whole).abs() == 0.0 {
        format!("{whole:.0}").parse().ok()
    } else {
        None
    }
}

/// Whether no text has a null character, which Postgres cannot keep.
fn is_storable(json: &Json) -> bool {
    match json {
        Json::Text(text) => !text.contains('\0'),
        Json::Array(items) => items.iter().all(is_storable),
        Json::Object(members) => members
            .iter()
            .all(|(name, value)| !name.contains('\0') && is_storable(value)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn nested(levels: usize) -> Json {
        let mut json = Json::Object(BTreeMap::new());
        for _ in 1..levels {
            json = Json::Object(BTreeMap::from([("a".to_owned(), json)]));
        }
        json
    }

    #[test]
    fn metadata_is_an_object_of_limited_depth_and_length() {
        assert_eq!(check_metadata(Json::Null).expect("empty"), nested(1));
        assert!(check_metadata(nested(16)).is_ok());
        assert!(check_metadata(nested(17)).is_err());
        assert!(check_metadata(nested(500)).is_err());
        assert!(check_metadata(Json::Bool(true)).is_err());
        let long = Json::Text("a".repeat(MAX_METADATA));
        let long = Json::Object(BTreeMap::from([("a".to_owned(), long)]));
        assert!(check_metadata(long).is_err());
        let null = Json::Object(BTreeMap::from([("a".to_owned(), Json::from("\0"))]));
        assert!(check_metadata(null).is_err());
    }

    #[test]
    fn equal_numbers_are_written_the_same() {
        let of = |number| Json::Object(BTreeMap::from([("n".to_owned(), number)]));
        for (given, kept) in [
            (Json::Float(1.0), Json::Integer(1)),
            (Json::Float(-0.0), Json::Integer(0)),
            (Json::Float(1.5), Json::Float(1.5)),
            (Json::Float(1e300), Json::Float(1e300)),
            (
                Json::Array(vec![Json::Float(2.0)]),
                Json::Array(vec![Json::Integer(2)]),
            ),
        ] {
            assert_eq!(check_metadata(of(given)).expect("fine"), of(kept));
        }
    }

    #[test]
    fn names_are_trimmed_and_bounded_in_characters() {
        assert_eq!(check_name(" a/b.txt ").expect("fine"), "a/b.txt");
        assert!(check_name(&"ä".repeat(255)).is_ok());
        for name in ["", "  ", "a\nb", &"ä".repeat(256)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn labels_are_sorted_without_repetition() {
        let labels = ["b", " a", "b "].map(str::to_owned);
        assert_eq!(check_labels(&labels).expect("fine"), ["a", "b"]);
        let many: Vec<_> = (0..33).map(|n| n.to_string()).collect();
        assert!(check_labels(&many).is_err());
        assert!(check_labels(&["a".repeat(65)]).is_err());
    }

    #[test]
    fn media_types_have_two_tokens() {
        let given = check_media_type("Text/HTML; charset=UTF-8").expect("fine");
        assert_eq!(given, "text/html; charset=UTF-8");
        assert_eq!(essence(&given).expect("fine"), "text/html");
        for bad in [
            "",
            "text",
            "text/",
            "/plain",
            "te xt/plain",
            "a/b/c",
            "a/b;\r\nx: y",
            "a/ä",
        ] {
            assert!(check_media_type(bad).is_err(), "{bad:?}");
        }
    }
}
