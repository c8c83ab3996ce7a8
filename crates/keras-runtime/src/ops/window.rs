//! Windows that slide along spatial axes: convolutions and pooling.

use crate::{Error, Result};

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
        let before: Vec<usize> = self.borders.iter().map(|b| b.0).collect();
        Cube {
            size: three(&self.size, 1),
            strides: three(&self.strides, 1),
            dilation: three(&self.dilation, 1),
            before: three(&before, 0),
            input: three(spatial, 1),
            output: three(output, 1),
        }
    }
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
