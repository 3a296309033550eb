-- What the owner of a new Postgres server does once, as superuser, before ArchesAI uses it; here
-- with what the tests need. In production choose other passwords, and leave out what is for tests.

-- Owns the databases and their tables, and migrates. Row-level security binds it too.
CREATE ROLE archesai_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD 'archesai';

-- What the server connects as: no table is its own, so row-level security binds it.
CREATE ROLE archesai_server LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD 'archesai';

-- For tests: a database for each, clients that can be cut off, and a role that must be refused.
ALTER ROLE archesai_owner CREATEDB;
GRANT pg_signal_backend, pg_monitor TO archesai_owner;
CREATE ROLE archesai_bypass LOGIN NOSUPERUSER BYPASSRLS PASSWORD 'archesai';

CREATE DATABASE archesai OWNER archesai_owner;
-- For tests: what each of them clones.
CREATE DATABASE archesai_template OWNER archesai_owner IS_TEMPLATE true;

-- Only a superuser may create the extension, in every database.
\connect archesai
CREATE EXTENSION vector;
-- For tests: a replica that lags.
GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO archesai_owner;
\connect archesai_template
CREATE EXTENSION vector;
