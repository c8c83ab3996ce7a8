//! Windows that slide along spatial axes: convolutions and pooling.

use std::cell::RefCell;

use crate::kernels::Frame;
use crate::{Error, Result};

thread_local! {
    /// The elements of a window, so that going through them allocates only once.
    static TAPS: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
}

/// Where windows lie along each spatial axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Elements of a window.
    pub(crate) size: Vec<usize>,
    /// Steps between windows.
    pub(crate) strides: Vec<usize>,
    /// Distance between the elements of a window.
    pub(crate) dilation: Vec<usize>,
    /// Places before and after the axis that windows reach.
    pub(crate) borders: Vec<(usize, usize)>,
}

impl Window {
    /// Takes in zeros around what the windows read.
    pub(crate) fn widen(&mut self, zeros: &[(usize, usize)]) {
        for ((before, after), (more_before, more_after)) in self.borders.iter_mut().zip(zeros) {
            *before += more_before;
            *after += more_after;
        }
    }

    /// The spatial shape of the output.
    pub(super) fn output(&self, name: &'static str, spatial: &[usize]) -> Result<Vec<usize>> {
        if spatial.len() != self.size.len() || spatial.len() > 3 {
            let reason = format!("a window of {:?} over axes {spatial:?}", self.size);
            return Err(Error::op(name, reason));
        }
        let axis = |i: usize| {
            let reach =
                self.size[i].checked_sub(1)?.checked_mul(self.dilation[i])?.checked_add(1)?;
            let (before, after) = self.borders[i];
            let room = (spatial[i] + before + after).checked_sub(reach)?;
            room.checked_div(self.strides[i])?.checked_add(1)
        };
        (0..spatial.len())
            .map(|i| {
                axis(i).ok_or_else(|| {
                    let reason = format!("a window of {:?} does not fit {spatial:?}", self.size);
                    Error::op(name, reason)
                })
            })
            .collect()
    }

    /// All with three axes, the missing ones before those there are.
    pub(super) fn cube(&self, spatial: &[usize], output: &[usize]) -> Cube {
        let three = |v: &[usize], fill: usize| {
            let mut out = [fill; 3];
            out[3 - v.len()..].copy_from_slice(v);
            out
        };
        let mut before = [0; 3];
        for (to, (first, _)) in before.iter_mut().rev().zip(self.borders.iter().rev()) {
            *to = *first;
        }
        Cube {
            size: three(&self.size, 1),
            strides: three(&self.strides, 1),
            dilation: three(&self.dilation, 1),
            before,
            input: three(spatial, 1),
            output: three(output, 1),
            whole: 0..0,
        }
        .find_inside()
    }
}

/// The spatial axes of a shape.
pub(super) fn inner(shape: &[usize]) -> &[usize] {
    shape.get(1..shape.len().saturating_sub(1)).unwrap_or_default()
}

/// Windows over three axes.
#[derive(Clone, Debug)]
pub(super) struct Cube {
    pub(super) size: [usize; 3],
    pub(super) strides: [usize; 3],
    pub(super) dilation: [usize; 3],
    pub(super) before: [usize; 3],
    pub(super) input: [usize; 3],
    pub(super) output: [usize; 3],
    /// The windows that are inside along the last axis.
    whole: std::ops::Range<usize>,
}

impl Cube {
    /// Places of one sample's output.
    pub(super) fn places(&self) -> usize {
        self.output.iter().product()
    }

    /// Elements of a window.
    pub(super) fn taps(&self) -> usize {
        self.size.iter().product()
    }

    /// Where output `place` of a sample lies along each axis.
    pub(super) fn split(&self, place: usize) -> [usize; 3] {
        let [_, b, c] = self.output;
        [place / (b * c), place / c % b, place % c]
    }

    /// For output `at` along `axis`: the elements of the window that are inside, and where the first
    /// of them is in the input.
    fn inside(&self, axis: usize, at: usize) -> (std::ops::Range<usize>, usize) {
        let (n, dilation) = (self.input[axis], self.dilation[axis]);
        let (start, before) = (at * self.strides[axis], self.before[axis]);
        let first = before.saturating_sub(start).div_ceil(dilation);
        // Elements k with start + k · dilation - before < n.
        let end = (n + before).saturating_sub(start).div_ceil(dilation).min(self.size[axis]);
        let first = first.min(end);
        (first..end, (start + first * dilation).saturating_sub(before))
    }

    /// Finds out which windows are inside along the last axis.
    fn find_inside(mut self) -> Self {
        let reach = self.size[2].saturating_sub(1) * self.dilation[2] + 1;
        let last = (self.input[2] + self.before[2]).checked_sub(reach);
        let end = last.map_or(0, |last| last / self.strides[2] + 1).min(self.output[2]);
        self.whole = self.before[2].div_ceil(self.strides[2]).min(end)..end;
        self
    }

    /// How many windows behind the one at `at` along the last axis have the same elements as it.
    pub(super) fn followers(&self, at: usize) -> usize {
        if self.whole.contains(&at) { self.whole.end - at - 1 } else { 0 }
    }

    /// Whether no window reaches over the ends of the last axis.
    pub(super) fn is_inside(&self) -> bool {
        self.whole == (0..self.output[2])
    }

    /// Whether each window is one place, the output's own.
    pub(super) fn is_the_same(&self) -> bool {
        self.taps() == 1
            && self.strides == [1; 3]
            && self.before == [0; 3]
            && self.input == self.output
    }

    /// Images and outputs of windows over the last two axes.
    pub(super) fn frame(&self) -> Frame {
        let two = |v: [usize; 3]| [v[1], v[2]];
        Frame { input: two(self.input), output: two(self.output), before: two(self.before) }
    }

    /// The same windows over a copy of `x` with zeros at the ends of the last axis.
    pub(super) fn copy_with_borders(&self, x: &[f32], channels: usize, to: &mut Vec<f32>) -> Self {
        let [before, n] = [self.before[2], self.input[2]];
        let last = self.output[2].saturating_sub(1) * self.strides[2];
        let reach = self.size[2].saturating_sub(1) * self.dilation[2] + 1;
        let wide = (last + reach).max(before + n);
        to.clear();
        for row in x.chunks_exact((n * channels).max(1)) {
            to.resize(to.len() + before * channels, 0.0);
            to.extend_from_slice(row);
            to.resize(to.len() + (wide - before - n) * channels, 0.0);
        }
        let mut cube = self.clone();
        (cube.before[2], cube.input[2]) = (0, wide);
        cube.find_inside()
    }

    /// The windows as if their elements along the last axis were one.
    pub(super) fn one_piece(&self) -> Self {
        let size = [self.size[0], self.size[1], 1];
        Self { size, ..self.clone() }.find_inside()
    }

    /// Calls `f(outputs, taps)` for neighbouring outputs of a row, counted over all samples, whose
    /// windows have the same elements: position and number of each for the first of them.
    pub(super) fn each_run(
        &self,
        row: usize,
        mut f: impl FnMut(std::ops::Range<usize>, &mut [(usize, usize)]),
    ) {
        let mut taps = TAPS.take();
        let width = self.output[2];
        let rows = self.output[0] * self.output[1];
        let start = row / rows * self.input.iter().product::<usize>();
        let place = row % rows * width;
        let mut first = 0;
        while first < width {
            let end = first + 1 + self.followers(first);
            taps.clear();
            self.each(place + first, |tap, position| taps.push((start + position, tap)));
            f(first..end, &mut taps);
            first = end;
        }
        TAPS.set(taps);
    }

    /// Calls `f(tap, position)` for each element of the window of `place` that is inside the input.
    pub(super) fn each(&self, place: usize, mut f: impl FnMut(usize, usize)) {
        let [a, b, c] = self.split(place);
        let [_, kb, kc] = self.size;
        let [_, nb, nc] = self.input;
        let (ra, ia) = self.inside(0, a);
        let (rb, ib) = self.inside(1, b);
        let (rc, ic) = self.inside(2, c);
        for (i, ka) in ra.enumerate() {
            let pa = ia + i * self.dilation[0];
            for (j, kb_) in rb.clone().enumerate() {
                let pb = pa * nb + ib + j * self.dilation[1];
                for (k, kc_) in rc.clone().enumerate() {
                    let tap = (ka * kb + kb_) * kc + kc_;
                    f(tap, pb * nc + ic + k * self.dilation[2]);
                }
            }
        }
    }
}
