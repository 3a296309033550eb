-- The event log: append-only, the outbox that is published from, and the audit trail: what is
-- published has a place in the chain of its organization, and what links it to those before.
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
    published_at INTEGER,
    position INTEGER,
    mac BLOB CHECK (length(mac) = 32),
    CHECK ((position IS NULL) = (mac IS NULL))
) STRICT;

CREATE INDEX events_unpublished ON events (sequence) WHERE published_at IS NULL;
CREATE INDEX events_aggregate ON events (aggregate_id, sequence);
CREATE INDEX events_organization ON events (organization_id, position);
-- Without entries, unless somebody goes behind the log.
CREATE INDEX events_loose ON events (organization_id, sequence)
    WHERE published_at IS NOT NULL AND position IS NULL;

-- The chains of the log: one for each organization, and one, with the nil id, for what belongs to
-- none. Up to its base a chain has been taken away, its head is its last record, and the seal vouches
-- for both.
CREATE TABLE chains (
    organization_id BLOB PRIMARY KEY NOT NULL CHECK (length(organization_id) = 16),
    base_position INTEGER NOT NULL,
    base_mac BLOB NOT NULL CHECK (length(base_mac) = 32),
    position INTEGER NOT NULL CHECK (position >= base_position),
    mac BLOB NOT NULL CHECK (length(mac) = 32),
    begins_at INTEGER,
    seal BLOB NOT NULL CHECK (length(seal) = 32)
) STRICT, WITHOUT ROWID;

-- For who takes away what has had its time. A chain whose seal is zero is broken, and stays as it is.
CREATE INDEX chains_begins_at ON chains (begins_at) WHERE seal <> zeroblob(32);

-- What was said is not unsaid: only the mark of publication may change, and the place in the chain
-- be given.
CREATE TRIGGER events_append_only BEFORE UPDATE ON events
WHEN OLD.sequence IS NOT NEW.sequence OR OLD.id IS NOT NEW.id
    OR OLD.organization_id IS NOT NEW.organization_id
    OR OLD.actor_id IS NOT NEW.actor_id OR OLD.aggregate_kind IS NOT NEW.aggregate_kind
    OR OLD.aggregate_id IS NOT NEW.aggregate_id OR OLD.kind IS NOT NEW.kind
    OR OLD.payload IS NOT NEW.payload OR OLD.occurred_at IS NOT NEW.occurred_at
    OR (OLD.position IS NOT NULL
        AND (OLD.position IS NOT NEW.position OR OLD.mac IS NOT NEW.mac))
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

-- It goes when it has had its time, from the beginning of its chain.
CREATE TRIGGER events_stay BEFORE DELETE ON events
WHEN NOT EXISTS (
    SELECT 1 FROM chains AS c
    WHERE c.organization_id = coalesce(OLD.organization_id, zeroblob(16))
        AND OLD.position <= c.base_position
)
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
