//! A model in memory: what turns texts into tokens, and tokens into vectors.

use std::{error, fmt, path::Path};

use tokenizers::{Tokenizer, TruncationParams};
use tokio::task::spawn_blocking;

use super::{config::Config, encoder::Encoder, weights::Weights};
use crate::{Error, Result};

/// The file that says what shape the model has.
pub(super) const CONFIG: &str = "config.json";

/// The file that says how texts become tokens.
pub(super) const TOKENIZER: &str = "tokenizer.json";

/// The file that has the numbers.
pub(super) const WEIGHTS: &str = "model.safetensors";

/// How much of a text is looked at for each token that counts, in bytes. Prose has 4 or 5 of
/// them to a token; without a bound, a long text would be tokenized only to be cut off.
const BYTES_PER_TOKEN: usize = 64;

/// A model in memory.
pub(super) struct Engine {
    tokenizer: Tokenizer,
    encoder: Encoder,
    max_bytes: usize,
}

impl Engine {
    /// Reads a model out of its files.
    pub(super) async fn load(folder: &Path, config: &Config, max_tokens: usize) -> Result<Self> {
        let max_tokens = max_tokens.min(config.max_position_embeddings);
        let file = folder.join(TOKENIZER);
        let tokenizer = read(&file).await?;
        let tokenizer = blocking(move || tokenizer_of(&tokenizer, max_tokens)).await?;
        let tokenizer = tokenizer.map_err(|reason| unusable(&file, reason))?;
        let vocabulary = tokenizer.get_vocab(true);
        if vocabulary
            .values()
            .any(|&id| id as usize >= config.vocab_size)
        {
            return Err(unusable(&file, "it has words that the model has not"));
        }

        let file = folder.join(WEIGHTS);
        let weights = read(&file).await?;
        let config = config.clone();
        let encoder = blocking(move || Encoder::load(&config, &Weights::parse(&weights)?)).await?;
        let encoder = encoder.map_err(|reason| unusable(&file, reason))?;
        Ok(Self {
            tokenizer,
            encoder,
            max_bytes: max_tokens * BYTES_PER_TOKEN,
        })
    }

    /// The tokens of each text, at most as many as count.
    pub(super) fn tokenize(&self, texts: &[String]) -> Result<Vec<Vec<u32>>> {
        let tokens = texts.iter().map(|text| {
            let text = &text[..text.floor_char_boundary(self.max_bytes)];
            let encoding = self.tokenizer.encode_fast(text, true);
            Ok(encoding.map_err(Error::Failed)?.get_ids().to_vec())
        });
        tokens.collect()
    }

    /// The vector of each sentence of tokens.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "of the same shape as what tokenizes"
    )]
    pub(super) fn encode(&self, sentences: &[Vec<u32>]) -> Result<Vec<Vec<f32>>> {
        Ok(self.encoder.encode(sentences))
    }
}

/// Reads a file whole.
#[expect(
    clippy::disallowed_methods,
    reason = "the model is a part of the program, no user's file"
)]
pub(super) async fn read(file: &Path) -> Result<Vec<u8>> {
    tokio::fs::read(file).await.map_err(|error| {
        let file = file.to_path_buf();
        match error.kind() {
            std::io::ErrorKind::NotFound => Error::Missing { file },
            _ => unusable(&file, error),
        }
    })
}

fn tokenizer_of(
    json: &[u8],
    max_tokens: usize,
) -> std::result::Result<Tokenizer, Box<dyn error::Error + Send + Sync>> {
    let mut tokenizer = Tokenizer::from_bytes(json)?;
    // What the file says of both is for another use: batches are padded here, and no further
    // than they must be.
    tokenizer.with_padding(None);
    tokenizer.with_truncation(Some(TruncationParams {
        max_length: max_tokens,
        ..TruncationParams::default()
    }))?;
    Ok(tokenizer)
}

fn unusable(file: &Path, reason: impl fmt::Display) -> Error {
    Error::Unusable {
        file: file.to_path_buf(),
        reason: reason.to_string(),
    }
}

/// Runs work that takes long where it stops nobody else.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let done = spawn_blocking(work).await;
    done.map_err(|error| Error::Failed(error.into()))
}
