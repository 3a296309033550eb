//! Postgres: reading by a key, and searching by vectors, against the same without the adapter.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    load::press,
    programs::Programs,
    report::{Must, Row, median},
    served::Server,
};
use crate::{process, progress::Progress, services};

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(5);

/// Measures reading by a key.
pub(super) fn measure_reads(programs: &Programs, root: &Path, folder: &Path) -> Result<Vec<Row>> {
    let progress = Progress::spinner("  reading by a key");
    let alone = figures(programs, root, &["reads"])?;
    let select = figure(&alone, "select")?;
    let through = |name| Ok::<_, anyhow::Error>(figure(&alone, name)? / select);
    let (fenced, repository) = (through("fenced_select")?, through("repository")?);
    let served = served(programs, root, folder)?;
    progress.end();
    let detail = format!("{served:.0}/s against {select:.0}/s");
    Ok(vec![
        Row::new("read by key over HTTP / a bare SELECT", served / select, "")
            .must(Must::AtLeast(0.6))
            .detail(detail),
        Row::new("read by key in the adapter / a bare SELECT", repository, ""),
        Row::new("cost of row-level security on it", 1.0 - fenced, "").must(Must::AtMost(0.15)),
    ])
}

/// How many pipelines a server reads per second.
fn served(programs: &Programs, root: &Path, folder: &Path) -> Result<f64> {
    let database = Lent::start(programs, root)?;
    let settings = [
        ("DATABASE_URL", database.server.as_str()),
        ("DATABASE_OWNER_URL", database.owner.as_str()),
    ];
    let server = Server::with(programs, folder, &settings)?;
    let client = server.client(&server.sign_up()?);
    let definition =
        json!({ "steps": [{ "id": "nap", "tool": "time.sleep", "with": { "seconds": 0 } }] });
    let pipeline = json!({ "name": "measured", "definition": definition });
    let pipeline = client.post("/v1/pipelines", &pipeline)?;
    let id = pipeline["id"].as_str().context("there is no id")?;
    let path = format!("/v1/pipelines/{id}");
    let rates: Result<Vec<f64>> = (0..ROUNDS).map(|_| press(&client, &path, ROUND)).collect();
    Ok(median(rates?))
}

/// Measures searching among so many vectors.
pub(super) fn measure_vectors(programs: &Programs, root: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for count in ["10000", "100000"] {
        let progress = Progress::spinner(&format!(
            "  searching {count} vectors, which are made first"
        ));
        let found = figures(programs, root, &["vectors", count])?;
        progress.end();
        let (adapter, sql) = (figure(&found, "adapter")?, figure(&found, "sql")?);
        let detail = format!("{:.2} ms against {:.2} ms", adapter * 1e3, sql * 1e3);
        rows.push(
            Row::new(
                format!("search of {count} x 1536 / plain SQL"),
                adapter / sql,
                "",
            )
            .must(Must::AtMost(1.3))
            .detail(detail),
        );
        let recall = Row::new(
            format!("recall@10 of {count} x 1536"),
            figure(&found, "recall")?,
            "",
        );
        rows.push(recall.must(Must::AtLeast(0.95)));
    }
    Ok(rows)
}

/// What the program finds that measures the adapter.
fn figures(programs: &Programs, root: &Path, arguments: &[&str]) -> Result<Value> {
    let mut command = program(programs, root)?;
    let output = command.args(arguments).stderr(Stdio::inherit()).output()?;
    let ending = process::ending(output.status);
    ensure!(output.status.success(), "{command:?} {ending}");
    serde_json::from_slice(&output.stdout).context("figures are JSON")
}

fn figure(figures: &Value, name: &str) -> Result<f64> {
    let figure = figures[name].as_f64();
    figure.with_context(|| format!("there is no figure called {name}"))
}

/// The program that measures the adapter, told where Postgres is.
fn program(programs: &Programs, root: &Path) -> Result<Command> {
    let (variables, errors) = services::for_tests(root)?;
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let mut command = Command::new(&programs.postgres);
    process::forget_this_package(&mut command);
    command.envs(variables);
    Ok(command)
}

/// A database that is there until this is dropped.
struct Lent {
    lender: Child,
    server: String,
    owner: String,
}

impl Lent {
    fn start(programs: &Programs, root: &Path) -> Result<Self> {
        let mut command = program(programs, root)?;
        command.arg("database");
        let mut lender = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = lender.stdout.take().context("the program has no output")?;
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let urls: Value = serde_json::from_str(&line).context("the program lends no database")?;
        let url = |name| urls[name].as_str().map(ToOwned::to_owned);
        let (Some(server), Some(owner)) = (url("server"), url("owner")) else {
            anyhow::bail!("the program lends no database");
        };
        Ok(Self {
            lender,
            server,
            owner,
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.lender.stdin.take());
        _ = self.lender.wait();
    }
}
