//! Outputs for people, in the manner of NumPy.

use std::io::Write;

use keras_runtime::{DType, Data, Tensor};

use crate::error::Result;

/// Elements from which on only the ends of each axis are shown.
const MANY: usize = 1000;
/// Elements shown at each end.
const ENDS: usize = 3;

pub(super) fn print(outputs: &[Tensor], out: &mut impl Write) -> Result<()> {
    for (i, tensor) in outputs.iter().enumerate() {
        writeln!(out, "out{i} {} {:?}", tensor.dtype(), tensor.shape())?;
        let elements = shown(tensor);
        let width = elements.iter().map(|t| t.chars().count()).max().unwrap_or(0);
        let mut elements = elements.into_iter();
        let mut text = String::new();
        lay(tensor.shape(), tensor.len() > MANY, width, 1, &mut elements, &mut text);
        writeln!(out, "{text}")?;
    }
    Ok(())
}

/// The texts of the elements that are shown, in order.
fn shown(tensor: &Tensor) -> Vec<String> {
    let mut places = vec![0];
    for length in tensor.shape() {
        let indices: Vec<usize> = indices(*length, tensor.len() > MANY).flatten().collect();
        places = places.iter().flat_map(|p| indices.iter().map(move |i| p * length + i)).collect();
    }
    if let Data::String(v) = tensor.data() {
        return places.iter().filter_map(|p| v.get(*p)).map(|s| format!("{s:?}")).collect();
    }
    if !tensor.dtype().is_float() {
        return places.iter().map(|p| super::outputs::text(tensor, *p)).collect();
    }
    let values = tensor.cast(DType::Float64).ok();
    let values = values.as_ref().and_then(|t| t.as_slice::<f64>()).unwrap_or_default();
    let values: Vec<f64> = places.iter().filter_map(|p| values.get(*p).copied()).collect();
    let sizes = || values.iter().map(|v| v.abs()).filter(|v| v.is_finite() && *v > 0.0);
    let (least, most) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
    // As NumPy decides: eight digits that matter, an exponent where plain digits would hide them.
    let plain = most == 0.0 || most < 1e8 && least >= 1e-4 && most / least <= 1e3;
    values.iter().map(|v| if plain { format!("{v:.6}") } else { format!("{v:.6e}") }).collect()
}

/// The indices along an axis that are shown; `None` for the gap.
fn indices(length: usize, is_long: bool) -> Box<dyn Iterator<Item = Option<usize>>> {
    if is_long && length > 2 * ENDS {
        let front = (0..ENDS).map(Some);
        return Box::new(front.chain([None]).chain((length - ENDS..length).map(Some)));
    }
    Box::new((0..length).map(Some))
}

fn lay(
    shape: &[usize],
    is_long: bool,
    width: usize,
    depth: usize,
    elements: &mut impl Iterator<Item = String>,
    text: &mut String,
) {
    let Some((length, rest)) = shape.split_first() else {
        let element = elements.next().unwrap_or_default();
        let fill = width.saturating_sub(element.chars().count());
        text.push_str(&" ".repeat(fill));
        text.push_str(&element);
        return;
    };
    text.push('[');
    for (n, index) in indices(*length, is_long).enumerate() {
        if n > 0 && rest.is_empty() {
            text.push(' ');
        } else if n > 0 {
            text.push_str(&"\n".repeat(rest.len()));
            text.push_str(&" ".repeat(depth));
        }
        match index {
            Some(_) => lay(rest, is_long, width, depth + 1, elements, text),
            None => text.push_str("..."),
        }
    }
    text.push(']');
}
