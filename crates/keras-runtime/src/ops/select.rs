//! One of two tensors, element by element.

use keras_model::DType;

use super::{
    Gradient, Operator, Out, Spec, Types, broadcast, broadcast_strides, inputs, rows, single,
    upstream,
};
use crate::graph::{Builder, Value};
use crate::tensor::{Slice, SliceMut, View};
use crate::{Error, Result};

/// `y = a` where the condition holds, else `b`.
///
/// # Shapes
/// `condition` (`bool`), `a` and `b` to the shape all broadcast to.
///
/// # Source
/// `keras.ops.where(condition, x1, x2)`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Select;

impl Operator for Select {
    const NAME: &'static str = "select";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [c, a, b] = inputs(Self::NAME, x)?;
        if c.dtype != DType::Bool || a.dtype != b.dtype {
            let reason =
                format!("takes bool and one type, found {} {} {}", c.dtype, a.dtype, b.dtype);
            return Err(Error::op(Self::NAME, reason));
        }
        let shape = broadcast(Self::NAME, &a.shape, &b.shape)?;
        Ok(vec![Spec::new(broadcast(Self::NAME, &c.shape, &shape)?, a.dtype)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([c, a, b], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let steps = [c.shape, a.shape, b.shape].map(|s| broadcast_strides(s, y.shape));
        let [sc, sa, sb] = [&steps[0], &steps[1], &steps[2]];
        let [lc, la, lb] = [sc, sa, sb].map(|s| s.last().copied().unwrap_or(0));
        let last = y.shape.last().copied().unwrap_or(1);
        let c = c.of::<bool>(Self::NAME)?;
        let shape = y.shape;
        macro_rules! each {
            ($($variant:ident),*) => {
                match (a.data, b.data, &mut y.data) {
                    $((Slice::$variant(a), Slice::$variant(b), SliceMut::$variant(y)) => {
                        rows(shape, [sc, sa, sb], |row, [ic, ia, ib]| {
                            for (i, y) in y[row..row + last].iter_mut().enumerate() {
                                let value = if c[ic + i * lc] {
                                    &a[ia + i * la]
                                } else {
                                    &b[ib + i * lb]
                                };
                                y.clone_from(value);
                            }
                        });
                    })*
                    _ => return Err(Error::op(Self::NAME, "element types differ")),
                }
            };
        }
        each!(
            Float32, Float64, Float16, BFloat16, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32,
            UInt64, Bool, String
        );
        Ok(())
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let ([c, a, other], dy) = (*inputs(Self::NAME, x)?, upstream(Self::NAME, dy)?);
        let zero = b.scalar(0.0, b.dtype(dy))?;
        let (da, dc) = (b.select(c, dy, zero)?, b.select(c, zero, dy)?);
        let shapes = [a, other].map(|v| b.shape(v).to_vec());
        let [da, dc] = [b.sum_to(da, &shapes[0])?, b.sum_to(dc, &shapes[1])?];
        Ok(vec![None, Some(da), Some(dc)])
    }
}

#[test]
fn gradient_is_the_slope() {
    let c = crate::Tensor::new([3, 1], vec![true, false, true]).unwrap();
    let x = [c, super::some_numbers(&[2], 0), super::some_numbers(&[2, 3, 2], 1)];
    super::check_gradient(Select, &x);
}
