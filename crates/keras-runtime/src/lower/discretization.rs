//! `Discretization`.

use keras_model::DType;
use keras_model::layers::discretization::Discretization;
use keras_model::layers::encoding::OutputMode;

use super::Call;
use super::encoding::encode;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::Relation;

pub(super) fn lower(
    layer: &Discretization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let Some(boundaries) = &layer.bin_boundaries else {
        return Err(b.error("has no bin_boundaries: it was never adapted"));
    };
    let x = call.input(b)?;
    let x = if b.dtype(x) == DType::Float64 { x } else { b.cast(x, DType::Float32)? };
    let boundaries: Vec<f64> = boundaries.iter().map(|f| f.0).collect();
    let bins = boundaries.len() + 1;
    let boundaries = b.numbers([boundaries.len()], boundaries, DType::Float32)?;
    let wide = b.expand(x, b.rank(x))?;
    let below = b.compare(Relation::Less, wide, boundaries)?;
    let reached = b.not(below)?;
    let reached = b.cast(reached, DType::Int64)?;
    let bin = b.sum(reached, &[b.rank(x)], false)?;
    let dtype = if layer.output_mode == OutputMode::Int { DType::Int32 } else { b.compute() };
    Ok(vec![encode(b, bin, layer.output_mode, bins, dtype)?])
}
