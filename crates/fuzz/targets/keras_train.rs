//! Bytes as a model file: evaluated, trained for two steps, saved and loaded again, within limits.
#![no_main]

use keras_model::{Container, Saver};
use keras_runtime::{DType, Tensor};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let loader = fuzz::loader();
    let Ok(mut model) = loader.from_bytes(bytes.to_vec()) else { return };
    let Some(inputs) = fuzz::zeros(&model) else { return };
    let Ok(outputs) = model.predict(&inputs) else { return };
    // Targets like the outputs, or a class for each sample.
    let rows = outputs.first().and_then(|y| y.shape().first()).copied().unwrap_or(1);
    let classes = vec![Tensor::zeros([rows, 1], DType::Int32); outputs.len()];
    for targets in [&outputs, &classes] {
        let _ = model.evaluate(&inputs, targets);
        let _ = model.train_on_batch(&inputs, targets, &[]);
    }
    let Ok(file) = model.to_file() else { return };
    for container in [Container::Keras, Container::WholeModelH5, Container::WeightsH5] {
        if let Ok(saved) = Saver::new().to_bytes(&file, container)
            && container != Container::WeightsH5
        {
            loader.from_bytes(saved.bytes).expect("what is saved loads");
        }
    }
});
