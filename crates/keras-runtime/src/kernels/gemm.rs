//! `C = f(A · B + bias + residual)` for rows of `A` that lie anywhere: the product behind dense
//! layers, convolutions and recurrent steps.
//!
//! `B` is packed once into panels as wide as a few vectors. A row of `A` is a list of segments of
//! equal length, each a place in a slice or nothing but zeros: a convolution gathers its windows
//! without copying them.

use std::cell::RefCell;

use super::packed::Packed;
use super::parallel::{self, Whole};
use super::tile::{self, Strip};

/// The rows of `A`.
pub(crate) trait Rows: Sync {
    /// Segments in a row.
    fn segments(&self) -> usize;
    /// Length of each.
    fn length(&self) -> usize;
    /// Where the segments of the rows from `first` on start in the data, row after row: into each
    /// of `at`; [`OUTSIDE`], which is there before, for zeros.
    fn find(&self, first: usize, at: &mut [usize]);
}

/// The place of a segment that is nothing but zeros.
pub(crate) const OUTSIDE: usize = usize::MAX;

/// The rows of a matrix one after the other.
pub(crate) struct Matrix {
    pub(crate) columns: usize,
}

impl Rows for Matrix {
    fn segments(&self) -> usize {
        1
    }

    fn length(&self) -> usize {
        self.columns
    }

    fn find(&self, first: usize, at: &mut [usize]) {
        for (i, at) in at.iter_mut().enumerate() {
            *at = (first + i) * self.columns;
        }
    }
}

/// What is done with a piece of a row.
pub(crate) type RowFunction<'a> = dyn Fn(&mut [f32]) + Sync + 'a;

/// What is done with a result before it is written, in this order.
#[derive(Clone, Copy)]
pub(crate) struct Epilogue<'a> {
    /// Added to each row.
    pub(crate) bias: Option<&'a [f32]>,
    /// Added to the whole; laid out as `C`.
    pub(crate) residual: Option<&'a [f32]>,
    /// The least and the largest result.
    pub(crate) clamp: Option<[f32; 2]>,
    /// Done with pieces of rows.
    pub(crate) function: Option<&'a RowFunction<'a>>,
}

impl Epilogue<'_> {
    /// Nothing.
    pub(crate) const NONE: Self = Self { bias: None, residual: None, clamp: None, function: None };
}

/// Bytes of `A` that stay in the second-level cache while the panels of `B` go by.
const BLOCK_BYTES: usize = 256 << 10;

/// Computes the rows of `C`, each at `stride` floats from the one before, from `column` on as many
/// as `b` has.
pub(crate) fn gemm(
    a: &[f32],
    places: &impl Rows,
    b: &Packed,
    epilogue: Epilogue<'_>,
    c: &mut [f32],
    [stride, column]: [usize; 2],
) {
    let rows = c.len() / stride.max(1);
    if rows == 0 || b.n == 0 {
        return;
    }
    assert!(column + b.n <= stride && places.segments() * places.length() == b.k);
    assert!(epilogue.bias.is_none_or(|bias| bias.len() == b.n));
    assert!(epilogue.residual.is_none_or(|residual| residual.len() == c.len()));
    let work = rows * b.k * b.n;
    let threads = parallel::threads(work);
    // Blocks of rows, all as large as each other and of whole tiles; several for each thread, of
    // the panels if there are too few rows.
    let most = tile::most_rows(b.isa, b.vectors);
    let tiles = rows.div_ceil(most);
    let fitting = (BLOCK_BYTES / (4 * b.k.max(1))).div_ceil(most).clamp(1, 16);
    let mut blocks = tiles.div_ceil(fitting);
    let mut strips = 1;
    if threads > 1 {
        let wanted = 4 * threads;
        if b.panels() >= wanted && b.panels() > 2 * tiles {
            strips = wanted;
        } else {
            blocks = blocks.max(wanted.min(tiles));
            strips = wanted.div_ceil(blocks).min(b.panels());
        }
    }
    let block = tiles.div_ceil(blocks) * most;
    let strip = b.panels().div_ceil(strips);
    let (blocks, strips) = (rows.div_ceil(block), b.panels().div_ceil(strip));
    let target = Whole::new(c);
    parallel::each(blocks * strips, work, |i| {
        let (first, panel) = (i % blocks * block, i / blocks * strip);
        let part = Part {
            first,
            count: block.min(rows - first),
            panels: panel..b.panels().min(panel + strip),
        };
        // SAFETY: parts have different rows or different columns, and `c` has all of them.
        unsafe { part.run(a, places, b, &epilogue, &target, [stride, column]) }
    });
}

/// Some rows of `C` by some panels of columns.
struct Part {
    first: usize,
    count: usize,
    panels: std::ops::Range<usize>,
}

impl Part {
    /// # Safety
    /// `target` must have the rows and columns, and nobody else may use them meanwhile.
    unsafe fn run(
        self,
        a: &[f32],
        places: &impl Rows,
        b: &Packed,
        epilogue: &Epilogue<'_>,
        target: &Whole<'_, f32>,
        [stride, column]: [usize; 2],
    ) {
        let width = b.width();
        with_places(|table| {
            table.look_up(a, places, self.first, self.count, tile::most_rows(b.isa, b.vectors));
            for panel in self.panels.clone() {
                let from = panel * width;
                let at = self.first * stride + column + from;
                let strip = Strip {
                    rows: &table.rows,
                    count: self.count,
                    segments: places.segments(),
                    length: places.length(),
                    weights: b.panel(panel),
                    // SAFETY: inside of `c`, as the caller promises.
                    c: unsafe { target.start().add(at) },
                    bias: epilogue.bias.map_or(std::ptr::null(), |v| v[from..].as_ptr()),
                    residual: epilogue.residual.map_or(std::ptr::null(), |v| v[at..].as_ptr()),
                    stride,
                    columns: width.min(b.n - from),
                    clamp: epilogue.clamp.unwrap_or([f32::NEG_INFINITY, f32::INFINITY]),
                };
                // SAFETY: the table has places with `length` numbers; the sizes of the others
                // were checked at the start.
                unsafe { tile::run(b.isa, b.vectors, strip) }
            }
        });
        let Some(function) = epilogue.function else { return };
        let from = self.panels.start * width;
        let columns = (self.panels.end * width).min(b.n) - from;
        let (rows, columns) =
            if columns == stride { (1, self.count * stride) } else { (self.count, columns) };
        for row in 0..rows {
            let at = (self.first + row) * stride + column + from;
            // SAFETY: inside of `c` and used by nobody else, as the caller promises.
            function(unsafe { target.part(at, columns) });
        }
    }
}

/// The places of the rows of a part.
#[derive(Default)]
struct Table {
    found: Vec<usize>,
    rows: Vec<*const f32>,
    zeros: Vec<f32>,
}

impl Table {
    /// Looks the rows up; each place has `length` numbers. The last row is there `most` times, so
    /// that a tile has always as many.
    fn look_up(&mut self, a: &[f32], places: &impl Rows, first: usize, count: usize, most: usize) {
        let length = places.length();
        self.found.clear();
        self.found.resize(count * places.segments(), OUTSIDE);
        places.find(first, &mut self.found);
        if self.zeros.len() < length {
            self.zeros.resize(length, 0.0);
        }
        let zeros = self.zeros.as_ptr();
        // A place that is not inside would be read out of bounds.
        let end = (a.len() + 1).saturating_sub(length);
        let is_inside = |at: &usize| *at < end || *at == OUTSIDE;
        assert!(self.found.iter().all(is_inside), "rows outside of the data");
        let place = |at: &usize| if *at == OUTSIDE { zeros } else { a.as_ptr().wrapping_add(*at) };
        self.rows.clear();
        self.rows.extend(self.found.iter().map(place));
        let last = self.rows.len() - places.segments();
        for _ in 1..most {
            self.rows.extend_from_within(last..last + places.segments());
        }
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    static TABLE: RefCell<Table> =
        const { RefCell::new(Table { found: Vec::new(), rows: Vec::new(), zeros: Vec::new() }) };
}

/// Lends a buffer of this thread, so that what is packed on the way allocates only once.
pub(crate) fn with_scratch<R>(f: impl FnOnce(&mut Vec<f32>) -> R) -> R {
    let mut buffer = SCRATCH.take();
    let result = f(&mut buffer);
    SCRATCH.set(buffer);
    result
}

fn with_places(f: impl FnOnce(&mut Table)) {
    let mut table = TABLE.take();
    f(&mut table);
    TABLE.set(table);
}

#[cfg(test)]
mod tests {
    use super::super::simd::Isa;
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
        fn find(&self, first: usize, at: &mut [usize]) {
            for (i, at) in at.chunks_exact_mut(2).enumerate() {
                at[0] = (first + i) * 3;
                if !(first + i).is_multiple_of(5) {
                    at[1] = first + i;
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn every_instruction_set_gives_the_plain_sums(
            rows in 1_usize..60, length in 0_usize..20, n in 1_usize..140, all in 0..2
        ) {
            let numbers = |n: usize| (0..n).map(|i| ((i * 37 % 17) as f32) - 8.0);
            let a: Vec<f32> = numbers(rows * 3 + length).collect();
            let b: Vec<f32> = numbers(2 * length * n).collect();
            let bias: Vec<f32> = numbers(n).collect();
            let residual: Vec<f32> = numbers(rows * (n + 2)).collect();
            let function = |row: &mut [f32]| row.iter_mut().for_each(|v| *v *= 2.0);
            let epilogue = if all == 0 { Epilogue::NONE } else { Epilogue {
                bias: Some(&bias),
                residual: Some(&residual),
                clamp: Some([-30.0, 1000.0]),
                function: Some(&function),
            } };
            for isa in Isa::all() {
                let packed = Packed::pack(isa, Vec::new(), &b, [2 * length, n], n, 1);
                let mut c = vec![7.0; rows * (n + 2)];
                gemm(&a, &Halves(length), &packed, epilogue, &mut c, [n + 2, 1]);
                for row in 0..rows {
                    let mut at = [OUTSIDE; 2];
                    Halves(length).find(row, &mut at);
                    assert_eq!((c[row * (n + 2)], c[row * (n + 2) + n + 1]), (7.0, 7.0));
                    for j in 0..n {
                        let mut sum = 0.0;
                        for (s, at) in at.iter().enumerate().filter(|(_, at)| **at != OUTSIDE) {
                            for i in 0..length {
                                sum += a[at + i] * b[(s * length + i) * n + j];
                            }
                        }
                        if all != 0 {
                            sum += bias[j] + residual[row * (n + 2) + 1 + j];
                            sum = sum.clamp(-30.0, 1000.0) * 2.0;
                        }
                        assert_eq!(c[row * (n + 2) + 1 + j], sum, "{isa:?} {row} {j}");
                    }
                }
            }
        }
    }
}
