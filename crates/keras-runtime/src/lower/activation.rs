//! `Activation`, and the activation of any layer.

use keras_model::activations::Activation as Kind;
use keras_model::layers::activation::Activation;
use keras_model::{DType, Inputs};

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function, Reduction, Relation};

pub(super) fn lower(
    layer: &Activation,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    Ok(vec![apply(&layer.activation, b, x)?])
}

/// The activation of one number, if it is one.
pub(super) fn function(activation: &Kind) -> Option<Function> {
    Some(match activation {
        Kind::Celu => Function::Celu(1.0),
        Kind::Elu => Function::Elu(1.0),
        Kind::Exponential => Function::Exp,
        Kind::Gelu => Function::Gelu,
        Kind::HardShrink => Function::HardShrink(0.5),
        Kind::HardSigmoid => Function::HardSigmoid,
        Kind::HardSigmoidKeras2 => Function::HardSigmoidKeras2,
        Kind::HardSilu => Function::HardSilu,
        Kind::HardTanh => Function::HardTanh,
        Kind::LeakyRelu => Function::LeakyRelu(0.2),
        Kind::LogSigmoid => Function::LogSigmoid,
        Kind::Mish => Function::Mish,
        Kind::Relu => Function::RELU,
        Kind::Relu6 => Function::Clip(0.0, 6.0),
        Kind::Selu => Function::Selu,
        Kind::Sigmoid => Function::Sigmoid,
        Kind::Silu => Function::Silu,
        Kind::SoftShrink => Function::SoftShrink(0.5),
        Kind::Softplus => Function::Softplus,
        Kind::Softsign => Function::Softsign,
        Kind::SparsePlus => Function::SparsePlus,
        Kind::SparseSigmoid => Function::SparseSigmoid,
        Kind::Squareplus => Function::Squareplus(4.0),
        Kind::Tanh => Function::Tanh,
        Kind::TanhShrink => Function::TanhShrink,
        Kind::Threshold => Function::Threshold(1.0, 0.0),
        Kind::Linear
        | Kind::Glu
        | Kind::LogSoftmax
        | Kind::Softmax
        | Kind::Sparsemax
        | Kind::Layer(_)
        | Kind::Custom(_) => return None,
    })
}

/// The activation of a tensor.
pub(crate) fn apply(activation: &Kind, b: &mut Builder<'_>, x: Value) -> Result<Value> {
    if let Some(function) = function(activation) {
        let x = float(b, x, &function)?;
        return b.unary(function, x);
    }
    let last = b.rank(x).saturating_sub(1);
    match activation {
        Kind::Softmax => b.softmax(x, last, false),
        Kind::LogSoftmax => b.softmax(x, last, true),
        Kind::Glu => glu(b, x, last),
        Kind::Sparsemax => sparsemax(b, x, last),
        Kind::Layer(layer) => {
            let outputs = super::layer(layer, b, &Inputs::one(x))?;
            outputs.first().copied().ok_or_else(|| b.error("the activation has no output"))
        }
        Kind::Custom(function) => {
            let Some(base) = b.base().cloned() else { return Err(b.error("no layer")) };
            let call = Call { base: &base, inputs: Inputs::one(x) };
            let outputs = super::custom::lower(function, b, &call)?;
            outputs.first().copied().ok_or_else(|| b.error("the activation has no output"))
        }
        _ => Ok(x),
    }
}

/// Functions of floats see integers as `float32`.
fn float(b: &mut Builder<'_>, x: Value, function: &Function) -> Result<Value> {
    let dtype = b.dtype(x);
    let whole = *function == Function::RELU && dtype != DType::Bool;
    if dtype.is_float() || whole && dtype == DType::Int64 {
        return Ok(x);
    }
    b.cast(x, DType::Float32)
}

/// The first half times the sigmoid of the second.
pub(super) fn glu(b: &mut Builder<'_>, x: Value, axis: usize) -> Result<Value> {
    let n = b.shape(x).get(axis).copied().unwrap_or(0);
    let (first, second) = (b.slice(x, axis, 0, n / 2)?, b.slice(x, axis, n / 2, n)?);
    let gate = b.unary(Function::Sigmoid, second)?;
    b.mul(first, gate)
}

/// Keras's `sparsemax`: the nearest point to `x` whose elements are not negative and sum to 1, as
/// long as one element is left over 0.
pub(super) fn sparsemax(b: &mut Builder<'_>, x: Value, axis: usize) -> Result<Value> {
    let n = b.shape(x).get(axis).copied().unwrap_or(0);
    let order = b.argsort(x, axis, true)?;
    let sorted = b.gather_along(x, order, axis)?;
    let sums = b.cumulative(sorted, axis, false)?;
    let counts: Vec<f64> = (1..=n).map(|k| k as f64).collect();
    let mut shape = vec![1; b.rank(x)];
    if let Some(dim) = shape.get_mut(axis) {
        *dim = n;
    }
    let counts = b.numbers(shape, counts, b.dtype(x))?;
    // The largest k with 1 + k · x_k > x_1 + .. + x_k.
    let left = b.mul(counts, sorted)?;
    let left = b.with_number(Arithmetic::Add, left, 1.0)?;
    let inside = b.compare(Relation::Greater, left, sums)?;
    let inside = b.cast(inside, b.dtype(x))?;
    let k = b.sum(inside, &[axis], true)?;
    // Keras sums the running sums here, where the definition has the sorted elements themselves.
    let kept = b.mul(inside, sums)?;
    let sum = b.sum(kept, &[axis], true)?;
    let sum = b.with_number(Arithmetic::Sub, sum, 1.0)?;
    let tau = b.div(sum, k)?;
    let y = b.sub(x, tau)?;
    let zero = b.scalar(0.0, b.dtype(x))?;
    b.binary(Arithmetic::Max, y, zero)
}

/// The logarithm of the sum of exponentials.
pub(crate) fn logsumexp(
    b: &mut Builder<'_>,
    x: Value,
    axes: &[usize],
    keepdims: bool,
) -> Result<Value> {
    let largest = b.reduce(Reduction::Max, x, axes, true)?;
    let largest = b.stop_gradient(largest)?;
    // Of infinities there is no difference.
    let size = b.unary(Function::Abs, largest)?;
    let is_finite = b.compare_number(Relation::Less, size, f64::INFINITY)?;
    let zero = b.scalar(0.0, b.dtype(x))?;
    let largest = b.select(is_finite, largest, zero)?;
    let shifted = b.sub(x, largest)?;
    let exp = b.unary(Function::Exp, shifted)?;
    let sum = b.sum(exp, axes, true)?;
    let log = b.unary(Function::Log, sum)?;
    let y = b.add(log, largest)?;
    if keepdims {
        return Ok(y);
    }
    let dims = b.shape(y).iter().enumerate();
    let shape: Vec<usize> = dims.filter(|(i, _)| !axes.contains(i)).map(|(_, n)| *n).collect();
    b.reshape(y, shape)
}
