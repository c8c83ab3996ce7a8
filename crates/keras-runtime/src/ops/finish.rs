//! What products with weights have in common: what is done with a result before it is written.

use super::unary::{Function, apply};
use crate::element::Real;
use crate::kernels::Epilogue;
use crate::tensor::{Element, View};
use crate::{Error, Result};

/// What becomes part of a product, in this order: a bias, another tensor, a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finish {
    /// Whether the last input is added to the result; it has its shape.
    pub(crate) residual: bool,
    /// Done with each element before it is written.
    pub(crate) function: Option<Function>,
}

/// The inputs of a product with weights, or their shapes.
pub(super) struct Operands<'a, T> {
    pub(super) x: &'a T,
    pub(super) weights: &'a T,
    pub(super) bias: Option<&'a T>,
    pub(super) residual: Option<&'a T>,
}

impl<'a> Operands<'a, View<'a>> {
    /// The numbers of the bias and of what is added to the result.
    pub(super) fn added<T: Element>(&self, name: &'static str) -> Result<[Option<&'a [T]>; 2]> {
        let numbers = |v: Option<&View<'a>>| v.map(|v| v.of::<T>(name)).transpose();
        Ok([numbers(self.bias)?, numbers(self.residual)?])
    }
}

impl Finish {
    /// The inputs: `[x, weights]`, then a bias if there is one, then what is added.
    pub(super) fn operands<'a, T>(
        &self,
        name: &'static str,
        inputs: &'a [T],
    ) -> Result<Operands<'a, T>> {
        let (rest, residual) = match inputs.split_last() {
            Some((last, rest)) if self.residual => (rest, Some(last)),
            _ => (inputs, None),
        };
        match rest {
            [x, weights] => Ok(Operands { x, weights, bias: None, residual }),
            [x, weights, bias] => Ok(Operands { x, weights, bias: Some(bias), residual }),
            _ => Err(Error::op(name, "takes an input, weights and maybe a bias")),
        }
    }

    /// The bounds that the function is, if it is nothing else.
    pub(super) fn clamp(&self) -> Option<[f32; 2]> {
        self.function.as_ref().and_then(Function::clamp)
    }

    /// Calls `f` with all of this as the kernels take it.
    pub(super) fn with_epilogue<R>(
        &self,
        bias: Option<&[f32]>,
        residual: Option<&[f32]>,
        f: impl FnOnce(Epilogue<'_>) -> R,
    ) -> R {
        let (clamp, function) = (self.clamp(), self.function);
        let run = |row: &mut [f32]| {
            if let Some(function) = &function {
                apply(function, row);
            }
        };
        let rest = function.is_some() && clamp.is_none();
        f(Epilogue { bias, residual, clamp, function: rest.then_some(&run) })
    }

    /// Adds and applies all of this to rows of `y`, as long as the bias.
    pub(super) fn apply<T: Real>(&self, bias: Option<&[T]>, residual: Option<&[T]>, y: &mut [T]) {
        if let Some(bias) = bias.filter(|b| !b.is_empty()) {
            for row in y.chunks_exact_mut(bias.len()) {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += *b);
            }
        }
        if let Some(residual) = residual {
            y.iter_mut().zip(residual).for_each(|(y, r)| *y += *r);
        }
        if let Some(function) = &self.function {
            apply(function, y);
        }
    }
}
