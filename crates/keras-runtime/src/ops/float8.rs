//! Numbers rounded to eight bits.

use super::{Gradient, Operator, Out, Spec, Types, inputs, no_gradient, single};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};

/// Largest number of `float8_e4m3fn`.
pub(crate) const MAX: f64 = 448.0;

/// `y =` the nearest number of `float8_e4m3fn`, in the type of `x`; over 448 it is NaN.
///
/// # Source
/// `keras.quantizers.quantize_and_dequantize`, Keras 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Float8;

/// Four bits of exponent from -6 on, three bits behind the leading one.
fn round(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let exponent = ((x.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let step = f64::powi(2.0, exponent.max(-6) - 3);
    let y = (x / step).round_ties_even() * step;
    if y.abs() > MAX { f64::NAN } else { y }
}

impl Operator for Float8 {
    const NAME: &'static str = "float8";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [x] = inputs(Self::NAME, x)?;
        Ok(vec![x.clone()])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        floats!(x.data.dtype(), Self::NAME, T => {
            let x = x.of::<T>(Self::NAME)?;
            for (y, x) in out::<T>(&mut y.data, Self::NAME)?.iter_mut().zip(x) {
                *y = round(*x as f64) as T;
            }
            Ok(())
        })
    }

    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        _x: &[Value],
        _y: &[Value],
        _dy: &[Option<Value>],
    ) -> Gradient {
        no_gradient(Self::NAME)
    }
}

#[test]
fn three_bits_are_kept() {
    let x = crate::Tensor::new([5], vec![1.0_f32, 1.07, 300.0, 0.001, -448.0]).unwrap();
    let y = super::run(Float8, &[x]).unwrap();
    // What `ml_dtypes.float8_e4m3fn` makes of them; the fourth is the smallest there is.
    assert_eq!(y.as_slice::<f32>().unwrap(), [1.0, 1.125, 288.0, 0.001_953_125, -448.0]);
}
