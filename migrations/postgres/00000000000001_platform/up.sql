-- Fences a table off by tenant. Whoever works for one tenant sets `archesai.organization`, and
-- whoever works for all of them `archesai.system`; without either no row is seen, and none gets in.
-- The settings are read in subqueries, and so once for a statement instead of once for a row.
CREATE FUNCTION archesai_fence(fenced regclass, tenant name DEFAULT 'organization_id')
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', fenced);
    EXECUTE format(
        'CREATE POLICY of_the_tenant ON %s USING (%I = ('
        'SELECT nullif(current_setting(''archesai.organization'', true), '''')::uuid))',
        fenced, tenant
    );
    EXECUTE format(
        'CREATE POLICY of_the_system ON %s USING ('
        '(SELECT current_setting(''archesai.system'', true)) = ''on'')',
        fenced
    );
END
$$;

-- Refuses the statement it is a trigger for.
CREATE FUNCTION archesai_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END
$$;

-- The event log: append-only, the outbox that is published from, and the audit trail. Documents
-- that must be given back as they were put are `json`, which keeps their text. Places are given out
-- before transactions commit; by its transaction can be told what became visible since.
CREATE TABLE events (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    organization_id uuid,
    actor_id uuid,
    aggregate_kind text NOT NULL,
    aggregate_id uuid NOT NULL,
    kind text NOT NULL,
    payload json NOT NULL,
    occurred_at timestamptz NOT NULL,
    published_at timestamptz,
    transaction bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint
);

CREATE INDEX events_unpublished ON events (sequence) WHERE published_at IS NULL;
CREATE INDEX events_aggregate ON events (aggregate_id, sequence);
CREATE INDEX events_organization ON events (organization_id, sequence);
CREATE INDEX events_transaction ON events (transaction);
SELECT archesai_fence('events');

-- What was said is not unsaid: only the mark of publication may change.
CREATE TRIGGER events_append_only BEFORE UPDATE OF
    sequence, id, organization_id, actor_id, aggregate_kind, aggregate_id, kind, payload,
    occurred_at, transaction ON events
FOR EACH STATEMENT EXECUTE FUNCTION archesai_refuse('events are append-only');

-- What one node at a time may do, and until when it is the one.
CREATE TABLE leases (
    name text PRIMARY KEY,
    holder uuid NOT NULL,
    until timestamptz NOT NULL
);

-- Requests that must take effect once, by the digest of who asked, what, and their key.
CREATE TABLE idempotency_keys (
    key bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    answer bytea,
    claimed_at timestamptz NOT NULL,
    leased_until timestamptz NOT NULL
);

CREATE INDEX idempotency_keys_claimed_at ON idempotency_keys (claimed_at);
