//! What the adapter costs, against the same statements without it: a part of `cargo xtask bench`,
//! which sets where Postgres is. Prints one JSON object with the figures.
//!
//! `cargo run --release -p archesai-postgres --example measure -- reads`

#![expect(
    clippy::unwrap_used,
    reason = "whoever measures wants to know where it fails"
)]

mod reads;
mod vectors;

use std::{
    env,
    io::{self, Read as _},
    process::ExitCode,
};

use archesai_conformance::servers::{Scratch, scratch::EMPTY};
use archesai_postgres::{Database, Settings};
use serde_json::json;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["database"] => lend(&scratch().await),
        ["reads"] => reads::measure(&scratch().await).await,
        ["vectors", count] => match count.parse() {
            Ok(count) => vectors::measure(&scratch().await, count).await,
            Err(error) => return refuse(&format!("{count}: {error}")),
        },
        _ => return refuse("say `database`, `reads`, or `vectors` and how many"),
    }
    ExitCode::SUCCESS
}

/// Says where the database is, which is there for as long as somebody may write to this program.
fn lend(scratch: &Scratch) {
    let urls = json!({ "server": scratch.server_url(), "owner": scratch.owner_url() });
    println!("{urls}");
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

/// A database of its own, with the tables.
async fn scratch() -> Scratch {
    let scratch = Scratch::copy_of(EMPTY).await;
    let owner = Settings::new(scratch.owner_url());
    Database::migrate(&owner, &server(&scratch)).await.unwrap();
    scratch
}

/// How the server reaches it.
fn server(scratch: &Scratch) -> Settings {
    Settings::new(scratch.server_url())
}
