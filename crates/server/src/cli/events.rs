//! `archesai events`: what is made of the event log.

use std::time::{Duration, Instant};

use anyhow::ensure;
use archesai_crypto::System;
use archesai_platform::projections::Projection;
use clap::{Arg, ArgMatches, Command};

use crate::{
    compose::{self, UsageProjection},
    config::Config,
    replay::{self, Replayed},
};

/// The read models there are.
const READ_MODELS: [&str; 1] = [UsageProjection::NAME];

/// How often it is told how far it is.
const RHYTHM: Duration = Duration::from_secs(1);

const ABOUT: &str = "Makes a read model anew from the event log";

const MORE: &str = "Servers may run meanwhile. The read model is made beside the one that is read, and takes \
its place at once when it is complete: until then readers see the old figures, and from then on the new ones. \
Should it be cut off, the old one stays, and the next replay begins anew. \
\n\nusage: what organizations did, day by day. Where events have had their time (event_retention), the days \
that the log does not cover whole keep their figures.";

/// The subcommand, given one that takes the settings.
pub(super) fn command(with_settings: impl Fn(Command) -> Command) -> Command {
    let read_model = Arg::new("read_model")
        .value_name("READ_MODEL")
        .value_parser(READ_MODELS)
        .required(true)
        .help("Which read model");
    let replay = Command::new("replay").about(ABOUT).after_help(MORE);
    Command::new("events")
        .about("Makes something of the event log")
        .subcommand_required(true)
        .subcommand(with_settings(replay.arg(read_model)))
}

/// Makes the read model anew; there is one.
pub(super) async fn replay(config: &Config, _flags: &ArgMatches) -> anyhow::Result<()> {
    ensure!(
        config
            .event_retention
            .is_none_or(|kept| kept >= replay::A_DAY),
        "usage can be made anew only where events stay for a day or longer, and event_retention is less"
    );
    let database = compose::open_database(config).await?;
    let mut told_at = Instant::now();
    let replayed = replay::usage(&database, &System, |events, day| {
        if told_at.elapsed() >= RHYTHM {
            told_at = Instant::now();
            eprintln!("{events} events are read, up to {day}");
        }
    });
    let Replayed { events, kept } = replayed.await?;
    println!("usage is made anew from {events} events");
    if kept > 0 {
        println!("{kept} organizations keep the figures of days that the log does not cover whole");
    }
    Ok(())
}
