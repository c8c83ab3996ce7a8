//! `training/trajectories/`: compiled models, what they were trained on, and what Keras made of it.

use std::path::Path;

use keras_runtime::{Model, Tensor, load_model};
use serde_json::Value;

use crate::losses::{close, tensors, tolerance};
use crate::{Tally, index, text, texts};

/// Gradients of the first step.
pub(crate) fn gradients(folder: &Path, tally: &mut Tally) {
    let folder = folder.join("trajectories");
    for case in index(&folder).iter().filter(|case| case["has_grad0"] == true) {
        for format in ["keras", "h5"] {
            let name = text(case, format);
            if !name.is_empty() {
                let model = load_model(folder.join(name)).map_err(|e| e.to_string());
                tally.case(name, model.and_then(|model| first_step(&folder, case, &model)));
            }
        }
    }
}

fn first_step(folder: &Path, case: &Value, model: &Model) -> Result<(), String> {
    let arrays = tensors(&folder.join(text(case, "data")));
    let numbered = |prefix: &str| -> Vec<Tensor> {
        (0..).map_while(|i| arrays.get(&format!("{prefix}{i}")).cloned()).collect()
    };
    let (x, y, weights) = (numbered("step0_x_"), numbered("step0_y_"), numbered("step0_sw_"));
    let found = model.loss_gradients(&x, &y, &weights).map_err(|e| e.to_string())?;
    let expected = arrays["loss"].rows(0, 1).unwrap().with_shape([]).unwrap();
    let tolerance = tolerance(case, ["loss_rtol", "loss_atol"]);
    close("loss", &Tensor::scalar(found.loss), &expected, tolerance)?;
    let noise: Vec<u64> =
        case["noise_weights"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let paths = texts(case, "weight_paths");
    for (own, (at, path)) in
        found.weights.iter().zip(texts(case, "trainable_paths").iter().enumerate())
    {
        let expected = &arrays[&format!("grad0_{at}")];
        let is_noise =
            paths.iter().position(|p| p == path).is_some_and(|k| noise.contains(&(k as u64)));
        if is_noise {
            continue;
        }
        let zeros = Tensor::zeros(expected.shape(), expected.dtype());
        close(&own.path, own.gradient.as_ref().unwrap_or(&zeros), expected, tolerance)?;
    }
    Ok(())
}
