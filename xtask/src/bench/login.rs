//! Logins, against argon2id alone.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    http::Client,
    proc,
    programs::Programs,
    report::{Must, Row, median},
    served::{self, EMAIL, PASSWORD, Server},
};
use crate::progress::Progress;

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(4);

/// Measures it.
pub(super) fn measure(programs: &Programs, folder: &Path) -> Result<Vec<Row>> {
    let progress = Progress::spinner("  logging in over and over");
    let baseline = served::baseline(programs)?;
    let server = Server::start(programs, folder)?;
    server.sign_up()?;
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    let login = |client: &Client| client.post("/v1/auth/login", &body);
    let hash = |client: &Client| client.get("/hash");
    let mut logins = Vec::new();
    let mut hashes = Vec::new();
    for _ in 0..ROUNDS {
        logins.push(round(&server.served.address, server.pid(), login)?);
        hashes.push(round(&baseline.address, baseline.pid(), hash)?);
    }
    progress.end();
    let (rate, cost) = medians(&logins);
    let (alone_rate, alone_cost) = medians(&hashes);
    let detail = format!("{:.2} ms against {:.2} ms", cost * 1e3, alone_cost * 1e3);
    Ok(vec![
        Row::new("CPU of a login / argon2id alone", cost / alone_cost, "")
            .must(Must::AtMost(1.05))
            .detail(detail),
        Row::new("logins", rate, "/s").detail(format!("{alone_rate:.1} hashes/s alone")),
    ])
}

/// How many per second, and seconds of processor time for each.
type Round = (f64, f64);

fn medians(rounds: &[Round]) -> Round {
    let (rates, costs) = rounds.iter().copied().unzip();
    (median(rates), median(costs))
}

/// Does something over and over, on as many threads as there are cores.
fn round(address: &str, pid: u32, work: impl Fn(&Client) -> Result<Value> + Sync) -> Result<Round> {
    let before = proc::time(pid)?;
    let began = Instant::now();
    let one = || -> Result<u32> {
        let client = Client::new(address, None);
        let mut done = 0;
        while began.elapsed() < ROUND {
            work(&client)?;
            done += 1;
        }
        Ok(done)
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let done: Result<Vec<u32>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(one)).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<u32>>| {
            thread.join().ok().context("a thread broke down")?
        };
        threads.into_iter().map(join).collect()
    });
    let done: u32 = done?.iter().sum();
    let took = began.elapsed();
    let spent = proc::time(pid)?.saturating_sub(before);
    let done = f64::from(done);
    Ok((done / took.as_secs_f64(), spent.as_secs_f64() / done))
}
