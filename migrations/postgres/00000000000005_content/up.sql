-- `content` is the text that was extracted, and `embedding` the mean direction of its passages.
-- `index_due` says when a pending artifact may be claimed to be indexed.
CREATE TABLE artifacts (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    media_type text COLLATE "C" NOT NULL,
    size bigint NOT NULL CHECK (size >= 0),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    blob_key text COLLATE "C" NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    index_status text NOT NULL
        CHECK (index_status IN ('pending', 'embedding', 'indexed', 'unsupported', 'failed')),
    index_error text,
    index_due timestamptz,
    index_attempts integer NOT NULL DEFAULT 0,
    index_fence bigint NOT NULL DEFAULT 0,
    chunk_count integer NOT NULL DEFAULT 0,
    version bigint NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    content text,
    embedding halfvec(1536),
    CHECK ((index_status = 'pending') = (index_due IS NOT NULL))
);

CREATE INDEX artifacts_created_at ON artifacts (organization_id, created_at, id);
CREATE INDEX artifacts_name ON artifacts (organization_id, name, id);
CREATE INDEX artifacts_index_due ON artifacts (index_due) WHERE index_due IS NOT NULL;
SELECT archesai_fence('artifacts');

CREATE TABLE labels (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (organization_id, name)
);

CREATE INDEX labels_created_at ON labels (organization_id, created_at, id);
SELECT archesai_fence('labels');

CREATE TABLE artifact_labels (
    artifact_id uuid NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    label_id uuid NOT NULL REFERENCES labels (id),
    organization_id uuid NOT NULL,
    PRIMARY KEY (artifact_id, label_id)
);

CREATE INDEX artifact_labels_organization_id ON artifact_labels (organization_id);
CREATE INDEX artifact_labels_label_id ON artifact_labels (label_id, artifact_id);
SELECT archesai_fence('artifact_labels');

-- Bytes to delete once they are due: those of deleted artifacts, and those of uploads that did not
-- come to an end.
CREATE TABLE blob_deletions (
    blob_key text COLLATE "C" PRIMARY KEY,
    organization_id uuid NOT NULL,
    due timestamptz NOT NULL
);

CREATE INDEX blob_deletions_organization_id ON blob_deletions (organization_id);
CREATE INDEX blob_deletions_due ON blob_deletions (due);
SELECT archesai_fence('blob_deletions');

-- Organizations that are no more, and whose content goes: nothing can be added to it. `due` says
-- when to look again whether something is left.
CREATE TABLE erasures (
    organization_id uuid PRIMARY KEY,
    begun_at timestamptz NOT NULL,
    due timestamptz
);

CREATE INDEX erasures_due ON erasures (due) WHERE due IS NOT NULL;
SELECT archesai_fence('erasures');

CREATE TABLE embedding_models (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    dimensions integer NOT NULL CHECK (dimensions > 0),
    UNIQUE (name, dimensions)
);

-- `embedding_model` is the one that made the embedding of the passage, or refused to; `embed_due`
-- says when a passage may be claimed to be embedded. `words` are those of the text as this program
-- tells words apart, so that no setting of the database has a say in what is found. Rows are kept
-- whole: a search reads the words of all passages of the tenant, because row-level security does not
-- let an index see them first.
CREATE TABLE chunks (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    organization_id uuid NOT NULL,
    artifact_id uuid NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    position integer NOT NULL,
    start_offset bigint NOT NULL,
    end_offset bigint NOT NULL,
    embedding_model bigint REFERENCES embedding_models (id),
    embed_due timestamptz NOT NULL DEFAULT 'epoch',
    embed_attempts integer NOT NULL DEFAULT 0,
    text text NOT NULL,
    words tsvector NOT NULL,
    UNIQUE (artifact_id, position)
) WITH (toast_tuple_target = 8160);

CREATE INDEX chunks_organization_id ON chunks (organization_id, artifact_id);
CREATE INDEX chunks_embed_due ON chunks (embedding_model, embed_due);
SELECT archesai_fence('chunks');

CREATE TRIGGER chunks_text_is_final BEFORE UPDATE OF text, words ON chunks
FOR EACH STATEMENT EXECUTE FUNCTION archesai_refuse('passages are replaced, not changed');

-- Apart from the passages, so that comparing vectors does not read texts. A vector has unit length,
-- and zeros where the model has fewer dimensions. It stays in its row: fetching it from elsewhere
-- takes longer than comparing it.
CREATE TABLE chunk_embeddings (
    chunk bigint PRIMARY KEY REFERENCES chunks (sequence) ON DELETE CASCADE,
    id uuid NOT NULL,
    organization_id uuid NOT NULL,
    artifact_id uuid NOT NULL,
    model bigint NOT NULL REFERENCES embedding_models (id),
    vector halfvec(1536) NOT NULL
);

ALTER TABLE chunk_embeddings ALTER COLUMN vector SET STORAGE PLAIN;

CREATE INDEX chunk_embeddings_organization_id
    ON chunk_embeddings (organization_id, model, artifact_id);
CREATE INDEX chunk_embeddings_vector ON chunk_embeddings USING hnsw (vector halfvec_cosine_ops);
SELECT archesai_fence('chunk_embeddings');
