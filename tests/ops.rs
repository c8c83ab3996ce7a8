//! The operations of `keras.ops`, and functions of TensorFlow in files of `tf.keras`, each as Keras
//! wrote it into a graph and computed it.

use std::collections::BTreeSet;

use keras_model::ops::OPERATIONS;
use keras_model::source::dialect::tensorflow_functions;
use keras_runtime::{DType, Loader, Tensor};
use serde_json::Value;

use crate::support::fixture;

#[path = "../crates/keras-runtime/tests/gradients.rs"]
mod gradients;

fn file(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

fn tensor(value: &Value) -> Tensor {
    let number = |v: &Value| match v {
        Value::String(text) => text.parse().unwrap(),
        Value::Bool(flag) => f64::from(u8::from(*flag)),
        number => number.as_f64().unwrap(),
    };
    let data = value["data"].as_array().unwrap().iter().map(number).collect::<Vec<f64>>();
    let shape: Vec<usize> = serde_json::from_value(value["shape"].clone()).unwrap();
    let dtype = DType::from_name(value["dtype"].as_str().unwrap()).unwrap();
    Tensor::new(shape, data).unwrap().cast(dtype).unwrap()
}

/// A model as it stands in a file; as a string where it holds infinity, which JSON has not.
fn text(model: &Value) -> String {
    model.as_str().map_or_else(|| model.to_string(), str::to_owned)
}

/// The Python functions of `fixtures/make/ops.py`.
fn loader() -> Loader {
    Loader::new()
        .function("double_sine", |ops, x| ops.multiply(2.0, ops.sin(x)?))
        .callable("both", |ops, x| {
            let sum = ops.sum(x[1], &[0], false)?;
            Ok(vec![ops.add(x[0], x[1])?, ops.multiply(x[0], sum)?])
        })
        .callable("weighted", |ops, x| Ok(vec![ops.multiply(x[0], ops.exp(x[1])?)?]))
        .callable("step", |ops, x| {
            Ok(vec![ops.tanh(ops.add(x[0], x[1])?)?, ops.multiply(x[0], x[1])?])
        })
        .callable("grow", |ops, x| Ok(vec![ops.multiply(1.5, x[0])?, x[0]]))
        .callable("add_both", |ops, x| Ok(vec![ops.add(x[0], x[1])?]))
        .callable("compose", |ops, x| {
            let shifted = ops.add(ops.multiply(x[1], x[2])?, x[3])?;
            Ok(vec![ops.multiply(x[0], x[2])?, shifted])
        })
        .callable("first", |ops, x| Ok(vec![ops.multiply(ops.sin(x[0])?, x[1])?]))
        .callable("second", |ops, x| Ok(vec![ops.subtract(x[0], ops.square(x[1])?)?]))
        .callable("ones", |ops, _| Ok(vec![ops.full(&[2], 1.0, DType::Float32)?]))
        .callable("twos", |ops, _| Ok(vec![ops.full(&[2], 2.0, DType::Float32)?]))
        .callable("bent", |ops, x| {
            Ok(vec![ops.multiply(ops.tanh(x[0])?, ops.matmul(x[0], x[1])?)?])
        })
        .callable("cubic", |ops, x| Ok(vec![ops.multiply(x[0], ops.matmul(x[0], x[1])?)?]))
        .callable("soft_with_place", |ops, x| {
            let place = ops.operation("Argmax", [x[0].into()], [])?;
            Ok(vec![ops.softmax(x[0], -1)?, place[0]])
        })
}

/// What is wrong with the outputs of one case.
fn wrong(case: &Value) -> Option<String> {
    let inputs: Vec<Tensor> = case["inputs"].as_array().unwrap().iter().map(tensor).collect();
    let model = loader().from_bytes(text(&case["model"]));
    let found = match model.and_then(|m| m.predict(&inputs)) {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    let expected: Vec<Tensor> = case["outputs"].as_array().unwrap().iter().map(tensor).collect();
    if found.len() != expected.len() {
        return Some(format!("{} outputs for {}", found.len(), expected.len()));
    }
    let mut pairs = found.iter().zip(&expected);
    pairs.find_map(|(found, expected)| {
        if found.shape() != expected.shape() {
            return Some(format!("shape {:?} for {:?}", found.shape(), expected.shape()));
        }
        if found.dtype() != expected.dtype() {
            return Some(format!("{} for {}", found.dtype(), expected.dtype()));
        }
        let [a, b] = [found, expected].map(|t| t.cast(DType::Float64).unwrap());
        let (a, b) = (a.as_slice::<f64>().unwrap(), b.as_slice::<f64>().unwrap());
        let size = b.iter().filter(|v| v.is_finite()).fold(0.0_f64, |m, v| m.max(v.abs()));
        let near = |(a, b): (&f64, &f64)| {
            a.total_cmp(b).is_eq()
                || a.is_nan() && b.is_nan()
                || (a - b).abs() <= 2e-5 * size.max(b.abs()) + 1e-6
        };
        (!a.iter().zip(b).all(near)).then(|| format!("{a:?} for {b:?}"))
    })
}

fn check(name: &str) {
    let file = file(name);
    let cases = file["cases"].as_array().unwrap();
    let failed: Vec<String> = cases
        .iter()
        .enumerate()
        .filter_map(|(i, case)| {
            let reason: String = wrong(case)?.chars().take(300).collect();
            Some(format!("{i} {}: {reason}", case["name"].as_str().unwrap()))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {}\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn operations_give_keras_s_numbers() {
    check("ops.json");
}

#[test]
fn functions_of_tensorflow_give_its_numbers() {
    check("tf_ops.json");
}

/// What is wrong with the gradients of one case, beside those of TensorFlow.
fn wrong_gradient(case: &Value, expected: &Value) -> Option<String> {
    let expected: Vec<f64> =
        expected.as_array()?.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect();
    let inputs: Vec<Tensor> = case["inputs"].as_array().unwrap().iter().map(tensor).collect();
    let y: Vec<Tensor> = case["outputs"].as_array().unwrap().iter().map(tensor).collect();
    let model = loader().from_bytes(text(&case["model"])).unwrap();
    match gradients::gradients(&model, &inputs, &y, false) {
        Ok(found) => gradients::difference(&found, &inputs, &expected, 1e-4),
        Err(error) => Some(error.to_string()),
    }
}

/// What TensorFlow gives is not the slope: that of another image transformed, and for a colour of
/// which one part is exactly 0 that of no part.
const NO_GRADIENT: [&str; 3] = ["AffineTransform", "PerspectiveTransform", "image.rgb_to_hsv"];

fn check_gradients(cases: &str, gradients: &str) {
    let (cases, expected) = (file(cases), file(gradients));
    let expected = expected.as_array().unwrap();
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), expected.len(), "op_gradients.py makes them");
    let failed: Vec<String> = cases
        .iter()
        .zip(expected)
        .enumerate()
        .filter(|(_, (case, _))| !NO_GRADIENT.contains(&case["name"].as_str().unwrap()))
        .filter_map(|(i, (case, expected))| {
            let reason: String = wrong_gradient(case, expected)?.chars().take(300).collect();
            Some(format!("{i} {}: {reason}", case["name"].as_str().unwrap()))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {}\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn gradients_of_operations_are_tensorflow_s() {
    check_gradients("ops.json", "op_gradients.json");
}

#[test]
fn gradients_of_functions_of_tensorflow_are_its_own() {
    check_gradients("tf_ops.json", "tf_op_gradients.json");
}

/// Each operation that can be loaded has a case, or stands in the list of those that cannot.
#[test]
fn every_operation_has_a_case() {
    let all = file("ops.json");
    let mut named: BTreeSet<&str> =
        all["no_case"].as_object().unwrap().keys().map(String::as_str).collect();
    for case in all["cases"].as_array().unwrap() {
        named.extend(case["operations"].as_array().unwrap().iter().filter_map(Value::as_str));
    }
    let tensorflow = file("tf_ops.json");
    let cases = tensorflow["cases"].as_array().unwrap().iter();
    let called: BTreeSet<&str> =
        cases.flat_map(|case| case["name"].as_str().unwrap().split('+')).collect();
    named.extend(tensorflow_functions().filter(|f| called.contains(f.0)).map(|f| f.1));
    let missing: Vec<_> = OPERATIONS.iter().filter(|name| !named.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
