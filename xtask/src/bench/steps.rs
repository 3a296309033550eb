//! Runs of pipelines, each step durable before the next begins.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::{
    http::Client,
    programs::Programs,
    report::{Must, Row, median, range},
    served::Server,
};
use crate::progress::Progress;

/// How many steps follow one another.
const STEPS: usize = 40;

/// How many items a fan-out has.
const ITEMS: usize = 1000;

/// How many times each is run.
const TIMES: usize = 5;

/// How many times a system at rest is woken up.
const WAKE_UPS: usize = 20;

/// How long it is left alone before.
const REST: Duration = Duration::from_millis(150);

/// How often it is looked whether a run has ended.
const LOOK: Duration = Duration::from_millis(20);

/// How long a run may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Measures it.
pub(super) fn measure(programs: &Programs, folder: &Path) -> Result<Vec<Row>> {
    let server = Server::start(programs, folder)?;
    let client = server.client(&server.sign_up()?);
    let progress = Progress::spinner("  running 40 steps one after the other");
    let sequence = times(&client, &sequence(), &json!({}), "succession")?;
    progress.end();
    let progress = Progress::spinner("  running 1,000 steps side by side");
    let items: Vec<usize> = (0..ITEMS).collect();
    let fan_out = times(&client, &fan_out(), &json!({ "items": items }), "fan-out")?;
    progress.end();
    let progress = Progress::spinner("  waking a server at rest");
    let wake_up = wake_up(&client)?;
    progress.end();
    let row = |what, times: Vec<f64>, unit| {
        let (least, greatest) = range(&times);
        let detail = format!("{least:.3}-{greatest:.3} {unit}");
        Row::new(what, median(times), unit).detail(detail)
    };
    Ok(vec![
        row("40 durable steps in succession", sequence, "s").must(Must::Below(0.1)),
        row("fan-out of 1,000 steps and join", fan_out, "s"),
        row("start of a run to its first step", wake_up, "ms"),
    ])
}

/// Steps of which each needs the one before.
fn sequence() -> Value {
    let step = |at: usize| {
        let input = match at.checked_sub(1) {
            None => json!(0),
            Some(before) => json!(format!("{{{{ steps.s{before}.output.result }}}}")),
        };
        let with = json!({ "input": input, "filter": ". + 1" });
        json!({ "id": format!("s{at}"), "tool": "json.transform", "with": with })
    };
    let steps: Vec<Value> = (0..STEPS).map(step).collect();
    let last = format!("{{{{ steps.s{}.output.result }}}}", STEPS - 1);
    json!({ "steps": steps, "outputs": { "count": last } })
}

/// A step for each item, and one for all.
fn fan_out() -> Value {
    let each = json!({ "input": "{{ item }}", "filter": ". + 1" });
    let join = json!({ "input": "{{ steps.each.output | length }}", "filter": "." });
    json!({
        "inputs": { "items": { "type": "array" } },
        "steps": [
            { "id": "each", "tool": "json.transform", "for_each": "{{ inputs.items }}", "with": each },
            { "id": "join", "tool": "json.transform", "with": join },
        ],
        "outputs": { "count": "{{ steps.join.output.result }}" },
    })
}

/// Makes a pipeline; its path.
fn pipeline(client: &Client, name: &str, definition: &Value) -> Result<String> {
    let body = json!({ "name": name, "definition": definition });
    let pipeline = client.post("/v1/pipelines", &body)?;
    let id = pipeline["id"].as_str().context("the pipeline has no id")?;
    Ok(format!("/v1/pipelines/{id}"))
}

/// Runs a pipeline several times; how many seconds each run took, from its creation to its end.
fn times(client: &Client, definition: &Value, input: &Value, name: &str) -> Result<Vec<f64>> {
    let pipeline = pipeline(client, name, definition)?;
    let time = |_| {
        let run = run(client, &pipeline, input)?;
        between(&run["created_at"], &run["completed_at"])
    };
    (0..TIMES).map(time).collect()
}

/// Runs a pipeline, and waits for the end.
fn run(client: &Client, pipeline: &str, input: &Value) -> Result<Value> {
    let body = json!({ "input": input });
    let run = client.post(&format!("{pipeline}/runs"), &body)?;
    let path = format!(
        "/v1/runs/{}",
        run["id"].as_str().context("the run has no id")?
    );
    let began = Instant::now();
    loop {
        thread::sleep(LOOK);
        let run = client.get(&path)?;
        match run["status"].as_str() {
            Some("succeeded") => return Ok(run),
            Some("failed" | "cancelled") => bail!("the run failed: {run}"),
            _ => ensure!(began.elapsed() < PATIENCE, "the run does not end: {run}"),
        }
    }
}

/// How many milliseconds pass from the creation of a run to the start of its first step.
fn wake_up(client: &Client) -> Result<Vec<f64>> {
    let with = json!({ "input": 1, "filter": "." });
    let step = json!({ "id": "only", "tool": "json.transform", "with": with });
    let pipeline = pipeline(client, "wake-up", &json!({ "steps": [step] }))?;
    let time = |_| {
        thread::sleep(REST);
        let run = run(client, &pipeline, &json!({}))?;
        Ok(between(&run["created_at"], &run["started_at"])? * 1e3)
    };
    (0..WAKE_UPS).map(time).collect()
}

/// Seconds between two times of less than a day.
fn between(from: &Value, to: &Value) -> Result<f64> {
    let seconds = |time: &Value| {
        let seconds = time.as_str().and_then(second_of_day);
        seconds.with_context(|| format!("{time} is no time"))
    };
    Ok((seconds(to)? - seconds(from)?).rem_euclid(24.0 * 60.0 * 60.0))
}

/// The time of day in `2026-01-02T03:04:05.678901Z`, in seconds.
fn second_of_day(time: &str) -> Option<f64> {
    let (_, time) = time.strip_suffix('Z')?.split_once('T')?;
    let mut parts = time.split(':').map(|part| part.parse::<f64>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    Some((hours * 60.0 + minutes) * 60.0 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_may_pass_midnight() {
        let span = between(
            &json!("2026-01-02T23:59:59.900000Z"),
            &json!("2026-01-03T00:00:00.150000Z"),
        );
        assert!((span.unwrap() - 0.25).abs() < 1e-6);
        assert!(between(&json!(null), &json!("2026-01-03T00:00:00Z")).is_err());
    }
}
