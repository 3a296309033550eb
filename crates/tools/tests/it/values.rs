//! Tools that make values of values, and the one that waits.

use std::time::{Duration, SystemTime};

use archesai_workflows::Outcome;
use serde_json::json;

use crate::{
    bench::{ACTOR, Bench, Cancelled, sample},
    memory::Still,
};

#[tokio::test]
async fn a_text_is_split() {
    let bench = Bench::default();
    let text = String::from_utf8(sample("social-contract.txt")).unwrap();
    let output = bench
        .call("text.split", json!({"text": text}))
        .await
        .unwrap();
    let chunks = output["chunks"].as_array().unwrap();
    assert!(chunks.len() > 8);
    assert_eq!(output["count"], chunks.len());
    assert_eq!(chunks[1]["index"], 1);
    assert!(
        bench.told().starts_with("split the text into "),
        "{}",
        bench.told()
    );
    let error = bench
        .fail(
            "text.split",
            json!({"text": "a", "max_chars": 100, "overlap": 90}),
        )
        .await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("invalid_input", false)
    );
}

#[tokio::test]
async fn a_value_is_transformed() {
    let bench = Bench::default();
    let input = json!({"input": {"rows": [{"n": 1}, {"n": 2}]}, "filter": ".rows | map(.n) | add"});
    let output = bench.call("json.transform", input).await.unwrap();
    assert_eq!(output, json!({"result": 3}));
    for (filter, code) in [
        (".a |", "invalid_filter"),
        ("error(\"no\")", "filter_failed"),
        ("\"x\" * 1000000000", "filter_too_costly"),
    ] {
        let error = bench
            .fail("json.transform", json!({"input": 1, "filter": filter}))
            .await;
        assert_eq!(
            (error.code.as_str(), error.retryable),
            (code, false),
            "{filter}: {error}"
        );
    }
}

#[tokio::test]
async fn a_table_is_parsed() {
    let bench = Bench::default();
    let text = String::from_utf8(sample("seattle-weather.csv")).unwrap();
    let output = bench
        .call("csv.parse", json!({"text": text}))
        .await
        .unwrap();
    assert_eq!(output["rows"].as_array().unwrap().len(), 1461);
    assert_eq!(bench.told(), "parsed 1,461 rows of 6 columns");
    let input = json!({"text": "1|2", "delimiter": "|", "header": false});
    let output = bench.call("csv.parse", input).await.unwrap();
    assert_eq!(output["rows"], json!([{"column_1": "1", "column_2": "2"}]));
    let error = bench
        .fail("csv.parse", json!({"text": "a", "delimiter": "\""}))
        .await;
    assert_eq!(error.code, "invalid_input");
}

#[tokio::test]
async fn a_template_is_rendered() {
    let bench = Bench::default();
    let input = json!({"template": "Dear {{ name }}", "variables": {"name": "Ada"}});
    let output = bench.call("template.render", input).await.unwrap();
    assert_eq!(output, json!({"text": "Dear Ada"}));
    let error = bench
        .fail(
            "template.render",
            json!({"template": "\n{{ x }}", "variables": {}}),
        )
        .await;
    assert_eq!(error.code, "template_failed");
    assert!(
        error.message.starts_with("line 2: x is not defined"),
        "{error}"
    );
}

#[tokio::test]
async fn sleep_takes_no_worker_and_ends() {
    let bench = Bench::default();
    let input = json!({"seconds": 1.5});
    let asleep = bench
        .attempt("time.sleep", input.clone(), ACTOR, 0, &Cancelled(false))
        .await;
    let until = SystemTime::UNIX_EPOCH + Still::NOW + Duration::from_millis(1_500);
    assert_eq!(asleep, Ok(Outcome::Sleep { until }));
    let awake = bench
        .attempt("time.sleep", input, ACTOR, 1, &Cancelled(false))
        .await;
    let Ok(Outcome::Done(output)) = awake else {
        panic!("{awake:?}");
    };
    assert_eq!(output.to_string(), r#"{"slept_seconds":1.5}"#);
    let output = bench
        .call("time.sleep", json!({"seconds": 0}))
        .await
        .unwrap();
    assert_eq!(output, json!({"slept_seconds": 0}));
}
