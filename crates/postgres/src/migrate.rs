//! The tables: how they are brought up to date, and what must hold of them and of the role that
//! uses them.

use diesel::{
    Connection as _, OptionalExtension as _, QueryResult, QueryableByName,
    connection::SimpleConnection as _,
    migration::{Migration, MigrationSource as _},
    pg::Pg,
    sql_query,
    sql_types::{Array, Bool, Nullable, Text},
};
use diesel_async::{
    AsyncPgConnection, RunQueryDsl, async_connection_wrapper::AsyncConnectionWrapper,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use tokio::time::timeout;

use crate::{
    database::{Database, OpenError},
    errand,
    session::Connector,
    settings::Settings,
    task::Failure,
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// What the lock of those who migrate is called: a number, and here the letters of our name.
const LOCK: i64 = i64::from_be_bytes(*b"archesai");

/// The oldest version of pgvector whose indexes come through a vacuum unharmed.
const OLDEST_VECTOR: [u32; 3] = [0, 8, 4];

type Blocking = AsyncConnectionWrapper<AsyncPgConnection>;

impl Database {
    /// Brings the tables up to date as their owner, and lets the role of the server use them. Of many
    /// who do so at once one does the work, and the others find it done.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the database does not answer, lacks pgvector, or was written by a newer
    /// version of the program.
    pub async fn migrate(owner: &Settings, server: &Settings) -> Result<(), OpenError> {
        let migrated = async {
            let role = Connector::new(server)?.role().map(ToOwned::to_owned);
            let role = role.ok_or("the URL of the server names no user")?;
            let owner = Connector::new(owner)?;
            let link = timeout(errand::SHORT, owner.connect()).await;
            let link = link.map_err(|_| "it does not answer")??;
            // Migrations know no other than blocking connections.
            tokio::task::spawn_blocking(move || migrate_now(Blocking::from(link), &role)).await?
        };
        migrated
            .await
            .map_err(|cause| OpenError::new(&owner.url, cause))
    }
}

/// Does all that is to be done in one transaction, one at a time.
fn migrate_now(mut link: Blocking, role: &str) -> Result<(), Failure> {
    link.transaction(|link| {
        link.batch_execute(&format!(
            "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
             SELECT pg_advisory_xact_lock({LOCK})"
        ))?;
        ensure_vector(link)?;
        let known = known()?;
        let applied = link.applied_migrations()?;
        let applied: Vec<String> = applied.iter().map(ToString::to_string).collect();
        refuse_newer(&known, &applied)?;
        link.run_pending_migrations(MIGRATIONS)?;
        link.batch_execute(&grants(role))?;
        Ok(())
    })
}

/// The migrations that this program knows.
fn known() -> Result<Vec<String>, Failure> {
    let known: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations()?;
    let versions = known.iter().map(|known| known.name().version().to_string());
    Ok(versions.collect())
}

/// A database with migrations that this program does not know was written by a newer one.
fn refuse_newer(known: &[String], applied: &[String]) -> Result<(), Failure> {
    match applied.iter().find(|version| !known.contains(version)) {
        Some(version) => Err(format!(
            "it has migration {version}, which this version of archesai does not know; \
             use the newer version that wrote it"
        )
        .into()),
        None => Ok(()),
    }
}

/// Whoever owns the database may not be allowed to add pgvector to it.
fn ensure_vector(link: &mut Blocking) -> Result<(), Failure> {
    let missing = "it lacks pgvector: as a superuser, run CREATE EXTENSION vector in it";
    if vector(link)?.is_none() {
        let made = link.transaction(|link| link.batch_execute("CREATE EXTENSION vector"));
        made.map_err(|error| format!("{missing} ({error})"))?;
    }
    refuse_old_vector(vector(link)?.as_deref())
}

/// The version of pgvector in the database.
fn vector(link: &mut Blocking) -> QueryResult<Option<String>> {
    let version = sql_query("SELECT extversion FROM pg_extension WHERE extname = 'vector'");
    let found: Option<Version> = diesel::RunQueryDsl::get_result(version, link).optional()?;
    Ok(found.map(|found| found.extversion))
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    extversion: String,
}

fn refuse_old_vector(version: Option<&str>) -> Result<(), Failure> {
    let Some(version) = version else {
        return Err("it lacks pgvector; run archesai migrate".into());
    };
    let numbers: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    if numbers.as_slice() < OLDEST_VECTOR.as_slice() {
        let [major, minor, patch] = OLDEST_VECTOR;
        return Err(format!(
            "its pgvector is {version}, and at least {major}.{minor}.{patch} is needed: update it \
             and run ALTER EXTENSION vector UPDATE in it"
        )
        .into());
    }
    Ok(())
}

/// What the role of the server may do. It may add to the event log, and take nothing from it but by
/// the function that takes the beginnings of chains.
fn grants(role: &str) -> String {
    let role = format!("\"{}\"", role.replace('"', "\"\""));
    format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; \
         REVOKE UPDATE, DELETE ON events FROM {role}; REVOKE DELETE ON chains FROM {role}; \
         GRANT UPDATE (published_at, position, mac) ON events TO {role}; \
         GRANT EXECUTE ON FUNCTION archesai_trim_events, archesai_tend_events TO {role}; \
         REVOKE INSERT, UPDATE, DELETE ON __diesel_schema_migrations FROM {role}"
    )
}

#[derive(QueryableByName)]
struct Facts {
    #[diesel(sql_type = Bool)]
    is_exempt: bool,
    #[diesel(sql_type = Bool)]
    is_owner: bool,
    #[diesel(sql_type = Array<Text>)]
    applied: Vec<String>,
    #[diesel(sql_type = Nullable<Text>)]
    vector: Option<String>,
}

#[derive(QueryableByName)]
struct Present {
    #[diesel(sql_type = Bool)]
    is_present: bool,
}

/// Refuses a database that this program cannot use, and a role that sees what it should not.
pub(crate) async fn refuse_unfit(mut link: &AsyncPgConnection) -> Result<(), Failure> {
    let present = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS is_present";
    let present: Present = RunQueryDsl::get_result(sql_query(present), &mut link).await?;
    if !present.is_present {
        return Err("it has no tables; run archesai migrate".into());
    }
    let facts = "SELECT r.rolsuper OR r.rolbypassrls AS is_exempt, \
        EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('events') \
            AND pg_has_role(relowner, 'MEMBER')) AS is_owner, \
        (SELECT coalesce(array_agg(version::text), '{}') FROM __diesel_schema_migrations) AS applied, \
        (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS vector \
        FROM pg_roles AS r WHERE r.rolname = current_user";
    let facts: Facts = RunQueryDsl::get_result(sql_query(facts), &mut link).await?;
    if facts.is_exempt {
        return Err(
            "row-level security does not apply to the role of the server, which is a \
            superuser or has BYPASSRLS; use a role that is neither"
                .into(),
        );
    }
    if facts.is_owner {
        return Err(
            "the role of the server owns the tables, and could switch row-level security \
            off; use another one, and the owner for archesai migrate only"
                .into(),
        );
    }
    let known = known()?;
    refuse_newer(&known, &facts.applied)?;
    if let Some(version) = known.iter().find(|known| !facts.applied.contains(known)) {
        return Err(format!("it lacks migration {version}; run archesai migrate").into());
    }
    refuse_old_vector(facts.vector.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_pgvector_is_refused() {
        for version in ["0.8.4", "0.8.10", "0.9.0", "1.0"] {
            assert!(refuse_old_vector(Some(version)).is_ok(), "{version}");
        }
        for version in [Some("0.8.3"), Some("0.5.1"), Some("0.8"), None] {
            assert!(refuse_old_vector(version).is_err(), "{version:?}");
        }
    }

    #[test]
    fn a_role_is_quoted() {
        assert!(grants("a\"b").contains("TO \"a\"\"b\";"));
    }
}
