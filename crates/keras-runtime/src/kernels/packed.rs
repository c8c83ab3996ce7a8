//! A matrix in the form that the inner loops of a product read.

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
    pub(super) data: Vec<f32>,
}

/// How many vectors wide a panel is: the fewest vectors in all, wide panels first.
fn vectors(isa: Isa, n: usize) -> usize {
    let all = n.div_ceil(isa.lanes()).max(1);
    let most = match isa {
        Isa::Plain => 2,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => 2,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => 4,
    };
    (1..=most).rev().min_by_key(|v| all.next_multiple_of(*v)).unwrap_or(1)
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
        data.clear();
        data.resize(n.div_ceil(width) * width * k, 0.0);
        for (panel, out) in data.chunks_exact_mut((width * k).max(1)).enumerate() {
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
        Self { isa, k, n, vectors, data }
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
        &self.data[panel * size..(panel + 1) * size]
    }
}
