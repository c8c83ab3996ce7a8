//! What `UpSampling1D`, `UpSampling2D` and `UpSampling3D` share.
//! Source: `keras/src/layers/reshaping/up_sampling2d.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::spatial::{DataFormat, Sizes};
use super::{LayerConfig, Today};
use crate::{Call, KerasTensor, Result};

/// Repeats or interpolates along `RANK` spatial axes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpSampling<const RANK: usize> {
    /// Factor of each axis.
    #[serde(default = "Sizes::twos", serialize_with = "Sizes::one_or_many")]
    pub size: Sizes<RANK>,
    /// Where the channels are; last with one axis.
    #[serde(default)]
    pub data_format: DataFormat,
    /// How values between are made; other than `nearest` only with two axes.
    #[serde(default)]
    pub interpolation: Interpolation,
}

/// How an image gets another size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are Keras's")]
pub enum Interpolation {
    #[default]
    Nearest,
    Bilinear,
    Bicubic,
    Lanczos3,
    Lanczos5,
    Area,
    Gaussian,
    Mitchellcubic,
}

impl Interpolation {
    /// Keras 3 has fewer.
    pub(super) const fn today(self) -> Today {
        match self {
            Self::Gaussian | Self::Mitchellcubic => Today::Gone("this interpolation"),
            _ => Today::Same,
        }
    }

    /// The default where an image is changed rather than repeated.
    pub(super) const fn bilinear() -> Self {
        Self::Bilinear
    }
}

impl<const RANK: usize> LayerConfig for UpSampling<RANK> {
    /// `[batch, .., channels]` to `[batch, axis · size.., channels]`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let shape = call.shape_of_rank(RANK.saturating_add(2))?;
        let mut dims = shape.0.clone();
        let spatial = dims.iter_mut().skip(self.data_format.spatial_axis());
        for (dim, factor) in spatial.zip(self.size.0) {
            *dim = dim.map(|n| call.product([n, factor])).transpose()?;
        }
        Ok(call.output(crate::Shape(dims)))
    }

    fn today(&self) -> Today {
        self.interpolation.today()
    }
}
