//! `class_weight`: what the samples of a class count for.
//! Source: `keras/src/trainers/data_adapters/data_adapter_utils.py`, Keras 3.15.

use std::borrow::Cow;
use std::collections::BTreeMap;

use keras_model::DType;

use super::step::Batch;
use crate::{Error, Result, Tensor};

/// Weights of classes as weights of samples.
pub(super) fn weigh(
    batch: &mut Batch<'_>,
    class_weight: &BTreeMap<i64, f64>,
    has_sample_weight: bool,
) -> Result<()> {
    if class_weight.is_empty() {
        return Ok(());
    }
    if has_sample_weight {
        return Err(Error::Value("weights of classes and of samples at once".to_owned()));
    }
    let ([Some(y)], [weight]) = (batch.y.as_slice(), batch.sample_weight.as_mut_slice()) else {
        return Err(Error::Value("weights of classes are for models of one output".to_owned()));
    };
    let y64 = y.cast(DType::Float64)?;
    let values = y64.as_slice::<f64>().unwrap_or_default();
    let rows = y.shape().first().copied().unwrap_or(0);
    let width = values.len().checked_div(rows).unwrap_or(0);
    let class = |row: &[f64]| match row {
        [class] => class.round() as i64,
        row => {
            let largest = row.iter().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a });
            largest.map_or(0, |(at, _)| at as i64)
        }
    };
    if width == 0 || y.shape().len() > 2 {
        let shape = y.shape();
        return Err(Error::Value(format!("weights of classes for targets of shape {shape:?}")));
    }
    let of_row = |row| class_weight.get(&class(row)).copied().unwrap_or(1.0) as f32;
    let weights: Vec<f32> = values.chunks_exact(width).map(of_row).collect();
    *weight = Some(Cow::Owned(Tensor::new([rows], weights)?));
    Ok(())
}
