//! What all gradients are checked with.

use std::collections::BTreeMap;

use keras_model::DType;

use super::{Op, Out, Spec, size};
use crate::backward::backward;
use crate::graph::{Builder, Value, Wrt};
use crate::kernels::PackedCache;
use crate::plan::Plan;
use crate::tensor::View;
use crate::weights::Weights;
use crate::writer::Writer;
use crate::{Data, Limits, Result, Tensor};

/// Numbers between -1 and 1 in no order, none twice.
pub(crate) fn numbers(shape: &[usize], seed: usize) -> Tensor {
    let number = |i: usize| {
        let wave = ((i * 7 + seed * 131 + 1) as f64).sin() * 43_758.545_3;
        (wave - wave.floor()) * 2.0 - 1.0
    };
    Tensor::new(shape, (0..size(shape)).map(number).collect::<Vec<f64>>()).unwrap()
}

/// The gradient that an operation adds to the graph is the slope of what it computes, in `float64`.
#[track_caller]
pub(crate) fn check_gradient(op: impl Into<Op>, x: &[Tensor]) {
    check_gradient_within(op, x, 1e-5, 1e-7);
}

/// The same with that step to both sides, up to that part of the largest element.
#[track_caller]
pub(crate) fn check_gradient_within(op: impl Into<Op>, x: &[Tensor], step: f64, tolerance: f64) {
    let op = op.into();
    let dy = upstream(&op, x);
    let gradients = gradients(&op, x, &dy);
    for (i, found) in gradients.iter().enumerate() {
        let is_float = x[i].dtype().is_float();
        assert_eq!(found.is_some(), is_float, "{}: input {i}", op.name());
        let Some(found) = found.as_ref().map(wide) else { continue };
        let slope = |at: usize| {
            let moved = |by: f64| {
                let mut all = x.to_vec();
                let mut values = wide(&x[i]);
                values[at] += by;
                let moved = Tensor::new(x[i].shape(), values).unwrap();
                all[i] = moved.cast(x[i].dtype()).unwrap();
                let outputs = compute(&op, &all);
                let pairs = outputs.iter().zip(&dy).filter(|(y, _)| y.dtype().is_float());
                pairs
                    .flat_map(|(y, dy)| wide(y).into_iter().zip(wide(dy)))
                    .map(|(y, d)| y * d)
                    .sum()
            };
            let (up, down): (f64, f64) = (moved(step), moved(-step));
            (up - down) / (2.0 * step)
        };
        let expected: Vec<f64> = (0..x[i].len()).map(slope).collect();
        let scale = expected.iter().fold(1e-3_f64, |m, v| m.max(v.abs()));
        for (at, (a, b)) in found.iter().zip(&expected).enumerate() {
            let name = op.name();
            assert!(
                (a - b).abs() <= tolerance * scale,
                "{name}: input {i}, {at}: {a}, {b} expected"
            );
        }
    }
}

/// What the graph gives.
fn gradients(op: &Op, x: &[Tensor], dy: &[Tensor]) -> Vec<Option<Tensor>> {
    gradients_of(x, dy, |b, x| b.ops(op.clone(), x))
}

/// The gradients of a graph's outputs, if `dy` reaches them.
pub(crate) fn gradients_of(
    x: &[Tensor],
    dy: &[Tensor],
    make: impl Fn(&mut Builder<'_>, &[Value]) -> Result<Vec<Value>>,
) -> Vec<Option<Tensor>> {
    let weights = Weights::new(Vec::new(), BTreeMap::new(), Writer::KERAS3);
    let wrt = Wrt { inputs: true, ..Wrt::default() };
    let mut b = Builder::differentiating(&weights, Limits::default(), wrt);
    let inputs: Vec<_> = x.iter().map(|x| b.input(x.shape(), x.dtype())).collect();
    let outputs = make(&mut b, &inputs).unwrap();
    let ends: Vec<_> = outputs.iter().zip(dy).map(|(y, dy)| (*y, b.constant(dy.clone()))).collect();
    let smooth: Vec<_> = ends.into_iter().filter(|(y, _)| b.dtype(*y).is_float()).collect();
    let found = backward(&mut b, &smooth, &inputs).unwrap();
    let (graph, _) = b.finish(found.iter().copied().flatten().collect());
    let plan = Plan::new(graph, &PackedCache::default(), true).unwrap();
    let views: Vec<View<'_>> = x.iter().map(Tensor::view).collect();
    let mut gradients = plan.run(&views).unwrap().into_iter();
    found.iter().map(|found| found.and_then(|_| gradients.next())).collect()
}

/// Something that reaches each output.
fn upstream(op: &Op, x: &[Tensor]) -> Vec<Tensor> {
    let outputs = compute(op, x);
    let each = outputs.iter().enumerate();
    each.map(|(i, y)| numbers(y.shape(), i + 5).cast(y.dtype()).unwrap()).collect()
}

fn wide(x: &Tensor) -> Vec<f64> {
    x.cast(DType::Float64).unwrap().as_slice::<f64>().unwrap().to_vec()
}

fn compute(op: &Op, x: &[Tensor]) -> Vec<Tensor> {
    let specs: Vec<Spec> = x.iter().map(|t| Spec::new(t.shape(), t.dtype())).collect();
    let specs = op.output(&specs).unwrap();
    let zeros = specs.iter().map(|s| Data::zeros(s.dtype, size(&s.shape)).unwrap());
    let mut data: Vec<Data> = zeros.collect();
    let parts = specs.iter().zip(&mut data);
    let mut outputs: Vec<Out<'_>> =
        parts.map(|(s, d)| Out { shape: &s.shape, data: d.slice_mut() }).collect();
    let views: Vec<View<'_>> = x.iter().map(Tensor::view).collect();
    op.forward(&views, &mut outputs).unwrap();
    drop(outputs);
    specs.into_iter().zip(data).map(|(s, d)| Tensor::from_data(s.shape, d).unwrap()).collect()
}

/// The same for a matrix of which only one triangle is read, and whose gradient is that of changes
/// on both sides.
#[track_caller]
pub(crate) fn check_symmetric(op: impl Into<Op>, x: &Tensor) {
    let n = x.shape()[0];
    let (op, x) = (op.into(), std::slice::from_ref(x));
    let dy = upstream(&op, x);
    let found = gradients(&op, x, &dy);
    let (found, dy, x) = (wide(found[0].as_ref().unwrap()), wide(&dy[0]), &x[0]);
    let value = |i: usize, j: usize, by: f64| -> f64 {
        let mut values = wide(x);
        values[i * n + j] += by;
        values[j * n + i] = values[i * n + j];
        let moved = Tensor::new(x.shape(), values).unwrap();
        let y = compute(&op, &[moved]);
        wide(&y[0]).iter().zip(&dy).map(|(y, d)| y * d).sum()
    };
    for i in 0..n {
        for j in 0..n {
            let slope = (value(i, j, 1e-5) - value(i, j, -1e-5)) / 2e-5;
            let both = if i == j { found[i * n + j] } else { found[i * n + j] + found[j * n + i] };
            assert!((slope - both).abs() < 1e-7, "{i} {j}: {both}, {slope} expected");
        }
    }
}
