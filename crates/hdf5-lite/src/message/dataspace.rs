//! Dataspace message: HDF5 File Format Specification 3.0, IV.A.2.b.

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::{cond, map_opt, verify};
use nom::multi::count;
use nom::number::complete::le_u8;

use super::Message;
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Context, Parsed, Structure, field, malformed, version};

/// `H5S_MAX_RANK` of the C library; the byte could say 255.
const MAX_RANK: u8 = 32;

/// The extent of a dataset or an attribute.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// let space = file.dataset("grid")?.dataspace().clone();
/// assert_eq!((space.dims, space.max_dims), (vec![4, 6], vec![Some(4), Some(6)]));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataspace {
    /// Whether there are axes, one element without axes, or no element at all.
    pub class: Class,
    /// The length of each axis, slowest first.
    pub dims: Vec<u64>,
    /// The length that each axis may grow to, `None` for any. Empty: the axes cannot grow.
    pub max_dims: Vec<Option<u64>>,
}

/// Class of a dataspace ("Type").
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// use hdf5_lite::SpaceClass;
/// assert_eq!(file.dataset("inner/deep/pi")?.dataspace().class, SpaceClass::Scalar);
/// assert_eq!(file.dataset("grid")?.dataspace().class, SpaceClass::Simple);
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// One element, no axes.
    Scalar,
    /// Axes.
    Simple,
    /// No elements.
    Null,
}

impl Dataspace {
    /// One element without axes.
    ///
    /// ```
    /// assert_eq!(hdf5_lite::Dataspace::scalar().elements(), Some(1));
    /// ```
    pub fn scalar() -> Self {
        Self { class: Class::Scalar, dims: Vec::new(), max_dims: Vec::new() }
    }

    /// With axes that may grow, to a length or, `None`, without end.
    ///
    /// ```
    /// use hdf5_lite::Dataspace;
    /// let space = Dataspace::from([0, 3]).growing([None, Some(3)]);
    /// assert_eq!(space.max_dims, [None, Some(3)]);
    /// ```
    #[must_use]
    pub fn growing(self, max_dims: impl Into<Vec<Option<u64>>>) -> Self {
        Self { max_dims: max_dims.into(), ..self }
    }

    /// The number of elements; `None` if 64 bits cannot say it.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert_eq!(file.dataset("grid")?.dataspace().elements(), Some(24));
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn elements(&self) -> Option<u64> {
        match self.class {
            Class::Null => Some(0),
            Class::Scalar => Some(1),
            Class::Simple if self.dims.contains(&0) => Some(0),
            Class::Simple => self.dims.iter().try_fold(1_u64, |n, dim| n.checked_mul(*dim)),
        }
    }
}

impl From<Vec<u64>> for Dataspace {
    /// Axes of these lengths; a scalar if there are none.
    fn from(dims: Vec<u64>) -> Self {
        let class = if dims.is_empty() { Class::Scalar } else { Class::Simple };
        Self { class, dims, max_dims: Vec::new() }
    }
}

impl From<&[u64]> for Dataspace {
    fn from(dims: &[u64]) -> Self {
        dims.to_vec().into()
    }
}

impl<const N: usize> From<[u64; N]> for Dataspace {
    fn from(dims: [u64; N]) -> Self {
        dims.to_vec().into()
    }
}

impl Message for Dataspace {
    const ID: u16 = 0x0001;
}

impl Structure for Dataspace {
    const NAME: &'static str = "Dataspace";
    const SPEC: &'static str = "IV.A.2.b";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, version) = version(1..=2).parse(i)?;
        let (i, rank) = field("rank", verify(le_u8, |rank| *rank <= MAX_RANK)).parse(i)?;
        let (i, flags) = field("flags", le_u8).parse(i)?;
        // Version 1 has five reserved bytes where version 2 has the class.
        let (i, class) = match version {
            1 => field("reserved", take(5_usize)).map(|_| Class::of_rank(rank)).parse(i)?,
            _ => field("class", map_opt(le_u8, Class::from_byte)).parse(i)?,
        };
        if (class == Class::Simple) != (rank > 0) {
            return malformed(i, "rank for this class");
        }
        let axes = usize::from(rank);
        let (i, dims) = field("dims", count(|i| cx.sizes.length(i), axes)).parse(i)?;
        let max = count(|i| cx.sizes.limited_length(i), axes);
        let (i, max_dims) = field("max dims", cond(flags & 1 != 0, max)).parse(i)?;
        // The permutation indices of version 1 (flag bit 1) were never written.
        Ok((i, Self { class, dims, max_dims: max_dims.unwrap_or_default() }))
    }
}

impl Write for Dataspace {
    /// Version 2: version 1 cannot say that there are no elements.
    fn write(&self, out: &mut Out) -> Result<()> {
        let rank = u8::try_from(self.dims.len()).ok().filter(|rank| *rank <= MAX_RANK);
        let rank = rank.ok_or_else(|| Self::too_large("rank", self.dims.len() as u64))?;
        out.u8(2);
        out.u8(rank);
        out.u8(u8::from(!self.max_dims.is_empty()));
        out.u8(self.class.to_byte());
        self.dims.iter().for_each(|dim| out.length(*dim));
        self.max_dims.iter().for_each(|dim| out.length(dim.unwrap_or(u64::MAX)));
        Ok(())
    }
}

impl Class {
    fn of_rank(rank: u8) -> Self {
        if rank == 0 { Self::Scalar } else { Self::Simple }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Scalar,
            1 => Self::Simple,
            2 => Self::Null,
            _ => return None,
        })
    }

    fn to_byte(self) -> u8 {
        match self {
            Self::Scalar => 0,
            Self::Simple => 1,
            Self::Null => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::testing::build;

    #[test]
    fn versions_1_and_2() {
        let old = build().u8(1).u8(2).u8(1).zeros(5).u64(3).u64(4).u64(3).undefined();
        let new = build().u8(2).u8(2).u8(1).u8(1).u64(3).u64(4).u64(3).undefined();
        for message in [old, new.clone()] {
            let space: Dataspace = message.read().unwrap();
            assert_eq!((space.class, &space.dims[..]), (Class::Simple, &[3, 4][..]));
            assert_eq!(space.max_dims, [Some(3), None]);
            assert_eq!(space.elements(), Some(12));
            message.assert_needs_all::<Dataspace>();
            assert_eq!(space.to_bytes().unwrap(), new.block().data);
        }
        let scalar: Dataspace = build().u8(1).zeros(7).read().unwrap();
        assert_eq!((scalar.class, scalar.elements()), (Class::Scalar, Some(1)));
        let null: Dataspace = build().u8(2).u8(0).u8(0).u8(2).read().unwrap();
        assert_eq!((null.class, null.elements()), (Class::Null, Some(0)));
        assert_eq!(null.to_bytes().unwrap(), [2, 0, 0, 2]);
    }

    #[test]
    fn what_is_unknown_is_not_malformed() {
        let error = build().u8(3).zeros(7).read::<Dataspace>().unwrap_err();
        assert!(matches!(error, Error::Unsupported { field: "version", found: 3, .. }));
        let error = build().u8(1).u8(33).zeros(300).read::<Dataspace>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "malformed Dataspace at byte 0x3e9: rank (HDF5 spec IV.A.2.b)"
        );
    }

    #[test]
    fn more_elements_than_64_bits() {
        let huge = build().u8(2).u8(2).u8(0).u8(1).u64(1 << 40).u64(1 << 40);
        assert_eq!(huge.read::<Dataspace>().unwrap().elements(), None);
    }
}
