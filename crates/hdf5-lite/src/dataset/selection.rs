//! Parts of a dataset: hyperslabs.

use std::convert::Infallible;
use std::ops::{Range, RangeFrom, RangeFull, RangeTo};

use crate::error::{Error, Result};

/// What is selected along one axis: `count` blocks of `block` elements, `stride` apart.
///
/// Made from an index or a range, mostly by [`s!`](crate::s).
///
/// ```
/// use hdf5_lite::Axis;
/// let pairs = Axis { start: 1, stride: 4, count: Some(3), block: 2 }; // 1, 2, 5, 6, 9, 10
/// assert_eq!(Axis::from(2..5), Axis { start: 2, stride: 1, count: Some(3), block: 1 });
/// # let _ = pairs;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The first element.
    pub start: u64,
    /// From the start of one block to the start of the next.
    pub stride: u64,
    /// Number of blocks; `None` for as many as the axis has.
    pub count: Option<u64>,
    /// Elements of a block.
    pub block: u64,
}

impl From<u64> for Axis {
    fn from(start: u64) -> Self {
        Self { start, stride: 1, count: Some(1), block: 1 }
    }
}

impl From<Range<u64>> for Axis {
    fn from(range: Range<u64>) -> Self {
        let count = Some(range.end.saturating_sub(range.start));
        Self { start: range.start, stride: 1, count, block: 1 }
    }
}

impl From<RangeTo<u64>> for Axis {
    fn from(range: RangeTo<u64>) -> Self {
        (0..range.end).into()
    }
}

impl From<RangeFrom<u64>> for Axis {
    fn from(range: RangeFrom<u64>) -> Self {
        Self { start: range.start, stride: 1, count: None, block: 1 }
    }
}

impl From<RangeFull> for Axis {
    fn from(_: RangeFull) -> Self {
        (0..).into()
    }
}

/// A selection, one entry per axis: an index, a range, or an [`Axis`].
///
/// ```
/// use hdf5_lite::{Axis, s};
/// let every_second = Axis { start: 0, stride: 2, count: None, block: 1 };
/// assert_eq!(s![3, 0..16, .., every_second].len(), 4);
/// ```
#[macro_export]
macro_rules! s {
    ($($axis:expr),* $(,)?) => { [$($crate::Axis::from($axis)),*] };
}

/// A hyperslab that fits its dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// `count` is known, and blocks do not overlap.
    axes: Vec<Axis>,
}

/// Consecutive elements of an axis: where they are, where they go, how many.
struct Run {
    from: u64,
    to: usize,
    len: usize,
}

impl Selection {
    /// Checks `axes` against `shape`.
    pub(crate) fn new(axes: &[Axis], shape: &[u64]) -> Result<Self> {
        if axes.len() != shape.len() {
            let reason = format!("has {} axes, the dataset {}", axes.len(), shape.len());
            return Err(Error::Selection { reason });
        }
        let axes = axes.iter().zip(shape).map(|(axis, len)| fit(*axis, *len));
        Ok(Self { axes: axes.collect::<Result<_>>()? })
    }

    pub(crate) fn all(shape: &[u64]) -> Self {
        let whole = |len: &u64| Axis { start: 0, stride: *len, count: Some(1), block: *len };
        Self { axes: shape.iter().map(whole).collect() }
    }

    pub(crate) fn is_all(&self, shape: &[u64]) -> bool {
        self.shape().eq(shape.iter().copied())
    }

    /// Selected elements along each axis.
    pub(crate) fn shape(&self) -> impl Iterator<Item = u64> {
        self.axes.iter().map(|axis| axis.count.unwrap_or(0).saturating_mul(axis.block))
    }

    /// The number of selected elements.
    pub(crate) fn elements(&self) -> Option<u64> {
        self.shape().try_fold(1_u64, u64::checked_mul)
    }

    /// The first and the last selected position along each axis.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = (u64, u64)> {
        self.axes.iter().map(|axis| {
            let before_last = axis.stride.saturating_mul(axis.count.unwrap_or(1).saturating_sub(1));
            let last = axis.start.saturating_add(before_last);
            (axis.start, last.saturating_add(axis.block.saturating_sub(1)))
        })
    }

    /// Chunks that hold selected elements, along each axis: first and last.
    pub(crate) fn chunks(&self, chunk: &[u64]) -> Vec<(u64, u64)> {
        let pairs = self.bounds().zip(chunk);
        pairs.map(|((first, last), chunk)| (first / chunk, last / chunk)).collect()
    }

    /// Bytes of the selected elements whose position on the first axis is before `at`; of all, if
    /// there is no axis.
    #[cfg(any(feature = "parallel", test))]
    pub(crate) fn before(&self, at: u64, size: usize) -> usize {
        let rows = self.axes.first().map_or(1, |axis| axis.before(at));
        let bytes =
            self.shape().skip(1).fold(size as u64, u64::saturating_mul).saturating_mul(rows);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Copies what is selected of a box to its place in `to`, the selected elements in row-major
    /// order but for the first `before` bytes. The box starts at `start` in the dataset, has `shape`, and its elements are `from_bytes`.
    pub(crate) fn copy_from(
        &self,
        from_bytes: &[u8],
        start: &[u64],
        shape: &[u64],
        size: usize,
        before: usize,
        to: &mut [u8],
    ) {
        let (axes, size) = self.axes(start, shape, size);
        let copied = each(&axes, 0, 0, size, &mut |from_at, to_at, len| {
            let from = usize::try_from(from_at).ok();
            let from = from.and_then(|at| from_bytes.get(at..at.checked_add(len)?));
            let to_at = to_at.checked_sub(before);
            let to = to_at.and_then(|at| to.get_mut(at..at.checked_add(len)?));
            if let (Some(from), Some(to)) = (from, to) {
                to.copy_from_slice(from);
            }
            Ok::<_, Infallible>(())
        });
        let Ok(()) = copied;
    }

    /// Calls `run` with each run of bytes that is selected of a box as for
    /// [`copy_from`](Self::copy_from), in row-major order: where in the box it starts, and its
    /// length.
    pub(crate) fn runs(
        &self,
        start: &[u64],
        shape: &[u64],
        size: usize,
        mut run: impl FnMut(u64, u64) -> Result<()>,
    ) -> Result<()> {
        let (axes, size) = self.axes(start, shape, size);
        each(&axes, 0, 0, size, &mut |from_at, _, len| run(from_at, len as u64))
    }

    /// The runs of each axis for a box, an element being `size` long. The last axes are no axes but
    /// part of the size where they are selected as a whole.
    fn axes(&self, start: &[u64], shape: &[u64], mut size: usize) -> (Vec<AxisRuns>, usize) {
        let (mut from_step, mut to_step) = (size as u64, size);
        let mut axes = Vec::with_capacity(self.axes.len());
        let boxes = start.iter().zip(shape);
        for ((axis, (start, len)), selected) in
            self.axes.iter().zip(boxes).zip(self.shape().collect::<Vec<_>>()).rev()
        {
            let mut runs = axis.runs(*start, *len);
            let is_whole = matches!(runs.as_slice(), [run] if run.len as u64 == *len);
            if is_whole && selected == *len && axes.is_empty() {
                size = size.saturating_mul(usize::try_from(*len).unwrap_or(usize::MAX));
                (from_step, to_step) = (size as u64, size);
                continue;
            }
            for run in &mut runs {
                run.from = run.from.saturating_mul(from_step);
                run.to = run.to.saturating_mul(to_step);
            }
            axes.push((runs, from_step, to_step));
            from_step = from_step.saturating_mul(*len);
            to_step = to_step.saturating_mul(usize::try_from(selected).unwrap_or(usize::MAX));
        }
        axes.reverse();
        (axes, size)
    }
}

/// The runs of one axis, and the length of a step along it on both sides.
type AxisRuns = (Vec<Run>, u64, usize);

/// Calls `run` with each run in row-major order: where it is, where it goes, how long it is.
fn each<E>(
    axes: &[AxisRuns],
    from_at: u64,
    to_at: usize,
    size: usize,
    run: &mut impl FnMut(u64, usize, usize) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    match axes {
        [] => run(from_at, to_at, size)?,
        [(runs, ..)] => {
            for part in runs {
                run(from_at + part.from, to_at + part.to, part.len * size)?;
            }
        }
        [(runs, from_step, to_step), rest @ ..] => {
            for part in runs {
                for n in 0..part.len {
                    let from_at = from_at + part.from + n as u64 * from_step;
                    each(rest, from_at, to_at + part.to + n * to_step, size, run)?;
                }
            }
        }
    }
    Ok(())
}

impl Axis {
    /// How many positions before `at` are selected.
    #[cfg(any(feature = "parallel", test))]
    fn before(&self, at: u64) -> u64 {
        let Some(reach) = at.checked_sub(self.start) else { return 0 };
        let (blocks, rest) = (reach / self.stride, reach % self.stride);
        let whole = blocks.min(self.count.unwrap_or(u64::MAX)).saturating_mul(self.block);
        if self.count.is_some_and(|count| blocks >= count) {
            return whole;
        }
        whole.saturating_add(rest.min(self.block))
    }

    /// What is selected of the part that starts at `start` and has `len` elements.
    fn runs(&self, start: u64, len: u64) -> Vec<Run> {
        let end = start.saturating_add(len);
        let count = self.count.unwrap_or(0);
        // The first block that can reach into the part.
        let first = start
            .saturating_sub(self.start.saturating_add(self.block.saturating_sub(1)))
            .div_ceil(self.stride);
        let mut runs = Vec::new();
        for n in first..count {
            let block = self.start.saturating_add(n.saturating_mul(self.stride));
            if block >= end {
                break;
            }
            let (low, high) = (block.max(start), (block + self.block).min(end));
            let to = n.saturating_mul(self.block).saturating_add(low - block);
            let len = usize::try_from(high.saturating_sub(low));
            if let (Ok(to), Ok(len)) = (usize::try_from(to), len) {
                runs.push(Run { from: low - start, to, len });
            }
        }
        runs
    }
}

/// `axis` with its count known, if an axis of `len` elements has it.
fn fit(axis: Axis, len: u64) -> Result<Axis> {
    let Axis { start, stride, count, block } = axis;
    let bad = |reason: String| Err(Error::Selection { reason });
    if block == 0 || stride == 0 || (stride < block && count != Some(1)) {
        return bad(format!("with stride {stride} and block {block}"));
    }
    let room = len.saturating_sub(start);
    let most = if room < block { 0 } else { (room - block) / stride + 1 };
    let count = count.unwrap_or(most);
    if count > most || (count == 0 && start > len) {
        return bad(format!("of {count} blocks from {start} on, on an axis of {len}"));
    }
    // Blocks without gaps are one block.
    Ok(if count > 0 && stride == block {
        let block = block * count;
        Axis { start, stride: block, count: Some(1), block }
    } else {
        Axis { start, stride, count: Some(count), block }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gather::Gather;
    use crate::storage::Storage;

    fn picked(axes: &[Axis], shape: &[u64]) -> Vec<u8> {
        let selection = Selection::new(axes, shape).unwrap();
        let all: Vec<u8> =
            (0..shape.iter().product::<u64>()).map(|n| u8::try_from(n).unwrap()).collect();
        let mut to = vec![0; usize::try_from(selection.elements().unwrap()).unwrap()];
        selection.copy_from(&all, &vec![0; shape.len()], shape, 1, 0, &mut to);
        let storage = Storage::bytes(all.into());
        let mut gather = Gather::<u8>::new(&storage, Vec::new());
        selection.runs(&vec![0; shape.len()], shape, 1, |at, len| gather.add(at, len)).unwrap();
        assert_eq!(gather.finish().unwrap(), to);
        to
    }

    #[test]
    fn copies_hyperslabs() {
        assert_eq!(picked(&s![1..3, 2..4], &[4, 5]), [7, 8, 12, 13]);
        assert_eq!(picked(&s![2, ..], &[4, 5]), [10, 11, 12, 13, 14]);
        let strided = Axis { start: 1, stride: 3, count: Some(2), block: 2 };
        assert_eq!(picked(&[strided], &[8]), [1, 2, 4, 5]);
        let open = Axis { start: 0, stride: 2, count: None, block: 1 };
        assert_eq!(picked(&s![0, open], &[2, 5]), [0, 2, 4]);
        assert_eq!(picked(&s![1..3, .., ..], &[3, 2, 2]), [4, 5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(picked(&s![.., 1, ..], &[2, 2, 2]), [2, 3, 6, 7]);
    }

    #[test]
    fn copies_the_part_of_a_box() {
        let selection = Selection::new(&s![1..5], &[6]).unwrap();
        let mut to = [0; 4];
        selection.copy_from(&[3, 4, 5], &[3], &[3], 1, 0, &mut to);
        assert_eq!(to, [0, 0, 3, 4]);
        selection.copy_from(&[3, 4, 5], &[3], &[3], 1, 2, to.split_at_mut(2).0);
        assert_eq!(to, [3, 4, 3, 4]);
    }

    #[test]
    fn counts_what_is_before_a_row() {
        let axis = Axis { start: 1, stride: 4, count: Some(2), block: 2 }; // 1, 2, 5, 6
        let selection = Selection::new(&[axis, (0..3).into()], &[9, 4]).unwrap();
        let before: Vec<usize> = (0..9).map(|at| selection.before(at, 2) / 6).collect();
        assert_eq!(before, [0, 0, 1, 2, 2, 2, 3, 4, 4]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert!(Selection::new(&s![0..7], &[6]).is_err());
        assert!(Selection::new(&s![6], &[6]).is_err());
        assert!(Selection::new(&s![..], &[6, 6]).is_err());
        let overlapping = Axis { start: 0, stride: 1, count: Some(2), block: 2 };
        assert!(Selection::new(&[overlapping], &[6]).is_err());
    }
}
