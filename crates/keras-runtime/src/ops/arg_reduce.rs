//! Where the largest or smallest element is.

use keras_model::DType;

use super::reduce::reduced;
use super::{Gradient, Operator, Out, Spec, Types, inputs, nothing, single, split_at_axis};
use crate::element::Number;
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// The place of the first largest (smallest) element along an axis, as `int64`. A NaN wins.
///
/// # Shapes
/// `x` to its shape without `axis`.
///
/// # Source
/// `keras.ops.argmax(x, axis)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ArgReduce {
    pub(crate) largest: bool,
    pub(crate) axis: usize,
}

impl Operator for ArgReduce {
    const NAME: &'static str = "arg_reduce";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        match x.shape.get(self.axis) {
            None | Some(0) => {
                Err(Error::op(Self::NAME, format!("{:?} on axis {}", x.shape, self.axis)))
            }
            Some(_) => Ok(vec![Spec::new(reduced(&x.shape, &[self.axis], false), DType::Int64)]),
        }
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        numbers!(x.data.dtype(), Self::NAME, T => self.run::<T>(x, y))
    }

    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        _dy: &[Option<Value>],
    ) -> Gradient {
        nothing(x)
    }
}

impl ArgReduce {
    fn run<T: Number>(self, x: &View<'_>, y: &mut Out<'_>) -> Result<()> {
        let [outer, n, inner] = split_at_axis(x.shape, self.axis);
        let x = x.of::<T>(Self::NAME)?;
        let y = out::<i64>(&mut y.data, Self::NAME)?;
        for o in 0..outer {
            for i in 0..inner {
                let at = |k: usize| x[(o * n + k) * inner + i];
                let mut best = 0;
                for k in 1..n {
                    let (a, b) = (at(k), at(best));
                    let wins = if self.largest { a > b } else { a < b };
                    if !b.not_a_number() && (wins || a.not_a_number()) {
                        best = k;
                    }
                }
                y[o * inner + i] = best as i64;
            }
        }
        Ok(())
    }
}
