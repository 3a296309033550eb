//! What expressions mean, what is refused, and what an expression may cost.

mod properties;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn scope() -> Value {
    json!({
        "inputs": {"artifact_id": "a-1", "store": null, "limit": 3, "big": u64::MAX, "name": "Ada", "ratio": 0.5, "flag": false},
        "steps": {
            "extract": {"output": {"text": "Hello\nworld", "pages": 2}, "status": "succeeded"},
            "split": {"output": {"chunks": [{"text": "one", "n": 1}, {"text": "two", "n": 2}]}},
            "summarize": {"output": [{"text": "a"}, {"text": "b"}]},
            "odd-name": {"output": 1},
        },
        "item": {"text": "one"},
        "index": 0,
        "run": {"id": "r-1"},
    })
}

#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "reads better in a hundred calls"
)]
fn gives(template: Value, expected: Value) {
    assert_eq!(evaluate(&template, &scope()), Ok(expected), "{template}");
}

#[track_caller]
fn fails(template: &str, detail: &str) {
    let error = evaluate(&json!(template), &scope()).unwrap_err();
    assert_eq!(error.detail, detail, "{template}");
}

#[test]
fn the_pipeline_of_the_manual_works() {
    gives(json!("{{ inputs.artifact_id }}"), json!("a-1"));
    gives(
        json!("{{ steps.extract.output.text }}"),
        json!("Hello\nworld"),
    );
    gives(
        json!("{{ steps.split.output.chunks }}"),
        json!([{"n": 1, "text": "one"}, {"n": 2, "text": "two"}]),
    );
    gives(json!("Summarize: {{ item.text }}"), json!("Summarize: one"));
    gives(json!("{{ inputs.store != false }}"), json!(true));
    gives(
        json!("{{ steps.summarize.output | map(attribute='text') | join('\n') }}"),
        json!("a\nb"),
    );
    gives(
        json!({"name": "summary.md", "n": 3, "list": ["{{ index }}", null, true]}),
        json!({"name": "summary.md", "n": 3, "list": [0, null, true]}),
    );
}

#[test]
fn one_expression_keeps_its_type() {
    gives(json!("{{ inputs.limit }}"), json!(3));
    gives(json!("{{inputs.big}}"), json!(u64::MAX));
    gives(json!("{{ inputs.ratio }}"), json!(0.5));
    gives(json!("{{ inputs.flag }}"), json!(false));
    gives(json!("{{ inputs.store }}"), json!(null));
    gives(json!("{{- inputs.limit -}}"), json!(3));
    gives(json!("{{ inputs.limit * 2 + 1 }}"), json!(7));
    gives(
        json!("{{ [inputs.limit, 'x', none, {'a': 1.5}] }}"),
        json!([3, "x", null, {"a": 1.5}]),
    );
    gives(json!("{{ '}}' }}"), json!("}}"));
    gives(json!("{{ steps['odd-name'].output }}"), json!(1));
    gives(
        json!("{{ steps.split.output.chunks[-1].text }}"),
        json!("two"),
    );
    gives(json!("{{ steps.split.output.chunks[index].n }}"), json!(1));
    gives(json!("{{ steps.split.output.chunks | length }}"), json!(2));
    gives(
        json!("{{ 'big' if inputs.limit > 2 else 'small' }}"),
        json!("big"),
    );
    gives(
        json!("{{ inputs.limit in [1, 2, 3] and not inputs.flag }}"),
        json!(true),
    );
    gives(
        json!("{{ (steps.split.output.chunks | selectattr('n', 'gt', 1) | list)[0].text }}"),
        json!("two"),
    );
    gives(
        json!("{{ steps.split.output.chunks | map(attribute='n') | sum }}"),
        json!(3),
    );
    gives(
        json!("{{ 'a,b' | split(',') | map('upper') | list }}"),
        json!(["A", "B"]),
    );
    gives(json!("{{ [3, 1, 3] | unique | sort }}"), json!([1, 3]));
    gives(
        json!("{{ steps.extract.output.text[:5] | lower }}"),
        json!("hello"),
    );
    gives(json!("{{ ' x ' | trim | replace('x', 'y') }}"), json!("y"));
    gives(
        json!("{{ ['7' | int + 1, 2.6 | round | int] }}"),
        json!([8, 3]),
    );
    gives(json!("{{ {'a': 1} | items | list }}"), json!([["a", 1]]));
}

#[test]
fn other_strings_are_text() {
    gives(json!("{{ inputs.limit }}{{ inputs.limit }}"), json!("33"));
    gives(json!(" {{ inputs.limit }}"), json!(" 3"));
    gives(json!("x{{ inputs.store }}y\n"), json!("xy\n"));
    gives(json!("{{ inputs.flag }}!"), json!("false!"));
    gives(json!("n={{ inputs.ratio }}"), json!("n=0.5"));
    gives(
        json!("{{ steps.split.output }}\n"),
        json!("{\"chunks\":[{\"n\":1,\"text\":\"one\"},{\"n\":2,\"text\":\"two\"}]}\n"),
    );
    gives(json!("<{{ '<b>' }}>"), json!("<<b>>"));
    gives(
        json!("{{ [1] | tojson }}: {{ {'q': \"it's <b>\"} | tojson }}"),
        json!("[1]: {\"q\":\"it's <b>\"}"),
    );
    gives(json!("{# note #}{{ inputs.limit }}"), json!("3"));
}

#[test]
fn strings_without_expressions_are_themselves() {
    for text in [
        "",
        "plain",
        "{ {",
        "}}",
        "{# no comment #}",
        "a { b } c",
        "100%",
    ] {
        gives(json!(text), json!(text));
    }
    gives(json!("{% raw %}{{ x }}{% endraw %}"), json!("{{ x }}"));
}

#[test]
fn missing_values_are_named() {
    fails(
        "{{ inputs.nope }}",
        "inputs.nope is not defined: inputs has no nope",
    );
    fails(
        "x {{ inputs.nope }}",
        "inputs.nope is not defined: inputs has no nope",
    );
    fails(
        "{{ inputs.store.deep }}",
        "inputs.store.deep is not defined: inputs.store is null",
    );
    fails(
        "{{ steps.extrat.output.text }}",
        "steps.extrat.output.text is not defined: steps has no extrat",
    );
    fails(
        "{{ steps.extract.output.txt.x }}",
        "steps.extract.output.txt.x is not defined: steps.extract.output has no txt",
    );
    fails(
        "{{ inputs.nope == 1 }}",
        "inputs.nope is not defined: inputs has no nope",
    );
    fails(
        "{{ not inputs.nope }}",
        "inputs.nope is not defined: inputs has no nope",
    );
    fails(
        "{{ inputs.nope | length }}",
        "inputs.nope is not defined: inputs has no nope",
    );
    fails(
        "{{ inputs.nope | upper }}",
        "inputs.nope is not defined: inputs has no nope",
    );
    fails("{{ [inputs.nope] }}", "a part of the result is not defined");
    fails("{{ steps.split.output.chunks[9] }}", "it has no value");
    fails(
        "{{ steps.summarize.output | map(attribute='nope') | join }}",
        "item 0 of what is joined is not defined",
    );
    let error = evaluate(&json!("{{ item.text }}"), &json!({"inputs": {}})).unwrap_err();
    assert_eq!(
        error.detail,
        "item.text is not defined: there is no item here"
    );
    let template = json!({"with": [{"a/b~c": "one\ntwo {{ inputs.nope }}"}]});
    let error = evaluate(&template, &scope()).unwrap_err();
    assert_eq!(
        (error.pointer.as_str(), error.line),
        ("/with/0/a~1b~0c", Some(2))
    );
}

#[test]
fn missing_values_may_be_provided_for() {
    gives(json!("{{ inputs.nope | default('x') }}"), json!("x"));
    gives(json!("{{ inputs.nope is defined }}"), json!(false));
    gives(
        json!("{{ inputs.limit is defined and inputs.limit > 1 }}"),
        json!(true),
    );
    gives(
        json!("{{ inputs.nope if inputs.nope is defined else 1 }}"),
        json!(1),
    );
    gives(json!("{{ inputs.store | default('x', true) }}"), json!("x"));
}

#[test]
fn references_are_listed_with_their_places() {
    let template = json!({
        "with": {"text": "{{ steps.extract.output.text }}", "plain": "x", "both": "{{ inputs.a }} {{ steps['b c'].output[0].x }}"},
        "if": "{{ inputs.store != false }}",
        "for": ["{{ item.text ~ index ~ run.id }}", "{{ inputs[item.key].x | default(inputs.y) }}"],
    });
    let found: Vec<String> = check(&template)
        .unwrap()
        .iter()
        .map(|found| {
            format!(
                "{} {found}{}",
                found.pointer,
                if found.optional { "?" } else { "" }
            )
        })
        .collect();
    let mut sorted = found.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            "/for/0 index",
            "/for/0 item.text",
            "/for/0 run.id",
            "/for/1 inputs.y",
            "/for/1 inputs?",
            "/for/1 item.key?",
            "/if inputs.store",
            "/with/both inputs.a",
            "/with/both steps.b c.output",
            "/with/text steps.extract.output.text",
        ]
    );
    assert_eq!(check(&template).unwrap()[0].root, Root::Item);
}

#[test]
fn mistakes_are_refused_with_their_place() {
    let refused = |template: Value| -> Vec<String> {
        let errors = check(&template).unwrap_err();
        errors
            .iter()
            .map(|error| format!("{}:{:?} {error}", error.pointer, error.line))
            .collect()
    };
    let one = |template: &str| refused(json!(template)).remove(0);
    assert_eq!(
        one("{{ foo.bar }}"),
        ":Some(1) foo is unknown, there are inputs, steps, item, index, run"
    );
    assert_eq!(
        one("\n\n{{ 1 | nope }}"),
        ":Some(3) there is no filter nope"
    );
    assert_eq!(one("{{ 1 is nope }}"), ":Some(1) there is no test nope");
    assert_eq!(one("{{ range(9) }}"), ":Some(1) there is no function range");
    assert_eq!(
        one("{{ inputs.x.upper() }}"),
        ":Some(1) methods like upper cannot be called, use a filter"
    );
    assert_eq!(
        one("{{ inputs.x()() }}"),
        ":Some(1) values cannot be called"
    );
    assert_eq!(
        one("{{ steps }}"),
        ":Some(1) steps needs the id of a step after it, as in steps.extract.output"
    );
    assert_eq!(
        one("{{ steps[inputs.x].output }}"),
        ":Some(1) steps needs the id of a step after it, as in steps.extract.output"
    );
    assert_eq!(one("{{ 1 if inputs.x }}"), ":Some(1) an if needs an else");
    assert_eq!(
        one("{% for x in inputs.x %}{{ x }}{% endfor %}"),
        ":Some(1) loops are not allowed, only expressions in {{ }}"
    );
    assert_eq!(
        one("{% set x = 1 %}{{ x }}"),
        ":Some(1) assignments are not allowed, only expressions in {{ }}"
    );
    assert_eq!(
        one("{% if true %}x{% endif %}"),
        ":Some(1) if blocks are not allowed, only expressions in {{ }}"
    );
    for statement in [
        "{% include 'a' %}",
        "{% import 'a' as b %}",
        "{% macro m() %}{% endmacro %}",
        "{% extends 'a' %}",
        "{% block b %}{% endblock %}",
        "{% set x %}1{% endset %}",
        "{% filter upper %}x{% endfilter %}",
        "{% with x = 1 %}{% endwith %}",
        "{% do range(9) %}",
        "{% call x() %}{% endcall %}",
        "{% autoescape true %}{% endautoescape %}",
    ] {
        assert!(check(&json!(statement)).is_err(), "{statement}");
        assert!(
            evaluate(&json!(statement), &scope()).is_err(),
            "{statement}"
        );
    }
    assert!(one("{{ inputs. }}").starts_with(":Some(1) "));
    assert!(one("{{ 1 +").starts_with(":Some(1) "));
    assert!(one("{{ 'x }}").starts_with(":Some(1) "));
    let all = refused(json!({"a": "{{ foo }} {{ 1 | bar }}", "b": ["{{", "{{ baz }}"]}));
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(evaluate(&json!("{{ foo }}"), &json!({"foo": 1})).is_err());
}

/// What is cheap to write and would be dear to work out.
#[test]
fn expensive_expressions_end_fast() {
    let long = "x".repeat(1 << 20);
    let numbers: Vec<u32> = (0..100_000).collect();
    let scope = json!({"inputs": {"s": long, "n": numbers, "deep": deep(100)}});
    for expression in [
        "'x' * 1000000000",
        "'x' * 99999999",
        "('x' * 9999999) ~ ('x' * 9999999)",
        "[1] * 1000000000",
        "([1] * 99999999) | length",
        "([0] * 9999999) | list | length",
        "([[0] * 999999] * 999999) | tojson",
        "inputs.s * 100",
        "inputs.s * 1000000",
        "inputs.s | replace('x', inputs.s)",
        "inputs.s | replace('', inputs.s)",
        "inputs.n | join(inputs.s)",
        "inputs.s | list | join(inputs.s)",
        "inputs.s | indent(1000000000)",
        "'a\nb' | indent(1000000000, true, true)",
        "inputs.n | batch(1000000000, 1) | list",
        "inputs.n | slice(1000000000) | list",
        "inputs.n | slice(1000000000, 1) | length",
        "[inputs.s, inputs.s, inputs.s, inputs.s, inputs.s, inputs.s, inputs.s, inputs.s, inputs.s, inputs.s, inputs.s]",
        "2 ** 99999999",
        "9 ** 9 ** 9 ** 9",
        "-9223372036854775808 // -1",
        "10 // 0",
        "10 % 0",
        "(1 / 0) | int",
        "1e308 * 10",
        "'%1000000000d' | format(1)",
        "inputs.n | groupby('x')",
        "inputs.n | zip(inputs.n, inputs.n, inputs.n, inputs.n, inputs.n) | list | length * inputs.s",
        "(inputs.s * 9) | upper | lower | title | capitalize | reverse | list | sort | join('') | length + inputs.s",
        "1.5 | round(99999999999)",
        "inputs.s | int(0, 99)",
        "inputs.s | float",
        "inputs.s[::-1] * 99",
        "[1,2,3] | map('replace', '1', inputs.s * 50) | list",
        "inputs.n | map('string') | map('replace', '1', inputs.s) | join",
        "inputs.n | sum(start=inputs.s)",
        "inputs.n | map(attribute='a.b.c.d') | list",
        "inputs.n | map(inputs.s) | list",
        "range(1000000000)",
        "inputs.s | tojson(indent=1000000000) * 20",
    ] {
        for template in [
            format!("{{{{ {expression} }}}}"),
            format!("{{{{ {expression} }}}} "),
        ] {
            let begin = Instant::now();
            let outcome = evaluate(&json!(template), &scope);
            let took = begin.elapsed();
            let small = outcome
                .as_ref()
                .is_ok_and(|value| value.to_string().len() < 30);
            assert!(small || outcome.is_err(), "{expression}");
            // Without a bound, it would be hours. This is a build without optimization on a busy machine.
            assert!(took < Duration::from_secs(10), "{expression}: {took:?}");
        }
    }
}

fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[test]
fn long_chains_and_deep_nesting_do_no_harm() {
    let repeat = |open: &str, inner: &str, close: &str, times: usize| {
        json!(format!(
            "{{{{ {}{inner}{} }}}}",
            open.repeat(times),
            close.repeat(times)
        ))
    };
    for times in [50, 180, 5_000, 100_000] {
        for template in [
            repeat("(", "1", ")", times),
            repeat("[", "1", "]", times),
            repeat("{'a':", "1", "}", times),
            repeat("", "inputs", ".a", times),
            repeat("", "inputs", "[0]", times),
            repeat("", "1", "+1", times),
            repeat("", "1", "|int", times),
            repeat("", "1", " is int", times),
            repeat("", "inputs", "[1:]", times),
            repeat("not ", "1", "", times),
            repeat("-", "1", "", times),
            repeat("1 if 1 else ", "1", "", times),
            repeat("1 ~ ", "1", "", times),
            repeat("1 ** ", "1", "", times),
            repeat("1 and ", "1", "", times),
            repeat("1 < ", "1", "", times),
            repeat("[1][", "0", "]", times),
        ] {
            let _ = check(&template);
            let _ = evaluate(&template, &scope());
        }
    }
    assert!(check(&deep_text(200)).is_err());
    assert!(evaluate(&deep_text(200), &scope()).is_err());
    assert!(evaluate(&deep_text(100), &scope()).is_ok());
}

fn deep_text(levels: usize) -> Value {
    (0..levels).fold(json!("{{ 1 }}"), |inner, _| json!([inner]))
}

#[test]
fn ordinary_amounts_of_text_fit_into_the_limits() {
    let chunks: Vec<Value> = (0..5_000)
        .map(|n| json!({"text": format!("{n} {}", "word ".repeat(150))}))
        .collect();
    let scope = json!({"steps": {"s": {"output": chunks}, "t": {"output": "y".repeat(5 << 20)}}});
    let joined = evaluate(
        &json!("{{ steps.s.output | map(attribute='text') | join('\n\n') }}"),
        &scope,
    )
    .unwrap();
    assert!(joined.as_str().unwrap().len() > 3_000_000);
    assert!(evaluate(&json!("{{ steps.s.output }}"), &scope).is_ok());
    assert!(evaluate(&json!("Text: {{ steps.t.output }}"), &scope).is_ok());
    assert!(evaluate(&json!("Text: {{ steps.s.output | tojson }}"), &scope).is_ok());
}

#[test]
fn the_size_of_all_strings_together_is_bounded() {
    let limits = Limits {
        output_bytes: 1000,
        ..Limits::default()
    };
    let expressions = Expressions::new(limits);
    let scope = json!({"inputs": {"s": "x".repeat(300)}});
    assert!(
        expressions
            .evaluate(
                &json!(["{{ inputs.s }}", "{{ inputs.s }}", "a {{ inputs.s }}"]),
                &scope
            )
            .is_ok()
    );
    let error = expressions
        .evaluate(
            &json!([
                "{{ inputs.s }}",
                "{{ inputs.s }}",
                "a {{ inputs.s }}",
                "{{ inputs.s }}"
            ]),
            &scope,
        )
        .unwrap_err();
    assert_eq!(
        (error.pointer.as_str(), error.detail.as_str()),
        ("/3", "the result is larger than 1000 bytes")
    );
}

#[test]
fn the_work_of_all_strings_together_is_bounded() {
    let scope = json!({"inputs": {"s": "x".repeat(1 << 20)}});
    let begin = Instant::now();
    for template in ["{{ ('a' * 9999999) | length }}", "{{ inputs.s | length }}"] {
        let error = evaluate(&json!(vec![template; 10_000]), &scope).unwrap_err();
        assert_eq!(error.detail, "it takes too much work");
        let mut spent = 0;
        let refused = (0..10_000).find(|_| metered(&json!(template), &scope, &mut spent).is_err());
        assert!(refused.is_some_and(|at| at > 2), "{refused:?}");
    }
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn no_value_on_the_way_is_large() {
    let template = json!("{{ ('a' * 99999999) | length }}");
    let error = evaluate(&template, &json!({})).unwrap_err();
    assert_eq!(error.detail, "it takes too much work");
}
