//! Every fixture against what the Keras that wrote it said of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use keras_model::layers::LayerConfig;
use keras_model::layers::custom::CustomConfig;
use keras_model::variables::{VariableSpec, Variables};
use keras_model::{
    Call, CustomObject, CustomObjects, Dim, Error, KerasTensor, Loader, ModelFile, SummaryOptions,
    load_model,
};

use crate::support::npz::{self, Array};
use crate::support::{fixture, forms, keras_model, meta, stdout, stems};

fn open(stem: &str, suffix: &str) -> ModelFile {
    let path = |suffix: &str| fixture(format!("models/{stem}{suffix}"));
    let loader = Loader::new();
    let loader = if stem.starts_with("k122_th") { loader.backend("theano") } else { loader };
    if suffix.contains("weights") {
        loader.inspect_with_weights(path(".json"), path(suffix)).unwrap()
    } else {
        loader.inspect(path(suffix)).unwrap()
    }
}

fn arrays(stem: &str, prefix: &str) -> Vec<Array> {
    npz::numbered(npz::read(&fixture(format!("models/{stem}.npz"))).unwrap(), prefix)
}

/// `check` is content, or names all that only the file's author has.
#[test]
fn every_model_passes_check() {
    for stem in stems() {
        let unknown = meta(&stem)["unknown"].clone();
        for (suffix, mut arguments) in forms(&stem) {
            arguments.insert(0, "check".to_owned());
            let output = keras_model(&arguments);
            let report = String::from_utf8(output.stdout).unwrap();
            let expected = i32::from(unknown.is_array());
            assert_eq!(output.status.code(), Some(expected), "{stem}{suffix}\n{report}");
            for name in unknown.as_array().into_iter().flatten() {
                let name = name.as_str().unwrap();
                let line = report.lines().find(|l| l.contains("UNKNOWN") && l.contains(name));
                assert!(line.is_some(), "{stem}{suffix} does not name {name}\n{report}");
            }
        }
    }
}

/// `weights --export` holds `get_weights()`: values, order, names.
#[test]
fn exported_weights_are_get_weights() {
    let folder = tempfile::tempdir().unwrap();
    let npz = folder.path().join("w.npz");
    for stem in stems() {
        let expected = arrays(&stem, "w");
        let names: Vec<_> =
            meta(&stem)["weights"].as_array().unwrap().iter().map(ToString::to_string).collect();
        for (suffix, mut arguments) in forms(&stem) {
            // What stands behind code that is not there cannot be told; the archive of a LoRA
            // layer holds the merged kernel, not the arrays of the live model.
            let unknown = meta(&stem)["unknown"].is_array() && suffix == ".keras";
            if unknown || (stem == "k3_lora" && suffix == ".keras") {
                continue;
            }
            arguments.insert(0, "weights".to_owned());
            arguments.extend(["--export".to_owned(), npz.display().to_string()]);
            stdout(&arguments);
            let found = npz::read(&npz).unwrap();
            assert_eq!(found.len(), expected.len(), "{stem}{suffix}: {names:?}");
            for ((name, found), expected) in found.iter().zip(&expected) {
                assert_eq!(found.shape, expected.shape, "{stem}{suffix} {name}");
                // The makers widened bfloat16, which NumPy has not.
                if found.descr == "|V2" {
                    let wide = |b: &[u8]| [0, 0, b[0], b[1]];
                    let found: Vec<u8> = found.bytes.chunks(2).flat_map(wide).collect();
                    assert_eq!(found, expected.bytes, "{stem}{suffix} {name}");
                } else {
                    assert_eq!(found, expected, "{stem}{suffix} {name}");
                }
            }
        }
    }
}

/// Old files, rearranged, have the number of parameters that Keras counts.
#[test]
fn rearranged_weights_have_the_same_elements() {
    for stem in stems() {
        for (suffix, _) in forms(&stem) {
            let file = open(&stem, &suffix);
            let mut sums = BTreeMap::new();
            for (kind, weights) in [("old", file.get_weights().unwrap()), ("new", file.weights)] {
                let values = weights.iter().filter(|w| !w.stored().is_empty());
                let sum: f64 =
                    values.flat_map(|w| w.to_f64().unwrap_or_default()).map(f64::abs).sum();
                sums.insert(kind, sum);
            }
            if meta(&stem)["unknown"].is_null() {
                assert!((sums["old"] - sums["new"]).abs() <= 1e-9 * sums["old"], "{stem}{suffix}");
            }
        }
    }
}

/// The shapes of the outputs are those of what Keras predicted.
#[test]
fn output_shapes_are_keras_s() {
    for stem in stems() {
        if !meta(&stem)["unknown"].is_null() {
            continue;
        }
        let expected = arrays(&stem, "out");
        for (suffix, _) in forms(&stem) {
            let file = open(&stem, &suffix);
            // A model that was saved before it saw an input has no shapes.
            if stem == "k3_unbuilt" {
                assert!(file.outputs().is_none());
                continue;
            }
            let outputs = file.outputs().unwrap();
            assert_eq!(outputs.len(), expected.len(), "{stem}{suffix}");
            for (output, expected) in outputs.iter().zip(&expected) {
                let fits = |(a, b): (&Dim, &usize)| a.is_none_or(|a| a == *b);
                let same = output.shape.rank() == expected.shape.len()
                    && output.shape.dims().iter().zip(&expected.shape).all(fits);
                assert!(same, "{stem}{suffix}: {} and {:?}", output.shape, expected.shape);
            }
        }
    }
}

/// `verify` with what Keras predicted: inputs and outputs of the fixture.
#[test]
fn predictions_are_keras_s() {
    let mut verified = 0;
    for stem in stems() {
        // A model that never saw an input cannot be run.
        if !meta(&stem)["unknown"].is_null() || stem == "k3_unbuilt" {
            continue;
        }
        // Half precision has 11 bits: sums in another order differ by a unit of the last place.
        let half = matches!(stem.as_str(), "k3_mixed_float16" | "tfk_mixed_float16");
        let rtol = if half { "2e-3" } else { "1e-4" };
        for (suffix, mut arguments) in forms(&stem) {
            let case = fixture(format!("models/{stem}.npz")).display().to_string();
            arguments.insert(0, "verify".to_owned());
            arguments.extend(["--case", &case, "--rtol", rtol].map(str::to_owned));
            let output = keras_model(&arguments);
            let said = [output.stdout, output.stderr].concat();
            assert!(output.status.success(), "{stem}{suffix}: {}", String::from_utf8_lossy(&said));
            verified += 1;
        }
    }
    assert!(verified > 60, "{verified}");
}

/// A class of the file's author, as the caller has it.
#[derive(Debug)]
struct Scale;

impl LayerConfig for Scale {
    fn output(&self, call: &Call<'_>) -> keras_model::Result<Vec<KerasTensor>> {
        Ok(call.output(call.shape()?.clone()))
    }

    fn variables(&self, call: &Call<'_>) -> keras_model::Result<Variables> {
        let factor = VariableSpec::new("factor", [1_usize; 0], call.base.dtype.variable);
        Ok(Variables::of(vec![factor]))
    }
}

#[test]
fn custom_objects_complete_a_model() {
    let scale = |_: &serde_json::Value| -> keras_model::Result<Arc<dyn CustomConfig>> {
        Ok(Arc::new(Scale))
    };
    let objects = CustomObjects::new().layer("Scale", scale).with("wobble", CustomObject::Known);
    for suffix in [".h5", ".keras"] {
        let path = fixture(format!("models/k3_custom{suffix}"));
        let Err(Error::UnknownObjects(unknown)) = load_model(&path) else { panic!("{suffix}") };
        // All of them at once, each with its place.
        let at = |path: &str| unknown.iter().any(|u| u.path == path);
        assert!(at("custom/wobbly/activation") && at("custom/inner/inner_scale"), "{unknown:?}");
        let model = Loader::new().custom_objects(objects.clone()).load(&path).unwrap();
        assert_eq!(model.weights.len(), arrays("k3_custom", "w").len());
        assert!(model.weights.iter().all(|w| !w.stored().is_empty()));
        let printed = model.summary(SummaryOptions::default()).unwrap().to_string();
        let expected = std::fs::read_to_string(fixture("models/k3_custom.summary.txt")).unwrap();
        assert_eq!(printed, expected, "{suffix}");
    }
}

#[test]
fn compile_information_can_be_left_out() {
    let path = fixture("models/k3_mlp.keras");
    let model = load_model(&path).unwrap();
    assert_eq!(model.compile.unwrap().optimizer.unwrap().kind.class_name(), "Adam");
    let model = Loader::new().compile(false).load(&path).unwrap();
    assert!(model.compile.is_none() && model.optimizer_state.is_none());
}

/// Two models from the bytes of one file: as from the file, in any part of a larger buffer.
#[test]
fn bytes_are_as_good_as_a_file() {
    for name in ["k3_mlp.keras", "k3_mlp.h5"] {
        let path = fixture(format!("models/{name}"));
        let bytes = std::fs::read(&path).unwrap();
        let from_bytes = Loader::new().from_bytes(bytes).unwrap();
        let from_file = load_model(&path).unwrap();
        for (a, b) in from_bytes.weights.iter().zip(&from_file.weights) {
            assert_eq!(a.path, b.path);
            assert_eq!(a.bytes().unwrap(), b.bytes().unwrap());
        }
    }
}

/// Zero points that Keras leaves out of its files are known where they are all the same, else the
/// file is refused: with others in their place the numbers would be wrong.
#[test]
fn zero_points_are_never_made_up() {
    let path = |suffix: &str| fixture(format!("models/k3_gptq_symmetric{suffix}"));
    let zero = |model: &ModelFile| model.weight("block/wide/kernel_zero").unwrap().bytes().unwrap();
    assert!(zero(&open("k3_gptq_symmetric", ".keras")).iter().all(|byte| *byte == 8));
    let folder = tempfile::tempdir().unwrap();
    let architecture = folder.path().join("asymmetric.json");
    let config = std::fs::read_to_string(path(".json")).unwrap();
    let config = config.replace(r#""symmetric": true"#, r#""symmetric": false"#);
    std::fs::write(&architecture, config).unwrap();
    let error = Loader::new().load_with_weights(&architecture, path(".weights.h5")).unwrap_err();
    assert!(error.to_string().contains(r#"no array for "block/wide/kernel_zero""#), "{error}");
}

/// The optimizer's state is bound whole: scalars and, for each variable, its slots in its shape.
#[test]
fn optimizer_state_is_bound() {
    let mut states = 0;
    for stem in stems() {
        let expected = arrays(&stem, "opt");
        if expected.is_empty() || !meta(&stem)["unknown"].is_null() {
            continue;
        }
        for (suffix, _) in forms(&stem).into_iter().filter(|(s, _)| !s.contains("weights")) {
            let file = open(&stem, &suffix);
            let state = file.optimizer_state.unwrap_or_else(|| panic!("{stem}{suffix}"));
            let elements = |a: &Array| a.shape.iter().product::<usize>();
            let expected: usize = expected.iter().map(elements).sum();
            let slots: usize = state.slots.iter().map(|s| s.weight.len()).sum();
            // Keras 2 writes placeholders of one element for slots that it does not use.
            let placeholders = expected - slots - state.scalars.len();
            assert!(placeholders < 16, "{stem}{suffix}: {expected} elements, {slots} in slots");
            for slot in &state.slots {
                let variable = file.weights.iter().find(|w| {
                    w.layer == slot.weight.layer && w.name == slot.weight.name && w.trainable
                });
                let variable = variable.unwrap_or_else(|| panic!("{stem}: {}", slot.weight.path));
                assert_eq!(variable.shape, slot.weight.shape, "{stem}{suffix}");
            }
            states += 1;
        }
    }
    assert!(states > 10, "{states}");
}
