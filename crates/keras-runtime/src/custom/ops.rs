//! `keras.ops` for layers of the caller's: each call adds an operation to the model's graph.

use std::cell::RefCell;

use keras_model::ops::Operation;
use keras_model::{Arg, DType, Inputs, Layer};
use serde_json::{Value as Json, json};

use crate::graph::{Builder, Value};
use crate::lower::{self, Call};
use crate::{Error, Result, Tensor};

/// A tensor of the graph that is being built: shape and type, no values (`keras.KerasTensor`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolicTensor(pub(crate) Value);

/// What an operation on two takes: a tensor, or a number, which takes the tensor's type as in
/// Keras.
#[derive(Clone, Debug)]
pub struct Operand(Arg<Value>);

impl From<SymbolicTensor> for Operand {
    fn from(tensor: SymbolicTensor) -> Self {
        Self(Arg::Tensor(tensor.0))
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl From<$type> for Operand {
            fn from(number: $type) -> Self {
                Self(Arg::Value(json!(number)))
            }
        }
    )*};
}

numbers!(f64, i32, bool);

/// The operations of `keras.ops` on [`SymbolicTensor`]s, under Keras's names.
///
/// An axis may count from the end, as in Python. What has no method here is reached through
/// [`operation`](Self::operation).
pub struct Ops<'m> {
    builder: RefCell<Builder<'m>>,
    inputs: Inputs<Value>,
    layers: Vec<(&'static str, Layer)>,
}

macro_rules! unary {
    ($($name:ident $class:literal,)*) => {
        impl Ops<'_> {$(
            #[doc = concat!("`keras.ops.", stringify!($name), "(x)`, element by element.")]
            pub fn $name(&self, x: SymbolicTensor) -> Result<SymbolicTensor> {
                self.one($class, [Operand::from(x)], [])
            }
        )*}
    };
}

unary! {
    abs "Absolute",
    ceil "Ceil",
    cos "Cos",
    elu "Elu",
    erf "Erf",
    exp "Exp",
    expm1 "Expm1",
    floor "Floor",
    gelu "Gelu",
    hard_sigmoid "HardSigmoid",
    isfinite "Isfinite",
    isnan "Isnan",
    leaky_relu "LeakyRelu",
    log "Log",
    log1p "Log1p",
    logical_not "LogicalNot",
    negative "Negative",
    ones_like "OnesLike",
    reciprocal "Reciprocal",
    relu "Relu",
    relu6 "Relu6",
    round "Round",
    rsqrt "Rsqrt",
    selu "Selu",
    sigmoid "Sigmoid",
    sign "Sign",
    silu "Silu",
    sin "Sin",
    softplus "Softplus",
    softsign "Softsign",
    sqrt "Sqrt",
    square "Square",
    tan "Tan",
    tanh "Tanh",
    zeros_like "ZerosLike",
}

macro_rules! binary {
    ($($name:ident $class:literal,)*) => {
        impl Ops<'_> {$(
            #[doc = concat!("`keras.ops.", stringify!($name), "(x1, x2)`; shapes broadcast.")]
            pub fn $name(
                &self,
                x1: impl Into<Operand>,
                x2: impl Into<Operand>,
            ) -> Result<SymbolicTensor> {
                self.one($class, [x1.into(), x2.into()], [])
            }
        )*}
    };
}

binary! {
    add "Add",
    divide "Divide",
    equal "Equal",
    floor_divide "FloorDivide",
    greater "Greater",
    greater_equal "GreaterEqual",
    less "Less",
    less_equal "LessEqual",
    logical_and "LogicalAnd",
    logical_or "LogicalOr",
    maximum "Maximum",
    minimum "Minimum",
    mod_ "Mod",
    multiply "Multiply",
    not_equal "NotEqual",
    power "Power",
    subtract "Subtract",
}

macro_rules! reductions {
    ($($name:ident $class:literal,)*) => {
        impl Ops<'_> {$(
            #[doc = concat!("`keras.ops.", stringify!($name), "(x, axis, keepdims)`; no axes: all of them.")]
            pub fn $name(
                &self,
                x: SymbolicTensor,
                axis: &[i64],
                keepdims: bool,
            ) -> Result<SymbolicTensor> {
                let axis = if axis.is_empty() { Json::Null } else { json!(axis) };
                self.one($class, [x.into()], [("axis", axis), ("keepdims", json!(keepdims))])
            }
        )*}
    };
}

reductions! {
    all "All",
    any "Any",
    logsumexp "Logsumexp",
    max "Max",
    mean "Mean",
    min "Min",
    prod "Prod",
    std "Std",
    sum "Sum",
    var "Var",
}

macro_rules! along_an_axis {
    ($($name:ident $class:literal,)*) => {
        impl Ops<'_> {$(
            #[doc = concat!("`keras.ops.", stringify!($name), "(x, axis)`.")]
            pub fn $name(&self, x: SymbolicTensor, axis: i64) -> Result<SymbolicTensor> {
                self.one($class, [x.into()], [("axis", json!(axis))])
            }
        )*}
    };
}

along_an_axis! {
    argmax "Argmax",
    argmin "Argmin",
    cumprod "Cumprod",
    cumsum "Cumsum",
    expand_dims "ExpandDims",
    flip "Flip",
    log_softmax "LogSoftmax",
    softmax "Softmax",
    squeeze "Squeeze",
}

/// Products, and what moves elements.
impl Ops<'_> {
    /// `keras.ops.matmul(x1, x2)`: vectors are rows on the left, columns on the right.
    pub fn matmul(&self, x1: SymbolicTensor, x2: SymbolicTensor) -> Result<SymbolicTensor> {
        self.one("Matmul", [x1.into(), x2.into()], [])
    }

    /// `keras.ops.dot(x1, x2)`: over the last axis of `x1` and the last but one of `x2`.
    pub fn dot(&self, x1: SymbolicTensor, x2: SymbolicTensor) -> Result<SymbolicTensor> {
        self.one("Dot", [x1.into(), x2.into()], [])
    }

    /// `keras.ops.einsum(subscripts, *operands)`: `"bti,ij->btj"`.
    pub fn einsum(&self, subscripts: &str, operands: &[SymbolicTensor]) -> Result<SymbolicTensor> {
        let operands = operands.iter().map(|t| Operand::from(*t));
        self.one("Einsum", operands, [("subscripts", json!(subscripts))])
    }

    /// `keras.ops.where(condition, x1, x2)`.
    pub fn where_(
        &self,
        condition: SymbolicTensor,
        x1: impl Into<Operand>,
        x2: impl Into<Operand>,
    ) -> Result<SymbolicTensor> {
        self.one("Where", [condition.into(), x1.into(), x2.into()], [])
    }

    /// `keras.ops.clip(x, x_min, x_max)`.
    pub fn clip(&self, x: SymbolicTensor, x_min: f64, x_max: f64) -> Result<SymbolicTensor> {
        self.one("Clip", [x.into(), x_min.into(), x_max.into()], [])
    }

    /// `keras.ops.cast(x, dtype)`.
    pub fn cast(&self, x: SymbolicTensor, dtype: DType) -> Result<SymbolicTensor> {
        Ok(SymbolicTensor(self.builder.borrow_mut().cast(x.0, dtype)?))
    }

    /// `keras.ops.reshape(x, newshape)`; one length may be -1.
    pub fn reshape(&self, x: SymbolicTensor, newshape: &[i64]) -> Result<SymbolicTensor> {
        self.one("Reshape", [x.into()], [("newshape", json!(newshape))])
    }

    /// `keras.ops.transpose(x, axes)`.
    pub fn transpose(&self, x: SymbolicTensor, axes: &[i64]) -> Result<SymbolicTensor> {
        self.one("Transpose", [x.into()], [("axes", json!(axes))])
    }

    /// `keras.ops.broadcast_to(x, shape)`.
    pub fn broadcast_to(&self, x: SymbolicTensor, shape: &[usize]) -> Result<SymbolicTensor> {
        self.one("BroadcastTo", [x.into()], [("shape", json!(shape))])
    }

    /// `keras.ops.concatenate(xs, axis)`.
    pub fn concatenate(&self, xs: &[SymbolicTensor], axis: i64) -> Result<SymbolicTensor> {
        self.one("Concatenate", [list(xs)], [("axis", json!(axis))])
    }

    /// `keras.ops.stack(xs, axis)`.
    pub fn stack(&self, xs: &[SymbolicTensor], axis: i64) -> Result<SymbolicTensor> {
        self.one("Stack", [list(xs)], [("axis", json!(axis))])
    }

    /// `keras.ops.take(x, indices, axis)`.
    pub fn take(
        &self,
        x: SymbolicTensor,
        indices: SymbolicTensor,
        axis: i64,
    ) -> Result<SymbolicTensor> {
        self.one("Take", [x.into(), indices.into()], [("axis", json!(axis))])
    }

    /// `x[.., start:stop, ..]` along an axis.
    pub fn slice(
        &self,
        x: SymbolicTensor,
        axis: i64,
        start: usize,
        stop: usize,
    ) -> Result<SymbolicTensor> {
        let mut b = self.builder.borrow_mut();
        let at = b.axis(x.0, axis)?;
        let length = b.shape(x.0).get(at).copied().unwrap_or(0);
        if start > stop || stop > length {
            return Err(b.error(format!("no part {start}..{stop} of an axis of length {length}")));
        }
        Ok(SymbolicTensor(b.slice(x.0, at, start, stop)?))
    }

    /// `keras.ops.one_hot(x, num_classes)`.
    pub fn one_hot(&self, x: SymbolicTensor, num_classes: usize) -> Result<SymbolicTensor> {
        self.one("OneHot", [x.into()], [("num_classes", json!(num_classes))])
    }

    /// `keras.ops.full(shape, fill_value, dtype)`.
    pub fn full(&self, shape: &[usize], fill_value: f64, dtype: DType) -> Result<SymbolicTensor> {
        Ok(SymbolicTensor(self.builder.borrow_mut().full(shape, fill_value, dtype)?))
    }

    /// A tensor of known values: `keras.ops.convert_to_tensor`.
    pub fn constant(&self, tensor: Tensor) -> SymbolicTensor {
        SymbolicTensor(self.builder.borrow_mut().constant(tensor))
    }

    /// Any operation of `keras.ops` by the name that its class has in Keras's files
    /// ([`keras_model::ops::OPERATIONS`]), with its positional arguments, and by name those that
    /// are plain values.
    ///
    /// ```no_run
    /// # use keras_runtime::{Ops, Result, SymbolicTensor};
    /// # fn example(ops: &Ops<'_>, x: SymbolicTensor) -> Result<()> {
    /// let parts = ops.operation("TopK", [x.into()], [("k", 3.into())])?;
    /// let (values, indices) = (parts[0], parts[1]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is no such operation.
    pub fn operation<'k>(
        &self,
        class: &str,
        args: impl IntoIterator<Item = Operand>,
        kwargs: impl IntoIterator<Item = (&'k str, Json)>,
    ) -> Result<Vec<SymbolicTensor>> {
        let mut b = self.builder.borrow_mut();
        let base = b.base().cloned().ok_or_else(|| Error::op("operation", "outside a layer"))?;
        let kwargs = kwargs.into_iter().map(|(name, value)| (name.to_owned(), Arg::Value(value)));
        let inputs =
            Inputs { args: args.into_iter().map(|a| a.0).collect(), kwargs: kwargs.collect() };
        let operation =
            Operation { operation: class.to_owned(), config: Json::Null, function: None };
        let outputs = lower::operation(&operation, &mut b, &Call { base: &base, inputs })?;
        Ok(outputs.into_iter().map(SymbolicTensor).collect())
    }

    fn one<'k>(
        &self,
        class: &str,
        args: impl IntoIterator<Item = Operand>,
        kwargs: impl IntoIterator<Item = (&'k str, Json)>,
    ) -> Result<SymbolicTensor> {
        let outputs = self.operation(class, args, kwargs)?;
        outputs.first().copied().ok_or_else(|| Error::op("operation", "has no output"))
    }
}

/// The layer that is called, and what it is called with.
impl Ops<'_> {
    /// The shape of a tensor.
    pub fn shape(&self, x: SymbolicTensor) -> Vec<usize> {
        self.builder.borrow().shape(x.0).to_vec()
    }

    /// The element type of a tensor.
    pub fn dtype(&self, x: SymbolicTensor) -> DType {
        self.builder.borrow().dtype(x.0)
    }

    /// A weight of the layer, floats in the type that it computes in.
    ///
    /// # Errors
    /// [`Error::Layer`] if it has none of that name.
    pub fn weight(&self, name: &str) -> Result<SymbolicTensor> {
        Ok(SymbolicTensor(self.builder.borrow_mut().weight(name)?))
    }

    /// Calls a layer that the layer holds, by the attribute that holds it, with tensors and plain
    /// arguments: `self.attention(x, x, use_causal_mask=True)`.
    ///
    /// # Errors
    /// [`Error::Layer`] if it holds none of that name, or this one cannot be called so.
    pub fn layer<'k>(
        &self,
        attribute: &str,
        inputs: &[SymbolicTensor],
        kwargs: impl IntoIterator<Item = (&'k str, Json)>,
    ) -> Result<Vec<SymbolicTensor>> {
        let layer = self.layers.iter().find(|(name, _)| *name == attribute);
        let (_, layer) = layer.ok_or_else(|| self.error(format!("holds no {attribute:?}")))?;
        let kwargs = kwargs.into_iter().map(|(name, value)| (name.to_owned(), Arg::Value(value)));
        let args = inputs.iter().map(|t| Arg::Tensor(t.0)).collect();
        let inputs = Inputs { args, kwargs: kwargs.collect() };
        let mut b = self.builder.borrow_mut();
        b.try_layer(layer, &inputs)?;
        let outputs = lower::layer(layer, &mut b, &inputs)?;
        Ok(outputs.into_iter().map(SymbolicTensor).collect())
    }

    /// The mask of a tensor: the argument `mask` of the call for its first one, else what a layer
    /// before gave it (`Masking`, `Embedding(mask_zero=True)`). True where a step counts.
    pub fn mask(&self, x: SymbolicTensor) -> Option<SymbolicTensor> {
        let is_first = self.inputs.tensors().first().is_some_and(|first| **first == x.0);
        let explicit = self.inputs.named("mask", usize::MAX).and_then(Arg::tensor).copied();
        let implicit = || self.builder.borrow().mask(x.0);
        explicit.filter(|_| is_first).or_else(implicit).map(SymbolicTensor)
    }

    /// Gives an output its mask, for a layer that makes one ([`Mask::Creates`](keras_model::layers::Mask)).
    pub fn set_mask(&self, x: SymbolicTensor, mask: SymbolicTensor) {
        self.builder.borrow_mut().set_mask(x.0, Some(mask.0));
    }

    /// Adds the sum of a tensor to what training minimises: `Layer.add_loss`.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] if the graph becomes too large.
    pub fn add_loss(&self, loss: SymbolicTensor) -> Result<()> {
        self.builder.borrow_mut().add_loss(loss.0)
    }

    /// A plain argument of the call, by name or at that place behind the tensors.
    pub fn argument(&self, name: &str, position: usize) -> Option<&Json> {
        self.inputs.named(name, position).and_then(Arg::value)
    }

    /// An error that names the layer.
    pub fn error(&self, reason: impl Into<String>) -> Error {
        self.builder.borrow().error(reason)
    }
}

impl<'m> Ops<'m> {
    /// Runs `call` with the operations of a builder.
    pub(crate) fn with<T>(
        b: &mut Builder<'m>,
        inputs: Inputs<Value>,
        layers: Vec<(&'static str, Layer)>,
        call: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let builder = RefCell::new(b.take());
        let ops = Self { builder, inputs, layers };
        let result = call(&ops);
        *b = ops.builder.into_inner();
        result
    }
}

fn list(xs: &[SymbolicTensor]) -> Operand {
    Operand(Arg::List(xs.iter().map(|t| Arg::Tensor(t.0)).collect()))
}

#[test]
fn every_name_is_keras_s() {
    let own = include_str!("ops.rs");
    let classes = own.lines().filter_map(|line| {
        let quoted = line.trim().strip_suffix("\",")?.split_once(" \"")?;
        quoted
            .0
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            .then_some(quoted.1)
    });
    let classes: Vec<&str> = classes.collect();
    assert!(classes.len() > 60);
    for class in classes {
        assert!(keras_model::ops::OPERATIONS.contains(&class), "{class}");
    }
}
