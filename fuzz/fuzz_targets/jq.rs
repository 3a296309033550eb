//! Filters of `json.transform`: each ends by what it costs, and not by the clock.

#![no_main]

use std::time::Duration;

use archesai_tools::jq::{JqError, Limits, transform};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|filter: &str| {
    let limits = Limits {
        time: Duration::from_secs(20),
        steps: 200_000,
        memory_bytes: 16 << 20,
        value_bytes: 4 << 20,
        ..Limits::default()
    };
    let input = json!({"a": [1, "b", null, {"c": 2.5}], "t": "some text", "n": -7});
    let outcome = transform(&input, filter, &limits);
    assert_ne!(outcome, Err(JqError::Limit("takes too long")));
});
