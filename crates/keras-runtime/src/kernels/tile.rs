//! The innermost loop of a product: a few rows by a few vectors of columns, whose sums stay in the
//! registers until they are written.

#![allow(
    clippy::needless_range_loop,
    reason = "rows and vectors of registers are counted alike, whatever is read with them"
)]

use super::simd::{Isa, Kernel, Simd, dispatch_on};

/// Some rows of `C` by the columns of one panel: all that is needed for its tiles.
///
/// `rows` has `segments` places for each of `count` rows, and for [`most_rows`] less one behind
/// them; at each `length` numbers are readable. `weights` is a panel of `segments · length` rows.
/// `c`, `bias` and `residual` are at the first element; `bias` and `residual` may be null.
pub(super) struct Strip<'a> {
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

/// Some of the rows.
struct Tile<'a> {
    strip: &'a Strip<'a>,
    first: usize,
    count: usize,
}

/// Rows of a tile whose sums fit into the registers.
pub(super) fn most_rows(isa: Isa, vectors: usize) -> usize {
    isa.rows()[vectors - 1]
}

/// Computes the rows.
///
/// # Safety
/// As [`Strip`] says, and `c` (and `residual`) must be writable (readable) for `columns` numbers in
/// each of `count` rows, `bias` readable for `columns`.
pub(super) unsafe fn run(isa: Isa, vectors: usize, strip: Strip<'_>) {
    debug_assert!(strip.rows.len() >= (strip.count + most_rows(isa, vectors) - 1) * strip.segments);
    debug_assert!(strip.weights.len() == strip.segments * strip.length * vectors * isa.lanes());
    match vectors {
        1 => dispatch_on(isa, Run::<1>(strip)),
        2 => dispatch_on(isa, Run::<2>(strip)),
        3 => dispatch_on(isa, Run::<3>(strip)),
        _ => dispatch_on(isa, Run::<4>(strip)),
    }
}

/// Rows `NV` vectors wide.
struct Run<'a, const NV: usize>(Strip<'a>);

impl<const NV: usize> Kernel for Run<'_, NV> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let strip = &self.0;
        let most = S::ROWS.get(NV - 1).map_or(1, |most| *most);
        // Tiles of nearly equal height: a low one takes as long as a high one.
        let tiles = strip.count.div_ceil(most).max(1);
        let (low, higher) = (strip.count / tiles, strip.count % tiles);
        let mut first = 0;
        for i in 0..tiles {
            let count = low + usize::from(i < higher);
            let tile = Tile { strip, first, count };
            // SAFETY: as the caller's; a tile of fewer rows computes some of those behind it.
            unsafe {
                match count {
                    1 => sums_of_one::<S, NV>(&tile),
                    2 => sums::<S, 2, NV>(&tile),
                    _ if count <= 4 || most <= 4 => sums::<S, 4, NV>(&tile),
                    _ if count <= 6 || most <= 6 => sums::<S, 6, NV>(&tile),
                    _ if count <= 8 || most <= 8 => sums::<S, 8, NV>(&tile),
                    _ if count <= 10 => sums::<S, 10, NV>(&tile),
                    _ => sums::<S, 12, NV>(&tile),
                }
            }
            first += count;
        }
    }
}

/// # Safety
/// As [`run`], and the machine must have `S`; `MR` is at least `tile.count`.
#[inline(always)]
unsafe fn sums<S: Simd, const MR: usize, const NV: usize>(tile: &Tile<'_>) {
    let Strip { segments, length, weights, .. } = *tile.strip;
    // SAFETY: as the caller's.
    unsafe {
        let mut sums = start::<S, MR, NV>(tile);
        let mut weights = weights.as_ptr();
        for segment in 0..segments {
            let mut rows = [std::ptr::null(); MR];
            for (r, row) in rows.iter_mut().enumerate() {
                *row = *tile.place(r, segment);
            }
            for i in 0..length {
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
    let Strip { segments, length, weights, .. } = *tile.strip;
    // SAFETY: as the caller's.
    unsafe {
        let [first] = start::<S, 1, NV>(tile);
        let zero = [S::splat(0.0); NV];
        let mut sums = [first, zero, zero, zero];
        let mut weights = weights.as_ptr();
        for segment in 0..segments {
            let row = *tile.place(0, segment);
            let whole = length / PARTS * PARTS;
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
            while i < length {
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
    /// Where the place of a segment of row `r` stands.
    ///
    /// # Safety
    /// The strip must have it.
    #[inline(always)]
    unsafe fn place(&self, r: usize, segment: usize) -> *const *const f32 {
        // SAFETY: as the caller's.
        unsafe { self.strip.rows.as_ptr().add((self.first + r) * self.strip.segments + segment) }
    }

    /// How many of the columns of vector `v` are written.
    #[inline(always)]
    fn lanes<S: Simd>(&self, v: usize) -> usize {
        self.strip.columns.saturating_sub(v * S::LANES).min(S::LANES)
    }

    /// The vector from a column on that is written.
    ///
    /// # Safety
    /// The machine must have `S`; the numbers must be readable.
    #[inline(always)]
    unsafe fn load<S: Simd, const NV: usize>(&self, from: *const f32, v: usize) -> S::V {
        let from = from.wrapping_add(v * S::LANES);
        // SAFETY: as the caller's.
        unsafe {
            if self.strip.columns == NV * S::LANES {
                S::load(from)
            } else {
                S::load_first(from, self.lanes::<S>(v))
            }
        }
    }
}

/// What is added to the sums, where they start. The loops here are short enough to be unrolled: sums
/// that are counted through would lie in memory.
///
/// # Safety
/// As [`run`], and the machine must have `S`.
#[inline(always)]
unsafe fn start<S: Simd, const MR: usize, const NV: usize>(tile: &Tile<'_>) -> [[S::V; NV]; MR] {
    let Strip { bias, residual, stride, .. } = *tile.strip;
    // SAFETY: as the caller's.
    unsafe {
        let mut sums = [[S::splat(0.0); NV]; MR];
        if !bias.is_null() {
            for v in 0..NV {
                let bias = tile.load::<S, NV>(bias, v);
                for row in &mut sums {
                    row[v] = bias;
                }
            }
        }
        if !residual.is_null() {
            for r in 0..MR {
                if r < tile.count {
                    let from = residual.add((tile.first + r) * stride);
                    for v in 0..NV {
                        sums[r][v] = S::add(sums[r][v], tile.load::<S, NV>(from, v));
                    }
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
    let Strip { c, stride, columns, clamp, .. } = *tile.strip;
    // SAFETY: as the caller's.
    unsafe {
        let [low, high] = [S::splat(clamp[0]), S::splat(clamp[1])];
        for r in 0..MR {
            if r < tile.count {
                let to = c.add((tile.first + r) * stride);
                for v in 0..NV {
                    let y = S::min(high, S::max(low, sums[r][v]));
                    let to = to.wrapping_add(v * S::LANES);
                    if columns == NV * S::LANES {
                        S::store(to, y);
                    } else {
                        S::store_first(to, tile.lanes::<S>(v), y);
                    }
                }
            }
        }
    }
}
