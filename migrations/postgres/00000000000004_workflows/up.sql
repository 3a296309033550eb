CREATE TABLE pipelines (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    description text,
    version bigint NOT NULL CHECK (version > 0),
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (organization_id, id)
);

CREATE INDEX pipelines_created_at ON pipelines (organization_id, created_at, id);
CREATE INDEX pipelines_updated_at ON pipelines (organization_id, updated_at, id);
CREATE INDEX pipelines_name ON pipelines (organization_id, name, id);
SELECT archesai_fence('pipelines');

-- What a pipeline is, and was: a run keeps to the version it was started with.
CREATE TABLE pipeline_versions (
    organization_id uuid NOT NULL,
    pipeline_id uuid NOT NULL,
    version bigint NOT NULL,
    definition json NOT NULL,
    PRIMARY KEY (organization_id, pipeline_id, version),
    FOREIGN KEY (organization_id, pipeline_id)
        REFERENCES pipelines (organization_id, id) ON DELETE CASCADE
);

SELECT archesai_fence('pipeline_versions');

-- `progress` is in hundredths of a percent. The documents of a run are apart in `run_values`,
-- because the row is written at every step; room is left in the pages for the new versions of it.
CREATE TABLE runs (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    pipeline_id uuid NOT NULL,
    pipeline_version bigint NOT NULL,
    status text NOT NULL
        CHECK (status IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')),
    progress integer NOT NULL CHECK (progress BETWEEN 0 AND 10000),
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    FOREIGN KEY (organization_id, pipeline_id, pipeline_version)
        REFERENCES pipeline_versions (organization_id, pipeline_id, version) ON DELETE CASCADE
) WITH (fillfactor = 70);

CREATE INDEX runs_created_at ON runs (organization_id, created_at, id);
CREATE INDEX runs_status ON runs (organization_id, status, created_at, id);
CREATE INDEX runs_pipeline_id ON runs (organization_id, pipeline_id, created_at, id);
SELECT archesai_fence('runs');

CREATE TABLE run_values (
    run_id uuid PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    organization_id uuid NOT NULL,
    input json NOT NULL,
    output json,
    error json
);

CREATE INDEX run_values_organization_id ON run_values (organization_id);
SELECT archesai_fence('run_values');

-- The queue. A row is a step of a run, or an item of the fan-out of `parent`. It is narrow, and
-- due at `ready_at` or in the hands of `worker`: what is done at every step reads and writes little.
CREATE TABLE step_runs (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    run_id uuid NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step text COLLATE "C" NOT NULL,
    tool text NOT NULL,
    parent uuid,
    item integer CHECK (item >= 0),
    status text NOT NULL CHECK (status IN ('pending', 'ready', 'running', 'waiting', 'succeeded',
        'failed', 'skipped', 'cancelled')),
    attempt integer NOT NULL,
    crashes integer NOT NULL,
    sleeps integer NOT NULL,
    ready_at timestamptz CHECK (ready_at IS NULL OR status = 'ready'),
    worker uuid CHECK (worker IS NULL OR status = 'running'),
    fence bigint NOT NULL,
    items_total integer,
    items_started integer,
    items_done integer,
    items_failed integer,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz,
    CHECK ((parent IS NULL) = (item IS NULL))
) WITH (fillfactor = 70);

CREATE INDEX step_runs_organization_id ON step_runs (organization_id);
CREATE INDEX step_runs_created_at ON step_runs (run_id, created_at, id);
CREATE UNIQUE INDEX step_runs_step ON step_runs (run_id, step) WHERE parent IS NULL;
CREATE UNIQUE INDEX step_runs_item ON step_runs (parent, item) WHERE parent IS NOT NULL;
CREATE INDEX step_runs_ready_at ON step_runs (ready_at, id) WHERE ready_at IS NOT NULL;
CREATE INDEX step_runs_worker ON step_runs (worker) WHERE worker IS NOT NULL;
SELECT archesai_fence('step_runs');

CREATE TABLE step_values (
    step_run_id uuid PRIMARY KEY REFERENCES step_runs (id) ON DELETE CASCADE,
    organization_id uuid NOT NULL,
    input json,
    output json,
    error json
);

CREATE INDEX step_values_organization_id ON step_values (organization_id);
SELECT archesai_fence('step_values');

-- The lists that steps fan out over, an item in each row.
CREATE TABLE step_items (
    step_run_id uuid NOT NULL REFERENCES step_runs (id) ON DELETE CASCADE,
    item integer NOT NULL,
    organization_id uuid NOT NULL,
    value json NOT NULL,
    PRIMARY KEY (step_run_id, item)
);

CREATE INDEX step_items_organization_id ON step_items (organization_id);
SELECT archesai_fence('step_items');

CREATE TABLE step_logs (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id uuid NOT NULL,
    run_id uuid NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    step_run_id uuid NOT NULL,
    at timestamptz NOT NULL,
    level text NOT NULL CHECK (level IN ('debug', 'info', 'warn', 'error')),
    message text NOT NULL
);

CREATE INDEX step_logs_organization_id ON step_logs (organization_id);
CREATE INDEX step_logs_run_id ON step_logs (run_id, sequence);
CREATE INDEX step_logs_step_run_id ON step_logs (step_run_id, sequence);
SELECT archesai_fence('step_logs');

-- Who holds step runs, and until when if nothing is heard of them. A worker that is not here has
-- no lease.
CREATE TABLE workers (
    id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
