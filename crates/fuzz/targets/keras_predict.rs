//! Bytes as a model file: loaded and run on zeros, within limits.
#![no_main]

use keras_runtime::{Differentiate, Limits, Loader, Predict, Tensor};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { memory: 16 << 20, operations: 20_000 };
    let mut file = hdf5_lite::Limits::default();
    file.read_bytes = 1 << 21;
    let loader = Loader::new().limits(limits).file(keras_model::Loader::new().limits(file));
    let Ok(model) = loader.from_bytes(bytes.to_vec()) else { return };
    let inputs = model.inputs().iter().map(|input| {
        let shape: Vec<usize> = input.shape.dims().iter().map(|n| n.unwrap_or(2)).collect();
        // An input that no caller has is not the model's to refuse.
        let small =
            shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)).is_some_and(|n| n < 1 << 20);
        small.then(|| Tensor::zeros(shape, input.dtype))
    });
    let Some(inputs) = inputs.collect::<Option<Vec<Tensor>>>() else { return };
    for training in [false, true] {
        if let Ok(y) = model.predict_with(&inputs, &Predict::new().training(training)) {
            let _ = model.gradients_with(&inputs, &y, &Differentiate::new().training(training));
        }
    }
});
