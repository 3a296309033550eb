//! The language of expressions, as the workflows context wants it.

use archesai_workflows::{
    Json, Violation,
    ports::{self, ExpressionError, Expressions, Work},
};

use crate::{convert, expressions};

/// The language of [`expressions`] under its default limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Language;

impl Expressions for Language {
    fn references(&self, template: &Json) -> Result<Vec<ports::Reference>, Vec<Violation>> {
        match expressions::check(&convert::to_value(template)) {
            Ok(found) => Ok(found.into_iter().map(reference).collect()),
            Err(mistakes) => {
                let violation = |mistake: expressions::ExpressionError| {
                    let message = message(&mistake);
                    Violation::new(mistake.pointer, message)
                };
                Err(mistakes.into_iter().map(violation).collect())
            }
        }
    }

    fn evaluate(
        &self,
        template: &Json,
        scope: &Json,
        work: &mut Work,
    ) -> Result<Json, ExpressionError> {
        let (template, scope) = (convert::to_value(template), convert::to_value(scope));
        match expressions::metered(&template, &scope, &mut work.0) {
            Ok(value) => Ok(convert::to_json(value)),
            Err(mistake) => Err(ExpressionError {
                message: message(&mistake),
                pointer: mistake.pointer,
            }),
        }
    }

    fn truthy(&self, value: &Json) -> bool {
        match value {
            Json::Null => false,
            Json::Bool(value) => *value,
            Json::Integer(value) => *value != 0,
            Json::Float(value) => *value != 0.0,
            Json::Text(text) => !text.is_empty(),
            Json::Array(items) => !items.is_empty(),
            Json::Object(members) => !members.is_empty(),
        }
    }
}

fn reference(found: expressions::Reference) -> ports::Reference {
    let mut path = vec![found.root.to_string()];
    path.extend(found.path);
    ports::Reference {
        pointer: found.pointer,
        path,
    }
}

/// What is wrong, with the line where the string has several.
fn message(mistake: &expressions::ExpressionError) -> String {
    match mistake.line {
        Some(line) if line > 1 => format!("line {line}: {}", mistake.detail),
        _ => mistake.detail.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn domain(value: serde_json::Value) -> Json {
        convert::to_json(value)
    }

    #[test]
    fn references_are_paths_with_the_place_of_their_string() {
        let template = domain(json!({"text": ["{{ steps.split.output[0] }}"], "n": 1}));
        let found = Language.references(&template).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].pointer, "/text/0");
        assert_eq!(found[0].path[..3], ["steps", "split", "output"]);
    }

    #[test]
    fn mistakes_have_their_place() {
        let template = domain(json!({"a": "{{ steps. }}", "b": "x\n{{ nobody }}"}));
        let mut violations = Language.references(&template).unwrap_err();
        violations.sort();
        assert_eq!(violations.len(), 2);
        assert_eq!(violations[0].pointer, "/a");
        assert_eq!(violations[1].pointer, "/b");
        assert!(
            violations[1].detail.starts_with("line 2: "),
            "{:?}",
            violations[1]
        );
    }

    #[test]
    fn values_keep_their_types() {
        let template = domain(json!({"n": "{{ inputs.n }}", "t": "{{ inputs.n }} times"}));
        let scope = domain(json!({"inputs": {"n": 3}}));
        let mut work = Work::default();
        let filled = Language.evaluate(&template, &scope, &mut work).unwrap();
        assert!(work.0 > 0);
        assert_eq!(filled, domain(json!({"n": 3, "t": "3 times"})));
        let error = Language
            .evaluate(&template, &domain(json!({"inputs": {}})), &mut work)
            .unwrap_err();
        assert_eq!(error.pointer, "/n");
    }

    #[test]
    fn truth_is_that_of_jinja() {
        for value in [
            json!(true),
            json!(1),
            json!(-0.5),
            json!("0"),
            json!([0]),
            json!({"a": 0}),
        ] {
            assert!(Language.truthy(&domain(value.clone())), "{value}");
        }
        for value in [
            json!(null),
            json!(false),
            json!(0),
            json!(-0.0),
            json!(""),
            json!([]),
            json!({}),
        ] {
            assert!(!Language.truthy(&domain(value.clone())), "{value}");
        }
    }
}
