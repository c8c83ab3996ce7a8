//! Every layer class beside what Keras says of it: `fixtures/layers.json` (Keras 3),
//! `layers_keras2.json`, `layers_keras23.json`, `layers_keras1.json` (older), made by `fixtures/make/layers*.py`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which clippy does not see as such"
)]

use std::collections::{BTreeMap, BTreeSet};

use keras_model::layers::{CLASSES, Mask};
use keras_model::source::dialect::{Dialect, Generation};
use keras_model::variables::Variables;
use keras_model::{Arg, DType, Inputs, KerasTensor, Kind, Layer, Shape};
use serde_json::{Value, json};

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn cases() -> Vec<Value> {
    ["layers.json", "layers_keras2.json", "layers_keras23.json", "layers_keras1.json"]
        .iter()
        .flat_map(|name| fixture(name)["cases"].as_array().unwrap().clone())
        .collect()
}

/// The layer of a case, read as a loader reads it.
fn layer(case: &Value) -> Layer {
    let mut object = case["object"].clone();
    Dialect::new(generation(case), None, None).model(&mut object).unwrap();
    Layer::from_config(&object).unwrap_or_else(|e| panic!("{e}: {object}"))
}

fn generation(case: &Value) -> Generation {
    match case["generation"].as_u64() {
        Some(1) => Generation::Keras1,
        Some(2) => Generation::Keras2,
        _ => Generation::Keras3,
    }
}

fn tensor(value: &Value) -> KerasTensor {
    let shape: Shape = serde_json::from_value(value["shape"].clone()).unwrap();
    KerasTensor::new(shape, DType::from_name(value["dtype"].as_str().unwrap()).unwrap())
}

fn arg(value: &Value) -> Arg<KerasTensor> {
    match value {
        Value::Array(items) => Arg::List(items.iter().map(arg).collect()),
        v if v.get("shape").is_some() => Arg::Tensor(tensor(v)),
        v if v.get("dict").is_some() => {
            let entries = v["dict"].as_object().unwrap();
            Arg::Dict(entries.iter().map(|(k, v)| (k.clone(), arg(v))).collect())
        }
        v => Arg::Value(v["value"].clone()),
    }
}

fn inputs(case: &Value) -> Inputs {
    let args = case["args"].as_array().unwrap().iter().map(arg).collect();
    let kwargs = case["kwargs"].as_object().into_iter().flatten();
    Inputs { args, kwargs: kwargs.map(|(k, v)| (k.clone(), arg(v))).collect() }
}

/// All weights in Keras's order: a layer's own, then those of the layers in it.
fn weights(variables: &Variables, prefix: &str, trainable: bool, into: &mut Vec<Value>) {
    for v in &variables.own {
        let path = format!("{prefix}{}", v.name);
        into.push(json!([path, v.shape, v.dtype.name(), v.trainable && trainable]));
    }
    for s in &variables.sublayers {
        weights(&s.variables, &format!("{prefix}{}/", s.name), trainable && s.trainable, into);
    }
}

/// Paths and shapes in the layer's part of a `.weights.h5` file.
fn stored(variables: &Variables, prefix: &str, into: &mut BTreeMap<String, Vec<usize>>) {
    let shape = |name: &str| match name.split_once('/') {
        None => variables.own.iter().find(|v| v.name == name).map(|v| v.shape.clone()),
        Some((path, name)) => variables
            .sublayers
            .iter()
            .find(|s| s.path == path)
            .and_then(|s| s.variables.own.iter().find(|v| v.name == name))
            .map(|v| v.shape.clone()),
    };
    let all = || variables.own.iter().map(|v| v.name.clone()).collect();
    let names: Vec<String> = variables.saved.clone().unwrap_or_else(all);
    for (i, name) in names.iter().enumerate() {
        into.insert(format!("{prefix}vars/{i}"), shape(name).unwrap());
    }
    for name in &variables.named {
        into.insert(format!("{prefix}vars/{name}"), Vec::new());
    }
    for s in &variables.sublayers {
        stored(&s.variables, &format!("{prefix}{}/", s.path), into);
    }
}

fn check(case: &Value) -> Result<(), String> {
    let (layer, inputs) = (layer(case), inputs(case));
    let outputs = layer.output(&inputs).map_err(|e| e.to_string())?;
    let expected: Vec<KerasTensor> =
        case["outputs"].as_array().unwrap().iter().map(tensor).collect();
    // Older Keras asks TensorFlow, which may know more.
    let fits = |(a, b): (&KerasTensor, &KerasTensor)| {
        a.shape.is_compatible(&b.shape) && a.dtype == b.dtype
    };
    let fit = outputs.len() == expected.len() && outputs.iter().zip(&expected).all(fits);
    if outputs != expected && (generation(case) == Generation::Keras3 || !fit) {
        return Err(format!("outputs {outputs:?}, expected {expected:?}"));
    }
    let variables = layer.variables(&inputs).map_err(|e| e.to_string())?;
    let mut found = Vec::new();
    weights(&variables, "", layer.base.trainable, &mut found);
    let mut expected = case["weights"].as_array().cloned().unwrap_or_default();
    if layer.base.class == "SpectralNormalization" {
        // Keras lists the inner kernel first: it is an attribute of both layers.
        let name = |v: &Value| v[0].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        found.sort_by_key(name);
        expected.sort_by_key(name);
    }
    let is_keras3 = generation(case) == Generation::Keras3;
    if !is_keras3 {
        // Keras 2 lists what is trainable first, whichever layer it is in.
        found.sort_by_key(|v| v[3] == false);
    }
    // Older Keras has other names.
    let path = |v: &Value| v[0].as_str().filter(|_| is_keras3).unwrap_or_default().to_owned();
    let same = found.len() == expected.len()
        && found.iter().zip(&expected).all(|(a, b)| {
            path(a).ends_with(&path(b)) && a.as_array().unwrap()[1..] == b.as_array().unwrap()[1..]
        });
    // Keras 1 keeps some weights in another form: what today's form is, its cases do not say.
    if !same && (generation(case) != Generation::Keras1 || case.get("weights").is_some()) {
        return Err(format!("weights {}, expected {}", json!(found), json!(expected)));
    }
    if let Some(expected) = case.get("stored") {
        let mut found = BTreeMap::new();
        stored(&variables, "", &mut found);
        let mut expected: BTreeMap<String, Vec<usize>> =
            serde_json::from_value(expected.clone()).unwrap();
        // Values under names of their own: the config does not tell their shape.
        for (_, shape) in expected.iter_mut().filter(|(path, _)| path.ends_with("idf_weights")) {
            shape.clear();
        }
        if found != expected {
            return Err(format!("stored {found:?}, expected {expected:?}"));
        }
    }
    let mask = layer.kind.config().mask();
    if case["masking"] == false && matches!(mask, Mask::Passes | Mask::Merges) {
        return Err("passes a mask on, but Keras ends it".into());
    }
    // These use a mask, and what comes out has none.
    let ends = matches!(&*layer.base.class, "Dot" | "GlobalAveragePooling1D" | "Embedding")
        || case["object"].to_string().contains(r#""return_sequences":false"#)
        || layer.base.class == "RNN";
    if case["masking"] == true && mask == Mask::Drops && !ends {
        return Err("ends a mask, but Keras passes it on".into());
    }
    Ok(())
}

#[test]
fn every_case_is_what_keras_says() {
    let cases = cases();
    let mut wrong = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        if let Err(reason) = check(case) {
            wrong.push(format!("{} (case {i}): {reason}\n  {}", case["class"], case["args"]));
        }
    }
    let count = wrong.len();
    assert!(wrong.is_empty(), "{count} of {}:\n{}", cases.len(), wrong.join("\n"));
}

/// The class of the layer and those of the layers in it.
fn classes(layer: &Layer, into: &mut BTreeSet<String>) {
    into.insert(layer.base.class.clone());
    for (_, inner) in layer.kind.config().sublayers() {
        classes(inner, into);
    }
}

#[test]
fn every_class_has_a_row_and_every_row_a_case() {
    let mut with_case = BTreeSet::new();
    for case in &cases() {
        classes(&layer(case), &mut with_case);
    }
    for class in fixture("layers.json")["classes"].as_array().unwrap() {
        let class = class.as_str().unwrap();
        assert!(CLASSES.contains(&class), "{class} has no row");
    }
    let without: Vec<&&str> = CLASSES.iter().filter(|c| !with_case.contains(**c)).collect();
    assert!(without.is_empty(), "rows without a case: {without:?}");
}

/// A layer written and read again is the same layer.
#[test]
fn every_config_survives() {
    for case in &cases() {
        let mut layer = layer(case);
        // How an old file stored the weights is nothing that a new one says.
        without_stored_forms(&mut layer);
        let config = layer.to_config();
        let again = Layer::from_config(&config).unwrap_or_else(|e| panic!("{e}: {config}"));
        assert_eq!(again, layer, "{config}");
    }
}

fn without_stored_forms(layer: &mut Layer) {
    layer.base.stored = None;
    if let Kind::Bidirectional(outer) = &mut layer.kind {
        without_stored_forms(&mut outer.layer);
        outer.backward_layer.iter_mut().for_each(without_stored_forms);
    }
    if let Kind::TimeDistributed(outer) = &mut layer.kind {
        without_stored_forms(&mut outer.layer);
    }
}

/// What Keras 3 writes into a config, the typed config holds.
#[test]
fn no_key_is_lost() {
    let common = ["name", "trainable", "dtype", "activity_regularizer"];
    let mut lost = BTreeSet::new();
    for case in fixture("layers.json")["cases"].as_array().unwrap() {
        let typed = serde_json::to_value(layer(case)).unwrap();
        for key in case["object"]["config"].as_object().unwrap().keys() {
            if !common.contains(&key.as_str()) && typed["config"].get(key).is_none() {
                lost.insert(format!("{}.{key}", case["class"].as_str().unwrap()));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:?}");
}

/// What is wrong is said in the words of the file.
#[test]
fn wrong_configs_say_what_is_wrong() {
    let image = || KerasTensor::new([None, Some(8), Some(8), Some(3)], DType::Float32);
    let vector = |n| KerasTensor::new([None, Some(n)], DType::Float32);
    for (class, config, tensors, words) in [
        ("Conv2D", json!({"filters": 4}), vec![], "missing field `kernel_size`"),
        ("Conv2D", json!({"filters": -4, "kernel_size": 3}), vec![], "conv2d/filters"),
        (
            "Conv2D",
            json!({"filters": 4, "kernel_size": 3, "data_format": "th"}),
            vec![],
            "unknown data_format",
        ),
        ("Conv2D", json!({"filters": 4, "kernel_size": 9}), vec![image()], "does not fit into"),
        (
            "Conv2D",
            json!({"filters": 4, "kernel_size": 3, "strides": 0}),
            vec![image()],
            "must not be 0",
        ),
        (
            "Conv2D",
            json!({"filters": 4, "kernel_size": 3, "groups": 2}),
            vec![image()],
            "2 groups do not divide 3 channels",
        ),
        (
            "Conv2D",
            json!({"filters": 4, "kernel_size": 3, "padding": "causal"}),
            vec![image()],
            "causal padding",
        ),
        ("Conv2D", json!({"filters": 4, "kernel_size": 3}), vec![vector(3)], "expected 4 axes"),
        ("Dense", json!({"units": 1e300}), vec![], "dense/units"),
        (
            "Dense",
            json!({"units": 2, "kernel_regularizer": [1]}),
            vec![],
            "dense/kernel_regularizer[0]: Dense: invalid type",
        ),
        (
            "LSTM",
            json!({"units": 2, "recurrent_constraint": 7}),
            vec![],
            "lstm/recurrent_constraint: LSTM",
        ),
        ("LSTM", json!({"units": -2}), vec![], "LSTM: units"),
        ("Add", json!({}), vec![vector(3), vector(4)], "do not broadcast"),
        ("Concatenate", json!({"axis": 5}), vec![vector(3), vector(4)], "no axis 5"),
        ("Subtract", json!({}), vec![vector(3)], "takes two inputs, found 1"),
        ("Dot", json!({"axes": 1}), vec![vector(3), vector(4)], "cannot sum over"),
        ("Reshape", json!({"target_shape": [2, 2]}), vec![vector(3)], "cannot give shape (3,)"),
        ("Permute", json!({"dims": [1, 1]}), vec![], "called without a tensor"),
        ("GroupNormalization", json!({"groups": 2}), vec![vector(3)], "2 groups do not divide 3"),
        ("Cropping2D", json!({"cropping": 4}), vec![image()], "leaves nothing of 8"),
        ("LSTM", json!({"units": 3}), vec![vector(3)], "expected [batch, time, ..]"),
        ("LSTM", json!({"units": "3"}), vec![], "units: invalid type"),
        ("EinsumDense", json!({"equation": "ab", "output_shape": 3}), vec![vector(3)], "equation"),
        (
            "Bidirectional",
            json!({"layer": {"class_name": "Flatten", "config": {}}}),
            vec![vector(3)],
            "not recurrent",
        ),
    ] {
        let name = class.to_lowercase();
        let mut object = json!({"class_name": class, "config": config});
        object["config"]["name"] = json!(name);
        object["config"]["trainable"] = json!(true);
        let inputs = if tensors.len() == 1 {
            Inputs::one(tensors[0].clone())
        } else {
            Inputs::list(tensors)
        };
        let result = Layer::from_config(&object)
            .and_then(|layer| Ok((layer.output(&inputs)?, layer.variables(&inputs)?)));
        match result {
            Err(error) => assert!(error.to_string().contains(words), "{class}: {error}"),
            Ok(_) => panic!("{class}: no error, expected {words}"),
        }
    }
}

/// Numbers in a file are claims: none may overflow, allocate, hang or panic.
#[test]
fn hostile_numbers_are_errors_or_shapes() {
    let mut seen = BTreeSet::new();
    for case in &cases() {
        let inputs = inputs(case);
        let huge = |shape: &Shape| Shape(shape.dims().iter().map(|_| Some(usize::MAX)).collect());
        let vast = inputs
            .map(&mut |t: &KerasTensor| Ok::<_, ()>(KerasTensor::new(huge(&t.shape), t.dtype)));
        let vast = vast.unwrap();
        let (known, class) = (layer(case), case["class"].as_str().unwrap().to_owned());
        let _ = (known.output(&vast), known.variables(&vast));
        for key in case["object"]["config"].as_object().unwrap().keys() {
            if !seen.insert((class.clone(), key.clone())) {
                continue;
            }
            for number in [json!(0), json!(-1), json!(u64::MAX), json!(i64::MAX), json!(1e300)] {
                for value in [number.clone(), json!([number, number]), json!([])] {
                    let mut object = case["object"].clone();
                    object["config"][key] = value;
                    let mut dialect = Dialect::new(generation(case), None, None);
                    if dialect.model(&mut object).is_err() {
                        continue;
                    }
                    if let Ok(layer) = Layer::from_config(&object) {
                        let _ = (layer.output(&inputs), layer.variables(&inputs));
                        let _ = (layer.output(&vast), layer.variables(&vast));
                    }
                }
            }
        }
    }
}

/// JSON nests up to 128 levels: neither the stack nor the time may run out on the way, and a layer
/// that holds another twice must not double at each level.
#[test]
fn nesting_costs_no_more_than_its_depth() {
    let wrap = |class: &str, key: &str, depth: usize, mut object: Value| {
        for i in 0..depth {
            let name = format!("{class}_{i}");
            let inner = if key == "layers" || key == "cells" { json!([object]) } else { object };
            object = json!({"class_name": class, "config": {"name": name, key: inner}});
        }
        object
    };
    let dense = || json!({"class_name": "Dense", "config": {"name": "dense", "units": 2}});
    let cell = || json!({"class_name": "GRUCell", "config": {"name": "cell", "units": 2}});
    for (class, key, depth, inner) in [
        ("Bidirectional", "layer", 62, dense()),
        ("TimeDistributed", "layer", 62, dense()),
        ("Wrapper", "layer", 62, dense()),
        ("RNN", "cell", 62, cell()),
        ("StackedRNNCells", "cells", 42, cell()),
        ("Activation", "activation", 62, dense()),
        ("Pipeline", "layers", 42, dense()),
        ("Sequential", "layers", 42, dense()),
    ] {
        let mut object = wrap(class, key, depth, inner);
        Dialect::new(Generation::Keras2, None, None).model(&mut object).unwrap();
        let layer = Layer::from_config(&object).unwrap();
        let axes = vec![Some(2); if class == "TimeDistributed" { depth + 2 } else { 2 }];
        let input = Inputs::one(KerasTensor::new(axes, DType::Float32));
        let _ = (layer.output(&input), layer.variables(&input), format!("{layer:?}"));
        assert_eq!(layer, layer.clone());
        serde_json::to_string(&layer).unwrap();
    }
    // Both wrap a layer, in turns.
    let mut object = wrap("LSTM", "cell", 1, dense());
    for depth in 0..31 {
        let (class, key) =
            if depth % 2 == 0 { ("Bidirectional", "layer") } else { ("RNN", "cell") };
        object = wrap(class, key, 1, object);
    }
    object["config"]["units"] = json!(2);
    if let Ok(layer) = Layer::from_config(&object) {
        let input = Inputs::one(KerasTensor::new([None, Some(3), Some(4)], DType::Float32));
        assert!(layer.output(&input).is_err());
        assert!(layer.variables(&input).is_err());
    }
}
