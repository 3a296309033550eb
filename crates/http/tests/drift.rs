//! Holds what the code serves, as utoipa reads it off the handlers and types, against the contract.
//!
//! Prose, examples and defaults are the contract's alone. Everything a client depends on must be
//! the same: operations, parameters, bodies, answers, and the members of every type.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// What a document promises: a line of JSON per operation and per named type.
type Promises = BTreeMap<String, String>;

fn contract() -> Value {
    let text = include_str!("../../../api-spec/openapi.gen.json");
    serde_json::from_str(text).expect("the contract is JSON")
}

fn served() -> Value {
    let served = archesai_http::generated::openapi();
    serde_json::to_value(served).expect("what utoipa says is JSON")
}

fn promises(document: &Value) -> Promises {
    let mut promises = Promises::new();
    for (path, item) in members(&document["paths"]) {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                let promise = self::operation(document, item, operation);
                promises.insert(format!("{method} {path}"), promise.to_string());
            }
        }
    }
    for (name, schema) in members(&document["components"]["schemas"]) {
        if is_type(schema) {
            let promise = shape(document, schema, true);
            promises.insert(format!("schema {name}"), promise.to_string());
        }
    }
    promises
}

fn operation(document: &Value, item: &Value, operation: &Value) -> Value {
    let mut parameters = BTreeMap::new();
    for parameter in items(&item["parameters"])
        .iter()
        .chain(items(&operation["parameters"]))
    {
        let parameter = resolve(document, parameter);
        let key = format!("{} {}", text(&parameter["in"]), text(&parameter["name"]));
        let required = parameter["required"].as_bool().unwrap_or(false);
        let shape = shape(document, &parameter["schema"], true);
        parameters.insert(key, json!({"required": required, "schema": shape}));
    }
    let body = resolve(document, &operation["requestBody"]);
    let mut responses = BTreeMap::new();
    for (status, response) in members(&operation["responses"]) {
        let response = resolve(document, response);
        responses.insert(status, content(document, &response["content"]));
    }
    json!({
        "operationId": operation["operationId"],
        "tags": operation["tags"],
        "parameters": parameters,
        "body": content(document, &body["content"]),
        "responses": responses,
    })
}

/// The media types of a body. One that is not JSON is bytes to us, unless its schema has a name.
fn content(document: &Value, content: &Value) -> Value {
    let shapes = members(content).map(|(media, of)| {
        let schema = &of["schema"];
        let known = media.ends_with("json") || schema.get("$ref").is_some();
        let shape = if known {
            shape(document, schema, true)
        } else {
            json!("bytes")
        };
        (media.clone(), shape)
    });
    Value::Object(shapes.collect())
}

/// A schema reduced to what it accepts. `bounds` tells whether the limits of values count: for the
/// items of arrays and maps the code checks them by other means than utoipa sees.
fn shape(document: &Value, schema: &Value, bounds: bool) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = resolve(document, schema);
        if !is_type(target) {
            return shape(document, target, bounds);
        }
        return json!({"ref": reference.rsplit('/').next()});
    }
    let parts = ["oneOf", "allOf"]
        .into_iter()
        .flat_map(|key| items(&schema[key]));
    let (nulls, others): (Vec<&Value>, Vec<&Value>) = parts
        .filter(|part| !is_remark(part))
        .partition(|part| part["type"] == "null");
    if let [other] = others[..] {
        let mut shape = shape(document, other, bounds);
        if !nulls.is_empty() {
            shape["nullable"] = json!(true);
        }
        return shape;
    }
    plain_shape(document, schema, bounds)
}

/// Whether this is what utoipa puts beside a type that is written in place, only to describe it.
fn is_remark(part: &Value) -> bool {
    part["type"] == "object" && members(part).all(|(key, _)| key == "type" || key == "description")
}

fn plain_shape(document: &Value, schema: &Value, bounds: bool) -> Value {
    let mut shape = Map::new();
    let kinds: BTreeSet<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect(),
        Value::String(kind) => BTreeSet::from([kind.as_str()]),
        _ => BTreeSet::new(),
    };
    for kind in kinds {
        match kind {
            "null" => shape.insert("nullable".to_owned(), json!(true)),
            kind => shape.insert("type".to_owned(), json!(kind)),
        };
    }
    if shape.get("type").is_some_and(|kind| kind == "string") {
        shape.extend(kept(schema, "format"));
    }
    for key in ["enum", "pattern"] {
        shape.extend(kept(schema, key));
    }
    if bounds {
        let limits = [
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minimum",
            "maximum",
        ];
        for key in limits {
            let limit = schema[key].as_f64();
            shape.extend(limit.map(|limit| (key.to_owned(), json!(limit))));
        }
    }
    if let Some(of) = schema.get("items") {
        shape.insert("items".to_owned(), self::shape(document, of, false));
    }
    if let Some(of) = schema.get("additionalProperties") {
        let of = self::shape(document, of, false);
        // `true`, `false` and `{}` say nothing of what the members are.
        if of.as_object().is_some_and(|of| !of.is_empty()) {
            shape.insert("additionalProperties".to_owned(), of);
        }
    }
    let properties: Map<String, Value> = members(&schema["properties"])
        .map(|(name, of)| (name.clone(), self::shape(document, of, true)))
        .collect();
    if !properties.is_empty() {
        let required: BTreeSet<&str> = items(&schema["required"]).iter().map(text).collect();
        shape.insert("properties".to_owned(), Value::Object(properties));
        shape.insert("required".to_owned(), json!(required));
    }
    Value::Object(shape)
}

/// Whether a named schema is a type of its own rather than another name for a plain one.
fn is_type(schema: &Value) -> bool {
    ["properties", "enum"]
        .iter()
        .any(|key| schema.get(key).is_some())
        || schema["additionalProperties"] == json!(false)
}

fn kept(schema: &Value, key: &str) -> Option<(String, Value)> {
    Some((key.to_owned(), schema.get(key)?.clone()))
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"]
        .as_str()
        .and_then(|text| text.strip_prefix('#'))
    {
        Some(pointer) => document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("there is no {pointer}")),
        None => value,
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What two documents promise differently, each difference with both sides.
fn differences(contract: &Promises, served: &Promises) -> Vec<String> {
    let keys: BTreeSet<_> = contract.keys().chain(served.keys()).collect();
    keys.into_iter()
        .filter(|key| contract.get(*key) != served.get(*key))
        .map(|key| {
            let side = |promises: &Promises| promises.get(key).cloned().unwrap_or_default();
            format!(
                "{key}\n  contract: {}\n  served:   {}",
                side(contract),
                side(served)
            )
        })
        .collect()
}

#[test]
fn the_code_serves_the_contract() {
    let differences = differences(&promises(&contract()), &promises(&served()));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Changes something in a copy of the contract, and expects exactly one promise to differ.
fn assert_noticed(change: impl FnOnce(&mut Value)) {
    let mut changed = contract();
    change(&mut changed);
    let differences = differences(&promises(&contract()), &promises(&changed));
    assert_eq!(differences.len(), 1, "{}", differences.join("\n"));
}

/// The operation with an id, in a document.
fn find<'a>(document: &'a mut Value, id: &str) -> &'a mut Value {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten());
    operations
        .map(|(_, operation)| operation)
        .find(|operation| operation["operationId"] == id)
        .unwrap_or_else(|| panic!("there is no operation {id}"))
}

#[test]
fn another_status_code_is_noticed() {
    assert_noticed(|document| {
        let responses = find(document, "register")["responses"]
            .as_object_mut()
            .unwrap();
        let created = responses.remove("201").unwrap();
        responses.insert("200".to_owned(), created);
    });
}

#[test]
fn another_type_of_a_member_is_noticed() {
    assert_noticed(|document| {
        document["components"]["schemas"]["Problem"]["properties"]["status"]["type"] =
            json!("string");
    });
}

#[test]
fn a_member_that_is_no_longer_required_is_noticed() {
    assert_noticed(|document| {
        let problem = &mut document["components"]["schemas"]["Problem"];
        problem["required"].as_array_mut().unwrap().pop();
    });
}
