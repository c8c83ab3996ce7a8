//! A matrix in the form that the inner loops of a product read.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::simd::Isa;

/// A matrix `[k, n]` in panels of a few vectors of columns, each `[k, width]`; the last is filled
/// with zeros.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(super) isa: Isa,
    pub(super) k: usize,
    pub(super) n: usize,
    /// Vectors side by side in a panel.
    pub(super) vectors: usize,
    data: Vec<f32>,
    /// Where the first panel is in the data.
    start: usize,
}

/// Bytes of a cache line: vectors that lie in two of them take twice as long to read.
pub(crate) const LINE: usize = 64;

/// Where `len` elements lie so that they start with a cache line, if there is room for it.
pub(crate) fn aligned<T>(data: &[T], len: usize) -> std::ops::Range<usize> {
    let start = data.as_ptr().align_offset(LINE);
    match start.checked_add(len) {
        Some(end) if end <= data.len() => start..end,
        _ => 0..len,
    }
}

/// How many vectors wide a panel is: the fewest vectors in all, wide panels first.
fn vectors(isa: Isa, n: usize) -> usize {
    let all = n.div_ceil(isa.lanes()).max(1);
    let widths = (1..=isa.rows().len()).rev();
    widths.min_by_key(|v| all.next_multiple_of(*v)).unwrap_or(1)
}

impl Packed {
    /// Packs the matrix whose element `(i, j)` is `b[i · row + j · column]`.
    pub(crate) fn new(b: &[f32], sizes: [usize; 2], row: usize, column: usize) -> Self {
        Self::reuse(Vec::new(), b, sizes, row, column)
    }

    /// The same into memory that is there already.
    pub(crate) fn reuse(
        data: Vec<f32>,
        b: &[f32],
        sizes: [usize; 2],
        row: usize,
        column: usize,
    ) -> Self {
        Self::pack(Isa::detect(), data, b, sizes, row, column)
    }

    /// Its memory, for the next one.
    pub(crate) fn into_data(self) -> Vec<f32> {
        self.data
    }

    pub(super) fn pack(
        isa: Isa,
        mut data: Vec<f32>,
        b: &[f32],
        [k, n]: [usize; 2],
        row: usize,
        column: usize,
    ) -> Self {
        let vectors = vectors(isa, n);
        let width = vectors * isa.lanes();
        let len = n.div_ceil(width) * width * k;
        data.clear();
        data.resize(len + LINE / 4 - 1, 0.0);
        let place = aligned(&data, len);
        let start = place.start;
        for (panel, out) in data[place].chunks_exact_mut((width * k).max(1)).enumerate() {
            let first = panel * width;
            let count = width.min(n - first);
            for (i, out) in out.chunks_exact_mut(width).enumerate() {
                let start = i * row + first * column;
                if column == 1 {
                    out[..count].copy_from_slice(&b[start..start + count]);
                } else {
                    for (j, out) in out[..count].iter_mut().enumerate() {
                        *out = b[start + j * column];
                    }
                }
            }
        }
        Self { isa, k, n, vectors, data, start }
    }

    /// Columns.
    pub(crate) fn columns(&self) -> usize {
        self.n
    }

    /// Columns of a panel.
    pub(super) fn width(&self) -> usize {
        self.vectors * self.isa.lanes()
    }

    /// Panels side by side.
    pub(super) fn panels(&self) -> usize {
        self.n.div_ceil(self.width())
    }

    /// One panel, from row `from` on.
    pub(super) fn panel(&self, panel: usize) -> &[f32] {
        let size = self.width() * self.k;
        &self.data[self.start + panel * size..][..size]
    }
}

/// The packed weights of a model, so that plans for other shapes of its inputs have no copies of
/// their own.
#[derive(Debug, Default)]
pub(crate) struct PackedCache(Mutex<Vec<Weak<Packed>>>);

impl PackedCache {
    /// The packed matrix whose element `(i, j)` is `b[i · row + j · column]`: one that is in use
    /// already if there is one.
    pub(crate) fn get(
        &self,
        b: &[f32],
        sizes: [usize; 2],
        row: usize,
        column: usize,
    ) -> Arc<Packed> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|packed| packed.strong_count() > 0);
        let mut alive = known.iter().filter_map(Weak::upgrade);
        if let Some(found) = alive.find(|packed| packed.holds(b, sizes, row, column)) {
            return found;
        }
        let packed = Arc::new(Packed::new(b, sizes, row, column));
        known.push(Arc::downgrade(&packed));
        packed
    }
}

impl Packed {
    /// Whether it is that matrix, bit by bit.
    fn holds(&self, b: &[f32], sizes: [usize; 2], row: usize, column: usize) -> bool {
        let width = self.width();
        let same = |i: usize, panel: usize| {
            let first = panel * width;
            let packed = &self.panel(panel)[i * width..(i + 1) * width];
            let columns = first..self.n.min(first + width);
            columns.zip(packed).all(|(j, p)| b[i * row + j * column].to_bits() == p.to_bits())
        };
        sizes == [self.k, self.n] && (0..self.panels()).all(|p| (0..self.k).all(|i| same(i, p)))
    }
}

#[test]
fn equal_matrices_are_packed_once() {
    let cache = PackedCache::default();
    let b: Vec<f32> = (0..6 * 70).map(|i| i as f32).collect();
    let first = cache.get(&b, [6, 70], 70, 1);
    assert!(Arc::ptr_eq(&first, &cache.get(&b, [6, 70], 70, 1)));
    assert!(!Arc::ptr_eq(&first, &cache.get(&b, [6, 70], 1, 6)));
    assert!(!Arc::ptr_eq(&first, &cache.get(&b, [70, 6], 6, 1)));
    let mut other = b.clone();
    other[419] += 1.0;
    assert!(!Arc::ptr_eq(&first, &cache.get(&other, [6, 70], 70, 1)));
    assert!(first.holds(&b, [6, 70], 70, 1));
}
