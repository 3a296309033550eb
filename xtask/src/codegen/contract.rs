//! `api-spec/`: the contract of the HTTP API, read from its files and checked as a whole.
//!
//! The files are `OpenAPI` 3.1 in YAML. Every key is known here, so that a misspelt one is refused
//! with its file, line and column rather than ignored.

mod authorization;
mod bundle;
mod complete;
mod file;
mod schema;

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use yaml_serde::Value;

use super::{ordered::Ordered, output::Output};
pub(crate) use authorization::Authorization;
pub(crate) use file::{Body, Header, Media, Parameter, Response, Tag};
use file::{File, OperationItem, PathItem};
pub(crate) use schema::{Additional, Schema};

/// The module of the schemas that belong to no domain.
pub(crate) const COMMON: &str = "common";

/// The contract.
#[derive(Debug, Default)]
pub(crate) struct Contract {
    /// All files as one document.
    pub(crate) document: Value,
    /// The tags in order, with what they are about.
    pub(crate) tags: Vec<Tag>,
    /// The operations, in the order of the files.
    pub(crate) operations: Vec<Operation>,
    /// The named schemas, and the folder each is written in.
    pub(crate) schemas: Ordered<(String, Schema)>,
    parameters: Ordered<Parameter>,
    responses: Ordered<Response>,
    bodies: Ordered<Body>,
    headers: Ordered<Header>,
    security: Vec<Ordered<Vec<String>>>,
}

/// One operation, where it is and what it asks and answers.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The name of the operation, as in the contract.
    pub(crate) id: String,
    /// In upper case.
    pub(crate) method: String,
    /// With the parameters in braces.
    pub(crate) path: String,
    /// The one tag.
    pub(crate) tag: String,
    /// A sentence.
    pub(crate) summary: String,
    /// More than a sentence.
    pub(crate) description: Option<String>,
    /// Who may call it.
    pub(crate) authorization: Authorization,
    /// Whether an `Idempotency-Key` is honoured.
    pub(crate) idempotent: bool,
    /// Whether its transport is written by hand.
    pub(crate) raw: bool,
    /// Whether the answer carries the version of what it shows.
    pub(crate) etag: bool,
    /// Those of the path first, in its order.
    pub(crate) parameters: Vec<Parameter>,
    /// What is sent.
    pub(crate) body: Option<Body>,
    /// By status code.
    pub(crate) responses: Vec<(u16, Response)>,
    /// The schemes any one of which is enough.
    pub(crate) security: Vec<Ordered<Vec<String>>>,
}

impl Contract {
    /// Reads every file of the contract below `root`; `None` while there is no `openapi.yaml`.
    pub(crate) fn read(root: &Path) -> Result<Option<Self>> {
        let folder = root.join("api-spec");
        if !folder.join("openapi.yaml").exists() {
            return Ok(None);
        }
        let mut names = vec!["openapi.yaml".to_owned(), "common.yaml".to_owned()];
        let mut folders: Vec<String> = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        folders.sort();
        for folder in folders {
            names.push(format!("{folder}/paths.yaml"));
            names.push(format!("{folder}/schemas.yaml"));
        }
        let mut files = Vec::new();
        for name in names {
            let path = folder.join(&name);
            if path.exists() {
                let text = fs::read_to_string(&path)?;
                files.push((format!("api-spec/{name}"), text));
            }
        }
        let contract = Self::parse(&files)?;
        complete::check(&contract)?;
        Ok(Some(contract))
    }

    /// Parses and checks files, each a name and a text.
    pub(crate) fn parse(files: &[(String, String)]) -> Result<Self> {
        let mut contract = Self::default();
        let mut items = Vec::new();
        let mut parsed = Vec::new();
        for (name, text) in files {
            let file: File = yaml_serde::from_str(text).with_context(|| name.clone())?;
            let value: Value = yaml_serde::from_str(text).with_context(|| name.clone())?;
            contract.add(name, file, &mut items)?;
            parsed.push((name.as_str(), value));
        }
        contract.document = bundle::merge(&parsed)?;
        bundle::check_references(&contract.document, &parsed)?;
        for (file, path, item) in items {
            contract
                .add_path(&path, item)
                .with_context(|| format!("{file}: paths: {path}"))?;
        }
        let mut ids = BTreeSet::new();
        for operation in &contract.operations {
            ensure!(
                ids.insert(&operation.id),
                "{} {}: the operationId `{}` occurs twice",
                operation.method,
                operation.path,
                operation.id
            );
        }
        bundle::open_public_operations(&mut contract);
        Ok(contract)
    }

    fn add(
        &mut self,
        name: &str,
        file: File,
        items: &mut Vec<(String, String, PathItem)>,
    ) -> Result<()> {
        if let Some(version) = file.openapi {
            ensure!(
                version.starts_with("3.1."),
                "{name}: openapi: `{version}` is not 3.1"
            );
        }
        let home = match name.split('/').collect::<Vec<_>>()[..] {
            [_, folder, _] => folder,
            _ => COMMON,
        };
        self.tags.extend(file.tags);
        if !file.security.is_empty() {
            self.security = file.security;
        }
        for (path, item) in file.paths {
            items.push((name.to_owned(), path, item));
        }
        let components = file.components;
        for (key, schema) in components.schemas {
            self.schemas.push(key, (home.to_owned(), schema));
        }
        self.parameters.extend(components.parameters);
        self.responses.extend(components.responses);
        self.bodies.extend(components.request_bodies);
        self.headers.extend(components.headers);
        Ok(())
    }

    fn add_path(&mut self, path: &str, item: PathItem) -> Result<()> {
        let methods = [
            ("GET", item.get),
            ("PUT", item.put),
            ("POST", item.post),
            ("DELETE", item.delete),
            ("PATCH", item.patch),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                let operation = self
                    .operation(method, path, &item.parameters, operation)
                    .with_context(|| method.to_ascii_lowercase())?;
                self.operations.push(operation);
            }
        }
        Ok(())
    }

    fn operation(
        &self,
        method: &str,
        path: &str,
        shared: &[Parameter],
        item: OperationItem,
    ) -> Result<Operation> {
        let authorization = item
            .authorization
            .context("x-authorization is missing: say who may call it")?;
        let [tag] = &item.tags[..] else {
            bail!("tags: an operation has exactly one");
        };
        ensure!(
            self.tags.iter().any(|known| known.name == *tag),
            "tags: `{tag}` is not declared in openapi.yaml"
        );
        let mut parameters = Vec::new();
        for parameter in shared.iter().chain(&item.parameters) {
            parameters.push(self.parameter(parameter).clone());
        }
        let parameters = in_order(path, parameters)?;
        let mut responses = Vec::new();
        for (status, response) in item.responses {
            let code = status
                .parse()
                .with_context(|| format!("responses: `{status}` is no status code"))?;
            let response = match &response.reference {
                Some(_) => named(&self.responses, response.reference.as_deref()).cloned(),
                None => Some(response),
            };
            responses.push((code, response.unwrap_or_default()));
        }
        let body = item.request_body.map(|body| {
            named(&self.bodies, body.reference.as_deref())
                .cloned()
                .unwrap_or(body)
        });
        let security = match (&authorization, item.security) {
            (_, Some(own)) => own,
            (open, None) if open.is_open() => Vec::new(),
            (_, None) => self.security.clone(),
        };
        Ok(Operation {
            id: item.operation_id,
            method: method.to_owned(),
            path: path.to_owned(),
            tag: tag.clone(),
            summary: item.summary,
            description: item.description,
            authorization,
            idempotent: item.idempotent,
            raw: item.raw,
            etag: item.etag,
            parameters,
            body,
            responses,
            security,
        })
    }

    /// The header itself, where this refers to one.
    pub(crate) fn header<'a>(&'a self, header: &'a Header) -> &'a Header {
        named(&self.headers, header.reference.as_deref()).unwrap_or(header)
    }

    fn parameter<'a>(&'a self, parameter: &'a Parameter) -> &'a Parameter {
        named(&self.parameters, parameter.reference.as_deref()).unwrap_or(parameter)
    }

    /// All files as one document of JSON.
    pub(crate) fn bundle(&self) -> Result<Output> {
        let text = serde_json::to_string_pretty(&self.document)?;
        let body = text.trim_start_matches('{').trim_start();
        // JSON has no comments; the first line says where the file is from all the same.
        let origin = "Generated by `cargo xtask codegen` from `api-spec/`; do not edit.";
        Ok(Output {
            path: "api-spec/openapi.gen.json".to_owned(),
            text: format!("{{ \"x-generated\": \"{origin}\",\n  {body}\n"),
        })
    }

    /// The schema a reference names, with the folder it is written in.
    pub(crate) fn schema(&self, name: &str) -> Result<(&str, &Schema)> {
        self.schemas
            .get(name)
            .map(|(home, schema)| (home.as_str(), schema))
            .with_context(|| format!("there is no schema `{name}`"))
    }
}

/// The component a reference names. That it exists has been checked before.
fn named<'a, T>(components: &'a Ordered<T>, reference: Option<&str>) -> Option<&'a T> {
    components.get(reference?.rsplit('/').next()?)
}

/// Checks the parameters of an operation, and puts those of the path first, in its order.
fn in_order(path: &str, parameters: Vec<Parameter>) -> Result<Vec<Parameter>> {
    let in_path: Vec<&str> = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .collect();
    let position = |parameter: &Parameter| {
        let found = in_path.iter().position(|name| *name == parameter.name);
        found.filter(|_| parameter.place == "path")
    };
    for name in &in_path {
        ensure!(
            parameters
                .iter()
                .any(|parameter| parameter.place == "path" && parameter.name == *name),
            "parameters: `{name}` of the path is not declared"
        );
    }
    for parameter in &parameters {
        let known = matches!(parameter.place.as_str(), "path" | "query" | "header");
        ensure!(
            known,
            "parameters: {}: in `{}` is not path, query or header",
            parameter.name,
            parameter.place
        );
        ensure!(
            parameter.place != "path" || (position(parameter).is_some() && parameter.required),
            "parameters: {}: is not in the path, or not required",
            parameter.name
        );
    }
    let mut parameters = parameters;
    parameters.sort_by_key(|parameter| position(parameter).unwrap_or(usize::MAX));
    Ok(parameters)
}

impl Operation {
    /// The parameters in one place.
    pub(crate) fn parameters_in(&self, place: &str) -> impl Iterator<Item = &Parameter> {
        self.parameters
            .iter()
            .filter(move |parameter| parameter.place == place)
    }

    /// Whether it takes a header.
    pub(crate) fn takes(&self, header: &str) -> bool {
        self.parameters_in("header")
            .any(|parameter| parameter.name.eq_ignore_ascii_case(header))
    }

    /// The answer of success: its status code and the schema of its body, if it has one.
    pub(crate) fn success(&self) -> Result<(u16, Option<&Schema>)> {
        let mut successes = self
            .responses
            .iter()
            .filter(|(status, _)| (200..400).contains(status));
        let (status, response) = successes
            .next()
            .context("responses: there is none of success")?;
        if self.raw {
            return Ok((*status, None));
        }
        let others: Vec<_> = successes
            .filter(|(status, _)| *status != 304)
            .map(|(status, _)| status)
            .collect();
        ensure!(
            others.is_empty(),
            "responses: more than one of success, which needs `x-raw: true`"
        );
        Ok((*status, json(&response.content, "responses")?))
    }

    /// The schema of the JSON body it is sent, if it is sent one.
    pub(crate) fn json_body(&self) -> Result<Option<&Schema>> {
        match &self.body {
            Some(body) if !self.raw => json(&body.content, "requestBody"),
            _ => Ok(None),
        }
    }
}

/// The schema of a body that is JSON or nothing.
fn json<'a>(content: &'a Ordered<Media>, place: &str) -> Result<Option<&'a Schema>> {
    let Some(media) = content.get("application/json") else {
        ensure!(
            content.len() == 0,
            "{place}: another media type than application/json needs `x-raw: true`"
        );
        return Ok(None);
    };
    ensure!(
        content.len() == 1,
        "{place}: more than one media type needs `x-raw: true`"
    );
    let schema = media.schema.as_ref();
    Ok(Some(schema.with_context(|| {
        format!("{place}: application/json has no schema")
    })?))
}

#[cfg(test)]
mod tests;
