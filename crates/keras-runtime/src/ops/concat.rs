//! Tensors one after the other.

use super::{Gradient, Operator, Out, Spec, Types, single, split_at_axis, upstream};
use crate::graph::{Builder, Value};
use crate::tensor::{View, each_type};
use crate::{Error, Result};

/// The inputs one after the other along an axis.
///
/// # Shapes
/// `[.., n_k, ..]` to `[.., Σ n_k, ..]`, all other axes equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Concat {
    pub(crate) axis: usize,
}

impl Operator for Concat {
    const NAME: &'static str = "concat";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let first = x.first().ok_or_else(|| Error::op(Self::NAME, "takes at least one input"))?;
        let mut shape = first.shape.clone();
        if self.axis >= shape.len() {
            return Err(Error::op(Self::NAME, format!("{shape:?} has no axis {}", self.axis)));
        }
        shape[self.axis] = 0;
        for other in x {
            let fits = other.shape.len() == shape.len()
                && other.dtype == first.dtype
                && (0..shape.len()).all(|i| i == self.axis || shape[i] == other.shape[i]);
            if !fits {
                let reason = format!("{:?} and {:?} differ elsewhere", first.shape, other.shape);
                return Err(Error::op(Self::NAME, reason));
            }
            shape[self.axis] += other.shape[self.axis];
        }
        Ok(vec![Spec::new(shape, first.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let y = single(Self::NAME, y)?;
        let [outer, total, inner] = split_at_axis(y.shape, self.axis);
        let mut before = 0;
        for part in x {
            let width = part.shape[self.axis] * inner;
            each_type!(part.data, &mut y.data, |x, y| {
                for o in 0..outer {
                    let to = o * total * inner + before;
                    y[to..to + width].clone_from_slice(&x[o * width..(o + 1) * width]);
                }
            });
            before += width;
        }
        Ok(())
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let dy = upstream(Self::NAME, dy)?;
        let mut start = 0;
        let parts = x.iter().map(|x| {
            let end = start + b.shape(*x)[self.axis];
            let part = b.slice(dy, self.axis, start, end)?;
            start = end;
            Ok(Some(part))
        });
        parts.collect()
    }
}

#[test]
fn gradient_is_the_slope() {
    let x = [super::some_numbers(&[2, 2], 0), super::some_numbers(&[2, 3], 1)];
    super::check_gradient(Concat { axis: 1 }, &x);
}
