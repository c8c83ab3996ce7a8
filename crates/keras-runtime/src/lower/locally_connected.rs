//! `LocallyConnected1D`, `LocallyConnected2D`.

use keras_model::DType;
use keras_model::layers::locally_connected::LocallyConnected;
use keras_model::layers::spatial::{DataFormat, Padding};

use super::{Call, activation, spatial};
use crate::graph::{Builder, Value};
use crate::ops::size;
use crate::{Result, Tensor};

pub(super) fn lower<const RANK: usize>(
    layer: &LocallyConnected<RANK>,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let first = layer.data_format == DataFormat::ChannelsFirst;
    let x = spatial::channels_last(b, x, layer.data_format)?;
    let shape = b.shape(x).to_vec();
    let &[batch, ref input @ .., channels] = shape.as_slice() else {
        return Err(b.error(format!("expected spatial axes, found shape {shape:?}")));
    };
    if input.len() != RANK || layer.strides.0.contains(&0) {
        return Err(b.error(format!("expected {RANK} spatial axes, found shape {shape:?}")));
    }
    let window = &layer.kernel_size.0;
    let axes = input.iter().zip(window).zip(&layer.strides.0);
    let output: Option<Vec<usize>> = axes
        .map(|((n, size), stride)| match layer.padding {
            Padding::Same => Some(n.div_ceil(*stride)),
            _ => Some(n.checked_sub(*size)? / stride + 1),
        })
        .collect();
    let output = output.ok_or_else(|| b.error("the window does not fit"))?;
    b.check_value("table", &output, DType::Int64)?;
    let (places, all) = (size(&output), size(input));
    b.check_value("windows", &[places, size(window)], DType::Int64)?;
    let filters = layer.filters;
    let inside: Vec<Vec<usize>> =
        (0..places).map(|place| connected(layer, input, &output, place)).collect();
    let x = b.reshape(x, [batch, all, channels])?;
    let kernel = b.weight("kernel")?;
    let mut y = if layer.implementation == 1 {
        // For each place the rows of its window, then a product of its own.
        let taps = size(window);
        let indices = b.indices(inside.iter().flatten().copied())?;
        let rows = b.gather(x, indices, 1)?;
        let mut rows = b.reshape(rows, [batch, places, taps, channels])?;
        if first {
            rows = b.transpose(rows, [0, 1, 3, 2])?;
        }
        let rows = b.reshape(rows, [batch, places, taps * channels])?;
        let rows = b.transpose(rows, [1, 0, 2])?;
        let y = b.matmul(rows, kernel)?;
        b.transpose(y, [1, 0, 2])?
    } else {
        let matrix = if layer.implementation == 2 {
            let matrix = if first {
                let kernel = b.reshape(kernel, [channels, all, filters, places])?;
                b.transpose(kernel, [1, 0, 3, 2])?
            } else {
                b.reshape(kernel, [all, channels, places, filters])?
            };
            let mask = b.table([all, 1, places, 1], b.dtype(matrix), || {
                let mut mask = vec![0.0; all * places];
                for (place, inside) in inside.iter().enumerate() {
                    for at in inside {
                        if let Some(mask) = mask.get_mut(at * places + place) {
                            *mask = 1.0;
                        }
                    }
                }
                mask
            })?;
            b.mul(matrix, mask)?
        } else {
            scattered(b, kernel, &inside, [all, channels, places, filters], first)?
        };
        let matrix = b.reshape(matrix, [all * channels, places * filters])?;
        let x = b.reshape(x, [batch, all * channels])?;
        b.matmul(x, matrix)?
    };
    y = b.reshape(y, [&[batch], &output[..], &[filters]].concat())?;
    if layer.use_bias {
        let bias = b.weight("bias")?;
        y = b.add(y, bias)?;
    }
    let y = spatial::restore(b, y, layer.data_format)?;
    Ok(vec![activation::apply(&layer.activation, b, y)?])
}

/// The places of the input that an output place sees.
fn connected<const RANK: usize>(
    layer: &LocallyConnected<RANK>,
    input: &[usize],
    output: &[usize],
    place: usize,
) -> Vec<usize> {
    let mut ranges = Vec::with_capacity(input.len());
    let mut rest = place;
    let axes = input.iter().zip(output).zip(&layer.kernel_size.0).zip(&layer.strides.0);
    for (((n, count), size), stride) in axes.rev() {
        let at = rest.checked_rem(*count).unwrap_or(0) * stride;
        rest = rest.checked_div(*count).unwrap_or(0);
        let left = if layer.padding == Padding::Same { size / 2 } else { 0 };
        ranges.push((at.saturating_sub(left)..(*n).min(at + size - left), *n));
    }
    let mut all = vec![0];
    for (range, n) in ranges.into_iter().rev() {
        all = all.iter().flat_map(|at| range.clone().map(move |i| at * n + i)).collect();
    }
    all
}

/// The matrix whose elements that are not 0 stand one behind the other, ordered by output and input.
fn scattered(
    b: &mut Builder<'_>,
    kernel: Value,
    inside: &[Vec<usize>],
    [all, channels, places, filters]: [usize; 4],
    first: bool,
) -> Result<Value> {
    b.check_value("matrix", &[all, channels, places, filters], DType::Int64)?;
    let join = |at: usize, n: usize, c: usize, count: usize| {
        if first { c * n + at } else { at * count + c }
    };
    let mut pairs = Vec::new();
    for (place, inside) in inside.iter().enumerate() {
        for at in inside {
            for c in 0..channels {
                for f in 0..filters {
                    let (to, from) = (join(place, places, f, filters), join(*at, all, c, channels));
                    let cell = ((at * channels + c) * places + place) * filters + f;
                    pairs.push((to, from, cell));
                }
            }
        }
    }
    pairs.sort_unstable();
    // 0 is the place of a zero put before the kernel.
    let mut indices = vec![0_i64; all * channels * places * filters];
    for (i, (_, _, cell)) in pairs.iter().enumerate() {
        if let Some(index) = indices.get_mut(*cell) {
            *index = i as i64 + 1;
        }
    }
    let zero = b.full([1], 0.0, b.dtype(kernel))?;
    let values = b.concat(&[zero, kernel], 0)?;
    let indices = b.constant(Tensor::new([indices.len()], indices)?);
    b.gather(values, indices, 0)
}
