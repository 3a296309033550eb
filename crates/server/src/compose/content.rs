//! Content, composed.

use std::{num::NonZero, sync::Arc};

use anyhow::Context;
use archesai_ai::{
    EmbeddingModel, EmbeddingOptions, Embeddings, LocalModel, OpenAi, OpenAiOptions,
};
use archesai_content::{Adapters, Artifact, ArtifactId, OrganizationId, Service, Settings};
use archesai_tools::Extractor;

use crate::{
    compose::{Infrastructure, translate::Woken},
    config::{self, Config},
    erased::content::{AnyBlobs, AnyCache, AnyStore},
};

/// The folder of the local model below the folder of models.
const LOCAL_MODEL: &str = "all-minilm-l6-v2";

/// How many texts go to a provider in one request.
const BATCH: NonZero<usize> = NonZero::new(64).expect("it is not zero");

/// The adapters of content.
pub struct ContentAdapters;

impl Adapters for ContentAdapters {
    type Store = AnyStore;
    type Artifacts = AnyCache<(OrganizationId, ArtifactId), Artifact>;
    type Blobs = AnyBlobs;
    type Embedder = Embeddings;
    type TextExtractor = Extractor;
    type Wakeups = Woken;
}

pub(super) async fn compose(
    config: &Config,
    infrastructure: &Infrastructure,
) -> anyhow::Result<Service<ContentAdapters>> {
    Ok(Service {
        store: infrastructure.database.content_store(),
        artifacts: infrastructure.caches.of_content("artifacts"),
        blobs: infrastructure.blobs(),
        embedder: embeddings(config).await?,
        extractor: match &config.program {
            Some(program) => Extractor::default().apart(program.clone()),
            None => Extractor::default(),
        },
        wakeups: Woken(infrastructure.bus.indexing.clone()),
        clock: Arc::clone(&infrastructure.system) as _,
        ids: Arc::clone(&infrastructure.system) as _,
        settings: Settings {
            max_bytes: config.max_upload_bytes,
            cache_ttl: config.cache_ttl,
            ..Settings::default()
        },
    })
}

/// The embedding model that the configuration names. That the local one is not there is no
/// error: the rest of the server works without it, and a search by meaning says what is missing.
async fn embeddings(config: &Config) -> anyhow::Result<Embeddings> {
    match config.embeddings {
        config::Embeddings::Off => Ok(Embeddings::None),
        config::Embeddings::Local => {
            match LocalModel::open(config.model_dir.join(LOCAL_MODEL)).await {
                Ok(model) => Ok(Embeddings::Local(model)),
                Err(error @ archesai_ai::Error::Missing { .. }) => {
                    tracing::warn!("search finds words only: {error}");
                    Ok(Embeddings::None)
                }
                Err(error) => Err(error).context("the local model cannot be used"),
            }
        }
        config::Embeddings::OpenAi => remote_embeddings(config).map(Embeddings::OpenAi),
    }
}

fn remote_embeddings(config: &Config) -> anyhow::Result<EmbeddingModel> {
    let provider = &config.embedding;
    anyhow::ensure!(
        !provider.url.is_empty(),
        "embedding_url must be set for embeddings from a service"
    );
    let options = OpenAiOptions::new(&provider.url, provider.api_key.clone());
    let client =
        OpenAi::new(options).context("embedding_url or embedding_api_key is not usable")?;
    Ok(EmbeddingModel::new(
        client,
        EmbeddingOptions {
            model: provider.model.clone(),
            dimensions: config.embedding_dimensions,
            shorten: false,
            batch: BATCH,
        },
    ))
}
