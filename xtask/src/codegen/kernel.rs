//! `crates/<domain>/src/kernel.gen.rs` and `json.gen.rs`: what every domain needs and may not
//! share with another, the same text for each.

use super::{domain::Domain, emit, output::Output};

const KERNEL: &str = include_str!("templates/kernel.rs");
const JSON: &str = include_str!("templates/json.rs");

/// The kernel of a domain, and its JSON value if it needs one.
pub(crate) fn outputs(domain: &Domain) -> Vec<Output> {
    let header = emit::header(&format!("`{}`", Domain::source(&domain.name)));
    let file = |name: &str, text: &str| Output {
        path: format!("crates/{}/src/{name}.gen.rs", domain.name),
        text: format!("{header}{text}"),
    };
    let mut outputs = vec![file("kernel", KERNEL)];
    if domain.json {
        outputs.push(file("json", JSON));
    }
    outputs
}

#[cfg(test)]
#[path = "templates/json.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "it is written for a domain's crate; the tests call what could go wrong"
)]
mod json;

#[cfg(test)]
mod tests {
    use super::json::Json;

    fn parse(text: &str) -> Json {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn json_survives_a_round_trip() {
        let text = r#"{"a":[null,true,-1,1.5,"x\n\"\u0001"],"b":{}}"#;
        let value = parse(text);
        assert_eq!(value.to_string(), text);
        assert_eq!(serde_json::to_string(&value).unwrap(), text);
    }

    #[test]
    fn a_number_beyond_64_bits_with_a_sign_is_a_float() {
        assert_eq!(parse("9223372036854775807"), Json::Integer(i64::MAX));
        assert!(matches!(parse("9223372036854775808"), Json::Float(_)));
    }

    #[test]
    fn a_number_json_cannot_say_is_null() {
        assert_eq!(Json::Float(f64::NAN).to_string(), "null");
        assert_eq!(
            serde_json::to_string(&Json::Float(f64::INFINITY)).unwrap(),
            "null"
        );
    }

    #[test]
    fn accessors_answer_only_for_their_kind() {
        let value = parse(r#"{"n": 2, "t": "x"}"#);
        assert_eq!(value.get("n").and_then(Json::as_integer), Some(2));
        assert_eq!(value.get("n").and_then(Json::as_float), Some(2.0));
        assert_eq!(value.get("t").and_then(Json::as_text), Some("x"));
        assert_eq!(value.get("t").and_then(Json::as_integer), None);
        assert_eq!(value.get("none"), None);
        assert_eq!(Json::default(), Json::Null);
    }
}
