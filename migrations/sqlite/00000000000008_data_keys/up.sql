-- The keys that seal, each wrapped under a key that is not in the database. They belong to no tenant.
CREATE TABLE data_keys (
    id INTEGER PRIMARY KEY NOT NULL CHECK (id > 0),
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- What is sealed under a key is lost with it.
CREATE TRIGGER data_keys_stay BEFORE DELETE ON data_keys
BEGIN
    SELECT RAISE(ABORT, 'data keys stay');
END;
