//! Compiled models beside Keras: what they evaluate to, and the gradients of their loss
//! (`fixtures/training/`).

use std::collections::BTreeMap;

use keras_runtime::keras_model::compile::CompileConfig;
use keras_runtime::keras_model::{CustomObject, CustomObjects};
use keras_runtime::{
    DType, Error, Evaluate, Limits, Loader, Model, Report, Targets, Tensor, load_model,
};
use serde_json::{Value, json};

use crate::custom::custom_loss;
use crate::support::{arrays, assert_close_in, difference, fixture, named};

/// What Keras said of a model.
struct Case {
    said: Value,
    arrays: BTreeMap<String, Tensor>,
}

impl Case {
    fn of(name: &str) -> Self {
        let said = std::fs::read_to_string(fixture(&format!("../training/{name}.json"))).unwrap();
        let arrays = named(&format!("../training/{name}.npz"));
        Self { said: serde_json::from_str(&said).unwrap(), arrays }
    }

    fn tensors(&self, prefix: &str) -> Vec<Tensor> {
        let of = |(name, tensor): (&String, &Tensor)| {
            let number: usize = name.strip_prefix(prefix)?.parse().ok()?;
            Some((number, tensor.clone()))
        };
        let all: BTreeMap<usize, Tensor> = self.arrays.iter().filter_map(of).collect();
        all.into_values().collect()
    }

    fn judge(&self, name: &str, report: &Report, what: &str) {
        let expected = self.said[what].as_object().unwrap();
        assert_eq!(report.values()[0].0, "loss");
        assert_eq!(report.values().len(), expected.len(), "{name} {report:?}");
        for (key, value) in expected {
            let values: Vec<f64> = match value {
                Value::Array(items) => items.iter().filter_map(Value::as_f64).collect(),
                number => vec![number.as_f64().unwrap()],
            };
            let found = report.get(key).unwrap_or_else(|| panic!("{name} {what} has no {key}"));
            let expected = Tensor::new(found.shape(), values).unwrap();
            assert_close_in(
                &format!("{name} {what} {key}"),
                std::slice::from_ref(found),
                &[expected],
            );
        }
    }
}

fn open(name: &str, format: &str) -> Model {
    let path = fixture(&format!("../training/{name}.{format}"));
    if name == "own" {
        custom_loss::loader().load(path).unwrap()
    } else {
        load_model(path).unwrap()
    }
}

#[test]
fn models_evaluate_as_in_keras() {
    for name in ["several", "own", "partial", "keyed", "kept"] {
        let case = Case::of(name);
        let (x, y, weights) = (case.tensors("x"), case.tensors("y"), case.tensors("sw"));
        for format in ["keras", "h5"] {
            let model = open(name, format);
            let how = Evaluate::new().batch_size(4);
            case.judge(name, &model.evaluate_with(&x, &y, &how).unwrap(), "evaluate");
            if !weights.is_empty() {
                let how = how.sample_weight(weights.clone());
                case.judge(name, &model.evaluate_with(&x, &y, &how).unwrap(), "weighted");
            }
        }
    }
}

/// Losses of the caller's, penalties of weights and outputs, masks and frozen layers take part.
#[test]
fn gradients_of_losses_are_keras_s() {
    for name in ["several", "own", "partial", "keyed", "kept"] {
        let case = Case::of(name);
        let model = open(name, "keras");
        let found = model.loss_gradients(&case.tensors("x"), &case.tensors("y"), &[]).unwrap();
        let expected = Tensor::scalar(case.said["loss"].as_f64().unwrap());
        assert_close_in(name, &[Tensor::scalar(found.loss)], &[expected]);
        let paths: Vec<&str> = found.weights.iter().map(|w| w.path.as_str()).collect();
        let trainable: Vec<&str> =
            case.said["trainable"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(paths, trainable);
        for (own, expected) in found.weights.iter().zip(case.tensors("gradient")) {
            let zeros = || Tensor::zeros(own.shape.clone(), DType::Float32);
            let gradient = own.gradient.clone().unwrap_or_else(zeros);
            // Sums over steps and samples round in another order.
            let reason = difference(&[gradient], &[expected], 1e-4);
            assert!(reason.is_none(), "{name} {}: {}", own.path, reason.unwrap_or_default());
        }
    }
}

/// Keras 2.3.1 did not divide a penalty on an output by the size of the batch, and trained a frozen
/// BatchNormalization with the statistics of the batch.
#[test]
fn older_keras_does_as_it_did() {
    let case = Case::of("before");
    let model = open("before", "h5");
    let (x, y) = (case.tensors("x"), case.tensors("y"));
    case.judge("before", &model.evaluate(&x, &y).unwrap(), "evaluate");
    let found = model.loss_gradients(&x, &y, &[]).unwrap();
    let expected = Tensor::scalar(case.said["loss"].as_f64().unwrap());
    assert_close_in("before", &[Tensor::scalar(found.loss)], &[expected]);
}

/// The loss of a step is what `train_on_batch` said before it went on, for files of all generations.
#[test]
fn losses_of_all_generations_are_keras_s() {
    let mut compared = 0;
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(stem) = name.strip_suffix(".h5").or(name.strip_suffix(".keras")) else { continue };
        let npz = fixture(&format!("{stem}.npz"));
        if name.contains("weights") || !npz.is_file() {
            continue;
        }
        let all = named(&format!("{stem}.npz"));
        let (Some(losses), y) = (all.get("resume_loss"), arrays(stem, "y")) else { continue };
        let loader = Loader::new();
        let file = keras_runtime::keras_model::Loader::new();
        let file = if stem.starts_with("k122_th") { file.backend("theano") } else { file };
        let Ok(model) = loader.file(file).load(&path) else { continue };
        // Dropout drops other elements than Keras's.
        let text = format!("{:?}", model.file().root);
        if text.contains("Dropout(") || model.file().compile.is_none() {
            continue;
        }
        // Dicts of targets are kept by sorted keys.
        let mut names = model.output_names();
        names.sort();
        let targets = Targets::named(names.into_iter().zip(&y));
        let found = model.loss_gradients(&arrays(stem, "in"), targets, &[]);
        let found = found.unwrap_or_else(|e| panic!("{name}: {e}"));
        let expected = losses.rows(0, 1).unwrap().with_shape([]).unwrap();
        let tolerance = if stem.contains("float16") { 2e-3 } else { 1e-4 };
        let reason = difference(&[Tensor::scalar(found.loss)], &[expected], tolerance);
        assert!(reason.is_none(), "{name}: {}", reason.unwrap_or_default());
        compared += 1;
    }
    assert!(compared > 10, "{compared}");
}

/// A model that its file does not name them for is compiled with a loss and a metric of the caller's.
#[test]
fn own_losses_may_be_compiled() {
    let case = Case::of("own");
    let (x, y) = (case.tensors("x"), case.tensors("y"));
    let file = keras_runtime::keras_model::Loader::new().compile(false);
    let path = fixture("../training/own.keras");
    let mut model = Loader::new().file(file).load(path).unwrap();
    let objects = ["pinball", "within"]
        .into_iter()
        .fold(CustomObjects::new(), |all, name| all.with(name, CustomObject::Known));
    let config = json!({"optimizer": "sgd", "loss": "pinball", "metrics": ["within", "mse"],
                        "weighted_metrics": ["within"]});
    model.compile(CompileConfig::parse_with(&config, &objects).unwrap());
    let error = model.evaluate(&x, &y).unwrap_err().to_string();
    assert!(error.contains("pinball"), "{error}");
    model.map_loss("pinball", custom_loss::pinball);
    model.map_metric("within", custom_loss::within);
    case.judge("own", &model.evaluate(&x, &y).unwrap(), "evaluate");
}

#[test]
fn the_example_runs() {
    custom_loss::main().unwrap();
}

#[test]
fn targets_may_be_named() {
    let case = Case::of("several");
    let model = open("several", "keras");
    let (x, y) = (case.tensors("x"), case.tensors("y"));
    let how = Evaluate::new().batch_size(4);
    let named =
        Targets::named([("numbers", &y[3]), ("yes", &y[0]), ("tags", &y[1]), ("plain", &y[2])]);
    case.judge("several", &model.evaluate_with(&x, named, &how).unwrap(), "evaluate");
    let case = Case::of("partial");
    let model = open("partial", "keras");
    let (x, y) = (case.tensors("x"), case.tensors("y"));
    case.judge(
        "partial",
        &model.evaluate_with(&x, Targets::named([("bound", &y[0])]), &how).unwrap(),
        "evaluate",
    );
    let in_order = Targets::in_order([None, Some(&y[0])]);
    case.judge("partial", &model.evaluate_with(&x, in_order, &how).unwrap(), "evaluate");
}

/// The loss does not depend on how samples come in batches; a plan serves the next batch.
#[test]
fn batches_add_up() {
    let case = Case::of("own");
    let model = open("own", "keras");
    let (x, y) = (case.tensors("x"), case.tensors("y"));
    let whole = model.evaluate(&x, &y).unwrap();
    for size in [1, 2, 9, 100] {
        let parts = model.evaluate_with(&x, &y, &Evaluate::new().batch_size(size)).unwrap();
        for (name, value) in parts.values() {
            let whole = std::slice::from_ref(whole.get(name).unwrap());
            assert_close_in(name, std::slice::from_ref(value), whole);
        }
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let case = Case::of("several");
    let model = open("several", "keras");
    let (x, y) = (case.tensors("x"), case.tensors("y"));
    let says = |result: Result<Report, Error>, parts: &[&str]| {
        let error = result.unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    says(model.evaluate(&x, &y[..2]), &["4 outputs", "2 tensors"]);
    says(model.evaluate(&x, Targets::named([("no", &y[0])])), &["\"no\"", "\"yes\""]);
    says(model.evaluate(&x, Targets::named([("yes", &y[0])])), &["\"tags\"", "target"]);
    let short = y.iter().map(|t| t.rows(0, 3).unwrap()).collect::<Vec<_>>();
    says(model.evaluate(&x, &short), &["10 rows", "[3, "]);
    let wrong = [y[0].clone(), y[3].clone(), y[2].clone(), y[1].clone()];
    says(model.evaluate(&x, &wrong), &["tags"]);
    let text = Tensor::new([10], vec![String::new(); 10]).unwrap();
    let texts = [y[0].clone(), y[1].clone(), y[2].clone(), text];
    says(model.evaluate(&x, &texts), &["texts"]);
    let none: Vec<Tensor> = x.iter().map(|t| t.rows(0, 0).unwrap()).collect();
    let no_y: Vec<Tensor> = y.iter().map(|t| t.rows(0, 0).unwrap()).collect();
    says(model.evaluate(&none, &no_y), &["0 samples"]);
    let how = Evaluate::new().sample_weight(y[..2].to_vec());
    says(model.evaluate_with(&x, &y, &how), &["sample weights", "2 tensors"]);
    let case = Case::of("own");
    let bare = load_model(fixture("../training/own.keras")).unwrap();
    says(bare.evaluate(&case.tensors("x"), &case.tensors("y")), &["pinball", "Loader::loss"]);
    let limits = Limits { memory: 64, ..Limits::default() };
    let small =
        custom_loss::loader().limits(limits).load(fixture("../training/own.keras")).unwrap();
    let refused = small.evaluate(&case.tensors("x"), &case.tensors("y"));
    assert!(matches!(refused, Err(Error::LimitExceeded { .. })), "{refused:?}");
}

/// Without a loss there is nothing to evaluate.
#[test]
fn a_model_that_was_not_compiled_says_so() {
    let config = json!({"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "InputLayer", "config": {"batch_shape": [null, 2], "name": "x"}}]}});
    let model = Loader::new().from_bytes(config.to_string()).unwrap();
    let x = Tensor::zeros([1, 2], DType::Float32);
    let error =
        model.evaluate(std::slice::from_ref(&x), std::slice::from_ref(&x)).unwrap_err().to_string();
    assert!(error.contains("not compiled"), "{error}");
}

/// What `compile` is given, in each of its forms: names are Keras's, what fits no output is said.
#[test]
fn compile_s_arguments_find_their_outputs() {
    let case = Case::of("partial");
    let mut model = open("partial", "keras");
    let x = case.tensors("x");
    let y = [Tensor::zeros([6, 2], DType::Float32), case.tensors("y")[0].clone()];
    let mut names = |config: Value| {
        model.compile(CompileConfig::parse(&config)?);
        let report = model.evaluate(&x, &y)?;
        Ok::<_, Error>(report.values().iter().map(|v| v.0.clone()).collect::<Vec<_>>().join(" "))
    };
    let two = "loss bound_loss free_loss";
    assert_eq!(names(json!({"loss": "mse"})).unwrap(), two);
    assert_eq!(names(json!({"loss": ["mse", "mae"], "loss_weights": [1.0, 0.5]})).unwrap(), two);
    assert_eq!(names(json!({"loss": {"bound": "mse"}})).unwrap(), "loss");
    let metrics = json!([["huber", "mae"], "acc"]);
    assert_eq!(
        names(json!({"loss": "mse", "metrics": metrics})).unwrap(),
        "loss bound_acc bound_loss free_huber free_loss free_mae"
    );
    let both = json!({"free": ["mae"]});
    assert_eq!(
        names(json!({"loss": "mse", "metrics": both, "weighted_metrics": both})).unwrap(),
        "loss bound_loss free_loss free_mae free_weighted_mae"
    );
    let mut says = |config: Value, part: &str| {
        let error = names(config).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    says(json!({"loss": ["mse", "mse", "mse"]}), "3 entries");
    says(json!({"loss": {"none": "mse"}}), "\"none\", which is no output");
    says(json!({"loss": "mse", "metrics": ["mae"]}), "1 entries");
    says(json!({"loss": "mse", "metrics": {"free": ["mean"]}}), "takes values");
    says(json!({"loss": "mse", "metrics": {"free": ["own_metric"]}}), "own_metric");
    says(json!({"optimizer": "sgd"}), "not compiled");
}
