//! What training makes of small models, by each optimizer, beside Keras (`fixtures/fit.json`).

use std::ops::ControlFlow;
use std::slice::from_ref;
use std::sync::atomic::{AtomicUsize, Ordering};

use keras_runtime::keras_model::compile::{CompileConfig, OptimizerKind};
use keras_runtime::keras_model::source::Source;
use keras_runtime::keras_model::{Container, Saver, Weight};
use keras_runtime::{DType, Error, Fit, Loader, Model, Tensor, load_model};
use serde_json::{Value, json};

use crate::support::fixture;

fn file() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture("../fit.json")).unwrap()).unwrap()
}

fn tensor(value: &Value) -> Tensor {
    let data = value["data"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    let shape: Vec<usize> = serde_json::from_value(value["shape"].clone()).unwrap();
    let dtype = DType::from_name(value["dtype"].as_str().unwrap()).unwrap();
    Tensor::new::<f64>(shape, data).unwrap().cast(dtype).unwrap()
}

fn tensors(values: &Value) -> Vec<Tensor> {
    values.as_array().unwrap().iter().map(tensor).collect()
}

/// A model of the file with its first weights, compiled.
fn model(all: &Value, case: &Value) -> (Model, Tensor, Tensor) {
    let given = &all["models"][case["model"].as_str().unwrap()];
    let mut model = Loader::new().from_bytes(given["model"].to_string()).unwrap();
    model.set_weights(tensors(&given["weights"])).unwrap();
    model.compile(CompileConfig::parse(&case["compile"]).unwrap());
    (model, tensor(&given["x"]), tensor(&given["y"]))
}

/// How far two lists of numbers are apart, as a part of what is allowed.
fn apart(found: &Tensor, expected: &Tensor, allowed: [f64; 2]) -> f64 {
    assert_eq!(found.shape(), expected.shape());
    let [a, b] = [found, expected].map(|t| t.cast(DType::Float64).unwrap());
    let pairs = a.as_slice::<f64>().unwrap().iter().zip(b.as_slice::<f64>().unwrap());
    pairs.map(|(a, b)| (a - b).abs() / (allowed[0] * b.abs() + allowed[1])).fold(0.0, f64::max)
}

/// What is wrong with one case.
fn wrong(all: &Value, case: &Value) -> Option<String> {
    let (mut model, x, mut y) = model(all, case);
    let given = &case["fit"];
    let mut how = Fit::epochs(usize::try_from(given["epochs"].as_u64().unwrap()).unwrap())
        .batch_size(usize::try_from(given["batch_size"].as_u64().unwrap()).unwrap())
        .shuffle(false)
        .validation_split(given["validation_split"].as_f64().unwrap_or(0.0));
    if let Some(weights) = given["class_weight"].as_object() {
        let weights =
            weights.iter().map(|(class, w)| (class.parse().unwrap(), w.as_f64().unwrap()));
        how = how.class_weight(weights);
    }
    if given["sample_weight"] == true {
        let weights = (0..10).map(|i| 0.2 + 1.8 * i as f32 / 9.0).collect::<Vec<f32>>();
        how = how.sample_weight([Tensor::new([10], weights).unwrap()]);
    }
    if given["onehot"] == true {
        let classes = y.as_slice::<i32>().unwrap().iter();
        let hot = classes.flat_map(|class| (0..3).map(move |i| f32::from(u8::from(i == *class))));
        y = Tensor::new([10, 3], hot.collect::<Vec<f32>>()).unwrap();
    }
    let history = match model.fit(&[x], &[y], &how) {
        Ok(history) => history,
        Err(error) => return Some(error.to_string()),
    };
    for (name, values) in case["history"].as_object().unwrap() {
        let found = history.epochs.iter().map(|report| f64::from(report[name.as_str()]));
        let expected = values.as_array().unwrap().iter().map(|v| v.as_f64().unwrap());
        for (epoch, (a, b)) in found.zip(expected).enumerate() {
            if (a - b).abs() > 2e-5 * b.abs() + 1e-5 {
                return Some(format!("{name} of epoch {epoch}: {a} for {b}"));
            }
        }
    }
    let weights = model.get_weights().unwrap();
    let pairs = weights.iter().zip(tensors(&case["weights"])).enumerate();
    let of_weights = pairs.into_iter().find_map(|(i, (found, expected))| {
        // Newton and Schulz's steps and the roots of small squares enlarge what was rounded.
        let apart = apart(found, &expected, [1e-3, 1e-4]);
        (apart > 1.0).then(|| format!("weight {i}: {found:?} for {expected:?}"))
    });
    of_weights.or_else(|| wrong_state(&model, case))
}

/// What is wrong with what the optimizer keeps, as a file saved now has it.
fn wrong_state(model: &Model, case: &Value) -> Option<String> {
    let saved = Saver::new().to_bytes(&model.to_file().unwrap(), Container::Keras).unwrap();
    let found = Source::from_bytes(saved.bytes).unwrap().optimizer_weights;
    let expected = case["optimizer"].as_array().unwrap();
    if found.len() != expected.len() {
        return Some(format!("{} variables for {}: {:?}", found.len(), expected.len(), saved.lost));
    }
    found.iter().zip(expected).find_map(|(found, expected)| {
        let (name, expected) = (&expected[0], tensor(&expected[1]));
        let numbers = Weight::from(found).to_f64().unwrap();
        let found = Tensor::new(expected.shape(), numbers).unwrap();
        let apart = apart(&found, &expected, [1e-3, 1e-4]);
        (apart > 1.0).then(|| format!("{name}: {found:?} for {expected:?}"))
    })
}

#[test]
fn training_ends_where_keras_ends() {
    let all = file();
    let cases = all["cases"].as_array().unwrap();
    let failed: Vec<String> = cases
        .iter()
        .enumerate()
        .filter_map(|(i, case)| {
            let reason: String = wrong(&all, case)?.chars().take(300).collect();
            Some(format!("{i} {} {}: {reason}", case["model"], case["compile"]["optimizer"]))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {}\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn every_optimizer_has_a_case() {
    let all = file();
    let has = |class: &str| {
        let cases = all["cases"].as_array().unwrap().iter();
        cases.into_iter().any(|case| case["compile"]["optimizer"]["class_name"] == class)
    };
    // Several optimizers of one model are in the corpus only: Keras cannot serialise their map.
    let missing: Vec<_> = OptimizerKind::CLASSES.iter().filter(|class| !has(class)).collect();
    assert_eq!(missing, [&"MultiOptimizer"]);
}

/// An epoch in two halves is the epoch: what the optimizer keeps stays between calls.
#[test]
fn training_goes_on() {
    let all = file();
    let case = &all["cases"][0];
    let (mut whole, x, y) = model(&all, case);
    let (mut halves, ..) = model(&all, case);
    let history = whole.fit(from_ref(&x), from_ref(&y), &Fit::epochs(2).shuffle(false)).unwrap();
    for epoch in &history.epochs {
        let logs = halves.train_on_batch(from_ref(&x), from_ref(&y), &[]).unwrap();
        assert_eq!(logs.loss(), epoch.loss());
    }
    assert_eq!(whole.get_weights().unwrap(), halves.get_weights().unwrap());
    // What it predicts is what the new weights say.
    let before = whole.predict(from_ref(&x)).unwrap();
    whole.train_on_batch(from_ref(&x), &[y], &[]).unwrap();
    assert_ne!(whole.predict(&[x]).unwrap(), before);
}

#[test]
fn the_order_of_samples_follows_the_seed() {
    let all = file();
    let case = &all["cases"][0];
    let losses = |how: &Fit<'_>| {
        let (mut model, x, y) = model(&all, case);
        model.fit(&[x], &[y], how).unwrap().batch_loss
    };
    let how = |seed| Fit::epochs(2).batch_size(4).seed(seed);
    assert_eq!(losses(&how(1)).len(), 6);
    assert_eq!(losses(&how(1)), losses(&how(1)));
    assert_ne!(losses(&how(1)), losses(&how(2)));
}

#[test]
fn callbacks_see_and_stop() {
    let all = file();
    let (mut model, x, y) = model(&all, &all["cases"][0]);
    let steps = AtomicUsize::new(0);
    let how = Fit::epochs(5)
        .batch_size(4)
        .on_batch(|progress| {
            assert_eq!(progress.steps, 3);
            steps.fetch_add(1, Ordering::Relaxed);
            ControlFlow::Continue(())
        })
        .on_epoch(|progress| match progress.epoch {
            1 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
    let history = model.fit(&[x], &[y], &how).unwrap();
    drop(how);
    assert_eq!((history.epochs.len(), steps.into_inner()), (2, 6));
}

/// A model can be trained another way; its learning rate can be set unless a schedule says it.
#[test]
fn models_are_compiled_anew() {
    let mut model = load_model(fixture("k3_mlp.keras")).unwrap();
    let config = |rate: Value| {
        CompileConfig::parse(&json!({
            "optimizer": {"class_name": "SGD", "config": {"learning_rate": rate}},
            "loss": "sparse_categorical_crossentropy",
        }))
        .unwrap()
    };
    model.compile(config(json!(0.5)));
    model.set_learning_rate(0.25).unwrap();
    assert_eq!(model.learning_rate().unwrap(), 0.25);
    model.compile(config(json!({"class_name": "PiecewiseConstantDecay",
        "config": {"boundaries": [1], "values": [0.5, 0.1]}})));
    assert_eq!(model.learning_rate().unwrap(), 0.5);
    assert!(model.set_learning_rate(0.25).is_err());
    let nonsense = json!({"optimizer": "adamant", "loss": "mse", "metrics": ["maee"]});
    let error = CompileConfig::parse(&nonsense).unwrap_err().to_string();
    assert!(error.contains("adamant") && error.contains("maee"), "{error}");
}

/// Samples for the validation make the split void: all others are trained on.
#[test]
fn a_split_is_void_beside_samples_for_the_validation() {
    let mut model = load_model(fixture("k3_mlp.keras")).unwrap();
    let (x, y) = ([Tensor::zeros([4, 6], DType::Float32)], [Tensor::zeros([4, 1], DType::Int32)]);
    let how = Fit::epochs(1).batch_size(1).validation_split(0.5).validation_data(&x, &y, []);
    assert_eq!(model.fit(&x, &y, &how).unwrap().batch_loss.len(), 4);
}

/// What does not fit says so, and leaves the model as it was.
#[test]
fn errors_say_what_does_not_fit() {
    let mut model = load_model(fixture("k3_mlp.keras")).unwrap();
    let x = Tensor::zeros([4, 6], DType::Float32);
    let y = Tensor::zeros([4, 1], DType::Int32);
    let before = model.get_weights().unwrap();
    let mut refused = |how: &Fit<'_>, words: &str| {
        let error = model.fit(from_ref(&x), from_ref(&y), how).unwrap_err();
        assert!(matches!(error, Error::Value(_)), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    };
    refused(&Fit::epochs(1).batch_size(0), "batches of 0");
    refused(&Fit::epochs(1).validation_split(1.0), "validation split");
    refused(&Fit::epochs(1).validation_split(0.9), "leaves none of 4 samples");
    let weight = Tensor::zeros([4], DType::Float32);
    let how = Fit::epochs(1).sample_weight([weight]).class_weight([(0, 1.0)]);
    refused(&how, "at once");
    assert_eq!(model.get_weights().unwrap(), before);
    let mut bare = Loader::new()
        .file(keras_runtime::keras_model::Loader::new().compile(false))
        .load(fixture("k3_mlp.keras"))
        .unwrap();
    let error = bare.fit(&[x], &[y], &Fit::epochs(1)).unwrap_err().to_string();
    assert!(error.contains("compiled"), "{error}");
}
