//! `CTC`. Source: `keras/src/losses/losses.py`, Keras 3.15.

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{CtcLoss, Relation};

/// The class that stands for no label, and pads labels.
const BLANK: usize = 0;

/// The logarithm of the chance that logits over time stand for labels, with its sign turned:
/// `[batch, most]` and `[batch, steps, classes]` to `[batch]`.
pub(crate) fn values(b: &mut Builder<'_>, y_true: Value, y_pred: Value) -> Result<Value> {
    let (&[batch, _], &[_, steps, _]) = (b.shape(y_true), b.shape(y_pred)) else {
        let (y_true, y_pred) = (b.shape(y_true), b.shape(y_pred));
        return Err(b.error(format!(
            "takes labels [batch, most] and logits [batch, steps, classes], not {y_true:?} and {y_pred:?}"
        )));
    };
    let dtype = b.dtype(y_pred);
    let labels = b.cast(y_true, DType::Int32)?;
    let counts = b.compare_number(Relation::NotEqual, y_true, BLANK as f64)?;
    let counts = b.cast(counts, DType::Int32)?;
    let counts = b.sum(counts, &[1], false)?;
    let counts = b.cast(counts, DType::Int32)?;
    let logits = b.cast(y_pred, DType::Float32)?;
    let steps = b.full([batch], steps as f64, DType::Int32)?;
    let value = b.op(CtcLoss { blank: BLANK }, &[labels, logits, counts, steps])?;
    b.cast(value, if dtype == DType::Float64 { dtype } else { DType::Float32 })
}
