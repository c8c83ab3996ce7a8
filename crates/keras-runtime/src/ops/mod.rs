//! The operations that layers are lowered to: one file for each, with its shape rule, its
//! computation and its tests.
//!
//! To add one: its file, `mod`, and a row in the table below.

#![allow(
    clippy::indexing_slicing,
    reason = "an operation's shapes are checked by its shape rule, once for each plan"
)]
#![allow(
    clippy::inline_always,
    reason = "loops of the kernels must end up in the function that enables their instructions"
)]
#![allow(
    clippy::clone_on_copy,
    clippy::assigning_clones,
    reason = "code that moves elements is the same for numbers and strings"
)]

use keras_model::DType;
use smallvec::{SmallVec, smallvec};

use crate::graph::{Builder, Value};
use crate::tensor::{SliceMut, View};
use crate::{Error, Result};

/// Shape and element type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: DType,
}

impl Spec {
    pub(crate) fn new(shape: impl Into<Vec<usize>>, dtype: DType) -> Self {
        Self { shape: shape.into(), dtype }
    }
}

/// Where an operation writes a result: elements of the type and number that its shape rule said.
/// What is in them before is anything.
pub(crate) struct Out<'a> {
    pub(crate) shape: &'a [usize],
    pub(crate) data: SliceMut<'a>,
}

/// What types an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Types {
    /// Any: it moves elements and does not look at them.
    Any,
    /// `float32`, `float64`, `int64`; others are cast to these and back.
    Numbers,
    /// `float32`, `float64`; others are cast to these and back, integers to `float32`.
    Floats,
}

/// What an operation is: inputs to outputs, no state.
pub(crate) trait Operator {
    /// Its name in errors.
    const NAME: &'static str;
    /// The types it takes.
    const TYPES: Types;

    /// The shape rule.
    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>>;

    /// Computes the outputs.
    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()>;

    /// What reaches the inputs of what reaches the outputs: adds operations to the graph that make
    /// `dx` of `dy`. At least one `dy` is there; a `dx` is in the shape and the type of its input,
    /// `None` if nothing depends on it smoothly: whole numbers, comparisons, rounding.
    ///
    /// # Errors
    /// [`no_gradient`] for what has one in mathematics but not here.
    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient;
}

/// For each input of an operation what reaches it, if something does.
pub(crate) type Gradient = Result<Vec<Option<Value>>>;

/// That nothing reaches the inputs.
#[allow(clippy::unnecessary_wraps, reason = "it is the whole answer of an operation")]
pub(crate) fn nothing(x: &[Value]) -> Gradient {
    Ok(vec![None; x.len()])
}

/// That something would have to reach the inputs, and no rule for it is known.
pub(crate) fn no_gradient(name: &'static str) -> Gradient {
    Err(Error::op(name, "has no gradient"))
}

/// What reaches the one output of an operation.
pub(crate) fn upstream(name: &'static str, dy: &[Option<Value>]) -> Result<Value> {
    dy.first().copied().flatten().ok_or_else(|| Error::op(name, "is not reached by a gradient"))
}

macro_rules! ops {
    ($($variant:ident($config:ty)),* $(,)?) => {
        /// Any operation.
        #[derive(Clone, Debug)]
        pub(crate) enum Op { $($variant($config)),* }

        impl Op {
            pub(crate) fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => <$config>::NAME),* }
            }

            pub(crate) fn types(&self) -> Types {
                match self { $(Self::$variant(_) => <$config>::TYPES),* }
            }

            pub(crate) fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
                match self { $(Self::$variant(op) => op.output(x)),* }
            }

            pub(crate) fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
                match self { $(Self::$variant(op) => op.forward(x, y)),* }
            }

            pub(crate) fn gradient(
                &self,
                b: &mut Builder<'_>,
                x: &[Value],
                y: &[Value],
                dy: &[Option<Value>],
            ) -> Gradient {
                match self { $(Self::$variant(op) => op.gradient(b, x, y, dy)),* }
            }
        }

        $(impl From<$config> for Op {
            fn from(op: $config) -> Self {
                Self::$variant(op)
            }
        })*
    };
}

/// Runs an expression with `$t` being the type in which operations compute on `$dtype`.
macro_rules! numbers {
    ($dtype:expr, $name:expr, $t:ident => $body:expr) => {
        match $dtype {
            keras_model::DType::Float32 => {
                type $t = f32;
                $body
            }
            keras_model::DType::Float64 => {
                type $t = f64;
                $body
            }
            keras_model::DType::Int64 => {
                type $t = i64;
                $body
            }
            other => Err($crate::Error::op($name, format!("cannot compute in {other}"))),
        }
    };
}

/// The same without integers.
macro_rules! floats {
    ($dtype:expr, $name:expr, $t:ident => $body:expr) => {
        match $dtype {
            keras_model::DType::Float32 => {
                type $t = f32;
                $body
            }
            keras_model::DType::Float64 => {
                type $t = f64;
                $body
            }
            other => Err($crate::Error::op($name, format!("cannot compute in {other}"))),
        }
    };
}

mod adaptive_pool;
mod arg_reduce;
mod beta;
mod binary;
mod bits;
mod broadcast_to;
mod cast;
#[cfg(test)]
mod check;
mod cholesky;
mod clahe;
mod compare;
mod concat;
mod conv;
mod conv_kernel;
mod conv_transpose;
mod ctc;
mod cumulative;
mod depthwise;
mod eig;
mod eigh;
mod finish;
mod flip;
mod float8;
mod gather;
mod gather_along;
mod hash_bucket;
mod hash_cross;
mod logic;
mod lookup;
mod lu;
mod matmul;
mod matrix;
mod normalize;
mod pad;
mod pool;
mod qr;
mod random;
mod recurrent;
mod recurrent_gradient;
mod recurrent_step;
mod reduce;
mod reshape;
mod scatter;
mod select;
mod slice;
mod slope;
mod softmax;
mod sort;
mod stop_gradient;
mod svd;
mod tokens;
mod transpose;
mod triangular;
mod unary;
mod window;

pub(crate) use adaptive_pool::AdaptivePool;
pub(crate) use arg_reduce::ArgReduce;
pub(crate) use beta::Beta;
pub(crate) use binary::{Arithmetic, Binary};
pub(crate) use bits::Bits;
pub(crate) use broadcast_to::BroadcastTo;
pub(crate) use cast::Cast;
pub(crate) use cholesky::Cholesky;
pub(crate) use clahe::Clahe;
pub(crate) use compare::{Compare, Relation};
pub(crate) use concat::Concat;
pub(crate) use conv::Conv;
pub(crate) use conv_kernel::ConvKernel;
pub(crate) use conv_transpose::ConvTranspose;
pub(crate) use ctc::{CtcDecode, CtcGradient, CtcLoss, Strategy};
pub(crate) use cumulative::Cumulative;
pub(crate) use depthwise::{Depthwise, DepthwiseGradient};
pub(crate) use eig::Eig;
pub(crate) use eigh::Eigh;
pub(crate) use finish::Finish;
pub(crate) use flip::Flip;
pub(crate) use float8::Float8;
pub(crate) use gather::Gather;
pub(crate) use gather_along::GatherAlong;
pub(crate) use hash_bucket::HashBucket;
pub(crate) use hash_cross::HashCross;
pub(crate) use logic::{Connective, Logic};
pub(crate) use lookup::{Lookup, Unknown, Vocabulary};
pub(crate) use lu::{Determinant, LuFactor, Solve};
pub(crate) use matmul::MatMul;
pub(crate) use normalize::{Normalize, NormalizeGradient};
pub(crate) use pad::{Pad, PadMode};
pub(crate) use pool::{Pool, PoolGradient, PoolKind};
pub(crate) use qr::Qr;
pub(crate) use random::{Distribution, Random};
pub(crate) use recurrent::{CellKind, Recurrent};
pub(crate) use recurrent_gradient::RecurrentGradient;
pub(crate) use reduce::{Reduce, Reduction};
pub(crate) use reshape::Reshape;
pub(crate) use scatter::{Scatter, Scattering};
pub(crate) use select::Select;
pub(crate) use slice::StridedSlice;
pub(crate) use slope::Slope;
pub(crate) use softmax::Softmax;
pub(crate) use sort::ArgSort;
pub(crate) use stop_gradient::StopGradient;
pub(crate) use svd::Svd;
pub(crate) use tokens::{Split, Splitter, TokenCounts, TokenPlaces};
pub(crate) use transpose::Transpose;
pub(crate) use triangular::SolveTriangular;
pub(crate) use unary::{Function, Unary};
pub(crate) use window::Window;

ops! {
    AdaptivePool(AdaptivePool),
    ArgReduce(ArgReduce),
    ArgSort(ArgSort),
    Beta(Beta),
    Binary(Binary),
    Bits(Bits),
    BroadcastTo(BroadcastTo),
    Cast(Cast),
    Cholesky(Cholesky),
    Clahe(Clahe),
    Compare(Compare),
    Concat(Concat),
    Conv(Conv),
    ConvKernel(ConvKernel),
    ConvTranspose(ConvTranspose),
    CtcDecode(CtcDecode),
    CtcGradient(CtcGradient),
    CtcLoss(CtcLoss),
    Cumulative(Cumulative),
    Depthwise(Depthwise),
    DepthwiseGradient(DepthwiseGradient),
    Determinant(Determinant),
    Eig(Eig),
    Eigh(Eigh),
    Flip(Flip),
    Float8(Float8),
    Gather(Gather),
    GatherAlong(GatherAlong),
    HashBucket(HashBucket),
    HashCross(HashCross),
    Logic(Logic),
    Lookup(Lookup),
    LuFactor(LuFactor),
    MatMul(MatMul),
    Normalize(Normalize),
    NormalizeGradient(NormalizeGradient),
    Pad(Pad),
    Pool(Pool),
    PoolGradient(PoolGradient),
    Qr(Qr),
    Random(Random),
    Recurrent(Recurrent),
    RecurrentGradient(RecurrentGradient),
    Reduce(Reduce),
    Reshape(Reshape),
    Scatter(Scatter),
    Select(Select),
    Slope(Slope),
    Softmax(Softmax),
    Solve(Solve),
    SolveTriangular(SolveTriangular),
    StopGradient(StopGradient),
    StridedSlice(StridedSlice),
    Svd(Svd),
    TokenCounts(TokenCounts),
    TokenPlaces(TokenPlaces),
    Transpose(Transpose),
    Unary(Unary),
}

/// Casts the elements of `x` to the type of `y`, which has as many.
pub(crate) fn cast(x: View<'_>, mut y: SliceMut<'_>) -> Result<()> {
    if (x.data.dtype() == DType::String) != (y.dtype() == DType::String) {
        return Err(Error::op("cast", format!("{} is not {}", x.data.dtype(), y.dtype())));
    }
    cast::cast(x.data, &mut y);
    Ok(())
}

/// One number for each axis; of the usual ranks without an allocation.
pub(crate) type Dims = SmallVec<[usize; 8]>;

/// Number of elements of a shape; the largest number past what fits, which no value has.
pub(crate) fn size(shape: &[usize]) -> usize {
    shape.iter().fold(1, |n, d| n.saturating_mul(*d))
}

/// Distances between neighbours along each axis of a row-major tensor.
pub(crate) fn strides(shape: &[usize]) -> Dims {
    let mut out = smallvec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        out[i - 1] = out[i] * shape[i];
    }
    out
}

/// The axes before, at and behind `axis` as three lengths.
pub(crate) fn split_at_axis(shape: &[usize], axis: usize) -> [usize; 3] {
    [size(&shape[..axis]), shape[axis], size(&shape[axis + 1..])]
}

/// The shape that two broadcast to, axes aligned at the end.
pub(crate) fn broadcast(name: &'static str, a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |s: &[usize], i: usize| (i + s.len()).checked_sub(rank).map_or(1, |i| s[i]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (1, n) | (n, 1) => Ok(n),
            (n, m) if n == m => Ok(n),
            _ => Err(Error::op(name, format!("shapes {a:?} and {b:?} do not broadcast"))),
        })
        .collect()
}

/// Strides of `shape` when it is read in the order of `to`: 0 where it is repeated.
pub(crate) fn broadcast_strides(shape: &[usize], to: &[usize]) -> Dims {
    let own = strides(shape);
    let skip = to.len() - shape.len();
    (0..to.len())
        .map(|i| if i < skip || shape[i - skip] == 1 { 0 } else { own[i - skip] })
        .collect()
}

/// Calls `f` with the start of each row of a tensor of shape `shape` in several tensors that are
/// read with other strides: one offset for each, rows along the last axis.
pub(crate) fn rows<const N: usize>(
    shape: &[usize],
    steps: [&[usize]; N],
    mut f: impl FnMut(usize, [usize; N]),
) {
    let Some((&last, outer)) = shape.split_last() else {
        f(0, [0; N]);
        return;
    };
    if size(shape) == 0 {
        return;
    }
    let mut index: Dims = smallvec![0; outer.len()];
    let mut at = [0; N];
    let mut start = 0;
    loop {
        f(start, at);
        start += last;
        let mut axis = outer.len();
        loop {
            let Some(next) = axis.checked_sub(1) else { return };
            axis = next;
            index[axis] += 1;
            for n in 0..N {
                at[n] += steps[n][axis];
            }
            if index[axis] < outer[axis] {
                break;
            }
            for n in 0..N {
                at[n] -= steps[n][axis] * outer[axis];
            }
            index[axis] = 0;
        }
    }
}

/// The one input, or two, or three of an operation.
pub(crate) fn inputs<'a, T, const N: usize>(name: &'static str, x: &'a [T]) -> Result<&'a [T; N]> {
    x.try_into().map_err(|_| Error::op(name, format!("takes {N} inputs, found {}", x.len())))
}

/// The one output of an operation.
pub(crate) fn single<'a, 'b>(name: &'static str, y: &'a mut [Out<'b>]) -> Result<&'a mut Out<'b>> {
    y.first_mut().ok_or_else(|| Error::op(name, "has no output"))
}

#[cfg(test)]
pub(crate) use check::{check_gradient, check_gradient_within, numbers as some_numbers};

#[cfg(test)]
pub(crate) fn run(op: impl Into<Op>, x: &[crate::Tensor]) -> Result<crate::Tensor> {
    let op = op.into();
    let specs: Vec<Spec> = x.iter().map(|t| Spec::new(t.shape(), t.dtype())).collect();
    let spec = op.output(&specs)?.remove(0);
    let mut data = crate::Data::zeros(spec.dtype, size(&spec.shape)).unwrap();
    let views: Vec<View<'_>> = x.iter().map(crate::Tensor::view).collect();
    op.forward(&views, &mut [Out { shape: &spec.shape, data: data.slice_mut() }])?;
    crate::Tensor::from_data(spec.shape, data)
}
