//! An S3 server: `xtask/s3`, built here, because no package has one that is small, checks
//! signatures and keeps large objects out of memory.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::{Service, Variable, daemon::listens, place::Place};
use crate::{process, progress::Progress};

pub(super) const SERVICE: Service = Service {
    name: "S3",
    daemons: &["s3"],
    up,
    variables,
};

/// The bucket that is there from the start.
const BUCKET: &str = "archesai";

fn up(place: &Place) -> Result<()> {
    let daemon = place.daemon("s3");
    if daemon.running().is_some() {
        return Ok(());
    }
    let program = build(place)?;
    let _progress = Progress::spinner("starting S3");
    daemon.prepare()?;
    fs::create_dir_all(daemon.data().join(BUCKET))?;
    let port = daemon.free_port()?;
    let mut s3 = Command::new(program);
    s3.arg(daemon.data()).arg(format!("127.0.0.1:{port}"));
    daemon.start(port, &mut s3, || listens(port))
}

/// Builds the program; where it lies.
fn build(place: &Place) -> Result<PathBuf> {
    let _progress = Progress::spinner("building the S3 server, which takes a minute once");
    let mut cargo = process::cargo(&place.root.join("xtask/s3"))?;
    cargo.args(["build", "--quiet", "--locked"]);
    cargo.arg("--message-format=json-render-diagnostics");
    cargo.env("CARGO_TARGET_DIR", process::target()?.join("s3"));
    let output = cargo.output().context("starting cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "it cannot be built\n{}",
        said.trim_end()
    );
    process::executable(&String::from_utf8_lossy(&output.stdout), "archesai-s3")
        .context("cargo built no program called archesai-s3")
}

fn variables(ports: &[u16]) -> Vec<Variable> {
    let endpoint = format!("http://127.0.0.1:{}", ports[0]);
    vec![
        ("ARCHESAI_TEST_S3_ENDPOINT", endpoint),
        ("ARCHESAI_TEST_S3_BUCKET", BUCKET.to_owned()),
        ("ARCHESAI_TEST_S3_ACCESS_KEY", "archesai".to_owned()),
        ("ARCHESAI_TEST_S3_SECRET_KEY", "archesai-secret".to_owned()),
    ]
}
