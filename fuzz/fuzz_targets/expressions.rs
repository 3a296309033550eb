//! Expressions: none panics or takes long, and what is found in order can be evaluated or says why not.

#![no_main]

use archesai_tools::expressions::{check, evaluate};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|template: &str| {
    let scope = json!({
        "inputs": {"a": 1, "b": [1.5, null, "x"], "c": {"d": "text"}},
        "steps": {"s": {"output": {"text": "some", "list": [{"n": 1}, {"n": 2}]}}},
        "item": {"text": "t"},
        "index": 3,
    });
    let template = Value::from(template);
    let checked = check(&template);
    match evaluate(&template, &scope) {
        Ok(_) => assert!(checked.is_ok(), "it is not in order: {checked:?}"),
        Err(error) => assert!(!error.detail.is_empty()),
    }
});
