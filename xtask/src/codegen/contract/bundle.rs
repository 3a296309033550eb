//! All files of the contract as one document.

use anyhow::{Context as _, Result, bail, ensure};
use yaml_serde::{Mapping, Value};

use super::Contract;

/// Merges files into one document: maps are united, lists joined.
pub(super) fn merge(files: &[(&str, Value)]) -> Result<Value> {
    let mut document = Mapping::new();
    for (name, value) in files {
        let Value::Mapping(map) = value else {
            bail!("{name}: is not a map");
        };
        merge_into(&mut document, map).with_context(|| (*name).to_owned())?;
    }
    Ok(Value::Mapping(document))
}

fn merge_into(target: &mut Mapping, source: &Mapping) -> Result<()> {
    for (key, value) in source {
        let name = key.as_str().context("a key is no text")?;
        match (target.get_mut(name), value) {
            (None, _) => {
                target.insert(key.clone(), value.clone());
            }
            (Some(Value::Mapping(old)), Value::Mapping(new)) => {
                // Below the sections and their kinds, a name belongs to one file.
                ensure!(
                    matches!(
                        name,
                        "paths"
                            | "components"
                            | "schemas"
                            | "parameters"
                            | "responses"
                            | "requestBodies"
                            | "headers"
                            | "securitySchemes"
                            | "examples"
                    ),
                    "`{name}` is in another file already"
                );
                merge_into(old, new).with_context(|| name.to_owned())?;
            }
            (Some(Value::Sequence(old)), Value::Sequence(new)) => old.extend(new.iter().cloned()),
            (Some(_), _) => bail!("`{name}` is in another file already"),
        }
    }
    Ok(())
}

/// Checks that every reference of every file names something in the document.
pub(super) fn check_references(document: &Value, files: &[(&str, Value)]) -> Result<()> {
    for (name, value) in files {
        check(document, value).with_context(|| (*name).to_owned())?;
    }
    Ok(())
}

fn check(document: &Value, value: &Value) -> Result<()> {
    match value {
        Value::Mapping(map) => {
            for (key, value) in map {
                let key = key.as_str().unwrap_or_default();
                match value {
                    Value::String(reference) if key == "$ref" => {
                        ensure!(
                            resolve(document, reference).is_some(),
                            "`$ref` to `{reference}`, which does not exist"
                        );
                    }
                    _ => check(document, value).with_context(|| key.to_owned())?,
                }
            }
        }
        Value::Sequence(items) => {
            for (at, item) in items.iter().enumerate() {
                check(document, item).with_context(|| at.to_string())?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// What a reference such as `#/components/schemas/User` names.
fn resolve<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    let mut value = document.get("components")?;
    for segment in reference.strip_prefix("#/components/")?.split('/') {
        value = value.get(segment)?;
    }
    Some(value)
}

/// Says of each public operation that it needs no credentials, unless its file does.
pub(super) fn open_public_operations(contract: &mut Contract) {
    for operation in &contract.operations {
        if !operation.authorization.is_open() {
            continue;
        }
        let method = operation.method.to_ascii_lowercase();
        let item = contract
            .document
            .get_mut("paths")
            .and_then(|paths| paths.get_mut(&operation.path))
            .and_then(|path| path.get_mut(&method));
        if let Some(Value::Mapping(item)) = item
            && !item.contains_key("security")
        {
            item.insert("security".into(), Value::Sequence(Vec::new()));
        }
    }
}
