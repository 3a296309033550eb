//! JSON as the API takes it: what it accepts is what any parser makes of it, and what it refuses has a reason.

#![no_main]

#[path = "../../crates/http/src/strict.rs"]
mod strict;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const DEPTH: usize = 16;

fuzz_target!(|data: &[u8]| {
    let loose = serde_json::from_slice::<Value>(data);
    match strict::parse(data, DEPTH) {
        Ok(value) => {
            assert!(depth(&value) <= DEPTH);
            assert_eq!(value, loose.expect("it is JSON"));
        }
        Err(error) => {
            if let Ok(loose) = loose {
                let reason = error.to_string();
                let repeated = reason.contains("twice");
                assert!(
                    repeated || depth(&loose) > DEPTH || reason.contains("deep"),
                    "{reason}"
                );
            }
        }
    }
});

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
