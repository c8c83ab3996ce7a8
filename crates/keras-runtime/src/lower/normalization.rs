//! `Normalization`.

use keras_model::layers::normalization::Normalization;

use super::{Call, axes, rescaling};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Function};

pub(super) fn lower(
    layer: &Normalization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let x = call.input(b)?;
    let x = b.cast(x, b.compute())?;
    let (mean, variance) = match (&layer.mean, &layer.variance) {
        (Some(mean), Some(variance)) => {
            (rescaling::numbers(b, mean)?, rescaling::numbers(b, variance)?)
        }
        _ => (b.weight("mean")?, b.weight("variance")?),
    };
    let kept = match &layer.axis {
        Some(axis) => axes::of(b, x, axis)?,
        None => Vec::new(),
    };
    let lengths: usize = kept.iter().filter_map(|a| b.shape(x).get(*a)).product();
    let spread = |b: &mut Builder<'_>, statistic: Value| {
        // Given numbers broadcast; statistics have one axis for each that is kept.
        if crate::ops::size(b.shape(statistic)) == lengths {
            axes::spread(b, statistic, x, &kept)
        } else {
            Ok(statistic)
        }
    };
    let (mean, variance) = (spread(b, mean)?, spread(b, variance)?);
    let deviation = b.unary(Function::Sqrt, variance)?;
    let deviation = b.with_number(Arithmetic::Max, deviation, 1e-7)?;
    if layer.invert {
        let y = b.mul(x, deviation)?;
        return Ok(vec![b.add(y, mean)?]);
    }
    let y = b.sub(x, mean)?;
    Ok(vec![b.div(y, deviation)?])
}
