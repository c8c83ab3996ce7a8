//! Gradients of whole models: beside Keras's (`fixtures/model_gradients.npz`), and what holds for all.

use keras_runtime::{Differentiate, Limits, Loader, Model, Predict, Tensor, load_model};
use serde_json::json;

use crate::custom::{custom_attention, custom_blocks, scale};
use crate::gradients::{difference, gradients};
use crate::support::{arrays, fixture, model_gradient_values, numbers};

fn load(stem: &str) -> Model {
    // What tf_keras loads are `.h5` files.
    let suffix = if stem.starts_with("k3") { "keras" } else { "h5" };
    let path = fixture(&format!("{stem}.{suffix}"));
    match stem {
        "k3_blocks" => custom_blocks::load(path.to_str().unwrap()).unwrap(),
        "k3_custom" => scale().load(path).unwrap(),
        _ => load_model(path).unwrap(),
    }
}

/// Frozen, shared, nested and custom layers, masks, half precision: each weight gets its own.
#[test]
fn gradients_are_keras_s() {
    let all = model_gradient_values();
    assert!(all.len() > 50 && all.contains_key("k3_blocks"));
    let wrong = all.iter().filter_map(|(name, expected)| {
        let (stem, training) = match name.split_once('/') {
            Some((stem, _)) => (stem, true),
            None => (name.as_str(), false),
        };
        let (model, y) = (load(stem), arrays(stem, "out"));
        // Whole numbers that a model takes as floats have a gradient of zeros.
        let pairs = arrays(stem, "in").into_iter().zip(model.inputs());
        let x: Vec<Tensor> = pairs.map(|(x, input)| x.cast(input.dtype).unwrap()).collect();
        // Half precision has 11 and 8 bits, and each layer rounds.
        let tolerance = match stem {
            "k3_mixed_float16" | "tfk_mixed_float16" => 2e-2,
            "k3_bfloat16" => 1e-1,
            _ => 1e-4,
        };
        let found = gradients(&model, &x, &y, training).unwrap();
        let reason = difference(&found, &x, &numbers(expected), tolerance)?;
        Some(format!("{name}: {reason}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A layer whose code is the caller's has the gradient of what it is composed of: that of the old
/// attention is the slope of its outputs along all weights.
#[test]
fn custom_layers_have_the_slope_of_their_outputs() {
    let path = fixture("k231_attention.h5");
    let mut model = custom_attention::load(path.to_str().unwrap()).unwrap();
    let (x, weights) = (arrays("k231_attention", "in"), model.get_weights().unwrap());
    let y = model.predict(&x).unwrap();
    let found = gradients(&model, &x, &y, false).unwrap();
    assert!(found.weights.len() > 4 && found.weights.len() == weights.len(), "all are trainable");
    let slopes = found.weights.iter().map(|w| numbers(w.gradient.as_ref().unwrap()));
    let slopes: Vec<Vec<f64>> = slopes.collect();
    let mut along = |by: f64| -> f64 {
        let moved = weights.iter().zip(&slopes).map(|(weight, slope)| {
            let moved = numbers(weight).iter().zip(slope).map(|(w, s)| w + by * s).collect();
            Tensor::new(weight.shape(), moved).unwrap()
        });
        model.set_weights(moved.collect()).unwrap();
        let outputs = model.predict(&x).unwrap();
        let each = outputs.iter().enumerate().flat_map(|(i, y)| {
            numbers(y).into_iter().zip(numbers(&crate::gradients::upstream(y, i)))
        });
        each.map(|(y, d)| y * d).sum()
    };
    let length: f64 = slopes.iter().flatten().map(|s| s * s).sum();
    let step = 1e-2 / length.sqrt();
    let found = (along(step) - along(-step)) / (2.0 * step);
    assert!((found - length).abs() < 1e-3 * length, "{found}, {length} expected");
}

#[test]
fn many_threads_get_what_one_gets() {
    let (model, x) = (load("k3_training"), arrays("k3_training", "in"));
    let y = model.predict(&x).unwrap();
    let fresh = gradients(&model, &x, &y, true).unwrap();
    std::thread::scope(|scope| {
        let run = || gradients(&model, &x, &y, true).unwrap();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), fresh);
        }
    });
}

#[test]
fn what_is_dropped_gets_nothing() {
    let config = json!({"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "InputLayer", "config": {"batch_shape": [null, 50], "name": "x"}},
        {"class_name": "Dropout", "config": {"rate": 0.5}}]}});
    let model = Loader::new().from_bytes(config.to_string()).unwrap();
    let x = [Tensor::new([2, 50], vec![1.0_f32; 100]).unwrap()];
    let how = Differentiate::new().training(true).seed(5);
    let found = model.gradients_with(&x, &x, &how).unwrap();
    let predicted = model.predict_with(&x, &Predict::new().training(true).seed(5)).unwrap();
    assert_eq!(found.outputs, predicted);
    assert_eq!(found.inputs[0].as_ref(), Some(&predicted[0]));
    // Of an input that is not asked for there is none.
    let found = model.gradients_with(&x, &x, &how.inputs(false)).unwrap();
    assert_eq!(found.inputs, [None]);
}

/// A weight that was set is the one that counts.
#[test]
fn weights_may_change() {
    let (mut model, x) = (load("k3_mlp"), arrays("k3_mlp", "in"));
    let y = model.predict(&x).unwrap();
    let before = gradients(&model, &x, &y, false).unwrap();
    let zeros = |w: &Tensor| Tensor::zeros(w.shape(), w.dtype());
    let zeros = model.get_weights().unwrap().iter().map(zeros).collect();
    model.set_weights(zeros).unwrap();
    let after = gradients(&model, &x, &y, false).unwrap();
    assert_ne!(before, after);
    assert!(numbers(after.inputs[0].as_ref().unwrap()).iter().all(|g| *g == 0.0));
}

#[test]
fn states_go_on() {
    let (model, x) = (load("k3_stateful"), arrays("k3_stateful", "in"));
    let y = model.predict(&x).unwrap();
    let second = model.predict(&x).unwrap();
    model.reset_states();
    gradients(&model, &x, &y, false).unwrap();
    let found = model.predict(&x).unwrap();
    crate::support::assert_close(&found, &second);
}

#[test]
fn errors_say_what_does_not_fit() {
    let (model, x) = (load("k3_mlp"), arrays("k3_mlp", "in"));
    let error = model.gradients(&x, &[]).unwrap_err().to_string();
    assert!(error.contains("1 outputs, dy 0"), "{error}");
    let error = model.gradients(&x, &x).unwrap_err().to_string();
    assert!(error.contains("output 0 has shape"), "{error}");
    let limits = Limits { memory: 64, ..Limits::default() };
    let model = Loader::new().limits(limits).load(fixture("k3_mlp.h5")).unwrap();
    let error = model.gradients(&x, &x).unwrap_err().to_string();
    assert!(error.contains("limit 64"), "{error}");
}

/// The gradient at the output of a layer is that of a model that begins behind it.
#[test]
fn layers_in_the_middle() {
    let (model, x) = (load("k3_mlp"), arrays("k3_mlp", "in"));
    let y = model.predict(&x).unwrap();
    let dy: Vec<Tensor> =
        y.iter().enumerate().map(|(i, y)| crate::gradients::upstream(y, i)).collect();
    let names = model.file().model().unwrap().layers.iter().map(|l| l.base.name.clone());
    let names: Vec<String> = names.collect();
    let last = names.last().unwrap().clone();
    let how = Differentiate::new().layers([last.as_str(), names[1].as_str()]);
    let found = model.gradients_with(&x, &dy, &how).unwrap();
    assert_eq!(found.layers[0].name, last);
    assert_eq!(found.layers[0].output, found.outputs[0]);
    assert_eq!(numbers(found.layers[0].gradient.as_ref().unwrap()).len(), y[0].len());
    assert!(found.layers[1].gradient.is_some());
    let same = model.gradients_with(&x, &dy, &Differentiate::new()).unwrap();
    assert_eq!((same.inputs, same.weights), (found.inputs, found.weights));
    let error = model.gradients_with(&x, &dy, &Differentiate::new().layers(["nowhere"]));
    assert!(error.unwrap_err().to_string().contains("no layer \"nowhere\""));
}
