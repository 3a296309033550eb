//! `template.render`: text with variables put in.

use archesai_workflows::{Outcome, ToolError};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    shapes,
    slots::Slots,
    template,
    tool::{Call, Spec, Tool, done},
};

/// Renders a template.
pub(super) struct TemplateRender(pub(super) Slots);

#[derive(Deserialize)]
struct Input {
    template: String,
    variables: Value,
}

#[async_trait]
impl Tool for TemplateRender {
    fn spec(&self) -> Spec {
        let template = shapes::text(
            "Text with {{ }} around the names of variables. In a definition, {{ }} is filled in before the tool is called, so a \
             template comes from an input, an artifact or another step.",
        );
        let input = json!({
            "template": template,
            "variables": {"type": "object", "description": "The variables by name."},
        });
        let output = json!({"text": shapes::text("The template with the variables put in.")});
        Spec {
            name: "template.render",
            description: "Renders a text template with variables of any name.",
            input: shapes::object(input, &["template", "variables"]),
            output: shapes::object(output, &["text"]),
        }
    }

    async fn call(&self, mut call: Call<'_>) -> Result<Outcome, ToolError> {
        let Input {
            template,
            variables,
        } = call.read()?;
        let render = move || template::render(&template, &variables);
        let rendered = self.0.run(render).await?;
        let text = rendered.map_err(|error| {
            let line = error
                .line
                .map_or_else(String::new, |line| format!("line {line}: "));
            ToolError::permanent("template_failed", format!("{line}{}", error.detail))
        })?;
        done(json!({"text": text}))
    }
}
