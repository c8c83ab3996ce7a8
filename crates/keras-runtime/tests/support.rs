//! Fixtures, and how close numbers have to be.

#[allow(dead_code, reason = "the program's own: tests only read")]
#[path = "../../cli/npz.rs"]
mod npz;

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

fn tensor(array: &npz::Array) -> Tensor {
    macro_rules! numbers {
        ($type:ty) => {{
            let (chunks, _) = array.bytes.as_chunks::<{ size_of::<$type>() }>();
            let values = chunks.iter().map(|b| <$type>::from_le_bytes(*b));
            Tensor::new(array.shape.clone(), values.collect::<Vec<_>>()).unwrap()
        }};
    }
    match array.descr.as_str() {
        "<f4" => numbers!(f32),
        "<f8" => numbers!(f64),
        "<i4" => numbers!(i32),
        "<i8" => numbers!(i64),
        "|u1" => numbers!(u8),
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

/// Equal up to `1e-5` of the largest element.
#[track_caller]
pub(crate) fn assert_close(found: &[Tensor], expected: &[Tensor]) {
    assert_close_in("", found, expected);
}

/// The same for one of several cases.
#[track_caller]
pub(crate) fn assert_close_in(case: &str, found: &[Tensor], expected: &[Tensor]) {
    assert_eq!(found.len(), expected.len(), "{case}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.shape(), expected.shape(), "{case} output {i}");
        let (found, expected) = (numbers(found), numbers(expected));
        let scale = expected.iter().fold(1e-6_f64, |m, v| m.max(v.abs()));
        for (at, (a, b)) in found.iter().zip(&expected).enumerate() {
            let same = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-5 * scale;
            assert!(same, "{case} output {i}, element {at}: {a} and {b}");
        }
    }
}
