//! `TextVectorization`. Source: `keras/src/layers/preprocessing/text_vectorization.py`, Keras 3.15.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LayerConfig;
use super::encoding::{OutputMode, encoded, typed};
use crate::json::Float;
use crate::variables::{Sublayer, Variables};
use crate::{Base, Call, DType, KerasTensor, Result, Shape};

/// Texts as numbers of their words, or as vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextVectorization {
    /// Largest vocabulary, special tokens included.
    #[serde(default)]
    pub max_tokens: Option<usize>,
    /// What is done to a text first: a name of Keras's, `null`, or a function of the author's.
    #[serde(default = "lower_and_strip_punctuation")]
    pub standardize: Value,
    /// How a text is split: a name of Keras's, `null`, or a function of the author's.
    #[serde(default = "whitespace")]
    pub split: Value,
    /// Lengths of the runs of words that are tokens: up to a number, or a list.
    #[serde(default)]
    pub ngrams: Option<Value>,
    /// Numbers or vectors.
    #[serde(default)]
    pub output_mode: OutputMode,
    /// Number of tokens that a text is cut or filled up to.
    #[serde(default)]
    pub output_sequence_length: Option<usize>,
    /// Whether vectors are `max_tokens` long, whatever the vocabulary.
    #[serde(default)]
    pub pad_to_max_tokens: bool,
    /// Whether vectors are sparse.
    #[serde(default)]
    pub sparse: bool,
    /// Whether numbers come as a ragged tensor.
    #[serde(default)]
    pub ragged: bool,
    /// The vocabulary without special tokens, if it was given; an adapted one is in the file's
    /// assets.
    #[serde(default)]
    pub vocabulary: Option<Value>,
    /// Length of the vocabulary with special tokens, if it is fixed.
    #[serde(default)]
    pub vocabulary_size: Option<usize>,
    /// Weights of the tokens for `tf_idf`, if they were given.
    #[serde(default)]
    pub idf_weights: Option<Vec<Float>>,
    /// Encoding of the texts.
    #[serde(default)]
    pub encoding: Option<String>,
}

fn lower_and_strip_punctuation() -> Value {
    "lower_and_strip_punctuation".into()
}

fn whitespace() -> Value {
    "whitespace".into()
}

impl TextVectorization {
    /// Length of the vectors: the padding token has none.
    fn depth(&self) -> Option<usize> {
        let padded = self.max_tokens.filter(|_| self.pad_to_max_tokens);
        let given = || {
            let given = self.vocabulary.as_ref()?.as_array()?.len();
            given.checked_add(1)
        };
        padded.or(self.vocabulary_size).or_else(given)
    }
}

impl LayerConfig for TextVectorization {
    /// `[batch, ..]` to `[batch, output_sequence_length]` (`int64`); else to
    /// `[batch, .., vocabulary]` (`float32`).
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape()?;
        if self.output_mode == OutputMode::Int {
            let tokens = [shape.dim(0).flatten(), self.output_sequence_length];
            return Ok(typed(Shape::from(tokens), DType::Int64));
        }
        // Splitting makes an axis of words, which the vector takes the place of.
        let mut words = shape.clone();
        if !self.split.is_null() {
            words.0.push(None);
        } else if words.rank() <= 1 {
            words.0.push(Some(1));
        }
        Ok(typed(encoded(&words, self.output_mode, self.depth()), DType::Float32))
    }

    /// None; for `tf_idf` files hold `idf_weights` by name, twice: here and in the lookup table.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let named = (self.output_mode == OutputMode::TfIdf).then(|| "idf_weights".to_owned());
        let all = Variables { named: named.into_iter().collect(), ..Variables::none() };
        let (class, name) = ("StringLookup".to_owned(), "string_lookup".to_owned());
        let lookup = Base { class, name, ..call.base.clone() };
        let sublayers = vec![Sublayer::of("_lookup_layer", &lookup, all.clone())];
        Ok(Variables { sublayers, ..all })
    }
}
