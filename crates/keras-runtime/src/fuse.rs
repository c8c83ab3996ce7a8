//! Fewer, larger operations: what follows a product with constant weights, number by number, becomes
//! part of it. A scale (`BatchNormalization`) goes into the weights, a shift into the bias, a
//! function into the last write.
//!
//! Only in `float32`: Keras rounds narrower types after each operation.

use std::collections::HashMap;
use std::sync::Arc;

use keras_model::DType;

use crate::graph::{Constant, Graph, Node, Source, Value};
use crate::ops::{Arithmetic, Binary, Function, Op, Spec, Unary, size};
use crate::{Result, Tensor};

pub(crate) fn fuse(graph: &mut Graph) -> Result<()> {
    let mut nodes: Vec<Option<Node>> =
        std::mem::take(&mut graph.nodes).into_iter().map(Some).collect();
    let mut users: HashMap<Value, Vec<usize>> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        for input in node.iter().flat_map(|n| &n.inputs) {
            users.entry(*input).or_default().push(at);
        }
    }
    for at in 0..nodes.len() {
        let Some(mut node) = nodes.get_mut(at).and_then(Option::take) else { continue };
        while let Some(next) = absorb(graph, &mut node, &users, &nodes)? {
            if let Some(gone) = nodes.get_mut(next) {
                *gone = None;
            }
        }
        if let Some(place) = nodes.get_mut(at) {
            *place = Some(node);
        }
    }
    graph.nodes = nodes.into_iter().flatten().collect();
    Ok(())
}

/// Takes the only user of a node's output into the node, if it can be; its number.
fn absorb(
    graph: &mut Graph,
    node: &mut Node,
    users: &HashMap<Value, Vec<usize>>,
    nodes: &[Option<Node>],
) -> Result<Option<usize>> {
    let &[output] = node.outputs.as_slice() else { return Ok(None) };
    let function = match &node.op {
        Op::MatMul(op) => op.function,
        Op::Conv(op) => op.function,
        Op::Depthwise(op) => op.function,
        _ => return Ok(None),
    };
    let Some(Spec { shape, dtype: DType::Float32 }) = graph.specs.get(output.0) else {
        return Ok(None);
    };
    let columns = shape.last().copied().unwrap_or(0);
    let weights = node.inputs.get(1).and_then(|v| graph.constant(*v)).cloned();
    let (Some(weights), None) = (weights, function) else { return Ok(None) };
    if graph.outputs.contains(&output) {
        return Ok(None);
    }
    let Some(&[next]) = users.get(&output).map(Vec::as_slice) else { return Ok(None) };
    let Some(Some(user)) = nodes.get(next) else { return Ok(None) };
    match &user.op {
        Op::Unary(Unary(f)) => {
            set_function(&mut node.op, *f);
        }
        Op::Binary(Binary(how @ (Arithmetic::Add | Arithmetic::Mul))) => {
            let other = user.inputs.iter().copied().find(|v| *v != output);
            let Some(row) = other.and_then(|v| row(graph, v, columns)) else { return Ok(None) };
            // The result must not have become larger by broadcasting.
            let same = user.outputs.first().and_then(|v| graph.specs.get(v.0));
            if same.is_none_or(|s| Some(s) != graph.specs.get(output.0)) {
                return Ok(None);
            }
            let bias = node.inputs.get(2).copied();
            let old = match bias {
                Some(bias) => match graph.constant(bias).and_then(|c| numbers(c)) {
                    Some(old) => Some(old),
                    None => return Ok(None),
                },
                None => None,
            };
            let bias = if *how == Arithmetic::Add {
                let old = old.unwrap_or_else(|| vec![0.0; columns]);
                Some(old.iter().zip(&row).map(|(a, b)| a + b).collect())
            } else {
                let transposed = matches!(&node.op, Op::MatMul(op) if op.transposed);
                let view = weights.view();
                let fits = size(view.shape) > 0
                    && !transposed
                    && matches_columns(&node.op, view.shape, columns);
                let Some(values) = numbers(&weights).filter(|_| fits) else { return Ok(None) };
                let scaled: Vec<f32> =
                    values.iter().zip(row.iter().cycle()).map(|(w, s)| w * s).collect();
                let value = constant(graph, view.shape.to_vec(), scaled)?;
                if let Some(place) = node.inputs.get_mut(1) {
                    *place = value;
                }
                old.map(|old| old.iter().zip(&row).map(|(a, b)| a * b).collect())
            };
            if let Some(bias) = bias {
                let bias = constant(graph, vec![columns], bias)?;
                node.inputs.truncate(2);
                node.inputs.push(bias);
            }
        }
        _ => return Ok(None),
    }
    node.outputs.clone_from(&user.outputs);
    Ok(Some(next))
}

/// Whether the elements of the weights repeat the columns of the result along their last axes.
fn matches_columns(op: &Op, shape: &[usize], columns: usize) -> bool {
    match op {
        // `[.., channels, multiplier]`: both together are the columns.
        Op::Depthwise(_) => matches!(shape, [.., c, m] if c * m == columns),
        _ => shape.last() == Some(&columns),
    }
}

fn set_function(op: &mut Op, function: Function) {
    match op {
        Op::MatMul(op) => op.function = Some(function),
        Op::Conv(op) => op.function = Some(function),
        Op::Depthwise(op) => op.function = Some(function),
        _ => {}
    }
}

fn numbers(constant: &Constant) -> Option<Vec<f32>> {
    match constant.view().data {
        crate::Slice::Float32(values) => Some(values.to_vec()),
        _ => None,
    }
}

/// A constant with one number for each column (or one for all) as a row of them.
fn row(graph: &Graph, value: Value, columns: usize) -> Option<Vec<f32>> {
    let constant = graph.constant(value)?;
    let view = constant.view();
    let values = numbers(constant)?;
    let (last, outer) = match view.shape {
        [outer @ .., last] => (*last, size(outer)),
        [] => (1, 1),
    };
    match values.as_slice() {
        [one] => Some(vec![*one; columns]),
        _ if outer == 1 && last == columns => Some(values),
        _ => None,
    }
}

fn constant(graph: &mut Graph, shape: Vec<usize>, values: Vec<f32>) -> Result<Value> {
    let tensor = Tensor::new(shape.clone(), values)?;
    graph.specs.push(Spec::new(shape, DType::Float32));
    graph.sources.push(Source::Constant(Arc::new(Constant::Tensor(tensor))));
    Ok(Value(graph.specs.len() - 1))
}
