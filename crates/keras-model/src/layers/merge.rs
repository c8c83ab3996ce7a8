//! `Merge`. Source: `keras/engine/topology.py`, Keras 1.2.2; gone in Keras 3.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::concatenate::Concatenate;
use super::dot::{Dot, DotAxes, product};
use super::merging::Elementwise;
use super::{Kind, LayerConfig, Mask, Today};
use crate::{Call, Dim, KerasTensor, Result, Shape};

/// Joins a list of tensors in one of several ways. Its rule for masks is not that of the layers
/// which took its place: inputs without a mask do not count, a step must be in all masks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// How.
    #[serde(default)]
    pub mode: MergeBy,
    /// The axis that grows with `concat`.
    #[serde(default = "minus_one")]
    pub concat_axis: i64,
    /// The axes that `dot` and `cos` sum over.
    #[serde(default = "last")]
    pub dot_axes: DotAxes,
    /// Shape of a function's result without the batch, or a function that gives it.
    #[serde(default)]
    pub output_shape: Option<Value>,
    /// Mask of a function's result.
    #[serde(default)]
    pub output_mask: Option<Value>,
    /// Further arguments of a function.
    #[serde(default)]
    pub arguments: Option<Value>,
}

const fn minus_one() -> i64 {
    -1
}

const fn last() -> DotAxes {
    DotAxes::Same(-1)
}

/// How tensors become one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MergeBy {
    /// By a rule of Keras's.
    Rule(MergeRule),
    /// By a function of the author's: its name or its code.
    Function(Value),
}

/// The sum.
impl Default for MergeBy {
    fn default() -> Self {
        Self::Rule(MergeRule::Sum)
    }
}

/// Keras's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeRule {
    /// The sum of the elements.
    Sum,
    /// Their product.
    Mul,
    /// Their mean.
    Ave,
    /// The largest.
    Max,
    /// One after the other along `concat_axis`.
    Concat,
    /// The product of two, summed over `dot_axes`.
    Dot,
    /// The same divided by the square root of the products of each with itself, with a new axis 1.
    Cos,
}

impl LayerConfig for Merge {
    /// The first input's shape, for `concat` with the sum of the lengths on `concat_axis`;
    /// `[batch, ..a, ..b]` for `dot`; what a function gives only `output_shape` can tell.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let first = call.shape()?;
        let rule = match &self.mode {
            MergeBy::Rule(rule) => *rule,
            MergeBy::Function(_) => return self.declared(call),
        };
        Ok(call.output(match rule {
            MergeRule::Concat => {
                let concatenate = Concatenate { axis: self.concat_axis };
                return concatenate.output(call);
            }
            MergeRule::Dot | MergeRule::Cos => {
                let [a, b] = call.tensors() else {
                    return Err(call.error("dot and cos take two inputs"));
                };
                let mut shape = product(call, &a.shape, &b.shape, self.dot_axes)?;
                if rule == MergeRule::Cos {
                    shape.0.insert(1.min(shape.rank()), Some(1));
                }
                shape
            }
            MergeRule::Sum | MergeRule::Mul | MergeRule::Ave | MergeRule::Max => {
                if let Some(other) = call.tensors().iter().find(|t| !t.shape.is_compatible(first)) {
                    let other = &other.shape;
                    return Err(call.error(format!("inputs {first} and {other} differ")));
                }
                first.clone()
            }
        }))
    }

    fn mask(&self) -> Mask {
        match self.mode {
            MergeBy::Rule(MergeRule::Dot | MergeRule::Cos) => Mask::Drops,
            MergeBy::Rule(_) => Mask::Merges,
            MergeBy::Function(_) if self.output_mask.is_some() => Mask::Creates,
            MergeBy::Function(_) => Mask::Drops,
        }
    }

    /// The layer that does the same, but for masks: of inputs that have none.
    fn today(&self) -> Today {
        let MergeBy::Rule(rule) = self.mode else { return Today::Gone("a function as mode") };
        let elementwise = || Box::new(Elementwise {});
        Today::As(match rule {
            MergeRule::Sum => Kind::Add(elementwise()),
            MergeRule::Mul => Kind::Multiply(elementwise()),
            MergeRule::Ave => Kind::Average(elementwise()),
            MergeRule::Max => Kind::Maximum(elementwise()),
            MergeRule::Concat => {
                Kind::Concatenate(Box::new(Concatenate { axis: self.concat_axis }))
            }
            MergeRule::Dot => Kind::Dot(Box::new(Dot { axes: self.dot_axes, normalize: false })),
            MergeRule::Cos => return Today::Gone("mode cos"),
        })
    }
}

impl Merge {
    /// The shape that the file gives for a function's result.
    fn declared(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        let batch = call.shape()?.dim(0).flatten();
        let length = |item: &Value| match item {
            Value::Null => Some(None),
            item => item.as_u64().and_then(|n| usize::try_from(n).ok()).map(Some),
        };
        let items = self.output_shape.as_ref().and_then(Value::as_array);
        let dims: Option<Vec<Dim>> = items.and_then(|items| items.iter().map(length).collect());
        let dims = dims.ok_or_else(|| crate::Error::NoShape {
            layer: call.base.name.clone(),
            class: call.base.class.clone(),
        })?;
        Ok(call.output(Shape(std::iter::once(batch).chain(dims).collect())))
    }
}
