//! Three times as many requests as the server works on: what it does for them, and
//! whether it still says how it is.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::{
    http::Client,
    proc,
    programs::Programs,
    report::{Must, Row},
    served::Server,
};
use crate::progress::Progress;

/// How many requests are under way at the peak. More of them do no more.
const SUSTAINED: usize = 64;

/// How many are in overload: three times what the server works on at once.
const OVERLOAD: usize = 3 * 512;

const ROUND: Duration = Duration::from_secs(6);
const WARM_UP: Duration = Duration::from_secs(1);

/// How often the server is asked how it is.
const PROBE: Duration = Duration::from_millis(10);

/// Measures it.
pub(super) fn measure(programs: &Programs, folder: &Path) -> Result<Vec<Row>> {
    let progress = Progress::spinner("  writing more than it can");
    let server = Server::start(programs, folder)?;
    let client = server.client(&server.sign_up()?);
    press(&client, SUSTAINED, WARM_UP)?;
    let peak = press(&client, SUSTAINED, ROUND)?;
    proc::forget_peak(server.pid())?;
    let before = proc::resident(server.pid())?;
    let (overload, slowest) = probed(&server.guest(), || press(&client, OVERLOAD, ROUND))?;
    let grown = proc::peak(server.pid())?.saturating_sub(before);
    progress.end();
    let detail = format!(
        "{:.0}/s of {:.0}/s; {:.0}/s turned away",
        overload.done, peak.done, overload.shed
    );
    Ok(vec![
        Row::new(
            "writes in overload / at the peak",
            overload.done / peak.done,
            "",
        )
        .must(Must::AtLeast(0.8))
        .detail(detail),
        Row::new(
            "slowest /healthz in overload",
            slowest.as_secs_f64() * 1e3,
            "ms",
        )
        .must(Must::Below(100.0)),
        Row::new("memory that overload takes", to_mib(grown), "MiB").must(Must::AtMost(128.0)),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
fn to_mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// How many requests per second were carried out, and how many turned away.
struct Rates {
    done: f64,
    shed: f64,
}

/// Keeps so many writes under way for some time: goes round the connections, waits for
/// the answer of each and sends the next.
fn press(client: &Client, connections: usize, time: Duration) -> Result<Rates> {
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(client.open()?);
    }
    // Names that no earlier round used.
    let round = UNIX_EPOCH.elapsed()?.as_micros();
    let (mut number, mut done, mut shed) = (0_u32, 0_u32, 0_u32);
    let mut send = |stream: &mut TcpStream| -> Result<()> {
        number += 1;
        let body = json!({ "name": format!("{round}-{number}") }).to_string();
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("content-length", body.len().to_string()),
        ];
        let request = client.head("POST", "/v1/labels", &headers) + &body;
        Ok(stream.write_all(request.as_bytes())?)
    };
    for stream in &mut streams {
        send(stream)?;
    }
    let began = Instant::now();
    let mut buffer = vec![0; 16 * 1024];
    while began.elapsed() < time {
        for stream in &mut streams {
            match receive(stream, &mut buffer)? {
                201 => done += 1,
                503 => {
                    shed += 1;
                    // Whoever is turned away has to connect again.
                    *stream = client.open()?;
                }
                status => anyhow::bail!("the answer is {status}"),
            }
            send(stream)?;
        }
    }
    let took = began.elapsed().as_secs_f64();
    Ok(Rates {
        done: f64::from(done) / took,
        shed: f64::from(shed) / took,
    })
}

/// Receives an answer, and tells its status. Nothing comes after it before the next request.
fn receive(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<u16> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..])?;
        ensure!(read > 0, "the server closed a connection");
        length += read;
        let text = String::from_utf8_lossy(&buffer[..length]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let named = head.split("\r\ncontent-length: ").nth(1);
        let named = named.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        if body.len() >= named.unwrap_or(0) {
            let status = head.split(' ').nth(1).context("no status")?;
            return Ok(status.parse()?);
        }
    }
}

/// Does something, and asks meanwhile how the server is; what came of it, and the
/// longest that an answer took.
fn probed<T: Send>(
    guest: &Client,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<(T, Duration)> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let probing = scope.spawn(|| -> Result<Duration> {
            let mut slowest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                guest.get("/healthz")?;
                slowest = slowest.max(asked.elapsed());
                thread::sleep(PROBE);
            }
            Ok(slowest)
        });
        let worked = work();
        over.store(true, Ordering::Relaxed);
        let slowest = probing.join().ok().context("a thread broke down")??;
        Ok((worked?, slowest))
    })
}
