//! Fixtures, and how close numbers have to be.

#[allow(dead_code, reason = "the program's own: tests only read")]
#[path = "../../cli/npz.rs"]
mod npz;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use keras_runtime::{DType, Tensor};

/// A file of `fixtures/models/`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models").join(name)
}

/// The arrays `in0`, `in1`... of a fixture.
pub(crate) fn arrays(stem: &str, prefix: &str) -> Vec<Tensor> {
    let all = npz::read(&fixture(&format!("{stem}.npz"))).unwrap();
    npz::numbered(all, prefix).iter().map(tensor).collect()
}

/// The arrays of `fixtures/gradients.npz`: by class and name of the layer.
pub(crate) fn gradient_values() -> BTreeMap<String, Tensor> {
    named("../gradients.npz")
}

/// The arrays of `fixtures/model_gradients.npz`: by stem.
pub(crate) fn model_gradient_values() -> BTreeMap<String, Tensor> {
    named("../model_gradients.npz")
}

/// The arrays of a file beside the models.
pub(crate) fn named(file: &str) -> BTreeMap<String, Tensor> {
    let all = npz::read(&fixture(file)).unwrap();
    all.iter().map(|(name, array)| (name.clone(), tensor(array))).collect()
}

/// The arrays of `fixtures/layers.npz`: by class and name of the layer and `in`, `w` or `out`.
pub(crate) fn layer_values() -> BTreeMap<String, Vec<Tensor>> {
    let mut values: BTreeMap<String, Vec<(usize, Tensor)>> = BTreeMap::new();
    for (name, array) in npz::read(&fixture("../layers.npz")).unwrap() {
        let key = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = name[key.len()..].parse().unwrap();
        values.entry(key.to_owned()).or_default().push((number, tensor(&array)));
    }
    let in_order = |(key, mut arrays): (_, Vec<(usize, Tensor)>)| {
        arrays.sort_by_key(|a| a.0);
        (key, arrays.into_iter().map(|a| a.1).collect())
    };
    values.into_iter().map(in_order).collect()
}

fn tensor(array: &npz::Array) -> Tensor {
    macro_rules! numbers {
        ($type:ty) => {{
            let (chunks, _) = array.bytes.as_chunks::<{ size_of::<$type>() }>();
            let values = chunks.iter().map(|b| <$type>::from_le_bytes(*b));
            Tensor::new(array.shape.clone(), values.collect::<Vec<_>>()).unwrap()
        }};
    }
    match array.descr.as_str() {
        "<f2" => numbers!(half::f16),
        "<f4" => numbers!(f32),
        "<f8" => numbers!(f64),
        "|i1" => numbers!(i8),
        "<i2" => numbers!(i16),
        "<i4" => numbers!(i32),
        "<i8" => numbers!(i64),
        "|u1" => numbers!(u8),
        "<u2" => numbers!(u16),
        "<u4" => numbers!(u32),
        "<u8" => numbers!(u64),
        "|b1" => {
            let values: Vec<bool> = array.bytes.iter().map(|b| *b != 0).collect();
            Tensor::new(array.shape.clone(), values).unwrap()
        }
        text if text.starts_with("<U") => {
            let width = text[2..].parse::<usize>().unwrap() * 4;
            let word = |bytes: &[u8]| -> String {
                let (chars, _) = bytes.as_chunks::<4>();
                let chars = chars.iter().map(|b| char::from_u32(u32::from_le_bytes(*b)).unwrap());
                chars.take_while(|c| *c != '\0').collect()
            };
            let values: Vec<String> = array.bytes.chunks(width.max(4)).map(word).collect();
            Tensor::new(array.shape.clone(), values).unwrap()
        }
        other => panic!("no test reads {other}"),
    }
}

/// The elements as numbers that can be compared.
pub(crate) fn numbers(tensor: &Tensor) -> Vec<f64> {
    match tensor.cast(DType::Float64).unwrap().as_slice::<f64>() {
        Some(values) => values.to_vec(),
        None => panic!("cast gives what it is asked for"),
    }
}

/// What is not within `tolerance` of the largest element, if there is something.
pub(crate) fn difference(found: &[Tensor], expected: &[Tensor], tolerance: f64) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{} outputs, {} expected", found.len(), expected.len()));
    }
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        if found.shape() != expected.shape() {
            let (found, expected) = (found.shape(), expected.shape());
            return Some(format!("output {i} of shape {found:?}, {expected:?} expected"));
        }
        if found.dtype() == DType::String || expected.dtype() == DType::String {
            if found != expected {
                return Some(format!("output {i}: {found:?}, {expected:?} expected"));
            }
            continue;
        }
        let (found, expected) = (numbers(found), numbers(expected));
        let scale =
            expected.iter().fold(1e-6_f64, |m, v| if v.is_finite() { m.max(v.abs()) } else { m });
        for (at, (a, b)) in found.iter().zip(&expected).enumerate() {
            let same = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * scale;
            if !same {
                return Some(format!("output {i}, element {at}: {a}, {b} expected"));
            }
        }
    }
    None
}

/// Equal up to `1e-5` of the largest element.
#[track_caller]
pub(crate) fn assert_close(found: &[Tensor], expected: &[Tensor]) {
    assert_close_in("", found, expected);
}

/// The same for one of several cases.
#[track_caller]
pub(crate) fn assert_close_in(case: &str, found: &[Tensor], expected: &[Tensor]) {
    let difference = difference(found, expected, 1e-5);
    assert!(difference.is_none(), "{case} {}", difference.unwrap_or_default());
}
