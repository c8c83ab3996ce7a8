//! Losses and what is compared with them: the last part of `keras/src/ops/nn.py`.

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::crossentropy;
use crate::lower::operation::{OpCall, to_float};
use crate::ops::{Arithmetic, CtcDecode, CtcLoss, Function, Relation, Strategy};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let y = match name {
        "BinaryCrossentropy" => {
            let [target, output] = targets(c, b)?;
            crossentropy::binary(b, target, output, c.flag("from_logits", 2))?
        }
        "CategoricalCrossentropy" => {
            let [target, output] = targets(c, b)?;
            let axis = c.axis(b, output, 3, -1)?;
            crossentropy::categorical(b, target, output, c.flag("from_logits", 2), axis)?
        }
        "SparseCategoricalCrossentropy" => {
            let [target, output] = c.pair(b)?;
            let output = to_float(b, output)?;
            crossentropy::sparse_categorical(b, target, output, c.flag("from_logits", 2))?
        }
        "CTCLoss" => {
            let [labels, logits, lengths, steps] =
                arguments(c, b, ["target", "output", "target_length", "output_length"])?;
            let dtype = b.dtype(logits);
            let blank = blank(c, b, logits, 4)?;
            let inputs = [
                b.cast(labels, DType::Int32)?,
                b.cast(logits, DType::Float32)?,
                b.cast(lengths, DType::Int32)?,
                b.cast(steps, DType::Int32)?,
            ];
            let y = b.op(CtcLoss { blank }, &inputs)?;
            if dtype == DType::Float64 { b.cast(y, dtype)? } else { y }
        }
        "CTCDecode" => {
            let [logits, lengths] = arguments(c, b, ["inputs", "sequence_lengths"])?;
            let blank = blank(c, b, logits, usize::MAX)?;
            let number = |name: &str, default: usize| {
                c.int(name, usize::MAX).and_then(|n| usize::try_from(n).ok()).unwrap_or(default)
            };
            let strategy = match c.text("strategy", usize::MAX).unwrap_or("greedy") {
                "greedy" => Strategy::Greedy {
                    merge_repeated: c.plain("merge_repeated", usize::MAX)
                        != Some(&serde_json::Value::Bool(false)),
                },
                "beam_search" => Strategy::Beam {
                    width: number("beam_width", 100),
                    paths: number("top_paths", 1),
                },
                other => return Err(b.unsupported(format!("strategy {other:?}"))),
            };
            let logits = b.cast(logits, DType::Float32)?;
            let lengths = b.cast(lengths, DType::Int32)?;
            return b.ops(CtcDecode { strategy, blank }, &[logits, lengths]).map(Some);
        }
        "PSNR" => {
            let [x, y] = c.pair(b)?;
            let squares = b.binary(Arithmetic::SquaredDifference, x, y)?;
            let axes: Vec<usize> = (0..b.rank(squares)).collect();
            let mean = b.mean(squares, &axes, false)?;
            let log = b.unary(Function::Log10, mean)?;
            let log = b.scale(log, -10.0)?;
            let most = c.float("max_val", 2).unwrap_or(1.0);
            b.with_number(Arithmetic::Add, log, 20.0 * most.log10())?
        }
        "BatchNorm" => batch_norm(c, b)?,
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

fn arguments<const N: usize>(
    c: &OpCall<'_>,
    b: &mut Builder<'_>,
    names: [&str; N],
) -> Result<[Value; N]> {
    let mut all = Vec::with_capacity(N);
    for (at, name) in names.into_iter().enumerate() {
        let value = c.operand(b, &[name], at, None)?;
        all.push(value.ok_or_else(|| b.error(format!("has no {name}")))?);
    }
    all.try_into().map_err(|_| b.error("has too few arguments"))
}

fn targets(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<[Value; 2]> {
    let [target, output] = arguments(c, b, ["target", "output"])?;
    let output = to_float(b, output)?;
    let target = b.cast(target, b.dtype(output))?;
    Ok([target, output])
}

fn blank(c: &OpCall<'_>, b: &Builder<'_>, logits: Value, at: usize) -> Result<usize> {
    let classes = b.dim(logits, -1)?;
    let place = crate::lower::build::axis_of(c.int("mask_index", at).unwrap_or(0), classes);
    place.ok_or_else(|| b.error("mask_index is no class"))
}

fn batch_norm(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let [x, mean, variance] = arguments(c, b, ["x", "mean", "variance"])?;
    let axis = c.axis(b, x, usize::MAX, -1)?;
    let mut shape = vec![1; b.rank(x)];
    if let (Some(to), Some(from)) = (shape.get_mut(axis), b.shape(x).get(axis)) {
        *to = *from;
    }
    let wide = |b: &mut Builder<'_>, v: Value| b.reshape(v, shape.clone());
    let (mean, variance) = (wide(b, mean)?, wide(b, variance)?);
    let epsilon = c.float("epsilon", usize::MAX).unwrap_or(1e-3);
    let variance = b.with_number(Arithmetic::Add, variance, epsilon)?;
    let mut factor = b.unary(Function::Rsqrt, variance)?;
    if let Some(scale) = c.operand(b, &["scale"], 4, None)? {
        let scale = wide(b, scale)?;
        factor = b.mul(factor, scale)?;
    }
    let centred = b.sub(x, mean)?;
    let y = b.mul(centred, factor)?;
    match c.operand(b, &["offset"], 3, None)? {
        Some(offset) => {
            let offset = wide(b, offset)?;
            b.add(y, offset)
        }
        None => Ok(y),
    }
}

/// Whether all elements are close to each other: `allclose`.
pub(super) fn all_close(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Value> {
    let close = close(c, b, usize::MAX)?;
    let axes: Vec<usize> = (0..b.rank(close)).collect();
    b.all(close, &axes, false)
}

/// Whether elements are close to each other: `isclose`, whose limits stand at that place.
pub(super) fn close(c: &OpCall<'_>, b: &mut Builder<'_>, at: usize) -> Result<Value> {
    let [x, y] = c.pair(b)?;
    let (x, y) = (to_float(b, x)?, to_float(b, y)?);
    let rtol = c.float("rtol", at).unwrap_or(1e-5);
    let atol = c.float("atol", at.saturating_add(1)).unwrap_or(1e-8);
    let distance = b.sub(x, y)?;
    let distance = b.unary(Function::Abs, distance)?;
    let size = b.unary(Function::Abs, y)?;
    let limit = b.scale(size, rtol)?;
    let limit = b.with_number(Arithmetic::Add, limit, atol)?;
    let mut close = b.compare(Relation::LessEqual, distance, limit)?;
    if at == usize::MAX {
        // Equal infinities have no distance; an infinite limit is none.
        let finite = b.compare_number(Relation::Less, size, f64::INFINITY)?;
        close = b.logic(crate::ops::Connective::And, close, finite)?;
        let equal = b.compare(Relation::Equal, x, y)?;
        close = b.logic(crate::ops::Connective::Or, close, equal)?;
    }
    if c.flag("equal_nan", at.saturating_add(2)) {
        let (x, y) = (b.unary(Function::IsNan, x)?, b.unary(Function::IsNan, y)?);
        let both = b.logic(crate::ops::Connective::And, x, y)?;
        close = b.logic(crate::ops::Connective::Or, close, both)?;
    }
    Ok(close)
}
