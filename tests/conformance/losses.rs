//! `training/losses-metrics/`: losses with their gradients.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use keras_runtime::{DType, Loss, Samples, Tensor};
use serde_json::Value;

use crate::{Tally, arrays, index, text};

pub(crate) fn run(folder: &Path, tally: &mut Tally) {
    let folder = folder.join("losses-metrics");
    for case in index(&folder).iter().filter(|case| text(case, "kind") == "loss") {
        tally.case(text(case, "id"), judge(&folder, case));
    }
}

/// The arrays of a case, by name.
pub(crate) fn tensors(path: &Path) -> BTreeMap<String, Tensor> {
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

fn judge(folder: &Path, case: &Value) -> Result<(), String> {
    let arrays = tensors(&folder.join(text(case, "file")));
    let loss = Loss::get(&object(case)).map_err(|e| e.to_string())?;
    let mut samples = Samples::new(&arrays["y_true"], &arrays["y_pred"]);
    if let Some(weight) = arrays.get("sample_weight") {
        samples = samples.sample_weight(weight);
    }
    if let Some(mask) = arrays.get("mask") {
        samples = samples.mask(mask);
    }
    let tolerance = tolerance(case, ["rtol", "atol"]);
    let value = loss.call(&samples).map_err(|e| e.to_string())?;
    close("loss", &value, &arrays["expected"], tolerance)?;
    let Some(expected) = arrays.get("grad") else { return Ok(()) };
    let (value, gradient) = loss.gradient(&samples).map_err(|e| e.to_string())?;
    close("loss", &value, &arrays["expected"], tolerance)?;
    close("gradient", &gradient, expected, tolerance)
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
