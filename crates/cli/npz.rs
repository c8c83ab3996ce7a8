//! NumPy's files: `.npy` is a header and the elements, `.npz` a zip of these.
//! Source: `numpy/lib/format.py`, NumPy 2.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::path::Path;

use keras_model::DType;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// An array of NumPy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Array {
    /// NumPy's name of the element type: `<f4`, `<U12`.
    pub(crate) descr: String,
    /// Lengths of the axes.
    pub(crate) shape: Vec<usize>,
    /// The elements, row-major.
    pub(crate) bytes: Vec<u8>,
}

/// The arrays of an archive in its order.
pub(crate) fn read(path: &Path) -> Result<Vec<(String, Array)>, String> {
    read_from(BufReader::new(File::open(path).map_err(|e| e.to_string())?))
}

/// The same for an archive that is open already.
pub(crate) fn read_from(archive: impl Read + Seek) -> Result<Vec<(String, Array)>, String> {
    let mut archive = ZipArchive::new(archive).map_err(|e| e.to_string())?;
    let mut arrays = Vec::with_capacity(archive.len());
    for i in 0..archive.len() {
        let mut member = archive.by_index(i).map_err(|e| e.to_string())?;
        let name = member.name().map_err(|e| e.to_string())?.into_owned();
        let Some(name) = name.strip_suffix(".npy").map(str::to_owned) else { continue };
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
        let array = npy(&bytes).map_err(|e| format!("{name:?} {e}"))?;
        arrays.push((name, array));
    }
    Ok(arrays)
}

/// The arrays `in0`, `in1`... in their order.
pub(crate) fn numbered(arrays: Vec<(String, Array)>, prefix: &str) -> Vec<Array> {
    let numbered = arrays.into_iter().filter_map(|(name, array)| {
        let number: usize = name.strip_prefix(prefix)?.parse().ok()?;
        Some((number, array))
    });
    numbered.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// An `.npy` file.
pub(crate) fn npy(bytes: &[u8]) -> Result<Array, String> {
    let (header, elements) = split(bytes).ok_or("is no array of NumPy")?;
    let after = |key: &str| header.split_once(key).map(|(_, rest)| rest);
    let quoted = |rest: &'_ str| rest.split_once('\'').map(|(text, _)| text.to_owned());
    let descr = after("'descr': '").and_then(quoted).ok_or("has elements of several parts")?;
    let shape = after("'shape': (").and_then(|rest| rest.split_once(')')).ok_or("has no shape")?.0;
    let axes = shape.split(',').map(str::trim).filter(|n| !n.is_empty());
    let shape = axes.map(str::parse).collect::<Result<Vec<usize>, _>>();
    let shape = shape.map_err(|_| "has no shape")?;
    let is_fortran = after("'fortran_order': ").is_some_and(|rest| rest.starts_with("True"));
    let bytes = if is_fortran && shape.len() > 1 {
        row_major(elements, &shape).ok_or("has another size than its shape says")?
    } else {
        elements.to_vec()
    };
    Ok(Array { descr, shape, bytes })
}

/// The header and the elements of an `.npy` file.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => {
            (usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()?, rest)
        }
        _ => return None,
    };
    let (header, elements) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(header).ok()?, elements))
}

/// The elements of an array whose first axis is the fastest, with the last one the fastest.
fn row_major(elements: &[u8], shape: &[usize]) -> Option<Vec<u8>> {
    let count = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d))?;
    let size = elements.len().checked_div(count).unwrap_or(0);
    if size.checked_mul(count)? != elements.len() {
        return None;
    }
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(elements.len());
    for _ in 0..count {
        let place = index.iter().zip(shape).rev().fold(0, |place, (i, n)| place * n + i);
        out.extend_from_slice(elements.get(place * size..(place + 1) * size)?);
        for (i, n) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
    Some(out)
}

/// NumPy's name of an element type. NumPy has none for bfloat16 and the 8-bit floats: these are
/// written as bytes of that size, as NumPy itself does.
pub(crate) fn descr(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::Float16 => "<f2",
        DType::Float32 => "<f4",
        DType::Float64 => "<f8",
        DType::Int4 | DType::Int8 => "|i1",
        DType::Int16 => "<i2",
        DType::Int32 => "<i4",
        DType::Int64 => "<i8",
        DType::UInt8 => "|u1",
        DType::UInt16 => "<u2",
        DType::UInt32 => "<u4",
        DType::UInt64 => "<u8",
        DType::Bool => "|b1",
        DType::BFloat16 => "|V2",
        DType::Float8E4M3Fn | DType::Float8E5M2 => "|V1",
        DType::Complex64 => "<c8",
        DType::Complex128 => "<c16",
        DType::String => return None,
    })
}

/// The header of an array with these elements.
pub(crate) fn header(descr: &str, shape: &[usize]) -> Option<Vec<u8>> {
    const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
    let mut axes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    if let [one] = axes.as_mut_slice() {
        one.push(',');
    }
    let mut text =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", axes.join(", "));
    // The elements start at a multiple of 64 bytes.
    let before = MAGIC.len() + 2;
    let length = (before + text.len() + 1).next_multiple_of(64) - before;
    while text.len() + 1 < length {
        text.push(' ');
    }
    text.push('\n');
    let mut header = MAGIC.to_vec();
    header.extend(u16::try_from(length).ok()?.to_le_bytes());
    header.extend(text.into_bytes());
    Some(header)
}

/// Strings as NumPy holds them, each filled up with zeros: the name of their type, the elements.
pub(crate) fn utf32(elements: &[String]) -> (String, Vec<u8>) {
    let width = elements.iter().map(|s| s.chars().count()).max().unwrap_or(0).max(1);
    let mut bytes = Vec::with_capacity(elements.len() * width * 4);
    for element in elements {
        let characters = element.chars().map(u32::from).chain(std::iter::repeat(0));
        characters.take(width).for_each(|c| bytes.extend(c.to_le_bytes()));
    }
    (format!("<U{width}"), bytes)
}

/// An `.npz` archive under construction, its members stored as they are.
pub(crate) struct NpzWriter<W: Write + Seek> {
    archive: ZipWriter<W>,
}

impl<W: Write + Seek> NpzWriter<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { archive: ZipWriter::new(writer) }
    }

    /// Adds an array; its elements are little-endian and row-major.
    pub(crate) fn array(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &[usize],
        elements: &[u8],
    ) -> Result<(), String> {
        let descr =
            descr(dtype).ok_or_else(|| format!("{name} holds {dtype}, which .npz cannot hold"))?;
        self.member(name, descr, shape, elements)
    }

    /// Adds an array whose elements have NumPy's name `descr`.
    pub(crate) fn member(
        &mut self,
        name: &str,
        descr: &str,
        shape: &[usize],
        elements: &[u8],
    ) -> Result<(), String> {
        let header = header(descr, shape).ok_or_else(|| format!("{name} has too many axes"))?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(u32::try_from(elements.len() + header.len()).is_err());
        self.archive.start_file(format!("{name}.npy"), options).map_err(|e| e.to_string())?;
        self.archive.write_all(&header).map_err(|e| e.to_string())?;
        self.archive.write_all(elements).map_err(|e| e.to_string())
    }

    pub(crate) fn finish(self) -> Result<W, String> {
        self.archive.finish().map_err(|e| e.to_string())
    }
}

#[test]
fn headers_are_numpy_s() {
    let header = header("<f4", &[3]).unwrap();
    assert_eq!(header.len() % 64, 0);
    let text = std::str::from_utf8(&header[10..]).unwrap();
    assert_eq!(text.trim_end(), "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }");
}

#[test]
fn an_array_of_columns_is_turned() {
    let columns = [1_u8, 4, 2, 5, 3, 6]; // of [[1, 2, 3], [4, 5, 6]]
    assert_eq!(row_major(&columns, &[2, 3]).unwrap(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(row_major(&columns, &[2, 4]), None);
}
