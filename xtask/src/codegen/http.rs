//! `crates/http/src/generated/`: the operations as constants, and a module per tag with the types,
//! the trait to implement, the handlers, the routes and what utoipa says about them.

mod api;
mod document;
mod dto;
mod kind;
mod operations;
mod rules;

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::{Context as _, Result, ensure};

use super::{
    contract::{Authorization, COMMON, Contract},
    domain::Domain,
    emit,
    output::Output,
};
use kind::Usage;

const FOLDER: &str = "crates/http/src/generated";
const SOURCE: &str = "`api-spec/`";

/// Every generated file of the http crate.
pub(crate) fn outputs(contract: &Contract, domains: &[Domain]) -> Result<Vec<Output>> {
    check_access(contract, domains)?;
    let usage = Usage::of(contract)?;
    let modules = modules(contract);
    let mut outputs = vec![file("mod", root(contract, &modules))];
    outputs.push(file("operations", operations::text(contract)));
    for module in &modules {
        let text = module_text(contract, &usage, module).with_context(|| (*module).to_owned())?;
        outputs.push(file(module, text));
    }
    Ok(outputs)
}

/// Checks that the roles and scopes that operations ask for are those of the domains.
fn check_access(contract: &Contract, domains: &[Domain]) -> Result<()> {
    let known = |name: &str, value: &str| {
        let enums = domains.iter().filter_map(|domain| domain.enums.get(name));
        enums
            .flat_map(|known| known.values.names())
            .any(|one| one == value)
    };
    for operation in &contract.operations {
        let Authorization::Member(member) = &operation.authorization else {
            continue;
        };
        let place = || format!("{}: x-authorization", operation.id);
        let (role, scope) = (&member.role, &member.scope);
        ensure!(known("Role", role), "{}: unknown role `{role}`", place());
        ensure!(
            scope == "none" || known("Scope", scope),
            "{}: unknown scope `{scope}`",
            place()
        );
    }
    Ok(())
}

fn file(name: &str, text: String) -> Output {
    Output {
        path: format!("{FOLDER}/{name}.gen.rs"),
        text,
    }
}

/// A module per tag, and one for what belongs to no domain.
fn modules(contract: &Contract) -> Vec<&str> {
    let mut modules = BTreeSet::from([COMMON]);
    modules.extend(contract.tags.iter().map(|tag| tag.name.as_str()));
    modules.extend(contract.schemas.iter().map(|(_, (home, _))| home.as_str()));
    modules.into_iter().collect()
}

/// The module of the other modules.
fn root(contract: &Contract, modules: &[&str]) -> String {
    let mut text = emit::header(SOURCE);
    text += "//! What the contract says the server serves.\n\n";
    for module in modules {
        let about = contract.tags.iter().find(|tag| tag.name == *module);
        let about = about.map_or("Types that several domains share.", |tag| &tag.description);
        _ = write!(
            text,
            "{}#[path = \"{module}.gen.rs\"]\npub mod {module};\n",
            emit::doc(about)
        );
    }
    text += "/// Every operation, with who may call it.\n";
    text += "#[path = \"operations.gen.rs\"]\npub mod operations;\n\n";
    text += include_str!("templates/generated.tmpl");
    text += "\n/// What the code serves, as utoipa reads it off the handlers and types.\n";
    text += "pub fn openapi() -> utoipa::openapi::OpenApi {\nlet mut all = common::openapi();\n";
    for module in modules.iter().filter(|module| **module != COMMON) {
        _ = writeln!(text, "all.merge({module}::openapi());");
    }
    text += "all\n}\n";
    text
}

/// One module: its types, and the operations of its tag.
fn module_text(contract: &Contract, usage: &Usage, module: &str) -> Result<String> {
    let mut types = dto::Module::new(contract, usage, module);
    for (name, (home, schema)) in contract.schemas.iter() {
        if home == module {
            types
                .schema(name, schema)
                .with_context(|| format!("components: schemas: {name}"))?;
        }
    }
    let operations: Vec<_> = contract
        .operations
        .iter()
        .filter(|operation| operation.tag == module)
        .collect();
    for operation in &operations {
        ensure!(
            !matches!(operation.id.as_str(), "routes" | "openapi"),
            "the operationId `{}` is the name of a function besides the handlers",
            operation.id
        );
    }
    let api = api::text(contract, &mut types, &operations)?;
    let about = contract.tags.iter().find(|tag| tag.name == module);
    let about = about.map_or("Types that several domains share.", |tag| &tag.description);
    let schemas = types.documented();
    let body = types.text() + &api + &document::listing(&operations, &schemas);
    let mut text = emit::header(SOURCE);
    for line in emit::doc(about).lines() {
        _ = writeln!(text, "{}", line.replacen("///", "//!", 1));
    }
    text.push('\n');
    text += &imports(&body);
    text += &body;
    Ok(text)
}

/// The imports that the text of a module needs.
fn imports(body: &str) -> String {
    // What is said in prose needs no import.
    let code: Vec<&str> = body
        .lines()
        .filter(|line| !line.trim_start().starts_with("///"))
        .collect();
    let code = code.join("\n");
    let uses = |word: &str| {
        code.match_indices(word).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            let after = code[at + word.len()..].chars().next();
            let part = |c: char| c.is_alphanumeric() || c == '_';
            let really = match word {
                // The module, rather than a word of some description.
                "operations" => after == Some(':'),
                // The error, rather than a type of the contract.
                "Problem" => after == Some('>'),
                _ => true,
            };
            really && !before.is_some_and(|c| part(c) || c == ':') && !after.is_some_and(part)
        })
    };
    let pick = |names: &[&str]| -> Vec<String> {
        let used = names.iter().filter(|name| {
            let last = name.rsplit("::").next().unwrap_or(name);
            uses(last)
        });
        used.map(|name| (*name).to_owned()).collect()
    };
    let groups: [(&str, &[&str]); 8] = [
        (
            "std",
            &[
                "collections::BTreeMap",
                "fmt",
                "str::FromStr",
                "sync::LazyLock",
            ],
        ),
        (
            "actix_web",
            &["HttpRequest", "HttpResponse", "http::StatusCode", "web"],
        ),
        ("regex", &["Regex"]),
        ("serde", &["Deserialize", "Serialize"]),
        ("utoipa", &["IntoParams", "OpenApi", "ToSchema"]),
        ("validator", &["Validate", "ValidationError"]),
        ("super", &["UnknownValue", "operations"]),
        (
            "crate",
            &["Caller", "Guest", "Problem", "Versioned", "call::Call"],
        ),
    ];
    let mut text = String::new();
    for (krate, names) in groups {
        let used = pick(names);
        if !used.is_empty() {
            _ = writeln!(text, "use {krate}::{{{}}};", used.join(", "));
        }
        if krate == "std" || krate == "validator" {
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
