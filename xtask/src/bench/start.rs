//! From the start of the process to the first answer, and its memory when it does nothing.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    proc,
    programs::Programs,
    report::{Must, Row, median, range},
    served::Server,
};
use crate::progress::Progress;

const TIMES: usize = 5;

/// How long a server is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(5);

/// Measures starts, on an empty folder and on one with data.
pub(super) fn measure_start(programs: &Programs, folder: &Path) -> Result<Vec<Row>> {
    let progress = Progress::spinner("  starting over and over");
    let mut empty = Vec::new();
    let mut existing = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        let server = Server::start(programs, folder)?;
        empty.push(answered(&server, began)?);
        server.sign_up()?;
        let began = Instant::now();
        let server = server.restart()?;
        existing.push(answered(&server, began)?);
    }
    progress.end();
    let row = |what, times: Vec<f64>| {
        let (least, greatest) = range(&times);
        let row = Row::new(what, median(times), "s").must(Must::Below(1.0));
        row.detail(format!("{least:.3}-{greatest:.3} s to the first 200"))
    };
    Ok(vec![
        row("start on an empty folder", empty),
        row("start after kill -9", existing),
    ])
}

/// Waits for the first answer; how long it took since the start.
fn answered(server: &Server, began: Instant) -> Result<f64> {
    server.guest().get("/healthz")?;
    Ok(began.elapsed().as_secs_f64())
}

/// Measures the memory of a server that does nothing.
pub(super) fn measure_idle(programs: &Programs, folder: &Path) -> Result<Vec<Row>> {
    let progress = Progress::spinner("  leaving a server alone");
    let server = Server::start(programs, folder)?;
    server.guest().get("/healthz")?;
    let before = proc::time(server.pid())?;
    thread::sleep(REST);
    let spent = proc::time(server.pid())?.saturating_sub(before);
    let resident = mebibytes(proc::resident(server.pid())?);
    progress.end();
    let busy = spent.as_secs_f64() / REST.as_secs_f64() * 100.0;
    let row = Row::new("idle memory without the model", resident, "MiB");
    let row = row.must(Must::Below(60.0));
    Ok(vec![
        row.detail(format!("{busy:.1} % of one core meanwhile")),
    ])
}

/// KiB as MiB.
#[expect(
    clippy::cast_precision_loss,
    reason = "no process has that much memory"
)]
pub(super) fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}
