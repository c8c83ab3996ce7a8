//! Tensors in NumPy's files.

use std::io::{Cursor, Read, Seek, Write};
use std::path::Path;

use keras_model::DType;
use keras_runtime::{Data, Tensor};

use crate::error::{Error, Result};
use crate::npz::{self, Array, NpzWriter};

/// The arrays of an `.npz` with that prefix and a number, in the order of the numbers.
pub(crate) fn numbered(path: &Path, prefix: &str) -> Result<Vec<Tensor>> {
    let wrong = |reason: String| Error::Input { path: path.to_owned(), reason };
    let arrays = npz::numbered(npz::read(path).map_err(wrong)?, prefix);
    arrays.into_iter().map(|array| tensor(array).map_err(wrong)).collect()
}

/// The only array of an `.npy`, or the arrays of an `.npz` with that prefix and a number.
pub(crate) fn read(path: &Path, prefix: &str) -> Result<Vec<Tensor>> {
    let wrong = |reason: String| Error::Input { path: path.to_owned(), reason };
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy")) {
        let bytes = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
        return single(&bytes).map(|tensor| vec![tensor]).map_err(wrong);
    }
    let arrays = numbered(path, prefix)?;
    if arrays.is_empty() { Err(wrong(format!("has no array {prefix}0"))) } else { Ok(arrays) }
}

/// All arrays of an `.npz` with their names.
pub(crate) fn named(npz: impl Read + Seek) -> Result<Vec<(String, Tensor)>, String> {
    let arrays = npz::read_from(npz)?.into_iter();
    arrays
        .map(|(name, array)| {
            let tensor = tensor(array).map_err(|e| format!("{name}: {e}"))?;
            Ok((name, tensor))
        })
        .collect()
}

/// The array of an `.npy`.
pub(crate) fn single(npy: &[u8]) -> Result<Tensor, String> {
    tensor(npz::npy(npy)?)
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
        descr => Data::String(strings(descr, &array.bytes).ok_or_else(|| {
            format!("elements of type {descr:?} are not supported; astype(\"float32\") helps")
        })?),
    };
    Tensor::from_data(array.shape, data).map_err(|e| e.to_string())
}

/// The strings of an array of type `<U` (UTF-32) or `|S` (bytes), without the zeros that fill them.
fn strings(descr: &str, bytes: &[u8]) -> Option<Vec<String>> {
    let wide = descr.starts_with("<U");
    let width: usize = descr.strip_prefix(if wide { "<U" } else { "|S" })?.parse().ok()?;
    let width = width.checked_mul(if wide { 4 } else { 1 }).filter(|width| *width > 0)?;
    let string = |part: &[u8]| {
        let text = if wide {
            let (characters, _) = part.as_chunks::<4>();
            let characters = characters.iter().map(|c| char::from_u32(u32::from_le_bytes(*c)));
            characters.collect::<Option<String>>()?
        } else {
            String::from_utf8_lossy(part).into_owned()
        };
        Some(text.trim_end_matches('\0').to_owned())
    };
    bytes.chunks_exact(width).map(string).collect()
}

/// Tensors as an `.npz` of `out0`, `out1`...
pub(crate) fn to_npz(outputs: &[Tensor]) -> Result<Vec<u8>, String> {
    let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
    for (i, tensor) in outputs.iter().enumerate() {
        let (descr, bytes) = elements(tensor)?;
        npz.member(&format!("out{i}"), &descr, tensor.shape(), &bytes)?;
    }
    npz.finish().map(Cursor::into_inner)
}

/// A tensor as an `.npy`.
pub(crate) fn to_npy(tensor: &Tensor) -> Result<Vec<u8>, String> {
    let (descr, bytes) = elements(tensor)?;
    let mut npy = npz::header(&descr, tensor.shape()).ok_or_else(|| "too many axes".to_owned())?;
    npy.write_all(&bytes).map_err(|e| e.to_string())?;
    Ok(npy)
}

/// NumPy's name of the elements, and these as they stand in a file: little-endian. NumPy has no
/// bfloat16, so that becomes float32.
fn elements(tensor: &Tensor) -> Result<(String, Vec<u8>), String> {
    macro_rules! numbers {
        ($($variant:ident),*) => {
            match tensor.data() {
                $(Data::$variant(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),)*
                Data::Bool(v) => v.iter().map(|b| u8::from(*b)).collect(),
                Data::String(v) => return Ok(npz::utf32(v)),
                Data::BFloat16(_) => {
                    return elements(&tensor.cast(DType::Float32).map_err(|e| e.to_string())?);
                }
            }
        };
    }
    let bytes = numbers!(
        Float32, Float64, Float16, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64
    );
    let dtype = tensor.dtype();
    let descr = npz::descr(dtype).ok_or_else(|| format!("NumPy cannot hold {dtype}"))?;
    Ok((descr.to_owned(), bytes))
}
