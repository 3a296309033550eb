//! Goes through parsed expressions: refuses what is not allowed and notes what they read.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{Call, CallArg, Expr, Filter, IfExpr, Stmt, Test};

use super::ExpressionError;
use super::names::{is_filter, is_test};
use super::references::{Path, Root};

/// Which names may begin a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Roots {
    /// Those of [`Root`].
    Pipeline,
    /// All.
    Any,
}

/// What was found so far.
pub(super) struct Walk {
    roots: Roots,
    paths: Vec<Path>,
    errors: Vec<ExpressionError>,
    /// Inside of what provides for missing values.
    optional: bool,
}

impl Walk {
    pub(super) fn new(roots: Roots) -> Self {
        Self {
            roots,
            paths: Vec::new(),
            errors: Vec::new(),
            optional: false,
        }
    }

    pub(super) fn finish(self) -> Result<Vec<Path>, Vec<ExpressionError>> {
        if self.errors.is_empty() {
            Ok(self.paths)
        } else {
            Err(self.errors)
        }
    }

    /// Only text and expressions are allowed.
    pub(super) fn statement(&mut self, statement: &Stmt) {
        let (what, span) = match statement {
            Stmt::EmitRaw(_) => return,
            Stmt::EmitExpr(emit) => return self.expression(&emit.expr),
            Stmt::Template(template) => ("blocks", template.span()),
            Stmt::ForLoop(node) => ("loops", node.span()),
            Stmt::IfCond(node) => ("if blocks", node.span()),
            Stmt::WithBlock(node) => ("with blocks", node.span()),
            Stmt::Set(node) => ("assignments", node.span()),
            Stmt::SetBlock(node) => ("assignments", node.span()),
            Stmt::AutoEscape(node) => ("autoescape blocks", node.span()),
            Stmt::FilterBlock(node) => ("filter blocks", node.span()),
            Stmt::Do(node) => ("calls", node.span()),
        };
        self.refuse(
            format!("{what} are not allowed, only expressions in {{{{ }}}}"),
            span,
        );
    }

    fn refuse(&mut self, detail: String, span: Span) {
        let error = ExpressionError::new(detail);
        self.errors.push(error.on_line(span.start_line.into()));
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Const(_) => {}
            Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => self.path(expression),
            Expr::Slice(node) => {
                self.expression(&node.expr);
                self.all([&node.start, &node.stop, &node.step].into_iter().flatten());
            }
            Expr::UnaryOp(node) => self.expression(&node.expr),
            Expr::BinOp(node) => self.all([&node.left, &node.right]),
            Expr::Compare(node) => {
                self.expression(&node.expr);
                self.all(node.ops.iter().map(|operand| &operand.expr));
            }
            Expr::IfExpr(node) => self.condition(node, expression.span()),
            Expr::Filter(node) => self.filter(node, expression.span()),
            Expr::Test(node) => self.test(node, expression.span()),
            Expr::Call(node) => self.call(node, expression.span()),
            Expr::List(node) => self.all(&node.items),
            Expr::Tuple(node) => self.all(&node.items),
            Expr::Map(node) => {
                self.all(&node.keys);
                self.all(&node.values);
            }
        }
    }

    fn all<'a, 's: 'a>(&mut self, expressions: impl IntoIterator<Item = &'a Expr<'s>>) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    fn arguments(&mut self, arguments: &[CallArg]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(value)
                | CallArg::Kwarg(_, value)
                | CallArg::PosSplat(value)
                | CallArg::KwargSplat(value) => {
                    self.expression(value);
                }
            }
        }
    }

    fn condition(&mut self, node: &IfExpr, span: Span) {
        self.all([&node.test_expr, &node.true_expr]);
        match &node.false_expr {
            Some(otherwise) => self.expression(otherwise),
            None => self.refuse("an if needs an else".to_owned(), span),
        }
    }

    fn filter(&mut self, node: &Filter, span: Span) {
        if !is_filter(node.name) {
            self.refuse(format!("there is no filter {}", node.name), span);
        }
        if let Some(subject) = &node.expr {
            self.subject(subject, matches!(node.name, "default" | "d"));
        }
        self.arguments(&node.args);
    }

    fn test(&mut self, node: &Test, span: Span) {
        if !is_test(node.name) {
            self.refuse(format!("there is no test {}", node.name), span);
        }
        self.subject(&node.expr, matches!(node.name, "defined" | "undefined"));
        self.arguments(&node.args);
    }

    /// What a filter or a test works on, which some of them allow to be missing.
    fn subject(&mut self, subject: &Expr, may_be_missing: bool) {
        let before = self.optional;
        self.optional |= may_be_missing;
        self.expression(subject);
        self.optional = before;
    }

    fn call(&mut self, node: &Call, span: Span) {
        let detail = match &node.expr {
            Expr::Var(name) => format!("there is no function {}", name.id),
            Expr::GetAttr(method) => format!(
                "methods like {} cannot be called, use a filter",
                method.name
            ),
            _ => "values cannot be called".to_owned(),
        };
        self.refuse(detail, span);
    }

    /// A chain of names, as far as it is written down; subscripts that are worked out end it.
    fn path(&mut self, expression: &Expr) {
        let (mut rest, mut names) = (expression, Vec::new());
        let root = loop {
            match rest {
                Expr::Var(variable) => break variable.id,
                Expr::GetAttr(node) => {
                    names.push(node.name.to_owned());
                    rest = &node.expr;
                }
                Expr::GetItem(node) => {
                    if let Some(name) = fixed(&node.subscript_expr) {
                        names.push(name);
                    } else {
                        self.expression(&node.subscript_expr);
                        names.clear();
                    }
                    rest = &node.expr;
                }
                other => return self.expression(other),
            }
        };
        names.reverse();
        self.note(root, names, expression.span());
    }

    fn note(&mut self, root: &str, names: Vec<String>, span: Span) {
        match (self.roots, Root::named(root)) {
            (Roots::Pipeline, None) => {
                let known = Root::ALL.map(Root::as_str).join(", ");
                self.refuse(format!("{root} is unknown, there are {known}"), span);
            }
            (Roots::Pipeline, Some(Root::Steps)) if names.is_empty() => {
                self.refuse(
                    "steps needs the id of a step after it, as in steps.extract.output".to_owned(),
                    span,
                );
            }
            _ => self.paths.push(Path {
                root: root.to_owned(),
                names,
                optional: self.optional,
            }),
        }
    }
}

/// The name in `x["name"]`.
fn fixed(subscript: &Expr) -> Option<String> {
    match subscript {
        Expr::Const(constant) => constant.value.as_str().map(str::to_owned),
        _ => None,
    }
}
