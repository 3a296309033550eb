//! What a model's `config.json` says about its shape.

use serde::Deserialize;

/// The shape of a BERT encoder, as Hugging Face's `config.json` names it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Config {
    model_type: String,
    hidden_act: String,
    /// The length of a vector.
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) layer_norm_eps: f32,
    pub(super) max_position_embeddings: usize,
    pub(super) num_attention_heads: usize,
    pub(super) num_hidden_layers: usize,
    pub(super) type_vocab_size: usize,
    pub(super) vocab_size: usize,
}

impl Config {
    /// Parses and checks a `config.json`; the error says what this encoder cannot do.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let config: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if config.model_type != "bert" {
            return Err(format!("it is of the type `{}`", config.model_type));
        }
        if config.hidden_act != "gelu" {
            return Err(format!("its activation is `{}`", config.hidden_act));
        }
        let heads = config.num_attention_heads;
        if heads == 0 || !config.hidden_size.is_multiple_of(heads) {
            return Err("its heads do not divide its vectors evenly".to_owned());
        }
        Ok(config)
    }

    /// The length of one head's part of a vector.
    pub(super) fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINI_LM: &str = r#"{"model_type": "bert", "hidden_act": "gelu", "hidden_size": 384,
        "intermediate_size": 1536, "layer_norm_eps": 1e-12, "max_position_embeddings": 512,
        "num_attention_heads": 12, "num_hidden_layers": 6, "type_vocab_size": 2,
        "vocab_size": 30522, "position_embedding_type": "absolute"}"#;

    #[test]
    fn takes_bert() {
        let config = Config::parse(MINI_LM.as_bytes()).expect("a good one");
        assert_eq!((config.hidden_size, config.head_size()), (384, 32));
    }

    #[test]
    fn refuses_what_it_would_compute_wrongly() {
        for (from, to) in [
            ("\"bert\"", "\"roberta\""),
            ("\"gelu\"", "\"relu\""),
            ("heads\": 12", "heads\": 7"),
            ("heads\": 12", "heads\": 0"),
            ("hidden_size", "size"),
        ] {
            let changed = MINI_LM.replacen(from, to, 1);
            assert!(Config::parse(changed.as_bytes()).is_err(), "{to}");
        }
    }
}
