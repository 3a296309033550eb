//! The command line of `archesai`.

mod audit;
mod events;
mod keys;

use std::{path::PathBuf, process::ExitCode};

use archesai_tools::apart;
use clap::{Arg, ArgMatches, Command};

use crate::{
    compose,
    config::{Config, Effective, SETTINGS, process_environment, variable},
    observability,
    serve::{self, Part},
};

/// The file that is read if it is there and no other is named.
const CONFIG_FILE: &str = "archesai.toml";

/// Runs the program.
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    match run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("archesai: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The command line as clap knows it.
pub fn command() -> Command {
    let with_settings = |command: Command| command.args(settings());
    Command::new("archesai")
        .about("Turn files into searchable knowledge, and run pipelines over them")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_settings(
            Command::new("serve").about("Serves the API and works in the background"),
        ))
        .subcommand(with_settings(Command::new("api").about(
            "Serves the API, and leaves the work to others on the same back ends",
        )))
        .subcommand(with_settings(Command::new("worker").about(
            "Works in the background, for others on the same back ends that serve the API",
        )))
        .subcommand(with_settings(
            Command::new("migrate").about("Brings the database up to date, and ends"),
        ))
        .subcommand(keys::command(with_settings))
        .subcommand(audit::command(with_settings))
        .subcommand(events::command(with_settings))
        .subcommand(
            Command::new(apart::COMMAND)
                .about("Reads the one document on its input, for a server")
                .arg(Arg::new("memory").value_parser(clap::value_parser!(u64)))
                .hide(true),
        )
        .subcommand(
            Command::new("config")
                .about("Shows the configuration")
                .subcommand_required(true)
                .subcommand(with_settings(Command::new("show").about(
                    "Prints every setting, its value and where that comes from; secrets masked",
                ))),
        )
}

/// A flag for every setting, and one for the file.
fn settings() -> Vec<Arg> {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help("The configuration file [default: archesai.toml, if it is there]");
    let flag = |setting: &'static crate::config::Setting| {
        let help = format!(
            "{} [{}] [default: {}]",
            setting.help,
            variable(setting),
            usual(setting.default)
        );
        Arg::new(setting.name)
            .long(setting.name.replace('_', "-"))
            .value_name("VALUE")
            .help(help)
    };
    std::iter::once(file)
        .chain(SETTINGS.iter().map(flag))
        .collect()
}

/// A default in words that hold on every machine.
fn usual(default: &str) -> String {
    match default {
        "" => "not set".to_owned(),
        "{cores}" => "one per core".to_owned(),
        default => default
            .replace("{data}", "~/.local/share")
            .replace("{cache}", "~/.cache"),
    }
}

fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    archesai_storage::keep_private();
    match matches.subcommand() {
        Some(("serve", flags)) => run_part(Part::All, flags),
        Some(("api", flags)) => run_part(Part::Api, flags),
        Some(("worker", flags)) => run_part(Part::Worker, flags),
        Some(("migrate", flags)) => {
            let config = Config::read(&effective(flags)?)?;
            runtime(&config)?.block_on(compose::migrate(&config))?;
            println!("the database is up to date");
            Ok(())
        }
        Some(("keys", keys)) => match keys.subcommand() {
            Some((_, flags)) => {
                let config = Config::read(&effective(flags)?)?;
                runtime(&config)?.block_on(keys::rotate(&config))
            }
            None => Ok(()),
        },
        Some(("audit", audit)) => match audit.subcommand() {
            Some((_, flags)) => {
                let config = Config::read(&effective(flags)?)?;
                runtime(&config)?.block_on(audit::verify(&config, flags))
            }
            None => Ok(()),
        },
        Some(("events", events)) => match events.subcommand() {
            Some((_, flags)) => {
                let config = Config::read(&effective(flags)?)?;
                runtime(&config)?.block_on(events::replay(&config, flags))
            }
            None => Ok(()),
        },
        Some((apart::COMMAND, arguments)) => {
            let memory = arguments.get_one("memory").copied();
            Ok(apart::serve(memory.unwrap_or_default())?)
        }
        Some(("config", config)) => match config.subcommand() {
            Some((_, flags)) => {
                let effective = effective(flags)?;
                print!("{}", effective.table());
                Config::read(&effective)?;
                Ok(())
            }
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn run_part(part: Part, flags: &ArgMatches) -> anyhow::Result<()> {
    let config = Config {
        program: std::env::current_exe().ok(),
        ..Config::read(&effective(flags)?)?
    };
    anyhow::ensure!(
        part == Part::All || config.database_url.is_some(),
        "the embedded database serves one process, which does everything: use `archesai serve`, or set \
         database_url"
    );
    observability::start_log(&config)?;
    runtime(&config)?.block_on(serve::serve(config, part))
}

fn effective(flags: &ArgMatches) -> anyhow::Result<Effective> {
    let named = flags.get_one::<PathBuf>("config").cloned();
    let fallback = PathBuf::from(CONFIG_FILE);
    let file = named.or_else(|| archesai_storage::exists(&fallback).then_some(fallback));
    Ok(Effective::find(
        flags,
        &process_environment(),
        file.as_deref(),
    )?)
}

fn runtime(config: &Config) -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.http_workers)
        .enable_all()
        .build()?)
}
