//! The innermost loop of a product: a few rows by a few vectors of columns, whose sums stay in the
//! registers until they are written.

#![allow(
    clippy::needless_range_loop,
    reason = "rows and vectors of registers are counted alike, whatever is read with them"
)]

use super::simd::{Isa, Kernel, Simd, dispatch_on};

/// What is needed for one tile of `C`.
///
/// `rows` has `segments` places for each of `count` rows, and at each `length` numbers are
/// readable; `weights` is a panel of `segments · length` rows. `c`, `bias` and `residual` are at
/// the tile's first element; `bias` and `residual` may be null.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    pub(super) rows: &'a [*const f32],
    pub(super) count: usize,
    pub(super) segments: usize,
    pub(super) length: usize,
    pub(super) weights: &'a [f32],
    pub(super) c: *mut f32,
    pub(super) bias: *const f32,
    pub(super) residual: *const f32,
    /// Numbers from one row of `c` and `residual` to the next.
    pub(super) stride: usize,
    /// Columns that are written.
    pub(super) columns: usize,
    pub(super) clamp: [f32; 2],
}

/// Rows of a tile whose sums fit into the registers.
pub(super) const fn most_rows(isa: Isa, vectors: usize) -> usize {
    match (isa, vectors) {
        (Isa::Plain, _) => 4,
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, 2) => 6,
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx2, _) => 12,
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512, 4) => 6,
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512, 3) => 8,
        #[cfg(target_arch = "x86_64")]
        (Isa::Avx512, _) => 12,
    }
}

/// Computes a tile.
///
/// # Safety
/// As [`Tile`] says, and `c` (and `residual`) must be writable (readable) for `columns` numbers in
/// each of `count` rows, `bias` readable for `columns`.
pub(super) unsafe fn run(isa: Isa, vectors: usize, tile: Tile<'_>) {
    debug_assert!(tile.count > 0 && tile.count <= most_rows(isa, vectors));
    debug_assert!(tile.weights.len() == tile.segments * tile.length * vectors * isa.lanes());
    match vectors {
        1 => dispatch_on(isa, Run::<1>(tile)),
        2 => dispatch_on(isa, Run::<2>(tile)),
        3 => dispatch_on(isa, Run::<3>(tile)),
        _ => dispatch_on(isa, Run::<4>(tile)),
    }
}

/// A tile `NV` vectors wide.
struct Run<'a, const NV: usize>(Tile<'a>);

impl<const NV: usize> Kernel for Run<'_, NV> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let tile = &self.0;
        // SAFETY: as the caller's; a tile of fewer rows computes its last row several times.
        unsafe {
            match (S::LANES, NV, tile.count) {
                (_, _, 1) => sums_of_one::<S, NV>(tile),
                (_, _, 2) => sums::<S, 2, NV>(tile),
                (4, _, _) | (_, _, 3 | 4) => sums::<S, 4, NV>(tile),
                (_, _, 5 | 6) | (8, 2.., _) | (_, 4, _) => sums::<S, 6, NV>(tile),
                (_, _, 7 | 8) | (_, 3, _) => sums::<S, 8, NV>(tile),
                (_, _, 9 | 10) => sums::<S, 10, NV>(tile),
                _ => sums::<S, 12, NV>(tile),
            }
        }
    }
}

/// # Safety
/// As [`run`], and the machine must have `S`; `MR` is at least `tile.count`.
#[inline(always)]
unsafe fn sums<S: Simd, const MR: usize, const NV: usize>(tile: &Tile<'_>) {
    // SAFETY: as the caller's.
    unsafe {
        let mut sums = start::<S, MR, NV>(tile);
        let mut weights = tile.weights.as_ptr();
        for segment in 0..tile.segments {
            let mut rows = [std::ptr::null(); MR];
            for (r, row) in rows.iter_mut().enumerate() {
                *row = *tile.rows.get_unchecked(tile.row(r) * tile.segments + segment);
            }
            for i in 0..tile.length {
                let mut b = [S::splat(0.0); NV];
                for (v, b) in b.iter_mut().enumerate() {
                    *b = S::load(weights.add(v * S::LANES));
                }
                for r in 0..MR {
                    let a = S::splat(*rows[r].add(i));
                    for v in 0..NV {
                        sums[r][v] = S::fma(a, b[v], sums[r][v]);
                    }
                }
                weights = weights.add(NV * S::LANES);
            }
        }
        write::<S, MR, NV>(tile, &sums);
    }
}

/// One row: with several sums for each column, as one would wait for itself.
///
/// # Safety
/// As [`run`], and the machine must have `S`.
#[inline(always)]
unsafe fn sums_of_one<S: Simd, const NV: usize>(tile: &Tile<'_>) {
    const PARTS: usize = 4;
    // SAFETY: as the caller's.
    unsafe {
        let [first] = start::<S, 1, NV>(tile);
        let zero = [S::splat(0.0); NV];
        let mut sums = [first, zero, zero, zero];
        let mut weights = tile.weights.as_ptr();
        for segment in 0..tile.segments {
            let row = *tile.rows.get_unchecked(segment);
            let whole = tile.length / PARTS * PARTS;
            let mut i = 0;
            while i < whole {
                for part in 0..PARTS {
                    let a = S::splat(*row.add(i + part));
                    for v in 0..NV {
                        let b = S::load(weights.add((part * NV + v) * S::LANES));
                        sums[part][v] = S::fma(a, b, sums[part][v]);
                    }
                }
                weights = weights.add(PARTS * NV * S::LANES);
                i += PARTS;
            }
            while i < tile.length {
                let a = S::splat(*row.add(i));
                for v in 0..NV {
                    sums[0][v] = S::fma(a, S::load(weights.add(v * S::LANES)), sums[0][v]);
                }
                weights = weights.add(NV * S::LANES);
                i += 1;
            }
        }
        let [mut all, b, c, d] = sums;
        for v in 0..NV {
            all[v] = S::add(S::add(all[v], b[v]), S::add(c[v], d[v]));
        }
        write::<S, 1, NV>(tile, &[all]);
    }
}

impl Tile<'_> {
    /// The row that row `r` of the registers is: a tile of fewer rows has its last one several
    /// times, which costs nothing and needs no branch.
    #[inline(always)]
    fn row(&self, r: usize) -> usize {
        if r < self.count { r } else { self.count - 1 }
    }

    /// How many of the columns of vector `v` are written.
    #[inline(always)]
    fn lanes<S: Simd>(&self, v: usize) -> usize {
        self.columns.saturating_sub(v * S::LANES).min(S::LANES)
    }
}

/// What is added to the sums, where they start. The loops here are short enough to be unrolled: sums
/// that are counted through would lie in memory.
///
/// # Safety
/// As [`run`], and the machine must have `S`.
#[inline(always)]
unsafe fn start<S: Simd, const MR: usize, const NV: usize>(tile: &Tile<'_>) -> [[S::V; NV]; MR] {
    // SAFETY: as the caller's.
    unsafe {
        let whole = tile.columns == NV * S::LANES;
        let mut sums = [[S::splat(0.0); NV]; MR];
        if !tile.bias.is_null() {
            for v in 0..NV {
                let from = tile.bias.wrapping_add(v * S::LANES);
                let bias =
                    if whole { S::load(from) } else { S::load_first(from, tile.lanes::<S>(v)) };
                for row in &mut sums {
                    row[v] = bias;
                }
            }
        }
        if !tile.residual.is_null() {
            for r in 0..MR {
                let from = tile.residual.add(tile.row(r) * tile.stride);
                for v in 0..NV {
                    let from = from.wrapping_add(v * S::LANES);
                    let more =
                        if whole { S::load(from) } else { S::load_first(from, tile.lanes::<S>(v)) };
                    sums[r][v] = S::add(sums[r][v], more);
                }
            }
        }
        sums
    }
}

/// Writes the sums.
///
/// # Safety
/// As [`run`], and the machine must have `S`.
#[inline(always)]
unsafe fn write<S: Simd, const MR: usize, const NV: usize>(
    tile: &Tile<'_>,
    sums: &[[S::V; NV]; MR],
) {
    // SAFETY: as the caller's.
    unsafe {
        let [low, high] = [S::splat(tile.clamp[0]), S::splat(tile.clamp[1])];
        let whole = tile.columns == NV * S::LANES;
        for r in 0..MR {
            let to = tile.c.add(tile.row(r) * tile.stride);
            for v in 0..NV {
                let y = S::min(high, S::max(low, sums[r][v]));
                let to = to.wrapping_add(v * S::LANES);
                if whole {
                    S::store(to, y);
                } else {
                    S::store_first(to, tile.lanes::<S>(v), y);
                }
            }
        }
    }
}
