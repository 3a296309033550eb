DROP TABLE chunks_fts; DROP TABLE chunk_embeddings; DROP TABLE chunks; DROP TABLE embedding_models;
DROP TABLE erasures; DROP TABLE blob_deletions; DROP TABLE artifact_labels; DROP TABLE labels; DROP TABLE artifacts;
