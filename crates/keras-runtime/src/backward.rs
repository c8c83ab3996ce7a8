//! Gradients: more operations of the same graph, from its outputs back to its inputs.
//!
//! Each operation says what reaches its inputs of what reaches its outputs; a value that is used
//! several times gets the sum. What comes out is folded, fused and planned like any other graph.

use std::collections::HashMap;

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Node, Value};
use crate::ops::{Arithmetic, Op, Relation, Scatter, Scattering, StopGradient};

/// What reaches each of the values `wrt` if `dy` reaches the values beside them: `None` if nothing
/// depends on it.
pub(crate) fn backward(
    b: &mut Builder<'_>,
    ends: &[(Value, Value)],
    wrt: &[Value],
) -> Result<Vec<Option<Value>>> {
    backward_by_rows(b, ends, wrt).map(|(found, _)| found)
}

/// What reaches rows of a table that were looked up: `tf.IndexedSlices`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup {
    /// What reaches the copies of the rows: `[..places, ..row]`.
    pub(crate) dy: Value,
    /// Which rows they are.
    pub(crate) places: Value,
}

/// The gradients of some values, and the lookups behind each.
pub(crate) type ByRows = (Vec<Option<Value>>, Vec<Vec<Lookup>>);

/// The same, and for each of `wrt` that is only a table of rows to look up what reaches each copy.
pub(crate) fn backward_by_rows(
    b: &mut Builder<'_>,
    ends: &[(Value, Value)],
    wrt: &[Value],
) -> Result<ByRows> {
    let nodes = std::mem::take(&mut b.graph.nodes);
    let mut reached = Reached::new(b, &nodes, wrt);
    for (value, dy) in ends {
        reached.add(b, *value, *dy)?;
    }
    for node in nodes.iter().rev() {
        if !node.inputs.iter().any(|v| reached.is_wanted(*v)) {
            continue;
        }
        let dy = node.outputs.iter().map(|v| reached.sum(b, *v));
        let dy: Vec<Option<Value>> = dy.collect::<Result<_>>()?;
        if dy.iter().all(Option::is_none) {
            continue;
        }
        if let (Op::StridedSlice(op), [x], [Some(dy)]) = (&node.op, &*node.inputs, &*dy)
            && let Some((axis, start)) = op.along_one_axis(b.shape(*x))
        {
            reached.parts.entry(*x).or_default().push(Part { axis, start, dy: *dy });
            continue;
        }
        reached.note_lookups(node, &dy);
        b.wanted = node.inputs.iter().map(|v| reached.is_wanted(*v)).collect();
        let dx = node.op.gradient(b, &node.inputs, &node.outputs, &dy)?;
        for (input, dx) in node.inputs.iter().zip(dx) {
            if let Some(dx) = dx {
                reached.add(b, *input, dx)?;
            }
        }
    }
    let found = wrt.iter().map(|v| reached.sum(b, *v)).collect::<Result<_>>()?;
    let lookups = wrt.iter().map(|v| reached.lookups(*v)).collect();
    let after = std::mem::replace(&mut b.graph.nodes, nodes);
    b.graph.nodes.extend(after);
    Ok((found, lookups))
}

/// What has reached the values of a graph.
struct Reached {
    /// Whether a value depends on one whose gradient is wanted: nothing is made for the others.
    wanted: Vec<bool>,
    sums: Vec<Option<Value>>,
    /// What has reached slices: a loop over time makes one for each step, and all become one
    /// tensor in the end.
    parts: HashMap<Value, Vec<Part>>,
    /// How often something has reached a value.
    times: HashMap<Value, usize>,
    lookups: HashMap<Value, Vec<Lookup>>,
}

/// What has reached a slice along one axis.
#[derive(Clone, Copy)]
struct Part {
    axis: usize,
    start: usize,
    dy: Value,
}

impl Reached {
    fn new(b: &Builder<'_>, nodes: &[Node], wrt: &[Value]) -> Self {
        let count = b.graph.specs.len();
        let mut reached = Self {
            wanted: vec![false; count],
            sums: vec![None; count],
            parts: HashMap::new(),
            times: HashMap::new(),
            lookups: HashMap::new(),
        };
        let want = |reached: &mut Self, value: &Value| {
            if let Some(wanted) = reached.wanted.get_mut(value.0) {
                *wanted = b.dtype(*value).is_float();
            }
        };
        wrt.iter().for_each(|value| want(&mut reached, value));
        for node in nodes {
            // What is stopped wants nothing; what stands in for it may.
            let hidden = usize::from(matches!(node.op, Op::StopGradient(_)));
            if node.inputs.iter().skip(hidden).any(|v| reached.is_wanted(*v)) {
                node.outputs.iter().for_each(|value| want(&mut reached, value));
            }
        }
        reached
    }

    fn is_wanted(&self, value: Value) -> bool {
        self.wanted.get(value.0) == Some(&true)
    }

    /// Adds to what has reached a value.
    fn add(&mut self, b: &mut Builder<'_>, value: Value, dy: Value) -> Result<()> {
        if !self.is_wanted(value) {
            return Ok(());
        }
        *self.times.entry(value).or_default() += 1;
        let dy = b.cast(dy, b.dtype(value))?;
        if let Some(sum) = self.sums.get_mut(value.0) {
            *sum = Some(match *sum {
                Some(sum) => b.add(sum, dy)?,
                None => dy,
            });
        }
        Ok(())
    }

    /// Remembers what goes back to rows of a table.
    fn note_lookups(&mut self, node: &Node, dy: &[Option<Value>]) {
        let (Some(table), Some(y)) = (node.inputs.first(), node.outputs.first()) else { return };
        let found = match (&node.op, &*node.inputs, dy) {
            (Op::Gather(gather), [_, places], [Some(dy)]) if gather.axis == 0 => {
                vec![Lookup { dy: *dy, places: *places }]
            }
            (Op::Cast(_), ..) => self.lookups(*y),
            _ => return,
        };
        self.lookups.entry(*table).or_default().extend(found);
    }

    /// What has reached the rows of a table, if nothing else has.
    fn lookups(&self, value: Value) -> Vec<Lookup> {
        let found = self.lookups.get(&value).cloned().unwrap_or_default();
        if self.times.get(&value) == Some(&found.len()) { found } else { Vec::new() }
    }

    /// All that has reached a value.
    fn sum(&mut self, b: &mut Builder<'_>, value: Value) -> Result<Option<Value>> {
        let mut parts = self.parts.remove(&value).unwrap_or_default();
        parts.sort_by_key(|part| (part.axis, part.start));
        // As many as fit beside each other along an axis become one tensor.
        while let Some(first) = parts.first().copied() {
            let (axis, mut row, mut rest, mut end) = (first.axis, Vec::new(), Vec::new(), 0);
            for part in parts {
                if part.axis == axis && part.start >= end {
                    end = part.start + b.shape(part.dy).get(axis).copied().unwrap_or(0);
                    row.push(part);
                } else {
                    rest.push(part);
                }
            }
            parts = rest;
            let whole = joined(b, value, axis, &row)?;
            self.add(b, value, whole)?;
        }
        Ok(self.sums.get(value.0).copied().flatten())
    }
}

/// Parts of a tensor like `value` that do not overlap, in their order, with zeros between them.
fn joined(b: &mut Builder<'_>, value: Value, axis: usize, parts: &[Part]) -> Result<Value> {
    let (shape, dtype) = (b.shape(value).to_vec(), b.dtype(value));
    let (mut all, mut end) = (Vec::new(), 0);
    let length = shape.get(axis).copied().unwrap_or(0);
    let zeros = |b: &mut Builder<'_>, count: usize| {
        let dims = shape.iter().enumerate();
        let shape: Vec<usize> = dims.map(|(i, n)| if i == axis { count } else { *n }).collect();
        b.full(shape, 0.0, dtype)
    };
    for part in parts {
        if part.start > end {
            all.push(zeros(b, part.start - end)?);
        }
        all.push(b.cast(part.dy, dtype)?);
        end = part.start + b.shape(part.dy).get(axis).copied().unwrap_or(0);
    }
    if end < length {
        all.push(zeros(b, length - end)?);
    }
    b.concat(&all, axis)
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
