//! Weights as `.npz` or `.safetensors`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use bytes::Bytes;
use keras_model::{DType, Weight};
use safetensors::{Dtype, View};

use crate::error::{Error, Result};
use crate::npz::NpzWriter;

/// Writes the weights under their paths, in order; the ending of `path` says the format.
pub(crate) fn write(path: &Path, weights: &[Weight]) -> Result<()> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("npz") => npz(path, weights),
        Some("safetensors") => safetensors(path, weights),
        _ => Err(Error::export(path, &"the ending must be .npz or .safetensors")),
    }
}

/// A name for each weight. Layers of different models can have the same; theirs get a number.
fn names(weights: &[Weight]) -> Vec<String> {
    let mut seen = HashSet::new();
    let unique = |weight: &Weight| {
        let numbered = (1_u32..).map(|n| format!("{}_{n}", weight.path));
        std::iter::once(weight.path.clone())
            .chain(numbered)
            .find(|name| seen.insert(name.clone()))
            .unwrap_or_default()
    };
    weights.iter().map(unique).collect()
}

fn npz(path: &Path, weights: &[Weight]) -> Result<()> {
    let wrong = |e: &dyn ToString| Error::export(path, e);
    let file = File::create(path).map_err(|e| wrong(&e))?;
    let mut npz = NpzWriter::new(BufWriter::new(file));
    for (name, weight) in names(weights).iter().zip(weights) {
        let dtype = weight.stored_dtype().unwrap_or(weight.dtype);
        npz.array(name, dtype, &weight.shape, &weight.bytes()?).map_err(|e| wrong(&e))?;
    }
    npz.finish().and_then(|mut w| w.flush().map_err(|e| e.to_string())).map_err(|e| wrong(&e))
}

fn safetensors(path: &Path, weights: &[Weight]) -> Result<()> {
    let wrong = |e: &dyn ToString| Error::export(path, e);
    let mut tensors = Vec::with_capacity(weights.len());
    for (name, weight) in names(weights).into_iter().zip(weights) {
        let dtype = match weight.stored_dtype().unwrap_or(weight.dtype) {
            DType::Float16 => Dtype::F16,
            DType::BFloat16 => Dtype::BF16,
            DType::Float32 => Dtype::F32,
            DType::Float64 => Dtype::F64,
            DType::Float8E4M3Fn => Dtype::F8_E4M3,
            DType::Float8E5M2 => Dtype::F8_E5M2,
            DType::Int8 | DType::Int4 => Dtype::I8,
            DType::Int16 => Dtype::I16,
            DType::Int32 => Dtype::I32,
            DType::Int64 => Dtype::I64,
            DType::UInt8 => Dtype::U8,
            DType::UInt16 => Dtype::U16,
            DType::UInt32 => Dtype::U32,
            DType::UInt64 => Dtype::U64,
            DType::Bool => Dtype::BOOL,
            other => {
                return Err(wrong(&format!(
                    "{name} holds {other}, which .safetensors cannot hold"
                )));
            }
        };
        let bytes = weight.bytes()?;
        tensors.push((name, Tensor { dtype, shape: &weight.shape, bytes }));
    }
    safetensors::serialize_to_file(tensors, None, path).map_err(|e| wrong(&e))
}

struct Tensor<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    bytes: Bytes,
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
