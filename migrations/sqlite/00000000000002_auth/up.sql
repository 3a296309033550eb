CREATE TABLE users (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- `token` is the SHA-256 of the newest refresh token.
CREATE TABLE sessions (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    token BLOB NOT NULL UNIQUE CHECK (length(token) = 32),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    active_organization_id BLOB NOT NULL CHECK (length(active_organization_id) = 16),
    user_agent TEXT,
    created_at INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_user_id ON sessions (user_id, created_at);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Refresh tokens that were exchanged: whoever shows one holds a copy.
CREATE TABLE spent_tokens (
    token BLOB PRIMARY KEY NOT NULL CHECK (length(token) = 32),
    session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_tokens_session_id ON spent_tokens (session_id);

-- A replaced token is spent in the very statement that replaces it.
CREATE TRIGGER sessions_spend_token AFTER UPDATE OF token ON sessions
WHEN OLD.token IS NOT NEW.token
BEGIN
    INSERT INTO spent_tokens (token, session_id) VALUES (OLD.token, OLD.id);
END;

CREATE TABLE api_keys (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    token BLOB NOT NULL UNIQUE CHECK (length(token) = 32),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id BLOB NOT NULL CHECK (length(organization_id) = 16),
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    scopes TEXT NOT NULL CHECK (json_valid(scopes)),
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;

CREATE INDEX api_keys_organization_id ON api_keys (organization_id, user_id, created_at);

CREATE TABLE signing_keys (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    public_key BLOB NOT NULL,
    sealed_private_key BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
