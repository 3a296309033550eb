//! What expressions refer to.

use std::fmt;

/// What a path begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// The inputs of the run.
    Inputs,
    /// The steps of the pipeline, by their ids.
    Steps,
    /// The item of a fan-out.
    Item,
    /// The place of the item, from 0.
    Index,
    /// The run itself.
    Run,
}

impl Root {
    /// All roots.
    pub const ALL: [Self; 5] = [
        Self::Inputs,
        Self::Steps,
        Self::Item,
        Self::Index,
        Self::Run,
    ];

    /// The name in expressions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Steps => "steps",
            Self::Item => "item",
            Self::Index => "index",
            Self::Run => "run",
        }
    }

    /// The root with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|root| root.as_str() == name)
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A path that an expression reads, as far as it is written down: `inputs[item.key].x` reads from `inputs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What the path begins with.
    pub root: Root,
    /// The names after the root; of a step, the first is its id.
    pub path: Vec<String>,
    /// JSON Pointer (RFC 6901) to the string with the expression.
    pub pointer: String,
    /// Whether the expression provides for a missing value by `default` or `is defined`.
    pub optional: bool,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root)?;
        self.path.iter().try_for_each(|name| write!(f, ".{name}"))
    }
}

/// A path before its root is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) root: String,
    pub(super) names: Vec<String>,
    pub(super) optional: bool,
}

impl Path {
    /// The path as a reference from the string at `pointer`; paths of templates with other variables are none.
    pub(super) fn reference(&self, pointer: &str) -> Option<Reference> {
        Some(Reference {
            root: Root::named(&self.root)?,
            path: self.names.clone(),
            pointer: pointer.to_owned(),
            optional: self.optional,
        })
    }
}
