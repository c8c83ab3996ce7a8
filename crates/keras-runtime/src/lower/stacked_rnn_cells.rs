//! `StackedRNNCells`.

use keras_model::layers::stacked_rnn_cells::StackedRNNCells;
use keras_model::{Inputs, KerasTensor};

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

/// One step through all cells: the states of all stand one behind the other.
pub(super) fn lower(
    layer: &StackedRNNCells,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let mut tensors = call.tensors().into_iter();
    let Some(mut x) = tensors.next() else { return Err(b.error("called without a tensor")) };
    let mut after = Vec::new();
    for cell in &layer.cells {
        let input = KerasTensor::new(b.shape(x), b.dtype(x));
        let count = cell.output(&Inputs::one(input))?.len().saturating_sub(1);
        let inputs: Vec<Value> = std::iter::once(x).chain(tensors.by_ref().take(count)).collect();
        let mut outputs = super::layer(cell, b, &Inputs::list(inputs))?.into_iter();
        x = outputs.next().ok_or_else(|| b.error("a cell has no output"))?;
        after.extend(outputs);
    }
    Ok(std::iter::once(x).chain(after).collect())
}
