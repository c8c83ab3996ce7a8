//! `keras/`: each file loads, every weight finds its variable, the outputs have Keras's shapes.

use std::path::Path;

use keras_model::{Loader, ModelFile};
use serde_json::Value;

use crate::{Tally, index, text, texts, usable};

pub(crate) fn run(folder: &Path, tally: &mut Tally) {
    for part in ["cases", "beyond"] {
        let folder = folder.join(part);
        for case in index(&folder) {
            let id = text(&case, "id");
            let path = |suffix: &str| folder.join(format!("{id}.{suffix}"));
            for format in texts(&case, "formats") {
                if matches!(format, "h5" | "keras") {
                    let loaded = Loader::new().inspect(path(format));
                    tally.case(&format!("{id}.{format}"), judge(&case, loaded));
                }
            }
            for weights in texts(&case, "weight_files") {
                let architecture = folder.join(text(&case, "arch_file"));
                let loaded = Loader::new().inspect_with_weights(architecture, folder.join(weights));
                tally.case(weights, judge(&case, loaded));
            }
        }
    }
}

/// Classes whose `compute_output_shape` is not the shape of what they compute: at inference
/// `RandomCrop` crops nothing, and `TextVectorization` drops an axis of length 1. Keras builds the
/// layers behind them, and prints its tables, by the former.
const SHAPE_DIFFERS: &[&str] = &["RandomCrop", "TextVectorization"];

fn judge(case: &Value, loaded: keras_model::Result<ModelFile>) -> Result<(), String> {
    let file = loaded.map_err(|e| e.to_string())?;
    let custom = case["needs_custom_objects"] == true;
    usable(&file, custom)?;
    if custom {
        return Ok(());
    }
    if texts(case, "layers").iter().any(|l| SHAPE_DIFFERS.contains(l)) {
        return Ok(());
    }
    let outputs = file.outputs().ok_or("the shapes of the outputs are not known")?;
    let expected = case["outputs"].as_array().ok_or("no outputs in the index")?;
    if outputs.len() != expected.len() {
        return Err(format!("{} outputs, {} expected", outputs.len(), expected.len()));
    }
    // The first axis is the batch: the case's own.
    for (output, expected) in outputs.iter().zip(expected) {
        let expected: Vec<usize> = serde_json::from_value(expected["shape"].clone()).unwrap();
        let axes = output.shape.dims().iter().zip(&expected).skip(1);
        let fits = axes.fold(output.shape.rank() == expected.len(), |all, (a, b)| {
            all && a.is_none_or(|a| a == *b)
        });
        if !fits {
            return Err(format!("output of shape {}, {expected:?} expected", output.shape));
        }
    }
    Ok(())
}
