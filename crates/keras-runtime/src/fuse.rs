//! Fewer, larger operations: what follows a product with constant weights, number by number, becomes
//! part of it. A scale (`BatchNormalization`) goes into the weights, a shift into the bias, the sum
//! with another tensor and a function into the last write. Zeros around an image become borders of
//! the windows that read them.
//!
//! Only in `float32`: Keras rounds narrower types after each operation.

use std::collections::HashMap;
use std::sync::Arc;

use keras_model::DType;

use crate::graph::{Constant, Graph, Node, Source, Value};
use crate::ops::{Arithmetic, Binary, Finish, Op, PadMode, Spec, Unary, size};
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
        widen(graph, at, &users, &mut nodes);
        let Some(mut node) = nodes.get_mut(at).and_then(Option::take) else { continue };
        // It moves to the last of those that it takes in: only there are all its inputs known.
        let mut place = at;
        while let Some(next) = absorb(graph, &mut node, &users, &nodes)? {
            place = next;
            if let Some(gone) = nodes.get_mut(next) {
                *gone = None;
            }
        }
        if let Some(place) = nodes.get_mut(place) {
            *place = Some(node);
        }
    }
    graph.nodes = nodes.into_iter().flatten().collect();
    Ok(())
}

/// Lets a convolution read the image of a node that pads it with zeros, if nobody else reads the
/// padded one.
fn widen(
    graph: &Graph,
    at: usize,
    users: &HashMap<Value, Vec<usize>>,
    nodes: &mut [Option<Node>],
) -> Option<()> {
    let Node { op: Op::Pad(pad), inputs, outputs } = nodes.get(at)?.as_ref()? else { return None };
    let (&[image], &[padded]) = (inputs.as_slice(), outputs.as_slice()) else { return None };
    let [(0, 0), spatial @ .., (0, 0)] = pad.borders.as_slice() else { return None };
    let (spatial, &[user]) = (spatial.to_vec(), users.get(&padded)?.as_slice()) else {
        return None;
    };
    if pad.mode != PadMode::Constant(0.0) || graph.outputs.contains(&padded) {
        return None;
    }
    let Node { op, inputs, .. } = nodes.get_mut(user)?.as_mut()?;
    let window = match op {
        Op::Conv(op) => &mut op.window,
        Op::Depthwise(op) => &mut op.window,
        _ => return None,
    };
    window.widen(&spatial);
    *inputs.first_mut()? = image;
    *nodes.get_mut(at)? = None;
    Some(())
}

/// Takes the only user of a node's output into the node, if it can be; its number.
fn absorb(
    graph: &mut Graph,
    node: &mut Node,
    users: &HashMap<Value, Vec<usize>>,
    nodes: &[Option<Node>],
) -> Result<Option<usize>> {
    let &[output] = node.outputs.as_slice() else { return Ok(None) };
    let weights = node.inputs.get(1).and_then(|v| graph.constant(*v)).cloned();
    let (Some(finish), Some(weights)) = (finish(&mut node.op), weights) else { return Ok(None) };
    let spec = graph.specs.get(output.0).filter(|s| s.dtype == DType::Float32).cloned();
    let Some(spec) = spec.filter(|_| finish.function.is_none()) else { return Ok(None) };
    if graph.outputs.contains(&output) {
        return Ok(None);
    }
    let Some(&[next]) = users.get(&output).map(Vec::as_slice) else { return Ok(None) };
    let Some(Some(user)) = nodes.get(next) else { return Ok(None) };
    match &user.op {
        Op::Unary(Unary(function)) => finish.function = Some(*function),
        Op::Binary(Binary(how @ (Arithmetic::Add | Arithmetic::Mul))) if !finish.residual => {
            let other = user.inputs.iter().copied().find(|v| *v != output);
            // The result must not have become larger by broadcasting.
            let same = user.outputs.first().and_then(|v| graph.specs.get(v.0)) == Some(&spec);
            let Some(other) = other.filter(|_| same) else { return Ok(None) };
            let columns = spec.shape.last().copied().unwrap_or(0);
            if let Some(row) = row(graph, other, columns) {
                if !absorb_row(graph, node, &weights, *how, &row)? {
                    return Ok(None);
                }
            } else if *how == Arithmetic::Add && graph.specs.get(other.0) == Some(&spec) {
                finish.residual = true;
                node.inputs.push(other);
            } else {
                return Ok(None);
            }
        }
        _ => return Ok(None),
    }
    node.outputs.clone_from(&user.outputs);
    Ok(Some(next))
}

/// Adds a row to the bias of a node, or multiplies its weights and its bias by one; whether that
/// can be done.
fn absorb_row(
    graph: &mut Graph,
    node: &mut Node,
    weights: &Constant,
    how: Arithmetic,
    row: &[f32],
) -> Result<bool> {
    let old = match node.inputs.get(2) {
        Some(bias) => match graph.constant(*bias).and_then(|c| numbers(c)) {
            Some(old) => Some(old),
            None => return Ok(false),
        },
        None => None,
    };
    let bias = if how == Arithmetic::Add {
        let old = old.unwrap_or_else(|| vec![0.0; row.len()]);
        Some(old.iter().zip(row).map(|(a, b)| a + b).collect())
    } else {
        let transposed = matches!(&node.op, Op::MatMul(op) if op.transposed);
        let view = weights.view();
        let fits =
            size(view.shape) > 0 && !transposed && matches_columns(&node.op, view.shape, row.len());
        let Some(values) = numbers(weights).filter(|_| fits) else { return Ok(false) };
        let scaled: Vec<f32> = values.iter().zip(row.iter().cycle()).map(|(w, s)| w * s).collect();
        let value = constant(graph, view.shape.to_vec(), scaled)?;
        if let Some(place) = node.inputs.get_mut(1) {
            *place = value;
        }
        old.map(|old| old.iter().zip(row).map(|(a, b)| a * b).collect())
    };
    if let Some(bias) = bias {
        let bias = constant(graph, vec![row.len()], bias)?;
        node.inputs.truncate(2);
        node.inputs.push(bias);
    }
    Ok(true)
}

/// What an operation takes in, if it takes in any.
fn finish(op: &mut Op) -> Option<&mut Finish> {
    match op {
        Op::MatMul(op) => Some(&mut op.finish),
        Op::Conv(op) => Some(&mut op.finish),
        Op::Depthwise(op) => Some(&mut op.finish),
        _ => None,
    }
}

/// Whether the elements of the weights repeat the columns of the result along their last axes.
fn matches_columns(op: &Op, shape: &[usize], columns: usize) -> bool {
    match op {
        // `[.., channels, multiplier]`: both together are the columns.
        Op::Depthwise(_) => matches!(shape, [.., c, m] if c * m == columns),
        _ => shape.last() == Some(&columns),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::PackedCache;
    use crate::ops::{self, Conv, Depthwise, Pad, Window};
    use crate::plan::Plan;

    fn numbers(shape: &[usize]) -> Tensor {
        let numbers = (0..size(shape)).map(|i| (i * 37 % 17) as f32 - 8.0);
        Tensor::new(shape.to_vec(), numbers.collect::<Vec<f32>>()).unwrap()
    }

    #[test]
    fn zeros_around_an_image_become_borders() {
        let window =
            Window { size: vec![3], strides: vec![2], dilation: vec![1], borders: vec![(0, 0)] };
        let pad = Pad { borders: vec![(0, 0), (1, 4), (0, 0)], mode: PadMode::Constant(0.0) };
        for (op, kernel) in [
            (Op::from(Conv::new(window.clone(), 1)), [3, 10, 7]),
            (Op::from(Depthwise::new(window.clone())), [3, 10, 1]),
        ] {
            let (x, kernel) = (numbers(&[2, 6, 10]), numbers(&kernel));
            let padded = ops::run(pad.clone(), std::slice::from_ref(&x)).unwrap();
            let y = ops::run(op.clone(), &[padded.clone(), kernel.clone()]).unwrap();
            let spec = |t: &Tensor| Spec::new(t.shape(), t.dtype());
            let constant = Source::Constant(Arc::new(Constant::Tensor(kernel.clone())));
            let mut graph = Graph {
                nodes: vec![
                    Node {
                        op: pad.clone().into(),
                        inputs: vec![Value(0)],
                        outputs: vec![Value(2)],
                    },
                    Node { op, inputs: vec![Value(2), Value(1)], outputs: vec![Value(3)] },
                ],
                specs: vec![spec(&x), spec(&kernel), spec(&padded), spec(&y)],
                sources: vec![Source::Input(0), constant, Source::Node, Source::Node],
                outputs: vec![Value(3)],
            };
            fuse(&mut graph).unwrap();
            assert_eq!(graph.nodes.len(), 1);
            let plan = Plan::new(graph, &PackedCache::default(), true).unwrap();
            assert_eq!(plan.run(&[x.view()]).unwrap(), [y]);
        }
    }
}
