//! What `StringLookup`, `IntegerLookup` and `TextVectorization` share.

use std::collections::HashMap;
use std::sync::Arc;

use keras_model::DType;
use keras_model::layers::encoding::OutputMode;
use keras_model::layers::index_lookup::IndexLookup;
use serde_json::Value as Json;

use super::encoding::encode;
use super::{Call, hashing};
use crate::graph::{Builder, Value};
use crate::ops::{HashBucket, Lookup, Relation, Unknown, Vocabulary};
use crate::{Result, Tensor};

pub(super) fn lower(
    layer: &IndexLookup,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let table = Table::of(layer, b)?;
    if layer.invert {
        return Ok(vec![invert(layer, b, &table, x)?]);
    }
    let x = if b.dtype(x) == DType::String { x } else { b.cast(x, DType::Int64)? };
    let depth = table.depth(layer);
    let vocabulary = Arc::new(table.vocabulary(layer));
    let place = b.op(Lookup { vocabulary }, &[x])?;
    if layer.output_mode == OutputMode::Int {
        return Ok(vec![place]);
    }
    let y = encode(b, place, layer.output_mode, depth, DType::Float32)?;
    Ok(vec![weighted(layer, b, &table, y)?])
}

/// A vocabulary without its special tokens.
pub(super) struct Table {
    tokens: Vec<String>,
    /// Whether the special tokens stood in front of it.
    had_special: bool,
    /// Places before the first unknown one: that of the mask.
    oov_start: usize,
    /// Places before the first token.
    start: usize,
}

/// A token as text.
fn text(token: &Json) -> String {
    match token {
        Json::String(text) => text.clone(),
        other => other.as_f64().filter(|n| n.fract() == 0.0).map_or_else(
            || other.to_string(),
            |n| other.as_i64().map_or_else(|| format!("{n}"), |n| n.to_string()),
        ),
    }
}

/// The mask token, if there is one.
fn mask(layer: &IndexLookup) -> Option<String> {
    layer.mask_token.as_ref().filter(|t| !t.is_null()).map(text)
}

impl Table {
    /// From the config, or from the file's assets.
    pub(super) fn of(layer: &IndexLookup, b: &Builder<'_>) -> Result<Self> {
        let given = layer.vocabulary.as_ref().filter(|v| !v.is_null());
        let given = given.map(|v| v.get("config").and_then(|c| c.get("value")).unwrap_or(v));
        let mut tokens: Vec<String> = match given {
            Some(Json::Array(tokens)) => tokens.iter().map(text).collect(),
            _ => match b.vocabulary() {
                Some(bytes) => {
                    String::from_utf8_lossy(bytes).split('\n').map(str::to_owned).collect()
                }
                None => return Err(b.error("has no vocabulary in the file")),
            },
        };
        let mask = mask(layer).filter(|_| layer.output_mode == OutputMode::Int);
        let oov_start = usize::from(mask.is_some());
        let start = oov_start.saturating_add(layer.num_oov_indices);
        let oov = layer.oov_token.as_ref().filter(|t| !t.is_null()).map(text).unwrap_or_default();
        let oov = std::iter::repeat_n(&oov, layer.num_oov_indices);
        let had_special = tokens.iter().take(start).eq(mask.iter().chain(oov));
        if had_special {
            tokens.drain(..start.min(tokens.len()));
        }
        Ok(Self { tokens, had_special, oov_start, start })
    }

    /// Number of tokens, special ones included.
    pub(super) const fn size(&self) -> usize {
        self.start.saturating_add(self.tokens.len())
    }

    /// Length of the vectors.
    pub(super) fn depth(&self, layer: &IndexLookup) -> usize {
        let padded = layer.max_tokens.filter(|_| layer.pad_to_max_tokens);
        padded.unwrap_or(self.size())
    }

    /// Places by token.
    pub(super) fn vocabulary(&self, layer: &IndexLookup) -> Vocabulary {
        let at = |i: usize| self.start.saturating_add(i) as i64;
        let mut places: HashMap<String, i64> =
            self.tokens.iter().enumerate().map(|(i, t)| (t.clone(), at(i))).collect();
        if let Some(mask) = mask(layer) {
            // Where there are no numbers, masked places have no place in the vector.
            let masked = if layer.output_mode == OutputMode::Int { 0 } else { i64::MAX };
            places.insert(mask, masked);
        }
        let start = self.oov_start as i64;
        let whole = layer.vocabulary_dtype.is_some_and(|t| t != DType::String);
        let unknown = match layer.num_oov_indices {
            0 => Unknown::Error,
            1 => Unknown::Place(start),
            n if whole && layer.oov_method.as_deref() != Some("farmhash") => {
                Unknown::Modulo { start, n: n as i64 }
            }
            n => {
                let key = hashing::keys(layer.salt.as_ref());
                Unknown::Hash { start, hash: HashBucket { bins: n as u64, key, mask: None } }
            }
        };
        Vocabulary { places, unknown }
    }
}

/// Counts times the weights of the tokens, for `tf_idf`.
pub(super) fn weighted(
    layer: &IndexLookup,
    b: &mut Builder<'_>,
    table: &Table,
    counts: Value,
) -> Result<Value> {
    if layer.output_mode != OutputMode::TfIdf {
        return Ok(counts);
    }
    if b.has_weight("idf_weights") {
        let weights = b.weight("idf_weights")?;
        return b.mul(counts, weights);
    }
    let Some(weights) = &layer.idf_weights else {
        return Err(b.error("has no idf_weights: it was never adapted"));
    };
    let mut all: Vec<f64> = weights.iter().map(|w| w.0).collect();
    if !table.had_special {
        // Keras gives tokens without a weight of their own the average.
        let average = all.iter().sum::<f64>() / all.len().max(1) as f64;
        all.splice(0..0, std::iter::repeat_n(average, table.start));
    }
    let depth = b.dim(counts, -1)?;
    let weights = b.table([depth], b.dtype(counts), || {
        all.resize(depth, 0.0);
        all
    })?;
    b.mul(counts, weights)
}

/// Tokens by their places.
fn invert(layer: &IndexLookup, b: &mut Builder<'_>, table: &Table, x: Value) -> Result<Value> {
    let x = b.cast(x, DType::Int64)?;
    let oov = layer.oov_token.as_ref().map(text).unwrap_or_default();
    let unknown = layer.num_oov_indices + 1;
    let mut tokens: Vec<String> = mask(layer).into_iter().collect();
    tokens.extend(std::iter::repeat_n(oov.clone(), unknown - 1));
    tokens.extend(table.tokens.iter().cloned());
    let n = tokens.len();
    tokens.push(oov);
    let tokens = match layer.vocabulary_dtype {
        Some(dtype) if dtype != DType::String => {
            let numbers: Option<Vec<i64>> = tokens.iter().map(|t| t.parse().ok()).collect();
            let numbers = numbers.ok_or_else(|| b.error("a token is not a whole number"))?;
            Tensor::new([numbers.len()], numbers)?.cast(dtype)?
        }
        _ => Tensor::new([tokens.len()], tokens)?,
    };
    let tokens = b.constant(tokens);
    let last = b.scalar(n as f64, DType::Int64)?;
    let negative = b.compare_number(Relation::Less, x, 0.0)?;
    let x = b.select(negative, last, x)?;
    let beyond = b.compare_number(Relation::Greater, x, n as f64)?;
    let x = b.select(beyond, last, x)?;
    b.gather(tokens, x, 0)
}
