//! Operations that call a Python function: `keras/src/ops/core.py`, `jvp` of
//! `keras/src/ops/linalg.py`. What the function composes becomes part of the graph, once for each
//! element or step, as loops over time do.

use keras_model::activations::Activation;
use keras_model::{Arg, DType, Inputs};

use crate::Result;
use crate::backward::backward;
use crate::graph::{Builder, Value};
use crate::lower::operation::{Call, OpCall, operand};
use crate::lower::{activation, custom};
use crate::ops::Relation;

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    Ok(Some(match name {
        "Map" | "VectorizedMap" => map(c, b)?,
        "Scan" => scan(c, b)?,
        "AssociativeScan" => {
            let elements = c.call.tensors();
            let first = c.x(b)?;
            let axis = c.axis(b, first, 3, 0)?;
            associative_scan(c, b, &elements, axis)?
        }
        "Switch" => switch(c, b)?,
        "Cond" => {
            let condition = c.operand(b, &["pred"], 0, Some(DType::Bool))?;
            let condition = condition.ok_or_else(|| b.error("has no condition"))?;
            let condition = b.cast(condition, DType::Bool)?;
            let (yes, no) = (function(c, b, &["true_fn"], 1)?, function(c, b, &["false_fn"], 2)?);
            let (yes, no) = (call(c, b, yes, &[])?, call(c, b, no, &[])?);
            choose(b, condition, &yes, &no)?
        }
        "JVP" => jvp(c, b)?,
        _ => return Ok(None),
    }))
}

/// `f` of each element of the first axis, stacked.
fn map(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Vec<Value>> {
    let f = function(c, b, &["f", "function"], 0)?;
    let all = c.call.tensors();
    let length = length(b, &all)?;
    let mut outputs = Vec::new();
    for i in 0..length {
        let row = elements(b, &all, i)?;
        let output = call(c, b, f, &row)?;
        collect(b, &mut outputs, &output)?;
    }
    stack(b, &outputs, false)
}

/// `f(carry, x)` gives the next carry and an output, step by step.
fn scan(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Vec<Value>> {
    let f = function(c, b, &["f"], 0)?;
    let given = |b: &mut Builder<'_>, name, position| match c.call.inputs.named(name, position) {
        Some(argument) => leaves(b, argument),
        None => Ok(Vec::new()),
    };
    let (mut carry, xs) = (given(b, "init", 1)?, given(b, "xs", 2)?);
    let steps = match c.int("length", 3) {
        Some(steps) => steps.max(0) as usize,
        None => length(b, &xs)?,
    };
    if xs.iter().any(|x| b.shape(*x).first().is_none_or(|n| *n < steps)) {
        return Err(b.error(format!("has not {steps} elements to go over")));
    }
    // A function may add nothing to the graph.
    b.check_operations(steps)?;
    let reverse = c.flag("reverse", 4);
    let mut outputs = Vec::new();
    for i in 0..steps {
        let i = if reverse { steps - 1 - i } else { i };
        let mut given = carry.clone();
        given.extend(elements(b, &xs, i)?);
        let mut after = call(c, b, f, &given)?;
        if after.len() < carry.len() {
            return Err(b.error("the function gives fewer carries than it takes"));
        }
        let output = after.split_off(carry.len());
        collect(b, &mut outputs, &output)?;
        carry = after;
    }
    carry.extend(stack(b, &outputs, reverse)?);
    Ok(carry)
}

/// All partial results of an associative `f`, which takes and gives whole runs of elements: first
/// of pairs of neighbours, by the same rule, then of those between.
/// Source: `associative_scan` of `keras/src/backend/tensorflow/core.py`, Keras 3.15.
fn associative_scan(
    c: &OpCall<'_>,
    b: &mut Builder<'_>,
    given: &[Value],
    axis: usize,
) -> Result<Vec<Value>> {
    let f = function(c, b, &["f"], 0)?;
    let reverse = c.flag("reverse", 2);
    let flipped = |b: &mut Builder<'_>, all: &[Value]| -> Result<Vec<Value>> {
        all.iter().map(|x| if reverse { b.flip(*x, axis) } else { Ok(*x) }).collect()
    };
    let length = |b: &Builder<'_>, x: &Value| b.shape(*x).get(axis).copied();
    let n = given.first().and_then(|x| length(b, x)).unwrap_or(0);
    if given.iter().any(|x| length(b, x) != Some(n)) {
        return Err(b.error("takes as many elements of each tensor"));
    }
    let forward = flipped(b, given)?;
    let combine = |b: &mut Builder<'_>, x: &[Value], y: &[Value]| {
        let outputs = call(c, b, f, &[x, y].concat())?;
        if outputs.len() != x.len() {
            return Err(b.error("the function gives another number of tensors than it takes"));
        }
        Ok(outputs)
    };
    let found = partial_results(b, &forward, axis, n, &combine)?;
    flipped(b, &found)
}

type Combine<'f> = &'f dyn for<'b> Fn(&mut Builder<'b>, &[Value], &[Value]) -> Result<Vec<Value>>;

fn partial_results(
    b: &mut Builder<'_>,
    x: &[Value],
    axis: usize,
    n: usize,
    combine: Combine<'_>,
) -> Result<Vec<Value>> {
    if n < 2 {
        return Ok(x.to_vec());
    }
    let part = |b: &mut Builder<'_>, x: &[Value], start, stop, step| {
        let part = |x: &Value| every(b, *x, axis, start, stop, step);
        x.iter().map(part).collect::<Result<Vec<_>>>()
    };
    let (even, odd) = (part(b, x, 0, n - 1, 2)?, part(b, x, 1, n, 2)?);
    let pairs = combine(b, &even, &odd)?;
    let odd = partial_results(b, &pairs, axis, n / 2, combine)?;
    let after = part(b, x, 2, n, 2)?;
    // An even length has no element behind the last pair.
    let before = part(b, &odd, 0, (n - 1) / 2, 1)?;
    let mut even = part(b, x, 0, 1, 1)?;
    if n > 2 {
        let rest = combine(b, &before, &after)?;
        for (first, rest) in even.iter_mut().zip(rest) {
            *first = b.concat(&[*first, rest], axis)?;
        }
    }
    let order = (0..n).map(|i| if i % 2 == 0 { i / 2 } else { n.div_ceil(2) + i / 2 });
    let order = b.indices(order)?;
    let pairs = even.into_iter().zip(odd);
    pairs
        .map(|(even, odd)| {
            let both = b.concat(&[even, odd], axis)?;
            b.gather(both, order, axis)
        })
        .collect()
}

/// Each `step`th element from `start` to before `stop`.
fn every(
    b: &mut Builder<'_>,
    x: Value,
    axis: usize,
    start: usize,
    stop: usize,
    step: usize,
) -> Result<Value> {
    if step == 1 {
        return b.slice(x, axis, start, stop);
    }
    let places = b.indices((start..stop).step_by(step))?;
    b.gather(x, places, axis)
}

/// The branch of that number: all are computed, one is taken.
fn switch(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Vec<Value>> {
    let index = c.operand(b, &["index"], 0, Some(DType::Int32))?;
    let index = index.ok_or_else(|| b.error("has no index"))?;
    let Some(Arg::List(branches)) = c.call.inputs.named("branches", 1) else {
        return Err(b.error("has no branches"));
    };
    let mut operands = Vec::new();
    for argument in c.call.inputs.args.iter().skip(2) {
        operands.extend(leaves(b, argument)?);
    }
    let mut chosen: Vec<Value> = Vec::new();
    for (i, branch) in branches.iter().enumerate() {
        let branch = branch.function().ok_or_else(|| b.error("a branch is no function"))?;
        let outputs = call(c, b, branch, &operands)?;
        if i == 0 {
            chosen = outputs;
            continue;
        }
        // What is before the first counts as the first, what is behind the last as the last.
        let from_here = b.compare_number(Relation::GreaterEqual, index, i as f64)?;
        chosen = choose(b, from_here, &outputs, &chosen)?;
    }
    Ok(chosen)
}

/// What `fun` gives, and how that changes as the primals move along the tangents: the gradient,
/// which is linear in what reaches the outputs, differentiated by that.
fn jvp(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Vec<Value>> {
    let f = function(c, b, &["fun"], 0)?;
    let given = |b: &mut Builder<'_>, name, position| match c.call.inputs.named(name, position) {
        Some(argument) => leaves(b, argument),
        None => Err(b.error(format!("has no {name}"))),
    };
    let (primals, tangents) = (given(b, "primals", 1)?, given(b, "tangents", 2)?);
    b.with_gradients(|b| {
        // Another name for each, so that nothing else depends on it.
        let own = |b: &mut Builder<'_>, x: Value| b.identity(x);
        let primals = primals.iter().map(|x| own(b, *x)).collect::<Result<Vec<_>>>()?;
        let mut outputs = call(c, b, f, &primals)?;
        let aux = if c.flag("has_aux", 3) { outputs.len().min(1) } else { 0 };
        let aux = outputs.split_off(outputs.len() - aux);
        let mut changes = Vec::with_capacity(outputs.len());
        for y in &outputs {
            let dy = own(b, *y)?;
            let dx = backward(b, &[(*y, dy)], &primals)?;
            let ends = dx.iter().zip(&tangents).filter_map(|(dx, t)| Some(((*dx)?, *t)));
            let ends = ends.collect::<Vec<_>>();
            let change = backward(b, &ends, &[dy])?.into_iter().next().flatten();
            changes.push(match change {
                Some(change) => change,
                None => b.zeros_like(*y)?,
            });
        }
        outputs.extend(changes);
        outputs.extend(aux);
        Ok(outputs)
    })
}

/// The function among the arguments.
fn function<'c>(
    c: &OpCall<'c>,
    b: &Builder<'_>,
    names: &[&str],
    position: usize,
) -> Result<&'c Activation> {
    let function = c.op.function_of(&c.call.inputs, names, position);
    function.ok_or_else(|| b.error(format!("has no function {}", names.join(" or "))))
}

/// What a function gives for these tensors.
fn call(
    c: &OpCall<'_>,
    b: &mut Builder<'_>,
    function: &Activation,
    tensors: &[Value],
) -> Result<Vec<Value>> {
    let args = tensors.iter().copied().map(Arg::Tensor).collect();
    let inputs = Inputs { args, kwargs: Vec::new() };
    match function {
        Activation::Custom(own) => custom::lower(own, b, &Call { base: c.call.base, inputs }),
        Activation::Layer(layer) => crate::lower::layer(layer, b, &inputs),
        function => {
            let x = tensors.first().ok_or_else(|| b.error("a function without a tensor"))?;
            Ok(vec![activation::apply(function, b, *x)?])
        }
    }
}

/// Tensors and constants of an argument, as Keras flattens.
fn leaves(b: &mut Builder<'_>, argument: &Arg<Value>) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    match argument {
        Arg::List(items) => {
            for item in items {
                all.extend(leaves(b, item)?);
            }
        }
        Arg::Dict(entries) => {
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            for (_, item) in sorted {
                all.extend(leaves(b, item)?);
            }
        }
        other => all.extend(operand(b, other, None)?),
    }
    Ok(all)
}

/// How many elements the first axes have.
fn length(b: &Builder<'_>, all: &[Value]) -> Result<usize> {
    let mut lengths = all.iter().map(|x| b.shape(*x).first().copied());
    match lengths.next().flatten() {
        Some(length) if lengths.all(|other| other == Some(length)) => Ok(length),
        _ => Err(b.error("takes tensors of as many elements each")),
    }
}

fn elements(b: &mut Builder<'_>, all: &[Value], i: usize) -> Result<Vec<Value>> {
    all.iter().map(|x| b.at(*x, 0, i)).collect()
}

/// Adds what a step gave to what those before gave.
fn collect(b: &mut Builder<'_>, outputs: &mut Vec<Vec<Value>>, step: &[Value]) -> Result<()> {
    if outputs.is_empty() {
        outputs.resize(step.len(), Vec::new());
    }
    for (all, output) in outputs.iter_mut().zip(step) {
        all.push(b.expand(*output, 0)?);
    }
    Ok(())
}

fn stack(b: &mut Builder<'_>, outputs: &[Vec<Value>], reverse: bool) -> Result<Vec<Value>> {
    let stacked = outputs.iter().map(|all| {
        let mut all = all.clone();
        if reverse {
            all.reverse();
        }
        b.concat(&all, 0)
    });
    stacked.collect()
}

/// Each of `yes` where the condition holds, else that of `no`.
fn choose(
    b: &mut Builder<'_>,
    condition: Value,
    yes: &[Value],
    no: &[Value],
) -> Result<Vec<Value>> {
    if yes.len() != no.len() || yes.iter().zip(no).any(|(a, c)| b.shape(*a) != b.shape(*c)) {
        return Err(b.error("the functions give tensors of different shapes"));
    }
    yes.iter().zip(no).map(|(yes, no)| b.select(condition, *yes, *no)).collect()
}
