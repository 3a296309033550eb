//! The tools that steps may call, behind the port of the workflows context.

use std::{collections::BTreeMap, fmt};

use archesai_workflows::{Actor, Invocation, Json, Outcome, ToolError, ToolSpec, Violation, ports};
use thiserror::Error;

use crate::{
    capabilities::Parts,
    convert,
    schema::{Schema, SchemaError},
    tool::{Call, Tool},
    tools,
};

/// A tool that cannot be in a toolbox.
#[derive(Debug, Error)]
pub enum UnfitTool {
    /// Its input schema is none.
    #[error("the tool {name} cannot be checked: {source}")]
    Schema {
        /// The tool.
        name: &'static str,
        /// What is wrong with its schema.
        source: SchemaError,
    },
    /// There is another of its name.
    #[error("there are two tools of the name {0}")]
    Twice(&'static str),
}

/// The tools that steps may call.
pub struct Toolbox {
    specs: Vec<ToolSpec>,
    entries: BTreeMap<&'static str, Entry>,
}

struct Entry {
    schema: Schema,
    tool: Box<dyn Tool>,
}

impl fmt::Debug for Toolbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.entries.keys()).finish()
    }
}

impl Toolbox {
    /// A toolbox with every tool of this crate.
    ///
    /// # Errors
    ///
    /// [`UnfitTool`], which is a defect.
    pub fn new(parts: &Parts) -> Result<Self, UnfitTool> {
        Self::of(tools::all(parts))
    }

    /// A toolbox with these tools.
    ///
    /// # Errors
    ///
    /// [`UnfitTool`] for the first that cannot be in it.
    pub fn of(tools: Vec<Box<dyn Tool>>) -> Result<Self, UnfitTool> {
        let (mut specs, mut entries) = (Vec::with_capacity(tools.len()), BTreeMap::new());
        for tool in tools {
            let spec = tool.spec();
            let name = spec.name;
            let schema = Schema::compile(&spec.input);
            let schema = schema.map_err(|source| UnfitTool::Schema { name, source })?;
            if entries.insert(name, Entry { schema, tool }).is_some() {
                return Err(UnfitTool::Twice(name));
            }
            specs.push(ToolSpec {
                name: name.to_owned(),
                description: spec.description.to_owned(),
                input_schema: convert::to_json(spec.input),
                output_schema: convert::to_json(spec.output),
            });
        }
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { specs, entries })
    }
}

impl ports::Toolbox for Toolbox {
    fn specs(&self) -> &[ToolSpec] {
        &self.specs
    }

    fn check(&self, tool: &str, input: &Json) -> Vec<Violation> {
        let Some(entry) = self.entries.get(tool) else {
            return vec![Violation::new("", unknown(tool))];
        };
        let found = entry.schema.check(&convert::to_value(input));
        let found = found.err().unwrap_or_default().into_iter();
        found
            .map(|one| Violation::new(one.pointer, one.detail))
            .collect()
    }

    async fn call(&self, invocation: Invocation<'_>) -> Result<Outcome, ToolError> {
        let Some(entry) = self.entries.get(invocation.tool) else {
            return Err(ToolError::permanent(
                "unknown_tool",
                unknown(invocation.tool),
            ));
        };
        let call = Call {
            input: convert::to_value(invocation.input),
            actor: Actor {
                organization_id: invocation.organization_id,
                user_id: invocation.user_id,
            },
            run_id: invocation.run_id,
            step_run_id: invocation.step_run_id,
            sleeps: invocation.sleeps,
            log: invocation.log,
            cancellation: invocation.cancellation,
        };
        tokio::select! {
            biased;
            () = invocation.cancellation.cancelled() => {
                Err(ToolError::permanent("cancelled", "it was told to stop"))
            }
            outcome = entry.tool.call(call) => outcome,
        }
    }
}

fn unknown(tool: &str) -> String {
    format!("there is no tool `{}`", tool.escape_debug())
}
