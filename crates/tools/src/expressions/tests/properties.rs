//! What holds for every expression.

use super::*;

/// Pieces that make more interesting expressions than random characters.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        " ",
        "inputs",
        ".",
        "name",
        "limit",
        "steps",
        "extract",
        "output",
        "text",
        "item",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "'",
        "\"",
        "|",
        "map",
        "join",
        "default",
        "attribute=",
        ",",
        ":",
        "1",
        "0",
        "-1",
        "999999999999",
        "1e9",
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "**",
        "~",
        "==",
        "<",
        "in",
        "is",
        "not",
        "defined",
        "if",
        "else",
        "and",
        "or",
        "none",
        "true",
        "sort",
        "tojson",
        "slice",
        "batch",
        "replace",
        "indent",
        "round",
        "int",
        "first",
        "last",
        "for",
        "endfor",
        "raw",
        "endraw",
        "\\",
        "\n",
        "é",
    ]);
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_panics(text in prop_oneof![pieces(), pieces().prop_map(|inner| format!("{{{{ {inner} }}}}")), "\\PC{0,40}"]) {
        let template = json!(text);
        let checked = check(&template);
        let evaluated = evaluate(&template, &scope());
        if checked.is_err() {
            prop_assert!(evaluated.is_err());
        }
        if !text.contains("{{") && !text.contains("{%") {
            prop_assert_eq!(evaluated, Ok(template));
        }
    }
}
