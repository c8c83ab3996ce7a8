//! `keras-model predict`: the outputs for given inputs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use keras_model::DType;
use keras_runtime::{Data, Model, Tensor};

use crate::error::{Error, Result};
use crate::model::ModelArgs;
use crate::npz::{self, Array, NpzWriter};

#[derive(Args)]
pub(crate) struct Predict {
    #[command(flatten)]
    model: ModelArgs,
    /// The inputs: an `.npz` with arrays in0, in1... in the model's order
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Where the outputs go: an `.npz` with arrays out0, out1...
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Samples that are computed at a time; all at once by default
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
}

impl Predict {
    pub(crate) fn run(&self, _out: &mut impl Write) -> Result<ExitCode> {
        let model = Model::from_file(self.model.load()?)?;
        let inputs = read(&self.input, "in")?;
        let outputs = match self.batch_size {
            Some(size) => model.predict_batches(&inputs, size)?,
            None => model.predict(&inputs)?,
        };
        write(&self.output, &outputs)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The arrays of an `.npz` with that prefix and a number.
pub(crate) fn read(path: &Path, prefix: &str) -> Result<Vec<Tensor>> {
    let wrong = |reason: String| Error::Input { path: path.to_owned(), reason };
    let arrays = npz::numbered(npz::read(path).map_err(wrong)?, prefix);
    arrays.into_iter().map(|array| tensor(array).map_err(wrong)).collect()
}

/// An array of NumPy as a tensor.
fn tensor(array: Array) -> Result<Tensor, String> {
    macro_rules! numbers {
        ($variant:ident, $type:ty) => {{
            let (chunks, _) = array.bytes.as_chunks::<{ size_of::<$type>() }>();
            Data::$variant(chunks.iter().map(|b| <$type>::from_le_bytes(*b)).collect())
        }};
    }
    let data = match array.descr.as_str() {
        "<f4" => numbers!(Float32, f32),
        "<f8" => numbers!(Float64, f64),
        "<f2" => numbers!(Float16, half::f16),
        "|i1" => numbers!(Int8, i8),
        "<i2" => numbers!(Int16, i16),
        "<i4" => numbers!(Int32, i32),
        "<i8" => numbers!(Int64, i64),
        "|u1" => numbers!(UInt8, u8),
        "<u2" => numbers!(UInt16, u16),
        "<u4" => numbers!(UInt32, u32),
        "<u8" => numbers!(UInt64, u64),
        "|b1" => Data::Bool(array.bytes.iter().map(|b| *b != 0).collect()),
        descr => Data::String(
            strings(descr, &array)
                .ok_or_else(|| format!("elements of type {descr:?} are not supported"))?,
        ),
    };
    Tensor::from_data(array.shape, data).map_err(|e| e.to_string())
}

/// The strings of an array of type `<U` (UTF-32) or `|S` (bytes), without the zeros that fill them.
fn strings(descr: &str, array: &Array) -> Option<Vec<String>> {
    let wide = descr.starts_with("<U");
    let width: usize = descr.strip_prefix(if wide { "<U" } else { "|S" })?.parse().ok()?;
    let count = array.shape.iter().product();
    if width == 0 {
        return Some(vec![String::new(); count]);
    }
    let bytes = if wide { width * 4 } else { width };
    let string = |part: &[u8]| {
        if !wide {
            let text = String::from_utf8_lossy(part);
            return Some(text.trim_end_matches('\0').to_owned());
        }
        let (characters, _) = part.as_chunks::<4>();
        let text: Option<String> =
            characters.iter().map(|c| char::from_u32(u32::from_le_bytes(*c))).collect();
        text.map(|t| t.trim_end_matches('\0').to_owned())
    };
    array.bytes.chunks_exact(bytes).map(string).collect()
}

/// Writes tensors as `out0`, `out1`...; NumPy has no bfloat16, so that becomes float32.
fn write(path: &Path, outputs: &[Tensor]) -> Result<()> {
    let wrong = |e: String| Error::export(path, &e);
    let file = File::create(path).map_err(|e| wrong(e.to_string()))?;
    let mut npz = NpzWriter::new(BufWriter::new(file));
    for (i, tensor) in outputs.iter().enumerate() {
        let name = format!("out{i}");
        let cast;
        let tensor = if tensor.dtype() == DType::BFloat16 {
            cast = tensor.cast(DType::Float32)?;
            &cast
        } else {
            tensor
        };
        if let Data::String(strings) = tensor.data() {
            npz.strings(&name, tensor.shape(), strings).map_err(wrong)?;
            continue;
        }
        npz.array(&name, tensor.dtype(), tensor.shape(), &bytes(tensor.data())).map_err(wrong)?;
    }
    npz.finish().and_then(|mut w| w.flush().map_err(|e| e.to_string())).map_err(wrong)
}

/// The elements as they stand in a file: little-endian.
fn bytes(data: &Data) -> Vec<u8> {
    macro_rules! numbers {
        ($($variant:ident),*) => {
            match data {
                $(Data::$variant(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),)*
                Data::Bool(v) => v.iter().map(|b| u8::from(*b)).collect(),
                Data::String(_) => Vec::new(),
            }
        };
    }
    numbers!(
        Float32, Float64, Float16, BFloat16, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32,
        UInt64
    )
}
