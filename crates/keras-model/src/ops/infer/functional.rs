//! Operations that call a Python function, which is one of Keras's activations or mapped by
//! `custom_objects`: `keras/src/ops/core.py`, `JVP` of `keras/src/ops/linalg.py`.

use super::{OpCall, Value};
use crate::activations::Activation;
use crate::layers::LayerConfig as _;
use crate::{Arg, Call, Dim, Inputs, KerasTensor, Result, Shape};

/// `map(f, xs)` and `vectorized_map(function, elements)`: `f` of each element of the first axis.
pub(in super::super) fn map(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let (rows, length) = rows(op, op.call.tensors())?;
    let function = op.op.function_of(op.call.inputs, &["f", "function"], 0);
    let outputs = called(op, function, rows)?;
    Ok(outputs.into_iter().map(|t| stacked(t, length)).collect())
}

/// `scan(f, init, xs, length)`: the last carry, and what each step gives beside its own.
pub(in super::super) fn scan(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let arguments = |name: &str, position| {
        let mut all = Vec::new();
        if let Some(argument) = op.call.inputs.named(name, position) {
            leaves(argument, &mut all);
        }
        all
    };
    let mut given = arguments("init", 1);
    let carries = given.len();
    let xs = arguments("xs", 2);
    let (rows, length) = rows(op, &xs.iter().collect::<Vec<_>>())?;
    given.extend(rows);
    let length = match op.int("length") {
        Some(length) => usize::try_from(length).ok(),
        None => length,
    };
    let outputs = called(op, op.op.function_of(op.call.inputs, &["f"], 0), given)?;
    let each = outputs.into_iter().enumerate();
    Ok(each.map(|(i, t)| if i < carries { t } else { stacked(t, length) }).collect())
}

/// `associative_scan(f, elems, reverse, axis)`: as many as there are elements.
pub(in super::super) fn associative_scan(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Ok(op.call.tensors().iter().map(|t| (*t).clone()).collect())
}

/// `switch(index, branches, *operands)`: what all of the branches give.
pub(in super::super) fn switch(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let branches = op.call.inputs.named("branches", 1);
    let Some(Arg::List(branches)) = branches else { return Err(op.unknown()) };
    let first = branches.first().and_then(Arg::function);
    let mut operands = Vec::new();
    op.call.inputs.args.iter().skip(2).for_each(|a| leaves(a, &mut operands));
    called(op, first, operands)
}

/// `cond(pred, true_fn, false_fn)`: what both functions give.
pub(in super::super) fn cond(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    called(op, op.op.function_of(op.call.inputs, &["true_fn"], 1), Vec::new())
}

/// `jvp(fun, primals, tangents, has_aux)`: what `fun` gives, and how that changes.
pub(in super::super) fn jvp(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    let mut primals = Vec::new();
    let argument = op.call.inputs.named("primals", 1);
    argument.into_iter().for_each(|a| leaves(a, &mut primals));
    let mut values = called(op, op.op.function_of(op.call.inputs, &["fun"], 0), primals)?;
    let aux = values.split_off(if op.flag("has_aux") { 1.min(values.len()) } else { values.len() });
    Ok(values.iter().chain(&values).chain(&aux).cloned().collect())
}

/// Tensors and constants of an argument, as Keras flattens.
fn leaves(argument: &Arg<KerasTensor>, into: &mut Vec<KerasTensor>) {
    match argument {
        Arg::Tensor(tensor) => into.push(tensor.clone()),
        Arg::Array { value, dtype } => {
            let mut shape = Vec::new();
            let mut inner = value;
            while let Value::Array(items) = inner {
                shape.push(items.len());
                let Some(first) = items.first() else { break };
                inner = first;
            }
            into.push(KerasTensor::new(shape.as_slice(), *dtype));
        }
        Arg::List(items) => items.iter().for_each(|a| leaves(a, into)),
        Arg::Dict(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            sorted.into_iter().for_each(|(_, a)| leaves(a, into));
        }
        Arg::Value(_) | Arg::Function(_) | Arg::Slice(_) | Arg::Ellipsis => {}
    }
}

/// Elements along the first axis, and how many there are.
fn rows(op: &OpCall<'_>, tensors: &[&KerasTensor]) -> Result<(Vec<KerasTensor>, Dim)> {
    let length = tensors.iter().find_map(|t| t.shape.dim(0).flatten());
    let row = |t: &&KerasTensor| match t.shape.dims() {
        [_, inner @ ..] => Ok(KerasTensor::new(Shape(inner.to_vec()), t.dtype)),
        [] => Err(op.error("a number has no elements to go over")),
    };
    Ok((tensors.iter().map(row).collect::<Result<_>>()?, length))
}

fn stacked(tensor: KerasTensor, length: Dim) -> KerasTensor {
    let dims = std::iter::once(length).chain(tensor.shape.0).collect();
    KerasTensor::new(Shape(dims), tensor.dtype)
}

/// What a function gives for these tensors.
fn called(
    op: &OpCall<'_>,
    function: Option<&Activation>,
    tensors: Vec<KerasTensor>,
) -> Result<Vec<KerasTensor>> {
    let inputs =
        Inputs { args: tensors.into_iter().map(Arg::Tensor).collect(), kwargs: Vec::new() };
    let call = Call::new(op.call.base, &inputs);
    match function {
        Some(Activation::Custom(custom)) => custom.output(&call),
        Some(Activation::Layer(layer)) => layer.output(&inputs),
        Some(_) => Ok(vec![call.input()?.clone()]),
        None => Err(op.unknown()),
    }
}
