//! A BERT encoder (Devlin et al., 2018, <https://arxiv.org/abs/1810.04805>) with the
//! mean pooling of sentence-transformers (Reimers and Gurevych, 2019,
//! <https://arxiv.org/abs/1908.10084>).
//!
//! The tokens of all sentences are the rows of one matrix, one sentence below the other and
//! nothing between them, so that each layer is few and large multiplications. Only attention
//! looks at a sentence for itself.

use std::ops::Range;

use ndarray::{Array1, Array2, Axis, concatenate, linalg::general_mat_mul};

use super::{
    config::Config,
    numbers::{gelu, softmax},
    weights::{Result, Weights},
};

/// The axis of a matrix along which the tokens are.
const TOKENS: Axis = Axis(0);

/// The axis along which a token's numbers are.
const NUMBERS: Axis = Axis(1);

/// The encoder: token ids in, one normalised vector per sentence out.
pub(super) struct Encoder {
    words: Array2<f32>,
    /// With what says that a token is of the first sentence: there is no second one in an
    /// embedding.
    positions: Array2<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Encoder {
    pub(super) fn load(config: &Config, weights: &Weights<'_>) -> Result<Self> {
        let hidden = config.hidden_size;
        let types = weights.matrix(
            "embeddings.token_type_embeddings.weight",
            [config.type_vocab_size, hidden],
        )?;
        let positions = weights.matrix(
            "embeddings.position_embeddings.weight",
            [config.max_position_embeddings, hidden],
        )?;
        let words = weights.matrix(
            "embeddings.word_embeddings.weight",
            [config.vocab_size, hidden],
        )?;
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Layer::load(config, weights, &format!("encoder.layer.{layer}")));
        Ok(Self {
            words,
            positions: positions + types.row(0),
            norm: Norm::load(config, weights, "embeddings.LayerNorm")?,
            layers: layers.collect::<Result<_>>()?,
        })
    }

    /// One vector of length 1 per sentence. A sentence has a token, no more tokens than there
    /// are positions, and none that is not a word of the model.
    pub(super) fn encode(&self, sentences: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let mut end = 0;
        let ranges = sentences.iter().map(|sentence| {
            let start = end;
            end += sentence.len();
            start..end
        });
        let ranges: Vec<_> = ranges.collect();
        let mut rows = self.look_up(sentences, end);
        for layer in &self.layers {
            layer.apply(&mut rows, &ranges);
        }
        ranges.into_iter().map(|range| pool(&rows, range)).collect()
    }

    /// What each token means by itself, at its place in its sentence.
    fn look_up(&self, sentences: &[Vec<u32>], count: usize) -> Array2<f32> {
        let mut rows = Array2::zeros((count, self.words.ncols()));
        let tokens = sentences.iter().flat_map(|sentence| {
            let places = self.positions.outer_iter();
            sentence.iter().zip(places)
        });
        for (mut row, (&token, place)) in rows.outer_iter_mut().zip(tokens) {
            row.assign(&self.words.row(token as usize));
            row += &place;
        }
        self.norm.apply(&mut rows);
        rows
    }
}

/// The mean of a sentence's tokens. Only its direction is kept, so the sum will do.
fn pool(rows: &Array2<f32>, sentence: Range<usize>) -> Vec<f32> {
    let sum = rows.slice_axis(TOKENS, sentence.into()).sum_axis(TOKENS);
    let length = sum.dot(&sum).sqrt();
    (sum / length).to_vec()
}

/// One layer: attention, then a network of two steps, each added to what it was given.
struct Layer {
    /// Query, key and value below one another: one multiplication rather than three.
    qkv: Linear,
    attention: Linear,
    attention_norm: Norm,
    intermediate: Linear,
    output: Linear,
    output_norm: Norm,
    heads: usize,
}

impl Layer {
    fn load(config: &Config, weights: &Weights<'_>, name: &str) -> Result<Self> {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let step =
            |part: &str, from, to| Linear::load(weights, &format!("{name}.{part}"), from, to);
        let norm = |part: &str| Norm::load(config, weights, &format!("{name}.{part}"));
        let mut query = step("attention.self.query", hidden, hidden)?;
        query.scale(config.head_size());
        let key = step("attention.self.key", hidden, hidden)?;
        let value = step("attention.self.value", hidden, hidden)?;
        Ok(Self {
            qkv: Linear::stack(&[query, key, value])?,
            attention: step("attention.output.dense", hidden, hidden)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate: step("intermediate.dense", hidden, inner)?,
            output: step("output.dense", inner, hidden)?,
            output_norm: norm("output.LayerNorm")?,
            heads: config.num_attention_heads,
        })
    }

    fn apply(&self, rows: &mut Array2<f32>, sentences: &[Range<usize>]) {
        let attended = self.attend(rows, sentences);
        self.attention.add(&attended, rows);
        self.attention_norm.apply(rows);
        let mut inner = self.intermediate.of(rows);
        gelu(flat(&mut inner));
        self.output.add(&inner, rows);
        self.output_norm.apply(rows);
    }

    /// What every token takes from the tokens of its sentence, head by head.
    fn attend(&self, rows: &Array2<f32>, sentences: &[Range<usize>]) -> Array2<f32> {
        let qkv = self.qkv.of(rows);
        let hidden = rows.ncols();
        let size = hidden / self.heads;
        let mut attended = Array2::zeros(rows.raw_dim());
        for sentence in sentences {
            let qkv = qkv.slice_axis(TOKENS, sentence.clone().into());
            let mut attended = attended.slice_axis_mut(TOKENS, sentence.clone().into());
            let mut scores = Array2::zeros((sentence.len(), sentence.len()));
            for head in (0..hidden).step_by(size) {
                let [query, key, value] = [0, hidden, 2 * hidden].map(|part| {
                    let at = part + head;
                    qkv.slice_axis(NUMBERS, (at..at + size).into())
                });
                general_mat_mul(1.0, &query, &key.t(), 0.0, &mut scores);
                flat(&mut scores)
                    .chunks_mut(sentence.len())
                    .for_each(softmax);
                let mut taken = attended.slice_axis_mut(NUMBERS, (head..head + size).into());
                general_mat_mul(1.0, &scores, &value, 0.0, &mut taken);
            }
        }
        attended
    }
}

/// A linear step: a weight for each pair of what comes in and what goes out, and a bias.
struct Linear {
    /// A column for each number that goes out, which is quicker to multiply by than a row.
    weight: Array2<f32>,
    bias: Array1<f32>,
}

impl Linear {
    fn load(weights: &Weights<'_>, name: &str, from: usize, to: usize) -> Result<Self> {
        let weight = weights.matrix(&format!("{name}.weight"), [to, from])?;
        Ok(Self {
            weight: weight.t().as_standard_layout().into_owned(),
            bias: weights.vector(&format!("{name}.bias"), to)?,
        })
    }

    /// Scales queries once, rather than their products every time.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the size of a head is a small number"
    )]
    fn scale(&mut self, head_size: usize) {
        let scale = (head_size as f32).sqrt().recip();
        self.weight *= scale;
        self.bias *= scale;
    }

    /// The steps as one, whose numbers are those of the first, then those of the second, and so on.
    fn stack(steps: &[Self]) -> Result<Self> {
        let weights: Vec<_> = steps.iter().map(|step| step.weight.view()).collect();
        let biases: Vec<_> = steps.iter().map(|step| step.bias.view()).collect();
        let failed = |error: ndarray::ShapeError| error.to_string();
        Ok(Self {
            weight: concatenate(Axis(1), &weights).map_err(failed)?,
            bias: concatenate(Axis(0), &biases).map_err(failed)?,
        })
    }

    fn of(&self, rows: &Array2<f32>) -> Array2<f32> {
        let mut out = Array2::zeros((rows.nrows(), self.bias.len()));
        self.add(rows, &mut out);
        out
    }

    /// Adds what comes of `rows` to `to`.
    fn add(&self, rows: &Array2<f32>, to: &mut Array2<f32>) {
        *to += &self.bias;
        general_mat_mul(1.0, rows, &self.weight, 1.0, to);
    }
}

/// Layer normalisation (Ba et al., 2016, <https://arxiv.org/abs/1607.06450>).
struct Norm {
    weight: Array1<f32>,
    bias: Array1<f32>,
    epsilon: f32,
}

impl Norm {
    fn load(config: &Config, weights: &Weights<'_>, name: &str) -> Result<Self> {
        Ok(Self {
            weight: weights.vector(&format!("{name}.weight"), config.hidden_size)?,
            bias: weights.vector(&format!("{name}.bias"), config.hidden_size)?,
            epsilon: config.layer_norm_eps,
        })
    }

    fn apply(&self, rows: &mut Array2<f32>) {
        for mut row in rows.outer_iter_mut() {
            row -= row.mean().unwrap_or_default();
            let variance = row.pow2().mean().unwrap_or_default();
            row *= (variance + self.epsilon).sqrt().recip();
            row *= &self.weight;
            row += &self.bias;
        }
    }
}

/// The numbers of a matrix that was made here.
fn flat(matrix: &mut Array2<f32>) -> &mut [f32] {
    let numbers = matrix.as_slice_mut();
    numbers.expect("a new matrix has its rows one after the other")
}
