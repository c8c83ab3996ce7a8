//! Records of version 2 B-trees (III.A.2): huge objects, links and attributes. Those of chunks
//! are with the chunk indexes.

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{le_u8, le_u32};

use super::v2::{self, Tree};
use crate::checksum::lookup3;
use crate::error::Result;
use crate::file::File;
use crate::heap::{FractalHeap, FractalHeapKind, store};
use crate::out::{Out, Space};
use crate::parse::{Address, Context, Parsed, Sizes, Structure, field};
use crate::storage::Block;

/// Types 1 to 4: an object of a fractal heap with a place of its own.
pub(crate) struct HugeObject {
    pub(crate) address: Address,
    pub(crate) length: u64,
    /// Filter mask and size without the filters.
    pub(crate) filtered: Option<(u32, u64)>,
}

impl HugeObject {
    fn fields<'a>(i: &'a [u8], cx: &Context<'_>, filtered: bool) -> Parsed<'a, Self> {
        let (i, address) = field("huge object address", |i| cx.sizes.defined(i)).parse(i)?;
        let (i, length) = field("huge object length", |i| cx.sizes.length(i)).parse(i)?;
        let memory = (le_u32, |i| cx.sizes.length(i));
        let memory = nom::combinator::cond(filtered, memory);
        let (i, filtered) = field("huge object filters", memory).parse(i)?;
        Ok((i, Self { address, length, filtered }))
    }

    /// Type of the records of a heap without filters, under numbers that stand in the IDs.
    pub(crate) const BY_NUMBER: u8 = 1;
    pub(crate) const BY_NUMBER_LEN: u16 = 24;

    /// The record under the number `key`.
    pub(crate) fn to_record(&self, key: u64) -> Vec<u8> {
        let mut out = Out::default();
        out.address(Some(self.address));
        out.length(self.length);
        out.length(key);
        out.into_bytes()
    }

    /// The fields as they stand in a heap ID that is long enough for them.
    pub(crate) fn parse_direct(block: &Block, sizes: Sizes, filtered: bool) -> Result<Self> {
        match Self::fields(&block.data, &Context::new(sizes, block), filtered) {
            Ok((_, object)) => Ok(object),
            Err(stop) => Err(Self::error(block, stop)),
        }
    }

    /// The object with the key `key` in a heap's B-tree (types 1 and 2).
    pub(crate) fn find(file: &File, tree: &Tree, key: u64, filtered: bool) -> Result<Option<Self>> {
        let parse = |record: &Block| {
            let cx = Context::new(file.sizes(), record);
            let parsed = Self::fields(&record.data, &cx, filtered).and_then(|(i, object)| {
                let (i, key) = field("huge object id", |i| cx.sizes.length(i)).parse(i)?;
                Ok((i, (key, object)))
            });
            match parsed {
                Ok((_, found)) => Ok(found),
                Err(stop) => Err(Self::error(record, stop)),
            }
        };
        let mut found = None;
        tree.select(file, &mut |record| Ok(parse(record)?.0.cmp(&key)), &mut |record| {
            found = Some(parse(record)?.1);
            Ok(())
        })?;
        Ok(found)
    }
}

impl Structure for HugeObject {
    const NAME: &'static str = "huge object record";
    const SPEC: &'static str = "III.A.2";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        Self::fields(i, cx, false)
    }
}

/// Types 5 and 8: a link or an attribute by the hash of its name.
pub(crate) struct NameRecord {
    hash: u32,
    /// Seven bytes for links, eight for attributes.
    pub(crate) id: Vec<u8>,
    /// Flags of the attribute's message.
    pub(crate) flags: u8,
    /// Number of the attribute in the order of creation, if the object's header says that it is
    /// kept; links say theirs themselves.
    pub(crate) creation_order: Option<u32>,
}

/// `H5O_MAX_CRT_ORDER_IDX` of the C library, which it writes where the order is not kept.
const NO_ORDER: u32 = 65_535;

const LINK_NAMES: u8 = 5;
const ATTRIBUTE_NAMES: u8 = 8;

impl Structure for NameRecord {
    const NAME: &'static str = "link name record";
    const SPEC: &'static str = "III.A.2";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (i, hash) = field("hash of name", le_u32).parse(i)?;
        let (i, id) = field("heap id", take(7_usize)).parse(i)?;
        Ok((i, Self { hash, id: id.to_vec(), flags: 0, creation_order: None }))
    }
}

struct AttributeRecord(NameRecord);

impl Structure for AttributeRecord {
    const NAME: &'static str = "attribute name record";
    const SPEC: &'static str = "III.A.2";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (i, id) = field("heap id", take(8_usize)).parse(i)?;
        let (i, flags) = field("message flags", le_u8).parse(i)?;
        let (i, order) = field("creation order", le_u32).parse(i)?;
        let (i, hash) = field("hash of name", le_u32).parse(i)?;
        Ok((i, Self(NameRecord { hash, id: id.to_vec(), flags, creation_order: Some(order) })))
    }
}

/// What is to be stored densely: the bytes of a name, and of its link or attribute message.
pub(crate) struct Named {
    pub(crate) name: Vec<u8>,
    pub(crate) message: Vec<u8>,
    /// The number of an attribute in the order of creation, if that is kept.
    pub(crate) creation_order: Option<u32>,
}

/// Writes a heap of links or attributes and their index by name. Says where both are.
pub(crate) fn write_dense(
    kind: FractalHeapKind,
    named: &[Named],
    space: &mut Space,
) -> Result<(Address, Address)> {
    let objects: Vec<&[u8]> = named.iter().map(|one| &one.message[..]).collect();
    let (heap, ids) = store(kind, &objects, space)?;
    // By hash; those of one hash by name, as the library compares them.
    let mut order: Vec<_> = named
        .iter()
        .zip(ids)
        .map(|(one, id)| (lookup3(&one.name), &one.name[..], id, one))
        .collect();
    order.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    let record = |(hash, _, id, one): (u32, &[u8], Vec<u8>, &Named)| {
        let mut out = Out::default();
        match kind {
            FractalHeapKind::Links => {
                out.u32(hash);
                out.bytes(&id);
            }
            FractalHeapKind::Attributes => {
                out.bytes(&id);
                out.u8(0);
                out.u32(one.creation_order.unwrap_or(NO_ORDER));
                out.u32(hash);
            }
        }
        out.into_bytes()
    };
    let records: Vec<Vec<u8>> = order.into_iter().map(record).collect();
    let (kind, len) = match kind {
        FractalHeapKind::Links => (LINK_NAMES, 11),
        FractalHeapKind::Attributes => (ATTRIBUTE_NAMES, 17),
    };
    Ok((heap, v2::write(kind, len, &records, space)?))
}

/// The index by name and the heap of densely stored links or attributes.
#[derive(Debug)]
pub(crate) struct Dense {
    tree: Tree,
    heap: FractalHeap,
}

impl Dense {
    pub(crate) fn open(file: &File, heap: Address, name_index: Address) -> Result<Self> {
        let tree = Tree::read_at(file, name_index)?;
        if !matches!(tree.kind(), LINK_NAMES | ATTRIBUTE_NAMES) {
            return Err(tree.malformed("type"));
        }
        Ok(Self { tree, heap: FractalHeap::read_at(file, heap)? })
    }

    fn record(&self, file: &File, record: &Block) -> Result<NameRecord> {
        if self.tree.kind() == LINK_NAMES {
            NameRecord::read(record, file.sizes())
        } else {
            AttributeRecord::read(record, file.sizes()).map(|record| record.0)
        }
    }

    /// Calls `visit` with each object that may have `name`, or all of them; and its record.
    pub(crate) fn select(
        &self,
        file: &File,
        name: Option<&[u8]>,
        visit: &mut impl FnMut(Block, NameRecord) -> Result<()>,
    ) -> Result<()> {
        let mut with_object = |record: &Block| {
            let record = self.record(file, record)?;
            visit(self.heap.object(file, &record.id)?, record)
        };
        match name.map(lookup3) {
            None => self.tree.for_each(file, &mut with_object),
            Some(hash) => {
                let mut compare = |record: &Block| Ok(self.record(file, record)?.hash.cmp(&hash));
                self.tree.select(file, &mut compare, &mut with_object)
            }
        }
    }
}
