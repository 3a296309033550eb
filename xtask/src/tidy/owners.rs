//! What only one crate may do: talk SQL, touch files, read the environment, ask the clock, roll
//! dice, call out. What is written here is what `clippy.toml` says about single functions, said
//! about whole modules and crates.

use super::{
    Finding,
    files::File,
    mentions::{Mention, What},
    workspace::Package,
};

/// Something that has an owner.
struct Owned {
    /// Paths; a longer path that contains one of them counts too.
    paths: &'static [&'static str],
    /// Where it is allowed: folders or files, from the root of the workspace.
    owners: &'static [&'static str],
    /// What to do instead.
    instead: &'static str,
}

/// What code names and only its owners may.
const OWNED: [Owned; 5] = [
    Owned {
        paths: &["std::fs", "tokio::fs"],
        owners: &["crates/storage/"],
        instead: "files are the business of crates/storage: call it, or ask through a port",
    },
    Owned {
        paths: &[
            "env::var",
            "env::var_os",
            "env::vars",
            "env::vars_os",
            "env::set_var",
        ],
        owners: &["crates/server/src/config"],
        instead: "the environment is read by crates/server/src/config: take a setting",
    },
    Owned {
        paths: &["SystemTime::now", "Utc::now", "Local::now"],
        owners: &["crates/crypto/"],
        instead: "time comes through the port `Clock`, so that tests can set it",
    },
    Owned {
        paths: &["Instant::now"],
        owners: &[
            "crates/http/",
            "crates/worker/",
            "crates/server/",
            "crates/sqlite/",
            "crates/postgres/",
            "crates/memory/",
        ],
        instead: "only what drives the domains, and waits for connections, measure elapsed time",
    },
    Owned {
        paths: &["Uuid::new_v4", "Uuid::now_v7", "rand::rng", "rand::random"],
        owners: &["crates/crypto/"],
        instead: "identifiers come through the port `Ids`, secrets from crates/crypto",
    },
];

/// A place that may do what it does not own.
struct Exception {
    file: &'static str,
    path: &'static str,
    /// Why.
    reason: &'static str,
}

/// The exceptions. One that nothing needs any more is a finding.
const EXCEPTIONS: [Exception; 2] = [
    Exception {
        file: "crates/ai/src/local/mod.rs",
        path: "tokio::fs",
        reason: "looks whether the model's files are there; they are a program's parts, no user's",
    },
    Exception {
        file: "crates/ai/src/local/engine.rs",
        path: "tokio::fs",
        reason: "reads the weights, which storage would only copy",
    },
];

/// Packages that only some crates may be built from.
struct OwnedPackage {
    /// The beginning of the package's name, or all of it.
    names: &'static [&'static str],
    owners: &'static [&'static str],
    instead: &'static str,
}

/// What manifests name and only its owners may.
const OWNED_PACKAGES: [OwnedPackage; 4] = [
    OwnedPackage {
        names: &[
            "diesel",
            "libsqlite3-sys",
            "rusqlite",
            "sqlx",
            "tokio-postgres",
        ],
        // The suites make a database for each test.
        owners: &["sqlite", "postgres", "conformance"],
        instead: "SQL is spoken in crates/sqlite and crates/postgres",
    },
    OwnedPackage {
        names: &["reqwest", "hyper", "awc", "ureq", "isahc"],
        owners: &["egress", "ai", "oauth", "storage", "client"],
        instead: "whatever follows a user's URL goes through crates/egress",
    },
    OwnedPackage {
        names: &["rand", "getrandom", "fastrand"],
        owners: &["crypto"],
        instead: "randomness comes through the port `Ids` or from crates/crypto",
    },
    OwnedPackage {
        names: &["object_store"],
        owners: &["storage"],
        instead: "files are the business of crates/storage",
    },
];

/// What is named outside of the crate that owns it.
pub(super) fn mentions(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mention in file.product() {
        for owned in &OWNED {
            let is_owner = owned
                .owners
                .iter()
                .any(|owner| file.path.starts_with(owner));
            if let Some(path) = names(mention, owned.paths)
                && !is_owner
                && !is_excepted(file, path)
            {
                let message = format!("names {path}; {}", owned.instead);
                findings.push(Finding::at(&file.path, mention.line, message));
            }
        }
    }
    findings
}

/// The one of some paths that a mention contains.
fn names(mention: &Mention, paths: &[&'static str]) -> Option<&'static str> {
    let mentioned = format!("::{}::", mention.path()?);
    let contains = |path: &&&str| mentioned.contains(&format!("::{path}::"));
    paths.iter().find(contains).copied()
}

fn is_excepted(file: &File, path: &str) -> bool {
    let mut exceptions = EXCEPTIONS.iter();
    exceptions.any(|exception| exception.file == file.path && exception.path == path)
}

/// The exceptions that nothing needs.
pub(super) fn idle_exceptions(files: &[File]) -> Vec<Finding> {
    let is_needed = |exception: &&Exception| {
        let needs = |mention: &Mention| names(mention, &[exception.path]).is_some();
        let mut files = files.iter();
        files.any(|file| file.path == exception.file && file.product().any(needs))
    };
    let idle = EXCEPTIONS.iter().filter(|exception| !is_needed(exception));
    let finding = |exception: &Exception| {
        let Exception { file, path, reason } = exception;
        let message = format!(
            "no longer names {path}, as it may ({reason}); take the exception out of \
             xtask/src/tidy/owners.rs"
        );
        Finding::of(file, message)
    };
    idle.map(finding).collect()
}

/// Packages that a crate is built from and does not own.
pub(super) fn dependencies(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        for owned in &OWNED_PACKAGES {
            let is_owned = |need: &&str| {
                let mut names = owned.names.iter();
                names.any(|name| need == name || need.starts_with(&format!("{name}-")))
                    || (need.starts_with("diesel") && owned.names.contains(&"diesel"))
            };
            if owned.owners.contains(&package.short()) {
                continue;
            }
            for need in package.needs().filter(is_owned) {
                let message = format!("must not depend on {need}; {}", owned.instead);
                findings.push(Finding::of(&package.manifest(), message));
            }
        }
    }
    findings
}

/// Texts that read like SQL outside of the crates that speak it.
pub(super) fn sql(file: &File) -> Vec<Finding> {
    if file.is_of(&["sqlite", "postgres"]) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for mention in file.product() {
        if let What::Text(text) = &mention.what
            && is_sql(text)
        {
            let message = "reads like SQL; SQL is spoken in crates/sqlite and crates/postgres";
            findings.push(Finding::at(&file.path, mention.line, message));
        }
    }
    findings
}

/// How statements begin, and what then follows somewhere.
const STATEMENTS: [(&str, &str); 9] = [
    ("select ", " from "),
    ("insert into ", " values"),
    ("insert into ", " select "),
    ("update ", " set "),
    ("delete from ", ""),
    ("create table ", ""),
    ("alter table ", ""),
    ("drop table ", ""),
    ("pragma ", ""),
];

fn is_sql(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    let mut statements = STATEMENTS.iter();
    statements.any(|(first, then)| text.starts_with(first) && text.contains(then))
}

#[cfg(test)]
mod tests {
    use super::{super::workspace::fixtures::package, *};

    fn found(path: &str, text: &str) -> usize {
        mentions(&File::new(path, text)).len()
    }

    #[test]
    fn files_are_for_storage() {
        for text in [
            "use std::fs;",
            "use std::{io, fs::File};",
            "fn f() { tokio::fs::read(p); }",
        ] {
            assert_eq!(found("crates/tools/src/a.rs", text), 1, "{text}");
            assert_eq!(found("crates/storage/src/a.rs", text), 0, "{text}");
            assert_eq!(found("crates/tools/tests/a.rs", text), 0, "{text}");
            assert_eq!(found("crates/tools/build.rs", text), 0, "{text}");
            assert_eq!(found("xtask/src/a.rs", text), 0, "{text}");
            let tests = format!("#[cfg(test)] mod tests {{ {text} }}");
            assert_eq!(found("crates/tools/src/a.rs", &tests), 0, "{text}");
        }
    }

    #[test]
    fn the_environment_is_for_the_configuration() {
        for text in ["fn f() { env::var(n) }", "use std::env::{self, vars_os};"] {
            assert_eq!(found("crates/ai/src/a.rs", text), 1, "{text}");
            assert_eq!(found("crates/server/src/cli.rs", text), 1, "{text}");
            assert_eq!(
                found("crates/server/src/config/effective.rs", text),
                0,
                "{text}"
            );
        }
        assert_eq!(
            found("crates/ai/src/a.rs", "fn f() { std::env::current_exe() }"),
            0
        );
    }

    #[test]
    fn clock_and_dice_are_for_crypto() {
        for call in [
            "std::time::SystemTime::now()",
            "Utc::now()",
            "uuid::Uuid::now_v7()",
        ] {
            let text = format!("fn f() {{ {call} }}");
            assert_eq!(found("crates/http/src/a.rs", &text), 1, "{call}");
            assert_eq!(found("crates/auth/src/a.rs", &text), 1, "{call}");
            assert_eq!(found("crates/crypto/src/a.rs", &text), 0, "{call}");
        }
        let text = "fn f() { Instant::now() }";
        assert_eq!(found("crates/http/src/a.rs", text), 0);
        assert_eq!(found("crates/workflows/src/a.rs", text), 1);
    }

    #[test]
    fn an_exception_holds_where_it_is_made_and_while_it_is_needed() {
        let engine = |text| File::new("crates/ai/src/local/engine.rs", text);
        let reads = engine("fn f() { tokio::fs::read(p) }");
        assert!(mentions(&reads).is_empty());
        assert_eq!(mentions(&engine("use std::fs;")).len(), 1);
        let idle = |files: &[File]| idle_exceptions(files).len();
        assert_eq!(idle(&[engine("fn f() {}")]), EXCEPTIONS.len());
        assert_eq!(idle(&[reads]), EXCEPTIONS.len() - 1);
    }

    #[test]
    fn packages_have_owners() {
        for (need, owner, other) in [
            ("diesel", "sqlite", "http"),
            ("diesel-async", "sqlite", "worker"),
            ("diesel_migrations", "sqlite", "server"),
            ("reqwest", "egress", "tools"),
            ("rand", "crypto", "auth"),
            ("object_store", "storage", "server"),
        ] {
            let findings = |name: &str| dependencies(&[package(name, &[need])]).len();
            assert_eq!(
                findings(&format!("archesai-{owner}")),
                0,
                "{need} in {owner}"
            );
            assert_eq!(
                findings(&format!("archesai-{other}")),
                1,
                "{need} in {other}"
            );
        }
    }

    #[test]
    fn sql_is_for_the_databases() {
        let text = "const A: &str = \"SELECT id\\n FROM users\";";
        let found = |path: &str, text: &str| sql(&File::new(path, text)).len();
        assert_eq!(found("crates/http/src/a.rs", text), 1);
        assert_eq!(found("crates/sqlite/src/a.rs", text), 0);
        assert_eq!(
            found("crates/http/src/a.rs", "const A: &str = r#\"pragma x\"#;"),
            1
        );
        assert_eq!(
            found(
                "crates/http/src/a.rs",
                "const A: &str = \"update the key\";"
            ),
            0
        );
    }
}
