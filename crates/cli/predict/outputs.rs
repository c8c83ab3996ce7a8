//! Outputs as files.

use std::io::Write;
use std::path::Path;

use clap::ValueEnum;
use keras_runtime::{DType, Data, Tensor};
use serde_json::{Map, Number, Value};

use super::csv;
use crate::arrays;
use crate::error::{Error, Result};

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// Arrays out0, out1... in an archive of NumPy
    Npz,
    /// The only output as an array of NumPy
    Npy,
    /// A line for each sample, a column for each number
    Csv,
    /// An object of nested lists: out0, out1...
    Json,
}

impl Format {
    /// What the ending says.
    pub(super) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("npz") => Ok(Self::Npz),
            Some("npy") => Ok(Self::Npy),
            Some("csv") => Ok(Self::Csv),
            Some("json") => Ok(Self::Json),
            None if path == Path::new("-") => Ok(Self::Json),
            _ => {
                let reason = "the ending must be .npz, .npy, .csv or .json, or --format say it";
                Err(Error::export(path, &reason))
            }
        }
    }
}

/// Writes the outputs to a file, or to `out` for `-`.
pub(super) fn write(
    outputs: &[Tensor],
    path: &Path,
    format: Format,
    out: &mut impl Write,
) -> Result<()> {
    let wrong = |e: String| Error::export(path, &e);
    let bytes = match format {
        Format::Npz => arrays::to_npz(outputs).map_err(wrong)?,
        Format::Npy => match outputs {
            [one] => arrays::to_npy(one).map_err(wrong)?,
            many => {
                return Err(wrong(format!(
                    "the model has {} outputs, .npy holds one; .npz holds all",
                    many.len()
                )));
            }
        },
        Format::Csv => table(outputs).map_err(wrong)?.into_bytes(),
        Format::Json => {
            let named = outputs.iter().enumerate().map(|(i, t)| (format!("out{i}"), json(t)));
            let mut text = serde_json::to_vec(&Value::Object(named.collect::<Map<_, _>>()))?;
            text.push(b'\n');
            text
        }
    };
    if path == Path::new("-") {
        out.write_all(&bytes)?;
        return Ok(());
    }
    std::fs::write(path, bytes).map_err(|e| wrong(e.to_string()))
}

/// One line for each sample; names of the columns in the first.
fn table(outputs: &[Tensor]) -> Result<String, String> {
    let count = |t: &Tensor| t.shape().first().copied();
    let rows = outputs.first().and_then(count).unwrap_or(0);
    if outputs.iter().any(|t| count(t) != Some(rows)) {
        return Err("the outputs have different numbers of rows; .npz holds any".to_owned());
    }
    let widths: Vec<usize> =
        outputs.iter().map(|t| t.len().checked_div(rows).unwrap_or(0)).collect();
    let names = widths.iter().enumerate().flat_map(|(i, width)| {
        (0..*width)
            .map(move |j| if *width == 1 { format!("out{i}") } else { format!("out{i}_{j}") })
    });
    let row = |row: usize| {
        let parts = outputs.iter().zip(&widths);
        parts
            .flat_map(|(t, width)| (row * width..(row + 1) * width).map(|at| text(t, at)))
            .collect()
    };
    Ok(csv::write(std::iter::once(names.collect()).chain((0..rows).map(row))))
}

/// One element in the fewest digits that say it.
pub(super) fn text(tensor: &Tensor, at: usize) -> String {
    macro_rules! element {
        ($($variant:ident),*) => {
            match tensor.data() {
                $(Data::$variant(v) => v.get(at).map(ToString::to_string),)*
            }
        };
    }
    let text = element!(
        Float32, Float64, Float16, BFloat16, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32,
        UInt64, Bool, String
    );
    text.unwrap_or_default()
}

/// A tensor as nested lists. JSON has no infinity and no NaN: these are strings.
pub(crate) fn json(tensor: &Tensor) -> Value {
    let mut at = 0;
    nested(tensor, tensor.shape(), &mut at)
}

fn nested(tensor: &Tensor, shape: &[usize], at: &mut usize) -> Value {
    let Some((length, rest)) = shape.split_first() else {
        let text = text(tensor, *at);
        *at += 1;
        return match tensor.dtype() {
            DType::String => Value::String(text),
            DType::Bool => Value::Bool(text == "true"),
            // The digits as they are: `0.1` of float32 does not become 0.10000000149011612.
            _ => serde_json::from_str::<Number>(&text).map_or(Value::String(text), Value::Number),
        };
    };
    (0..*length).map(|_| nested(tensor, rest, at)).collect()
}
