//! Loops over tensors of `float32` or `float64`: what an optimizer does beside its rule.

use keras_model::DType;
use num_traits::ToPrimitive;

use crate::element::Real;
use crate::{Error, Result, Tensor};

/// Runs an expression with the type of a tensor's elements.
macro_rules! with_float {
    ($dtype:expr, $F:ident => $body:expr) => {
        match $dtype {
            keras_model::DType::Float64 => {
                type $F = f64;
                $body
            }
            _ => {
                type $F = f32;
                $body
            }
        }
    };
}

pub(super) use with_float;

/// The type in which an optimizer computes for a weight of that type.
pub(super) fn wide(dtype: DType) -> DType {
    if dtype == DType::Float64 { dtype } else { DType::Float32 }
}

/// The elements, to be changed.
pub(super) fn elements<F: Real>(tensor: &mut Tensor) -> Result<&mut [F]> {
    let dtype = tensor.dtype();
    let wrong = || Error::Value(format!("an optimizer computes in floats, not in {dtype}"));
    tensor.as_mut_slice::<F>().ok_or_else(wrong)
}

/// A number of a config.
pub(super) fn number<F: Real>(value: f64) -> F {
    F::from(value).unwrap_or_else(F::nan)
}

/// `x / by`.
pub(super) fn divide(x: &mut Tensor, by: f64) -> Result<()> {
    with_float!(x.dtype(), F => {
        let by: F = number(by);
        elements::<F>(x)?.iter_mut().for_each(|x| *x /= by);
        Ok(())
    })
}

/// `a · x + b · y`.
pub(super) fn mix(x: &mut Tensor, a: f64, y: &Tensor, b: f64) -> Result<()> {
    with_float!(x.dtype(), F => {
        let (a, b): (F, F) = (number(a), number(b));
        let y = y.as_slice::<F>().unwrap_or_default();
        elements::<F>(x)?.iter_mut().zip(y).for_each(|(x, y)| *x = a * *x + b * *y);
        Ok(())
    })
}

/// Each element between `-most` and `most`.
pub(super) fn clip(x: &mut Tensor, most: f64) -> Result<()> {
    with_float!(x.dtype(), F => {
        let most: F = number(most);
        let is_over = |x: F| x > most || x < -most;
        let over = elements::<F>(x)?.iter_mut().filter(|x| is_over(**x));
        over.for_each(|x| *x = most * x.signum());
        Ok(())
    })
}

/// The sum of the squares.
pub(super) fn squares(x: &Tensor) -> f64 {
    with_float!(x.dtype(), F => {
        let all = x.as_slice::<F>().unwrap_or_default();
        all.iter().filter_map(|x| (*x * *x).to_f64()).sum()
    })
}

/// The sum of the elements.
pub(super) fn sum(x: &Tensor) -> f64 {
    with_float!(x.dtype(), F => {
        x.as_slice::<F>().unwrap_or_default().iter().filter_map(ToPrimitive::to_f64).sum()
    })
}

/// Whether all elements are numbers, and finite.
pub(super) fn is_finite(x: &Tensor) -> bool {
    with_float!(x.dtype(), F => {
        x.as_slice::<F>().unwrap_or_default().iter().all(|x| x.is_finite())
    })
}
