//! Data Layout message: HDF5 File Format Specification 3.0, IV.A.2.i.
//! Version 5, of HDF5 2.0, has the fields of version 4.

use bytes::Bytes;
use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::{cond, verify};
use nom::multi::{count, length_data};
use nom::number::complete::{le_u8, le_u16, le_u32};

use super::Message;
use crate::error::Result;
use crate::heap::GlobalHeapId;
use crate::out::{Out, Write};
use crate::parse::version;
use crate::parse::{Address, Context, Parsed, Structure, field, malformed, uint, unsupported};

/// One more than the largest rank: the size of an element counts as an axis.
const MAX_DIMENSIONALITY: u8 = 33;

/// How the elements of a dataset are stored.
#[derive(Clone, Debug)]
pub(crate) enum DataLayout {
    Compact(Bytes),
    Contiguous {
        address: Option<Address>,
        /// Bytes allocated; versions 1 and 2 do not say.
        size: Option<u64>,
    },
    Chunked(ChunkedLayout),
    Virtual(Option<GlobalHeapId>),
}

#[derive(Clone, Debug)]
pub(crate) struct ChunkedLayout {
    /// Elements along each axis of a chunk.
    pub(crate) dims: Vec<u64>,
    /// Bytes of an element.
    pub(crate) element: u64,
    /// Filters pass over chunks that reach beyond the dataset.
    pub(crate) edges_unfiltered: bool,
    pub(crate) indexing: ChunkIndexing,
    pub(crate) address: Option<Address>,
}

/// "Chunk Indexing Type"; the indexes repeat the creation parameters that stand here.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChunkIndexing {
    BTreeV1,
    /// With the stored size and the filter mask, if filtered.
    Single(Option<(u64, u32)>),
    Implicit,
    FixedArray,
    ExtensibleArray,
    BTreeV2,
}

impl Message for DataLayout {
    const ID: u16 = 0x0008;
}

impl Structure for DataLayout {
    const NAME: &'static str = "Data Layout";
    const SPEC: &'static str = "IV.A.2.i";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, version) = version(1..=5).parse(i)?;
        if version < 3 {
            return old(i, cx);
        }
        let at = i;
        let (i, class) = field("class", le_u8).parse(i)?;
        match class {
            0 => field("raw data", length_data(le_u16))
                .map(|raw| Self::Compact(cx.keep(raw)))
                .parse(i),
            1 => {
                let (i, address) = field("address", |i| cx.sizes.address(i)).parse(i)?;
                let (i, size) = field("size", |i| cx.sizes.length(i)).parse(i)?;
                Ok((i, Self::Contiguous { address, size: Some(size) }))
            }
            2 if version == 3 => {
                let (i, rank) = field("dimensionality", dimensionality()).parse(i)?;
                let (i, address) = field("address", |i| cx.sizes.address(i)).parse(i)?;
                let (i, dims) = field("chunk dims", dims(rank, 4)).parse(i)?;
                chunked(i, dims, false, ChunkIndexing::BTreeV1, address)
            }
            2 => indexed(i, cx),
            3 => {
                let (i, collection) = field("heap address", |i| cx.sizes.address(i)).parse(i)?;
                let (i, index) = field("heap index", le_u32).parse(i)?;
                let id = collection.map(|collection| GlobalHeapId { collection, index });
                Ok((i, Self::Virtual(id)))
            }
            _ => unsupported(at, "class", class.into()),
        }
    }
}

impl Write for DataLayout {
    /// Version 3, of chunks the index that all releases know; version 4 for virtual datasets.
    fn write(&self, out: &mut Out) -> Result<()> {
        match self {
            Self::Compact(data) => {
                let len = u16::try_from(data.len());
                let len = len.map_err(|_| Self::too_large("raw data", data.len() as u64))?;
                out.bytes(&[3, 0]);
                out.u16(len);
                out.bytes(data);
            }
            Self::Contiguous { address, size } => {
                out.bytes(&[3, 1]);
                out.address(*address);
                out.length(size.unwrap_or(0));
            }
            Self::Chunked(layout) => {
                let dimensionality = u8::try_from(layout.dims.len() + 1).ok();
                let dimensionality = dimensionality.filter(|n| *n <= MAX_DIMENSIONALITY);
                let rank = layout.dims.len() as u64;
                out.bytes(&[3, 2]);
                out.u8(dimensionality.ok_or_else(|| Self::too_large("dimensionality", rank))?);
                out.address(layout.address);
                for dim in layout.dims.iter().chain([&layout.element]) {
                    let dim = u32::try_from(*dim);
                    out.u32(dim.map_err(|_| Self::too_large("chunk dims", layout.element))?);
                }
            }
            Self::Virtual(id) => {
                out.bytes(&[4, 3]);
                out.address(id.map(|id| id.collection));
                out.u32(id.map_or(0, |id| id.index));
            }
        }
        Ok(())
    }
}

/// Versions 1 and 2: the same fields for each class.
fn old<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, DataLayout> {
    let (i, rank) = field("dimensionality", dimensionality()).parse(i)?;
    let at = i;
    let (i, class) = field("class", le_u8).parse(i)?;
    let (i, _) = field("reserved", take(5_usize)).parse(i)?;
    let (i, address) = field("address", cond(class != 0, |i| cx.sizes.address(i))).parse(i)?;
    let address = address.flatten();
    let (i, dims) = field("dims", dims(rank, 4)).parse(i)?;
    match class {
        0 => {
            let (i, raw) = field("raw data", length_data(le_u32)).parse(i)?;
            Ok((i, DataLayout::Compact(cx.keep(raw))))
        }
        1 => Ok((i, DataLayout::Contiguous { address, size: None })),
        2 => chunked(i, dims, false, ChunkIndexing::BTreeV1, address),
        _ => unsupported(at, "class", class.into()),
    }
}

/// Chunked storage of version 4 on.
fn indexed<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, DataLayout> {
    let (i, flags) = field("flags", le_u8).parse(i)?;
    let (i, rank) = field("dimensionality", dimensionality()).parse(i)?;
    let (i, width) = field("dimension size encoded length", le_u8).parse(i)?;
    let (i, dims) = field("chunk dims", dims(rank, width)).parse(i)?;
    let at = i;
    let (i, kind) = field("chunk indexing type", le_u8).parse(i)?;
    let parameters = |len: usize| field("indexing information", take(len));
    let (i, indexing) = match kind {
        1 => {
            let filtered = (|i| cx.sizes.length(i), le_u32);
            field("single chunk", cond(flags & 2 != 0, filtered))
                .map(ChunkIndexing::Single)
                .parse(i)?
        }
        2 => (i, ChunkIndexing::Implicit),
        3 => parameters(1).map(|_| ChunkIndexing::FixedArray).parse(i)?,
        4 => parameters(5).map(|_| ChunkIndexing::ExtensibleArray).parse(i)?,
        5 => parameters(6).map(|_| ChunkIndexing::BTreeV2).parse(i)?,
        _ => return unsupported(at, "chunk indexing type", kind.into()),
    };
    let (i, address) = field("address", |i| cx.sizes.address(i)).parse(i)?;
    chunked(i, dims, flags & 1 != 0, indexing, address)
}

fn chunked(
    i: &[u8],
    mut dims: Vec<u64>,
    edges_unfiltered: bool,
    indexing: ChunkIndexing,
    address: Option<Address>,
) -> Parsed<'_, DataLayout> {
    if dims.contains(&0) {
        return malformed(i, "chunk dims");
    }
    let Some(element) = dims.pop() else { return malformed(i, "dimensionality") };
    Ok((
        i,
        DataLayout::Chunked(ChunkedLayout { dims, element, edges_unfiltered, indexing, address }),
    ))
}

fn dimensionality<'a>() -> impl Parser<&'a [u8], Output = u8, Error = crate::parse::Stop<'a>> {
    verify(le_u8, |rank| *rank <= MAX_DIMENSIONALITY)
}

fn dims<'a>(
    rank: u8,
    width: u8,
) -> impl Parser<&'a [u8], Output = Vec<u64>, Error = crate::parse::Stop<'a>> {
    count(uint(width.into()), rank.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Build, build};

    #[test]
    fn compact_and_contiguous() {
        let compact = [
            build().u8(1).u8(1).u8(0).zeros(5).u32(3).u32(3).bytes(b"abc"),
            build().u8(3).u8(0).u16(3).bytes(b"abc"),
            build().u8(4).u8(0).u16(3).bytes(b"abc"),
        ];
        for message in compact {
            message.assert_needs_all::<DataLayout>();
            let DataLayout::Compact(data) = message.read().unwrap() else { panic!() };
            assert_eq!(data, &b"abc"[..]);
            let written = DataLayout::Compact(data).to_bytes().unwrap();
            assert_eq!(written, [3, 0, 3, 0, b'a', b'b', b'c']);
        }
        let old = build().u8(2).u8(1).u8(1).zeros(5).u64(96).u32(3);
        let new = build().u8(3).u8(1).u64(96).u64(3);
        for (message, wanted) in [(old, None), (new, Some(3))] {
            message.assert_needs_all::<DataLayout>();
            let DataLayout::Contiguous { address, size } = message.read().unwrap() else {
                panic!()
            };
            assert_eq!((address, size), (Some(Address(96)), wanted));
            if wanted.is_some() {
                let written = DataLayout::Contiguous { address, size }.to_bytes().unwrap();
                assert_eq!(written, message.block().data);
            }
        }
    }

    #[test]
    fn chunked_with_every_index() {
        let btree = [
            build().u8(1).u8(3).u8(2).zeros(5).u64(96).u32(5).u32(6).u32(4),
            build().u8(3).u8(2).u8(3).u64(96).u32(5).u32(6).u32(4),
        ];
        for message in &btree {
            message.assert_needs_all::<DataLayout>();
            let whole: DataLayout = message.read().unwrap();
            assert_eq!(whole.to_bytes().unwrap(), btree[1].block().data);
            let DataLayout::Chunked(layout) = message.read().unwrap() else { panic!() };
            assert_eq!((&layout.dims[..], layout.element), (&[5, 6][..], 4));
            assert!(matches!(layout.indexing, ChunkIndexing::BTreeV1));
        }
        for version in [4, 5] {
            let start = |flags| build().u8(version).u8(2).u8(flags).u8(3).u8(1).bytes(&[5, 6, 4]);
            let messages = [
                start(2).u8(1).u64(77).u32(1),
                start(0).u8(1),
                start(1).u8(2),
                start(0).u8(3).zeros(1),
                start(0).u8(4).zeros(5),
                start(0).u8(5).zeros(6),
            ];
            for (n, message) in messages.map(Build::undefined).iter().enumerate() {
                message.assert_needs_all::<DataLayout>();
                let DataLayout::Chunked(layout) = message.read().unwrap() else { panic!() };
                assert_eq!(
                    (&layout.dims[..], layout.element, layout.address),
                    (&[5, 6][..], 4, None)
                );
                assert_eq!(layout.edges_unfiltered, n == 2);
                assert!(match layout.indexing {
                    ChunkIndexing::Single(Some((77, 1))) => n == 0,
                    ChunkIndexing::Single(None) => n == 1,
                    ChunkIndexing::Implicit => n == 2,
                    ChunkIndexing::FixedArray => n == 3,
                    ChunkIndexing::ExtensibleArray => n == 4,
                    ChunkIndexing::BTreeV2 => n == 5,
                    _ => false,
                });
            }
        }
        let virtual_id = build().u8(4).u8(3).u64(96).u32(1);
        let layout: DataLayout = virtual_id.read().unwrap();
        assert_eq!(layout.to_bytes().unwrap(), virtual_id.block().data);
        let none = build().u8(4).u8(2).u8(0).u8(3).u8(1).bytes(&[5, 0, 4]).u8(2).undefined();
        assert!(none.read::<DataLayout>().is_err(), "a chunk without elements");
    }
}
