//! `C = f(A · B + bias)` for rows of `A` that lie anywhere: the product behind dense layers,
//! convolutions and recurrent steps.
//!
//! `B` is packed once into panels as wide as a few vectors. A row of `A` is a list of segments of
//! equal length, each a place in a slice or nothing but zeros: a convolution gathers its windows
//! without copying them.

use std::cell::RefCell;

use super::parallel;
#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Avx512};
use super::simd::{Isa, Plain, Simd};

/// A matrix `[k, n]` in panels of `width` columns, each `[k, width]`; the last is filled with
/// zeros.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    isa: Isa,
    k: usize,
    n: usize,
    /// Vectors side by side in a panel.
    vectors: usize,
    data: Vec<f32>,
}

/// The rows of `A`.
pub(crate) trait Rows: Sync {
    /// Segments in a row.
    fn segments(&self) -> usize;
    /// Length of each.
    fn length(&self) -> usize;
    /// Where the segments of row `row` start in the data: into each of `at`, `None` for zeros.
    fn find(&self, row: usize, at: &mut [Option<usize>]);
}

/// What is done with a piece of a row.
pub(crate) type RowFunction<'a> = dyn Fn(&mut [f32]) + Sync + 'a;

/// What is done with a result before it is written.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    /// Added to each row.
    pub(crate) bias: Option<&'a [f32]>,
    /// Done with a piece of a row.
    pub(crate) function: Option<&'a RowFunction<'a>>,
}

impl Epilogue<'_> {
    /// Nothing.
    pub(crate) const NONE: Self = Self { bias: None, function: None };

    fn apply(&self, from: usize, row: &mut [f32]) {
        if let Some(bias) = self.bias {
            for (y, b) in row.iter_mut().zip(&bias[from..]) {
                *y += b;
            }
        }
        if let Some(function) = self.function {
            function(row);
        }
    }
}

/// How many vectors wide a panel is: the least columns wasted, wide ones first.
fn vectors(isa: Isa, n: usize) -> usize {
    let most = match isa {
        Isa::Plain => 2,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => 2,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => 4,
    };
    let waste = |v: usize| n.next_multiple_of(v * isa.lanes()) - n;
    (1..=most).rev().min_by_key(|v| (waste(*v) / isa.lanes(), most - v)).unwrap_or(1)
}

impl Packed {
    /// Packs the matrix whose element `(i, j)` is `b[i · row + j · column]`.
    pub(crate) fn new(b: &[f32], [k, n]: [usize; 2], row: usize, column: usize) -> Self {
        Self::pack(Isa::detect(), Vec::new(), b, [k, n], row, column)
    }

    /// The same into memory that is there already.
    pub(crate) fn reuse(
        data: Vec<f32>,
        b: &[f32],
        [k, n]: [usize; 2],
        row: usize,
        column: usize,
    ) -> Self {
        Self::pack(Isa::detect(), data, b, [k, n], row, column)
    }

    /// Its memory, for the next one.
    pub(crate) fn into_data(self) -> Vec<f32> {
        self.data
    }

    fn pack(
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
}

/// Rows that are handled together: their places are looked up once for all panels.
const BLOCK: usize = 48;

/// Computes `rows` rows of `C`, each at `stride` floats from the one before, `columns` floats from
/// its start on.
pub(crate) fn gemm(
    a: &[f32],
    places: &impl Rows,
    b: &Packed,
    epilogue: Epilogue<'_>,
    c: &mut [f32],
    [stride, column]: [usize; 2],
) {
    let rows = c.len() / stride.max(1);
    let work = rows * b.k * b.n;
    let run = |block: usize, c: &mut [f32]| {
        let first = block * BLOCK;
        let count = c.len() / stride;
        rows_of_block(a, places, b, epilogue, c, [stride, column], [first, count]);
    };
    parallel::chunks(c, BLOCK * stride, work, run);
}

fn rows_of_block(
    a: &[f32],
    places: &impl Rows,
    b: &Packed,
    epilogue: Epilogue<'_>,
    c: &mut [f32],
    [stride, column]: [usize; 2],
    [first, count]: [usize; 2],
) {
    let (segments, length) = (places.segments(), places.length());
    debug_assert_eq!(segments * length, b.k);
    with_places(|table, zeros| {
        table.clear();
        table.resize(count * segments, None);
        zeros.resize(length.max(zeros.len()), 0.0);
        for row in 0..count {
            places.find(first + row, &mut table[row * segments..(row + 1) * segments]);
        }
        // A place that is not inside would be read out of bounds below.
        assert!(
            table.iter().flatten().all(|at| at + length <= a.len()),
            "rows outside of the data"
        );
        let width = b.vectors * b.isa.lanes();
        let mut tile = [0.0_f32; MOST_ROWS * MOST_WIDTH];
        for (panel, weights) in b.data.chunks_exact((width * b.k).max(1)).enumerate() {
            let from = panel * width;
            let columns = width.min(b.n - from);
            let mut row = 0;
            while row < count {
                let most = most_rows(b.isa, b.vectors);
                let rows = most.min(count - row);
                let job = Job {
                    a,
                    zeros,
                    table: &table[row * segments..(row + rows) * segments],
                    rows,
                    segments,
                    length,
                    weights,
                };
                run_tile(b.isa, b.vectors, &job, &mut tile);
                for r in 0..rows {
                    let at = (row + r) * stride + column + from;
                    let out = &mut c[at..at + columns];
                    out.copy_from_slice(&tile[r * width..r * width + columns]);
                    epilogue.apply(from, out);
                }
                row += rows;
            }
        }
        if b.k == 0 {
            for row in c.chunks_exact_mut(stride) {
                let out = &mut row[column..column + b.n];
                out.fill(0.0);
                epilogue.apply(0, out);
            }
        }
    });
}

/// Most rows and columns of a tile.
const MOST_ROWS: usize = 12;
const MOST_WIDTH: usize = 64;

/// What is needed for one tile of `C`.
struct Job<'a> {
    a: &'a [f32],
    zeros: &'a [f32],
    table: &'a [Option<usize>],
    rows: usize,
    segments: usize,
    length: usize,
    weights: &'a [f32],
}

/// Rows of a tile whose sums fit into the registers.
const fn most_rows(isa: Isa, vectors: usize) -> usize {
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

fn run_tile(isa: Isa, vectors: usize, job: &Job<'_>, tile: &mut [f32]) {
    assert!(job.zeros.len() >= job.length && tile.len() >= MOST_ROWS * MOST_WIDTH);
    assert!(job.weights.len() >= job.segments * job.length * vectors * isa.lanes());
    // SAFETY: `Isa` values other than `Plain` exist only where the machine has them. The places were
    // checked against the data by the caller, zeros, weights and tile just now.
    unsafe {
        match (isa, vectors) {
            (Isa::Plain, 2) => plain::<2>(job, tile),
            (Isa::Plain, _) => plain::<1>(job, tile),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx2, 2) => avx2::<2>(job, tile),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx2, _) => avx2::<1>(job, tile),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512, 4) => avx512::<4>(job, tile),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512, 3) => avx512::<3>(job, tile),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512, 2) => avx512::<2>(job, tile),
            #[cfg(target_arch = "x86_64")]
            (Isa::Avx512, _) => avx512::<1>(job, tile),
        }
    }
}

unsafe fn plain<const NV: usize>(job: &Job<'_>, tile: &mut [f32]) {
    // SAFETY: as the caller's.
    unsafe {
        match job.rows {
            1 => sums::<Plain, 1, NV>(job, tile),
            2 => sums::<Plain, 2, NV>(job, tile),
            _ => sums::<Plain, 4, NV>(job, tile),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const NV: usize>(job: &Job<'_>, tile: &mut [f32]) {
    // SAFETY: as the caller's.
    unsafe {
        match (job.rows, NV) {
            (1, _) => sums::<Avx2, 1, NV>(job, tile),
            (2, _) => sums::<Avx2, 2, NV>(job, tile),
            (3 | 4, _) => sums::<Avx2, 4, NV>(job, tile),
            (5 | 6, _) => sums::<Avx2, 6, NV>(job, tile),
            _ => sums::<Avx2, 12, NV>(job, tile),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<const NV: usize>(job: &Job<'_>, tile: &mut [f32]) {
    // SAFETY: as the caller's.
    unsafe {
        match job.rows {
            1 => sums::<Avx512, 1, NV>(job, tile),
            2 => sums::<Avx512, 2, NV>(job, tile),
            3 | 4 => sums::<Avx512, 4, NV>(job, tile),
            5 | 6 => sums::<Avx512, 6, NV>(job, tile),
            7 | 8 => sums::<Avx512, 8, NV>(job, tile),
            _ => sums::<Avx512, 12, NV>(job, tile),
        }
    }
}

/// The sums of one tile: `MR` rows by `NV` vectors.
///
/// # Safety
/// The machine must have `S`. `job.table` must be places with `job.length` numbers in `job.a`,
/// `job.weights` must hold `segments · length · NV` vectors, `job.zeros` `length` numbers, `tile`
/// `MR · NV` vectors.
#[inline(always)]
unsafe fn sums<S: Simd, const MR: usize, const NV: usize>(job: &Job<'_>, tile: &mut [f32]) {
    // SAFETY: all reads and writes are inside of what the caller promises.
    unsafe {
        let mut sums = [[S::splat(0.0); NV]; MR];
        let mut weights = job.weights.as_ptr();
        for segment in 0..job.segments {
            // A tile with fewer rows computes its last row several times.
            let rows: [*const f32; MR] = std::array::from_fn(|r| {
                let row = r.min(job.rows - 1);
                match job.table[row * job.segments + segment] {
                    Some(at) => job.a.as_ptr().add(at),
                    None => job.zeros.as_ptr(),
                }
            });
            for i in 0..job.length {
                let b: [S::V; NV] = std::array::from_fn(|v| S::load(weights.add(v * S::LANES)));
                for r in 0..MR {
                    let a = S::splat(*rows[r].add(i));
                    for v in 0..NV {
                        sums[r][v] = S::fma(a, b[v], sums[r][v]);
                    }
                }
                weights = weights.add(NV * S::LANES);
            }
        }
        let out = tile.as_mut_ptr();
        for (r, sums) in sums.iter().enumerate().take(job.rows) {
            for (v, sum) in sums.iter().enumerate() {
                S::store(out.add((r * NV + v) * S::LANES), *sum);
            }
        }
    }
}

/// `y = x · B` for one row `x: [k]` and `B: [k, n]` as it lies in the file.
pub(crate) fn gemv(x: &[f32], b: &[f32], y: &mut [f32]) {
    let n = y.len();
    let isa = Isa::detect();
    // Columns that stay in the first-level cache while the rows of `B` go by.
    let part = 1024;
    parallel::chunks(y, part, x.len() * n, |chunk, y| {
        let from = chunk * part;
        assert!(b.len() >= x.len() * n && from + y.len() <= n);
        y.fill(0.0);
        // SAFETY: the machine has what was detected; the sizes were checked just now.
        unsafe {
            match isa {
                Isa::Plain => add_rows::<Plain>(x, b, [n, from], y),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => add_rows_avx2(x, b, [n, from], y),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => add_rows_avx512(x, b, [n, from], y),
            }
        }
    });
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn add_rows_avx2(x: &[f32], b: &[f32], at: [usize; 2], y: &mut [f32]) {
    // SAFETY: as the caller's.
    unsafe { add_rows::<Avx2>(x, b, at, y) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn add_rows_avx512(x: &[f32], b: &[f32], at: [usize; 2], y: &mut [f32]) {
    // SAFETY: as the caller's.
    unsafe { add_rows::<Avx512>(x, b, at, y) }
}

/// `y += Σ x[i] · B[i, from..]`.
///
/// # Safety
/// The machine must have `S`; `b` must hold `x.len()` rows of `n`, and `from + y.len() ≤ n`.
#[inline(always)]
unsafe fn add_rows<S: Simd>(x: &[f32], b: &[f32], [n, from]: [usize; 2], y: &mut [f32]) {
    const ROWS: usize = 8;
    // SAFETY: row `i` of `b` starts at `i · n` and is read from `from` to `from + y.len()`, all
    // inside of what the caller promises.
    unsafe {
        let len = y.len();
        let mut i = 0;
        while i + ROWS <= x.len() {
            let rows: [*const f32; ROWS] =
                std::array::from_fn(|r| b.as_ptr().add((i + r) * n + from));
            let factors: [S::V; ROWS] = std::array::from_fn(|r| S::splat(x[i + r]));
            let mut j = 0;
            while j + S::LANES <= len {
                let mut sum = S::load(y.as_ptr().add(j));
                for r in 0..ROWS {
                    sum = S::fma(factors[r], S::load(rows[r].add(j)), sum);
                }
                S::store(y.as_mut_ptr().add(j), sum);
                j += S::LANES;
            }
            while j < len {
                for r in 0..ROWS {
                    y[j] += x[i + r] * *rows[r].add(j);
                }
                j += 1;
            }
            i += ROWS;
        }
        while i < x.len() {
            for (j, y) in y.iter_mut().enumerate() {
                *y += x[i] * b[i * n + from + j];
            }
            i += 1;
        }
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    static PLACES: RefCell<(Vec<Option<usize>>, Vec<f32>)> =
        const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Lends a buffer of this thread, so that what is packed on the way allocates only once.
pub(crate) fn with_scratch<R>(f: impl FnOnce(&mut Vec<f32>) -> R) -> R {
    let mut buffer = SCRATCH.take();
    let result = f(&mut buffer);
    SCRATCH.set(buffer);
    result
}

fn with_places<R>(f: impl FnOnce(&mut Vec<Option<usize>>, &mut Vec<f32>) -> R) -> R {
    let (mut table, mut zeros) = PLACES.take();
    let result = f(&mut table, &mut zeros);
    PLACES.set((table, zeros));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows in two segments; every fifth second segment is zeros.
    struct Halves(usize);

    impl Rows for Halves {
        fn segments(&self) -> usize {
            2
        }
        fn length(&self) -> usize {
            self.0
        }
        fn find(&self, row: usize, at: &mut [Option<usize>]) {
            at[0] = Some(row * 3);
            at[1] = (!row.is_multiple_of(5)).then_some(row);
        }
    }

    #[test]
    fn every_instruction_set_gives_the_plain_sums() {
        for isa in Isa::all() {
            for (rows, length, n) in
                [(1, 3, 1), (2, 5, 16), (7, 1, 33), (13, 8, 48), (50, 4, 70), (101, 2, 130)]
            {
                let numbers = |n: usize| (0..n).map(|i| ((i * 37 % 17) as f32) - 8.0);
                let a: Vec<f32> = numbers(rows * 3 + length).collect();
                let b: Vec<f32> = numbers(2 * length * n).collect();
                let bias: Vec<f32> = numbers(n).collect();
                let packed = Packed::pack(isa, Vec::new(), &b, [2 * length, n], n, 1);
                let mut c = vec![7.0; rows * (n + 2)];
                let function = |row: &mut [f32]| row.iter_mut().for_each(|v| *v = v.max(0.0));
                let epilogue = Epilogue { bias: Some(&bias), function: Some(&function) };
                gemm(&a, &Halves(length), &packed, epilogue, &mut c, [n + 2, 1]);
                let mut at = [None; 2];
                for row in 0..rows {
                    Halves(length).find(row, &mut at);
                    assert_eq!((c[row * (n + 2)], c[row * (n + 2) + n + 1]), (7.0, 7.0));
                    for j in 0..n {
                        let mut sum = bias[j];
                        for (s, at) in at.iter().enumerate() {
                            let Some(at) = at else { continue };
                            for i in 0..length {
                                sum += a[at + i] * b[(s * length + i) * n + j];
                            }
                        }
                        assert_eq!(c[row * (n + 2) + 1 + j], sum.max(0.0), "{isa:?} {row} {j}");
                    }
                }
            }
        }
    }

    #[test]
    fn one_row_gives_the_plain_sums() {
        let x: Vec<f32> = (0..19).map(|i| i as f32 - 9.0).collect();
        for n in [1, 15, 16, 40, 1500] {
            let b: Vec<f32> = (0..19 * n).map(|i| (i % 11) as f32).collect();
            let mut y = vec![3.0; n];
            gemv(&x, &b, &mut y);
            for j in 0..n {
                let sum: f32 = (0..19).map(|i| x[i] * b[i * n + j]).sum();
                assert_eq!(y[j], sum);
            }
        }
    }
}
