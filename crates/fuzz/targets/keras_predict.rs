//! Bytes as a model file: loaded and run on zeros, within limits.
#![no_main]

use keras_runtime::{Differentiate, Predict};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = fuzz::loader().from_bytes(bytes.to_vec()) else { return };
    let Some(inputs) = fuzz::zeros(&model) else { return };
    for training in [false, true] {
        if let Ok(y) = model.predict_with(&inputs, &Predict::new().training(training)) {
            let _ = model.gradients_with(&inputs, &y, &Differentiate::new().training(training));
        }
    }
});
