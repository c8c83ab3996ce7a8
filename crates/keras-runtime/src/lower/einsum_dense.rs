//! `EinsumDense`.

use keras_model::Quantization;
use keras_model::layers::einsum_dense::EinsumDense;

use super::einsum::einsum;
use super::quantized::{self, Kernel, Rounding};
use super::{Call, activation, dense};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(
    layer: &EinsumDense,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = b.cast(x, b.compute())?;
    let mode = call.base.dtype.quantization.as_ref();
    let mut y = match mode {
        Some(mode) => quantized_product(layer, b, x, mode)?,
        None => {
            let kernel = dense::kernel(b, "kernel", layer.lora)?;
            einsum(b, &layer.equation, &[x, kernel])?
        }
    };
    if b.has_weight("bias") {
        let bias = quantized::bias(b, mode)?;
        y = b.add(y, bias)?;
    }
    Ok(vec![activation::apply(&layer.activation, b, y)?])
}

/// The letters of the axes of input, kernel and output: those of `...` are not in the alphabet.
fn letters(equation: &str, rank: usize) -> Option<[Vec<char>; 3]> {
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, output) = equation.split_once("->")?;
    let (input, kernel) = left.split_once(',')?;
    let named = input.replace("...", "").chars().count();
    let hidden: String = (0_u8..).take(rank.checked_sub(named)?).map(char::from).collect();
    Some([input, kernel, output].map(|term| term.replace("...", &hidden).chars().collect()))
}

/// The product with a kernel of few bits.
fn quantized_product(
    layer: &EinsumDense,
    b: &mut Builder<'_>,
    x: Value,
    mode: &Quantization,
) -> Result<Value> {
    let compute = b.compute();
    let config = layer.quantization_config.as_ref();
    let wrong = format!("equation {:?} does not fit", layer.equation);
    let letters = letters(&layer.equation, b.rank(x)).ok_or_else(|| b.error(wrong))?;
    let [input, kernel_letters, output] = &letters;
    let summed = input.iter().enumerate().filter(|(_, c)| !output.contains(c));
    let summed: Vec<usize> = summed.map(|(i, _)| i).collect();
    let (whole, rounds) = match mode {
        Quantization::Int8 => (true, true),
        Quantization::Int4 { block_size } => {
            (false, quantized::block_size(config, *block_size).is_none())
        }
        _ => (false, false),
    };
    let kernel = if whole {
        quantized::whole(b, "kernel")?
    } else if matches!(mode, Quantization::Float8 { .. }) {
        let kernel = b.weight("kernel")?;
        quantized::float8(b, kernel, "kernel_scale")?
    } else {
        let shape = kernel_shape(layer, b, x, &letters)?;
        // Rows are what is summed up.
        let lengths = kernel_letters.iter().zip(&shape);
        let columns = lengths.filter(|(c, _)| output.contains(c)).map(|(_, n)| *n);
        let columns = columns.fold(1, usize::saturating_mul);
        let kernel = Kernel { columns, config, zero: "zero_point" };
        let kernel = kernel.floats(b, mode)?;
        b.reshape(kernel, shape.clone())?
    };
    let rounding = Rounding::of(config, whole).filter(|_| rounds);
    let (rounded, scale) = match rounding {
        Some(rounding) => {
            let (rounded, scale) = rounding.straight_through(b, x, &summed)?;
            (rounded, Some(along(b, scale, input, output)?))
        }
        None if matches!(mode, Quantization::Float8 { .. }) => {
            (quantized::float8(b, x, "inputs_scale")?, None)
        }
        None => (x, None),
    };
    let mut y = einsum(b, &layer.equation, &[rounded, kernel])?;
    y = b.cast(y, compute)?;
    if whole {
        let kernel_scale = b.weight("kernel_scale")?;
        let scale = match scale {
            Some(scale) => b.mul(scale, kernel_scale)?,
            None => kernel_scale,
        };
        y = b.div(y, scale)?;
    }
    let Some((first, second, factor)) = quantized::lora(b, "kernel", layer.lora) else {
        return Ok(y);
    };
    let (first, second) = (b.weight(&first)?, b.weight(&second)?);
    let update = einsum(b, &layer.equation, &[x, first])?;
    let update = dense::product(b, update, second)?;
    let update = b.scale(update, factor)?;
    b.add(y, update)
}

/// Lengths of the kernel's axes: from the input, else from the config's output.
fn kernel_shape(
    layer: &EinsumDense,
    b: &Builder<'_>,
    x: Value,
    [input, kernel, output]: &[Vec<char>; 3],
) -> Result<Vec<usize>> {
    let dims = layer.output_shape.dims();
    let length = |c: &char| {
        let given = input.iter().position(|i| i == c);
        if let Some(n) = given.and_then(|i| b.shape(x).get(i)) {
            return Some(*n);
        }
        let from_end = output.iter().rev().position(|o| o == c)?;
        dims.iter().rev().nth(from_end).copied().flatten()
    };
    let shape: Option<Vec<usize>> = kernel.iter().map(length).collect();
    shape.ok_or_else(|| b.error(format!("equation {:?} does not fit", layer.equation)))
}

/// A scale with the axes of the input, with those of the output: 1 long where the input has none.
fn along(b: &mut Builder<'_>, scale: Value, input: &[char], output: &[char]) -> Result<Value> {
    let place = |c: &char| input.iter().position(|i| i == c);
    let mut order: Vec<usize> = output.iter().filter_map(place).collect();
    let shape: Vec<usize> = output
        .iter()
        .map(|c| place(c).and_then(|i| b.shape(scale).get(i).copied()).unwrap_or(1))
        .collect();
    order.extend((0..input.len()).filter(|i| input.get(*i).is_some_and(|c| !output.contains(c))));
    let scale = b.transpose(scale, order)?;
    b.reshape(scale, shape)
}
