//! What the layers that prepare images share. Source:
//! `keras/src/layers/preprocessing/image_preprocessing/base_image_preprocessing_layer.py`,
//! Keras 3.15.

use serde::{Deserialize, Serialize};

use super::spatial::DataFormat;
use crate::json::Float;
use crate::{Arg, Call, KerasTensor, Result, Shape};

/// The strength of a random change: a bound, or a range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Factor {
    /// One number; the class says what range it stands for.
    One(Float),
    /// From, to.
    Range([Float; 2]),
}

impl Factor {
    /// From, to: in rising order; one number stands for its negative, or `least` if that is more, up to it.
    pub fn range(&self, least: f64) -> [f64; 2] {
        match *self {
            Self::One(Float(to)) => [least.max(-to.abs()), to.abs()],
            Self::Range([Float(from), Float(to)]) => [from.min(to), from.max(to)],
        }
    }

    /// As whole numbers, where Keras computes in those.
    pub(super) fn whole<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_possible_truncation, reason = "a file that says 2.5 bits is wrong")]
        let whole = |float: &Float| float.0 as i64;
        match self {
            Self::One(bits) => whole(bits).serialize(serializer),
            Self::Range(ends) => ends.each_ref().map(whole).serialize(serializer),
        }
    }

    /// From 0 to that.
    pub(super) const fn upper(to: f64) -> Self {
        Self::Range([Float(0.0), Float(to)])
    }
}

/// Smallest and largest value of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ValueRange(pub [Float; 2]);

impl ValueRange {
    /// As it stands in the file.
    pub fn given(&self) -> [f64; 2] {
        self.0.map(|end| end.0)
    }

    /// In rising order, as most layers take it.
    pub fn sorted(&self) -> [f64; 2] {
        let [a, b] = self.given();
        [a.min(b), a.max(b)]
    }
}

/// 0 to 255.
impl Default for ValueRange {
    fn default() -> Self {
        Self([Float(0.0), Float(255.0)])
    }
}

/// Where pixels from outside of an image come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillMode {
    /// A mirror at the edge: `d c b a | a b c d`.
    #[default]
    Reflect,
    /// The other side.
    Wrap,
    /// One value.
    Constant,
    /// The pixel at the edge.
    Nearest,
    /// A mirror in the last pixel: `d c b | a b c d`.
    Mirror,
}

impl FillMode {
    /// Keras's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reflect => "reflect",
            Self::Wrap => "wrap",
            Self::Constant => "constant",
            Self::Nearest => "nearest",
            Self::Mirror => "mirror",
        }
    }

    /// The default of some layers.
    pub(super) const fn constant() -> Self {
        Self::Constant
    }
}

/// The output for one tensor of images, or for a dict with images, boxes, labels and masks, of
/// which only images and masks change their shape.
pub(super) fn output(
    call: &Call<'_>,
    change: impl Fn(&Shape) -> Result<Shape>,
) -> Result<Vec<KerasTensor>> {
    let Some(Arg::Dict(entries)) = call.inputs.args.first() else {
        let shape = call.shape()?;
        if !matches!(shape.rank(), 3 | 4) {
            return Err(call.error(format!("expected images or one image, found shape {shape}")));
        }
        return Ok(call.output(change(shape)?));
    };
    let mut out = Vec::new();
    for (key, value) in sorted(entries) {
        let is_image = matches!(key.as_str(), "images" | "segmentation_masks");
        let mut tensors = Vec::new();
        value.tensors(&mut tensors);
        for tensor in tensors {
            let shape = if is_image { change(&tensor.shape)? } else { tensor.shape.clone() };
            out.push(KerasTensor::new(shape, call.base.dtype.compute));
        }
    }
    Ok(out)
}

/// The entries of a dict in the order in which Keras flattens them.
fn sorted<T>(entries: &[(String, T)]) -> Vec<&(String, T)> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted
}

/// The input's shape and type.
pub(super) fn kept(call: &Call<'_>) -> Result<Vec<KerasTensor>> {
    let input = call.input()?;
    Ok(vec![KerasTensor::new(input.shape.clone(), input.dtype)])
}

/// The input's shape, which must have three channels.
pub(super) fn colour(call: &Call<'_>, format: DataFormat) -> Result<Vec<KerasTensor>> {
    let channels = match format {
        DataFormat::ChannelsLast => -1,
        DataFormat::ChannelsFirst => -3,
    };
    output(call, |shape| match shape.dim(channels).flatten() {
        Some(3) | None => Ok(shape.clone()),
        Some(n) => Err(call.error(format!("expected images with 3 channels, found {n}"))),
    })
}

/// The shape with another number of rows and columns.
pub(super) fn sized(
    call: &Call<'_>,
    shape: &Shape,
    format: DataFormat,
    height: usize,
    width: usize,
) -> Result<Shape> {
    if !matches!(shape.rank(), 3 | 4) {
        return Err(call.error(format!("expected images or one image, found shape {shape}")));
    }
    let [rows, columns] = match format {
        DataFormat::ChannelsLast => [-3, -2],
        DataFormat::ChannelsFirst => [-2, -1],
    };
    Ok(shape.with_dim(rows, height).with_dim(columns, width))
}

/// The input dict with `number` boxes and labels for each image.
pub(super) fn boxes(call: &Call<'_>, number: usize) -> Result<Vec<KerasTensor>> {
    let Some(Arg::Dict(entries)) = call.inputs.args.first() else { return call.same() };
    let mut out = Vec::new();
    for (key, value) in sorted(entries) {
        let mut tensors = Vec::new();
        value.tensors(&mut tensors);
        for tensor in tensors {
            let shape = match key.as_str() {
                "bounding_boxes" => tensor.shape.with_dim(1, number),
                _ => tensor.shape.clone(),
            };
            out.push(KerasTensor::new(shape, call.base.dtype.compute));
        }
    }
    Ok(out)
}
