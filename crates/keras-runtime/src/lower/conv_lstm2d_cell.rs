//! `ConvLSTM2DCell`.

use keras_model::layers::conv_lstm2d_cell::ConvLSTM2DCell;

use super::{Call, conv_lstm, spatial};
use crate::Result;
use crate::graph::{Builder, Value};

/// One step.
pub(super) fn lower(
    layer: &ConvLSTM2DCell,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let &[x, h, c] = call.tensors().as_slice() else {
        return Err(b.error("takes an input and two states"));
    };
    let product = conv_lstm::input_product(layer, b, x, None)?;
    let states = [h, c].map(|state| spatial::channels_last(b, state, layer.data_format));
    let [h, c] = states;
    let kernel = b.weight("recurrent_kernel")?;
    let outputs = conv_lstm::step(layer, b, product, &[h?, c?], kernel)?;
    outputs.into_iter().map(|y| spatial::restore(b, y, layer.data_format)).collect()
}
