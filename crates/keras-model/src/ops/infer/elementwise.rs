//! Element by element: `keras/src/ops/numpy.py`, `nn.py`, `math.py`.

use super::{OpCall, floating, one, promote};
use crate::{Arg, DType, Dim, KerasTensor, Result, Shape};

/// The first tensor's shape and type.
pub(in super::super) fn same(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    Ok(one(x.shape.clone(), op.dtype("dtype").unwrap_or(x.dtype)))
}

/// The first tensor's shape, a float.
pub(in super::super) fn same_float(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    Ok(one(x.shape.clone(), floating(x.dtype)))
}

/// The first tensor's shape, `bool`.
pub(in super::super) fn same_bool(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(one(op.x()?.shape.clone(), DType::Bool))
}

/// The first tensor's shape, `int32`.
pub(in super::super) fn same_int(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(one(op.x()?.shape.clone(), DType::Int32))
}

/// The first tensor's shape, the real type of a complex one.
pub(in super::super) fn same_real(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let x = op.x()?;
    let dtype = match x.dtype {
        DType::Complex64 => DType::Float32,
        DType::Complex128 => DType::Float64,
        other => other,
    };
    Ok(one(x.shape.clone(), dtype))
}

/// The shape that all arguments broadcast to, the type that holds all.
pub(in super::super) fn broadcast(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let dtypes = op.call.tensors().iter().map(|t| t.dtype);
    let dtype = dtypes.reduce(promote).unwrap_or(DType::Float32);
    let float_argument =
        op.call.inputs.args.iter().filter_map(Arg::value).any(serde_json::Value::is_f64);
    let dtype = if float_argument { floating(dtype) } else { dtype };
    Ok(one(broadcast_shape(op)?, dtype))
}

/// The same for quotients: never an integer.
pub(in super::super) fn broadcast_float(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let mut results = broadcast(op)?;
    results.iter_mut().for_each(|r| r.dtype = floating(r.dtype));
    Ok(results)
}

/// The shape that all arguments broadcast to, `bool`.
pub(in super::super) fn broadcast_bool(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(one(broadcast_shape(op)?, DType::Bool))
}

/// `where(condition, x1, x2)`, `select(conditions, choices, default)`.
pub(in super::super) fn choose(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let tensors = op.call.tensors();
    let values = tensors.iter().filter(|t| t.dtype != DType::Bool).map(|t| t.dtype);
    let dtype = values.reduce(promote).unwrap_or(DType::Float32);
    if tensors.len() < 2 && op.call.inputs.args.len() < 2 {
        return Err(op.unknown());
    }
    Ok(one(broadcast_shape(op)?, dtype))
}

/// Another element type.
pub(in super::super) fn cast(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let of_call = op.call.inputs.named("dtype", 1).and_then(Arg::value).and_then(|v| v.as_str());
    let dtype = of_call.and_then(DType::from_name).or_else(|| op.dtype("dtype"));
    let x = op.x()?;
    Ok(one(x.shape.clone(), dtype.unwrap_or(x.dtype)))
}

/// NumPy's broadcasting over all tensors and constant arrays; plain numbers change nothing.
pub(super) fn broadcast_shape(op: &OpCall<'_>) -> Result<Shape> {
    let mut shape = Shape::default();
    let constants = op.call.inputs.args.iter().filter_map(|arg| match arg {
        Arg::Array { value, .. } => Some(constant_shape(value)),
        _ => None,
    });
    let tensors = op.call.tensors().iter().map(|t| t.shape.clone());
    for other in tensors.chain(constants) {
        shape = broadcast_two(&shape, &other)
            .ok_or_else(|| op.error(format!("shapes {shape} and {other} do not broadcast")))?;
    }
    Ok(shape)
}

/// The shape that two broadcast to, if they do.
pub(super) fn broadcast_two(a: &Shape, b: &Shape) -> Option<Shape> {
    let (long, short) = if a.rank() >= b.rank() { (a, b) } else { (b, a) };
    let mut dims = long.0.clone();
    for (long, short) in dims.iter_mut().rev().zip(short.0.iter().rev()) {
        *long = match (*long, *short) {
            (Some(1), other) | (other, Some(1)) => other,
            (Some(a), Some(b)) if a != b => return None,
            (Some(n), _) | (None, Some(n)) => Some(n),
            (None, None) => None,
        };
    }
    Some(Shape(dims))
}

/// The shape of nested lists.
pub(super) fn constant_shape(value: &serde_json::Value) -> Shape {
    let mut dims: Vec<Dim> = Vec::new();
    let mut value = value;
    while let Some(items) = value.as_array() {
        dims.push(Some(items.len()));
        let Some(first) = items.first() else { break };
        value = first;
    }
    Shape(dims)
}
