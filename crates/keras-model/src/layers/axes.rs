//! Axes in configs: one number or several.

use serde::{Deserialize, Serialize};

use crate::{Call, Dim, Result, Shape};

/// One axis or several; negative numbers count from the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Axes {
    /// One.
    One(i64),
    /// Several.
    Many(Vec<i64>),
}

/// The last axis: Keras's usual default.
pub(super) const fn last() -> Axes {
    Axes::One(-1)
}

impl Axes {
    /// As they stand in the file.
    pub fn list(&self) -> &[i64] {
        match self {
            Self::One(axis) => std::slice::from_ref(axis),
            Self::Many(axes) => axes,
        }
    }

    /// Counted from the front, in the order of the file.
    pub(super) fn of(&self, call: &Call<'_>) -> Result<Vec<usize>> {
        let shape = call.shape()?;
        let one = |axis: &i64| {
            shape.axis(*axis).ok_or_else(|| call.error(format!("shape {shape} has no axis {axis}")))
        };
        self.list().iter().map(one).collect()
    }

    /// The lengths of these axes in the order in which a weight has them; all must be known.
    pub(super) fn lengths(&self, call: &Call<'_>) -> Result<Vec<usize>> {
        let mut axes = self.list().to_vec();
        axes.sort_unstable();
        axes.into_iter().map(|axis| call.known_dim(axis)).collect()
    }
}

/// The product of the lengths; `None` if one is not known.
pub(super) fn size(call: &Call<'_>, dims: &[Dim]) -> Result<Dim> {
    Shape(dims.to_vec()).known().map(|known| call.product(known)).transpose()
}
