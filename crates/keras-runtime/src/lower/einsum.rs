//! Sums of products after Einstein's convention, as transposes and products of matrices.

use crate::Result;
use crate::graph::{Builder, Value};
use crate::ops::size;

/// `einsum(equation, x...)`: `ab,bc->ac`. `...` stands for any axes.
pub(super) fn einsum(b: &mut Builder<'_>, equation: &str, inputs: &[Value]) -> Result<Value> {
    let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left.to_owned(), Some(right.to_owned())),
        None => (equation.clone(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != inputs.len() {
        return Err(b.error(format!("{equation:?} for {} inputs", inputs.len())));
    }
    // Letters for the axes behind `...`, aligned at the end.
    let elided = terms.iter().zip(inputs).filter(|(term, _)| term.contains("..."));
    let elided = elided.map(|(term, x)| b.rank(*x).saturating_sub(term.len().saturating_sub(3)));
    let elided = elided.max().unwrap_or(0);
    let spare: Vec<char> = ('α'..='ω').take(elided).collect();
    let expand = |term: &str, count: usize| -> Vec<char> {
        let skip = spare.len().saturating_sub(count);
        let axes: String = spare.iter().skip(skip).collect();
        term.replace("...", &axes).chars().collect()
    };
    let mut operands = Vec::with_capacity(inputs.len());
    for (term, x) in terms.iter().zip(inputs) {
        let count = b.rank(*x).saturating_sub(term.len().saturating_sub(3));
        let letters = expand(term, count);
        let mut sorted = letters.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if letters.len() != b.rank(*x) || sorted.len() != letters.len() {
            return Err(b.unsupported(format!("einsum {equation:?} of shape {:?}", b.shape(*x))));
        }
        operands.push((letters, *x));
    }
    let output = match right {
        Some(right) => expand(&right, elided),
        // Letters that appear once, in alphabetical order.
        None => {
            let all: Vec<char> = operands.iter().flat_map(|o| o.0.iter().copied()).collect();
            let once = |c: &char| all.iter().filter(|d| *d == c).count() == 1 || spare.contains(c);
            let mut letters: Vec<char> = all.iter().copied().filter(once).collect();
            letters.sort_unstable_by_key(|c| (!spare.contains(c), *c));
            letters.dedup();
            letters
        }
    };
    let mut operands = operands.into_iter();
    let Some(mut all) = operands.next() else { return Err(b.error("einsum of nothing")) };
    let rest: Vec<(Vec<char>, Value)> = operands.collect();
    for (i, next) in rest.iter().enumerate() {
        let later = rest.iter().skip(i + 1).flat_map(|o| o.0.iter());
        let needed: Vec<char> = output.iter().chain(later).copied().collect();
        all = pair(b, &all, next, &needed)?;
    }
    let (letters, x) = sum_out(b, &all, &output)?;
    let axes: Option<Vec<usize>> =
        output.iter().map(|c| letters.iter().position(|d| d == c)).collect();
    let axes = axes.ok_or_else(|| b.error(format!("{equation:?} has no such output")))?;
    b.transpose(x, axes)
}

type Operand = (Vec<char>, Value);

/// The operand summed over the letters that nobody needs.
fn sum_out(b: &mut Builder<'_>, (letters, x): &Operand, needed: &[char]) -> Result<Operand> {
    let gone = letters.iter().enumerate().filter(|(_, c)| !needed.contains(c));
    let axes: Vec<usize> = gone.map(|(i, _)| i).collect();
    let kept = letters.iter().copied().filter(|c| needed.contains(c)).collect();
    Ok((kept, b.sum(*x, &axes, false)?))
}

/// The product of two operands, summed over the letters that nobody needs.
fn pair(b: &mut Builder<'_>, x: &Operand, y: &Operand, needed: &[char]) -> Result<Operand> {
    let with = |other: &[char]| -> Vec<char> { other.iter().chain(needed).copied().collect() };
    let (xl, x) = sum_out(b, x, &with(&y.0))?;
    let (yl, y) = sum_out(b, y, &with(&xl))?;
    let both = |c: &char| yl.contains(c);
    let batch: Vec<char> = xl.iter().copied().filter(|c| both(c) && needed.contains(c)).collect();
    let summed: Vec<char> = xl.iter().copied().filter(|c| both(c) && !needed.contains(c)).collect();
    let free_x: Vec<char> = xl.iter().copied().filter(|c| !both(c)).collect();
    let free_y: Vec<char> = yl.iter().copied().filter(|c| !xl.contains(c)).collect();
    let lengths = |b: &Builder<'_>, letters: &[char], v: Value, of: &[char]| -> Vec<usize> {
        let at = |c: &char| letters.iter().position(|d| d == c);
        of.iter().filter_map(|c| b.shape(v).get(at(c)?).copied()).collect()
    };
    let (nb, ns) = (lengths(b, &xl, x, &batch), lengths(b, &xl, x, &summed));
    let (nx, ny) = (lengths(b, &xl, x, &free_x), lengths(b, &yl, y, &free_y));
    let order = |b: &mut Builder<'_>, letters: &[char], v: Value, parts: [&[char]; 3]| {
        let all = parts.concat();
        let axes = all.iter().filter_map(|c| letters.iter().position(|d| d == c));
        b.transpose(v, axes.collect::<Vec<_>>())
    };
    let x = order(b, &xl, x, [&batch, &free_x, &summed])?;
    // The second matrix may be either way round: the one that leaves its last axis in place.
    let transposed = yl.last().is_some_and(|c| summed.contains(c));
    let parts = if transposed { [&batch, &free_y, &summed] } else { [&batch, &summed, &free_y] };
    let y = order(b, &yl, y, parts.map(Vec::as_slice))?;
    let lead = if batch.is_empty() { vec![] } else { vec![size(&nb)] };
    let x = b.reshape(x, [&lead[..], &[size(&nx), size(&ns)]].concat())?;
    let (rows, columns) = if transposed { (&ny, &ns) } else { (&ns, &ny) };
    let y = b.reshape(y, [&lead[..], &[size(rows), size(columns)]].concat())?;
    let z = if transposed { b.matmul_transposed(x, y)? } else { b.matmul(x, y)? };
    let z = b.reshape(z, [nb, nx, ny].concat())?;
    Ok(([batch, free_x, free_y].concat(), z))
}
