//! `TextVectorization`.

use std::sync::Arc;

use keras_model::DType;
use keras_model::layers::encoding::OutputMode;
use keras_model::layers::index_lookup::IndexLookup;
use keras_model::layers::text_vectorization::TextVectorization;
use serde_json::Value as Json;

use super::Call;
use super::encoding::encode;
use super::index_lookup::{Table, weighted};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Split, Splitter, TokenCounts, TokenPlaces};

pub(super) fn lower(
    layer: &TextVectorization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let mut x = call.input(b)?;
    if b.dtype(x) != DType::String {
        return Err(b.error(format!("expected texts, found {}", b.dtype(x))));
    }
    if b.rank(x) == 0 {
        x = b.expand(x, 0)?;
    }
    if layer.ragged {
        return Err(b.unsupported("a ragged output"));
    }
    let splitter = splitter(layer, b)?;
    if splitter.split.is_some() && b.rank(x) > 1 {
        let [outer @ .., 1] = b.shape(x) else {
            return Err(b.error(format!("cannot split texts of shape {:?}", b.shape(x))));
        };
        let outer = outer.to_vec();
        x = b.reshape(x, outer)?;
    }
    if b.rank(x) > 1 && splitter.split.is_some() || b.rank(x) > 2 {
        return Err(b.unsupported(format!("texts of shape {:?}", b.shape(x))));
    }
    let lookup = lookup(layer);
    let table = Table::of(&lookup, b)?;
    let vocabulary = Arc::new(table.vocabulary(&lookup));
    if layer.output_mode == OutputMode::Int {
        let whole = (splitter.split.is_none() && splitter.ngrams.is_none())
            .then(|| if b.rank(x) > 1 { b.dim(x, -1).ok() } else { Some(1) });
        let is_whole = whole.is_some() && layer.output_sequence_length.is_none();
        let length = match layer.output_sequence_length.or(whole.flatten()) {
            Some(length) => length,
            // As long as the longest text of the batch.
            None => splitter.longest(&b.needed(x, "length (no output_sequence_length)")?.view())?,
        };
        let op = TokenPlaces { splitter, vocabulary, length };
        let y = b.op(op, &[x])?;
        if is_whole && b.rank(x) == 1 {
            let shape = b.shape(x).to_vec();
            return Ok(vec![b.reshape(y, shape)?]);
        }
        return Ok(vec![y]);
    }
    let depth = table.depth(&lookup);
    if layer.output_mode == OutputMode::OneHot {
        if splitter.split.is_some() || splitter.ngrams.is_some() {
            return Err(b.unsupported("one_hot of split texts"));
        }
        let place = b.op(crate::ops::Lookup { vocabulary }, &[x])?;
        return Ok(vec![encode(b, place, OutputMode::OneHot, depth, DType::Float32)?]);
    }
    let once = layer.output_mode == OutputMode::MultiHot;
    let counts = b.op(TokenCounts { splitter, vocabulary, depth, once }, &[x])?;
    Ok(vec![weighted(&lookup, b, &table, counts)?])
}

/// Words that one token may have: each length costs a pass over the text.
const MOST_WORDS: usize = 1024;

fn splitter(layer: &TextVectorization, b: &Builder<'_>) -> Result<Splitter> {
    let (lower, strip_punctuation) = match &layer.standardize {
        Json::Null => (false, false),
        Json::String(name) => match name.as_str() {
            "lower_and_strip_punctuation" => (true, true),
            "lower" => (true, false),
            "strip_punctuation" => (false, true),
            other => return Err(b.unsupported(format!("standardize {other}"))),
        },
        _ => return Err(b.unsupported("a standardize function of the file's author")),
    };
    let split = match &layer.split {
        Json::Null => None,
        Json::String(name) => match name.as_str() {
            "whitespace" => Some(Split::Whitespace),
            "character" => Some(Split::Character),
            other => return Err(b.unsupported(format!("split {other}"))),
        },
        _ => return Err(b.unsupported("a split function of the file's author")),
    };
    let length = |v: &Json| v.as_u64().and_then(|n| usize::try_from(n).ok());
    let ngrams = match &layer.ngrams {
        None | Some(Json::Null) => None,
        Some(Json::Array(lengths)) => Some(lengths.iter().filter_map(length).collect()),
        Some(most) => match length(most) {
            Some(most) if most > MOST_WORDS => {
                return Err(b.unsupported(format!("ngrams of {most} words")));
            }
            most => most.map(|most| (1..=most).collect()),
        },
    };
    Ok(Splitter { lower, strip_punctuation, split, ngrams })
}

/// The table that the layer holds.
fn lookup(layer: &TextVectorization) -> IndexLookup {
    IndexLookup {
        max_tokens: layer.max_tokens,
        num_oov_indices: 1,
        mask_token: Some("".into()),
        oov_token: Some("[UNK]".into()),
        vocabulary: layer.vocabulary.clone(),
        vocabulary_size: layer.vocabulary_size,
        vocabulary_dtype: None,
        idf_weights: layer.idf_weights.clone(),
        invert: false,
        output_mode: layer.output_mode,
        sparse: layer.sparse,
        pad_to_max_tokens: layer.pad_to_max_tokens,
        oov_method: None,
        salt: None,
        encoding: layer.encoding.clone(),
    }
}
