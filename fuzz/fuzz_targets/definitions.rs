//! Definitions of pipelines: none panics, and one that is valid is read the same again.

#![no_main]

use archesai_tools::{Call, Language, Spec, Tool, Toolbox, done};
use archesai_workflows::{
    Json, Outcome, ToolError,
    definition::{Definition, validate},
};
use async_trait::async_trait;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

/// A tool that takes nearly anything.
struct Anything;

#[async_trait]
impl Tool for Anything {
    fn spec(&self) -> Spec {
        Spec {
            name: "any.thing",
            description: "Does nothing.",
            input: json!({"type": "object", "properties": {"n": {"type": "integer"}}}),
            output: json!({"type": "object"}),
        }
    }

    async fn call(&self, _: Call<'_>) -> Result<Outcome, ToolError> {
        done(json!({}))
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(json) = serde_json::from_slice::<Json>(data) else {
        return;
    };
    let toolbox = Toolbox::of(vec![Box::new(Anything)]).expect("one tool");
    match validate(&json, &toolbox, &Language) {
        Ok(definition) => {
            assert_eq!(definition, Definition::load(&json, &Language));
            drop(definition.check_input(&json));
        }
        Err(violations) => {
            assert!(!violations.is_empty());
            let well_placed = |pointer: &str| pointer.is_empty() || pointer.starts_with('/');
            assert!(violations.iter().all(|one| well_placed(&one.pointer)));
        }
    }
});
