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
    let paths = members(&document["paths"]).flat_map(|(path, item)| {
        let methods = METHODS.iter().filter(|method| item.get(**method).is_some());
        methods.map(move |method| format!("{method} {path}"))
    });
    let schemas = members(&document["components"]["schemas"]);
    let keys = paths.chain(schemas.map(|(name, _)| format!("schema {name}")));
    keys.filter_map(|key| Some((key.clone(), promise(document, &key)?)))
        .collect()
}

/// What a document promises about an operation or a type; `None` if it has none of the name.
fn promise(document: &Value, key: &str) -> Option<String> {
    let (kind, name) = key.split_once(' ')?;
    let promise = if kind == "schema" {
        let schema = document["components"]["schemas"].get(name)?;
        shape(document, is_type(schema).then_some(schema)?, true)
    } else {
        let item = document["paths"].get(name)?;
        operation(document, item, item.get(kind)?)
    };
    Some(promise.to_string())
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
        let headers: Vec<_> = members(&response["headers"])
            .map(|(name, _)| name)
            .collect();
        let content = content(document, &response["content"]);
        responses.insert(status, json!({"headers": headers, "content": content}));
    }
    let schemes = items(&operation["security"]).iter();
    let schemes: Vec<_> = schemes
        .flat_map(|one| members(one).map(|(name, _)| name))
        .collect();
    json!({
        "operationId": operation["operationId"],
        "tags": operation["tags"],
        "security": schemes,
        "parameters": parameters,
        "body": {"required": body["required"], "content": content(document, &body["content"])},
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

/// Puts the contract to changes, each of which breaks a promise that the code still keeps.
struct Trial {
    contract: Value,
    served: Promises,
    changes: usize,
}

impl Trial {
    fn new() -> Self {
        Self {
            contract: contract(),
            served: promises(&served()),
            changes: 0,
        }
    }

    /// Changes what is at a place, sees that the promise is broken, and mends it again.
    fn at(&mut self, pointer: &str, breaks: &str, what: &str, change: impl FnOnce(&mut Value)) {
        let place = self.contract.pointer_mut(pointer);
        let place = place.unwrap_or_else(|| panic!("there is no {pointer}"));
        let before = place.clone();
        change(place);
        let broken = promise(&self.contract, breaks);
        let kept = self.served.get(breaks);
        assert_ne!(broken.as_ref(), kept, "{what} at {pointer}");
        *self.contract.pointer_mut(pointer).expect("it was there") = before;
        self.changes += 1;
    }

    /// Takes each member of an object away, and puts it back under another name.
    fn names(&mut self, pointer: &str, breaks: &str, another: &str) {
        let object = self.contract.pointer(pointer).unwrap_or(&Value::Null);
        let names: Vec<_> = members(object).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.at(pointer, breaks, &format!("no `{name}`"), |object| {
                remove(object, &name);
            });
            self.at(pointer, breaks, &format!("another `{name}`"), |object| {
                let member = remove(object, &name);
                object[another] = member;
            });
        }
    }
}

fn remove(object: &mut Value, name: &str) -> Value {
    let object = object.as_object_mut().expect("an object");
    object.remove(name).expect("it is there")
}

/// A key as a segment of a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn try_operation(trial: &mut Trial, path: &str, method: &str, item: &Value) {
    let place = format!("/paths/{}", escaped(path));
    let (pointer, breaks) = (format!("{place}/{method}"), format!("{method} {path}"));
    let breaks = breaks.as_str();
    for (key, other) in [
        ("operationId", json!("other")),
        ("tags", json!(["other"])),
        ("security", json!([{"other": []}])),
    ] {
        trial.at(&pointer, breaks, key, |one| one[key] = other);
    }
    trial.at(&place, breaks, "no operation", |item| {
        remove(item, method);
    });
    if item[method].get("requestBody").is_some() {
        trial.at(&pointer, breaks, "no body", |one| {
            remove(one, "requestBody");
        });
        trial.at(&pointer, breaks, "a body that may be left out", |one| {
            one["requestBody"]["required"] = json!(false);
        });
        trial.names(
            &format!("{pointer}/requestBody/content"),
            breaks,
            "text/other",
        );
    }
    for (at, parameter) in items(&item[method]["parameters"]).iter().enumerate() {
        try_parameter(
            trial,
            &format!("{pointer}/parameters"),
            breaks,
            at,
            parameter,
        );
    }
    trial.names(&format!("{pointer}/responses"), breaks, "299");
    for (status, _) in members(&item[method]["responses"]) {
        for part in ["content", "headers"] {
            let part = format!("{pointer}/responses/{status}/{part}");
            trial.names(&part, breaks, "other/json");
        }
    }
}

fn try_parameter(trial: &mut Trial, list: &str, breaks: &str, at: usize, parameter: &Value) {
    trial.at(list, breaks, "no parameter", |list| {
        list.as_array_mut().expect("a list").remove(at);
    });
    if parameter.get("$ref").is_some() {
        return;
    }
    let required = parameter["required"].as_bool().unwrap_or(false);
    for (key, other) in [
        ("name", json!("other")),
        ("in", json!("cookie")),
        ("schema", json!({"type": "boolean"})),
        ("required", json!(!required)),
    ] {
        trial.at(&format!("{list}/{at}"), breaks, key, |one| one[key] = other);
    }
}

fn try_type(trial: &mut Trial, name: &str, schema: &Value) {
    let place = format!("/components/schemas/{name}");
    let breaks = format!("schema {name}");
    let breaks = breaks.as_str();
    if schema.get("enum").is_some() {
        trial.at(&place, breaks, "one value less", |one| {
            one["enum"].as_array_mut().expect("a list").pop();
        });
    }
    trial.names(&format!("{place}/properties"), breaks, "other");
    for (property, of) in members(&schema["properties"]) {
        let pointer = format!("{place}/properties/{}", escaped(property));
        let other = if of["type"] == "boolean" {
            "string"
        } else {
            "boolean"
        };
        trial.at(&pointer, breaks, "another type", |one| {
            *one = json!({"type": other});
        });
        trial.at(
            &place,
            breaks,
            &format!("another duty of `{property}`"),
            |one| {
                let duties = items(&one["required"]).iter();
                let mut duties: Vec<_> = duties.filter(|duty| *duty != property).cloned().collect();
                if duties.len() == items(&one["required"]).len() {
                    duties.push(json!(property));
                }
                one["required"] = json!(duties);
            },
        );
    }
}

#[test]
fn whatever_changes_in_the_contract_alone_is_noticed() {
    let (contract, mut trial) = (contract(), Trial::new());
    for (path, item) in members(&contract["paths"]) {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            try_operation(&mut trial, path, method, item);
        }
    }
    for (name, schema) in members(&contract["components"]["schemas"]) {
        try_type(&mut trial, name, schema);
    }
    assert!(trial.changes > 1_000, "{}", trial.changes);
}

#[test]
fn a_shared_parameter_or_answer_that_changes_is_noticed_wherever_it_is_used() {
    let served = promises(&served());
    let changed = |pointer: &str, value: Value| {
        let mut changed = contract();
        *changed.pointer_mut(pointer).expect("it is there") = value;
        differences(&promises(&changed), &served).len()
    };
    let parameters = "/components/parameters";
    assert!(changed(&format!("{parameters}/Limit/schema/maximum"), json!(99)) > 5);
    assert!(changed(&format!("{parameters}/IfMatch/name"), json!("If-Not")) > 4);
    let content = json!({"application/json": {"schema": {"type": "string"}}});
    let unavailable = "/components/responses/Unavailable/content";
    assert!(changed(unavailable, content) > 40);
}

#[test]
fn an_operation_that_is_not_in_the_contract_is_noticed() {
    let mut changed = served();
    let item = changed["paths"]["/v1/users/me"].clone();
    changed["paths"]["/v1/users/you"] = item;
    assert_eq!(
        differences(&promises(&contract()), &promises(&changed)).len(),
        2
    );
}
