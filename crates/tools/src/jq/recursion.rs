//! Finds functions that call themselves with filters, and makes their calls count.
//!
//! A call like `f(f(g))` inside of `f` wraps its argument once more each time round, without a value being made or the stack
//! being used; but when the filter ends, what was wrapped a million times is unwrapped on the stack. So each call of such a
//! function goes through [`MARK`], and only so many are allowed.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::Part;

/// The function at the begin of each such function's body. No filter can name it.
pub(super) const MARK: &str = "nested!";

type Tree<'s> = Term<&'s str>;

/// Puts [`MARK`] where it belongs; false when nothing had to be done.
pub(super) fn mark(term: &mut Tree) -> bool {
    let mut marked = false;
    if let Term::Def(definitions, _) = term {
        for definition in definitions {
            marked |= mark_one(definition);
        }
    }
    for child in children(term) {
        marked |= mark(child);
    }
    marked
}

fn mark_one<'s>(definition: &mut Def<&'s str, Tree<'s>>) -> bool {
    let takes_filters = definition
        .args
        .iter()
        .any(|argument| !argument.starts_with('$'));
    if !takes_filters || !calls(&mut definition.body, definition.name) {
        return false;
    }
    let body = std::mem::take(&mut definition.body);
    let begin = Term::Call(MARK, Vec::new());
    definition.body = Term::BinOp(Box::new(begin), BinaryOp::Pipe(None), Box::new(body));
    true
}

fn calls(term: &mut Tree, name: &str) -> bool {
    matches!(term, Term::Call(called, _) if *called == name)
        || children(term).into_iter().any(|child| calls(child, name))
}

fn children<'t, 's>(term: &'t mut Tree<'s>) -> Vec<&'t mut Tree<'s>> {
    match term {
        Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Break(_)
        | Term::Var(_)
        | Term::Arr(None) => Vec::new(),
        Term::Str(_, parts) => parts
            .iter_mut()
            .filter_map(|part| match part {
                StrPart::Term(term) => Some(term),
                _ => None,
            })
            .collect(),
        Term::Arr(Some(inner)) | Term::Neg(inner) | Term::Label(_, inner) => vec![inner],
        Term::Obj(entries) => entries
            .iter_mut()
            .flat_map(|(key, value)| std::iter::once(key).chain(value))
            .collect(),
        Term::BinOp(left, operator, right) => {
            let mut found = vec![&mut **left, &mut **right];
            if let BinaryOp::Pipe(Some(pattern)) = operator {
                in_pattern(pattern, &mut found);
            }
            found
        }
        Term::Fold(_, source, pattern, arguments) => {
            let mut found = vec![&mut **source];
            in_pattern(pattern, &mut found);
            found.extend(arguments);
            found
        }
        Term::TryCatch(inner, otherwise) => std::iter::once(inner)
            .chain(otherwise)
            .map(|term| &mut **term)
            .collect(),
        Term::IfThenElse(cases, otherwise) => cases
            .iter_mut()
            .flat_map(|(condition, then)| [condition, then])
            .chain(otherwise.iter_mut().map(|term| &mut **term))
            .collect(),
        Term::Def(definitions, inner) => {
            let bodies = definitions
                .iter_mut()
                .map(|definition| &mut definition.body);
            bodies.chain([&mut **inner]).collect()
        }
        Term::Call(_, arguments) => arguments.iter_mut().collect(),
        Term::Path(inner, path) => {
            let parts = path.0.iter_mut().flat_map(|(part, _)| match part {
                Part::Index(index) => vec![index],
                Part::Range(start, end) => start.iter_mut().chain(end).collect(),
            });
            std::iter::once(&mut **inner).chain(parts).collect()
        }
    }
}

fn in_pattern<'t, 's>(pattern: &'t mut Pattern<&'s str>, found: &mut Vec<&'t mut Tree<'s>>) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(patterns) => {
            for pattern in patterns {
                in_pattern(pattern, found);
            }
        }
        Pattern::Obj(entries) => {
            for (key, pattern) in entries {
                found.push(key);
                in_pattern(pattern, found);
            }
        }
    }
}
