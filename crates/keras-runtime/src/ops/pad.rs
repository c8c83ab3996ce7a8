//! Elements added at the borders.

use super::{Gradient, Operator, Out, Spec, Types, inputs, rows, single, strides, upstream};
use crate::graph::{Builder, Value};
use crate::tensor::{SliceMut, View, each_type};
use crate::{Error, Result};

/// What stands in the borders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum PadMode {
    /// A number.
    Constant(f64),
    /// The element at the edge.
    Edge,
    /// The elements mirrored, without the one at the edge.
    Reflect,
    /// The elements mirrored, with the one at the edge.
    Symmetric,
    /// The elements from the other side.
    Wrap,
}

/// `x` with elements before and after each axis.
///
/// # Shapes
/// `[.., n, ..]` to `[.., before + n + after, ..]`.
///
/// # Source
/// `keras.ops.pad(x, pad_width, mode, constant_values)`, Keras 3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pad {
    pub(crate) borders: Vec<(usize, usize)>,
    pub(crate) mode: PadMode,
}

impl PadMode {
    /// The element of an axis of length `n` that stands at `i`, counted from its first element.
    fn source(self, i: i64, n: i64) -> i64 {
        match self {
            Self::Constant(_) | Self::Edge => i.clamp(0, n - 1),
            Self::Wrap => i.rem_euclid(n),
            Self::Symmetric => {
                let at = i.rem_euclid(2 * n);
                if at < n { at } else { 2 * n - 1 - at }
            }
            Self::Reflect if n == 1 => 0,
            Self::Reflect => {
                let at = i.rem_euclid(2 * n - 2);
                if at < n { at } else { 2 * n - 2 - at }
            }
        }
    }
}

impl Operator for Pad {
    const NAME: &'static str = "pad";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        if self.borders.len() != x.shape.len() {
            let reason = format!("{} borders for shape {:?}", self.borders.len(), x.shape);
            return Err(Error::op(Self::NAME, reason));
        }
        let mut shape = x.shape.clone();
        for (n, (before, after)) in shape.iter_mut().zip(&self.borders) {
            // Past what fits no value is as long, and the limits say so.
            let added = before.saturating_add(*after);
            if *n == 0 && !matches!(self.mode, PadMode::Constant(_)) && added > 0 {
                return Err(Error::op(Self::NAME, format!("{:?} is empty", x.shape)));
            }
            *n = n.saturating_add(added);
        }
        Ok(vec![Spec::new(shape, x.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        if let PadMode::Constant(value) = self.mode {
            fill(&mut y.data, value);
            let to = strides(y.shape);
            let start: usize = to.iter().zip(&self.borders).map(|(s, b)| s * b.0).sum();
            let last = x.shape.last().copied().unwrap_or(1);
            let shape = x.shape;
            each_type!(x.data, &mut y.data, |x, y| rows(shape, [&to], |from, [at]| {
                y[start + at..start + at + last].clone_from_slice(&x[from..from + last]);
            }));
            return Ok(());
        }
        let from = strides(x.shape);
        // For each axis where its elements come from.
        let sources: Vec<Vec<usize>> = (0..x.shape.len())
            .map(|axis| {
                let (before, n) = (self.borders[axis].0 as i64, x.shape[axis] as i64);
                let source = |i: usize| self.mode.source(i as i64 - before, n) as usize;
                (0..y.shape[axis]).map(|i| source(i) * from[axis]).collect()
            })
            .collect();
        let shape = y.shape;
        each_type!(x.data, &mut y.data, |x, y| {
            for (flat, y) in y.iter_mut().enumerate() {
                let (mut rest, mut at) = (flat, 0);
                for axis in (0..shape.len()).rev() {
                    at += sources[axis][rest % shape[axis]];
                    rest /= shape[axis];
                }
                *y = x[at].clone();
            }
        });
        Ok(())
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let (mut dx, shape) = (upstream(Self::NAME, dy)?, b.shape(x[0]).to_vec());
        for (axis, (before, after)) in self.borders.iter().enumerate() {
            let n = shape[axis];
            if let PadMode::Constant(_) = self.mode {
                dx = b.slice(dx, axis, *before, before + n)?;
            } else if before + after > 0 {
                // Each element gets the sum of what reaches its copies.
                let all = before + n + after;
                let source =
                    |i: usize| self.mode.source(i as i64 - *before as i64, n as i64) as usize;
                b.check_value("table", &[all], keras_model::DType::Int64)?;
                let places = b.indices((0..all).map(source))?;
                dx = b.move_axis(dx, axis, 0)?;
                dx = b.sum_rows(dx, places, n)?;
                dx = b.move_axis(dx, 0, axis)?;
            }
        }
        Ok(vec![Some(dx)])
    }
}

/// Sets all elements to a number; strings to nothing.
pub(crate) fn fill(data: &mut SliceMut<'_>, value: f64) {
    match data {
        SliceMut::Float32(v) => v.fill(value as f32),
        SliceMut::Float64(v) => v.fill(value),
        SliceMut::Float16(v) => v.fill(half::f16::from_f64(value)),
        SliceMut::BFloat16(v) => v.fill(half::bf16::from_f64(value)),
        SliceMut::Int8(v) => v.fill(value as i8),
        SliceMut::Int16(v) => v.fill(value as i16),
        SliceMut::Int32(v) => v.fill(value as i32),
        SliceMut::Int64(v) => v.fill(value as i64),
        SliceMut::UInt8(v) => v.fill(value as u8),
        SliceMut::UInt16(v) => v.fill(value as u16),
        SliceMut::UInt32(v) => v.fill(value as u32),
        SliceMut::UInt64(v) => v.fill(value as u64),
        SliceMut::Bool(v) => v.fill(value != 0.0),
        SliceMut::String(v) => v.fill(String::new()),
    }
}

#[test]
fn modes_as_numpy_has_them() {
    let pad = |mode| {
        let x = crate::Tensor::new([3], vec![1_i32, 2, 3]).unwrap();
        let y = super::run(Pad { borders: vec![(2, 4)], mode }, &[x]).unwrap();
        y.as_slice::<i32>().unwrap().to_vec()
    };
    assert_eq!(pad(PadMode::Constant(7.0)), [7, 7, 1, 2, 3, 7, 7, 7, 7]);
    assert_eq!(pad(PadMode::Edge), [1, 1, 1, 2, 3, 3, 3, 3, 3]);
    assert_eq!(pad(PadMode::Reflect), [3, 2, 1, 2, 3, 2, 1, 2, 3]);
    assert_eq!(pad(PadMode::Symmetric), [2, 1, 1, 2, 3, 3, 2, 1, 1]);
    assert_eq!(pad(PadMode::Wrap), [2, 3, 1, 2, 3, 1, 2, 3, 1]);
}

#[test]
fn gradient_is_the_slope() {
    use PadMode::{Constant, Edge, Reflect, Symmetric, Wrap};
    for mode in [Constant(2.0), Edge, Reflect, Symmetric, Wrap] {
        let op = Pad { borders: vec![(1, 2), (2, 0)], mode };
        super::check_gradient(op, &[super::some_numbers(&[3, 3], 0)]);
    }
}
