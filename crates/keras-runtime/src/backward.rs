//! Gradients: more operations of the same graph, from its outputs back to its inputs.
//!
//! Each operation says what reaches its inputs of what reaches its outputs; a value that is used
//! several times gets the sum. What comes out is folded, fused and planned like any other graph.

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Op, Relation, Scatter, Scattering, StopGradient};

/// What reaches each of the values `wrt` if `dy` reaches the values beside them: `None` if nothing
/// depends on it.
pub(crate) fn backward(
    b: &mut Builder<'_>,
    ends: &[(Value, Value)],
    wrt: &[Value],
) -> Result<Vec<Option<Value>>> {
    let nodes = std::mem::take(&mut b.graph.nodes);
    // What depends on the values, so that nothing is made for the rest.
    let mut depends = vec![false; b.graph.specs.len()];
    let mut reached: Vec<Option<Value>> = vec![None; b.graph.specs.len()];
    let is_float = |b: &Builder<'_>, v: Value| b.dtype(v).is_float();
    for value in wrt.iter().filter(|v| is_float(b, **v)) {
        if let Some(depends) = depends.get_mut(value.0) {
            *depends = true;
        }
    }
    for node in &nodes {
        if node.inputs.iter().any(|v| depends.get(v.0) == Some(&true)) {
            for value in node.outputs.iter().filter(|v| is_float(b, **v)) {
                if let Some(depends) = depends.get_mut(value.0) {
                    *depends = true;
                }
            }
        }
    }
    for (value, dy) in ends {
        arrive(b, &mut reached, &depends, *value, *dy)?;
    }
    for node in nodes.iter().rev() {
        let arrived = |v: &Value| reached.get(v.0).copied().flatten();
        let dy: Vec<Option<Value>> = node.outputs.iter().map(arrived).collect();
        let is_needed = node.inputs.iter().any(|v| depends.get(v.0) == Some(&true));
        if !is_needed || dy.iter().all(Option::is_none) {
            continue;
        }
        let dx = node.op.gradient(b, &node.inputs, &node.outputs, &dy)?;
        for (input, dx) in node.inputs.iter().zip(dx) {
            if let Some(dx) = dx {
                arrive(b, &mut reached, &depends, *input, dx)?;
            }
        }
    }
    let after = std::mem::replace(&mut b.graph.nodes, nodes);
    b.graph.nodes.extend(after);
    // What a gradient went to instead needs not be computed for that.
    for node in &mut b.graph.nodes {
        if matches!(node.op, Op::StopGradient(_)) {
            node.inputs.truncate(1);
        }
    }
    Ok(wrt.iter().map(|v| reached.get(v.0).copied().flatten()).collect())
}

/// Adds to what reaches a value.
fn arrive(
    b: &mut Builder<'_>,
    reached: &mut [Option<Value>],
    depends: &[bool],
    value: Value,
    dy: Value,
) -> Result<()> {
    if depends.get(value.0) != Some(&true) {
        return Ok(());
    }
    let dy = b.cast(dy, b.dtype(value))?;
    if let Some(sum) = reached.get_mut(value.0) {
        *sum = Some(match *sum {
            Some(sum) => b.add(sum, dy)?,
            None => dy,
        });
    }
    Ok(())
}

impl Builder<'_> {
    /// `x`, where a gradient ends: `keras.ops.stop_gradient`.
    pub(crate) fn stop_gradient(&mut self, x: Value) -> Result<Value> {
        if self.differentiates() { self.op(StopGradient, &[x]) } else { Ok(x) }
    }

    /// `x`, from where a gradient goes on at what `other` makes: a value of the same shape that
    /// is not computed itself.
    pub(crate) fn with_gradient_of(
        &mut self,
        x: Value,
        other: impl FnOnce(&mut Self) -> Result<Value>,
    ) -> Result<Value> {
        if !self.differentiates() {
            return Ok(x);
        }
        let other = other(self)?;
        self.op(StopGradient, &[x, other])
    }

    /// The sums of `x` over the axes along which a tensor of that shape was repeated.
    pub(crate) fn sum_to(&mut self, x: Value, shape: &[usize]) -> Result<Value> {
        if self.shape(x) == shape {
            return Ok(x);
        }
        let skip = self.rank(x).saturating_sub(shape.len());
        let own = self.shape(x).iter().skip(skip).zip(shape).enumerate();
        let repeated = own.filter(|(_, (n, m))| n != m && **m == 1).map(|(i, _)| i + skip);
        let axes: Vec<usize> = (0..skip).chain(repeated).collect();
        let sum = self.sum(x, &axes, true)?;
        self.reshape(sum, shape)
    }

    /// The last two axes exchanged.
    pub(crate) fn transpose_matrices(&mut self, x: Value) -> Result<Value> {
        let mut axes: Vec<usize> = (0..self.rank(x)).collect();
        let last = axes.len().saturating_sub(1);
        axes.swap(last, last.saturating_sub(1));
        self.transpose(x, axes)
    }

    /// Zeros like another tensor.
    pub(crate) fn zeros_like(&mut self, x: Value) -> Result<Value> {
        let shape = self.shape(x).to_vec();
        self.full(shape, 0.0, self.dtype(x))
    }

    /// `y[places[i]] += rows[i]` for `n` rows of zeros: what reaches what was read at these places.
    /// A negative place counts from the end.
    pub(crate) fn sum_rows(&mut self, rows: Value, places: Value, n: usize) -> Result<Value> {
        let negative = self.compare_number(Relation::Less, places, 0.0)?;
        let from_end = self.with_number(Arithmetic::Add, places, n as f64)?;
        let places = self.select(negative, from_end, places)?;
        let dtype = self.dtype(rows);
        // It adds in the types that operations compute in.
        let wide = if dtype == DType::Float64 { dtype } else { DType::Float32 };
        let rows = self.cast(rows, wide)?;
        let mut shape = self.shape(rows).to_vec();
        if let Some(first) = shape.first_mut() {
            *first = n;
        }
        let zeros = self.full(shape, 0.0, wide)?;
        let add = Scatter { how: Scattering::Add, negative_skips: false };
        let sum = self.op(add, &[zeros, places, rows])?;
        self.cast(sum, dtype)
    }
}
