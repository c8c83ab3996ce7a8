//! Losses and metrics: beside Keras's (`fixtures/losses.json`, `fixtures/metrics.json`), and what they
//! refuse.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use keras_runtime::keras_model::compile::{LossKind, MetricKind};
use keras_runtime::{DType, Loss, Metric, Samples, Tensor};
use serde_json::{Value, json};

use crate::support::{difference, named};

/// The cases of a file, and their arrays.
fn cases(name: &str) -> (Vec<Value>, BTreeMap<String, Tensor>) {
    let path = format!("{}/../../fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let cases = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    (cases, named(&format!("../{name}.npz")))
}

/// What a case compares; `end` is that of the names of its arrays.
fn samples<'a>(arrays: &'a BTreeMap<String, Tensor>, number: usize, end: &str) -> Samples<'a> {
    let array = |name: &str| arrays.get(&format!("{number}/{name}{end}"));
    let mut samples = Samples::new(array("y_true").unwrap(), array("y_pred").unwrap());
    if let Some(weight) = array("sample_weight") {
        samples = samples.sample_weight(weight);
    }
    if let Some(mask) = array("mask") {
        samples = samples.mask(mask);
    }
    samples
}

/// The object of a case as a file has it.
fn object(case: &Value) -> Value {
    json!({"class_name": case["class"], "config": case["config"]})
}

fn tolerance(case: &Value) -> f64 {
    // Eleven bits.
    if case["config"]["dtype"] == "float16" { 2e-3 } else { 2e-5 }
}

#[test]
fn losses_are_keras_s() {
    let (cases, arrays) = cases("losses");
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let loss = Loss::get(&object(case)).unwrap();
        let samples = samples(&arrays, number, "");
        let array = |name: &str| arrays[&format!("{number}/{name}")].clone();
        let mut check = |what: &str, found: Tensor, expected: &str| {
            let reason = difference(&[found], &[array(expected)], tolerance(case));
            wrong.extend(reason.map(|reason| format!("{number} {case}: {what}: {reason}")));
        };
        check("value", loss.call(&samples).unwrap(), "value");
        let (value, gradient) = loss.gradient(&samples).unwrap();
        check("value with gradient", value, "value");
        check("gradient", gradient, "gradient");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cases.len() > 150);
    for class in LossKind::CLASSES.iter().filter(|class| !class.starts_with("Chosen")) {
        assert!(cases.iter().any(|case| case["class"] == *class), "no case has {class}");
    }
}

#[test]
fn metrics_are_keras_s() {
    let (cases, arrays) = cases("metrics");
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let mut metric = Metric::get(&object(case)).unwrap();
        let array = |name: String| arrays.get(&format!("{number}/{name}")).cloned();
        let mut check = |what: &str, found: &[Tensor], expected: &[Tensor]| {
            let reason = difference(found, expected, tolerance(case));
            wrong.extend(reason.map(|reason| format!("{number} {case}: {what}: {reason}")));
        };
        // Twice the same, after a reset.
        for round in 0..2 {
            metric.reset_state();
            for batch in 0..2 {
                metric.update_state(&samples(&arrays, number, &batch.to_string())).unwrap();
                let expected = array(format!("result{batch}")).unwrap();
                check(&format!("{round}/{batch}"), &[metric.result().unwrap()], &[expected]);
            }
        }
        let expected: Vec<Tensor> = (0..).map_while(|k| array(format!("variable{k}"))).collect();
        check("variables", metric.variables(), &expected);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cases.len() > 150);
    for class in MetricKind::CLASSES.iter().filter(|class| !class.starts_with("Chosen")) {
        assert!(cases.iter().any(|case| case["class"] == *class), "no case has {class}");
    }
}

/// `LOSSES.md` is what the tables in the code and the cases say. `UPDATE_LOSSES=1` writes it.
#[test]
fn the_table_is_that_of_the_code() {
    let mut text = "# Losses and metrics\n\nEvery loss and metric of Keras 3.15 is computed. A test writes \
        these tables\n(`UPDATE_LOSSES=1 cargo test -p keras-runtime --test tests objectives::`), and fails if \
        they are other ones.\n\n*Cases* have arguments, values and gradients (metrics: variables) of real Keras \
        (`fixtures/losses.json`,\n`fixtures/metrics.json`); *weights* and *masks* say how many have these.\n"
        .to_owned();
    let all = [("losses", "Loss", LossKind::CLASSES), ("metrics", "Metric", MetricKind::CLASSES)];
    for (file, title, classes) in all {
        let (cases, arrays) = cases(file);
        writeln!(text, "\n| {title} | cases | weights | masks |\n|---|---|---|---|").unwrap();
        for class in classes.iter().filter(|class| !class.starts_with("Chosen")) {
            let own = || cases.iter().enumerate().filter(|(_, case)| case["class"] == *class);
            let with = |name: &str| {
                let has = |number| {
                    let prefix = format!("{number}/{name}");
                    arrays.keys().any(|key| key.starts_with(&prefix))
                };
                own().filter(|(number, _)| has(*number)).count()
            };
            let (weights, masks) = (with("sample_weight"), with("mask"));
            writeln!(text, "| `{class}` | {} | {weights} | {masks} |", own().count()).unwrap();
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/LOSSES.md");
    if std::env::var_os("UPDATE_LOSSES").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text);
}

/// `"accuracy"` and `"crossentropy"` stand for the class that the shapes say.
#[test]
fn words_choose_by_the_shapes() {
    let pairs = [
        (vec![4, 1], vec![4, 1], "binary_accuracy", "binary_crossentropy"),
        (vec![4], vec![4, 3], "sparse_categorical_accuracy", "sparse_categorical_crossentropy"),
        (vec![4, 1], vec![4, 3], "sparse_categorical_accuracy", "sparse_categorical_crossentropy"),
        (vec![4, 3], vec![4, 3], "categorical_accuracy", "categorical_crossentropy"),
    ];
    for (of_true, of_pred, accuracy, crossentropy) in pairs {
        let numbers = |shape: &[usize], step: usize| {
            let count = shape.iter().product();
            let values = (0..count).map(|i| ((i * step) % 2) as f32 * 0.9);
            Tensor::new(shape, values.collect::<Vec<f32>>()).unwrap()
        };
        let y_true = numbers(&of_true, 1).cast(DType::Int32).unwrap();
        let y_pred = numbers(&of_pred, 3);
        let samples = Samples::new(&y_true, &y_pred);
        let measured = |name: &str| {
            let mut metric = Metric::get(&name.into()).unwrap();
            metric.update_state(&samples).unwrap();
            metric.result().unwrap()
        };
        let lost = |name: &str| Loss::get(&name.into()).unwrap().call(&samples).unwrap();
        assert_eq!(measured("accuracy"), measured(accuracy), "{of_true:?} {of_pred:?}");
        assert_eq!(measured("acc"), measured(accuracy));
        assert_eq!(lost("crossentropy"), lost(crossentropy), "{of_true:?} {of_pred:?}");
        assert_eq!(measured("ce"), measured(crossentropy));
    }
    assert_eq!(Metric::get(&"acc".into()).unwrap().name(), "acc");
}

/// Wrong shapes and arguments are errors that name the loss; nothing large is allocated for them.
#[test]
fn what_fits_nothing_is_refused() {
    let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::Float32);
    let shapes: [&[usize]; 7] = [&[], &[0], &[3], &[3, 2], &[3, 1], &[2, 3, 4], &[5, 0]];
    let objects = |class: &str| {
        json!([
            {"class_name": class, "config": {}},
            {"class_name": class, "config": {"axis": 9, "q": 7.5, "k": 1_000_000_000_000_u64,
                "specificity": 0.5, "sensitivity": 0.5, "recall": 0.5, "precision": 0.5,
                "num_classes": 1_000_000_000_000_u64, "target_class_ids": [1_000_000],
                "num_thresholds": 1_000_000_000_000_u64, "class_id": 77}},
            {"class_name": class, "config": {"axis": -1, "thresholds": [], "num_thresholds": 0,
                "specificity": 7.0, "sensitivity": -1.0, "recall": 5.5, "precision": 9.0,
                "num_classes": 0, "target_class_ids": [], "label_weights": "none", "average": "no",
                "curve": "none", "top_k": 50, "beta": -1.0, "class_aggregation": "no"}},
        ])
    };
    let mut refused = 0;
    for of_true in shapes {
        for of_pred in shapes {
            let (y_true, y_pred, weight) = (tensor(of_true), tensor(of_pred), tensor(&[3]));
            for samples in [
                Samples::new(&y_true, &y_pred),
                Samples::new(&y_true, &y_pred).sample_weight(&weight),
                Samples::new(&y_true, &y_pred).mask(&y_true),
            ] {
                for class in LossKind::CLASSES {
                    for object in objects(class).as_array().unwrap() {
                        let loss = Loss::get(object).unwrap();
                        refused += usize::from(loss.call(&samples).is_err());
                        refused += usize::from(loss.gradient(&samples).is_err());
                    }
                }
                for class in MetricKind::CLASSES {
                    for object in objects(class).as_array().unwrap() {
                        let Ok(mut metric) = Metric::get(object) else { continue };
                        let updated = metric.update_state(&samples);
                        refused += usize::from(updated.and_then(|()| metric.result()).is_err());
                    }
                }
            }
        }
    }
    assert!(refused > 10_000, "{refused}");
    let loss = Loss::get(&"categorical_crossentropy".into()).unwrap();
    let error =
        loss.call(&Samples::new(&tensor(&[3, 2]), &tensor(&[3, 4]))).unwrap_err().to_string();
    assert!(error.contains("CategoricalCrossentropy") && error.contains("[3, 4]"), "{error}");
    let unknown = Loss::get(&"my_loss".into()).unwrap();
    let error = unknown.call(&Samples::new(&tensor(&[3, 2]), &tensor(&[3, 2]))).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("\"my_loss\"") && error.contains("Loader::loss"), "{error}");
}

/// A label that is no class is not another class counted from the end.
#[test]
fn labels_out_of_range_are_errors() {
    let y_pred = Tensor::new([2, 2], vec![0.5_f32; 4]).unwrap();
    let loss = Loss::get(&"sparse_categorical_crossentropy".into()).unwrap();
    for label in [-1, 2] {
        let y_true = Tensor::new([2], vec![0, label]).unwrap();
        assert!(loss.call(&Samples::new(&y_true, &y_pred)).is_err(), "{label}");
    }
}
