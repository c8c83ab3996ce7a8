//! `SpectralNormalization`: in training the kernel is divided by its largest singular value, which a
//! power iteration finds.

use keras_model::layers::spectral_normalization::SpectralNormalization;

use super::{Call, unit_normalization};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Relation, size};

pub(super) fn lower(
    layer: &SpectralNormalization,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    if b.training() {
        let u = b.variable("vector_u")?;
        b.enter(&layer.layer.base);
        let name = if b.has_weight("kernel") { "kernel" } else { "embeddings" };
        let kernel = b.stored_weight(name)?;
        let (scaled, u) = normalized(b, kernel, u, layer.power_iterations)?;
        b.assign(name, scaled)?;
        // Keras puts it in the place of the kernel, and takes the gradient there.
        let kernel = b.with_gradient_of(scaled, |_| Ok(kernel))?;
        b.replace_weight(name, kernel);
        b.leave();
        b.assign("vector_u", u)?;
    }
    let dtype = call.inputs.tensors().first().map(|x| b.dtype(**x));
    let outputs = super::layer(&layer.layer, b, &call.inputs)?;
    // Whatever the layer gives comes out in the type of what went in, integers too.
    let cast = |y| dtype.map_or(Ok(y), |dtype| b.cast(y, dtype));
    outputs.into_iter().map(cast).collect()
}

/// The kernel `[.., n]` divided by its largest singular value, from the vector `u [1, n]`, and the
/// vector that the next step starts from.
fn normalized(
    b: &mut Builder<'_>,
    kernel: Value,
    start: Value,
    steps: usize,
) -> Result<(Value, Value)> {
    let shape = b.shape(kernel).to_vec();
    let n = b.dim(kernel, -1)?;
    let rows = b.reshape(kernel, [size(&shape).checked_div(n).unwrap_or(0), n])?;
    // Keras's `backend.epsilon()`.
    let unit =
        |b: &mut Builder<'_>, x: Value| unit_normalization::unit(b, x, &[0, 1], 1e-7_f64.powi(2));
    let (mut u, mut v) = (start, start);
    for _ in 0..steps {
        v = b.matmul_transposed(u, rows)?;
        v = unit(b, v)?;
        u = b.matmul(v, rows)?;
        u = unit(b, u)?;
    }
    let product = b.matmul(v, rows)?;
    let largest = b.matmul_transposed(product, u)?;
    let scaled = b.div(rows, largest)?;
    let scaled = b.reshape(scaled, shape)?;
    // A kernel of zeros stays.
    let is_zero = b.compare_number(Relation::Equal, kernel, 0.0)?;
    let all: Vec<usize> = (0..b.rank(kernel)).collect();
    let is_zero = b.all(is_zero, &all, false)?;
    Ok((b.select(is_zero, kernel, scaled)?, b.select(is_zero, start, u)?))
}
