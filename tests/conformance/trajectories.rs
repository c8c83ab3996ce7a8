//! `training/trajectories/`: compiled models, what they were trained on, and what Keras made of it.

use std::path::Path;

use keras_model::source::Source;
use keras_model::{Container, Saver, Weight};
use keras_runtime::{Evaluate, Model, Tensor, load_model};
use serde_json::Value;

use crate::losses_metrics::{Arrays, close, tensors, tolerance};
use crate::{Tally, index, text, texts};

/// Gradients of the first step.
pub(crate) fn gradients(folder: &Path, tally: &mut Tally) {
    run(folder, tally, |case| case["has_grad0"] == true, first_step);
}

/// What `evaluate` gives.
pub(crate) fn evaluate(folder: &Path, tally: &mut Tally) {
    run(folder, tally, |_| true, evaluated);
}

/// Five steps more.
pub(crate) fn steps(folder: &Path, tally: &mut Tally) {
    run(folder, tally, |_| true, stepped);
}

/// Judges the models of some cases, in both formats.
fn run(
    folder: &Path,
    tally: &mut Tally,
    is_chosen: fn(&Value) -> bool,
    judge: fn(&Value, &Arrays, &mut Model) -> Result<(), String>,
) {
    let folder = folder.join("trajectories");
    for case in index(&folder).iter().filter(|case| is_chosen(case)) {
        let arrays = tensors(&folder.join(text(case, "data")));
        for format in ["keras", "h5"] {
            let name = text(case, format);
            if !name.is_empty() {
                let model = load_model(folder.join(name)).map_err(|e| e.to_string());
                tally.case(name, model.and_then(|mut model| judge(case, &arrays, &mut model)));
            }
        }
    }
}

/// Inputs, targets and weights of a batch.
fn batch(arrays: &Arrays, name: &str) -> [Vec<Tensor>; 3] {
    ["x", "y", "sw"].map(|what| {
        (0..).map_while(|i| arrays.get(&format!("{name}_{what}_{i}")).cloned()).collect()
    })
}

fn evaluated(case: &Value, arrays: &Arrays, model: &mut Model) -> Result<(), String> {
    let [x, y, weights] = batch(arrays, "eval");
    let how = Evaluate::new().batch_size(4).sample_weight(weights);
    let report = model.evaluate_with(&x, &y, &how).map_err(|e| e.to_string())?;
    let names = texts(case, "evaluate_names");
    let mut found: Vec<&str> = report.values().iter().map(|(name, _)| name.as_str()).collect();
    found.sort_unstable();
    if found != names {
        return Err(format!("gives {found:?}, {names:?} expected"));
    }
    let tolerance = tolerance(case, ["evaluate_rtol", "loss_atol"]);
    for (at, name) in names.iter().enumerate() {
        let expected = arrays["evaluate"].rows(at, at + 1).unwrap().with_shape([]).unwrap();
        close(name, report.get(name).unwrap(), &expected, tolerance)?;
    }
    Ok(())
}

fn first_step(case: &Value, arrays: &Arrays, model: &mut Model) -> Result<(), String> {
    let [x, y, weights] = batch(arrays, "step0");
    let found = model.loss_gradients(&x, &y, &weights).map_err(|e| e.to_string())?;
    let expected = arrays["loss"].rows(0, 1).unwrap().with_shape([]).unwrap();
    let tolerance = tolerance(case, ["loss_rtol", "loss_atol"]);
    close("loss", &Tensor::scalar(found.loss), &expected, tolerance)?;
    let noise = noise(case);
    let paths = texts(case, "weight_paths");
    for (own, (at, path)) in
        found.weights.iter().zip(texts(case, "trainable_paths").iter().enumerate())
    {
        let expected = &arrays[&format!("grad0_{at}")];
        let is_noise = paths.iter().position(|p| p == path).is_some_and(|k| noise.contains(&k));
        if is_noise {
            continue;
        }
        let zeros = Tensor::zeros(expected.shape(), expected.dtype());
        close(&own.path, own.gradient.as_ref().unwrap_or(&zeros), expected, tolerance)?;
    }
    Ok(())
}

/// Weights whose gradient is nothing but rounding.
fn noise(case: &Value) -> Vec<usize> {
    let places = case["noise_weights"].as_array().into_iter().flatten();
    places.filter_map(Value::as_u64).map(|k| usize::try_from(k).unwrap()).collect()
}

fn stepped(case: &Value, arrays: &Arrays, model: &mut Model) -> Result<(), String> {
    let of_step = tolerance(case, ["loss_rtol", "loss_atol"]);
    let row_of = |name: &str, row: usize| arrays[name].rows(row, row + 1).unwrap();
    let class_weight = case["class_weight"].as_object().into_iter().flatten();
    let class_weight: Vec<(i64, f64)> = class_weight
        .map(|(class, weight)| (class.parse().unwrap(), weight.as_f64().unwrap()))
        .collect();
    let logged = texts(case, "log_names");
    for t in 0..case["steps"].as_u64().unwrap() {
        let [x, y, weights] = batch(arrays, &format!("step{t}"));
        let at = usize::try_from(t).unwrap();
        let logs = model.train_on_weighted_batch(&x, &y, &weights, class_weight.iter().copied());
        let logs = logs.map_err(|e| format!("step {t}: {e}"))?;
        let step = |name: &str| format!("step {t}, {name}");
        let before = row_of("loss", at).with_shape([]).unwrap();
        close(&step("loss"), &Tensor::scalar(logs.loss()), &before, of_step)?;
        for (column, name) in logged.iter().enumerate() {
            let row = row_of("logs", at).with_shape([logged.len()]).unwrap();
            let expected = row.rows(column, column + 1).unwrap().with_shape([]).unwrap();
            let found = logs.get(name).ok_or_else(|| format!("there is no {name:?}"))?;
            close(&step(name), found, &expected, of_step)?;
        }
        if let Some(expected) = case["learning_rates"][at].as_f64() {
            let found = model.learning_rate().map_err(|e| e.to_string())?;
            let expected = Tensor::scalar(expected);
            close(&step("learning rate"), &Tensor::scalar(found), &expected, [1e-5, 1e-9])?;
        }
    }
    let (noise, of_weights) = (noise(case), tolerance(case, ["weights_rtol", "weights_atol"]));
    let weights = model.get_weights().map_err(|e| e.to_string())?;
    for ((k, path), found) in texts(case, "weight_paths").iter().enumerate().zip(&weights) {
        if !noise.contains(&k) {
            close(path, found, &arrays[&format!("w_{k}")], of_weights)?;
        }
    }
    // What the optimizer keeps, as a file saved now has it.
    let saved =
        model.to_file().and_then(|file| Ok(Saver::new().to_bytes(&file, Container::Keras)?));
    let saved = saved.map_err(|e| e.to_string())?;
    let source = Source::from_bytes(saved.bytes).map_err(|e| e.to_string())?;
    let paths = texts(case, "optimizer_variable_paths");
    if source.optimizer_weights.len() != paths.len() {
        let found = source.optimizer_weights.len();
        return Err(format!(
            "{found} variables of the optimizer for {}: {:?}",
            paths.len(),
            saved.lost
        ));
    }
    for ((k, path), found) in paths.iter().enumerate().zip(&source.optimizer_weights) {
        let expected = &arrays[&format!("optvar_{k}")];
        let found = Weight::from(found).to_f64().map_err(|e| e.to_string())?;
        let found = Tensor::new(expected.shape(), found).map_err(|e| format!("{path}: {e}"))?;
        close(path, &found, expected, of_weights)?;
    }
    Ok(())
}
