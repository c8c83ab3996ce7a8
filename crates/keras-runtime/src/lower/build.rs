//! Short names for the nodes that lowerings add.

use keras_model::DType;

use crate::graph::{Builder, Value};
use crate::ops::{
    ArgReduce, ArgSort, Arithmetic, Binary, BroadcastTo, Cast, Compare, Concat, Connective,
    Cumulative, Distribution, Flip, Function, Gather, GatherAlong, Logic, MatMul, Pad, PadMode,
    Random, Reduce, Reduction, Relation, Reshape, Select, Softmax, StridedSlice, Transpose, Unary,
    size,
};
use crate::{Result, Tensor};

impl Builder<'_> {
    /// A number as a constant without axes.
    pub(crate) fn scalar(&mut self, value: f64, dtype: DType) -> Result<Value> {
        let tensor = Tensor::scalar(value).cast(dtype)?;
        Ok(self.constant(tensor))
    }

    /// Numbers as a constant.
    pub(crate) fn numbers(
        &mut self,
        shape: impl Into<Vec<usize>>,
        values: Vec<f64>,
        dtype: DType,
    ) -> Result<Value> {
        let tensor = Tensor::new(shape, values)?.cast(dtype)?;
        Ok(self.constant(tensor))
    }

    /// As many numbers as a constant, made only if so many may be.
    pub(crate) fn table(
        &mut self,
        shape: impl Into<Vec<usize>>,
        dtype: DType,
        make: impl FnOnce() -> Vec<f64>,
    ) -> Result<Value> {
        let shape = shape.into();
        self.check_value("table", &shape, DType::Float64)?;
        self.numbers(shape, make(), dtype)
    }

    /// Whole numbers as a constant of `int64`.
    pub(crate) fn indices(&mut self, values: impl IntoIterator<Item = usize>) -> Result<Value> {
        let values = values.into_iter();
        self.check_value("table", &[values.size_hint().0], DType::Int64)?;
        let values: Vec<i64> = values.map(|v| v as i64).collect();
        let tensor = Tensor::new([values.len()], values)?;
        Ok(self.constant(tensor))
    }

    /// A tensor full of one number.
    pub(crate) fn full(
        &mut self,
        shape: impl Into<Vec<usize>>,
        value: f64,
        dtype: DType,
    ) -> Result<Value> {
        let scalar = self.scalar(value, dtype)?;
        self.broadcast_to(scalar, shape)
    }

    /// Random `float32` from 0, below 1: others for each seed.
    pub(crate) fn uniform(&mut self, shape: &[usize]) -> Result<Value> {
        self.random(Distribution::Uniform, shape)
    }

    /// Random `float32` with a normal distribution of deviation 1 around 0.
    pub(crate) fn normal(&mut self, shape: &[usize]) -> Result<Value> {
        self.random(Distribution::Normal, shape)
    }

    fn random(&mut self, distribution: Distribution, shape: &[usize]) -> Result<Value> {
        let (seed, stream) = (self.seed(), self.next_stream());
        self.op(Random { distribution, shape: shape.to_vec(), stream }, &[seed])
    }

    pub(crate) fn cast(&mut self, x: Value, dtype: DType) -> Result<Value> {
        if self.dtype(x) == dtype { Ok(x) } else { self.op(Cast { dtype }, &[x]) }
    }

    pub(crate) fn unary(&mut self, function: Function, x: Value) -> Result<Value> {
        let y = self.op(Unary(function), &[x])?;
        if function == Function::Sigmoid {
            self.set_logits(y, Some(x));
        }
        Ok(y)
    }

    /// Arithmetic; a constant without axes takes the type of the other side.
    pub(crate) fn binary(&mut self, how: Arithmetic, a: Value, b: Value) -> Result<Value> {
        let (a, b) = self.same_type(a, b)?;
        self.op(Binary(how), &[a, b])
    }

    pub(crate) fn add(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(Arithmetic::Add, a, b)
    }

    pub(crate) fn sub(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(Arithmetic::Sub, a, b)
    }

    pub(crate) fn mul(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(Arithmetic::Mul, a, b)
    }

    pub(crate) fn div(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(Arithmetic::Div, a, b)
    }

    /// `x + number`, `x · number`..., in the type of `x`.
    pub(crate) fn with_number(&mut self, how: Arithmetic, x: Value, number: f64) -> Result<Value> {
        let number = self.scalar(number, self.dtype(x))?;
        self.binary(how, x, number)
    }

    pub(crate) fn scale(&mut self, x: Value, factor: f64) -> Result<Value> {
        if factor == 1.0 { Ok(x) } else { self.with_number(Arithmetic::Mul, x, factor) }
    }

    /// Both in the type that Keras promotes them to.
    pub(crate) fn same_type(&mut self, a: Value, b: Value) -> Result<(Value, Value)> {
        let dtype = promote(self.dtype(a), self.dtype(b));
        Ok((self.cast(a, dtype)?, self.cast(b, dtype)?))
    }

    pub(crate) fn compare(&mut self, how: Relation, a: Value, b: Value) -> Result<Value> {
        let (a, b) = self.same_type(a, b)?;
        self.op(Compare(how), &[a, b])
    }

    /// Whether each element stands in this relation to a number.
    pub(crate) fn compare_number(&mut self, how: Relation, x: Value, number: f64) -> Result<Value> {
        let number = self.scalar(number, self.dtype(x))?;
        self.compare(how, x, number)
    }

    pub(crate) fn logic(&mut self, how: Connective, a: Value, b: Value) -> Result<Value> {
        let (a, b) = (self.cast(a, DType::Bool)?, self.cast(b, DType::Bool)?);
        self.op(Logic(how), &[a, b])
    }

    pub(crate) fn not(&mut self, x: Value) -> Result<Value> {
        let yes = self.constant(Tensor::scalar(true));
        self.logic(Connective::Xor, x, yes)
    }

    pub(crate) fn select(&mut self, condition: Value, a: Value, b: Value) -> Result<Value> {
        let condition = self.cast(condition, DType::Bool)?;
        let (a, b) = self.same_type(a, b)?;
        self.op(Select, &[condition, a, b])
    }

    pub(crate) fn reshape(&mut self, x: Value, shape: impl Into<Vec<usize>>) -> Result<Value> {
        let shape = shape.into();
        if self.shape(x) == shape { Ok(x) } else { self.op(Reshape { shape }, &[x]) }
    }

    /// The same under another name, with a mask of its own. Free.
    pub(crate) fn identity(&mut self, x: Value) -> Result<Value> {
        let shape = self.shape(x).to_vec();
        self.op(Reshape { shape }, &[x])
    }

    /// An axis of length 1 before axis `at`.
    pub(crate) fn expand(&mut self, x: Value, at: usize) -> Result<Value> {
        let mut shape = self.shape(x).to_vec();
        shape.insert(at.min(shape.len()), 1);
        self.reshape(x, shape)
    }

    pub(crate) fn transpose(&mut self, x: Value, axes: impl Into<Vec<usize>>) -> Result<Value> {
        let axes = axes.into();
        if axes.iter().copied().eq(0..self.rank(x)) {
            return Ok(x);
        }
        // Axes of length 1 may go anywhere for free.
        let shape = self.shape(x).to_vec();
        let long = |a: &&usize| shape.get(**a).is_some_and(|n| *n != 1);
        if axes.iter().filter(long).is_sorted() && axes.len() == shape.len() {
            let to: Option<Vec<usize>> = axes.iter().map(|a| shape.get(*a).copied()).collect();
            if let Some(to) = to {
                return self.reshape(x, to);
            }
        }
        self.op(Transpose { axes }, &[x])
    }

    /// Axis `from` goes to place `to`; the others keep their order.
    pub(crate) fn move_axis(&mut self, x: Value, from: usize, to: usize) -> Result<Value> {
        let mut axes: Vec<usize> = (0..self.rank(x)).filter(|a| *a != from).collect();
        axes.insert(to.min(axes.len()), from);
        self.transpose(x, axes)
    }

    pub(crate) fn broadcast_to(&mut self, x: Value, shape: impl Into<Vec<usize>>) -> Result<Value> {
        let shape = shape.into();
        if self.shape(x) == shape {
            return Ok(x);
        }
        if size(&shape) == size(self.shape(x)) {
            return self.reshape(x, shape);
        }
        self.op(BroadcastTo { shape }, &[x])
    }

    pub(crate) fn concat(&mut self, x: &[Value], axis: usize) -> Result<Value> {
        match x {
            [one] => Ok(*one),
            all => self.op(Concat { axis }, all),
        }
    }

    /// `x[.., start..end, ..]` along an axis.
    pub(crate) fn slice(
        &mut self,
        x: Value,
        axis: usize,
        start: usize,
        end: usize,
    ) -> Result<Value> {
        let mut count = self.shape(x).to_vec();
        let mut begin = vec![0; count.len()];
        if let (Some(count), Some(begin)) = (count.get_mut(axis), begin.get_mut(axis)) {
            if (start, end) == (0, *count) {
                return Ok(x);
            }
            *count = end.saturating_sub(start);
            *begin = start;
        }
        let step = vec![1; count.len()];
        self.op(StridedSlice { begin, count, step }, &[x])
    }

    /// `x[.., at, ..]`: without the axis.
    pub(crate) fn at(&mut self, x: Value, axis: usize, at: usize) -> Result<Value> {
        let part = self.slice(x, axis, at, at.saturating_add(1))?;
        let mut shape = self.shape(part).to_vec();
        if axis < shape.len() {
            shape.remove(axis);
        }
        self.reshape(part, shape)
    }

    pub(crate) fn pad(
        &mut self,
        x: Value,
        borders: &[(usize, usize)],
        mode: PadMode,
    ) -> Result<Value> {
        if borders.iter().all(|b| *b == (0, 0)) {
            return Ok(x);
        }
        self.op(Pad { borders: borders.to_vec(), mode }, &[x])
    }

    pub(crate) fn flip(&mut self, x: Value, axis: usize) -> Result<Value> {
        self.op(Flip { axis }, &[x])
    }

    pub(crate) fn gather(&mut self, x: Value, indices: Value, axis: usize) -> Result<Value> {
        let indices = self.cast(indices, DType::Int64)?;
        self.op(Gather { axis }, &[x, indices])
    }

    pub(crate) fn gather_along(&mut self, x: Value, indices: Value, axis: usize) -> Result<Value> {
        let indices = self.cast(indices, DType::Int64)?;
        self.op(GatherAlong { axis }, &[x, indices])
    }

    pub(crate) fn matmul(&mut self, a: Value, b: Value) -> Result<Value> {
        let (a, b) = self.same_type(a, b)?;
        self.op(MatMul::default(), &[a, b])
    }

    /// `a` times the transpose of `b`.
    pub(crate) fn matmul_transposed(&mut self, a: Value, b: Value) -> Result<Value> {
        let (a, b) = self.same_type(a, b)?;
        self.op(MatMul { transposed: true, ..MatMul::default() }, &[a, b])
    }

    pub(crate) fn reduce(
        &mut self,
        reduction: Reduction,
        x: Value,
        axes: &[usize],
        keepdims: bool,
    ) -> Result<Value> {
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        if axes.is_empty() {
            return Ok(x);
        }
        self.op(Reduce { reduction, axes, keepdims }, &[x])
    }

    pub(crate) fn sum(&mut self, x: Value, axes: &[usize], keepdims: bool) -> Result<Value> {
        self.reduce(Reduction::Sum, x, axes, keepdims)
    }

    pub(crate) fn mean(&mut self, x: Value, axes: &[usize], keepdims: bool) -> Result<Value> {
        self.reduce(Reduction::Mean, x, axes, keepdims)
    }

    /// The mean of the squared distances from the mean.
    pub(crate) fn variance(&mut self, x: Value, axes: &[usize], keepdims: bool) -> Result<Value> {
        let (_, variance) = self.moments(x, axes)?;
        if keepdims {
            return Ok(variance);
        }
        let dims = self.shape(variance).iter().enumerate();
        let kept: Vec<usize> = dims.filter(|(i, _)| !axes.contains(i)).map(|(_, n)| *n).collect();
        self.reshape(variance, kept)
    }

    /// The mean and the mean of the squared distances from it; axes stay, 1 long.
    pub(crate) fn moments(&mut self, x: Value, axes: &[usize]) -> Result<(Value, Value)> {
        let mean = self.mean(x, axes, true)?;
        let centred = self.binary(Arithmetic::SquaredDifference, x, mean)?;
        Ok((mean, self.mean(centred, axes, true)?))
    }

    /// Whether any (all) elements along the axes are true.
    pub(crate) fn any(&mut self, x: Value, axes: &[usize], keepdims: bool) -> Result<Value> {
        let number = self.cast(x, DType::Bool)?;
        let number = self.cast(number, DType::Int64)?;
        let largest = self.reduce(Reduction::Max, number, axes, keepdims)?;
        self.cast(largest, DType::Bool)
    }

    pub(crate) fn all(&mut self, x: Value, axes: &[usize], keepdims: bool) -> Result<Value> {
        let number = self.cast(x, DType::Bool)?;
        let number = self.cast(number, DType::Int64)?;
        let smallest = self.reduce(Reduction::Min, number, axes, keepdims)?;
        self.cast(smallest, DType::Bool)
    }

    /// The type in which elements are ordered.
    fn ordered(&mut self, x: Value) -> Result<Value> {
        match self.dtype(x) {
            DType::Float32 | DType::Float64 | DType::Int64 => Ok(x),
            float if float.is_float() => self.cast(x, DType::Float32),
            _ => self.cast(x, DType::Int64),
        }
    }

    pub(crate) fn arg_reduce(&mut self, x: Value, axis: usize, largest: bool) -> Result<Value> {
        let x = self.ordered(x)?;
        self.op(ArgReduce { largest, axis }, &[x])
    }

    /// The places of the elements along an axis in rising or falling order.
    pub(crate) fn argsort(&mut self, x: Value, axis: usize, descending: bool) -> Result<Value> {
        let x = self.ordered(x)?;
        let last = self.rank(x).saturating_sub(1);
        let moved = self.move_axis(x, axis, last)?;
        let order = self.op(ArgSort { descending }, &[moved])?;
        self.move_axis(order, last, axis)
    }

    pub(crate) fn cumulative(&mut self, x: Value, axis: usize, product: bool) -> Result<Value> {
        self.op(Cumulative { product, axis }, &[x])
    }

    /// Softmax along an axis.
    pub(crate) fn softmax(&mut self, x: Value, axis: usize, log: bool) -> Result<Value> {
        let last = self.rank(x).saturating_sub(1);
        let moved = self.move_axis(x, axis, last)?;
        let y = self.op(Softmax { log }, &[moved])?;
        let y = self.move_axis(y, last, axis)?;
        self.set_logits(y, Some(x).filter(|_| !log));
        Ok(y)
    }

    /// 1 at the place of each index, 0 elsewhere; a new last axis of length `classes`.
    pub(crate) fn one_hot(&mut self, x: Value, classes: usize, dtype: DType) -> Result<Value> {
        let x = self.cast(x, DType::Int64)?;
        let x = self.expand(x, self.rank(x))?;
        let all = self.indices(0..classes)?;
        let hot = self.compare(Relation::Equal, x, all)?;
        self.cast(hot, dtype)
    }

    /// An axis that may count from the end, counted from the front.
    pub(crate) fn axis(&self, x: Value, axis: i64) -> Result<usize> {
        axis_of(axis, self.rank(x))
            .ok_or_else(|| self.error(format!("shape {:?} has no axis {axis}", self.shape(x))))
    }

    /// The same for several.
    pub(crate) fn axes(&self, x: Value, axes: &[i64]) -> Result<Vec<usize>> {
        axes.iter().map(|a| self.axis(x, *a)).collect()
    }

    /// The length of an axis.
    pub(crate) fn dim(&self, x: Value, axis: i64) -> Result<usize> {
        let axis = self.axis(x, axis)?;
        Ok(self.shape(x).get(axis).copied().unwrap_or(1))
    }
}

/// An axis that may count from the end, counted from the front.
pub(crate) fn axis_of(axis: i64, rank: usize) -> Option<usize> {
    let rank = i64::try_from(rank).ok()?;
    let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
    usize::try_from(axis).ok().filter(|_| axis < rank)
}

/// The type that two are promoted to, as `keras.backend.result_type` has it.
pub(crate) fn promote(a: DType, b: DType) -> DType {
    use DType::{
        BFloat16, Bool, Float16, Float32, Float64, Int8, Int16, Int32, Int64, UInt8, UInt16,
        UInt32, UInt64,
    };
    const SIGNED: [DType; 4] = [Int8, Int16, Int32, Int64];
    if a == b {
        return a;
    }
    match (a, b) {
        (Bool, other) | (other, Bool) => other,
        (Float16, BFloat16) | (BFloat16, Float16) => Float32,
        _ if a.is_float() && b.is_float() => {
            if a == Float64 || b == Float64 {
                Float64
            } else {
                Float32
            }
        }
        _ if a.is_float() => a,
        _ if b.is_float() => b,
        (UInt64, other) | (other, UInt64) if SIGNED.contains(&other) => Float32,
        (UInt32, other) | (other, UInt32) if SIGNED.contains(&other) => Int64,
        (UInt16, other) | (other, UInt16) if SIGNED.contains(&other) => {
            if other == Int64 {
                Int64
            } else {
                Int32
            }
        }
        (UInt8, other) | (other, UInt8) if SIGNED.contains(&other) => {
            if other == Int8 {
                Int16
            } else {
                other
            }
        }
        _ if a.size() >= b.size() => a,
        _ => b,
    }
}

#[test]
fn promotes_as_keras_does() {
    assert_eq!(promote(DType::Int32, DType::Float16), DType::Float16);
    assert_eq!(promote(DType::UInt8, DType::Int8), DType::Int16);
    assert_eq!(promote(DType::Bool, DType::UInt8), DType::UInt8);
    assert_eq!(promote(DType::Int64, DType::Int32), DType::Int64);
}
