//! `template.render`: text with `{{ }}` in which any variable may stand.

use serde_json::Value;

use crate::expressions::{self, ExpressionError};

/// Renders a template with the entries of `variables`, an object. Null becomes nothing, text is put in as it is, everything
/// else as JSON. Only expressions are allowed, no loops; `map` and `join` do what loops are mostly used for.
///
/// # Errors
/// When the template has a mistake, a variable is missing, or a limit of [`expressions::Limits`] is reached.
pub fn render(template: &str, variables: &Value) -> Result<String, ExpressionError> {
    expressions::render(template, variables)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_of_any_name_are_put_in() {
        let variables =
            json!({"name": "Ada", "lines": [{"t": "x"}, {"t": "y"}], "n": 3, "nothing": null});
        let text = render(
            "Dear {{ name }}{{ nothing }},\n{{ lines | map(attribute='t') | join(', ') }} {{ n * 2 }} {{ lines }}\n",
            &variables,
        );
        assert_eq!(
            text.unwrap(),
            "Dear Ada,\nx, y 6 [{\"t\":\"x\"},{\"t\":\"y\"}]\n"
        );
    }

    #[test]
    fn one_expression_is_text_too() {
        assert_eq!(render("{{ n }}", &json!({"n": 3})).unwrap(), "3");
        assert_eq!(render("plain", &json!({})).unwrap(), "plain");
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = render("a\n{{ user.mail }}", &json!({"user": {}})).unwrap_err();
        assert_eq!(error.detail, "user.mail is not defined: user has no mail");
        assert_eq!(error.line, Some(2));
    }

    #[test]
    fn loops_are_refused() {
        let error = render("{% for x in y %}{{ x }}{% endfor %}", &json!({"y": [1]})).unwrap_err();
        assert_eq!(
            error.detail,
            "loops are not allowed, only expressions in {{ }}"
        );
    }
}
