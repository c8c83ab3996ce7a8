//! Complex numbers: a value is the real part and has its imaginary part beside it
//! ([`Builder::imaginary`]), as a value has its mask. What operations make and take such values
//! stands here; all others, and all layers, refuse them.

use keras_model::DType;

use super::signal;
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::{self, Call, OpCall, to_float};
use crate::ops::{Arithmetic, Eig, Function};

/// Operations that move elements or add them up: the same for both parts.
const LINEAR: [&str; 16] = [
    "Add",
    "Concatenate",
    "Copy",
    "ExpandDims",
    "Flip",
    "GetItem",
    "Mean",
    "Negative",
    "Reshape",
    "Slice",
    "Squeeze",
    "Stack",
    "StopGradient",
    "Subtract",
    "Sum",
    "Transpose",
];

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let makes = matches!(name, "Cast" | "ComplexOf" | "Fft" | "Polar" | "Stft" | "ViewAsComplex");
    if name == "Eig" {
        let x = c.x(b)?;
        let x = to_float(b, x)?;
        let [re, im, vectors_re, vectors_im] = *b.ops(Eig, &[x])? else { return Ok(None) };
        return Ok(Some(vec![complex(b, [re, im])?, complex(b, [vectors_re, vectors_im])?]));
    }
    if let Some(parts) = made(c, name, b)? {
        return complex(b, parts).map(|y| Some(vec![y]));
    }
    let tensors = c.call.tensors();
    if makes || tensors.iter().all(|v| b.imaginary(*v).is_none()) {
        return Ok(None);
    }
    if LINEAR.contains(&name) {
        return linear(c, b).map(Some);
    }
    let Some(parts) = parts(b, tensors.first().copied()) else {
        return Err(b.unsupported("a complex number in that place"));
    };
    let [real, imaginary] = parts;
    let y = match name {
        "Absolute" | "Abs" => b.binary(Arithmetic::Hypot, real, imaginary)?,
        "Angle" => b.binary(Arithmetic::Atan2, imaginary, real)?,
        "Real" => b.identity(real)?,
        "Imag" => b.identity(imaginary)?,
        "Conj" | "Conjugate" => {
            let imaginary = b.unary(Function::Neg, imaginary)?;
            complex(b, [real, imaginary])?
        }
        "Square" => times(b, parts, parts)?,
        "Multiply" => {
            let [_, other] = c.pair(b)?;
            let other = match b.imaginary(other) {
                Some(imaginary) => [other, imaginary],
                None => [other, zeros(b, other)?],
            };
            times(b, parts, other)?
        }
        "ViewAsReal" => {
            let last = b.rank(real);
            let (real, imaginary) = (b.expand(real, last)?, b.expand(imaginary, last)?);
            b.concat(&[real, imaginary], last)?
        }
        _ => return Err(b.unsupported("an operation on complex numbers")),
    };
    Ok(Some(vec![y]))
}

/// The parts of what an operation makes of real numbers, or `fft` of both.
fn made(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>) -> Result<Option<[Value; 2]>> {
    Ok(Some(match name {
        "Polar" => {
            let [length, angle] = named_pair(c, b, ["abs_", "angle"])?;
            let (cos, sin) = (b.unary(Function::Cos, angle)?, b.unary(Function::Sin, angle)?);
            [b.mul(length, cos)?, b.mul(length, sin)?]
        }
        "ComplexOf" => named_pair(c, b, ["real", "imag"])?,
        "ViewAsComplex" => {
            let x = c.x(b)?;
            let last = b.axis(x, -1)?;
            [b.at(x, last, 0)?, b.at(x, last, 1)?]
        }
        "Cast" if c.dtype("dtype", 1) == Some(DType::Complex64) => {
            let x = c.x(b)?;
            if b.imaginary(x).is_some() {
                return Ok(None);
            }
            let x = to_float(b, x)?;
            [x, zeros(b, x)?]
        }
        "Fft" => {
            let x = c.x(b)?;
            let parts = parts(b, Some(x)).ok_or_else(|| b.error("takes complex numbers"))?;
            signal::transform(b, parts, -1, false)?
        }
        "Stft" => signal::tensorflow_stft(c, b)?,
        _ => return Ok(None),
    }))
}

fn named_pair(c: &OpCall<'_>, b: &mut Builder<'_>, names: [&str; 2]) -> Result<[Value; 2]> {
    let first = c.operand(b, &names[..1], 0, None)?;
    let second = c.operand(b, &names[1..], 1, None)?;
    let (Some(first), Some(second)) = (first, second) else {
        return Err(b.error("takes two arguments"));
    };
    Ok([to_float(b, first)?, to_float(b, second)?])
}

fn parts(b: &Builder<'_>, x: Option<Value>) -> Option<[Value; 2]> {
    Some([x?, b.imaginary(x?)?])
}

fn zeros(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    let shape = b.shape(x).to_vec();
    b.full(shape, 0.0, b.dtype(x))
}

/// One value of two parts; what the parts were before they stay.
fn complex(b: &mut Builder<'_>, [real, imaginary]: [Value; 2]) -> Result<Value> {
    let (real, imaginary) = (b.identity(real)?, b.identity(imaginary)?);
    b.set_imaginary(real, imaginary);
    Ok(real)
}

fn times(b: &mut Builder<'_>, [a, i]: [Value; 2], [c, k]: [Value; 2]) -> Result<Value> {
    let (ac, ik, ak, ic) = (b.mul(a, c)?, b.mul(i, k)?, b.mul(a, k)?, b.mul(i, c)?);
    let parts = [b.sub(ac, ik)?, b.add(ak, ic)?];
    complex(b, parts)
}

fn linear(c: &OpCall<'_>, b: &mut Builder<'_>) -> Result<Vec<Value>> {
    let part = |b: &mut Builder<'_>, is_real: bool| {
        let inputs = c.call.inputs.map(&mut |value: &Value| match b.imaginary(*value) {
            Some(_) if is_real => b.identity(*value),
            Some(imaginary) => Ok(imaginary),
            None if is_real => Ok(*value),
            None => zeros(b, *value),
        })?;
        let call = Call { base: c.call.base, inputs };
        operation::lower(c.op, b, &call)
    };
    let (real, imaginary) = (part(b, true)?, part(b, false)?);
    real.into_iter().zip(imaginary).map(|(r, i)| complex(b, [r, i])).collect()
}
