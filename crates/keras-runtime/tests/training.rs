//! `training=True`: statistics of the batch exactly as in Keras, noise with Keras's distributions.

use keras_runtime::keras_model::ops::OPERATIONS;
use keras_runtime::{Loader, Model, Predict, Tensor, load_model};
use serde_json::{Value, json};

use crate::support::{arrays, assert_close, difference, fixture, numbers};

#[test]
fn batch_statistics_are_keras_s() {
    for suffix in [".keras", ".h5"] {
        let model = load_model(fixture(&format!("k3_training{suffix}"))).unwrap();
        let x = arrays("k3_training", "in");
        assert_close(&model.predict(&x).unwrap(), &arrays("k3_training", "out"));
        let found = model.predict_with(&x, &Predict::new().training(true)).unwrap();
        assert_close(&found, &arrays("k3_training", "training"));
        // Nothing of it stays.
        assert_close(&model.predict(&x).unwrap(), &arrays("k3_training", "out"));
    }
}

/// Batch renormalisation, spectral normalisation, and convolutional LSTMs that drop nothing.
#[test]
fn more_of_training_is_keras_s() {
    for suffix in [".keras", ".h5"] {
        let model = load_model(fixture(&format!("k3_more_training{suffix}"))).unwrap();
        let x = arrays("k3_more_training", "in");
        assert_close(&model.predict(&x).unwrap(), &arrays("k3_more_training", "out"));
        let found = model.predict_with(&x, &Predict::new().training(true)).unwrap();
        assert_close(&found, &arrays("k3_more_training", "training"));
    }
}

#[test]
fn the_same_seed_gives_the_same_noise() {
    let model = load_model(fixture("k3_noise.keras")).unwrap();
    let x = arrays("k3_noise", "in");
    let run = |seed| model.predict_with(&x, &Predict::new().training(true).seed(seed)).unwrap();
    let first = run(1);
    assert_ne!(first, run(2));
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| run(1)), first, "{threads} threads");
    }
    // Without training there is none.
    assert_close(&model.predict(&x).unwrap(), &arrays("k3_noise", "out"));
    let untrained = Predict::new().seed(3);
    assert_close(&model.predict_with(&x, &untrained).unwrap(), &arrays("k3_noise", "out"));
}

/// Parts of a batch have noise of their own.
#[test]
fn parts_differ() {
    let model = layer(&json!({"class_name": "Dropout", "config": {"rate": 0.5}}), &[100]);
    let x = Tensor::new([2, 100], vec![1.0_f32; 200]).unwrap();
    let how = Predict::new().training(true).batch_size(1);
    let y = model.predict_with(&[x], &how).unwrap();
    let (first, second) = y[0].as_slice::<f32>().unwrap().split_at(100);
    assert_ne!(first, second);
}

/// A model of one layer without weights, for inputs `[batch, ..shape]`.
fn layer(layer: &Value, shape: &[usize]) -> Model {
    let shape: Vec<Value> =
        std::iter::once(Value::Null).chain(shape.iter().map(|n| json!(n))).collect();
    let config = json!({"class_name": "Sequential", "config": {"name": "one", "layers": [
        {"class_name": "InputLayer", "config": {"batch_shape": shape, "name": "x"}}, layer]}});
    Loader::new().from_bytes(config.to_string()).unwrap()
}

fn trained(class: &str, config: &Value, shape: &[usize], value: f32) -> Vec<f64> {
    let model = layer(&json!({"class_name": class, "config": config}), &shape[1..]);
    let x = Tensor::new(shape, vec![value; shape.iter().product()]).unwrap();
    let same = model.predict(std::slice::from_ref(&x)).unwrap();
    assert_eq!(same[0], x, "{class} does nothing but in training");
    numbers(&model.predict_with(&[x], &Predict::new().training(true).seed(11)).unwrap()[0])
}

fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64)
}

const MANY: [usize; 2] = [100, 400];

#[test]
fn dropout_drops_its_share_and_scales_the_rest() {
    let y = trained("Dropout", &json!({"rate": 0.25}), &MANY, 3.0);
    assert!(y.iter().all(|v| *v == 0.0 || (*v - 4.0).abs() < 1e-6));
    let (mean, _) = moments(&y);
    // Five deviations of the mean: 3 · sqrt(0.25 / 0.75 / 40,000).
    assert!((mean - 3.0).abs() < 0.045, "{mean}");
    assert_eq!(trained("Dropout", &json!({"rate": 1.0}), &[1, 3], 3.0), [0.0; 3]);
    // One number for all rows.
    let y = trained("Dropout", &json!({"rate": 0.5, "noise_shape": [1, null]}), &[4, 50], 1.0);
    assert!((1..4).all(|row| y[row * 50..][..50] == y[..50]));
    assert!(y.contains(&0.0) && y.contains(&2.0));
}

#[test]
fn spatial_dropout_drops_channels() {
    for (class, shape, config) in [
        ("SpatialDropout1D", vec![3, 5, 20], json!({"rate": 0.5})),
        ("SpatialDropout2D", vec![3, 2, 4, 20], json!({"rate": 0.5})),
        ("SpatialDropout3D", vec![3, 2, 2, 2, 20], json!({"rate": 0.5})),
    ] {
        let y = trained(class, &config, &shape, 1.0);
        let places: usize = shape[1..shape.len() - 1].iter().product();
        for image in y.chunks(places * 20) {
            assert!(image.chunks(20).all(|place| place == &image[..20]), "{class}");
        }
        assert!(y.contains(&0.0) && y.contains(&2.0), "{class}");
    }
    let first = json!({"rate": 0.5, "data_format": "channels_first"});
    let y = trained("SpatialDropout2D", &first, &[2, 20, 2, 3], 1.0);
    assert!(y.chunks(6).all(|channel| channel.iter().all(|v| v == &channel[0])));
}

#[test]
fn noise_is_normal() {
    let (mean, variance) = moments(&trained("GaussianNoise", &json!({"stddev": 0.5}), &MANY, 2.0));
    assert!((mean - 2.0).abs() < 0.0125 && (variance - 0.25).abs() < 0.01, "{mean} {variance}");
    // A deviation of sqrt(0.2 / 0.8), times the input.
    let (mean, variance) = moments(&trained("GaussianDropout", &json!({"rate": 0.2}), &MANY, 2.0));
    assert!((mean - 2.0).abs() < 0.025 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
}

/// Inputs of mean 0 and variance 1 keep both.
#[test]
fn alpha_dropout_keeps_mean_and_variance() {
    let model = layer(&json!({"class_name": "AlphaDropout", "config": {"rate": 0.3}}), &[400]);
    let x: Vec<f32> = (0..40_000).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let x = Tensor::new([100, 400], x).unwrap();
    let y = model.predict_with(&[x], &Predict::new().training(true)).unwrap();
    let (mean, variance) = moments(&numbers(&y[0]));
    assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    // a · -1.758 + b with a = (0.7 · (1 + 0.3 · 1.758²))^-0.5 and b = 0.3 · 1.758 · a.
    let dropped = numbers(&y[0]).into_iter().fold(f64::INFINITY, f64::min);
    assert!((dropped + 1.0600).abs() < 2e-3, "{dropped}");
}

/// Recurrent layers and attention: with rates near 0 the numbers of inference, by other ways.
#[test]
fn cells_and_attention_drop() {
    let model = load_model(fixture("k3_dropped.keras")).unwrap();
    let x = arrays("k3_dropped", "in");
    let expected = arrays("k3_dropped", "out");
    assert_close(&model.predict(&x).unwrap(), &expected);
    let y = model.predict_with(&x, &Predict::new().training(true)).unwrap();
    assert_close(&y[..1], &expected[..1]);
    // At a half some features are gone, the same in all four steps.
    let (x, y) = (numbers(&x[0]), numbers(&y[1]));
    let mut dropped = 0;
    for (x, y) in x.chunks(12).zip(y.chunks(12)) {
        for feature in 0..3 {
            let steps = (0..4).map(|step| y[step * 3 + feature] / x[step * 3 + feature]);
            let factors: Vec<f64> = steps.collect();
            assert!(factors.iter().all(|f| (f - factors[0]).abs() < 1e-5), "{factors:?}");
            assert!(factors[0] == 0.0 || (factors[0] - 2.0).abs() < 1e-5, "{factors:?}");
            dropped += usize::from(factors[0] == 0.0);
        }
    }
    assert!((2..14).contains(&dropped), "{dropped} of 15");
}

#[test]
fn attention_keeps_its_mean() {
    let attention = json!({"class_name": "Attention", "name": "a", "config": {"name": "a", "dropout": 0.5},
        "inbound_nodes": [{"args": [[
            {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}},
            {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}]], "kwargs": {}}]});
    let config = json!({"class_name": "Functional", "config": {"name": "f", "layers": [
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"name": "x", "batch_shape": [null, 20, 1]}}, attention],
       "input_layers": [["x", 0, 0]], "output_layers": [["a", 0, 0]]}});
    let model = Loader::new().from_bytes(config.to_string()).unwrap();
    let x = Tensor::new([100, 20, 1], vec![1.0_f32; 2000]).unwrap();
    let y = model.predict_with(&[x], &Predict::new().training(true)).unwrap();
    // Each is a sum of 20 shares, each 0 or a tenth.
    let (mean, variance) = moments(&numbers(&y[0]));
    assert!((mean - 1.0).abs() < 0.025 && (variance - 0.05).abs() < 0.01, "{mean} {variance}");
}

/// Before Keras 3 what the file says of a call holds over what the caller asks for.
#[test]
fn calls_of_old_files_say_training_themselves() {
    for suffix in [".keras", ".h5"] {
        let model = load_model(fixture(&format!("tfk_training{suffix}"))).unwrap();
        let x = arrays("tfk_training", "in");
        assert_close(&model.predict(&x).unwrap(), &arrays("tfk_training", "out"));
        let found = model.predict_with(&x, &Predict::new().training(true)).unwrap();
        assert_close(&found, &arrays("tfk_training", "training"));
    }
}

/// Keras with our random numbers gives the same images: `fixtures/make/augment.py`.
#[test]
fn images_change_as_in_keras() {
    let text = std::fs::read_to_string(fixture("../augment.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let how = Predict::new().training(true).seed(file["seed"].as_u64().unwrap());
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() > 50);
    for case in cases {
        let tensor = |shape: &str, values: &str| {
            let shape: Vec<usize> = serde_json::from_value(case[shape].clone()).unwrap();
            let values: Vec<f32> = serde_json::from_value(case[values].clone()).unwrap();
            Tensor::new(shape, values).unwrap()
        };
        let (x, expected) = (tensor("shape", "x"), tensor("out", "y"));
        let config = json!({"class_name": "Sequential", "config": {"name": "one", "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": x.shape(), "name": "x"}},
            {"class_name": case["class"], "config": case["config"]}]}});
        let model = Loader::new().from_bytes(config.to_string()).unwrap();
        let name = format!("{} {}", case["class"], case["config"]);
        // An operation does it always, a layer in training only.
        if !OPERATIONS.contains(&case["class"].as_str().unwrap()) {
            assert_eq!(model.predict(std::slice::from_ref(&x)).unwrap()[0], x, "{name}");
        }
        let found = model.predict_with(&[x], &how).unwrap();
        // Colours pass hues and back: a unit of the last place of 255.
        let difference = difference(&found, &[expected], 3e-5);
        assert!(difference.is_none(), "{name}: {}", difference.unwrap_or_default());
    }
}

/// A mask of segments moves with its image, without new values, and keeps its colours.
#[test]
fn masks_move_with_their_images() {
    let tensor = |name: &str| json!({"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}});
    let input = |name: &str| {
        json!({"class_name": "InputLayer", "name": name, "inbound_nodes": [],
               "config": {"name": name, "batch_shape": [null, 6, 6, 1]}})
    };
    for (class, settings, moves) in [
        ("RandomFlip", json!({"mode": "horizontal"}), true),
        ("RandomRotation", json!({"factor": 0.3, "interpolation": "nearest"}), true),
        ("RandomZoom", json!({"height_factor": 0.4, "interpolation": "nearest"}), true),
        ("RandomBrightness", json!({"factor": [0.2, 0.3], "value_range": [0, 100]}), false),
    ] {
        let layer = json!({"class_name": class, "name": "a", "config": settings, "inbound_nodes": [
            {"args": [{"images": tensor("x"), "segmentation_masks": tensor("m")}], "kwargs": {}}]});
        let config = json!({"class_name": "Functional", "config": {"name": "f",
            "layers": [input("x"), input("m"), layer],
            "input_layers": [["x", 0, 0], ["m", 0, 0]],
            "output_layers": [["a", 0, 0], ["a", 0, 1]]}});
        let model = Loader::new().from_bytes(config.to_string()).unwrap();
        let x: Vec<f32> = (0..144).map(|i| (i % 36) as f32).collect();
        let x = Tensor::new([4, 6, 6, 1], x).unwrap();
        let how = Predict::new().training(true).seed(4);
        let y = model.predict_with(&[x.clone(), x.clone()], &how).unwrap();
        assert_eq!(y[0] == y[1], moves, "{class}");
        assert_eq!(y[1] == x, !moves, "{class}");
        let (first, second) = (y[0].rows(0, 2).unwrap(), y[0].rows(2, 4).unwrap());
        assert_ne!(first, second, "{class}: each image by itself");
    }
}

/// Images of one value each, whose labels are these values, stay so when they are mixed.
#[test]
fn labels_are_mixed_as_their_images() {
    let tensor = |name: &str| json!({"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}});
    let input = |name: &str, shape: Value| {
        json!({"class_name": "InputLayer", "name": name, "inbound_nodes": [],
               "config": {"name": name, "batch_shape": shape}})
    };
    let layer = json!({"class_name": "MixUp", "name": "a", "config": {"alpha": 2.0}, "inbound_nodes": [
        {"args": [{"images": tensor("x"), "labels": tensor("l")}], "kwargs": {}}]});
    let config = json!({"class_name": "Functional", "config": {"name": "f",
        "layers": [input("x", json!([null, 2, 2, 1])), input("l", json!([null, 1])), layer],
        "input_layers": [["x", 0, 0], ["l", 0, 0]], "output_layers": [["a", 0, 0], ["a", 0, 1]]}});
    let model = Loader::new().from_bytes(config.to_string()).unwrap();
    let images = Tensor::new([6, 2, 2, 1], (0..24).map(|i| (i / 4) as f32).collect()).unwrap();
    let labels = Tensor::new([6, 1], (0..6).map(|i| i as f32).collect()).unwrap();
    let y = model.predict_with(&[images, labels.clone()], &Predict::new().training(true).seed(3));
    let y = y.unwrap();
    assert_ne!(y[1], labels);
    let (pixels, labels) = (numbers(&y[0]), numbers(&y[1]));
    assert!(pixels.chunks(4).zip(&labels).all(|(pixels, label)| pixels == [*label; 4]));
}

/// Boxes stay where pixels stay; where these move in training, Keras would move boxes too.
#[test]
fn boxes_stay_or_are_refused() {
    let tensor = |name: &str| json!({"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}});
    for (class, settings, moves) in [
        ("AutoContrast", json!({}), false),
        ("RandomBrightness", json!({"factor": [0.2, 0.3]}), false),
        ("RandomFlip", json!({}), true),
    ] {
        let inputs = [
            ("x", json!([null, 4, 4, 3])),
            ("boxes", json!([null, 2, 4])),
            ("labels", json!([null, 2])),
        ];
        let mut layers: Vec<Value> = inputs
            .iter()
            .map(|(name, shape)| {
                json!({"class_name": "InputLayer", "name": name, "inbound_nodes": [],
                   "config": {"name": name, "batch_shape": shape}})
            })
            .collect();
        layers.push(json!({"class_name": class, "name": "a", "config": settings, "inbound_nodes": [
            {"args": [{"images": tensor("x"), "bounding_boxes": {"boxes": tensor("boxes"), "labels": tensor("labels")}}],
             "kwargs": {}}]}));
        let config = json!({"class_name": "Functional", "config": {"name": "f", "layers": layers,
            "input_layers": inputs.iter().map(|i| json!([i.0, 0, 0])).collect::<Vec<_>>(),
            "output_layers": [["a", 0, 0], ["a", 0, 1], ["a", 0, 2]]}});
        let model = Loader::new().from_bytes(config.to_string()).unwrap();
        let numbers = |shape: &[usize]| {
            let count: usize = shape.iter().product();
            Tensor::new(shape, (0..count).map(|i| i as f32).collect()).unwrap()
        };
        let x = [numbers(&[1, 4, 4, 3]), numbers(&[1, 2, 4]), numbers(&[1, 2])];
        // In the order in which Keras flattens a dict.
        assert_eq!(model.predict(&x).unwrap()[..2], x[1..], "{class}");
        let trained = model.predict_with(&x, &Predict::new().training(true));
        match trained {
            Ok(trained) => assert!(!moves && trained[..2] == x[1..], "{class}"),
            Err(error) => assert!(moves && error.to_string().contains("boxes"), "{class}: {error}"),
        }
    }
}

/// Never silently nothing.
#[test]
fn what_training_does_and_is_not_computed_is_an_error() {
    let elastic = json!({"class_name": "RandomElasticTransform", "config": {}});
    let model = layer(&elastic, &[4, 4, 3]);
    let x = Tensor::new([1, 4, 4, 3], vec![0.5_f32; 48]).unwrap();
    assert!(model.predict(std::slice::from_ref(&x)).is_ok());
    let error = model.predict_with(&[x], &Predict::new().training(true)).unwrap_err().to_string();
    assert!(error.contains("RandomElasticTransform") && error.contains("training=True"), "{error}");
}
