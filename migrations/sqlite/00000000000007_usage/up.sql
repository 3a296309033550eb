-- The readings of the event log in which usage is counted: one is read, and another may be made
-- beside it to take its place. `mark` is how far the log was read, empty at the beginning.
CREATE TABLE usage_tallies (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    mark TEXT NOT NULL,
    is_read INTEGER NOT NULL CHECK (is_read IN (0, 1))
) STRICT;

CREATE UNIQUE INDEX usage_tallies_read ON usage_tallies (is_read) WHERE is_read = 1;
INSERT INTO usage_tallies (mark, is_read) VALUES ('', 1);

-- How much of what an organization did on a day, which is counted from 1970-01-01 in UTC.
CREATE TABLE usage (
    organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    tally INTEGER NOT NULL REFERENCES usage_tallies (id) ON DELETE CASCADE,
    day INTEGER NOT NULL,
    figure TEXT NOT NULL CHECK (figure IN ('runs_started', 'runs_succeeded', 'runs_failed',
        'runs_cancelled', 'steps_finished', 'artifacts_created', 'artifacts_deleted',
        'bytes_stored', 'bytes_freed')),
    amount INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (organization_id, tally, day, figure)
) STRICT, WITHOUT ROWID;
