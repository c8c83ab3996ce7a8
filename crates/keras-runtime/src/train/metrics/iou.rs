//! `IoU` and its family: of what is or was found to be a class, what is both. Source:
//! `keras/src/metrics/iou_metrics.py`, Keras 3.15.

use keras_model::DType;

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Relation, Scatter, Scattering, size};
use crate::train::EPSILON;

/// What is counted.
pub(super) struct Classes {
    /// How many there are.
    pub(super) count: usize,
    pub(super) ignore_class: Option<i64>,
    /// Whether targets and predictions are numbers of classes; else chances along `axis`.
    pub(super) sparse: [bool; 2],
    pub(super) axis: i64,
}

impl Classes {
    /// What a batch adds to the matrix `[classes that are, classes that were found]`.
    pub(super) fn add(
        &self,
        b: &mut Builder<'_>,
        y_true: Value,
        y_pred: Value,
        weight: Option<Value>,
        dtype: DType,
    ) -> Result<Vec<Value>> {
        let n = self.count;
        let cells = n.saturating_mul(n);
        b.check_value("the matrix of classes", &[cells], dtype)?;
        let mut class = |x: Value, is_sparse: bool| {
            let x = if is_sparse {
                x
            } else {
                let axis = b.axis(x, self.axis)?;
                b.arg_reduce(x, axis, true)?
            };
            let x = b.cast(x, dtype)?;
            let x = b.cast(x, DType::Int64)?;
            b.reshape(x, [size(b.shape(x))])
        };
        let (y_true, y_pred) = (class(y_true, self.sparse[0])?, class(y_pred, self.sparse[1])?);
        let shape = b.shape(y_true).to_vec();
        if shape != b.shape(y_pred) {
            let found = size(b.shape(y_pred));
            return Err(b.error(format!("{} classes, {found} predictions", size(&shape))));
        }
        let weight = match weight {
            Some(weight) => {
                let weight = b.cast(weight, dtype)?;
                let flat = if b.rank(weight) > 1 {
                    vec![size(b.shape(weight))]
                } else {
                    b.shape(weight).to_vec()
                };
                let weight = b.reshape(weight, flat)?;
                b.broadcast_to(weight, shape.clone())?
            }
            None => b.full(shape.clone(), 1.0, dtype)?,
        };
        // What is none of the classes is nowhere.
        let mut counts = None;
        let mut and = |b: &mut Builder<'_>, holds: Value| -> Result<()> {
            counts = Some(match counts {
                Some(counts) => super::confusion::both(b, counts, holds)?,
                None => holds,
            });
            Ok(())
        };
        for class in [y_true, y_pred] {
            let holds = b.compare_number(Relation::GreaterEqual, class, 0.0)?;
            and(b, holds)?;
            let holds = b.compare_number(Relation::Less, class, n as f64)?;
            and(b, holds)?;
        }
        if let Some(ignored) = self.ignore_class {
            let holds = b.compare_number(Relation::NotEqual, y_true, ignored as f64)?;
            and(b, holds)?;
        }
        let row = b.scale(y_true, n as f64)?;
        let mut place = b.add(row, y_pred)?;
        if let Some(counts) = counts {
            let nowhere = b.scalar(-1.0, DType::Int64)?;
            place = b.select(counts, place, nowhere)?;
        }
        let zeros = b.full([cells], 0.0, dtype)?;
        let add = Scatter { how: Scattering::Add, negative_skips: true };
        let matrix = b.op(add, &[zeros, place, weight])?;
        Ok(vec![b.reshape(matrix, [n, n])?])
    }

    /// The mean over some classes, those that are nowhere left out.
    pub(super) fn result(
        &self,
        b: &mut Builder<'_>,
        matrix: Value,
        targets: impl ExactSizeIterator<Item = usize> + Clone,
    ) -> Result<Value> {
        let n = self.count;
        if targets.len() == 0 || targets.clone().any(|class| class >= n) {
            return Err(b.error(format!("target_class_ids must be classes of {n}")));
        }
        let places = b.indices(targets.clone())?;
        let found = b.sum(matrix, &[0], false)?;
        let are = b.sum(matrix, &[1], false)?;
        let flat = b.reshape(matrix, [n * n])?;
        let diagonal = b.indices(targets.map(|class| class * n + class))?;
        let both = b.gather(flat, diagonal, 0)?;
        let (found, are) = (b.gather(found, places, 0)?, b.gather(are, places, 0)?);
        let all = b.add(found, are)?;
        let all = b.sub(all, both)?;
        let (all, both) = (b.cast(all, DType::Float32)?, b.cast(both, DType::Float32)?);
        let is_there = b.compare_number(Relation::Greater, all, 1e-9)?;
        let count = b.cast(is_there, DType::Float32)?;
        let count = b.sum(count, &[0], false)?;
        let all = b.with_number(Arithmetic::Add, all, EPSILON)?;
        let share = b.div(both, all)?;
        let zero = b.scalar(0.0, DType::Float32)?;
        let share = b.select(is_there, share, zero)?;
        let sum = b.sum(share, &[0], false)?;
        let count = b.with_number(Arithmetic::Add, count, EPSILON)?;
        b.div(sum, count)
    }
}

/// 1 from the threshold on.
pub(super) fn from_threshold(b: &mut Builder<'_>, y_pred: Value, threshold: f64) -> Result<Value> {
    let y_pred = b.cast(y_pred, DType::Float32)?;
    let over = b.compare_number(Relation::GreaterEqual, y_pred, threshold)?;
    b.cast(over, DType::Int64)
}
