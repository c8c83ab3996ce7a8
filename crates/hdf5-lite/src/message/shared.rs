//! Shared message: HDF5 File Format Specification 3.0, IV.A.2, "Shared Message".

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::le_u8;

use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Address, Context, Parsed, Sizes, Structure, field, unsupported, version};
use crate::storage::Block;

/// Where a message lies that does not stand in the header itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shared {
    /// In the header of another object, a committed datatype.
    Committed(Address),
    /// In the file's heap of shared messages, under this fractal heap ID.
    Heap([u8; 8]),
}

impl Structure for Shared {
    const NAME: &'static str = "Shared Message";
    const SPEC: &'static str = "IV.A.2";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, version) = version(1..=3).parse(i)?;
        let at = i;
        let (i, kind) = field("type", le_u8).parse(i)?;
        // What the specification calls the address of version 1 is a symbol table entry in the
        // files: the address comes behind the offset of a name.
        let before = if version == 1 { 6 + usize::from(cx.sizes.lengths) } else { 0 };
        let (i, _) = field("reserved", take(before)).parse(i)?;
        match (version, kind) {
            (3, 1) => {
                let (i, id) = field("heap id", nom::number::complete::le_u64).parse(i)?;
                Ok((i, Self::Heap(id.to_le_bytes())))
            }
            // Before version 3 the type was always 0.
            (1 | 2, _) | (3, 2) => {
                field("address", |i| cx.sizes.defined(i)).map(Self::Committed).parse(i)
            }
            _ => unsupported(at, "type", kind.into()),
        }
    }
}

impl Shared {
    /// The object whose header has the message, if that is where it is.
    pub(crate) fn committed(body: &Block, sizes: Sizes) -> Result<Option<Address>> {
        match Self::read(body, sizes)? {
            Self::Committed(address) => Ok(Some(address)),
            Self::Heap(_) => Ok(None),
        }
    }
}

impl Write for Shared {
    /// Version 3.
    fn write(&self, out: &mut Out) -> Result<()> {
        match self {
            Self::Heap(id) => {
                out.bytes(&[3, 1]);
                out.bytes(id);
            }
            Self::Committed(address) => {
                out.bytes(&[3, 2]);
                out.address(Some(*address));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::build;

    #[test]
    fn versions_1_to_3() {
        let old = build().u8(1).u8(0).zeros(6).u64(5).u64(96);
        let newer = build().u8(2).u8(0).u64(96);
        let newest = build().u8(3).u8(2).u64(96);
        for message in [old, newer, newest.clone()] {
            message.assert_needs_all::<Shared>();
            let shared: Shared = message.read().unwrap();
            assert!(matches!(shared, Shared::Committed(Address(96))));
            assert_eq!(shared.to_bytes().unwrap(), newest.block().data);
        }
        let heap = build().u8(3).u8(1).bytes(b"heap id!");
        let shared: Shared = heap.read().unwrap();
        assert!(matches!(shared, Shared::Heap(id) if &id == b"heap id!"));
        assert_eq!(shared.to_bytes().unwrap(), heap.block().data);
    }
}
