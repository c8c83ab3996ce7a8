//! Operations element by element.

use keras_model::DType;

use super::{arrays, losses};
use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::operation::{OpCall, to_float};
use crate::ops::{Arithmetic, Bits, Connective, Function, Relation};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    if let Some(function) = function(c, name) {
        let x = c.x(b)?;
        let x = to_float(b, x)?;
        return Ok(Some(vec![b.unary(function, x)?]));
    }
    if let Some(function) = any_number(name) {
        let x = c.x(b)?;
        let x = if b.dtype(x) == DType::Bool { b.cast(x, DType::Int32)? } else { x };
        return Ok(Some(vec![b.unary(function, x)?]));
    }
    if let Some((how, kind)) = arithmetic(name) {
        let [mut x, mut y] = c.pair(b)?;
        let both_bool = b.dtype(x) == DType::Bool && b.dtype(y) == DType::Bool;
        let floats = b.dtype(x).is_float() || b.dtype(y).is_float();
        if kind == Kind::Float && !floats {
            // TensorFlow divides wide integers in `float64`.
            let is_wide = !b.is_keras3() && how == Arithmetic::Div && b.dtype(x).size() >= 4;
            let float = if is_wide { DType::Float64 } else { DType::Float32 };
            (x, y) = (b.cast(x, float)?, b.cast(y, float)?);
        } else if both_bool {
            (x, y) = (b.cast(x, DType::Int32)?, b.cast(y, DType::Int32)?);
        }
        let z = b.binary(how, x, y)?;
        // Sums and products of truth values are truth values.
        let truth = both_bool && matches!(how, Arithmetic::Add | Arithmetic::Mul);
        return Ok(Some(vec![if truth { b.cast(z, DType::Bool)? } else { z }]));
    }
    if let Some(relation) = relation(name) {
        let [x, y] = c.pair(b)?;
        return Ok(Some(vec![b.compare(relation, x, y)?]));
    }
    let connective = match name {
        "LogicalAnd" => Some(Connective::And),
        "LogicalOr" => Some(Connective::Or),
        "LogicalXor" => Some(Connective::Xor),
        _ => None,
    };
    if let Some(connective) = connective {
        let [x, y] = c.pair(b)?;
        return Ok(Some(vec![b.logic(connective, x, y)?]));
    }
    other(c, name, b)
}

#[derive(PartialEq)]
enum Kind {
    Same,
    Float,
}

fn function(c: &OpCall<'_>, name: &str) -> Option<Function> {
    let number = |name: &str, default: f64| c.float(name, 1).unwrap_or(default);
    Some(match name {
        "Arccos" => Function::Acos,
        "Arccosh" => Function::Acosh,
        "Arcsin" => Function::Asin,
        "Arcsinh" => Function::Asinh,
        "Arctan" => Function::Atan,
        "Arctanh" => Function::Atanh,
        "Cbrt" => Function::Cbrt,
        "Cos" => Function::Cos,
        "Cosh" => Function::Cosh,
        "Erf" => Function::Erf,
        "Erfc" => Function::Erfc,
        "Erfinv" => Function::Erfinv,
        "Exp" => Function::Exp,
        "Exp2" => Function::Exp2,
        "Expm1" => Function::Expm1,
        "I0" => Function::BesselI0,
        "Log" => Function::Log,
        "Log10" => Function::Log10,
        "Log1p" => Function::Log1p,
        "Log2" => Function::Log2,
        "Reciprocal" => Function::Reciprocal,
        "Rsqrt" => Function::Rsqrt,
        "Sin" => Function::Sin,
        "Sinc" => Function::Sinc,
        "Sinh" => Function::Sinh,
        "Sqrt" => Function::Sqrt,
        "Tan" => Function::Tan,
        "Tanh" => Function::Tanh,
        "Sigmoid" => Function::Sigmoid,
        "SparseSigmoid" => Function::SparseSigmoid,
        "Softplus" => Function::Softplus,
        "Softsign" => Function::Softsign,
        "SoftShrink" => Function::SoftShrink(number("threshold", 0.5)),
        "SparsePlus" => Function::SparsePlus,
        "Silu" if c.float("beta", 1).is_none_or(|beta| beta == 1.0) => Function::Silu,
        "Squareplus" => Function::Squareplus(number("b", 4.0)),
        "LogSigmoid" => Function::LogSigmoid,
        "LeakyRelu" => Function::LeakyRelu(number("negative_slope", 0.2)),
        "HardSigmoid" => Function::HardSigmoid,
        "HardSilu" => Function::HardSilu,
        "Elu" => Function::Elu(number("alpha", 1.0)),
        "Selu" => Function::Selu,
        // Keras writes the flag; TensorFlow's function of that name is exact without it.
        "Gelu" if c.flag("approximate", 1) => Function::GeluTanh,
        "Gelu" => Function::Gelu,
        "Celu" => Function::Celu(number("alpha", 1.0)),
        "TanhShrink" => Function::TanhShrink,
        "HardTanh" => Function::HardTanh,
        "HardShrink" => Function::HardShrink(number("threshold", 0.5)),
        "Threshold" => Function::Threshold(
            c.float("threshold", 1).unwrap_or(0.0),
            c.float("default_value", 2).or_else(|| c.float("value", 2)).unwrap_or(0.0),
        ),
        "Lgamma" => Function::Lgamma,
        "Digamma" => Function::Digamma,
        "Ceil" => Function::Ceil,
        "Floor" => Function::Floor,
        _ => return None,
    })
}

fn any_number(name: &str) -> Option<Function> {
    Some(match name {
        "Absolute" | "Abs" | "Fabs" => Function::Abs,
        "Negative" => Function::Neg,
        "Sign" => Function::Sign,
        "Square" => Function::Square,
        "Trunc" => Function::Trunc,
        _ => return None,
    })
}

fn arithmetic(name: &str) -> Option<(Arithmetic, Kind)> {
    use Kind::{Float, Same};
    Some(match name {
        "Add" => (Arithmetic::Add, Same),
        "Subtract" => (Arithmetic::Sub, Same),
        "Multiply" => (Arithmetic::Mul, Same),
        "Divide" | "TrueDivide" => (Arithmetic::Div, Float),
        "DivideNoNan" => (Arithmetic::DivNoNan, Float),
        "FloorDivide" => (Arithmetic::FloorDiv, Same),
        "Mod" => (Arithmetic::Mod, Same),
        "Fmod" => (Arithmetic::Fmod, Same),
        "Power" => (Arithmetic::Pow, Same),
        "Maximum" => (Arithmetic::Max, Same),
        "Minimum" => (Arithmetic::Min, Same),
        "Fmax" => (Arithmetic::Fmax, Same),
        "Fmin" => (Arithmetic::Fmin, Same),
        "SquaredDifference" => (Arithmetic::SquaredDifference, Same),
        "Arctan2" => (Arithmetic::Atan2, Float),
        "Hypot" => (Arithmetic::Hypot, Float),
        "Logaddexp" => (Arithmetic::LogAddExp, Float),
        "Ldexp" => (Arithmetic::Ldexp, Float),
        "Gcd" => (Arithmetic::Gcd, Same),
        "Lcm" => (Arithmetic::Lcm, Same),
        "BitwiseAnd" => (Arithmetic::And, Same),
        "BitwiseOr" => (Arithmetic::Or, Same),
        "BitwiseXor" => (Arithmetic::Xor, Same),
        "BitwiseLeftShift" | "LeftShift" => (Arithmetic::ShiftLeft, Same),
        "BitwiseRightShift" | "RightShift" => (Arithmetic::ShiftRight, Same),
        _ => return None,
    })
}

fn relation(name: &str) -> Option<Relation> {
    Some(match name {
        "Equal" => Relation::Equal,
        "NotEqual" => Relation::NotEqual,
        "Less" => Relation::Less,
        "LessEqual" => Relation::LessEqual,
        "Greater" => Relation::Greater,
        "GreaterEqual" => Relation::GreaterEqual,
        _ => return None,
    })
}

fn other(c: &OpCall<'_>, name: &str, b: &mut Builder<'_>) -> Result<Option<Vec<Value>>> {
    let y = match name {
        "StopGradient" | "Copy" | "ConvertToTensor" | "Conj" | "Conjugate" | "Real" | "Array" => {
            let x = c.x(b)?;
            match c.dtype("dtype", 1) {
                Some(dtype) => b.cast(x, dtype)?,
                None if name == "StopGradient" => b.stop_gradient(x)?,
                None => x,
            }
        }
        "Cast" | "SaturateCast" => {
            let x = c.x(b)?;
            let dtype = c.dtype("dtype", 1).ok_or_else(|| b.error("has no dtype"))?;
            if name == "Cast" { b.cast(x, dtype)? } else { arrays::saturated(b, x, dtype)? }
        }
        "Imag" | "ZerosLike" | "EmptyLike" | "OnesLike" | "FullLike" => {
            let x = c.x(b)?;
            let dtype = c.dtype("dtype", 1).unwrap_or(b.dtype(x));
            let value = match name {
                "OnesLike" => 1.0,
                "FullLike" => c.float("fill_value", 1).unwrap_or(0.0),
                _ => 0.0,
            };
            let shape = b.shape(x).to_vec();
            b.full(shape, value, dtype)?
        }
        "Relu" | "Relu6" => {
            let x = c.x(b)?;
            let x = if b.dtype(x) == DType::Bool { b.cast(x, DType::Float32)? } else { x };
            let x = b.with_number(Arithmetic::Max, x, 0.0)?;
            if name == "Relu6" { b.with_number(Arithmetic::Min, x, 6.0)? } else { x }
        }
        "Clip" => {
            let mut x = c.x(b)?;
            let dtype = b.dtype(x);
            if let Some(low) = c.operand(b, &["x_min"], 1, Some(dtype))? {
                x = b.binary(Arithmetic::Max, x, low)?;
            }
            if let Some(high) = c.operand(b, &["x_max"], 2, Some(dtype))? {
                x = b.binary(Arithmetic::Min, x, high)?;
            }
            x
        }
        "Round" => {
            let x = c.x(b)?;
            let scale = 10_f64.powi(c.int("decimals", 1).unwrap_or(0) as i32);
            let scaled = if scale == 1.0 { x } else { b.scale(x, scale)? };
            let whole = b.unary(Function::Round, scaled)?;
            if scale == 1.0 { whole } else { b.with_number(Arithmetic::Div, whole, scale)? }
        }
        "Deg2rad" | "Rad2deg" => {
            let x = c.x(b)?;
            let x = to_float(b, x)?;
            let degree = std::f64::consts::PI / 180.0;
            b.scale(x, if name == "Deg2rad" { degree } else { 1.0 / degree })?
        }
        "Silu" => {
            let x = c.x(b)?;
            let scaled = b.scale(x, c.float("beta", 1).unwrap_or(1.0))?;
            let share = b.unary(Function::Sigmoid, scaled)?;
            b.mul(x, share)?
        }
        "Nextafter" => {
            let [x, y] = c.pair(b)?;
            let (x, y) = (to_float(b, x)?, to_float(b, y)?);
            let (x, y) = b.same_type(x, y)?;
            let dtype = b.dtype(x);
            // Keras steps in `float64`, so that `float32` mostly stays where it is.
            let wide = if b.is_keras3() { DType::Float64 } else { dtype };
            let (x, y) = (b.cast(x, wide)?, b.cast(y, wide)?);
            let z = b.binary(Arithmetic::Nextafter, x, y)?;
            b.cast(z, dtype)?
        }
        "View" => {
            let x = c.x(b)?;
            let dtype = c.dtype("dtype", 1).unwrap_or(b.dtype(x));
            if !b.is_keras3() && dtype.size() != b.dtype(x).size() {
                return Err(b.unsupported("tf.bitcast to a type of another size"));
            }
            b.op(Bits { dtype }, &[x])?
        }
        "LogicalNot" => {
            let x = c.x(b)?;
            b.not(x)?
        }
        "BitwiseInvert" | "BitwiseNot" => {
            let x = c.x(b)?;
            let x = b.unary(Function::Neg, x)?;
            b.with_number(Arithmetic::Sub, x, 1.0)?
        }
        "Isnan" | "Isinf" | "Isfinite" | "Isposinf" | "Isneginf" => {
            let x = c.x(b)?;
            let x = to_float(b, x)?;
            match name {
                "Isnan" | "Isinf" => {
                    let f = if name == "Isnan" { Function::IsNan } else { Function::IsInf };
                    let y = b.unary(f, x)?;
                    b.cast(y, DType::Bool)?
                }
                "Isfinite" => {
                    let x = b.unary(Function::Abs, x)?;
                    b.compare_number(Relation::Less, x, f64::INFINITY)?
                }
                "Isposinf" => b.compare_number(Relation::Equal, x, f64::INFINITY)?,
                _ => b.compare_number(Relation::Equal, x, f64::NEG_INFINITY)?,
            }
        }
        "Signbit" => {
            let x = c.x(b)?;
            arrays::is_minus(b, x)?
        }
        "Isclose" => losses::close(c, b, 2)?,
        "AllClose" => losses::all_close(c, b)?,
        "NanToNum" => {
            let x = c.x(b)?;
            let most = if b.dtype(x) == DType::Float64 { f64::MAX } else { f64::from(f32::MAX) };
            let high = c.float("posinf", 2).unwrap_or(most);
            let low = c.float("neginf", 3).unwrap_or(-most);
            let nan = c.float("nan", 1).unwrap_or(0.0);
            let is_nan = b.unary(Function::IsNan, x)?;
            let is_high = b.compare_number(Relation::Equal, x, f64::INFINITY)?;
            let is_low = b.compare_number(Relation::Equal, x, f64::NEG_INFINITY)?;
            let dtype = b.dtype(x);
            let (high, low) = (b.scalar(high, dtype)?, b.scalar(low, dtype)?);
            let nan = b.scalar(nan, dtype)?;
            let x = b.select(is_high, high, x)?;
            let x = b.select(is_low, low, x)?;
            b.select(is_nan, nan, x)?
        }
        "Heaviside" => {
            let [x, y] = c.pair(b)?;
            let (x, y) = (to_float(b, x)?, to_float(b, y)?);
            let positive = b.compare_number(Relation::Greater, x, 0.0)?;
            let positive = b.cast(positive, b.dtype(x))?;
            let zero = b.compare_number(Relation::Equal, x, 0.0)?;
            b.select(zero, y, positive)?
        }
        "Logaddexp2" => {
            let [x, y] = c.pair(b)?;
            let (x, y) = (to_float(b, x)?, to_float(b, y)?);
            let ln2 = std::f64::consts::LN_2;
            let (x, y) = (b.scale(x, ln2)?, b.scale(y, ln2)?);
            let z = b.binary(Arithmetic::LogAddExp, x, y)?;
            b.scale(z, 1.0 / ln2)?
        }
        "Where" => {
            let condition = c.operand(b, &["condition"], 0, None)?;
            let tensors = c.call.tensors();
            let like = tensors.get(1).map(|v| b.dtype(*v));
            let x = c.operand(b, &["x1"], 1, like)?;
            let y = c.operand(b, &["x2"], 2, like)?;
            let (Some(condition), Some(x), Some(y)) = (condition, x, y) else {
                return Err(b.error("takes a condition and two values"));
            };
            b.select(condition, x, y)?
        }
        "Select" => {
            let lists = [c.call.inputs.named("condlist", 0), c.call.inputs.named("choicelist", 1)];
            let lists = lists.map(|list| match list {
                Some(keras_model::Arg::List(items)) => {
                    items.iter().filter_map(|a| a.tensor().copied()).collect()
                }
                _ => Vec::new(),
            });
            let [conditions, choices] = lists;
            let like = choices.first().map(|v| b.dtype(*v));
            let mut y = match c.operand(b, &["default"], 2, like)? {
                Some(default) => default,
                None => b.scalar(0.0, like.unwrap_or(DType::Float32))?,
            };
            for (condition, choice) in conditions.iter().zip(&choices).rev() {
                y = b.select(*condition, *choice, y)?;
            }
            y
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}
