//! The rings: who may depend on whom.

use super::{
    Finding,
    workspace::{Package, short},
};

/// The bounded contexts.
pub(super) const DOMAINS: &[&str] = &["auth", "organizations", "workflows", "content"];

/// What the tree of a domain consists of, besides itself: serde and its macros.
const SERDE: [&str; 7] = [
    "serde",
    "serde_core",
    "serde_derive",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
];

/// Where a crate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ring {
    /// Entities, rules, ports and services.
    Domain,
    /// The ports that are about no domain.
    Platform,
    /// What adapters are built with, and no domain knows.
    Support,
    /// What a domain calls.
    Driven,
    /// What calls a domain.
    Driving,
    /// The one that names concrete adapters.
    Root,
    /// The other side of the wire.
    Client,
    /// What only tests and maintainers use.
    Development,
}

/// The ring of each crate, by the name of its folder.
fn ring(name: &str) -> Option<Ring> {
    Some(match name {
        _ if DOMAINS.contains(&name) => Ring::Domain,
        "platform" => Ring::Platform,
        "bus" | "tls" => Ring::Support,
        "postgres" | "sqlite" | "redis" | "nats" | "memory" | "crypto" | "storage" | "mail"
        | "oauth" | "ai" | "tools" | "egress" => Ring::Driven,
        "http" | "worker" => Ring::Driving,
        "server" => Ring::Root,
        "client" | "cli" => Ring::Client,
        "conformance" | "xtask" => Ring::Development,
        _ => return None,
    })
}

/// Whether a crate of one ring may be built from a crate of another.
fn may_need(from: Ring, to: Ring) -> bool {
    match from {
        Ring::Domain | Ring::Platform => false,
        Ring::Support => to == Ring::Platform,
        Ring::Driven => matches!(to, Ring::Domain | Ring::Platform | Ring::Support),
        Ring::Driving => matches!(to, Ring::Domain | Ring::Platform),
        Ring::Root => !matches!(to, Ring::Development | Ring::Client | Ring::Root),
        Ring::Client => to == Ring::Client,
        Ring::Development => true,
    }
}

/// The rings of the workspace: an arrow that points outwards or sideways is a finding. What a
/// crate's tests and examples use is their own affair.
pub(super) fn rings(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let manifest = package.manifest();
        let Some(from) = ring(package.short()) else {
            let message = "the crate stands in no ring; add it to xtask/src/tidy/rings.rs";
            findings.push(Finding::of(&manifest, message));
            continue;
        };
        for need in package.needs().filter(|need| is_ours(need, packages)) {
            if ring(short(need)).is_some_and(|to| !may_need(from, to)) {
                findings.push(Finding::of(&manifest, refusal(from, need)));
            }
        }
    }
    findings
}

fn is_ours(name: &str, packages: &[Package]) -> bool {
    packages.iter().any(|package| package.name == name)
}

/// Why a crate of a ring must not need another.
fn refusal(from: Ring, need: &str) -> String {
    let why = match from {
        Ring::Domain => "a domain names no other crate: ask through a port of its own",
        Ring::Platform => "the shared ports stand below everything else",
        Ring::Support => "what adapters are built with knows the shared ports at most",
        Ring::Driven => {
            "an adapter names domains only: let the server plug it together with others"
        }
        Ring::Driving => "what drives the domains names no adapter: let the server hand it one",
        Ring::Root => "the server needs nothing of tests and clients",
        Ring::Client => "a client knows the server by its contract only",
        Ring::Development => "",
    };
    format!("must not depend on {need}; {why}")
}

/// The normal dependencies of a domain are exactly serde; so are those of the shared ports.
pub(super) fn only_serde(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let bound = [Some(Ring::Domain), Some(Ring::Platform)];
        if !bound.contains(&ring(package.short())) {
            continue;
        }
        let needs: Vec<&str> = package.needs().collect();
        if needs != ["serde"] {
            let found = needs.join(", ");
            let message = format!("must depend on serde and nothing else, and depends on: {found}");
            findings.push(Finding::of(&package.manifest(), message));
        }
    }
    findings
}

/// What a domain is built from, at any depth, is serde.
pub(super) fn tree(domain: &str, names: &[String]) -> Vec<Finding> {
    let itself = format!("archesai-{domain}");
    let is_foreign = |name: &&String| **name != itself && !SERDE.contains(&name.as_str());
    let foreign = names.iter().filter(is_foreign);
    let finding = |name: &String| {
        let message = format!("is built from {name}; only serde and its macros may be in the tree");
        Finding::of(&format!("crates/{domain}/Cargo.toml"), message)
    };
    foreign.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::workspace::{Dependency, fixtures::package},
        *,
    };

    fn messages(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(Finding::to_string).collect()
    }

    /// The crate, plus every crate of ours that it may name.
    fn found(name: &str, need: &str) -> usize {
        let name = format!("archesai-{name}");
        let need = format!("archesai-{need}");
        rings(&[package(&name, &[&need, "serde"]), package(&need, &[])]).len()
    }

    #[test]
    fn arrows_point_inwards() {
        for (from, to) in [
            ("sqlite", "auth"),
            ("sqlite", "platform"),
            ("redis", "bus"),
            ("bus", "platform"),
            ("http", "content"),
            ("server", "sqlite"),
            ("server", "worker"),
            ("conformance", "content"),
            ("cli", "client"),
        ] {
            assert_eq!(found(from, to), 0, "{from} may need {to}");
        }
        for (from, to) in [
            ("auth", "organizations"),
            ("auth", "platform"),
            ("platform", "auth"),
            ("sqlite", "memory"),
            ("bus", "content"),
            ("ai", "egress"),
            ("storage", "http"),
            ("crypto", "server"),
            ("http", "sqlite"),
            ("http", "worker"),
            ("worker", "tools"),
            ("sqlite", "conformance"),
            ("server", "conformance"),
            ("client", "http"),
        ] {
            assert_eq!(found(from, to), 1, "{from} must not need {to}");
        }
    }

    #[test]
    fn tests_may_use_what_the_crate_may_not() {
        let mut storage = package("archesai-storage", &[]);
        storage.dependencies.push(Dependency {
            name: "archesai-conformance".to_owned(),
            kind: Some("dev".to_owned()),
        });
        assert!(rings(&[storage, package("archesai-conformance", &[])]).is_empty());
    }

    #[test]
    fn a_crate_without_a_ring_is_named() {
        let findings = rings(&[package("archesai-surprise", &[])]);
        assert_eq!(
            messages(&findings),
            ["crates/surprise/Cargo.toml: the crate stands in no ring; \
                 add it to xtask/src/tidy/rings.rs"]
        );
    }

    #[test]
    fn a_domain_needs_exactly_serde() {
        assert!(only_serde(&[package("archesai-auth", &["serde"])]).is_empty());
        assert!(only_serde(&[package("archesai-http", &["uuid"])]).is_empty());
        for needs in [&["serde", "uuid"][..], &[], &["chrono"]] {
            assert_eq!(only_serde(&[package("archesai-auth", needs)]).len(), 1);
            assert_eq!(only_serde(&[package("archesai-platform", needs)]).len(), 1);
        }
    }

    #[test]
    fn the_tree_of_a_domain_is_serde() {
        let names = ["archesai-auth", "serde", "serde_core", "syn"].map(str::to_owned);
        assert!(tree("auth", &names).is_empty());
        let names = ["archesai-auth", "serde", "uuid"].map(str::to_owned);
        assert_eq!(tree("auth", &names).len(), 1);
    }
}
