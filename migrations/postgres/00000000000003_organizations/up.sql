CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    plan text NOT NULL DEFAULT 'free',
    credits bigint NOT NULL DEFAULT 0 CHECK (credits >= 0),
    personal_of uuid UNIQUE,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

SELECT archesai_fence('organizations', 'id');

CREATE TABLE members (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL,
    organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('viewer', 'member', 'admin', 'owner')),
    created_at timestamptz NOT NULL,
    UNIQUE (user_id, organization_id)
);

CREATE INDEX members_organization_id ON members (organization_id, created_at, id);
SELECT archesai_fence('members');

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    token bytea NOT NULL UNIQUE CHECK (octet_length(token) = 32),
    email text NOT NULL,
    role text NOT NULL CHECK (role IN ('viewer', 'member', 'admin', 'owner')),
    status text NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'revoked')),
    invited_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX invitations_organization_id ON invitations (organization_id, status, created_at, id);
SELECT archesai_fence('invitations');
