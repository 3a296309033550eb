//! What holds for every tool.

use archesai_tools::{Spec, Tool, Toolbox, UnfitTool, convert::to_value, schema::Schema};
use archesai_workflows::{Json, Outcome, ToolError, ToolSpec, ports::Toolbox as _};
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::bench::{ACTOR, Bench, Cancelled};

#[test]
fn the_tools_of_the_main_job_are_there_and_all_are_in_order() {
    let bench = Bench::default();
    let specs = bench.toolbox.specs();
    let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
    assert!(names.is_sorted(), "{names:?}");
    for name in [
        "artifact.read",
        "artifact.search",
        "artifact.write",
        "csv.parse",
        "embedding.create",
        "http.request",
        "json.transform",
        "llm.complete",
        "template.render",
        "text.extract",
        "text.split",
        "time.sleep",
    ] {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn schemas_are_closed_and_describe_every_property() {
    for ToolSpec {
        name,
        description,
        input_schema,
        output_schema,
    } in Bench::default().toolbox.specs()
    {
        assert!(description.ends_with('.'), "{name}");
        for schema in [input_schema, output_schema] {
            let schema = to_value(schema);
            assert_eq!(schema["additionalProperties"], json!(false), "{name}");
            assert_eq!(
                schema["$schema"],
                "https://json-schema.org/draft/2020-12/schema"
            );
            for (property, says) in schema["properties"].as_object().unwrap() {
                assert!(says["description"].is_string(), "{name}: {property}");
            }
            Schema::compile(&schema).unwrap();
        }
    }
}

#[test]
fn what_does_not_fit_is_told_at_its_place() {
    let bench = Bench::default();
    let places = |tool: &str, input: Value| {
        let found = bench.check(tool, input).into_iter();
        found.map(|violation| violation.pointer).collect::<Vec<_>>()
    };
    assert_eq!(places("text.split", json!({})), ["/text"]);
    assert_eq!(places("text.split", json!({"text": 1})), ["/text"]);
    assert_eq!(
        places("text.split", json!({"text": "a", "max_chars": 10})),
        ["/max_chars"]
    );
    assert_eq!(
        places("text.extract", json!({"artifact_id": "7"})),
        ["/artifact_id"]
    );
    assert_eq!(places("llm.complete", json!({})), ["/prompt"]);
    assert_eq!(
        places("embedding.create", json!({"texts": ["a", 1]})),
        ["/texts/1"]
    );
    assert_eq!(
        places("embedding.create", json!({"texts": [{"txt": "a"}]})),
        ["/texts/0/text"]
    );
    assert_eq!(
        places("artifact.search", json!({"query": "a", "filter": {"x": 1}})),
        ["/filter"]
    );
    assert_eq!(places("time.sleep", json!({"seconds": -1})), ["/seconds"]);
    assert_eq!(
        places(
            "http.request",
            json!({"url": "http://a", "method": "TRACE"})
        ),
        ["/method"]
    );
    assert_eq!(places("text.split", json!({"text": "a", "size": 1})), [""]);
}

#[tokio::test]
async fn an_unknown_tool_is_none() {
    let bench = Bench::default();
    let found = bench.check("text.spilt", json!({}));
    assert_eq!(found[0].detail, "there is no tool `text.spilt`");
    assert_eq!(found[0].pointer, "");
}

#[tokio::test]
async fn a_tool_that_is_told_to_stop_stops() {
    let bench = Bench::default();
    let input = json!({"input": null, "filter": "[range(1e9)] | length"});
    let outcome = bench
        .attempt("json.transform", input, ACTOR, 0, &Cancelled(true))
        .await;
    assert_eq!(outcome.unwrap_err().code, "cancelled");
}

struct Greet(&'static str, Value);

#[async_trait]
impl Tool for Greet {
    fn spec(&self) -> Spec {
        Spec {
            name: self.0,
            description: "Greets.",
            input: self.1.clone(),
            output: json!({}),
        }
    }

    async fn call(&self, call: archesai_tools::Call<'_>) -> Result<Outcome, ToolError> {
        call.tell("hello");
        archesai_tools::done(Value::from("hello"))
    }
}

#[test]
fn tools_of_ones_own_can_be_in_a_toolbox() {
    let greet = |name, input| -> Box<dyn Tool> { Box::new(Greet(name, input)) };
    let toolbox = Toolbox::of(vec![
        greet("b.greet", json!({})),
        greet("a.greet", json!({})),
    ])
    .unwrap();
    assert_eq!(toolbox.specs()[0].name, "a.greet");
    assert_eq!(toolbox.check("b.greet", &Json::Null), []);
    let twice = Toolbox::of(vec![greet("a", json!({})), greet("a", json!({}))]);
    assert!(matches!(twice, Err(UnfitTool::Twice("a"))), "{twice:?}");
    let broken = Toolbox::of(vec![greet("a", json!({"type": "strin"}))]);
    assert!(
        matches!(broken, Err(UnfitTool::Schema { name: "a", .. })),
        "{broken:?}"
    );
}
