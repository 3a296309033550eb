//! What the documents say is so: the settings they list, the files they point to, the pipelines they show.

use std::{collections::BTreeMap, process::Command};

use archesai_tools::schema::Schema;
use serde_json::{Value, json};

use crate::{
    pipelines::{ended, pipeline, start},
    support::{Server, root},
};

/// The documents that people begin with.
const DOCUMENTS: [&str; 5] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "docs/configuration.md",
    "docs/pipelines.md",
];

/// The top folders of the repository: a word that begins with one of them is a path.
const FOLDERS: [&str; 7] = [
    "api-spec/",
    "crates/",
    "deploy/",
    "docs/",
    "migrations/",
    "tests/",
    "xtask/",
];

fn read(document: &str) -> String {
    std::fs::read_to_string(root().join(document)).unwrap()
}

/// The settings that a document lists, in its order: rows of tables that begin with a name and a default.
fn listed(text: &str) -> Vec<(String, String)> {
    let plain = |cell: &str| cell.trim().trim_matches('`').to_owned();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').skip(1);
        (plain(cells.next().unwrap()), plain(cells.next().unwrap()))
    })
    .collect()
}

/// The settings and their defaults, in order, as the program tells them to somebody without any.
fn told() -> Vec<(String, String)> {
    let nowhere = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_archesai"))
        .args(["config", "show"])
        .env_clear()
        .env("HOME", "~")
        .current_dir(nowhere.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    let cores = std::thread::available_parallelism().unwrap().to_string();
    let rows = table.lines().map(|line| {
        let (name, rest) = line.split_once(' ').unwrap();
        let value = rest.trim().strip_suffix("default").unwrap().trim();
        let by_cores = ["http_workers", "parallel_password_hashes"].contains(&name);
        let value = match value {
            "(not set)" => "not set",
            value if by_cores && value == cores => "one per core",
            value => value,
        };
        (name.to_owned(), value.to_owned())
    });
    rows.collect()
}

#[test]
fn the_configuration_reference_lists_every_setting_and_its_default() {
    assert_eq!(listed(&read("docs/configuration.md")), told());
}

#[test]
fn the_readme_lists_settings_there_are() {
    let told: BTreeMap<_, _> = told().into_iter().collect();
    let listed = listed(&read("README.md"));
    assert!(!listed.is_empty());
    for (name, default) in listed {
        assert_eq!(told.get(&name), Some(&default), "the README about `{name}`");
    }
}

/// The paths that a document names: what its links point to, and what it writes as code.
fn paths(text: &str) -> Vec<String> {
    let links = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    let links = links.filter(|link| !link.is_empty() && !link.contains("://"));
    // A word of code may name a line or a placeholder; only what is a plain path is looked for.
    let code = text.split('`').skip(1).step_by(2);
    let code = code.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    let code = code.filter(|word| !word.contains(['<', '*', ' ', '{', '…']));
    links.chain(code).map(ToOwned::to_owned).collect()
}

#[test]
fn every_path_in_the_documents_is_there() {
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let file = root().join(document);
        let folder = file.parent().unwrap();
        for path in paths(&read(document)) {
            if !folder.join(&path).exists() && !root().join(&path).exists() {
                missing.push(format!("{document}: {path}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn paths_are_found_in_links_and_in_code() {
    let text = "[a](docs/a.md#b) [c](https://example.com) [d](#d) `crates/x/src/y.rs` `crates/<name>` `true`";
    assert_eq!(paths(text), ["docs/a.md", "crates/x/src/y.rs"]);
}

/// The JSON that `docs/pipelines.md` shows, in order, with what stands beside the word `json`: `run` before a definition that
/// is run as it is and then its `output`, `wrong` before one that is refused and then the `answer`, nothing before others.
fn shown() -> Vec<(String, Value)> {
    let text = read("docs/pipelines.md");
    let fenced = text.split("\n```").skip(1).step_by(2);
    let blocks = fenced.filter_map(|block| {
        let (language, body) = block.split_once('\n')?;
        let word = language.strip_prefix("json")?.trim().to_owned();
        let value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
        Some((word, value))
    });
    blocks.collect()
}

/// The definitions that are shown as `word`, each with the block after it.
fn definitions(word: &str) -> Vec<(Value, Value)> {
    let shown = shown();
    let found = shown.iter().enumerate().filter(|(_, (is, value))| {
        let is_definition = value.get("steps").is_some();
        is_definition && is == word
    });
    let next = |at: usize| shown.get(at + 1).map_or(Value::Null, |next| next.1.clone());
    found
        .map(|(at, (_, value))| (value.clone(), next(at)))
        .collect()
}

/// The published schema of a definition.
fn schema() -> Schema {
    Schema::compile(&serde_json::from_str(&read("docs/pipeline.schema.json")).unwrap()).unwrap()
}

#[tokio::test]
async fn the_pipelines_in_the_documents_are_valid() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let schema = schema();
    let examples: Vec<_> = definitions("")
        .into_iter()
        .chain(definitions("run"))
        .collect();
    assert!(examples.len() > 5);
    for (definition, _) in examples {
        schema.check(&definition).unwrap();
        let body = json!({ "definition": definition });
        let told = ada.client.post("/v1/pipelines/validate", body).await;
        assert_eq!(told.expect(200), json!({ "valid": true, "errors": [] }));
    }
}

#[tokio::test]
async fn the_pipelines_in_the_documents_give_what_they_say() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let examples = definitions("run");
    assert!(!examples.is_empty());
    for (definition, output) in examples {
        let pipeline = pipeline(&ada.client, definition).await;
        let run = start(&ada.client, &pipeline, json!({})).await;
        let over = ended(&ada.client, &run).await;
        assert_eq!(
            (&over["status"], &over["output"]),
            (&json!("succeeded"), &output),
            "{over}"
        );
    }
}

#[tokio::test]
async fn mistakes_in_pipelines_are_pointed_at_as_documented() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let examples = definitions("wrong");
    assert!(!examples.is_empty());
    for (definition, answer) in examples {
        let body = json!({ "definition": definition });
        let told = ada.client.post("/v1/pipelines/validate", body).await;
        assert_eq!(told.expect(200), answer);
    }
}

/// The schema and the server agree about what the schema can say.
#[tokio::test]
async fn the_schema_of_definitions_is_that_of_the_server() {
    let server = Server::start();
    let ada = server.sign_up("ada").await;
    let schema = schema();
    let step = |field: &str, value: Value| {
        let mut step =
            json!({ "id": "a", "tool": "time.sleep", "with": { "seconds": 0 }, "for_each": [] });
        step[field] = value;
        json!({ "steps": [step] })
    };
    let retry = |field: &str, value: Value| step("retry", json!({ field: value }));
    let input = |name: &str, value: Value| json!({ "inputs": { name: value }, "steps": [] });
    let many = |count: u32| (0..count).map(|at| (format!("n{at}"), json!({})));
    let object = |count: u32| Value::Object(many(count).collect());
    let steps = |count: u32| {
        many(count)
            .map(|(id, _)| json!({ "id": id, "tool": "time.sleep", "with": { "seconds": 0 } }))
    };
    let steps = |count: u32| Value::Array(steps(count).collect());
    for (definition, fits) in [
        (
            json!({ "steps": [], "inputs": null, "outputs": null }),
            true,
        ),
        (
            json!({ "steps": steps(500), "inputs": object(100), "outputs": object(100) }),
            true,
        ),
        (json!({ "steps": steps(501) }), false),
        (json!({ "steps": [], "inputs": object(101) }), false),
        (json!({ "steps": [], "outputs": object(101) }), false),
        (json!({ "steps": [], "colour": 1 }), false),
        (json!({}), false),
        (json!({ "steps": {} }), false),
        (
            input(
                "A-z_9",
                json!({ "type": "integer", "enum": [1, 2], "default": 1, "required": true, "description": "x" }),
            ),
            true,
        ),
        (
            input(
                "a",
                json!({ "type": null, "format": "date-time", "enum": [] }),
            ),
            true,
        ),
        (input("a", json!({ "type": "text" })), false),
        (input("a", json!({ "format": "time" })), false),
        (input("a", json!({ "minimum": 1 })), false),
        (input("a b", json!({})), false),
        (input(&"a".repeat(64), json!({})), false),
        (step("id", json!("a-b_9")), true),
        (step("id", json!("A")), false),
        (step("id", json!("a".repeat(64))), false),
        (step("id", Value::Null), false),
        (step("tool", Value::Null), false),
        (step("with", json!([])), false),
        (step("needs", json!([])), true),
        (step("needs", json!("b")), false),
        (step("if", json!(false)), true),
        (step("if", json!(1)), false),
        (step("for_each", json!("{{ [1] }}")), true),
        (step("for_each", json!(3)), false),
        (step("concurrency", json!(1000)), true),
        (step("concurrency", json!(0)), false),
        (step("concurrency", json!(1001)), false),
        (step("timeout", json!("720h")), true),
        (step("timeout", json!("1d")), false),
        (step("timeout", json!(30)), false),
        (step("on_error", json!("skip")), true),
        (step("on_error", json!("retry")), false),
        (step("colour", json!(1)), false),
        (step("retry", Value::Null), true),
        (step("retry", json!(3)), false),
        (retry("max_attempts", json!(100)), true),
        (retry("max_attempts", json!(101)), false),
        (retry("backoff", json!("fixed")), true),
        (retry("backoff", json!("linear")), false),
        (retry("initial", json!("250ms")), true),
        (retry("initial", json!("1.5s")), false),
        (retry("max", json!("2m")), true),
        (retry("jitter", json!(false)), true),
        (retry("jitter", json!("no")), false),
        (retry("delay", json!("1s")), false),
    ] {
        assert_eq!(
            schema.check(&definition).is_ok(),
            fits,
            "the schema about {definition}"
        );
        let body = json!({ "definition": definition });
        let told = ada.client.post("/v1/pipelines/validate", body).await;
        assert_eq!(
            told.expect(200)["valid"],
            fits,
            "the server about {definition}"
        );
    }
}
