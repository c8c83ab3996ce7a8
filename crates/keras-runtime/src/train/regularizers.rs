//! Penalties that weights and outputs add to the loss. Source: `keras/src/regularizers/regularizers.py`,
//! Keras 3.15.

use keras_model::objects::Regularizer;
use keras_model::{DType, Kind, Layer};
use serde_json::{Value as Json, json};

use super::{EPSILON, arguments};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::unit;
use crate::ops::{Arithmetic, Function};
use crate::weights::Weights;

/// The penalty on a tensor: a number without axes, in the tensor's type.
fn penalty(b: &mut Builder<'_>, regularizer: &Regularizer, x: Value) -> Result<Value> {
    let argument = |name: &str, default: f64| match regularizer.config.get(name) {
        None | Some(Json::Null) => Ok(default),
        Some(value) => value.as_f64().ok_or_else(|| b.error(format!("{name} is {value}"))),
    };
    let (l1, l2) = match regularizer.class_name.as_str() {
        "L1" => (argument("l1", 0.01)?, 0.0),
        "L2" => (0.0, argument("l2", 0.01)?),
        "L1L2" => (argument("l1", 0.0)?, argument("l2", 0.0)?),
        "OrthogonalRegularizer" => {
            let factor = argument("factor", 0.01)?;
            let by_columns =
                regularizer.config.get("mode").and_then(Json::as_str) == Some("columns");
            return orthogonal(b, x, factor, by_columns);
        }
        other => {
            return Err(
                b.unsupported(format!("the regularizer {other:?}, whose code is not Keras's,"))
            );
        }
    };
    let axes: Vec<usize> = (0..b.rank(x)).collect();
    let mut sum = None;
    for (factor, function) in [(l1, Function::Abs), (l2, Function::Square)] {
        if factor != 0.0 {
            let part = b.unary(function, x)?;
            let part = b.sum(part, &axes, false)?;
            let part = b.scale(part, factor)?;
            sum = Some(match sum {
                Some(sum) => b.add(sum, part)?,
                None => part,
            });
        }
    }
    match sum {
        Some(sum) => Ok(sum),
        None => b.scalar(0.0, b.dtype(x)),
    }
}

/// How far the rows of a matrix, or its columns, are from standing at right angles.
fn orthogonal(b: &mut Builder<'_>, x: Value, factor: f64, by_columns: bool) -> Result<Value> {
    let &[rows, columns] = b.shape(x) else {
        return Err(
            b.error(format!("an orthogonal regularizer takes matrices, not {:?}", b.shape(x)))
        );
    };
    let (x, n) = if by_columns { (b.transpose_matrices(x)?, columns) } else { (x, rows) };
    let x = unit(b, x, &[1], EPSILON * EPSILON)?;
    let product = b.matmul_transposed(x, x)?;
    let places = b.indices(0..n)?;
    let column = b.expand(places, 1)?;
    let off = b.compare(crate::ops::Relation::NotEqual, column, places)?;
    let off = b.cast(off, b.dtype(product))?;
    let product = b.mul(product, off)?;
    let size = b.unary(Function::Abs, product)?;
    let sum = b.sum(size, &[0, 1], false)?;
    let pairs = n as f64 * (n as f64 - 1.0) / 2.0;
    let sum = b.scale(sum, factor * 0.5)?;
    b.with_number(Arithmetic::Div, sum, pairs)
}

/// Adds the penalties on the outputs of a layer, each divided by the size of the batch, to what the
/// step minimises.
pub(crate) fn add_activity(b: &mut Builder<'_>, layer: &Layer, outputs: &[Value]) -> Result<()> {
    if !b.collects_losses() {
        return Ok(());
    }
    match &layer.kind {
        // It gives the regularizer to its parts.
        Kind::MultiHeadAttention(_) | Kind::GroupedQueryAttention(_) => Ok(()),
        Kind::ActivityRegularization(own) => {
            let config = json!({"l1": own.l1.0, "l2": own.l2.0});
            let config = config.as_object().cloned().unwrap_or_default();
            let both = Regularizer::new("L1L2", config);
            add_penalties(b, Some(&both), outputs)
        }
        _ => add_penalties(b, layer.base.activity_regularizer.as_ref(), outputs),
    }
}

/// The same for outputs and a regularizer of their own.
pub(crate) fn add_penalties(
    b: &mut Builder<'_>,
    regularizer: Option<&Regularizer>,
    outputs: &[Value],
) -> Result<()> {
    let Some(regularizer) = regularizer.filter(|_| b.collects_losses()) else { return Ok(()) };
    for output in outputs {
        let mut loss = penalty(b, regularizer, *output)?;
        if let Some(batch) = b.shape(*output).first()
            && b.writer().divides_penalties()
        {
            let batch = b.scalar(*batch as f64, b.dtype(loss))?;
            loss = b.binary(Arithmetic::DivNoNan, loss, batch)?;
        }
        b.add_loss(loss)?;
    }
    Ok(())
}

/// The penalties on the trainable weights below a layer, in the order of the weights.
pub(super) fn of_weights(
    b: &mut Builder<'_>,
    root: &Layer,
    weights: &Weights,
) -> Result<Vec<Value>> {
    let mut penalties = Vec::new();
    for (_, weight) in weights.all_trainable() {
        let found = arguments::of_weight(root, &weight.layer, &weight.name, "regularizer");
        if let Some(regularizer) = found.and_then(|r| serde_json::from_value(r).ok()) {
            let value = b.weight_of(&weight.layer, &weight.name)?;
            let loss = penalty(b, &regularizer, value)?;
            penalties.push(b.cast(loss, DType::Float32)?);
        }
    }
    Ok(penalties)
}
