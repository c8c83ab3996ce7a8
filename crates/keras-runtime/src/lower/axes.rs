//! Axes that are one number or several.

use keras_model::layers::axes::Axes;

use crate::Result;
use crate::graph::{Builder, Value};

/// Counted from the front, in rising order.
pub(super) fn of(b: &Builder<'_>, x: Value, axes: &Axes) -> Result<Vec<usize>> {
    let mut axes = b.axes(x, axes.list())?;
    axes.sort_unstable();
    axes.dedup();
    Ok(axes)
}

/// A weight with one axis for each of `axes`, as it broadcasts against `x`.
pub(super) fn spread(
    b: &mut Builder<'_>,
    weight: Value,
    x: Value,
    axes: &[usize],
) -> Result<Value> {
    let dims = b.shape(x).iter().enumerate();
    let shape: Vec<usize> = dims.map(|(i, n)| if axes.contains(&i) { *n } else { 1 }).collect();
    b.reshape(weight, shape)
}
