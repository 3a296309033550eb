//! Authenticated reads, against the framework alone.

use std::{path::Path, time::Duration};

use anyhow::Result;

use super::{
    http::Client,
    load::press,
    proc,
    programs::Programs,
    report::{Must, Row, median, range},
    served::{self, Server},
};
use crate::progress::Progress;

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(5);
const WARM_UP: Duration = Duration::from_secs(1);

const PATH: &str = "/v1/users/me";

/// One side of the comparison.
struct Side {
    client: Client,
    path: &'static str,
    pid: u32,
    /// Requests per second, round by round.
    rates: Vec<f64>,
    /// Microseconds of processor time for each request, round by round.
    costs: Vec<f64>,
}

impl Side {
    fn new(client: Client, path: &'static str, pid: u32) -> Self {
        Self {
            client,
            path,
            pid,
            rates: Vec::new(),
            costs: Vec::new(),
        }
    }

    fn round(&mut self) -> Result<()> {
        let before = proc::time(self.pid)?;
        let rate = press(&self.client, self.path, ROUND)?;
        let spent = proc::time(self.pid)?.saturating_sub(before);
        let requests = rate * ROUND.as_secs_f64();
        self.rates.push(rate);
        self.costs.push(spent.as_secs_f64() * 1e6 / requests);
        Ok(())
    }

    fn rate(&self) -> f64 {
        median(self.rates.clone())
    }

    fn told(&self) -> String {
        let (least, greatest) = range(&self.rates);
        let cost = median(self.costs.clone());
        format!("{least:.0}-{greatest:.0}/s at {cost:.1} us of CPU")
    }
}

/// Measures it.
pub(super) fn measure(programs: &Programs, folder: &Path) -> Result<Vec<Row>> {
    let quiet = compare(programs, folder, "authenticated read / constant", &[])?;
    let logging = &[("LOG", "info,actix_server=warn")];
    let logged = compare(programs, folder, "the same with the access log", logging)?;
    Ok(vec![quiet.must(Must::AtLeast(0.6)), logged])
}

/// The rounds of both sides take turns, so that whatever else happens happens to both.
fn compare(
    programs: &Programs,
    folder: &Path,
    what: &str,
    settings: &[(&'static str, &'static str)],
) -> Result<Row> {
    let progress = Progress::spinner(&format!("  {what}"));
    let baseline = served::baseline(programs)?;
    let server = Server::with(programs, folder, settings)?;
    let token = server.sign_up()?;
    let constant = Client::new(&baseline.address, Some(&token));
    let mut sides = [
        Side::new(server.client(&token), PATH, server.pid()),
        Side::new(constant, "/constant", baseline.pid()),
    ];
    for side in &sides {
        press(&side.client, side.path, WARM_UP)?;
    }
    for _ in 0..ROUNDS {
        for side in &mut sides {
            side.round()?;
        }
    }
    progress.end();
    let [read, constant] = &sides;
    let ratio = read.rate() / constant.rate();
    let detail = format!("{} against {}", read.told(), constant.told());
    Ok(Row::new(what, ratio, "").detail(detail))
}
