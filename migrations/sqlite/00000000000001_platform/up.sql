-- The event log: append-only, the outbox that is published from, and the audit trail.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    organization_id BLOB CHECK (length(organization_id) = 16),
    actor_id BLOB CHECK (length(actor_id) = 16),
    aggregate_kind TEXT NOT NULL,
    aggregate_id BLOB NOT NULL CHECK (length(aggregate_id) = 16),
    kind TEXT NOT NULL,
    payload TEXT NOT NULL CHECK (json_valid(payload)),
    occurred_at INTEGER NOT NULL,
    published_at INTEGER
) STRICT;

CREATE INDEX events_unpublished ON events (sequence) WHERE published_at IS NULL;
CREATE INDEX events_aggregate ON events (aggregate_id, sequence);
CREATE INDEX events_organization ON events (organization_id, sequence);

-- What was said is not unsaid: only the mark of publication may change.
CREATE TRIGGER events_append_only BEFORE UPDATE ON events
WHEN OLD.sequence IS NOT NEW.sequence OR OLD.id IS NOT NEW.id
    OR OLD.organization_id IS NOT NEW.organization_id
    OR OLD.actor_id IS NOT NEW.actor_id OR OLD.aggregate_kind IS NOT NEW.aggregate_kind
    OR OLD.aggregate_id IS NOT NEW.aggregate_id OR OLD.kind IS NOT NEW.kind
    OR OLD.payload IS NOT NEW.payload OR OLD.occurred_at IS NOT NEW.occurred_at
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER events_stay BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

-- Requests that must take effect once, by the digest of who asked, what, and their key.
CREATE TABLE idempotency_keys (
    key BLOB PRIMARY KEY NOT NULL CHECK (length(key) = 32),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    answer BLOB,
    claimed_at INTEGER NOT NULL,
    leased_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_claimed_at ON idempotency_keys (claimed_at);
