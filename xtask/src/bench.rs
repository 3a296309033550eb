//! `cargo xtask bench`: what the server costs, against what it may cost.

mod http;
mod load;
mod login;
mod overload;
mod postgres;
mod proc;
mod programs;
mod read;
mod report;
mod served;
mod start;
mod steps;
mod upload;

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};

use crate::process;
use programs::Programs;
use report::Row;

/// Builds the server with optimizations, measures it on data folders of its own, prints one
/// table, and writes `bench/<name>.json` into cargo's target folder. Fails where a figure misses
/// what it must reach. Needs Linux, and a machine that does nothing else meanwhile.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only these
    #[arg(value_enum)]
    names: Vec<Name>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// Authenticated reads against the framework answering a constant
    Read,
    /// From the start of the process to the first answer
    Start,
    /// Memory of a server that does nothing
    Idle,
    /// Memory over the upload and the download of 1 GiB
    Upload,
    /// Runs of pipelines: steps one after the other, a fan-out, the wake-up
    Steps,
    /// Logins against argon2id alone
    Login,
    /// Three times the load that the server can bear
    Overload,
    /// Reading by a key in Postgres, against a bare SELECT
    Postgres,
    /// Searching 10,000 and 100,000 vectors in Postgres, against plain SQL
    Vectors,
}

impl Name {
    const ALL: [Self; 9] = [
        Self::Read,
        Self::Start,
        Self::Idle,
        Self::Upload,
        Self::Steps,
        Self::Login,
        Self::Overload,
        Self::Postgres,
        Self::Vectors,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Start => "start",
            Self::Idle => "idle",
            Self::Upload => "upload",
            Self::Steps => "steps",
            Self::Login => "login",
            Self::Overload => "overload",
            Self::Postgres => "postgres",
            Self::Vectors => "vectors",
        }
    }

    /// Measures it, with data folders below `folder`.
    fn measure(self, programs: &Programs, root: &Path, folder: &Path) -> Result<Vec<Row>> {
        match self {
            Self::Read => read::measure(programs, folder),
            Self::Start => start::measure_start(programs, folder),
            Self::Idle => start::measure_idle(programs, folder),
            Self::Upload => upload::measure(programs, folder),
            Self::Steps => steps::measure(programs, folder),
            Self::Login => login::measure(programs, folder),
            Self::Overload => overload::measure(programs, folder),
            Self::Postgres => postgres::measure_reads(programs, root, folder),
            Self::Vectors => postgres::measure_vectors(programs, root),
        }
    }
}

/// Runs the command in the workspace at `root`.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let programs = programs::build(root)?;
    // Not the system's folder for temporary files: that may be in memory, where being durable
    // costs nothing.
    let folder = root.join(process::target()?).join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let load = proc::load();
    if load > 1.0 {
        eprintln!(
            "warning: the machine is busy (load {load:.1}); figures will be worse than they are"
        );
    }
    let names = match arguments.names.as_slice() {
        [] => &Name::ALL[..],
        names => names,
    };
    let mut all = Vec::new();
    for &name in names {
        let name_text = name.text();
        eprintln!("{name_text}:");
        let measured = name.measure(&programs, root, &folder);
        let rows = measured.with_context(|| format!("measuring {name_text}"))?;
        report::write(&folder, name_text, &rows, load)?;
        all.extend(rows);
    }
    println!("\n{}", report::table(&all));
    let missed = all.iter().filter(|row| !row.is_met()).count();
    ensure!(
        missed == 0,
        "{missed} of {} figures miss what they must reach",
        all.len()
    );
    Ok(())
}
