DROP TABLE chunk_embeddings, chunks, embedding_models, erasures, blob_deletions, artifact_labels, labels,
    artifacts;
