//! Tells what a string is: plain text, one expression, or text with expressions.

use minijinja::machinery::ast::Stmt;
use minijinja::machinery::{Token, parse as parse_template, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::references::{Path, Reference};
use super::walk::{Roots, Walk};
use super::{ExpressionError, Limits};

/// What a string is.
#[derive(Debug)]
pub(super) enum Parsed<'a> {
    /// It stands for itself.
    Plain,
    /// It is exactly one expression.
    Expression {
        /// What stands between the braces.
        source: &'a str,
        /// What it reads.
        paths: Vec<Path>,
    },
    /// It is text with expressions.
    Text {
        /// What they read.
        paths: Vec<Path>,
    },
}

impl Parsed<'_> {
    /// What the expressions read.
    pub(super) fn paths(&self) -> &[Path] {
        match self {
            Self::Plain => &[],
            Self::Expression { paths, .. } | Self::Text { paths } => paths,
        }
    }

    /// What the expressions read, without the place where they stand.
    pub(super) fn references(&self) -> impl Iterator<Item = Unplaced<'_>> {
        self.paths().iter().map(Unplaced)
    }
}

/// A path whose string's place is not known yet.
pub(super) struct Unplaced<'a>(&'a Path);

impl Unplaced<'_> {
    pub(super) fn at(&self, pointer: &str) -> Option<Reference> {
        self.0.reference(pointer)
    }
}

/// The syntax of expressions: that of Jinja, except that the last line end of a text is kept.
pub(super) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .unwrap_or_default()
}

/// Parses a string and checks its expressions.
pub(super) fn parse<'a>(
    text: &'a str,
    roots: Roots,
    limits: &Limits,
) -> Result<Parsed<'a>, Vec<ExpressionError>> {
    if !text.contains("{{") && !text.contains("{%") {
        return Ok(Parsed::Plain);
    }
    check_size(text, limits).map_err(|error| vec![error])?;
    let statement = parse_template(text, "", syntax())
        .map_err(|error| vec![ExpressionError::from_engine(&error)])?;
    let Stmt::Template(template) = statement else {
        return Err(vec![ExpressionError::new("it is no template")]);
    };
    let mut walk = Walk::new(roots);
    for child in &template.children {
        walk.statement(child);
    }
    let paths = walk.finish()?;
    let whole = matches!(template.children.as_slice(), [Stmt::EmitExpr(_)]);
    Ok(match between_braces(text) {
        Some(source) if whole => Parsed::Expression { source, paths },
        _ => Parsed::Text { paths },
    })
}

/// What stands between the braces of a string that begins and ends with them.
fn between_braces(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner);
    Some(inner.strip_suffix(['-', '+']).unwrap_or(inner))
}

/// Bounds what the parser and the compiler recurse over: both use the stack in proportion to an expression's tokens.
fn check_size(text: &str, limits: &Limits) -> Result<(), ExpressionError> {
    if text.len() > limits.template_bytes {
        let detail = format!(
            "a string with expressions is longer than {} bytes",
            limits.template_bytes
        );
        return Err(ExpressionError::new(detail));
    }
    let mut tokens = 0;
    for token in tokenize(text, false, syntax()) {
        let (token, span) = token.map_err(|error| ExpressionError::from_engine(&error))?;
        match token {
            Token::TemplateData(_) | Token::VariableStart | Token::BlockStart => tokens = 0,
            _ => tokens += 1,
        }
        if tokens > limits.tokens {
            let detail = format!("an expression has more than {} parts", limits.tokens);
            return Err(ExpressionError::new(detail).on_line(span.start_line.into()));
        }
    }
    Ok(())
}
