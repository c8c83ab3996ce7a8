//! `training/losses-metrics/`: losses with their gradients, metrics with their variables.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use keras_runtime::{DType, Loss, Metric, Samples, Tensor};
use serde_json::Value;

use crate::{Tally, arrays, index, text, texts};

pub(crate) fn run(folder: &Path, tally: &mut Tally) {
    let folder = folder.join("losses-metrics");
    for case in index(&folder) {
        let arrays = tensors(&folder.join(text(&case, "file")));
        let judge = if text(&case, "kind") == "loss" { loss } else { metric };
        tally.case(text(&case, "id"), judge(&case, &arrays));
    }
}

/// Arrays by name.
pub(crate) type Arrays = BTreeMap<String, Tensor>;

/// The arrays of a case, by name.
pub(crate) fn tensors(path: &Path) -> Arrays {
    arrays::named(File::open(path).unwrap()).unwrap().into_iter().collect()
}

/// The object of a case as a file has it, with the arguments that Keras forgets to save.
pub(crate) fn object(case: &Value) -> Value {
    let mut object = case["config"].clone();
    if let (Some(config), Some(kwargs)) =
        (object["config"].as_object_mut(), case["kwargs"].as_object())
    {
        config.extend(kwargs.clone());
    }
    object
}

fn loss(case: &Value, arrays: &Arrays) -> Result<(), String> {
    let loss = Loss::get(&object(case)).map_err(|e| e.to_string())?;
    let samples = samples(arrays, "");
    let tolerance = tolerance(case, ["rtol", "atol"]);
    let value = loss.call(&samples).map_err(|e| e.to_string())?;
    close("loss", &value, &arrays["expected"], tolerance)?;
    let Some(expected) = arrays.get("grad") else { return Ok(()) };
    let (value, gradient) = loss.gradient(&samples).map_err(|e| e.to_string())?;
    close("loss", &value, &arrays["expected"], tolerance)?;
    close("gradient", &gradient, expected, tolerance)
}

fn metric(case: &Value, arrays: &Arrays) -> Result<(), String> {
    let mut metric = Metric::get(&object(case)).map_err(|e| e.to_string())?;
    let tolerance = tolerance(case, ["rtol", "atol"]);
    for batch in 0..case["n_batches"].as_u64().unwrap() {
        let samples = samples(arrays, &format!("_{batch}"));
        metric.update_state(&samples).map_err(|e| e.to_string())?;
        let result = metric.result().map_err(|e| e.to_string())?;
        let expected = &arrays[&format!("expected_{batch}")];
        close(&format!("result {batch}"), &result, expected, tolerance)?;
    }
    let variables = texts(case, "variables");
    if metric.variables().len() != variables.len() {
        return Err(format!("{} variables", metric.variables().len()));
    }
    for (at, (found, name)) in metric.variables().iter().zip(variables).enumerate() {
        close(name, found, &arrays[&format!("var_{at}")], tolerance)?;
    }
    Ok(())
}

/// What is compared: the arrays whose names end so.
fn samples<'a>(arrays: &'a Arrays, end: &str) -> Samples<'a> {
    let array = |name: &str| arrays.get(&format!("{name}{end}"));
    let y_pred = array("y_pred").unwrap();
    let mut samples = Samples::new(array("y_true").unwrap_or(y_pred), y_pred);
    if let Some(weight) = array("sample_weight") {
        samples = samples.sample_weight(weight);
    }
    if let Some(mask) = array("mask") {
        samples = samples.mask(mask);
    }
    samples
}

/// The relative and the absolute tolerance of a case, by their names.
pub(crate) fn tolerance(case: &Value, names: [&str; 2]) -> [f64; 2] {
    names.map(|name| case["tolerance"][name].as_f64().unwrap())
}

/// That two tensors are as close as a relative and an absolute tolerance say.
pub(crate) fn close(
    what: &str,
    found: &Tensor,
    expected: &Tensor,
    [relative, absolute]: [f64; 2],
) -> Result<(), String> {
    if found.shape() != expected.shape() {
        let (found, expected) = (found.shape(), expected.shape());
        return Err(format!("{what} of shape {found:?}, {expected:?} expected"));
    }
    let numbers = |t: &Tensor| {
        let wide = t.cast(DType::Float64).unwrap();
        wide.as_slice::<f64>().unwrap().to_vec()
    };
    for (at, (a, b)) in numbers(found).into_iter().zip(numbers(expected)).enumerate() {
        let near = (a - b).abs() <= absolute + relative * b.abs();
        let is_same = a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        if !(is_same || near) {
            return Err(format!("{what}, element {at}: {a}, {b} expected"));
        }
    }
    Ok(())
}
