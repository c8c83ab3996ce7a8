//! Shapes of symbolic tensors.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Length of one axis; `None` where only the data will tell (batch, variable length).
pub type Dim = Option<usize>;

/// The shape of a symbolic tensor, outermost axis first: `(None, 28, 28, 1)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(pub Vec<Dim>);

impl Shape {
    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The axes, outermost first.
    pub fn dims(&self) -> &[Dim] {
        &self.0
    }

    /// Length of the axis; negative numbers count from the end, as in Python.
    /// `None` if there is no such axis, `Some(None)` if its length is not known.
    pub fn dim(&self, axis: i64) -> Option<Dim> {
        self.0.get(self.axis(axis)?).copied()
    }

    /// The axis counted from the front, for an axis that may count from the end.
    pub fn axis(&self, axis: i64) -> Option<usize> {
        let rank = i64::try_from(self.rank()).ok()?;
        let axis = if axis < 0 { axis.checked_add(rank)? } else { axis };
        usize::try_from(axis).ok().filter(|a| *a < self.rank())
    }

    /// The same shape with another length on one axis; unchanged if there is no such axis.
    #[must_use]
    pub fn with_dim(&self, axis: i64, dim: impl Into<Dim>) -> Self {
        let mut dims = self.0.clone();
        if let Some(d) = self.axis(axis).and_then(|a| dims.get_mut(a)) {
            *d = dim.into();
        }
        Self(dims)
    }

    /// The same shape with another length on the last axis.
    #[must_use]
    pub fn with_last(&self, dim: impl Into<Dim>) -> Self {
        self.with_dim(-1, dim)
    }

    /// The shape without the axis; unchanged if there is no such axis.
    #[must_use]
    pub fn without(&self, axis: i64) -> Self {
        let mut dims = self.0.clone();
        if let Some(a) = self.axis(axis) {
            dims.remove(a);
        }
        Self(dims)
    }

    /// All lengths, if all are known.
    pub fn known(&self) -> Option<Vec<usize>> {
        self.0.iter().copied().collect()
    }

    /// Whether both can be the shape of one tensor: equal where both lengths are known.
    pub fn is_compatible(&self, other: &Self) -> bool {
        self.rank() == other.rank()
            && self.0.iter().zip(&other.0).all(|(a, b)| a.is_none() || b.is_none() || a == b)
    }
}

impl From<Vec<Dim>> for Shape {
    fn from(dims: Vec<Dim>) -> Self {
        Self(dims)
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Self(dims.iter().copied().map(Some).collect())
    }
}

impl<const N: usize> From<[Dim; N]> for Shape {
    fn from(dims: [Dim; N]) -> Self {
        Self(dims.to_vec())
    }
}

/// As Python prints a tuple: `(None, 10)`, `(3,)`, `()`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (i, dim) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            match dim {
                Some(n) => write!(f, "{n}")?,
                None => f.write_str("None")?,
            }
        }
        f.write_str(if self.rank() == 1 { ",)" } else { ")" })
    }
}

#[test]
fn prints_like_a_tuple() {
    let print = |dims: &[Dim]| Shape(dims.to_vec()).to_string();
    assert_eq!(print(&[]), "()");
    assert_eq!(print(&[None]), "(None,)");
    assert_eq!(print(&[None, Some(3)]), "(None, 3)");
}

#[test]
fn axes_count_from_both_ends() {
    let shape = Shape::from([None, Some(4), Some(5)]);
    assert_eq!(shape.dim(-1), Some(Some(5)));
    assert_eq!(shape.dim(0), Some(None));
    assert_eq!(shape.dim(3), None);
    assert_eq!(shape.dim(i64::MIN), None);
    assert_eq!(shape.with_last(7).to_string(), "(None, 4, 7)");
}
