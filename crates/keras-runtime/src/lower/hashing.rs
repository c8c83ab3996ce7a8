//! `Hashing`.

use keras_model::DType;
use keras_model::layers::encoding::OutputMode;
use keras_model::layers::hashing::Hashing;
use serde_json::Value as Json;

use super::Call;
use super::encoding::encode;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{HashBucket, Relation};

pub(super) fn lower(layer: &Hashing, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let mut x = call.input(b)?;
    if layer.output_mode == OutputMode::OneHot
        && let [outer @ .., 1] = b.shape(x)
    {
        let outer = outer.to_vec();
        x = b.reshape(x, outer)?;
    }
    let bin = bins(layer, b, x)?;
    let dtype = whole(b);
    let depth = layer.num_bins;
    Ok(vec![if layer.output_mode == OutputMode::Int {
        b.cast(bin, dtype)?
    } else {
        let compute = b.compute();
        encode(b, bin, layer.output_mode, depth, compute)?
    }])
}

fn bins(layer: &Hashing, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let key = keys(layer.salt.as_ref());
    let all = layer.num_bins as u64;
    let mask = layer.mask_value.as_ref().filter(|m| !m.is_null() && all > 1);
    if b.dtype(x) == DType::String {
        let mask = mask.and_then(Json::as_str).map(str::to_owned);
        return b.op(HashBucket { bins: all, key, mask }, &[x]);
    }
    let whole = b.cast(x, DType::Int64)?;
    let Some(mask) = mask.and_then(Json::as_f64) else {
        return b.op(HashBucket { bins: all, key, mask: None }, &[whole]);
    };
    let bin = b.op(HashBucket { bins: all.saturating_sub(1), key, mask: None }, &[whole])?;
    let one = b.scalar(1.0, DType::Int64)?;
    let zero = b.scalar(0.0, DType::Int64)?;
    let bin = b.add(bin, one)?;
    let masked = b.compare_number(Relation::Equal, x, mask)?;
    b.select(masked, zero, bin)
}

/// The type of hashes: the layer's own if that is a whole number.
pub(super) fn whole(b: &Builder<'_>) -> DType {
    let own = b.compute();
    if own.is_float() { DType::Int64 } else { own }
}

/// The keys of the strong hash: two numbers, or one for both.
pub(super) fn keys(salt: Option<&Json>) -> Option<[u64; 2]> {
    let number = |v: &Json| v.as_u64().or_else(|| v.as_i64().map(i64::cast_unsigned));
    match salt? {
        Json::Array(keys) => match keys.as_slice() {
            [a, b] => Some([number(a)?, number(b)?]),
            _ => None,
        },
        one => number(one).map(|k| [k, k]),
    }
}
