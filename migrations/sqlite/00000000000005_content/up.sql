-- `content` is the text that was extracted, and `embedding` the mean direction of
-- its passages; both come last, because whoever reads the row seldom reads them.
-- `index_due` says when a pending artifact may be claimed to be indexed.
CREATE TABLE artifacts (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    organization_id BLOB NOT NULL CHECK (length(organization_id) = 16),
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    blob_key TEXT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}' CHECK (json_type(metadata) = 'object'),
    index_status TEXT NOT NULL
        CHECK (index_status IN ('pending', 'embedding', 'indexed', 'unsupported', 'failed')),
    index_error TEXT,
    index_due INTEGER,
    index_attempts INTEGER NOT NULL DEFAULT 0,
    index_fence INTEGER NOT NULL DEFAULT 0,
    chunk_count INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL,
    created_by BLOB CHECK (length(created_by) = 16),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    content TEXT,
    embedding BLOB,
    CHECK ((index_status = 'pending') = (index_due IS NOT NULL))
) STRICT;

CREATE INDEX artifacts_created_at ON artifacts (organization_id, created_at, id);
CREATE INDEX artifacts_name ON artifacts (organization_id, name, id);
CREATE INDEX artifacts_index_due ON artifacts (index_due) WHERE index_due IS NOT NULL;

CREATE TABLE labels (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    organization_id BLOB NOT NULL CHECK (length(organization_id) = 16),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (organization_id, name)
) STRICT;

CREATE INDEX labels_created_at ON labels (organization_id, created_at, id);

CREATE TABLE artifact_labels (
    artifact_id BLOB NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    label_id BLOB NOT NULL REFERENCES labels (id),
    PRIMARY KEY (artifact_id, label_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX artifact_labels_label_id ON artifact_labels (label_id, artifact_id);

-- Bytes to delete once they are due: those of deleted artifacts, and those of
-- uploads that did not come to an end.
CREATE TABLE blob_deletions (
    blob_key TEXT PRIMARY KEY NOT NULL,
    organization_id BLOB NOT NULL CHECK (length(organization_id) = 16),
    due INTEGER NOT NULL
) STRICT;

CREATE INDEX blob_deletions_due ON blob_deletions (due);

-- Organizations that are no more, and whose content goes: nothing can be added to
-- it. `due` says when to look again whether something is left.
CREATE TABLE erasures (
    organization_id BLOB PRIMARY KEY NOT NULL CHECK (length(organization_id) = 16),
    begun_at INTEGER NOT NULL,
    due INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX erasures_due ON erasures (due) WHERE due IS NOT NULL;

CREATE TABLE embedding_models (
    id INTEGER PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    dimensions INTEGER NOT NULL CHECK (dimensions > 0),
    UNIQUE (name, dimensions)
) STRICT;

-- `embedding_model` is the one that made the embedding of the passage, or refused
-- to; `embed_due` says when a passage may be claimed to be embedded.
CREATE TABLE chunks (
    sequence INTEGER PRIMARY KEY NOT NULL,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    organization_id BLOB NOT NULL CHECK (length(organization_id) = 16),
    artifact_id BLOB NOT NULL REFERENCES artifacts (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    start_offset INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,
    embedding_model INTEGER REFERENCES embedding_models (id),
    embed_due INTEGER NOT NULL DEFAULT 0,
    embed_attempts INTEGER NOT NULL DEFAULT 0,
    text TEXT NOT NULL,
    UNIQUE (artifact_id, position)
) STRICT;

CREATE INDEX chunks_embed_due ON chunks (embedding_model, embed_due);

-- Apart from the passages, so that comparing vectors does not read texts. A
-- vector has unit length and is kept as little-endian numbers of 32 bits. Its
-- code has a bit for each number, set where that is not negative: what is near
-- by the codes is looked for in the index alone, and then compared exactly.
CREATE TABLE chunk_embeddings (
    chunk INTEGER PRIMARY KEY NOT NULL REFERENCES chunks (sequence) ON DELETE CASCADE,
    id BLOB NOT NULL CHECK (length(id) = 16),
    organization_id BLOB NOT NULL CHECK (length(organization_id) = 16),
    artifact_id BLOB NOT NULL CHECK (length(artifact_id) = 16),
    model INTEGER NOT NULL REFERENCES embedding_models (id),
    code BLOB NOT NULL,
    vector BLOB NOT NULL
) STRICT;

CREATE INDEX chunk_embeddings_code
    ON chunk_embeddings (organization_id, model, artifact_id, code);

-- The words of the passages. The texts themselves stay where they are.
CREATE VIRTUAL TABLE chunks_fts USING fts5 (
    text,
    content = 'chunks',
    content_rowid = 'sequence',
    tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER chunks_index_words AFTER INSERT ON chunks
BEGIN
    INSERT INTO chunks_fts (rowid, text) VALUES (NEW.sequence, NEW.text);
END;

CREATE TRIGGER chunks_forget_words AFTER DELETE ON chunks
BEGIN
    INSERT INTO chunks_fts (chunks_fts, rowid, text) VALUES ('delete', OLD.sequence, OLD.text);
END;

CREATE TRIGGER chunks_text_is_final BEFORE UPDATE OF text ON chunks
BEGIN
    SELECT RAISE(ABORT, 'passages are replaced, not changed');
END;
