//! What is wrong with a definition, and where.

use std::time::{Duration, Instant};

use archesai_workflows::{
    Json,
    definition::{MAX_BYTES, MAX_VALUES, validate},
};

use crate::support::{Paths, Scripted, echo, json};

/// What is wrong with a definition: `pointer: detail`.
fn violations(definition: &str) -> Vec<String> {
    let checked = validate(&json(definition), &Scripted::new(echo), &Paths);
    let violations = checked.err().unwrap_or_default();
    violations.iter().map(ToString::to_string).collect()
}

/// What is wrong with a definition of these steps.
fn of_steps(steps: &str) -> Vec<String> {
    violations(&format!(r#"{{"steps": [{steps}]}}"#))
}

/// What is wrong with one step with these fields besides `id` and `tool`.
fn of_step(fields: &str) -> Vec<String> {
    of_steps(&format!(r#"{{"id": "a", "tool": "do", {fields}}}"#))
}

#[test]
fn a_definition_that_uses_everything_is_valid() {
    let definition = r#"{
        "inputs": {
            "id": {"type": "string", "format": "uuid", "description": "which"},
            "count": {"type": "integer", "default": 3, "enum": [3, 4]},
            "note": {"required": false}
        },
        "steps": [
            {"id": "split", "tool": "do", "with": {"value": "{{ inputs.id }}", "mode": "a"}},
            {"id": "each", "tool": "do", "for_each": "{{ steps.split.output.parts }}", "concurrency": 8,
             "with": {"value": "{{ item.text }} {{ index }} {{ run.id }}"},
             "retry": {"max_attempts": 5, "backoff": "exponential", "initial": "1s", "max": "60s", "jitter": false},
             "timeout": "30s", "on_error": "continue"},
            {"id": "store", "tool": "do", "needs": ["each"], "if": "{{ inputs.store }}", "with": {"value": null}}
        ],
        "outputs": {"all": "{{ steps.each.output }}", "why": "{{ steps.store.error }}"}
    }"#;
    assert_eq!(violations(definition), [""; 0]);
    let definition = validate(&json(definition), &Scripted::new(echo), &Paths).unwrap();
    let needs: Vec<Vec<usize>> = definition
        .steps
        .iter()
        .map(|step| step.needs.iter().copied().collect())
        .collect();
    assert_eq!(needs, [vec![], vec![0], vec![1]]);
    assert!(!definition.inputs["store"].required);
}

#[test]
fn what_is_no_definition_is_refused() {
    assert_eq!(violations("7"), ["must be an object"]);
    assert_eq!(violations("{}"), ["`steps` is missing"]);
    assert_eq!(
        violations(r#"{"steps": {}, "more": 1}"#),
        [
            "/more: unknown field; known are inputs, steps, outputs",
            "/steps: must be an array"
        ]
    );
    assert_eq!(violations(r#"{"steps": []}"#), [""; 0]);
}

#[test]
fn every_violation_is_told() {
    let found = of_steps(
        r#"{"id": "A", "tool": "no", "with": 1, "colour": 2},
           {"tool": "do", "with": {"value": "{{ steps.x.output }}"}},
           7"#,
    );
    assert_eq!(
        found,
        [
            "/steps/0/colour: unknown field; known are id, tool, with, needs, if, for_each, concurrency, retry, timeout, on_error",
            "/steps/0/id: must be a lower-case letter and up to 62 lower-case letters, digits, `_` and `-`",
            "/steps/0/tool: there is no tool `no`",
            "/steps/0/with: must be an object",
            "/steps/1: `id` is missing",
            "/steps/1/with/value: there is no step `x`",
            "/steps/2: must be an object",
        ]
    );
}

#[test]
fn ids_are_unique() {
    let step = r#"{"id": "a", "tool": "do", "with": {"value": 1}}"#;
    assert_eq!(
        of_steps(&format!("{step},{step}")),
        ["/steps/1/id: the id `a` is that of /steps/0 as well"]
    );
}

#[test]
fn fields_of_steps_are_checked() {
    for (fields, expected) in [
        (
            r#""with": {"value": 1}, "timeout": "5""#,
            "/steps/0/timeout: must be a duration of at most 720h, such as 250ms, 1s, 2m or 1h",
        ),
        (
            r#""with": {"value": 1}, "timeout": "0s""#,
            "/steps/0/timeout: must be more than nothing",
        ),
        (
            r#""with": {"value": 1}, "on_error": "stop""#,
            "/steps/0/on_error: must be one of fail, continue, skip",
        ),
        (
            r#""with": {"value": 1}, "concurrency": 2"#,
            "/steps/0/concurrency: has no meaning without `for_each`",
        ),
        (
            r#""with": {"value": 1}, "for_each": [], "concurrency": 0"#,
            "/steps/0/concurrency: must be a whole number from 1 to 1000",
        ),
        (
            r#""with": {"value": 1}, "retry": {"max_attempts": 1.5}"#,
            "/steps/0/retry/max_attempts: must be a whole number from 1 to 100",
        ),
        (
            r#""with": {"value": 1}, "retry": {"initial": "2s", "max": "1s"}"#,
            "/steps/0/retry/max: must not be less than `initial`",
        ),
        (
            r#""with": {"value": 1}, "for_each": 3"#,
            "/steps/0/for_each: must be an expression or an array",
        ),
        (
            r#""with": {"value": 1}, "if": 3"#,
            "/steps/0/if: must be an expression, true or false",
        ),
        (
            r#""with": {"value": 1}, "needs": "b""#,
            "/steps/0/needs: must be an array",
        ),
        (
            r#""with": {"value": 1}, "needs": ["b"]"#,
            "/steps/0/needs/0: there is no step `b`",
        ),
        (
            r#""with": {"value": 1}, "needs": ["a"]"#,
            "/steps/0/needs/0: a step cannot need itself",
        ),
    ] {
        assert_eq!(of_step(fields), [expected]);
    }
}

#[test]
fn references_are_resolved() {
    for (fields, expected) in [
        (
            r#""with": {"value": "{{ inputs.x }}"}"#,
            "/steps/0/with/value: there is no input `x`",
        ),
        (
            r#""with": {"value": "{{ steps.a.output }}"}"#,
            "/steps/0/with/value: a step cannot need itself",
        ),
        (
            r#""with": {"value": "{{ steps.b.output }}"}"#,
            "/steps/0/with/value: there is no step `b`",
        ),
        (
            r#""with": {"value": "{{ steps.a.result }}"}"#,
            "/steps/0/with/value: a step has no `result`; it has output, error and status",
        ),
        (
            r#""with": {"value": "{{ steps }}"}"#,
            "/steps/0/with/value: which step is meant must be said: steps.<id>.output",
        ),
        (
            r#""with": {"value": "{{ item }}"}"#,
            "/steps/0/with/value: there is `item` only in the `with` of a step with `for_each`",
        ),
        (
            r#""for_each": [1], "if": "{{ index }}", "with": {"value": 1}"#,
            "/steps/0/if: there is `index` only in the `with` of a step with `for_each`",
        ),
        (
            r#""with": {"value": "{{ secrets.x }}"}"#,
            "/steps/0/with/value: there is no `secrets`; expressions read inputs, steps, run, item and index",
        ),
        (
            r#""with": {"value": "{{ run.colour }}"}"#,
            "/steps/0/with/value: a run has no `colour`",
        ),
        (
            r#""with": {"value": "{{ inputs.x"}"#,
            "/steps/0/with/value: `{{` is never closed",
        ),
    ] {
        assert_eq!(of_step(fields), [expected]);
    }
}

#[test]
fn a_cycle_is_named() {
    let found = of_steps(
        r#"{"id": "d", "tool": "do", "with": {"value": "{{ steps.c.output }}"}},
           {"id": "a", "tool": "do", "with": {"value": 1}, "needs": ["c"]},
           {"id": "b", "tool": "do", "with": {"value": "{{ steps.a.output }}"}},
           {"id": "c", "tool": "do", "with": {"value": 1}, "if": "{{ steps.b.output }}"}"#,
    );
    assert_eq!(
        found,
        ["/steps/1: the steps need one another: a → c → b → a"]
    );
}

#[test]
fn parameters_fit_the_tool() {
    for (with, expected) in [
        // Without references the tool's own check decides.
        (
            r#"{"value": 1, "times": "2"}"#,
            "/steps/0/with/times: must be an integer",
        ),
        ("{}", "/steps/0/with: `value` is missing"),
        // With references what is certain is checked.
        (
            r#"{"times": "{{ run.id }}"}"#,
            "/steps/0/with: `value` is missing",
        ),
        (
            r#"{"value": "{{ run.id }}", "times": "2"}"#,
            "/steps/0/with/times: must be of type integer",
        ),
        (
            r#"{"value": "{{ run.id }}", "colour": 1}"#,
            "/steps/0/with/colour: the tool does not take this",
        ),
        (
            r#"{"value": "{{ run.id }}", "mode": "c"}"#,
            r#"/steps/0/with/mode: must be one of "a", "b""#,
        ),
        (
            r#"{"value": "{{ run.id }}", "nested": {"x": 1}}"#,
            "/steps/0/with/nested/x: must be of type string or null",
        ),
        (
            r#"{"value": "{{ run.id }}", "nested": {}}"#,
            "/steps/0/with/nested: `x` is missing",
        ),
        (
            r#"{"value": "{{ run.id }}", "nested": []}"#,
            "/steps/0/with/nested: must be of type object",
        ),
        (
            r#"{"value": "{{ run.id }}", "list": [1, true]}"#,
            "/steps/0/with/list/1: must be of type number",
        ),
    ] {
        assert_eq!(of_step(&format!(r#""with": {with}"#)), [expected]);
    }
}

#[test]
fn sizes_are_bounded() {
    let steps: Vec<String> = (0..501)
        .map(|at| format!(r#"{{"id": "s{at}", "tool": "do", "with": {{"value": 1}}}}"#))
        .collect();
    assert_eq!(
        of_steps(&steps.join(",")),
        ["/steps: 501 steps are more than 500"]
    );
    let deep = (0..70).fold(Json::Null, |inner, _| Json::Array(vec![inner]));
    let checked = validate(&deep, &Scripted::new(echo), &Paths);
    assert_eq!(
        checked.unwrap_err()[0].detail,
        "nests deeper than 64 levels"
    );
}

#[test]
fn inputs_are_checked() {
    let found = violations(
        r#"{"inputs": {"a b": {}, "x": {"type": "text"}, "y": {"type": "integer", "default": "1"}, "z": 1}, "steps": []}"#,
    );
    assert_eq!(
        found,
        [
            "/inputs/a b: the name must be a letter and up to 62 letters, digits, `_` and `-`",
            "/inputs/x/type: must be one of string, integer, number, boolean, array, object, null",
            "/inputs/y/default: must be of type integer",
            "/inputs/z: must be an object",
        ]
    );
}

#[test]
fn the_input_of_a_run_is_checked() {
    let definition = r#"{"inputs": {
        "id": {"type": "string", "format": "uuid"},
        "count": {"type": "integer", "default": 3},
        "note": {"type": "string", "required": false}}, "steps": []}"#;
    let definition = validate(&json(definition), &Scripted::new(echo), &Paths).unwrap();
    let check = |input: &str| match definition.check_input(&json(input)) {
        Ok(input) => input.to_string(),
        Err(found) => found
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; "),
    };
    let id = "0190c5b4-5f2e-7c4a-8f3d-0123456789ab";
    assert_eq!(
        check(&format!(r#"{{"id": "{id}"}}"#)),
        format!(r#"{{"count":3,"id":"{id}"}}"#)
    );
    assert_eq!(
        check(r#"{"id": "7", "count": 1.5, "more": 1}"#),
        "/count: must be of type integer; /id: must be in the format uuid; /more: the pipeline has no such input"
    );
    assert_eq!(check("null"), "/id: is required");
    assert_eq!(check("[]"), "must be an object");
    assert_eq!(
        definition.scope_inputs(&json("{}")).to_string(),
        r#"{"count":null,"id":null,"note":null}"#
    );
}

#[test]
fn of_many_violations_some_are_told() {
    let fields: Vec<String> = (0..40_000).map(|at| format!(r#""f{at}": 1"#)).collect();
    let fields = fields.join(", ");
    let unknown = |inner: &str| inner.replace("FIELDS", &fields);
    for definition in [
        unknown(r#"{"steps": [], FIELDS}"#),
        unknown(r#"{"steps": [], "inputs": {FIELDS}}"#),
        unknown(r#"{"steps": [{"id": "a", "tool": "do", FIELDS}]}"#),
        unknown(
            r#"{"steps": [{"id": "a", "tool": "do", "with": {"value": "{{ item }}", FIELDS}}]}"#,
        ),
        unknown(r#"{"steps": [{"id": "a", "tool": "do", "needs": [FIELDS]}]}"#)
            .replace("\": 1", "\""),
    ] {
        let start = Instant::now();
        let found = violations(&definition);
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(found.len(), 101, "{:?}", &found[..3]);
        assert!(
            found[100].starts_with("there may be more"),
            "{}",
            found[100]
        );
    }
}

#[test]
fn a_definition_is_bounded_before_anything_else() {
    let long = "x".repeat(usize::try_from(MAX_BYTES).unwrap());
    let many = "1,".repeat(MAX_VALUES);
    let name = "n".repeat(1_025);
    for (with, detail) in [
        (
            format!(r#"{{"value": "{long}"}}"#),
            "is larger than 1048576 bytes of compact JSON",
        ),
        (
            format!(r#"{{"value": [{many}1]}}"#),
            "holds more than 50000 values",
        ),
        (
            format!(r#"{{"value": {{"{name}": "{{{{ nothing }}}}"}}}}"#),
            "names on the way to a value have more than 1024 bytes together",
        ),
    ] {
        assert_eq!(
            of_step(&format!(r#""unknown": 1, "with": {with}"#)),
            [detail]
        );
    }
}
