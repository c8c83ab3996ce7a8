//! `keras-old/`: what trained models of Keras 1.0.8 to 2.3.1 evaluated to, and the loss of the step after.

use std::path::Path;

use keras_runtime::{Loader, Tensor};
use serde_json::Value;

use crate::losses_metrics::{Arrays, close, tensors};
use crate::{Tally, index, text, texts};

pub(crate) fn run(folder: &Path, tally: &mut Tally) {
    // A Lambda stands for no code of ours.
    for case in index(folder).iter().filter(|c| !text(c, "name").contains("lambda")) {
        let arrays = tensors(&folder.join(text(case, "data")));
        if arrays.contains_key("evaluate") {
            let judged = judge(case, &arrays, &folder.join(text(case, "file")));
            tally.case(text(case, "id"), judged);
        }
    }
}

fn judge(case: &Value, arrays: &Arrays, file: &Path) -> Result<(), String> {
    let loader = keras_model::Loader::new().backend(text(case, "backend"));
    let model = Loader::new().file(loader).load(file).map_err(|e| e.to_string())?;
    let numbered = |prefix: &str| -> Vec<Tensor> {
        (0..).map_while(|i| arrays.get(&format!("{prefix}{i}")).cloned()).collect()
    };
    let (x, y) = (numbered("x_"), numbered("y_"));
    let report = model.evaluate(&x, &y).map_err(|e| e.to_string())?;
    let tolerance = [case["tolerance"]["loss_rtol"].as_f64().unwrap(), 1e-6];
    let number =
        |array: &str, at: usize| arrays[array].rows(at, at + 1).unwrap().with_shape([]).unwrap();
    for (at, name) in texts(case, "metrics_names").into_iter().enumerate() {
        // Of what `compile` was given Keras made names of its own then.
        let given = name.replace("acc", "accuracy").replace("mean_absolute_error", "mae");
        let found = report.get(name).or_else(|| report.get(&given));
        let found = found.ok_or_else(|| format!("{report:?} has no {name}"))?;
        close(name, found, &number("evaluate", at), tolerance)?;
    }
    if !arrays.contains_key("resume_losses") {
        return Ok(());
    }
    let step = model.loss_gradients(&x, &y, &[]).map_err(|e| e.to_string())?;
    close("first step", &Tensor::scalar(step.loss), &number("resume_losses", 0), tolerance)
}
