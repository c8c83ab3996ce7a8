//! Convolutions with windows of 3 x 3 and steps of 1 by Winograd's minimal filtering: 4 x 4 outputs
//! at a time with 36 products for each pair of channels in the place of 144.
//!
//! Tiles of 6 x 6 places are transformed, `V = Bᵀ d B`; for each of the 36 places a matrix product
//! with the transformed kernel, `M = V U`, sums over channels; `Y = Aᵀ M A` are the outputs. All three
//! come from interpolation at 0, ±1/√2, ±√2 and infinity, which rounds better than whole numbers
//! do: the error is about twice that of plain sums (measured over 32 to 512 channels).

#![allow(
    clippy::needless_range_loop,
    reason = "rows and columns of tiles are counted alike, whatever is read with them"
)]

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::sync::Arc;

use super::gemm::{Epilogue, Matrix, gemm, with_scratch};
use super::packed::{LINE, Packed, aligned};
use super::parallel::{self, Whole};
use super::simd::{Kernel, PlainLoop, Simd, dispatch, dispatch_loop};

/// Outputs of a tile along an axis, and places that they are made of.
const OUT: usize = 4;
const IN: usize = 6;

/// What a kernel's rows of three become: `[1, p, p²] / Π (p - q)` for each point `p` and the others
/// `q`; the last number alone for infinity.
const G: [[f64; 3]; IN] = {
    const A: f64 = std::f64::consts::FRAC_1_SQRT_2;
    const B: f64 = std::f64::consts::SQRT_2;
    [
        [1.0, 0.0, 0.0],
        [-2.0 / 3.0, -2.0 / 3.0 * A, -1.0 / 3.0],
        [-2.0 / 3.0, 2.0 / 3.0 * A, -1.0 / 3.0],
        [1.0 / 6.0, B / 6.0, 1.0 / 3.0],
        [1.0 / 6.0, -B / 6.0, 1.0 / 3.0],
        [0.0, 0.0, 1.0],
    ]
};

/// Bytes of the transformed tiles that are worked on at once: they stay in the cache, and the kernel
/// is read once for all of them.
const BLOCK_BYTES: usize = 3 << 20;

/// A transformed kernel `[3, 3, channels, filters]`: 36 matrices `[channels, filters]`.
#[derive(Clone, Debug)]
pub(crate) struct Winograd {
    parts: Vec<Arc<Packed>>,
    channels: usize,
    filters: usize,
}

/// Where images and results lie; height and width of each.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
    /// Places before the first row and column that windows reach.
    pub(crate) before: [usize; 2],
}

impl Frame {
    /// Tiles along each axis.
    fn tiles(&self) -> [usize; 2] {
        self.output.map(|n| n.div_ceil(OUT))
    }

    /// The image, and the first row and column of the outputs of a tile, counted over all images.
    fn place(&self, tile: usize) -> [usize; 3] {
        let [rows, columns] = self.tiles();
        let (image, tile) = (tile / (rows * columns), tile % (rows * columns));
        [image, tile / columns * OUT, tile % columns * OUT]
    }
}

impl Winograd {
    /// Transforms a kernel; `pack` packs a matrix of these sizes.
    pub(crate) fn new(
        kernel: &[f32],
        [channels, filters]: [usize; 2],
        mut pack: impl FnMut(&[f32], [usize; 2]) -> Arc<Packed>,
    ) -> Self {
        let mut part = vec![0.0; channels * filters];
        let places = (0..IN).flat_map(|a| (0..IN).map(move |b| (a, b)));
        let parts = places.map(|(a, b)| {
            let factors = std::array::from_fn(|tap| G[a][tap / 3] * G[b][tap % 3]);
            dispatch_loop(WeightedSum { kernel, factors, y: &mut part });
            pack(&part, [channels, filters])
        });
        let parts = parts.collect();
        Self { parts, channels, filters }
    }

    /// `y = f(x ∗ kernel + bias + residual)` for images `x`, each `[height, width, channels]`.
    pub(crate) fn run(&self, x: &[f32], frame: Frame, epilogue: Epilogue<'_>, y: &mut [f32]) {
        let Self { channels, filters, .. } = *self;
        let [inside, outside] =
            [(frame.input, channels), (frame.output, filters)].map(|([h, w], c)| h * w * c);
        let Some(images) = y.len().checked_div(outside) else { return };
        assert!(x.len() == images * inside && y.len() == images * outside);
        assert!(epilogue.bias.is_none_or(|bias| bias.len() == filters));
        assert!(epilogue.residual.is_none_or(|residual| residual.len() == y.len()));
        let tiles = images * frame.tiles().iter().product::<usize>();
        let work = tiles * self.parts.len() * channels * filters;
        let fitting = BLOCK_BYTES / (4 * self.parts.len() * (channels + filters)).max(1);
        let threads = parallel::threads(work);
        let blocks = tiles.div_ceil(fitting.max(1)).next_multiple_of(threads);
        let block = tiles.div_ceil(blocks.max(1)).max(1);
        let target = Whole::new(y);
        parallel::each(tiles.div_ceil(block), work, |i| {
            let first = i * block;
            let count = block.min(tiles - first);
            let [v, m] = [channels, filters].map(|n| self.parts.len() * count * n);
            with_scratch(|buffer| {
                buffer.resize((v + m + LINE).max(buffer.len()), 0.0);
                let place = aligned(buffer, v + m);
                let (v, m) = buffer[place].split_at_mut(v);
                dispatch(Gather { x, frame, channels, first, count, v });
                let products =
                    v.chunks_exact(count * channels).zip(m.chunks_exact_mut(count * filters));
                for (part, (v, m)) in self.parts.iter().zip(products) {
                    gemm(v, &Matrix { columns: channels }, part, Epilogue::NONE, m, [filters, 0]);
                }
                let to = &target;
                dispatch(Scatter { m, frame, filters, first, count, epilogue, to });
            });
        });
    }
}

/// `y[i] = Σ factors[tap] · kernel[tap, i]`
struct WeightedSum<'a> {
    kernel: &'a [f32],
    factors: [f64; 9],
    y: &'a mut [f32],
}

impl PlainLoop for WeightedSum<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.y.len();
        let taps: [&[f32]; 9] = std::array::from_fn(|tap| &self.kernel[tap * n..(tap + 1) * n]);
        for i in 0..n {
            let mut sum = 0.0;
            for tap in 0..9 {
                sum += self.factors[tap] * f64::from(taps[tap][i]);
            }
            self.y[i] = sum as f32;
        }
    }
}

/// Transforms tiles of images into `v: [36, count, channels]`.
struct Gather<'a> {
    x: &'a [f32],
    frame: Frame,
    channels: usize,
    first: usize,
    count: usize,
    v: &'a mut [f32],
}

impl Kernel for Gather<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { x, frame, channels, first, count, v } = self;
        let [height, width] = frame.input;
        for t in 0..count {
            let [image, top, left] = frame.place(first + t);
            // Where the places of the tile are, if they are inside of the image.
            let mut places = [[std::ptr::null::<f32>(); IN]; IN];
            for (i, row) in places.iter_mut().enumerate() {
                for (j, place) in row.iter_mut().enumerate() {
                    let at = |start: usize, axis: usize| start.checked_sub(frame.before[axis]);
                    if let (Some(r), Some(c)) = (at(top + i, 0), at(left + j, 1))
                        && r < height
                        && c < width
                    {
                        *place = x[((image * height + r) * width + c) * channels..].as_ptr();
                    }
                }
            }
            let mut channel = 0;
            while channel < channels {
                let lanes = (channels - channel).min(S::LANES);
                // SAFETY: the caller has the instruction set; places have `channels` numbers, and
                // `v` has as many for each of 36 places of each tile.
                unsafe {
                    let zero = S::splat(0.0);
                    let mut half = [[zero; IN]; IN];
                    for j in 0..IN {
                        let mut column = [zero; IN];
                        for i in 0..IN {
                            if !places[i][j].is_null() {
                                column[i] = load::<S>(places[i][j].add(channel), lanes);
                            }
                        }
                        half[j] = input::<S>(column);
                    }
                    let to = v.as_mut_ptr().add(t * channels + channel);
                    for i in 0..IN {
                        let mut row = [zero; IN];
                        for j in 0..IN {
                            row[j] = half[j][i];
                        }
                        let row = input::<S>(row);
                        for j in 0..IN {
                            let to = to.add((i * IN + j) * count * channels);
                            store::<S>(to, lanes, row[j]);
                        }
                    }
                }
                channel += lanes;
            }
        }
    }
}

/// Transforms `m: [36, count, filters]` into the outputs of tiles.
struct Scatter<'a> {
    m: &'a [f32],
    frame: Frame,
    filters: usize,
    first: usize,
    count: usize,
    epilogue: Epilogue<'a>,
    to: &'a Whole<'a, f32>,
}

impl Kernel for Scatter<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { m, frame, filters, first, count, epilogue, to } = self;
        let [height, width] = frame.output;
        let clamp = epilogue.clamp.unwrap_or([f32::NEG_INFINITY, f32::INFINITY]);
        for t in 0..count {
            let [image, top, left] = frame.place(first + t);
            let [rows, columns] = [height - top, width - left].map(|n| n.min(OUT));
            let start = |i: usize| ((image * height + top + i) * width + left) * filters;
            let mut channel = 0;
            while channel < filters {
                let lanes = (filters - channel).min(S::LANES);
                // SAFETY: the caller has the instruction set; `m` has `filters` numbers for each of
                // 36 places of each tile; so have bias, residual and outputs for what is inside, and
                // no other tile has the same outputs.
                unsafe {
                    let zero = S::splat(0.0);
                    let [low, high] = [S::splat(clamp[0]), S::splat(clamp[1])];
                    let from = m.as_ptr().add(t * filters + channel);
                    let mut half = [[zero; OUT]; IN];
                    for j in 0..IN {
                        let mut column = [zero; IN];
                        for i in 0..IN {
                            let from = from.add((i * IN + j) * count * filters);
                            column[i] = load::<S>(from, lanes);
                        }
                        half[j] = output::<S>(column);
                    }
                    let bias = match epilogue.bias {
                        Some(bias) => load::<S>(bias.as_ptr().add(channel), lanes),
                        None => zero,
                    };
                    for i in 0..OUT {
                        let mut row = [zero; IN];
                        for j in 0..IN {
                            row[j] = half[j][i];
                        }
                        let row = output::<S>(row);
                        for j in 0..OUT {
                            if i < rows && j < columns {
                                let at = start(i) + j * filters + channel;
                                let mut y = S::add(row[j], bias);
                                if let Some(residual) = epilogue.residual {
                                    y = S::add(y, load::<S>(residual.as_ptr().add(at), lanes));
                                }
                                let y = S::min(high, S::max(low, y));
                                store::<S>(to.start().add(at), lanes, y);
                            }
                        }
                    }
                }
                channel += lanes;
            }
            if let Some(function) = epilogue.function {
                for i in 0..rows {
                    // SAFETY: inside of the outputs and used by no other tile.
                    function(unsafe { to.part(start(i), columns * filters) });
                }
            }
        }
    }
}

/// # Safety
/// The machine must have `S`, and `lanes` numbers must be readable; so for all below.
#[inline(always)]
unsafe fn load<S: Simd>(from: *const f32, lanes: usize) -> S::V {
    // SAFETY: as the caller's.
    unsafe { if lanes == S::LANES { S::load(from) } else { S::load_first(from, lanes) } }
}

#[inline(always)]
unsafe fn store<S: Simd>(to: *mut f32, lanes: usize, value: S::V) {
    // SAFETY: as the caller's.
    unsafe {
        if lanes == S::LANES { S::store(to, value) } else { S::store_first(to, lanes, value) }
    }
}

/// `Bᵀ d`: for each point the product of `x - q` over the other points `q`, as a polynomial.
#[inline(always)]
unsafe fn input<S: Simd>(d: [S::V; IN]) -> [S::V; IN] {
    // SAFETY: as the caller's.
    unsafe {
        let all = S::splat(-2.5);
        let [two, half] = [S::splat(-2.0), S::splat(-0.5)];
        let even = [S::fma(two, d[2], d[4]), S::fma(half, d[2], d[4])];
        let odd = [
            S::mul(S::splat(FRAC_1_SQRT_2), S::fma(two, d[1], d[3])),
            S::mul(S::splat(SQRT_2), S::fma(half, d[1], d[3])),
        ];
        [
            S::fma(all, d[2], S::add(d[0], d[4])),
            S::add(even[0], odd[0]),
            S::sub(even[0], odd[0]),
            S::add(even[1], odd[1]),
            S::sub(even[1], odd[1]),
            S::fma(all, d[3], S::add(d[1], d[5])),
        ]
    }
}

/// `Aᵀ m`: the powers of each point, 0 to 3; of infinity the last.
#[inline(always)]
unsafe fn output<S: Simd>(m: [S::V; IN]) -> [S::V; OUT] {
    // SAFETY: as the caller's.
    unsafe {
        let [sum_a, sum_b] = [S::add(m[1], m[2]), S::add(m[3], m[4])];
        let [difference_a, difference_b] = [S::sub(m[1], m[2]), S::sub(m[3], m[4])];
        let [a, b] = [S::splat(FRAC_1_SQRT_2), S::splat(SQRT_2)];
        let [half, two] = [S::splat(0.5), S::splat(2.0)];
        [
            S::add(m[0], S::add(sum_a, sum_b)),
            S::fma(a, difference_a, S::mul(b, difference_b)),
            S::fma(half, sum_a, S::mul(two, sum_b)),
            S::fma(S::mul(half, a), difference_a, S::fma(S::mul(two, b), difference_b, m[5])),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn sums_are_those_of_the_windows(
            height in 1_usize..12, width in 1_usize..12, top in 0_usize..3, left in 0_usize..3,
            channels in 1_usize..40, filters in 1_usize..40, images in 1_usize..3, all in 0..2
        ) {
            let numbers = |n: usize| (0..n).map(|i| ((i * 37 % 17) as f32) - 8.0).collect::<Vec<_>>();
            // Windows reach one place past the end.
            let output = [height + top, width + left].map(|n| n.saturating_sub(1));
            let frame = Frame { input: [height, width], output, before: [top, left] };
            let x = numbers(images * height * width * channels);
            let kernel = numbers(9 * channels * filters);
            let bias = numbers(filters);
            let len = images * output[0] * output[1] * filters;
            let residual = numbers(len);
            let function = |row: &mut [f32]| row.iter_mut().for_each(|v| *v *= 2.0);
            let epilogue = if all == 0 { Epilogue::NONE } else { Epilogue {
                bias: Some(&bias),
                residual: Some(&residual),
                clamp: Some([-300.0, 1000.0]),
                function: Some(&function),
            } };
            let pack = |b: &[f32], sizes: [usize; 2]| Arc::new(Packed::new(b, sizes, sizes[1], 1));
            let winograd = Winograd::new(&kernel, [channels, filters], pack);
            let mut y = vec![7.0; len];
            winograd.run(&x, frame, epilogue, &mut y);
            let largest = 64.0 * 9.0 * channels as f32;
            for (at, y) in y.iter().enumerate() {
                let (filter, at_place) = (at % filters, at / filters);
                let (column, row) = (at_place % output[1], at_place / output[1]);
                let (row, image) = (row % output[0], row / output[0]);
                let mut sum = 0.0;
                for tap in 0..9 {
                    let (r, c) = (row + tap / 3, column + tap % 3);
                    if r < top || c < left || r - top >= height || c - left >= width {
                        continue;
                    }
                    let place = (image * height + r - top) * width + c - left;
                    for channel in 0..channels {
                        sum += x[place * channels + channel]
                            * kernel[(tap * channels + channel) * filters + filter];
                    }
                }
                if all != 0 {
                    sum = (sum + bias[filter] + residual[at]).clamp(-300.0, 1000.0) * 2.0;
                }
                assert!((y - sum).abs() <= 1e-5 * largest, "{y} is not {sum} at {at}");
            }
        }
    }
}
