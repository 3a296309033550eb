CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text COLLATE "C" NOT NULL UNIQUE,
    name text NOT NULL,
    password_hash text,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- `token` is the SHA-256 of the newest refresh token.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    token bytea NOT NULL UNIQUE CHECK (octet_length(token) = 32),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    active_organization_id uuid NOT NULL,
    user_agent text,
    created_at timestamptz NOT NULL,
    refreshed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX sessions_user_id ON sessions (user_id, created_at);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Refresh tokens that were exchanged: whoever shows one holds a copy.
CREATE TABLE spent_tokens (
    token bytea PRIMARY KEY CHECK (octet_length(token) = 32),
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE
);

CREATE INDEX spent_tokens_session_id ON spent_tokens (session_id);

-- A replaced token is spent in the very statement that replaces it.
CREATE FUNCTION archesai_spend_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO spent_tokens (token, session_id) VALUES (OLD.token, OLD.id);
    RETURN NULL;
END
$$;

CREATE TRIGGER sessions_spend_token AFTER UPDATE OF token ON sessions
FOR EACH ROW WHEN (OLD.token IS DISTINCT FROM NEW.token)
EXECUTE FUNCTION archesai_spend_token();

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    token bytea NOT NULL UNIQUE CHECK (octet_length(token) = 32),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organization_id uuid NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);

CREATE INDEX api_keys_organization_id ON api_keys (organization_id, user_id, created_at);
CREATE INDEX api_keys_user_id ON api_keys (user_id);
SELECT archesai_fence('api_keys');

CREATE TABLE signing_keys (
    id uuid PRIMARY KEY,
    public_key bytea NOT NULL,
    sealed_private_key bytea NOT NULL,
    created_at timestamptz NOT NULL
);
