//! `tract`, on one thread.

use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::Factoid;

fn main() -> TractResult<()> {
    let (path, batch, limit) = predict_peers::arguments();
    let model = tract_onnx::onnx().model_for_path(path)?;
    let fact = model.input_fact(0)?;
    // The first axis is the batch; the others are numbers.
    let mut shape: Vec<usize> = fact
        .shape
        .dims()
        .map(|d| d.concretize().and_then(|d| d.to_i64().ok()).map_or(batch, |n| n as usize))
        .collect();
    shape[0] = batch;
    let model =
        model.with_input_fact(0, f32::fact(&shape).into())?.into_optimized()?.into_runnable()?;
    let x = Tensor::from_shape(&shape, &predict_peers::numbers(&shape))?;
    predict_peers::measure(limit, || {
        let outputs = model.run(tvec!(x.clone().into())).unwrap();
        let y = outputs[0].to_plain_array_view::<f32>().unwrap();
        y.iter().map(|y| f64::from(*y).powi(2)).sum()
    });
    Ok(())
}
