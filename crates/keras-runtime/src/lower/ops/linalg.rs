//! Products of vectors and matrices.

use crate::Result;
use crate::graph::{Builder, Value};
use crate::lower::einsum::einsum;
use crate::lower::operation::OpCall;
use crate::ops::{Arithmetic, Function, size};

pub(in crate::lower) fn lower(
    c: &OpCall<'_>,
    name: &str,
    b: &mut Builder<'_>,
) -> Result<Option<Vec<Value>>> {
    let y = match name {
        "Matmul" => {
            let [x, y] = c.pair(b)?;
            let turned = |name: &str, b: &mut Builder<'_>, x: Value| {
                if !c.flag(name, usize::MAX) {
                    return Ok(x);
                }
                let rank = b.rank(x);
                b.move_axis(x, rank.saturating_sub(1), rank.saturating_sub(2))
            };
            let x = turned("transpose_a", b, x)?;
            let y = turned("transpose_b", b, y)?;
            matmul(b, x, y)?
        }
        "Dot" => {
            let [x, y] = c.pair(b)?;
            if b.rank(x) == 0 || b.rank(y) == 0 {
                b.mul(x, y)?
            } else {
                let j = if b.rank(y) == 1 { 0 } else { b.rank(y) - 2 };
                let i = b.rank(x) - 1;
                tensordot(b, x, y, &[i], &[j])?
            }
        }
        "Inner" => {
            let [x, y] = c.pair(b)?;
            let (i, j) = (b.axis(x, -1)?, b.axis(y, -1)?);
            tensordot(b, x, y, &[i], &[j])?
        }
        "Vdot" => {
            let [x, y] = c.pair(b)?;
            let (x, y) = (flat(b, x)?, flat(b, y)?);
            tensordot(b, x, y, &[0], &[0])?
        }
        "Outer" => {
            let [x, y] = c.pair(b)?;
            let (x, y) = (flat(b, x)?, flat(b, y)?);
            let (x, y) = (b.expand(x, 1)?, b.expand(y, 0)?);
            b.mul(x, y)?
        }
        "Tensordot" => {
            let [x, y] = c.pair(b)?;
            let (i, j) = match c.json("axes", 2) {
                Some(serde_json::Value::Array(lists)) => {
                    let list = |i: usize| -> Vec<i64> {
                        match lists.get(i) {
                            Some(serde_json::Value::Array(all)) => {
                                all.iter().filter_map(serde_json::Value::as_i64).collect()
                            }
                            Some(one) => one.as_i64().into_iter().collect(),
                            None => Vec::new(),
                        }
                    };
                    (b.axes(x, &list(0))?, b.axes(y, &list(1))?)
                }
                other => {
                    let n =
                        other.as_ref().and_then(serde_json::Value::as_u64).unwrap_or(2) as usize;
                    let rank = b.rank(x);
                    if n > rank.min(b.rank(y)) {
                        return Err(b.error(format!("no {n} axes to sum over")));
                    }
                    ((rank - n..rank).collect(), (0..n).collect())
                }
            };
            tensordot(b, x, y, &i, &j)?
        }
        "Einsum" => {
            let equation = c.text("subscripts", 0);
            let equation = equation.ok_or_else(|| b.error("has no subscripts"))?.to_owned();
            let tensors = crate::lower::operation::common(b, &c.call.tensors())?;
            einsum(b, &equation, &tensors)?
        }
        "Trace" | "Diagonal" => {
            let x = c.x(b)?;
            let axis = |name: &str, default: i64| c.int(name, usize::MAX).unwrap_or(default);
            let (i, j) = (b.axis(x, axis("axis1", 0))?, b.axis(x, axis("axis2", 1))?);
            let y = diagonal(b, x, i, j, axis("offset", 0))?;
            let last = b.rank(y).saturating_sub(1);
            if name == "Trace" { b.sum(y, &[last], false)? } else { y }
        }
        "CDist" => {
            let [x, y] = c.pair(b)?;
            let (i, j) = (b.rank(x).saturating_sub(1), b.rank(y).saturating_sub(2));
            let (x, y) = (b.expand(x, i)?, b.expand(y, j)?);
            let squares = b.binary(Arithmetic::SquaredDifference, x, y)?;
            let last = b.axis(squares, -1)?;
            let sum = b.sum(squares, &[last], false)?;
            b.unary(Function::Sqrt, sum)?
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![y]))
}

fn flat(b: &mut Builder<'_>, x: Value) -> Result<Value> {
    b.reshape(x, [size(b.shape(x))])
}

/// `keras.ops.matmul`: vectors are rows on the left, columns on the right.
pub(in crate::lower) fn matmul(b: &mut Builder<'_>, x: Value, y: Value) -> Result<Value> {
    let (rank_x, rank_y) = (b.rank(x), b.rank(y));
    let left = if rank_x == 1 { b.expand(x, 0)? } else { x };
    let right = if rank_y == 1 { b.expand(y, 1)? } else { y };
    let z = b.matmul(left, right)?;
    let mut shape = b.shape(z).to_vec();
    if rank_y == 1 {
        shape.pop();
    }
    if rank_x == 1 && !shape.is_empty() {
        shape.remove(shape.len() - if rank_y == 1 { 1 } else { 2 });
    }
    b.reshape(z, shape)
}

/// The product summed over some axes of each.
fn tensordot(b: &mut Builder<'_>, x: Value, y: Value, i: &[usize], j: &[usize]) -> Result<Value> {
    let free = |b: &Builder<'_>, v: Value, axes: &[usize]| -> (Vec<usize>, Vec<usize>) {
        let free: Vec<usize> = (0..b.rank(v)).filter(|a| !axes.contains(a)).collect();
        let dims = free.iter().filter_map(|a| b.shape(v).get(*a).copied()).collect();
        (free, dims)
    };
    let (free_x, dims_x) = free(b, x, i);
    let (free_y, dims_y) = free(b, y, j);
    let k: usize = i.iter().filter_map(|a| b.shape(x).get(*a)).product();
    let x = b.transpose(x, [&free_x[..], i].concat())?;
    let y = b.transpose(y, [j, &free_y[..]].concat())?;
    let x = b.reshape(x, [size(&dims_x), k])?;
    let y = b.reshape(y, [k, size(&dims_y)])?;
    let z = b.matmul(x, y)?;
    b.reshape(z, [dims_x, dims_y].concat())
}

/// The elements with the same place along two axes, as the last axis.
pub(super) fn diagonal(
    b: &mut Builder<'_>,
    x: Value,
    i: usize,
    j: usize,
    offset: i64,
) -> Result<Value> {
    let mut axes: Vec<usize> = (0..b.rank(x)).filter(|a| *a != i && *a != j).collect();
    axes.extend([i, j]);
    let x = b.transpose(x, axes)?;
    let shape = b.shape(x).to_vec();
    let &[ref outer @ .., rows, columns] = shape.as_slice() else {
        return Err(b.error("takes a matrix"));
    };
    let flat = b.reshape(x, [outer, &[rows * columns]].concat())?;
    let (down, right) = if offset < 0 { (offset.unsigned_abs(), 0) } else { (0, offset as u64) };
    let (down, right) = (down as usize, right as usize);
    let n = rows.saturating_sub(down).min(columns.saturating_sub(right));
    let places = b.indices((0..n).map(|k| (k + down) * columns + k + right))?;
    b.gather(flat, places, outer.len())
}
