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

-- The event log: append-only, the outbox that is published from, and the audit trail: what is
-- published has a place in the chain of its organization, and what links it to those before.
-- Documents that must be given back as they were put are `json`, which keeps their text. Places in
-- the log are given out before transactions commit; by its transaction can be told what became
-- visible since.
CREATE TABLE events (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL,
    organization_id uuid,
    actor_id uuid,
    aggregate_kind text NOT NULL,
    aggregate_id uuid NOT NULL,
    kind text NOT NULL,
    payload json NOT NULL,
    occurred_at timestamptz NOT NULL,
    published_at timestamptz,
    transaction bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    position bigint,
    mac bytea CHECK (octet_length(mac) = 32),
    CHECK ((position IS NULL) = (mac IS NULL))
) PARTITION BY RANGE (sequence);

CREATE INDEX events_unpublished ON events (sequence) WHERE published_at IS NULL;
CREATE INDEX events_aggregate ON events (aggregate_id, sequence);
CREATE INDEX events_organization ON events (organization_id, position);
CREATE INDEX events_transaction ON events (transaction);
-- Without entries, unless somebody goes behind the log.
CREATE INDEX events_loose ON events (organization_id, sequence)
    WHERE published_at IS NOT NULL AND position IS NULL;
SELECT archesai_fence('events');

-- What was said is not unsaid: only the mark of publication may change, and the place in the chain
-- be given.
CREATE TRIGGER events_append_only BEFORE UPDATE OF
    sequence, id, organization_id, actor_id, aggregate_kind, aggregate_id, kind, payload,
    occurred_at, transaction ON events
FOR EACH STATEMENT EXECUTE FUNCTION archesai_refuse('events are append-only');
CREATE TRIGGER events_stay_in_place BEFORE UPDATE OF position, mac ON events
FOR EACH ROW WHEN (OLD.position IS NOT NULL)
EXECUTE FUNCTION archesai_refuse('events are append-only');

-- The chains of the log: one for each organization, and one, with the nil id, for what belongs to
-- none. Up to its base a chain has been taken away, its head is its last record, and the seal vouches
-- for both.
CREATE TABLE chains (
    organization_id uuid PRIMARY KEY,
    base_position bigint NOT NULL,
    base_mac bytea NOT NULL CHECK (octet_length(base_mac) = 32),
    position bigint NOT NULL CHECK (position >= base_position),
    mac bytea NOT NULL CHECK (octet_length(mac) = 32),
    begins_at timestamptz,
    seal bytea NOT NULL CHECK (octet_length(seal) = 32)
);

-- For who takes away what has had its time. A chain whose seal is zero is broken, and stays as it is.
CREATE INDEX chains_begins_at ON chains (begins_at) WHERE seal <> decode(repeat('00', 32), 'hex');
SELECT archesai_fence('chains');

-- Takes away what lies at or below the base of a chain. The server's role may take nothing from the
-- log by itself.
CREATE FUNCTION archesai_trim_events(chain uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    base bigint := (SELECT c.base_position FROM public.chains AS c WHERE c.organization_id = chain);
BEGIN
    IF chain = '00000000-0000-0000-0000-000000000000' THEN
        DELETE FROM public.events WHERE organization_id IS NULL AND position <= base;
    ELSE
        DELETE FROM public.events WHERE organization_id = chain AND position <= base;
    END IF;
END
$$;

-- The parts that the log is kept in, by place in the log. Nobody but their owner may look in here:
-- the fence and the triggers are before the log as a whole.
CREATE SCHEMA archesai_log;

-- Makes the part that is appended to, where it is not there, and the next one; drops those that
-- everything was taken away from. Answers how many it made and dropped.
CREATE FUNCTION archesai_tend_events() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    width CONSTANT bigint := 10000000;
    now_at bigint := (SELECT last_value / width FROM public.events_sequence_seq);
    done bigint := 0;
    part bigint;
    is_empty boolean;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('archesai_tend_events')) THEN
        RETURN 0; -- Somebody else is at it.
    END IF;
    FOR part IN now_at .. now_at + 1 LOOP
        CONTINUE WHEN to_regclass(format('archesai_log.events_%s', part)) IS NOT NULL;
        -- Attached rather than made as a part, which would lock the log for everybody.
        EXECUTE format(
            'CREATE TABLE archesai_log.events_%1$s (LIKE public.events INCLUDING DEFAULTS '
            'INCLUDING CONSTRAINTS, UNIQUE (id)); '
            'ALTER TABLE public.events ATTACH PARTITION archesai_log.events_%1$s '
            'FOR VALUES FROM (%2$s) TO (%3$s)',
            part, part * width, (part + 1) * width
        );
        done := done + 1;
    END LOOP;
    -- Who was given a place in the part before this one may be about to write there.
    FOR part IN
        SELECT substr(relname, 8)::bigint FROM pg_class
        WHERE relnamespace = 'archesai_log'::regnamespace AND relkind = 'r'
            AND substr(relname, 8)::bigint < now_at - 1
    LOOP
        BEGIN
            EXECUTE format('LOCK TABLE archesai_log.events_%s IN SHARE MODE', part);
            EXECUTE format('SELECT NOT EXISTS (SELECT FROM archesai_log.events_%s)', part)
                INTO is_empty;
            IF is_empty THEN
                EXECUTE format('DROP TABLE archesai_log.events_%s', part);
                done := done + 1;
            END IF;
        EXCEPTION WHEN lock_not_available THEN
            -- It is in use. There is no hurry.
        END;
    END LOOP;
    RETURN done;
END
$$;

REVOKE EXECUTE ON FUNCTION archesai_trim_events, archesai_tend_events FROM PUBLIC;
SELECT archesai_tend_events();

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
