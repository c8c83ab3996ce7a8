//! What a layer is called with: symbolic tensors, nested as in the Keras call.

use serde::Serialize;
use serde_json::Value;

use crate::activations::Activation;
use crate::{Base, DType, Error, Result, Shape};

/// A symbolic tensor: shape and element type, no values (`keras.KerasTensor`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KerasTensor {
    /// Lengths of the axes.
    pub shape: Shape,
    /// Element type.
    pub dtype: DType,
}

impl KerasTensor {
    /// A tensor of that shape and type.
    pub fn new(shape: impl Into<Shape>, dtype: DType) -> Self {
        Self { shape: shape.into(), dtype }
    }
}

/// One argument of a call: a tensor, a plain value, or these nested in lists and dicts.
///
/// `T` is [`KerasTensor`] where shapes are inferred and a reference into the graph in a [`Model`](crate::Model).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arg<T> {
    /// A tensor of the graph.
    Tensor(T),
    /// A number, string, `null`... as in the file.
    Value(Value),
    /// A constant array (`__numpy__`, `__tensor__`).
    Array {
        /// Nested lists of numbers.
        value: Value,
        /// Element type.
        dtype: DType,
    },
    /// A Python function that an operation calls: one of Keras's activations or the author's.
    Function(Box<Activation>),
    /// A Python slice; each part may be `null`.
    Slice([Box<Arg<T>>; 3]),
    /// Python's `...`.
    Ellipsis,
    /// A list or tuple.
    List(Vec<Arg<T>>),
    /// A dict, in the order of the file.
    Dict(Vec<(String, Arg<T>)>),
}

impl<T> Arg<T> {
    /// All tensors inside, as Keras flattens: lists in order, dicts by sorted key.
    pub fn tensors<'a>(&'a self, into: &mut Vec<&'a T>) {
        match self {
            Self::Tensor(t) => into.push(t),
            Self::List(items) => items.iter().for_each(|a| a.tensors(into)),
            Self::Slice(parts) => parts.iter().for_each(|a| a.tensors(into)),
            Self::Dict(entries) => {
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_by(|a, b| a.0.cmp(&b.0));
                for (_, a) in sorted {
                    a.tensors(into);
                }
            }
            Self::Value(_) | Self::Array { .. } | Self::Function(_) | Self::Ellipsis => {}
        }
    }

    /// The same structure with each tensor replaced.
    pub fn map<U, E>(&self, f: &mut impl FnMut(&T) -> Result<U, E>) -> Result<Arg<U>, E> {
        Ok(match self {
            Self::Tensor(t) => Arg::Tensor(f(t)?),
            Self::Value(v) => Arg::Value(v.clone()),
            Self::Array { value, dtype } => Arg::Array { value: value.clone(), dtype: *dtype },
            Self::Function(function) => Arg::Function(function.clone()),
            Self::Slice([a, b, c]) => {
                Arg::Slice([Box::new(a.map(f)?), Box::new(b.map(f)?), Box::new(c.map(f)?)])
            }
            Self::Ellipsis => Arg::Ellipsis,
            Self::List(items) => {
                Arg::List(items.iter().map(|a| a.map(f)).collect::<Result<_, E>>()?)
            }
            Self::Dict(entries) => Arg::Dict(
                entries
                    .iter()
                    .map(|(k, a)| Ok((k.clone(), a.map(f)?)))
                    .collect::<Result<_, E>>()?,
            ),
        })
    }

    /// The plain value, if it is one.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(v) => Some(v),
            _ => None,
        }
    }

    /// The function, if it is one.
    pub fn function(&self) -> Option<&Activation> {
        match self {
            Self::Function(function) => Some(function),
            _ => None,
        }
    }

    /// What it is without tensors and arrays, if there are none in it.
    pub(crate) fn plain(&self) -> Option<Value> {
        match self {
            Self::Value(value) => Some(value.clone()),
            Self::List(items) => items.iter().map(Self::plain).collect(),
            Self::Dict(entries) => {
                let entry = |(key, arg): &(String, Self)| Some((key.clone(), arg.plain()?));
                let map: Option<serde_json::Map<_, _>> = entries.iter().map(entry).collect();
                map.map(Value::Object)
            }
            _ => None,
        }
    }

    /// The tensor, if it is one.
    pub fn tensor(&self) -> Option<&T> {
        match self {
            Self::Tensor(t) => Some(t),
            _ => None,
        }
    }
}

/// Positional and keyword arguments of one call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inputs<T = KerasTensor> {
    /// Positional arguments.
    pub args: Vec<Arg<T>>,
    /// Keyword arguments, in the order of the file.
    pub kwargs: Vec<(String, Arg<T>)>,
}

impl<T> Default for Inputs<T> {
    fn default() -> Self {
        Self { args: Vec::new(), kwargs: Vec::new() }
    }
}

impl<T> Inputs<T> {
    /// A call with one tensor.
    pub fn one(tensor: T) -> Self {
        Self { args: vec![Arg::Tensor(tensor)], kwargs: Vec::new() }
    }

    /// A call with one list of tensors, as merging layers are called.
    pub fn list(tensors: Vec<T>) -> Self {
        let list = tensors.into_iter().map(Arg::Tensor).collect();
        Self { args: vec![Arg::List(list)], kwargs: Vec::new() }
    }

    /// The keyword argument of that name, else the positional one at that place.
    pub fn named(&self, name: &str, position: usize) -> Option<&Arg<T>> {
        self.kwargs
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, a)| a)
            .or_else(|| self.args.get(position))
    }

    /// All data tensors: positional ones, then keyword ones, without masks.
    pub fn tensors(&self) -> Vec<&T> {
        let mut all = Vec::new();
        self.args.iter().for_each(|a| a.tensors(&mut all));
        let data = self.kwargs.iter().filter(|(name, _)| !name.ends_with("mask"));
        data.for_each(|(_, a)| a.tensors(&mut all));
        all
    }

    /// All tensors, masks included: what the call depends on.
    pub fn dependencies(&self) -> Vec<&T> {
        let mut all = Vec::new();
        self.args
            .iter()
            .chain(self.kwargs.iter().map(|(_, a)| a))
            .for_each(|a| a.tensors(&mut all));
        all
    }

    /// The same call with each tensor replaced.
    pub fn map<U, E>(&self, f: &mut impl FnMut(&T) -> Result<U, E>) -> Result<Inputs<U>, E> {
        Ok(Inputs {
            args: self.args.iter().map(|a| a.map(f)).collect::<Result<_, E>>()?,
            kwargs: self
                .kwargs
                .iter()
                .map(|(k, a)| Ok((k.clone(), a.map(f)?)))
                .collect::<Result<_, E>>()?,
        })
    }
}

/// One call of one layer, as shape inference and weight creation see it.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Name, trainable flag and dtype policy of the called layer.
    pub base: &'a Base,
    /// The arguments.
    pub inputs: &'a Inputs,
    tensors: Vec<&'a KerasTensor>,
}

impl<'a> Call<'a> {
    /// A call of the layer `base` with `inputs`.
    pub fn new(base: &'a Base, inputs: &'a Inputs) -> Self {
        Self { base, inputs, tensors: inputs.tensors() }
    }

    /// All data tensors, flattened.
    pub fn tensors(&self) -> &[&'a KerasTensor] {
        &self.tensors
    }

    /// The first tensor.
    ///
    /// # Errors
    /// [`Error::Layer`] if the layer was called without one.
    pub fn input(&self) -> Result<&'a KerasTensor> {
        self.tensors.first().copied().ok_or_else(|| self.error("called without a tensor"))
    }

    /// The shape of the first tensor.
    pub fn shape(&self) -> Result<&'a Shape> {
        Ok(&self.input()?.shape)
    }

    /// The shape of the first tensor, which must have `rank` axes.
    pub fn shape_of_rank(&self, rank: usize) -> Result<&'a Shape> {
        let shape = self.shape()?;
        if shape.rank() != rank {
            return Err(self.error(format!("expected {rank} axes, found shape {shape}")));
        }
        Ok(shape)
    }

    /// The length of an axis of the first tensor, which must be known (it shapes a weight).
    pub fn known_dim(&self, axis: i64) -> Result<usize> {
        let shape = self.shape()?;
        match shape.dim(axis) {
            Some(Some(n)) => Ok(n),
            Some(None) => Err(self.error(format!("axis {axis} of shape {shape} must be known"))),
            None => Err(self.error(format!("shape {shape} has no axis {axis}"))),
        }
    }

    /// A single output in the layer's compute type: what most layers give.
    pub fn output(&self, shape: impl Into<Shape>) -> Vec<KerasTensor> {
        vec![KerasTensor::new(shape, self.base.dtype.compute)]
    }

    /// A single output of the first tensor's shape, in the layer's compute type.
    pub fn same(&self) -> Result<Vec<KerasTensor>> {
        Ok(self.output(self.shape()?.clone()))
    }

    /// A single output with the first tensor's elements in another shape: floats in the layer's
    /// compute type, anything else as it came.
    pub fn moved(&self, shape: impl Into<Shape>) -> Result<Vec<KerasTensor>> {
        Ok(vec![KerasTensor::new(shape, self.cast(self.input()?.dtype))])
    }

    /// The type in which the layer sees an input: floats are cast to its compute type.
    pub fn cast(&self, dtype: DType) -> DType {
        if dtype.is_float() { self.base.dtype.compute } else { dtype }
    }

    /// Whether a plain argument of the call, by name or at that place, is true.
    pub fn flag(&self, name: &str, position: usize) -> bool {
        let value = self.inputs.named(name, position).and_then(Arg::value);
        value.and_then(Value::as_bool).unwrap_or(false)
    }

    /// The tensor behind an argument, by name or at that place.
    pub fn argument(&self, name: &str, position: usize) -> Option<&'a KerasTensor> {
        self.inputs.named(name, position).and_then(Arg::tensor)
    }

    /// An error that names the layer.
    pub fn error(&self, reason: impl Into<String>) -> Error {
        Error::Layer {
            layer: self.base.name.clone(),
            class: self.base.class.clone(),
            reason: reason.into(),
        }
    }

    /// `a * b`, or an error when a file's numbers multiply past what fits.
    pub fn product(&self, factors: impl IntoIterator<Item = usize>) -> Result<usize> {
        let mut factors = factors.into_iter();
        factors
            .try_fold(1_usize, usize::checked_mul)
            .ok_or_else(|| self.error("sizes multiply past what fits in memory"))
    }
    /// `a + b`, or an error when a file's numbers add up past what fits.
    pub fn sum(&self, terms: impl IntoIterator<Item = usize>) -> Result<usize> {
        let mut terms = terms.into_iter();
        terms
            .try_fold(0_usize, usize::checked_add)
            .ok_or_else(|| self.error("sizes add up past what fits in memory"))
    }
}
