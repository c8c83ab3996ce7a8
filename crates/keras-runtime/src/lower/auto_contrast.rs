//! `AutoContrast`: unlike other layers of its kind it does its work while predicting, too.

use keras_model::layers::auto_contrast::AutoContrast;

use super::Call;
use super::image::{self, Part};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Reduction, Relation};

pub(super) fn lower(
    layer: &AutoContrast,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let [from, to] = layer.value_range.0.map(|f| f.0);
    image::each(b, call, |b, x, part| {
        if part != Part::Images {
            return Ok(x);
        }
        let original = b.cast(x, b.compute())?;
        let single = b.rank(original) == 3;
        let x = if single { b.expand(original, 0)? } else { original };
        let x = range(b, x, [from, to], [0.0, 255.0])?;
        let low = b.reduce(Reduction::Min, x, &[1, 2], true)?;
        let high = b.reduce(Reduction::Max, x, &[1, 2], true)?;
        let width = b.sub(high, low)?;
        let full = b.scalar(255.0, b.dtype(x))?;
        let scale = b.div(full, width)?;
        let offset = b.mul(low, scale)?;
        let y = b.mul(x, scale)?;
        let y = b.sub(y, offset)?;
        let y = b.with_number(Arithmetic::Max, y, 0.0)?;
        let y = b.with_number(Arithmetic::Min, y, 255.0)?;
        let y = range(b, y, [0.0, 255.0], [from, to])?;
        let y = b.reshape(y, b.shape(original).to_vec())?;
        // A channel of one value has no contrast.
        let number = b.compare(Relation::Equal, y, y)?;
        b.select(number, y, original)
    })
}

/// Values of one range in another.
pub(super) fn range(b: &mut Builder<'_>, x: Value, from: [f64; 2], to: [f64; 2]) -> Result<Value> {
    if from == to {
        return Ok(x);
    }
    let x = b.with_number(Arithmetic::Sub, x, from[0])?;
    let x = b.with_number(Arithmetic::Div, x, from[1] - from[0])?;
    let x = b.scale(x, to[1] - to[0])?;
    b.with_number(Arithmetic::Add, x, to[0])
}
