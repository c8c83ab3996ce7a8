//! Shape arithmetic along spatial axes: convolutions, pooling, padding.
//! Source: `keras/src/ops/operation_utils.py`, Keras 3.15.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::Today;
use crate::{Call, Dim, Result, Shape};

/// Where the channel axis is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "Option<String>")]
pub enum DataFormat {
    /// `[batch, .., channels]`.
    #[default]
    ChannelsLast,
    /// `[batch, channels, ..]`.
    ChannelsFirst,
}

/// `null` and a missing key mean Keras's default.
impl TryFrom<Option<String>> for DataFormat {
    type Error = String;

    fn try_from(name: Option<String>) -> Result<Self, String> {
        match name.as_deref() {
            None | Some("channels_last") => Ok(Self::ChannelsLast),
            Some("channels_first") => Ok(Self::ChannelsFirst),
            Some(other) => {
                Err(format!("unknown data_format {other:?}; channels_last or channels_first"))
            }
        }
    }
}

impl DataFormat {
    /// The axis of the channels.
    pub const fn channel_axis(self) -> i64 {
        match self {
            Self::ChannelsLast => -1,
            Self::ChannelsFirst => 1,
        }
    }

    /// The first spatial axis.
    pub const fn spatial_axis(self) -> usize {
        match self {
            Self::ChannelsLast => 1,
            Self::ChannelsFirst => 2,
        }
    }

    /// The axes between batch and channels.
    pub fn spatial(self, shape: &Shape) -> &[Dim] {
        let end = match self {
            Self::ChannelsLast => shape.rank().saturating_sub(1),
            Self::ChannelsFirst => shape.rank(),
        };
        shape.dims().get(self.spatial_axis()..end).unwrap_or_default()
    }

    /// The shape with these parts.
    pub fn shape(self, batch: Dim, spatial: impl IntoIterator<Item = Dim>, channels: Dim) -> Shape {
        let mut dims = vec![batch];
        if self == Self::ChannelsFirst {
            dims.push(channels);
        }
        dims.extend(spatial);
        if self == Self::ChannelsLast {
            dims.push(channels);
        }
        Shape(dims)
    }
}

/// What happens at the edges of a window's range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Windows stay inside the input.
    #[default]
    Valid,
    /// As many windows as fit with zeros on both sides.
    Same,
    /// Zeros before the start only: no window looks ahead.
    Causal,
    /// Every window that touches the input: Keras 1 on Theano.
    Full,
}

impl Padding {
    /// Keras 3 has no `full`.
    pub(super) const fn today(self) -> Today {
        if matches!(self, Self::Full) { Today::Gone("border_mode full") } else { Today::Same }
    }
}

/// One number per spatial axis; a single number in the file stands for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes<const RANK: usize>(pub [usize; RANK]);

impl<const RANK: usize> Sizes<RANK> {
    /// One on each axis.
    pub const fn ones() -> Self {
        Self([1; RANK])
    }

    /// As a number if there is one: some layers take no list then.
    pub(super) fn one_or_many<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }

    /// Two on each axis: the default of pooling and upsampling.
    pub const fn twos() -> Self {
        Self([2; RANK])
    }
}

impl<'de, const RANK: usize> Deserialize<'de> for Sizes<RANK> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let number = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok());
        let sizes = match &value {
            Value::Array(items) if items.len() == RANK => items.iter().map(number).collect(),
            Value::Array(items) if items.len() == 1 => {
                items.first().and_then(number).map(|n| vec![n; RANK])
            }
            other => number(other).map(|n| vec![n; RANK]),
        };
        let sizes: Option<[usize; RANK]> = sizes.and_then(|s: Vec<usize>| s.try_into().ok());
        sizes.map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("expected {RANK} sizes or one, found {value}"))
        })
    }
}

impl<const RANK: usize> Serialize for Sizes<RANK> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0[..].serialize(serializer)
    }
}

/// A window that slides over the spatial axes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    pub(crate) size: &'a [usize],
    pub(crate) strides: &'a [usize],
    pub(crate) dilation: &'a [usize],
    pub(crate) padding: Padding,
    pub(crate) data_format: DataFormat,
}

impl Window<'_> {
    /// `[batch, .., channels]` to `[batch, windows.., channels]`; `channels` are the output's.
    pub(crate) fn output(&self, call: &Call<'_>, channels: Dim) -> Result<Shape> {
        let rank = self.size.len();
        let shape = call.shape_of_rank(rank.saturating_add(2))?;
        let mut spatial = Vec::with_capacity(rank);
        let axes = self.size.iter().zip(self.strides).zip(self.dilation);
        for (dim, ((size, stride), dilation)) in self.data_format.spatial(shape).iter().zip(axes) {
            spatial.push(self.count(call, *dim, *size, *stride, *dilation)?);
        }
        Ok(self.data_format.shape(shape.dim(0).flatten(), spatial, channels))
    }

    /// How many windows fit along one axis.
    fn count(
        &self,
        call: &Call<'_>,
        dim: Dim,
        size: usize,
        stride: usize,
        dilation: usize,
    ) -> Result<Dim> {
        if size == 0 || stride == 0 || dilation == 0 {
            return Err(call.error("window sizes, strides and dilation rates must not be 0"));
        }
        let reach = reach(call, size, dilation)?;
        let Some(n) = dim else { return Ok(None) };
        let starts = match self.padding {
            Padding::Valid => (n >= reach).then(|| n.saturating_sub(reach)).ok_or_else(|| {
                call.error(format!("a window of {reach} does not fit into an axis of {n}"))
            })?,
            Padding::Same | Padding::Causal => match n.checked_sub(1) {
                Some(last) => last,
                None => return Ok(Some(0)),
            },
            Padding::Full => call.sum([n, reach])?.saturating_sub(2),
        };
        let steps = starts.checked_div(stride).unwrap_or(0);
        Ok(Some(call.sum([steps, 1])?))
    }
}

/// How many elements a dilated window spans.
pub(crate) fn reach(call: &Call<'_>, size: usize, dilation: usize) -> Result<usize> {
    let gaps = call.product([size.saturating_sub(1), dilation])?;
    call.sum([gaps, 1])
}

/// The channels of the first tensor, which must be known.
pub(crate) fn channels(call: &Call<'_>, format: DataFormat, rank: usize) -> Result<usize> {
    call.shape_of_rank(rank.saturating_add(2))?;
    call.known_dim(format.channel_axis())
}

/// Elements before and after each spatial axis: `((top, bottom), (left, right))`. In the file also
/// one number for all, or one number per axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Borders<const RANK: usize>(
    #[serde(serialize_with = "serialize_borders")] pub [(usize, usize); RANK],
);

fn serialize_borders<S: serde::Serializer, const RANK: usize>(
    borders: &[(usize, usize); RANK],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match &borders[..] {
        // With one axis Keras takes the pair itself.
        [pair] => pair.serialize(serializer),
        pairs => pairs.serialize(serializer),
    }
}

impl<const RANK: usize> Borders<RANK> {
    /// One element at every border.
    pub const fn ones() -> Self {
        Self([(1, 1); RANK])
    }

    /// The shape with `change` applied to the length of each spatial axis and its two borders.
    pub(crate) fn apply(
        &self,
        call: &Call<'_>,
        format: DataFormat,
        change: impl Fn(usize, (usize, usize)) -> Result<usize>,
    ) -> Result<Shape> {
        let shape = call.shape_of_rank(RANK.saturating_add(2))?;
        let mut dims = shape.0.clone();
        for (dim, border) in dims.iter_mut().skip(format.spatial_axis()).zip(self.0) {
            *dim = dim.map(|n| change(n, border)).transpose()?;
        }
        Ok(Shape(dims))
    }
}

impl<'de, const RANK: usize> Deserialize<'de> for Borders<RANK> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let number = |v: &Value| v.as_u64().and_then(|n| usize::try_from(n).ok());
        let pair = |v: &Value| match v {
            Value::Array(items) => match items.as_slice() {
                [a, b] => Some((number(a)?, number(b)?)),
                _ => None,
            },
            v => number(v).map(|n| (n, n)),
        };
        let borders: Option<Vec<_>> = match &value {
            // With one axis `[1, 2]` is the pair itself.
            Value::Array(items) if RANK == 1 && !items.iter().any(Value::is_array) => {
                pair(&value).map(|p| vec![p])
            }
            Value::Array(items) => items.iter().map(pair).collect(),
            other => pair(other).map(|p| vec![p; RANK]),
        };
        let borders: Option<[(usize, usize); RANK]> = borders.and_then(|b| b.try_into().ok());
        borders.map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!("expected borders of {RANK} axes, found {value}"))
        })
    }
}

#[test]
fn sizes_and_borders_from_any_spelling() {
    let sizes = |json| serde_json::from_str::<Sizes<2>>(json).map(|s| s.0).ok();
    assert_eq!(sizes("3"), Some([3, 3]));
    assert_eq!(sizes("[3, 4]"), Some([3, 4]));
    assert_eq!(sizes("[1, 2, 3]"), None);
    assert_eq!(sizes("-1"), None);
    let borders = |json| serde_json::from_str::<Borders<2>>(json).map(|b| b.0).ok();
    assert_eq!(borders("2"), Some([(2, 2), (2, 2)]));
    assert_eq!(borders("[1, 2]"), Some([(1, 1), (2, 2)]));
    assert_eq!(borders("[[1, 2], [3, 4]]"), Some([(1, 2), (3, 4)]));
    assert_eq!(serde_json::from_str::<Borders<1>>("[1, 2]").unwrap().0, [(1, 2)]);
    assert!(serde_json::from_str::<DataFormat>(r#""th""#).is_err());
}
