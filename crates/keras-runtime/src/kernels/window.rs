//! Windows that slide over each channel by itself: depthwise convolutions and pooling.

use super::simd::{Isa, Kernel, Simd, dispatch_on};

/// Neighbouring outputs whose windows have the same elements.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    /// Where the elements of the first window are in `x`, each all channels of a place, and their
    /// numbers in the window.
    pub(crate) taps: &'a [(usize, usize)],
    /// Numbers in `x` from one window to the next.
    pub(crate) step: usize,
    pub(crate) channels: usize,
}

/// How the elements of a window become one.
#[derive(Clone, Copy)]
pub(crate) enum Combine<'a> {
    /// The sum of products with a kernel `[taps, channels]`, and a bias, between two bounds.
    Weighted {
        kernel: &'a [f32],
        bias: Option<&'a [f32]>,
        clamp: [f32; 2],
    },
    /// NaN if one is.
    Max,
    Mean,
}

/// Computes the outputs of a run, `y: [outputs, channels]`.
pub(crate) fn slide(x: &[f32], run: Run<'_>, combine: Combine<'_>, y: &mut [f32]) {
    slide_on(Isa::detect(), x, run, combine, y);
}

fn slide_on(isa: Isa, x: &[f32], run: Run<'_>, combine: Combine<'_>, y: &mut [f32]) {
    let Some(last) = (y.len() / run.channels.max(1)).checked_sub(1) else { return };
    assert!(y.len().is_multiple_of(run.channels));
    for (at, tap) in run.taps {
        assert!(at + last * run.step + run.channels <= x.len(), "a window outside of the data");
        if let Combine::Weighted { kernel, .. } = combine {
            assert!((tap + 1) * run.channels <= kernel.len());
        }
    }
    if let Combine::Weighted { bias: Some(bias), .. } = combine {
        assert!(bias.len() == run.channels);
    }
    let pieces = Pieces { x, run, y };
    match combine {
        Combine::Weighted { kernel, bias, clamp } => {
            dispatch_on(isa, Slide { pieces, how: Weighted { kernel, bias, clamp } });
        }
        Combine::Max => dispatch_on(isa, Slide { pieces, how: Max }),
        Combine::Mean => dispatch_on(isa, Slide { pieces, how: Mean(run.taps.len() as f32) }),
    }
}

struct Pieces<'a> {
    x: &'a [f32],
    run: Run<'a>,
    y: &'a mut [f32],
}

/// The arithmetic of one way to combine.
///
/// # Safety
/// The machine must have `S`; `channel` and, if there are fewer than a vector, `count` channels
/// must be inside of what is read.
trait How: Copy {
    unsafe fn start<S: Simd>(self, channel: usize, count: Option<usize>) -> S::V;
    unsafe fn weight<S: Simd>(self, at: usize, count: Option<usize>) -> S::V;
    unsafe fn step<S: Simd>(self, sum: S::V, x: S::V, weight: S::V) -> S::V;
    unsafe fn finish<S: Simd>(self, sum: S::V) -> S::V;
}

/// # Safety
/// A vector, or `count` numbers, must be readable.
#[inline(always)]
unsafe fn load<S: Simd>(from: *const f32, count: Option<usize>) -> S::V {
    // SAFETY: as the caller's.
    unsafe {
        match count {
            None => S::load(from),
            Some(count) => S::load_first(from, count),
        }
    }
}

#[derive(Clone, Copy)]
struct Weighted<'a> {
    kernel: &'a [f32],
    bias: Option<&'a [f32]>,
    clamp: [f32; 2],
}

impl How for Weighted<'_> {
    #[inline(always)]
    unsafe fn start<S: Simd>(self, channel: usize, count: Option<usize>) -> S::V {
        // SAFETY: as the caller's.
        unsafe {
            match self.bias {
                Some(bias) => load::<S>(bias.as_ptr().add(channel), count),
                None => S::splat(0.0),
            }
        }
    }

    #[inline(always)]
    unsafe fn weight<S: Simd>(self, at: usize, count: Option<usize>) -> S::V {
        // SAFETY: as the caller's.
        unsafe { load::<S>(self.kernel.as_ptr().add(at), count) }
    }

    #[inline(always)]
    unsafe fn step<S: Simd>(self, sum: S::V, x: S::V, weight: S::V) -> S::V {
        // SAFETY: as the caller's.
        unsafe { S::fma(x, weight, sum) }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd>(self, sum: S::V) -> S::V {
        // SAFETY: as the caller's.
        unsafe { S::min(S::splat(self.clamp[1]), S::max(S::splat(self.clamp[0]), sum)) }
    }
}

#[derive(Clone, Copy)]
struct Max;

impl How for Max {
    #[inline(always)]
    unsafe fn start<S: Simd>(self, _channel: usize, _count: Option<usize>) -> S::V {
        // SAFETY: as the caller's.
        unsafe { S::splat(f32::NEG_INFINITY) }
    }

    #[inline(always)]
    unsafe fn weight<S: Simd>(self, _at: usize, _count: Option<usize>) -> S::V {
        // SAFETY: as the caller's.
        unsafe { S::splat(0.0) }
    }

    #[inline(always)]
    unsafe fn step<S: Simd>(self, sum: S::V, x: S::V, _weight: S::V) -> S::V {
        // SAFETY: as the caller's. `max` gives `x` where one is NaN: right unless it is `sum`.
        unsafe { S::if_nan(sum, sum, S::max(sum, x)) }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd>(self, sum: S::V) -> S::V {
        sum
    }
}

/// The mean of that many.
#[derive(Clone, Copy)]
struct Mean(f32);

impl How for Mean {
    #[inline(always)]
    unsafe fn start<S: Simd>(self, _channel: usize, _count: Option<usize>) -> S::V {
        // SAFETY: as the caller's.
        unsafe { S::splat(0.0) }
    }

    #[inline(always)]
    unsafe fn weight<S: Simd>(self, _at: usize, _count: Option<usize>) -> S::V {
        // SAFETY: as the caller's.
        unsafe { S::splat(0.0) }
    }

    #[inline(always)]
    unsafe fn step<S: Simd>(self, sum: S::V, x: S::V, _weight: S::V) -> S::V {
        // SAFETY: as the caller's.
        unsafe { S::add(sum, x) }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd>(self, sum: S::V) -> S::V {
        // SAFETY: as the caller's.
        unsafe { S::div(sum, S::splat(self.0)) }
    }
}

struct Slide<'a, H> {
    pieces: Pieces<'a>,
    how: H,
}

impl<H: How> Kernel for Slide<'_, H> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Pieces { x, run, y } = self.pieces;
        let outputs = y.len() / run.channels;
        let mut output = 0;
        // SAFETY: `slide_on` checked all places.
        unsafe {
            let (from, to) = (x.as_ptr(), y.as_mut_ptr());
            let mut next = |count: usize| {
                let first = output;
                output += count;
                (from.add(first * run.step), to.add(first * run.channels))
            };
            for _ in 0..outputs / 8 {
                let (x, y) = next(8);
                all_channels::<S, H, 8, 1>(x, &run, self.how, y);
            }
            for _ in 0..outputs % 8 / 4 {
                let (x, y) = next(4);
                all_channels::<S, H, 4, 2>(x, &run, self.how, y);
            }
            for _ in 0..outputs % 4 {
                let (x, y) = next(1);
                all_channels::<S, H, 1, 4>(x, &run, self.how, y);
            }
        }
    }
}

/// All channels of `N` neighbouring outputs, `NV` vectors at a time: enough sums for each to be
/// ready when its turn comes again.
///
/// # Safety
/// The machine must have `S`; the windows must be readable from `x`, the outputs writable at `y`.
#[inline(always)]
unsafe fn all_channels<S: Simd, H: How, const N: usize, const NV: usize>(
    x: *const f32,
    run: &Run<'_>,
    how: H,
    y: *mut f32,
) {
    let mut channel = 0;
    // SAFETY: as the caller's.
    unsafe {
        while channel + NV * S::LANES <= run.channels {
            together::<S, H, N, NV>(x, run, how, y, channel, None);
            channel += NV * S::LANES;
        }
        while channel + S::LANES <= run.channels {
            together::<S, H, N, 1>(x, run, how, y, channel, None);
            channel += S::LANES;
        }
        if channel < run.channels {
            together::<S, H, N, 1>(x, run, how, y, channel, Some(run.channels - channel));
        }
    }
}

/// `NV` vectors of channels of `N` neighbouring outputs, or `count` channels.
///
/// # Safety
/// As [`all_channels`], and the channels must be there.
#[inline(always)]
unsafe fn together<S: Simd, H: How, const N: usize, const NV: usize>(
    x: *const f32,
    run: &Run<'_>,
    how: H,
    y: *mut f32,
    channel: usize,
    count: Option<usize>,
) {
    // SAFETY: as the caller's.
    unsafe {
        let mut sums = [[S::splat(0.0); NV]; N];
        for v in 0..NV {
            let start = how.start::<S>(channel + v * S::LANES, count);
            sums.iter_mut().for_each(|sum| sum[v] = start);
        }
        for (at, tap) in run.taps {
            let x = x.add(at + channel);
            for v in 0..NV {
                let ahead = v * S::LANES;
                let weight = how.weight::<S>(tap * run.channels + channel + ahead, count);
                for (i, sum) in sums.iter_mut().enumerate() {
                    let x = load::<S>(x.add(i * run.step + ahead), count);
                    sum[v] = how.step::<S>(sum[v], x, weight);
                }
            }
        }
        for (i, sum) in sums.into_iter().enumerate() {
            for (v, sum) in sum.into_iter().enumerate() {
                let to = y.add(i * run.channels + channel + v * S::LANES);
                match count {
                    None => S::store(to, how.finish::<S>(sum)),
                    Some(count) => S::store_first(to, count, how.finish::<S>(sum)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_instruction_set_gives_the_plain_results(
            channels in 1_usize..90, outputs in 1_usize..20, taps in 0_usize..7, step in 1_usize..3
        ) {
            let step = step * channels;
            let numbers = |n: usize| (0..n).map(|i| ((i * 37 % 17) as f32) - 8.0).collect::<Vec<_>>();
            let taps: Vec<_> = (0..taps).map(|i| (i * 3 % 5 * channels, taps - 1 - i)).collect();
            let x = numbers(outputs * step + 6 * channels);
            let (kernel, bias) = (numbers(taps.len() * channels), numbers(channels));
            let weighted = Combine::Weighted { kernel: &kernel, bias: Some(&bias), clamp: [-60.0, 70.0] };
            let run = Run { taps: &taps, step, channels };
            for isa in Isa::all() {
                for (i, combine) in [weighted, Combine::Max, Combine::Mean].into_iter().enumerate() {
                    let mut y = vec![7.0; outputs * channels];
                    slide_on(isa, &x, run, combine, &mut y);
                    for (at, y) in y.iter().enumerate() {
                        let (output, channel) = (at / channels, at % channels);
                        let of = |p: usize| x[p + output * step + channel];
                        let expected = match i {
                            0 => {
                                let products = taps.iter().map(|(p, t)| of(*p) * kernel[t * channels + channel]);
                                (products.sum::<f32>() + bias[channel]).clamp(-60.0, 70.0)
                            }
                            1 => taps.iter().map(|(p, _)| of(*p)).fold(f32::NEG_INFINITY, f32::max),
                            _ => taps.iter().map(|(p, _)| of(*p)).sum::<f32>() / taps.len() as f32,
                        };
                        assert!(*y == expected || y.is_nan() && expected.is_nan(), "{isa:?} {i} {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_largest_with_nan_is_nan() {
        for isa in Isa::all() {
            for nan in 0..3 {
                let mut x = vec![1.0, 2.0, 3.0];
                x[nan] = f32::NAN;
                let (mut y, taps) = ([0.0], [(0, 0), (1, 1), (2, 2)]);
                slide_on(isa, &x, Run { taps: &taps, step: 1, channels: 1 }, Combine::Max, &mut y);
                assert!(y[0].is_nan());
            }
        }
    }
}
