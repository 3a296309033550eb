//! The filters and tests that expressions may use.

/// The filters. Left out of the engine's are those for HTML, for debugging and for working on other filters' names.
const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// The tests.
const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

/// Whether there is such a filter.
pub(super) fn is_filter(name: &str) -> bool {
    FILTERS.contains(&name)
}

/// Whether there is such a test.
pub(super) fn is_test(name: &str) -> bool {
    TESTS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_to_the_engine() {
        let environment = minijinja::Environment::new();
        for name in FILTERS {
            let expression = environment
                .compile_expression_owned(format!("'{name}' is filter"))
                .unwrap();
            assert!(expression.eval(()).unwrap().is_true(), "{name}");
        }
        for name in TESTS {
            let expression = environment
                .compile_expression_owned(format!("'{name}' is test"))
                .unwrap();
            assert!(expression.eval(()).unwrap().is_true(), "{name}");
        }
    }
}
