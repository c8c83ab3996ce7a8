//! Operations of `keras.ops` as nodes of a graph: the arguments; what they do stands in `ops/`.

use keras_model::ops::Operation;
use keras_model::{Arg, DType};
use serde_json::Value as Json;

pub(super) use super::Call;
use super::{build, ops, rescaling};
use crate::Result;
use crate::graph::{Builder, Value};

/// One call of one operation.
pub(super) struct OpCall<'a> {
    pub(super) op: &'a Operation,
    pub(super) call: &'a Call<'a>,
}

pub(crate) fn lower(op: &Operation, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let c = OpCall { op, call };
    let name = op.operation.as_str();
    for group in [
        ops::complex::lower,
        ops::values::lower,
        ops::functional::lower,
        ops::elementwise::lower,
        ops::reduce::lower,
        ops::reshape::lower,
        ops::index::lower,
        ops::linalg::lower,
        ops::nn::lower,
        ops::arrays::lower,
        ops::decompose::lower,
        ops::image::lower,
        ops::losses::lower,
        ops::scatter::lower,
        ops::signal::lower,
        ops::tensorflow::lower,
        ops::tensorflow_image::lower,
        ops::tensorflow_index::lower,
    ] {
        if let Some(outputs) = group(&c, name, b)? {
            return Ok(outputs);
        }
    }
    Err(b.unsupported("the operation"))
}

impl OpCall<'_> {
    /// A plain argument of the call, by name or at that place, else of the constructor.
    pub(super) fn plain(&self, name: &str, position: usize) -> Option<&Json> {
        let of_call = self.call.plain(name, position).filter(|v| !v.is_null());
        of_call.or_else(|| self.op.config.get(name)).filter(|v| !v.is_null())
    }

    /// The same where it may be lists in each other, without tensors.
    pub(super) fn json(&self, name: &str, position: usize) -> Option<Json> {
        fn of(argument: &Arg<Value>) -> Option<Json> {
            match argument {
                Arg::Value(value) | Arg::Array { value, .. } => Some(value.clone()),
                Arg::List(items) => {
                    items.iter().map(of).collect::<Option<Vec<_>>>().map(Json::Array)
                }
                _ => None,
            }
        }
        let plain = self.plain(name, position).cloned();
        plain.or_else(|| of(self.call.inputs.named(name, position)?))
    }

    pub(super) fn int(&self, name: &str, position: usize) -> Option<i64> {
        self.plain(name, position)?.as_i64()
    }

    pub(super) fn float(&self, name: &str, position: usize) -> Option<f64> {
        self.plain(name, position)?.as_f64()
    }

    pub(super) fn flag(&self, name: &str, position: usize) -> bool {
        self.plain(name, position).and_then(Json::as_bool).unwrap_or(false)
    }

    pub(super) fn text(&self, name: &str, position: usize) -> Option<&str> {
        self.plain(name, position)?.as_str()
    }

    pub(super) fn dtype(&self, name: &str, position: usize) -> Option<DType> {
        DType::from_name(self.text(name, position)?)
    }

    /// One whole number or a list of them.
    pub(super) fn ints(&self, name: &str, position: usize) -> Option<Vec<i64>> {
        if let Some(Arg::List(items)) = self.call.inputs.named(name, position) {
            let items = items.iter().map(|a| a.value().and_then(Json::as_i64));
            if let Some(all) = items.collect::<Option<Vec<i64>>>() {
                return Some(all);
            }
        }
        match self.plain(name, position)? {
            Json::Array(items) => items.iter().map(Json::as_i64).collect(),
            one => Some(vec![one.as_i64()?]),
        }
    }

    /// The same, where some may be tensors whose values are known, as lengths of axes are.
    pub(super) fn known_ints(
        &self,
        b: &Builder<'_>,
        name: &str,
        position: usize,
    ) -> Result<Option<Vec<i64>>> {
        fn collect(
            b: &Builder<'_>,
            name: &str,
            argument: &Arg<Value>,
            into: &mut Vec<i64>,
        ) -> Result<()> {
            match argument {
                Arg::Tensor(value) => {
                    let numbers = b.needed(*value, name)?.cast(DType::Int64)?;
                    into.extend(numbers.as_slice::<i64>().unwrap_or_default());
                }
                Arg::List(items) => {
                    items.iter().try_for_each(|item| collect(b, name, item, into))?;
                }
                Arg::Value(value) | Arg::Array { value, .. } => {
                    let numbers = super::rescaling::nested(value).map(|(_, numbers)| numbers);
                    let numbers = numbers.ok_or_else(|| b.error(format!("{name} is no number")))?;
                    into.extend(numbers.into_iter().map(|n| n as i64));
                }
                Arg::Function(_) | Arg::Slice(_) | Arg::Ellipsis | Arg::Dict(_) => {
                    return Err(b.error(format!("{name} is no number")));
                }
            }
            Ok(())
        }
        match self.call.inputs.named(name, position) {
            Some(argument) if argument.value().is_none_or(|v| !v.is_null()) => {
                let mut all = Vec::new();
                collect(b, name, argument, &mut all)?;
                Ok(Some(all))
            }
            _ => Ok(self.ints(name, position)),
        }
    }

    /// Lengths of axes among them.
    pub(super) fn known_lengths(
        &self,
        b: &Builder<'_>,
        name: &str,
        position: usize,
    ) -> Result<Vec<usize>> {
        let all = self.known_ints(b, name, position)?.unwrap_or_default();
        let lengths = all.iter().map(|n| usize::try_from(*n).ok()).collect::<Option<_>>();
        lengths.ok_or_else(|| b.error(format!("{name} {all:?} is no shape")))
    }

    /// The first tensor of the call.
    pub(super) fn x(&self, b: &Builder<'_>) -> Result<Value> {
        self.call.input(b)
    }

    /// An argument that may be a tensor, an array or a number; numbers become `like`'s type where
    /// Python numbers do.
    pub(super) fn operand(
        &self,
        b: &mut Builder<'_>,
        names: &[&str],
        position: usize,
        like: Option<DType>,
    ) -> Result<Option<Value>> {
        let inputs = &self.call.inputs;
        let named = names.iter().find_map(|name| inputs.named(name, usize::MAX));
        let argument = named.or_else(|| inputs.args.get(position));
        match argument {
            Some(argument) => operand(b, argument, like),
            None => {
                let value = names.iter().find_map(|name| self.op.config.get(*name));
                match value.filter(|v| !v.is_null()) {
                    Some(value) => number(b, value, like).map(Some),
                    None => Ok(None),
                }
            }
        }
    }

    /// The tensors of a list, constants among them.
    pub(super) fn list(&self, b: &mut Builder<'_>) -> Result<Vec<Value>> {
        let tensors = self.call.tensors();
        let Some(Arg::List(items)) = self.call.inputs.args.first() else { return Ok(tensors) };
        let like = tensors.first().map(|v| b.dtype(*v));
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            all.extend(operand(b, item, like)?);
        }
        Ok(all)
    }

    /// Both arguments of an operation on two.
    pub(super) fn pair(&self, b: &mut Builder<'_>) -> Result<[Value; 2]> {
        let tensors = self.call.tensors();
        let like = tensors.first().map(|v| b.dtype(*v));
        let first = self.operand(b, &["x1", "x", "a"], 0, like)?;
        let second = self.operand(b, &["x2", "y", "b"], 1, like)?;
        match (first, second) {
            (Some(first), Some(second)) => Ok([first, second]),
            _ => Err(b.error("takes two arguments")),
        }
    }

    /// The axes of a reduction: all where none are given.
    pub(super) fn axes(&self, b: &Builder<'_>, x: Value, position: usize) -> Result<Vec<usize>> {
        match self.ints("axis", position) {
            Some(axes) => b.axes(x, &axes),
            None => Ok((0..b.rank(x)).collect()),
        }
    }

    /// One axis, `default` where none is given.
    pub(super) fn axis(
        &self,
        b: &Builder<'_>,
        x: Value,
        position: usize,
        default: i64,
    ) -> Result<usize> {
        b.axis(x, self.int("axis", position).unwrap_or(default))
    }
}

pub(super) fn operand(
    b: &mut Builder<'_>,
    argument: &Arg<Value>,
    like: Option<DType>,
) -> Result<Option<Value>> {
    match argument {
        Arg::Tensor(value) => Ok(Some(*value)),
        Arg::Value(value) if !value.is_null() => number(b, value, like).map(Some),
        Arg::Array { value, dtype } => {
            let (shape, all) =
                rescaling::nested(value).ok_or_else(|| b.error("an array without numbers"))?;
            b.numbers(shape, all, *dtype).map(Some)
        }
        Arg::List(items) => {
            let mut parts = Vec::with_capacity(items.len());
            for item in items {
                let Some(part) = operand(b, item, None)? else { return Ok(None) };
                parts.push(b.expand(part, 0)?);
            }
            super::concatenate::concatenate(b, &parts, 0).map(Some)
        }
        Arg::Value(_) | Arg::Function(_) | Arg::Slice(_) | Arg::Ellipsis | Arg::Dict(_) => Ok(None),
    }
}

/// A number of Python, or nested lists of numbers, as a constant.
fn number(b: &mut Builder<'_>, value: &Json, like: Option<DType>) -> Result<Value> {
    let value = match value.get("config").and_then(|c| c.get("value")) {
        Some(inner) => inner,
        None => value,
    };
    let (shape, all) =
        rescaling::nested(value).ok_or_else(|| b.error(format!("no number: {value}")))?;
    let text = value.to_string();
    let whole = !text.contains(['.', 'e', 'N', 'I']);
    let own = match value {
        Json::Bool(_) => DType::Bool,
        _ if whole => DType::Int32,
        _ => DType::Float32,
    };
    // A number takes the type of the tensor beside it unless it is of a higher kind.
    let dtype = match like {
        Some(like) if like.is_float() && own != DType::Bool => like,
        Some(like) if own == DType::Int32 && like != DType::Bool => like,
        Some(like) if own == DType::Bool => like,
        _ => own,
    };
    b.numbers(shape, all, dtype)
}

/// Integers and truth values as the default float.
pub(super) fn to_float(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    if b.dtype(x).is_float() { Ok(x) } else { b.cast(x, DType::Float32) }
}

/// Sums of small integers are at least `int32`.
pub(super) fn widened(dtype: DType) -> DType {
    match dtype {
        DType::Bool | DType::Int8 | DType::Int16 => DType::Int32,
        DType::UInt8 | DType::UInt16 => DType::UInt32,
        other => other,
    }
}

/// The type that all are promoted to.
pub(super) fn common(b: &mut Builder<'_>, values: &[Value]) -> Result<Vec<Value>> {
    let dtype = values.iter().map(|v| b.dtype(*v)).reduce(build::promote);
    let dtype = dtype.unwrap_or(DType::Float32);
    values.iter().map(|v| b.cast(*v, dtype)).collect()
}
