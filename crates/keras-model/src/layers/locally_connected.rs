//! What `LocallyConnected1D` and `LocallyConnected2D` share.
//! Source: `tf_keras/src/layers/locally_connected`, 2.21; gone in Keras 3.

use serde::{Deserialize, Serialize};

use super::arrays::KernelAndBias;
use super::conv::one;
use super::spatial::{DataFormat, Padding, Sizes, Window, channels};
use super::{LayerConfig, Today, yes};
use crate::activations::Activation;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, KerasTensor, Result, Shape};

/// A convolution over `RANK` spatial axes with a kernel of its own at each place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocallyConnected<const RANK: usize> {
    /// Number of output channels.
    pub filters: usize,
    /// Lengths of the window.
    pub kernel_size: Sizes<RANK>,
    /// Steps between windows.
    #[serde(default = "Sizes::ones")]
    pub strides: Sizes<RANK>,
    /// What happens at the edges.
    #[serde(default)]
    pub padding: Padding,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// Applied to each element; `linear` by default.
    #[serde(default)]
    pub activation: Activation,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub use_bias: bool,
    /// How kernel and bias start, and what training does to them.
    #[serde(flatten)]
    pub arrays: KernelAndBias,
    /// How the kernels are kept: 1 place by place, 2 as a dense matrix with zeros, 3 as the
    /// elements of that which are not zero.
    #[serde(default = "one")]
    pub implementation: usize,
}

impl<const RANK: usize> LocallyConnected<RANK> {
    fn window(&self) -> Window<'_> {
        Window {
            size: &self.kernel_size.0,
            strides: &self.strides.0,
            dilation: &[1; RANK],
            padding: self.padding,
            data_format: self.data_format,
        }
    }

    /// How many pairs of an input and an output place lie in one window.
    fn connections(&self, call: &Call<'_>, input: &[usize], output: &[usize]) -> Result<usize> {
        let axes = input.iter().zip(output).zip(self.kernel_size.0).zip(self.strides.0);
        let along = axes.map(|(((n, places), size), stride)| {
            // With `same` a window lies around `place · stride`, which is not where TensorFlow has
            // it; what hangs over the edges is cut off.
            let left = if self.padding == Padding::Same { size >> 1 } else { 0 };
            connections(*n, *places, stride, [left, size.saturating_sub(left)])
        });
        let along: Option<Vec<usize>> = along.collect();
        call.product(along.ok_or_else(|| call.error("sizes multiply past what fits in memory"))?)
    }
}

/// `Σ min(n, p · stride + right) - max(0, p · stride - left)` over all places `p`.
fn connections(n: usize, places: usize, stride: usize, [left, right]: [usize; 2]) -> Option<usize> {
    let wide = |n: usize| u128::try_from(n).ok();
    let (n, places, stride) = (wide(n)?, wide(places)?, wide(stride)?);
    let (left, right) = (wide(left)?, wide(right)?);
    // `Σ p · stride` over the first `count` places.
    let steps = |count: u128| {
        let pairs = count.checked_mul(count.saturating_sub(1))?.checked_div(2)?;
        pairs.checked_mul(stride)
    };
    // Windows that end inside, and those that start at the edge or before it.
    let inside = n.checked_sub(right).and_then(|room| room.checked_div(stride)?.checked_add(1));
    let inside = inside.unwrap_or(0).min(places);
    let at_edge = left.checked_div(stride)?.checked_add(1)?.min(places);
    let ends = steps(inside)?
        .checked_add(right.checked_mul(inside)?)?
        .checked_add(places.checked_sub(inside)?.checked_mul(n)?)?;
    let starts = steps(places)?
        .checked_sub(steps(at_edge)?)?
        .checked_sub(left.checked_mul(places.checked_sub(at_edge)?)?)?;
    usize::try_from(ends.checked_sub(starts)?).ok()
}

impl<const RANK: usize> LayerConfig for LocallyConnected<RANK> {
    /// `[batch, .., channels]` to `[batch, windows.., filters]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        Ok(call.output(self.window().output(call, Some(self.filters))?))
    }

    /// `kernel [places, window · channels, filters]` (with `implementation` 2
    /// `[input.., channels, output.., filters]`, with 3 `[connections · channels · filters]`),
    /// `bias [output.., filters]`.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let channels = channels(call, self.data_format, RANK)?;
        let known = |shape: &Shape| {
            let dims = self.data_format.spatial(shape).to_vec();
            Shape(dims).known().ok_or_else(|| call.error("the spatial axes must be known"))
        };
        let output = self.window().output(call, Some(self.filters))?;
        let (input, output) = (known(call.shape()?)?, known(&output)?);
        let join = |spatial: &[usize], n: usize| match self.data_format {
            DataFormat::ChannelsLast => [spatial, &[n]].concat(),
            DataFormat::ChannelsFirst => [&[n], spatial].concat(),
        };
        let kernel = match self.implementation {
            1 => {
                let window = call.product(self.kernel_size.0)?;
                let places = call.product(output.iter().copied())?;
                vec![places, call.product([window, channels])?, self.filters]
            }
            2 => [join(&input, channels), join(&output, self.filters)].concat(),
            3 => {
                let connections = self.connections(call, &input, &output)?;
                vec![call.product([connections, channels, self.filters])?]
            }
            n => return Err(call.error(format!("unknown implementation {n}"))),
        };
        let dtype = call.base.dtype.variable;
        let mut own = vec![VariableSpec::new("kernel", kernel, dtype)];
        let bias = [&output[..], &[self.filters]].concat();
        own.extend(self.use_bias.then(|| VariableSpec::new("bias", bias, dtype)));
        Ok(Variables::of(own))
    }

    fn today(&self) -> Today {
        Today::CLASS
    }
}
