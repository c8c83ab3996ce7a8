//! The elements of a selection, as runs of consecutive ones.

use super::Hyperslab;
use crate::error::Result;
use crate::limits::Limits;

/// The number of the element at `point`, if the extent has it.
pub(super) fn offset_of(point: &[u64], extent: &[u64]) -> Option<u64> {
    if point.len() != extent.len() || point.iter().zip(extent).any(|(at, len)| at >= len) {
        return None;
    }
    point.iter().zip(extent).try_fold(0_u64, |n, (at, len)| n.checked_mul(*len)?.checked_add(*at))
}

/// The elements of all blocks in row-major order, whichever block they are in.
pub(super) fn of_blocks(
    blocks: &[(Vec<u64>, Vec<u64>)],
    extent: &[u64],
    limits: &Limits,
) -> Result<Runs> {
    let mut runs = Vec::new();
    for (first, last) in blocks {
        let one = |(first, last): (&u64, &u64)| Hyperslab {
            start: *first,
            stride: 1,
            count: 1,
            block: last.saturating_sub(*first).saturating_add(1),
        };
        let axes: Vec<_> = first.iter().zip(last).map(one).collect();
        for run in Product::new(&axes, extent, limits)? {
            limits.ask_entries("runs of a selection", runs.len())?;
            runs.push(run);
        }
    }
    runs.sort_unstable();
    Ok(Runs::List(runs.into_iter()))
}

/// Runs of consecutive elements: the number of the first one, and how many.
pub(crate) enum Runs {
    List(std::vec::IntoIter<(u64, u64)>),
    Product(Product),
}

impl Iterator for Runs {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::List(list) => list.next(),
            Self::Product(product) => product.next(),
        }
    }
}

/// Runs along the last axis, for each combination of positions on the others.
pub(crate) struct Product {
    /// Offsets of the selected positions of each axis but the last, and which is next.
    outer: Vec<(Vec<u64>, usize)>,
    inner: Vec<(u64, u64)>,
    next: usize,
    done: bool,
}

impl Product {
    pub(super) fn new(axes: &[Hyperslab], extent: &[u64], limits: &Limits) -> Result<Self> {
        let mut outer = Vec::new();
        let mut inner = vec![(0, 1)];
        let mut step = 1_u64;
        for (n, (axis, len)) in axes.iter().zip(extent).enumerate().rev() {
            if n + 1 == axes.len() {
                // One more than there may be says that there are too many.
                let most = usize::try_from(limits.entries).unwrap_or(usize::MAX).saturating_add(1);
                inner = axis.intervals(*len).take(most).collect();
                limits.ask_entries("runs of a selection", inner.len())?;
            } else {
                let mut positions = Vec::new();
                for (start, len) in axis.intervals(*len) {
                    Limits::ask("positions of a selection", len, limits.entries)?;
                    limits.ask_entries("positions of a selection", positions.len())?;
                    positions.extend((start..start + len).map(|at| at.saturating_mul(step)));
                }
                outer.push((positions, 0));
            }
            step = step.saturating_mul(*len);
        }
        outer.reverse();
        let done = inner.is_empty()
            || outer.iter().any(|(positions, _)| positions.is_empty())
            || axes.len() != extent.len();
        Ok(Self { outer, inner, next: 0, done })
    }
}

impl Iterator for Product {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let (start, len) = *self.inner.get(self.next)?;
        let chosen = self.outer.iter().filter_map(|(positions, at)| positions.get(*at));
        let base = chosen.fold(0_u64, |sum, at| sum.saturating_add(*at));
        self.next += 1;
        if self.next == self.inner.len() {
            self.next = 0;
            self.done = true;
            for (positions, at) in self.outer.iter_mut().rev() {
                *at += 1;
                if *at < positions.len() {
                    self.done = false;
                    break;
                }
                *at = 0;
            }
        }
        Some((base.saturating_add(start), len))
    }
}
