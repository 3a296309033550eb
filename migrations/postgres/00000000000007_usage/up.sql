-- The readings of the event log in which usage is counted: one is read, and another may be made
-- beside it to take its place. `mark` is how far the log was read, empty at the beginning.
CREATE TABLE usage_tallies (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mark text NOT NULL,
    is_read boolean NOT NULL
);

CREATE UNIQUE INDEX usage_tallies_read ON usage_tallies (is_read) WHERE is_read;
INSERT INTO usage_tallies (mark, is_read) VALUES ('', true);

-- How much of what an organization did on a day, which is counted from 1970-01-01 in UTC.
CREATE TABLE usage (
    organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    tally bigint NOT NULL REFERENCES usage_tallies (id) ON DELETE CASCADE,
    day integer NOT NULL,
    figure text NOT NULL CHECK (figure IN ('runs_started', 'runs_succeeded', 'runs_failed',
        'runs_cancelled', 'steps_finished', 'artifacts_created', 'artifacts_deleted',
        'bytes_stored', 'bytes_freed')),
    amount bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (organization_id, tally, day, figure)
) WITH (fillfactor = 70);

SELECT archesai_fence('usage');
