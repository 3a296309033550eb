//! A BERT encoder (Devlin et al., 2018, <https://arxiv.org/abs/1810.04805>) with the
//! mean pooling of sentence-transformers (Reimers and Gurevych, 2019,
//! <https://arxiv.org/abs/1908.10084>).
//!
//! Tokens of a batch are the rows of one matrix wherever the sentences do not matter, so
//! that each layer is few and large multiplications.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{
    Embedding, LayerNorm, Linear, Module, VarBuilder, embedding, layer_norm, linear, ops,
};

use super::config::Config;

/// The attention paid to a padding token, before the softmax: too little to count.
const NONE: f32 = -1e9;

/// The encoder: token ids in, one normalised vector per sentence out.
pub(super) struct Encoder {
    words: Embedding,
    positions: Tensor,
    /// Every token is of the first sentence: there is no second one in an embedding.
    token_type: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    hidden: usize,
}

/// Sentences of token ids, padded to the length of the longest.
pub(super) struct Batch {
    ids: Vec<u32>,
    lengths: Vec<usize>,
    longest: usize,
}

impl Batch {
    pub(super) fn new<'a>(sentences: impl Iterator<Item = &'a [u32]> + Clone) -> Self {
        let lengths: Vec<_> = sentences.clone().map(<[u32]>::len).collect();
        let longest = lengths.iter().copied().max().unwrap_or_default();
        let mut ids = vec![0; lengths.len() * longest];
        for (row, sentence) in sentences.enumerate() {
            ids[row * longest..][..sentence.len()].copy_from_slice(sentence);
        }
        Self {
            ids,
            lengths,
            longest,
        }
    }

    /// One value per token: `real` for those of the sentences, `padding` for the rest.
    fn mask(&self, real: f32, padding: f32) -> Vec<f32> {
        let row = |&length: &usize| {
            (0..self.longest).map(move |at| if at < length { real } else { padding })
        };
        self.lengths.iter().flat_map(row).collect()
    }

    fn is_padded(&self) -> bool {
        self.lengths.iter().any(|&length| length < self.longest)
    }
}

impl Encoder {
    pub(super) fn load(config: &Config, weights: &VarBuilder<'_>) -> Result<Self> {
        let hidden = config.hidden_size;
        let embeddings = weights.pp("embeddings");
        let types = embeddings.get(
            (config.type_vocab_size, hidden),
            "token_type_embeddings.weight",
        )?;
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Layer::load(config, &weights.pp(format!("encoder.layer.{layer}"))));
        Ok(Self {
            words: embedding(config.vocab_size, hidden, embeddings.pp("word_embeddings"))?,
            positions: embeddings.get(
                (config.max_position_embeddings, hidden),
                "position_embeddings.weight",
            )?,
            token_type: types.narrow(0, 0, 1)?,
            norm: layer_norm(hidden, config.layer_norm_eps, embeddings.pp("LayerNorm"))?,
            layers: layers.collect::<Result<_>>()?,
            hidden,
        })
    }

    /// One vector of length 1 per sentence.
    pub(super) fn encode(&self, batch: &Batch) -> Result<Vec<Vec<f32>>> {
        let (count, longest) = (batch.lengths.len(), batch.longest);
        let device = &Device::Cpu;
        let mask = if batch.is_padded() {
            let values = batch.mask(0.0, NONE);
            Some(Tensor::from_vec(values, (count, 1, 1, longest), device)?)
        } else {
            None
        };
        let ids = Tensor::from_slice(&batch.ids, (count, longest), device)?;
        let positions = self.positions.narrow(0, 0, longest)?;
        let positions = positions.broadcast_add(&self.token_type)?;
        let words = self.words.forward(&ids)?.broadcast_add(&positions)?;
        let mut rows = self
            .norm
            .forward(&words.reshape((count * longest, self.hidden))?)?;
        for layer in &self.layers {
            rows = layer.forward(&rows, (count, longest), mask.as_ref())?;
        }
        let pooled = self.pool(&rows, batch)?;
        let length = pooled.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?;
        pooled.broadcast_div(&length)?.to_vec2()
    }

    /// The mean of each sentence's tokens. Only its direction is kept, so the sum will do.
    fn pool(&self, rows: &Tensor, batch: &Batch) -> Result<Tensor> {
        let (count, longest) = (batch.lengths.len(), batch.longest);
        let real = batch.mask(1.0, 0.0);
        let real = Tensor::from_vec(real, (count, 1, longest), rows.device())?;
        real.matmul(&rows.reshape((count, longest, self.hidden))?)?
            .squeeze(1)
    }
}

/// One layer: attention, then a network of two steps, each added to what it was given.
struct Layer {
    /// Query, key and value below one another: one multiplication rather than three.
    qkv: Linear,
    attention: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    heads: usize,
    head_size: usize,
}

impl Layer {
    fn load(config: &Config, weights: &VarBuilder<'_>) -> Result<Self> {
        let hidden = config.hidden_size;
        let norm = |name: &str| layer_norm(hidden, config.layer_norm_eps, weights.pp(name));
        let step = |from, to, name: &str| linear(from, to, weights.pp(name));
        Ok(Self {
            qkv: Self::load_qkv(config, &weights.pp("attention.self"))?,
            attention: step(hidden, hidden, "attention.output.dense")?,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate: step(hidden, config.intermediate_size, "intermediate.dense")?,
            output: step(config.intermediate_size, hidden, "output.dense")?,
            output_norm: norm("output.LayerNorm")?,
            heads: config.num_attention_heads,
            head_size: config.head_size(),
        })
    }

    /// The queries are scaled here once rather than their products every time.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the size of a head is a small number"
    )]
    fn load_qkv(config: &Config, weights: &VarBuilder<'_>) -> Result<Linear> {
        let scale = (config.head_size() as f64).sqrt().recip();
        let part = |name: &str, scale: f64| -> Result<(Tensor, Tensor)> {
            let part = linear(config.hidden_size, config.hidden_size, weights.pp(name))?;
            let bias = part.bias().ok_or_else(|| no_bias(name))?;
            Ok(((part.weight() * scale)?, (bias * scale)?))
        };
        let parts = [
            part("query", scale)?,
            part("key", 1.0)?,
            part("value", 1.0)?,
        ];
        let weight = Tensor::cat(&parts.each_ref().map(|part| &part.0), 0)?;
        let bias = Tensor::cat(&parts.each_ref().map(|part| &part.1), 0)?;
        Ok(Linear::new(weight, Some(bias)))
    }

    fn forward(
        &self,
        rows: &Tensor,
        shape: (usize, usize),
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let attended = self.attention.forward(&self.attend(rows, shape, mask)?)?;
        let rows = self.attention_norm.forward(&(attended + rows)?)?;
        let inner = self.intermediate.forward(&rows)?.gelu_erf()?;
        let outer = self.output.forward(&inner)?;
        self.output_norm.forward(&(outer + rows)?)
    }

    /// What every token takes from the tokens of its sentence, head by head.
    fn attend(
        &self,
        rows: &Tensor,
        (count, longest): (usize, usize),
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let qkv = self.qkv.forward(rows)?;
        let qkv = qkv.reshape((count, longest, 3, self.heads, self.head_size))?;
        // (3, sentence, head, token, component)
        let qkv = qkv.permute((2, 0, 3, 1, 4))?.contiguous()?;
        let (query, key, value) = (qkv.get(0)?, qkv.get(1)?, qkv.get(2)?);
        let mut scores = query.matmul(&key.t()?)?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(mask)?;
        }
        let taken = ops::softmax_last_dim(&scores)?.matmul(&value)?;
        let hidden = self.heads * self.head_size;
        taken.transpose(1, 2)?.reshape((count * longest, hidden))
    }
}

fn no_bias(name: &str) -> candle_core::Error {
    candle_core::Error::Msg(format!("`{name}` has no bias"))
}

/// Reads an encoder out of the bytes of a safetensors file.
pub(super) fn read(config: &Config, bytes: Vec<u8>) -> Result<Encoder> {
    let weights = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu)?;
    Encoder::load(config, &weights)
}
