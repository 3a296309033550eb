-- The keys that seal, each wrapped under a key that is not in the database. They belong to no tenant.
CREATE TABLE data_keys (
    id integer PRIMARY KEY CHECK (id > 0),
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL
);

-- What is sealed under a key is lost with it.
CREATE TRIGGER data_keys_stay BEFORE DELETE OR TRUNCATE ON data_keys
FOR EACH STATEMENT EXECUTE FUNCTION archesai_refuse('data keys stay');
