//! Shapes and types of the results of operations: one function per rule, grouped as
//! `keras/src/ops` groups the operations. Source: `compute_output_spec` of each, Keras 3.15.

pub(super) mod elementwise;
pub(super) mod functional;
pub(super) mod image;
pub(super) mod index;
pub(super) mod linalg;
pub(super) mod nn;
pub(super) mod reduce;
pub(super) mod reshape;
pub(super) mod signal;

use serde_json::Value;

use super::Operation;
use crate::{Arg, Call, DType, Dim, Error, KerasTensor, Result, Shape};

/// How the results of an operation follow from its arguments.
pub(super) type Rule = fn(&OpCall<'_>) -> Result<Vec<KerasTensor>>;

/// One call of one operation.
pub(super) struct OpCall<'a> {
    pub op: &'a Operation,
    pub call: &'a Call<'a>,
}

/// Position of an argument that is never positional in a call.
const CONFIG: usize = usize::MAX;

impl<'a> OpCall<'a> {
    /// The first tensor.
    fn x(&self) -> Result<&'a KerasTensor> {
        self.call.input()
    }

    /// The `n`th tensor of the call, lists flattened; a constant may stand in its place.
    fn tensor(&self, n: usize) -> Result<&'a KerasTensor> {
        let tensor = self.call.tensors().get(n).copied();
        tensor.ok_or_else(|| self.unknown())
    }

    /// The result's shape depends on values.
    fn unknown(&self) -> Error {
        let (layer, class) = (self.call.base.name.clone(), self.op.operation.clone());
        Error::NoShape { layer, class }
    }

    fn error(&self, reason: impl Into<String>) -> Error {
        self.call.error(reason)
    }

    /// An argument by name, of the call or of the constructor.
    fn value(&self, name: &str) -> Option<&'a Value> {
        self.op.argument(self.call, name, CONFIG).filter(|v| !v.is_null())
    }

    fn int(&self, name: &str) -> Option<i64> {
        self.value(name)?.as_i64()
    }

    fn flag(&self, name: &str) -> bool {
        self.value(name).and_then(Value::as_bool).unwrap_or(false)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.value(name)?.as_str()
    }

    /// A list of integers, or one integer as a list. What is no integer ends the list.
    fn ints(&self, name: &str) -> Option<Vec<i64>> {
        ints(self.value(name)?)
    }

    fn dtype(&self, name: &str) -> Option<DType> {
        match self.value(name)? {
            Value::String(name) => DType::from_name(name),
            // `{"class_name": "__dtype__", ...}` and the like hold the name.
            other => DType::from_name(other.get("config")?.get("name")?.as_str()?),
        }
    }

    /// The axis counted from the front.
    fn axis_of(&self, shape: &Shape, axis: i64) -> Result<usize> {
        shape.axis(axis).ok_or_else(|| self.error(format!("shape {shape} has no axis {axis}")))
    }

    /// A list argument of the call that may hold numbers where no tensors are: a shape.
    fn dims(&self, name: &str, position: usize) -> Option<Vec<i64>> {
        match self.call.inputs.named(name, position) {
            Some(Arg::Value(value)) => ints(value),
            Some(Arg::List(items)) => {
                items.iter().map(|a| a.value().and_then(Value::as_i64)).collect()
            }
            Some(_) => None,
            None => self.ints(name),
        }
    }

    fn channels_first(&self) -> bool {
        self.text("data_format") == Some("channels_first")
    }
}

/// One result.
fn one(shape: Shape, dtype: DType) -> Vec<KerasTensor> {
    vec![KerasTensor::new(shape, dtype)]
}

fn ints(value: &Value) -> Option<Vec<i64>> {
    match value {
        Value::Number(n) => Some(vec![n.as_i64()?]),
        Value::Array(items) => items.iter().map(Value::as_i64).collect(),
        // A tuple: `{"class_name": "__tuple__", "items": [...]}`.
        Value::Object(map) => ints(map.get("items").or_else(|| map.get("config"))?),
        _ => None,
    }
}

/// A length from a number of the file; negative numbers stand for what is not known.
fn dim(n: i64) -> Dim {
    usize::try_from(n).ok()
}

/// The type that holds both: floats before integers, wide before narrow.
fn promote(a: DType, b: DType) -> DType {
    let rank = |t: DType| match t {
        DType::Complex128 => 60,
        DType::Complex64 => 50,
        t if t.is_float() => 30 + t.size(),
        DType::Bool => 0,
        t => 10 + t.size(),
    };
    if a == b {
        a
    } else if rank(a).abs_diff(rank(b)) == 0 && a.is_float() {
        // float16 and bfloat16 have no common half.
        DType::Float32
    } else if rank(a) >= rank(b) {
        a
    } else {
        b
    }
}

/// The type of a result that is never an integer.
fn floating(dtype: DType) -> DType {
    match dtype {
        t if t.is_float() => t,
        t @ (DType::Complex64 | DType::Complex128) => t,
        DType::Int64 | DType::UInt64 => DType::Float64,
        _ => DType::Float32,
    }
}

/// The results are what the file says where they are used: they depend on code or values.
pub(super) fn declared(op: &OpCall<'_>) -> Result<Vec<KerasTensor>> {
    Err(op.unknown())
}
