//! A model that was compiled with a loss and a metric of its author's: the file has their names, here is
//! what they compute.
//!
//!     cargo run -p keras-runtime --example custom_loss

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use keras_runtime::{Loader, Ops, Result, SymbolicTensor, Tensor};

/// In Python: `ops.mean(ops.maximum(0.8 * error, -0.2 * error), axis=-1)`.
pub(crate) fn pinball(
    ops: &Ops<'_>,
    y_true: SymbolicTensor,
    y_pred: SymbolicTensor,
) -> Result<SymbolicTensor> {
    let error = ops.subtract(y_true, y_pred)?;
    let under = ops.multiply(error, 0.8)?;
    let over = ops.multiply(error, -0.2)?;
    ops.mean(ops.maximum(under, over)?, &[-1], false)
}

/// In Python: `ops.cast(ops.abs(y_true - y_pred) < 0.5, "float32")`.
pub(crate) fn within(
    ops: &Ops<'_>,
    y_true: SymbolicTensor,
    y_pred: SymbolicTensor,
) -> Result<SymbolicTensor> {
    let error = ops.abs(ops.subtract(y_true, y_pred)?)?;
    ops.cast(ops.less(error, 0.5)?, keras_runtime::DType::Float32)
}

/// What loads the model with all that it needs.
pub(crate) fn loader() -> Loader {
    Loader::new().loss("pinball", pinball).metric("within", within)
}

/// Evaluates two samples, and differentiates their loss.
pub(crate) fn main() -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/training/own.keras");
    let model = loader().load(path)?;
    let x = [Tensor::new([2, 3], vec![0.1_f32, 0.2, 0.3, -0.3, 0.0, 0.9])?];
    let y = [Tensor::new([2, 2], vec![0.5_f32, -0.5, 1.0, 0.0])?];
    for (name, value) in model.evaluate(&x, &y)?.values() {
        println!("{name}: {:?}", value.as_slice::<f32>().unwrap_or_default());
    }
    for weight in model.loss_gradients(&x, &y, &[])?.weights {
        println!("{}: {:?}", weight.path, weight.gradient);
    }
    Ok(())
}
