//! What `StringLookup` and `IntegerLookup` share.
//! Source: `keras/src/layers/preprocessing/index_lookup.py`, Keras 3.15.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LayerConfig;
use super::encoding::{OutputMode, encoded, typed};
use crate::json::Float;
use crate::variables::Variables;
use crate::{Call, DType, KerasTensor, Result};

/// The place of a token in a vocabulary, or the other way round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexLookup {
    /// Largest vocabulary, special tokens included.
    #[serde(default)]
    pub max_tokens: Option<usize>,
    /// Places for tokens that are not in the vocabulary.
    #[serde(default = "super::conv::one")]
    pub num_oov_indices: usize,
    /// The token of masked places: number 0.
    #[serde(default)]
    pub mask_token: Option<Value>,
    /// The token that stands for unknown ones where numbers become tokens.
    #[serde(default)]
    pub oov_token: Option<Value>,
    /// The vocabulary without special tokens, if it was given; an adapted one is in the file's
    /// assets.
    #[serde(default)]
    pub vocabulary: Option<Value>,
    /// Length of the vocabulary with special tokens, if it is fixed.
    #[serde(default)]
    pub vocabulary_size: Option<usize>,
    /// Type of the tokens; strings for `StringLookup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary_dtype: Option<DType>,
    /// Weights of the tokens for `tf_idf`, if they were given.
    #[serde(default)]
    pub idf_weights: Option<Vec<Float>>,
    /// Whether numbers become tokens.
    #[serde(default)]
    pub invert: bool,
    /// Numbers or vectors.
    #[serde(default)]
    pub output_mode: OutputMode,
    /// Whether vectors are sparse.
    #[serde(default)]
    pub sparse: bool,
    /// Whether vectors are `max_tokens` long, whatever the vocabulary.
    #[serde(default)]
    pub pad_to_max_tokens: bool,
    /// How an unknown token finds its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oov_method: Option<String>,
    /// Keys of the hash of unknown tokens.
    #[serde(default)]
    pub salt: Option<Value>,
    /// Encoding of the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
}

impl IndexLookup {
    /// Length of the vocabulary with its special tokens, as far as the config tells.
    pub fn size(&self) -> Option<usize> {
        self.vocabulary_size.or_else(|| {
            let given = self.vocabulary.as_ref()?.as_array()?.len();
            given
                .checked_add(self.num_oov_indices)?
                .checked_add(usize::from(self.mask_token.is_some()))
        })
    }

    /// Length of the vectors.
    pub(super) fn depth(&self) -> Option<usize> {
        let padded = self.max_tokens.filter(|_| self.pad_to_max_tokens);
        padded.or_else(|| self.size())
    }
}

impl LayerConfig for IndexLookup {
    /// The input's shape for `int` (`int64`, or tokens for `invert`); else `[.., n]` to
    /// `[.., vocabulary]`, for `one_hot` `[.., n, vocabulary]` if `n` is not 1 (`float32`).
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape()?;
        let tokens = self.vocabulary_dtype.unwrap_or(DType::String);
        Ok(match self.output_mode {
            OutputMode::Int if self.invert => typed(shape.clone(), tokens),
            OutputMode::Int => typed(shape.clone(), DType::Int64),
            mode => typed(encoded(shape, mode, self.depth()), DType::Float32),
        })
    }

    /// None; for `tf_idf` files hold `idf_weights` by name.
    fn variables(&self, _call: &Call<'_>) -> Result<Variables> {
        let named = (self.output_mode == OutputMode::TfIdf).then(|| "idf_weights".to_owned());
        Ok(Variables { named: named.into_iter().collect(), ..Variables::none() })
    }
}
