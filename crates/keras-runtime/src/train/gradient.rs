//! The gradient of a weight, as an optimizer takes it.

use super::floats;
use crate::{Result, Tensor};

/// What an optimizer needs of the gradient of a table whose rows are looked up. TensorFlow has one for
/// each copy of a row (`tf.IndexedSlices`), and Keras squares these before they are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByRows {
    /// The sum of the squares.
    pub(crate) squares: bool,
    /// The sum of the absolute values.
    pub(crate) sizes: bool,
    /// Between what and its opposite they are clipped, each copy for itself; its bits.
    pub(crate) clip: Option<u64>,
}

/// The gradient of a weight.
#[derive(Clone, Debug)]
pub(crate) struct Gradient {
    pub(crate) sum: Tensor,
    /// [`ByRows::squares`], of a table.
    pub(crate) squares: Option<Tensor>,
    /// [`ByRows::sizes`], of a table.
    pub(crate) sizes: Option<Tensor>,
    /// Whether its rows are clipped already.
    pub(crate) is_clipped: bool,
}

impl Gradient {
    /// One that is no table's.
    pub(super) fn of(sum: Tensor) -> Self {
        Self { sum, squares: None, sizes: None, is_clipped: false }
    }

    /// In the type that is computed in.
    pub(super) fn widen(&mut self) -> Result<()> {
        let wide = floats::wide(self.sum.dtype());
        let parts = [Some(&mut self.sum), self.squares.as_mut(), self.sizes.as_mut()];
        for part in parts.into_iter().flatten().filter(|part| part.dtype() != wide) {
            *part = part.cast(wide)?;
        }
        Ok(())
    }

    pub(super) fn divide(&mut self, by: f64) -> Result<()> {
        floats::divide(&mut self.sum, by)?;
        self.squares.as_mut().map_or(Ok(()), |squares| floats::divide(squares, by * by))?;
        self.sizes.as_mut().map_or(Ok(()), |sizes| floats::divide(sizes, by.abs()))
    }

    /// Each element between `-most` and `most`.
    pub(super) fn clip(&mut self, most: f64) -> Result<()> {
        if self.is_clipped { Ok(()) } else { floats::clip(&mut self.sum, most) }
    }

    /// The sum of all squares.
    pub(super) fn squared(&self) -> f64 {
        self.squares.as_ref().map_or_else(|| floats::squares(&self.sum), floats::sum)
    }
}
