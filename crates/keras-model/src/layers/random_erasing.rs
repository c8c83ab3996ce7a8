//! `RandomErasing`. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/random_erasing.py`, Keras 3.15.

use serde::{Deserialize, Serialize};

use super::LayerConfig;
use super::image::{Factor, ValueRange};
use super::spatial::DataFormat;
use crate::json::Float;
use crate::{Call, KerasTensor, Result};

/// Paints over a rectangle, while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomErasing {
    /// Share of the images.
    #[serde(default = "one")]
    pub factor: Factor,
    /// Size of the rectangle as a share of the image.
    #[serde(default = "scale")]
    pub scale: Factor,
    /// The paint; noise by default.
    #[serde(default)]
    pub fill_value: Option<Float>,
    /// Smallest and largest value of a pixel.
    #[serde(default)]
    pub value_range: ValueRange,
    /// Seed of the noise.
    #[serde(default)]
    pub seed: Option<serde_json::Value>,
    /// Where the channels are.
    #[serde(default)]
    pub data_format: DataFormat,
    /// How boxes are given, if there are any.
    #[serde(default)]
    pub bounding_box_format: Option<String>,
}

const fn one() -> Factor {
    Factor::upper(1.0)
}

const fn scale() -> Factor {
    Factor::Range([Float(0.02), Float(0.33)])
}

impl LayerConfig for RandomErasing {
    /// Images `[batch, rows, columns, channels]` (or one image) of the input's shape.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        super::image::output(call, |shape| Ok(shape.clone()))
    }
}
