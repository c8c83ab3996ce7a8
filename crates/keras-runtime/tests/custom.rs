//! Layers and functions of the caller's.

use keras_runtime::keras_model::variables::VariableSpec;
use keras_runtime::keras_model::{self, Call, DType, KerasTensor};
use keras_runtime::{
    CustomLayer, Error, Loader, Ops, Predict, Result, SymbolicTensor, Targets, Tensor,
};

use crate::support::{arrays, assert_close, fixture};

#[allow(dead_code, reason = "an example is a program of its own")]
#[path = "../examples/custom_attention.rs"]
pub(crate) mod custom_attention;

#[allow(dead_code, reason = "an example is a program of its own")]
#[path = "../examples/custom_blocks.rs"]
pub(crate) mod custom_blocks;

#[allow(dead_code, reason = "an example is a program of its own")]
#[path = "../examples/custom_loss.rs"]
pub(crate) mod custom_loss;

/// Layers of Keras's inside a layer of the caller's: weights, attributes, training.
#[test]
fn blocks_hold_layers() {
    for file in ["k3_blocks.keras", "k3_blocks.h5", "tfk_blocks.h5"] {
        let stem = file.split('.').next().unwrap();
        let path = fixture(file);
        let model = custom_blocks::load(path.to_str().unwrap()).unwrap();
        let x = arrays(stem, "in");
        let found = model.predict(&x).unwrap();
        assert_close(&found, &arrays(stem, "out"));
        // In the order of Keras.
        let weights = model.get_weights().unwrap();
        assert_close(&weights, &arrays(stem, "w"));
        let trained = model.predict_with(&x, &Predict::new().training(true)).unwrap();
        assert_ne!(trained, found);
        // With shapes and weights of all layers known, the table is Keras's.
        let summary = model.file().summary(keras_model::SummaryOptions::default()).unwrap();
        let expected = std::fs::read_to_string(fixture(&format!("{stem}.summary.txt")));
        assert!(expected.is_err() || summary.to_string() == expected.unwrap(), "{summary}");
    }
    custom_blocks::run(&[]).unwrap();
}

#[test]
fn attention_of_the_wild_is_keras_s() {
    let path = fixture("k231_attention.h5");
    let model = custom_attention::load(path.to_str().unwrap()).unwrap();
    let found = model.predict(&arrays("k231_attention", "in")).unwrap();
    assert_close(&found, &arrays("k231_attention", "out"));
    custom_attention::run(&[]).unwrap();
}

/// How a model with layers of the caller's is loaded.
type Load<'a> = &'a dyn Fn(&str) -> Result<keras_runtime::Model>;

/// Layers of the caller's in every kind of file: as they were, and written again as they are.
#[test]
fn custom_layers_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let scaled = |path: &str| {
        let loader = Loader::new().layer("Scale", |_| Ok(Scale));
        loader.function("wobble", |ops, x| ops.add(x, ops.sin(x)?)).load(path)
    };
    let files: [(&str, Load<'_>); 4] = [
        ("k3_custom.keras", &scaled),
        ("k3_blocks.keras", &custom_blocks::load),
        ("tfk_blocks.h5", &custom_blocks::load),
        ("k231_attention.h5", &custom_attention::load),
    ];
    for (file, load) in files {
        let model = load(fixture(file).to_str().unwrap()).unwrap();
        let x = arrays(file.split('.').next().unwrap(), "in");
        let expected = model.predict(&x).unwrap();
        for name in ["first.keras", "second.h5"] {
            let saved = model.save(path(name)).unwrap();
            assert!(saved.lost.is_empty(), "{file}: {:?}", saved.lost);
            let again = load(path(name).to_str().unwrap()).unwrap();
            assert_eq!(again.predict(&x).unwrap(), expected, "{file} as {name}");
            assert_eq!(again.get_weights().unwrap().len(), model.get_weights().unwrap().len());
        }
        let again = load(path("first.keras").to_str().unwrap()).unwrap();
        let date = keras_model::Saver::new().date("2026-01-31@12:00:00");
        let bytes = |model: &keras_runtime::Model| {
            date.to_bytes(&model.to_file().unwrap(), keras_model::Container::Keras).unwrap().bytes
        };
        assert!(bytes(&model) == bytes(&again), "{file}");
    }
}

/// A layer whose config is no longer the file's says its own.
#[test]
fn custom_layers_may_give_another_config() {
    let loader = Loader::new().layer("Scale", |_| Ok(Restarted)).function("wobble", |_, x| Ok(x));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    loader.load(fixture("k3_custom.keras")).unwrap().save(&path).unwrap();
    let json = loader.load(&path).unwrap().file().to_json().unwrap();
    let written = json.matches(r#""start": 7.0"#).count();
    assert_eq!(written, 2, "{json}");
    assert_eq!(json.matches(r#""registered_name": "fixtures>Scale""#).count(), 2, "{json}");
}

struct Restarted;

impl CustomLayer for Restarted {
    fn weights(&self, call: &Call<'_>) -> Result<Vec<VariableSpec>> {
        Scale.weights(call)
    }

    fn call(&self, ops: &Ops<'_>, x: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
        Scale.call(ops, x)
    }

    fn config(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({"name": "", "start": 7.0}))
    }
}

/// All that has to be mapped, with its place and what to do.
#[test]
fn errors_name_all_that_is_not_mapped() {
    let error = keras_runtime::load_model(fixture("k231_attention.h5")).unwrap_err().to_string();
    let places = ["attentive/attention", "attentive/plain", "attentive/half", "clipped/activation"];
    for place in places {
        assert!(error.contains(place), "{place} in {error}");
    }
    assert!(
        error.contains("\"<lambda>\"") && error.contains("\"AttentionWithContext\""),
        "{error}"
    );
    assert!(error.contains("custom_objects"), "{error}");
}

/// A config that the caller's layer does not take is an error that names the layer.
#[test]
fn errors_of_the_caller_s_are_passed_on() {
    let no = |_: &serde_json::Value| Err::<Scale, _>(Error::Value("not this one".to_owned()));
    let loader = Loader::new().layer("Scale", no).function("wobble", |_, x| Ok(x));
    let error = loader.load(fixture("k3_custom.keras")).unwrap_err().to_string();
    assert!(error.contains("not this one") && error.contains("scale"), "{error}");
    let loader = Loader::new()
        .layer("Scale", |_| Ok(Scale))
        .function("wobble", |ops, _| Err(ops.error("no such wobble")));
    let model = loader.load(fixture("k3_custom.keras")).unwrap();
    let x = Tensor::zeros([1, 3], DType::Float32);
    let error = model.predict(&[x]).unwrap_err().to_string();
    assert!(error.contains("no such wobble") && error.contains("wobbly"), "{error}");
}

/// `x · factor`.
struct Scale;

impl CustomLayer for Scale {
    fn weights(&self, call: &Call<'_>) -> Result<Vec<VariableSpec>> {
        Ok(vec![VariableSpec::new("factor", [0_usize; 0], call.base.dtype.variable)])
    }

    fn call(&self, ops: &Ops<'_>, x: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
        Ok(vec![ops.multiply(x[0], ops.weight("factor")?)?])
    }
}

/// What `k3_custom` needs.
pub(crate) fn scale() -> Loader {
    let loader = Loader::new().layer("Scale", |_| Ok(Scale));
    loader.function("wobble", |ops, x| ops.add(x, ops.sin(x)?))
}

#[test]
fn registered_classes_are_found_with_and_without_package() {
    for (suffix, package) in
        [(".h5", ""), (".h5", "fixtures>"), (".keras", ""), (".keras", "fixtures>")]
    {
        // tf.keras and the .h5 of Keras 3 have no package to find.
        let name =
            |name: &str| if suffix == ".h5" { name.to_owned() } else { format!("{package}{name}") };
        let model = Loader::new()
            .layer(name("Scale"), |_| Ok(Scale))
            .function(name("wobble"), |ops, x| ops.add(x, ops.sin(x)?))
            .load(fixture(&format!("k3_custom{suffix}")))
            .unwrap();
        let found = model.predict(&arrays("k3_custom", "in")).unwrap();
        assert_close(&found, &arrays("k3_custom", "out"));
    }
}

#[test]
fn lambdas_are_functions() {
    for (stem, suffix, name) in [
        ("k3_lambda", ".keras", "twice"),
        ("k3_lambda", ".keras", "<lambda>"),
        ("tfk_custom", ".h5", "<lambda>"),
    ] {
        let model = Loader::new()
            .layer("Scale", |_| Ok(Scale))
            .function("wobble", |ops, x| ops.add(x, ops.sin(x)?))
            .function(name, |ops, x| ops.add(ops.multiply(x, 2.0)?, 1))
            .load(fixture(&format!("{stem}{suffix}")))
            .unwrap();
        assert_close(&model.predict(&arrays(stem, "in")).unwrap(), &arrays(stem, "out"));
    }
}

/// Where only an axis of unknown length is changed, the output's is unknown; others are derived.
#[test]
fn output_shapes_come_from_the_call() {
    let config = r#"{"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "InputLayer", "config": {"batch_shape": [null, null, 6], "name": "x"}},
        {"class_name": "Pairs", "config": {"name": "pairs"}}]}}"#;
    let model = Loader::new()
        .function("Pairs", |ops, x| {
            let &[batch, steps, features] = ops.shape(x).as_slice() else {
                return Err(ops.error("takes sequences"));
            };
            let halves =
                [ops.slice(x, -1, 0, features / 2)?, ops.slice(x, -1, features / 2, features)?];
            let all = ops.concatenate(&halves, 1)?;
            ops.reshape(all, &[batch as i64, 2 * steps as i64, -1])
        })
        .from_bytes(config)
        .unwrap();
    assert_eq!(model.outputs().unwrap()[0].shape.to_string(), "(None, None, 3)");
    let x = Tensor::new([1, 2, 6], (0..12_u8).map(f32::from).collect()).unwrap();
    let y = model.predict(&[x]).unwrap();
    let expected = [0.0, 1.0, 2.0, 6.0, 7.0, 8.0, 3.0, 4.0, 5.0, 9.0, 10.0, 11.0_f32];
    assert_eq!(y[0].as_slice::<f32>().unwrap(), expected);
}

/// A layer that says its outputs itself, and has several.
struct Parts;

impl CustomLayer for Parts {
    fn call(&self, ops: &Ops<'_>, x: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
        ops.operation("TopK", [x[0].into()], [("k", 2.into())])
    }

    fn output(&self, call: &Call<'_>) -> Result<Option<Vec<KerasTensor>>> {
        let shape = call.shape()?.with_last(2);
        let indices = KerasTensor::new(shape.clone(), DType::Int32);
        Ok(Some(vec![KerasTensor::new(shape, DType::Float32), indices]))
    }
}

#[test]
fn layers_may_have_several_outputs() {
    let node = |layer: &str, index| {
        serde_json::json!({"class_name": "__keras_tensor__",
                           "config": {"keras_history": [layer, 0, index]}})
    };
    let config = serde_json::json!({"class_name": "Functional", "config": {"name": "f", "layers": [
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"name": "x", "batch_shape": [null, 4]}},
        {"class_name": "Parts", "name": "parts", "config": {"name": "parts"},
         "inbound_nodes": [{"args": [node("x", 0)], "kwargs": {}}]},
    ], "input_layers": [["x", 0, 0]], "output_layers": [["parts", 0, 0], ["parts", 0, 1]]}});
    let model = Loader::new().layer("Parts", |_| Ok(Parts)).from_bytes(config.to_string()).unwrap();
    let x = Tensor::new([1, 4], vec![0.5_f32, 4.0, -1.0, 2.0]).unwrap();
    let y = model.predict(&[x]).unwrap();
    assert_eq!(y[0].as_slice::<f32>().unwrap(), [4.0, 2.0]);
    assert_eq!(y[1].as_slice::<i32>().unwrap(), [1, 3]);
}

/// Names that stand for Keras's own objects still do.
#[test]
fn builtins_stand_beside_functions() {
    let objects = keras_model::CustomObjects::new().parse("<lambda>=relu(max_value=20)").unwrap();
    let model = Loader::new()
        .layer("AttentionWithContext", custom_attention::Attention::from_config)
        .function("half", |ops, x| ops.multiply(x, 0.5))
        .custom_objects(objects)
        .load(fixture("k231_attention.h5"))
        .unwrap();
    let found = model.predict(&arrays("k231_attention", "in")).unwrap();
    assert_close(&found, &arrays("k231_attention", "out"));
}

/// A functional model of the input `x: [3, 4]` and one operation.
fn operation(class: &str, config: &serde_json::Value, args: &serde_json::Value) -> String {
    serde_json::json!({"class_name": "Functional", "config": {"name": "f", "layers": [
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"name": "x", "batch_shape": [3, 4]}},
        {"class_name": class, "module": "keras.src.ops.core", "name": "op", "config": config,
         "inbound_nodes": [{"args": args, "kwargs": {}}]},
    ], "input_layers": [["x", 0, 0]], "output_layers": [["op", 0, 0]]}})
    .to_string()
}

/// Python functions that operations call: named until they are mapped, to code of the caller's or to
/// what Keras has, and called no more often than a plan may be long.
#[test]
fn functions_of_operations_are_mapped() {
    use serde_json::json;
    let x = json!({"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}});
    let function = json!({"module": "builtins", "class_name": "function", "config": "mine>bend"});
    let lambda = json!({"class_name": "__lambda__", "config": {"value": ["4wEA", null, null]}});
    let ones = Tensor::new([3, 4], vec![1.0_f32; 12]).unwrap();
    for (f, name) in [(function.clone(), "bend"), (lambda, "<lambda>")] {
        let map = operation("Map", &json!({"name": "op"}), &json!([f, x]));
        let error = Loader::new().from_bytes(map.clone()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("at f/op"), "{error}");
        let model = Loader::new().function(name, |ops, x| ops.add(x, 1.0)).from_bytes(map.clone());
        let model = model.unwrap();
        assert_eq!(model.outputs().unwrap()[0].shape.to_string(), "(3, 4)");
        let found = model.predict(std::slice::from_ref(&ones)).unwrap();
        assert_eq!(found[0].as_slice::<f32>().unwrap(), [2.0; 12]);
        for (builtin, expected) in [("relu", 1.0), ("ReLU(max_value=0.5)", 0.5)] {
            let objects = keras_model::CustomObjects::new();
            let objects = objects.parse(&format!("{name}={builtin}")).unwrap();
            let model = Loader::new().custom_objects(objects).from_bytes(map.clone()).unwrap();
            let found = model.predict(std::slice::from_ref(&ones)).unwrap();
            assert_eq!(found[0].as_slice::<f32>().unwrap(), [expected; 12]);
        }
    }
    let vectorized = operation(
        "VectorizedMap",
        &json!({"name": "op", "function": {"class_name": "function", "config": "swoosh"}}),
        &json!([x]),
    );
    let error = Loader::new().from_bytes(vectorized).unwrap_err().to_string();
    assert!(error.contains("swoosh"), "{error}");
    let long = json!({"name": "op", "length": 1_000_000_000_000_u64});
    let scan = operation("Scan", &long, &json!([function, x, null]));
    let model = Loader::new().callable("bend", |_, x| Ok(x.to_vec())).from_bytes(scan).unwrap();
    let error = model.predict(&[ones]).unwrap_err().to_string();
    assert!(error.contains("limit"), "{error}");
}

/// `x`, a tenth of whose sum is part of the loss.
struct Weighed;

impl CustomLayer for Weighed {
    fn call(&self, ops: &Ops<'_>, x: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
        ops.add_loss(ops.multiply(x[0], 0.1)?)?;
        Ok(vec![x[0]])
    }
}

/// `Layer.add_loss`: part of what is evaluated and differentiated, none of a prediction.
#[test]
fn layers_add_to_the_loss() {
    let config = serde_json::json!({"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "InputLayer", "config": {"batch_shape": [null, 2], "name": "x"}},
        {"class_name": "own>Weighed", "config": {"name": "weighed"}}]}});
    let loader = Loader::new().layer("Weighed", |_| Ok(Weighed));
    let model = loader.from_bytes(config.to_string()).unwrap();
    let x = [Tensor::new([2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]).unwrap()];
    assert_eq!(model.predict(&x).unwrap(), x);
    let report = model.evaluate(&x, Targets::in_order([None])).unwrap();
    assert_close(&[Tensor::scalar(report.loss())], &[Tensor::scalar(1.0_f32)]);
    let found = model.loss_gradients(&x, Targets::in_order([None]), &[]).unwrap();
    assert_eq!(found.loss, report.loss());
}

/// Functions of the author's are saved as objects, which Keras looks up; its words alone it does not.
#[test]
fn functions_are_saved_as_keras_looks_them_up() {
    let function = |name: &str| {
        serde_json::json!({"module": "builtins", "class_name": "function", "config": name,
                           "registered_name": "function"})
        .to_string()
    };
    let model = scale().load(fixture("k3_custom.keras")).unwrap();
    let text = model.to_file().unwrap().to_json().unwrap();
    let saved: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(saved.to_string().contains(&function("fixtures>wobble")), "{saved}");
    let model = custom_loss::loader().load(fixture("../training/own.keras")).unwrap();
    let file = model.to_file().unwrap();
    let saved = keras_model::Saver::new().to_bytes(&file, keras_model::Container::Keras).unwrap();
    let source = keras_model::source::Source::from_bytes(saved.bytes).unwrap();
    let compile = source.compile_config.unwrap().to_string();
    assert!(compile.contains(&function("own>pinball")), "{compile}");
}
