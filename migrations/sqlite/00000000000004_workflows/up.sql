CREATE TABLE pipelines (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    version INTEGER NOT NULL CHECK (version > 0),
    created_by BLOB NOT NULL CHECK (length(created_by) = 16),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX pipelines_created_at ON pipelines (organization_id, created_at, id);
CREATE INDEX pipelines_updated_at ON pipelines (organization_id, updated_at, id);
CREATE INDEX pipelines_name ON pipelines (organization_id, name, id);

-- What a pipeline is, and was: a run keeps to the version it was started with.
CREATE TABLE pipeline_versions (
    pipeline_id BLOB NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    definition TEXT NOT NULL CHECK (json_valid(definition)),
    PRIMARY KEY (pipeline_id, version)
) STRICT;

-- `progress` is in hundredths of a percent. The documents of a run are apart in
-- `run_values`, because the row is written at every step.
CREATE TABLE runs (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    pipeline_id BLOB NOT NULL,
    pipeline_version INTEGER NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')),
    progress INTEGER NOT NULL CHECK (progress BETWEEN 0 AND 10000),
    created_by BLOB NOT NULL CHECK (length(created_by) = 16),
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    FOREIGN KEY (pipeline_id, pipeline_version)
        REFERENCES pipeline_versions (pipeline_id, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX runs_created_at ON runs (organization_id, created_at, id);
CREATE INDEX runs_status ON runs (organization_id, status, created_at, id);
CREATE INDEX runs_pipeline_id ON runs (pipeline_id, organization_id, created_at, id);

CREATE TABLE run_values (
    run_id BLOB PRIMARY KEY NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    input TEXT NOT NULL CHECK (json_valid(input)),
    output TEXT CHECK (json_valid(output)),
    error TEXT CHECK (json_valid(error))
) STRICT;

-- The queue. A row is a step of a run, or an item of the fan-out of `parent`. It
-- is narrow, and due at `ready_at` or in the hands of `worker`: what is done at
-- every step reads and writes little.
CREATE TABLE step_runs (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    run_id BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    tool TEXT NOT NULL,
    parent BLOB CHECK (length(parent) = 16),
    item INTEGER CHECK (item >= 0),
    status TEXT NOT NULL CHECK (status IN ('pending', 'ready', 'running', 'waiting',
        'succeeded', 'failed', 'skipped', 'cancelled')),
    attempt INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    sleeps INTEGER NOT NULL,
    ready_at INTEGER CHECK (ready_at IS NULL OR status = 'ready'),
    worker BLOB CHECK (worker IS NULL OR length(worker) = 16 AND status = 'running'),
    fence INTEGER NOT NULL,
    items_total INTEGER,
    items_started INTEGER,
    items_done INTEGER,
    items_failed INTEGER,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER,
    CHECK ((parent IS NULL) = (item IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX step_runs_created_at ON step_runs (run_id, created_at, id);
CREATE UNIQUE INDEX step_runs_step ON step_runs (run_id, step) WHERE parent IS NULL;
CREATE UNIQUE INDEX step_runs_item ON step_runs (parent, item) WHERE parent IS NOT NULL;
CREATE INDEX step_runs_ready_at ON step_runs (ready_at, id) WHERE ready_at IS NOT NULL;
CREATE INDEX step_runs_worker ON step_runs (worker) WHERE worker IS NOT NULL;

CREATE TABLE step_values (
    step_run_id BLOB PRIMARY KEY NOT NULL REFERENCES step_runs (id) ON DELETE CASCADE,
    input TEXT CHECK (json_valid(input)),
    output TEXT CHECK (json_valid(output)),
    error TEXT CHECK (json_valid(error))
) STRICT;

-- The lists that steps fan out over, an item in each row.
CREATE TABLE step_items (
    step_run_id BLOB NOT NULL REFERENCES step_runs (id) ON DELETE CASCADE,
    item INTEGER NOT NULL,
    value TEXT NOT NULL CHECK (json_valid(value)),
    PRIMARY KEY (step_run_id, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE step_logs (
    sequence INTEGER PRIMARY KEY NOT NULL,
    run_id BLOB NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step_run_id BLOB NOT NULL CHECK (length(step_run_id) = 16),
    at INTEGER NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('debug', 'info', 'warn', 'error')),
    message TEXT NOT NULL
) STRICT;

CREATE INDEX step_logs_run_id ON step_logs (run_id, sequence);
CREATE INDEX step_logs_step_run_id ON step_logs (step_run_id, sequence);

-- Who holds step runs, and until when if nothing is heard of them. A worker
-- that is not here has no lease.
CREATE TABLE workers (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
