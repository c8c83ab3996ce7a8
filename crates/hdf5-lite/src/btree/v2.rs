//! Version 2 B-tree: HDF5 File Format Specification 3.0, III.A.2.

use std::cmp::Ordering;

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::verify;
use nom::multi::count;
use nom::number::complete::{le_u8, le_u16, le_u32};

use super::v1::Visited;
use crate::error::Result;
use crate::file::File;
use crate::limits::Limits;
use crate::out::{Out, Space};
use crate::parse::{
    Address, Context, Parsed, Structure, bytes, field, malformed, signature, uint,
    verify as verify_checksum, version, width_of,
};
use crate::storage::Block;

/// Signature, version and type before a node's records, checksum behind.
const NODE_OVERHEAD: u64 = 10;

/// An open tree.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    kind: u8,
    record_len: u16,
    root: Option<Child>,
    depth: u16,
    /// From the leaves up.
    levels: Vec<Level>,
    at: u64,
}

/// The nodes of a level: what they can hold, and how wide the counts in a pointer to one are.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// Records of a node and of all nodes below.
    max_total: u64,
    width: usize,
    /// Not stored for leaves, whose total is the same.
    total_width: usize,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    address: Address,
    records: u64,
}

struct Header {
    kind: u8,
    node_size: u32,
    record_len: u16,
    depth: u16,
    root: Option<Address>,
    root_records: u16,
}

impl Tree {
    pub(crate) fn read_at(file: &File, address: Address) -> Result<Self> {
        let sizes = file.sizes();
        let len = 22 + u64::from(sizes.offsets) + u64::from(sizes.lengths);
        let block = file.read(address, len)?;
        let header = Header::read_checked(&block, sizes)?;
        file.limits().ask_depth("levels of a B-tree", header.depth.into())?;
        let Header { kind, node_size, record_len, depth, .. } = header;
        let levels = levels(node_size, record_len, sizes.offsets.into(), depth);
        let levels = levels.ok_or_else(|| Header::malformed(block.at, "node size"))?;
        let root = header.root.filter(|_| header.root_records > 0);
        let root = root.map(|address| Child { address, records: header.root_records.into() });
        Ok(Self { kind, record_len, root, depth, levels, at: block.at })
    }

    /// "Type": what the records are.
    pub(crate) fn kind(&self) -> u8 {
        self.kind
    }

    pub(crate) fn record_len(&self) -> u16 {
        self.record_len
    }

    pub(crate) fn malformed(&self, field: &'static str) -> crate::Error {
        Header::malformed(self.at, field)
    }

    /// Calls `visit` for each record in order.
    pub(crate) fn for_each(
        &self,
        file: &File,
        visit: &mut impl FnMut(&Block) -> Result<()>,
    ) -> Result<()> {
        self.select(file, &mut |_| Ok(Ordering::Equal), visit)
    }

    /// Calls `visit` for each record that `compare` says is equal, reading only nodes that can
    /// hold one. `compare` says how a record stands to what is looked for.
    pub(crate) fn select(
        &self,
        file: &File,
        compare: &mut impl FnMut(&Block) -> Result<Ordering>,
        visit: &mut impl FnMut(&Block) -> Result<()>,
    ) -> Result<()> {
        let Some(root) = self.root else { return Ok(()) };
        self.walk(file, root, self.depth, &mut Visited::default(), compare, visit)
    }

    fn walk(
        &self,
        file: &File,
        at: Child,
        depth: u16,
        visited: &mut Visited,
        compare: &mut impl FnMut(&Block) -> Result<Ordering>,
        visit: &mut impl FnMut(&Block) -> Result<()>,
    ) -> Result<()> {
        visited.visit(file, at.address)?;
        let node = self.node(file, at, depth)?;
        let number = usize::try_from(at.records).unwrap_or(usize::MAX);
        let record = |n: usize| {
            let len = usize::from(self.record_len);
            node.records.slice(n * len, len).ok_or_else(|| self.malformed("number of records"))
        };
        let mut orders = Vec::with_capacity(number.min(1 << 16));
        for n in 0..number {
            orders.push(compare(&record(n)?)?);
        }
        // Child n comes before record n.
        for n in 0..=number {
            let before = n.checked_sub(1).and_then(|n| orders.get(n));
            let after = orders.get(n);
            let between = before != Some(&Ordering::Greater) && after != Some(&Ordering::Less);
            if let Some(child) = node.children.get(n).filter(|_| between) {
                self.walk(file, *child, depth - 1, visited, compare, visit)?;
            }
            if after == Some(&Ordering::Equal) {
                visit(&record(n)?)?;
            }
        }
        Ok(())
    }

    fn node(&self, file: &File, at: Child, depth: u16) -> Result<Node> {
        let records = at.records.checked_mul(self.record_len.into());
        let sizes = file.sizes();
        let (pointers, below) = match depth.checked_sub(1) {
            None => (0, None),
            Some(below) => {
                let below = self.levels.get(usize::from(below)).copied();
                let below = below.ok_or_else(|| self.malformed("depth"))?;
                let len = below.pointer_len(sizes.offsets.into());
                ((at.records + 1).saturating_mul(len as u64), Some(below))
            }
        };
        let len = records.and_then(|len| len.checked_add(pointers)?.checked_add(NODE_OVERHEAD));
        let len = len.ok_or_else(|| self.malformed("number of records"))?;
        Limits::ask("bytes of a B-tree node", len, file.limits().header_bytes)?;
        let block = file.read(at.address, len)?;
        verify_checksum(&block).map_err(|field| Node::malformed(block.at, field))?;
        let cx = Context::new(sizes, &block);
        match node(&block.data, &cx, self, at.records, below) {
            Ok((_, node)) => Ok(node),
            Err(stop) => Err(Node::error(&block, stop)),
        }
    }
}

impl Level {
    /// Bytes of a pointer to a node of this level.
    fn pointer_len(self, offsets: usize) -> usize {
        offsets + self.width + self.total_width
    }
}

/// The levels of a tree, `depth` of them above the leaves.
fn levels(node_size: u32, record_len: u16, offsets: usize, depth: u16) -> Option<Vec<Level>> {
    let room = u64::from(node_size).checked_sub(NODE_OVERHEAD)?;
    let record = u64::from(record_len);
    // A leaf holds the most records; its count's width serves all levels.
    let max_records = room.checked_div(record)?;
    let width = width_of(max_records);
    let mut below = Level { max_total: max_records, width, total_width: 0 };
    let mut levels = vec![below];
    for _ in 0..depth {
        let pointer = below.pointer_len(offsets) as u64;
        let max_records = room.checked_sub(pointer)?.checked_div(record + pointer)?;
        let children = max_records.checked_add(1)?;
        let max_total = children.saturating_mul(below.max_total).saturating_add(max_records);
        below = Level { max_total, width, total_width: width_of(max_total) };
        levels.push(below);
    }
    Some(levels)
}

struct Node {
    records: Block,
    children: Vec<Child>,
}

fn node<'a>(
    i: &'a [u8],
    cx: &Context<'_>,
    tree: &Tree,
    records: u64,
    below: Option<Level>,
) -> Parsed<'a, Node> {
    let sign: &[u8] = if below.is_some() { b"BTIN" } else { b"BTLF" };
    let at = i;
    let (i, found) = field("signature", take(4_usize)).parse(i)?;
    if found != sign {
        return malformed(at, "signature");
    }
    let (i, _) = version(0..=0).parse(i)?;
    let (i, _) = field("type", verify(le_u8, |kind| *kind == tree.kind)).parse(i)?;
    let len = records.saturating_mul(tree.record_len.into());
    let (i, body) = field("records", bytes(len)).parse(i)?;
    let body = cx.keep_block(body);
    let Some(below) = below else { return Ok((i, Node { records: body, children: Vec::new() })) };
    let child = |i| {
        let (i, address) = field("child address", |i| cx.sizes.defined(i)).parse(i)?;
        let (i, records) = field("records of a child", uint(below.width)).parse(i)?;
        let (i, _) = field("records below a child", take(below.total_width)).parse(i)?;
        Ok((i, Child { address, records }))
    };
    let number = usize::try_from(records).unwrap_or(usize::MAX).saturating_add(1);
    let (i, children) = count(child, number).parse(i)?;
    Ok((i, Node { records: body, children }))
}

impl Structure for Node {
    const NAME: &'static str = "version 2 B-tree node";
    const SPEC: &'static str = "III.A.2";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        // A node cannot be read without its tree: see `node`.
        malformed(i, "tree")
    }
}

impl Structure for Header {
    const NAME: &'static str = "version 2 B-tree";
    const SPEC: &'static str = "III.A.2";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, ()) = signature(b"BTHD").parse(i)?;
        let (i, _) = version(0..=0).parse(i)?;
        let (i, kind) = field("type", le_u8).parse(i)?;
        let (i, node_size) = field("node size", le_u32).parse(i)?;
        let (i, record_len) = field("record size", verify(le_u16, |len| *len > 0)).parse(i)?;
        let (i, depth) = field("depth", le_u16).parse(i)?;
        let (i, _) = field("split and merge percent", le_u16).parse(i)?;
        let (i, root) = field("root node address", |i| cx.sizes.address(i)).parse(i)?;
        let (i, root_records) = field("number of records in root node", le_u16).parse(i)?;
        let (i, _) = field("total number of records", |i| cx.sizes.length(i)).parse(i)?;
        let (i, _) = field("checksum", le_u32).parse(i)?;
        Ok((i, Self { kind, node_size, record_len, depth, root, root_records }))
    }
}

/// Bytes of a node that is written: as many as the C library gives those of names.
const NODE_SIZE: u32 = 512;

/// A tree being written, from the leaves up.
struct Writing<'s> {
    kind: u8,
    levels: Vec<Level>,
    space: &'s mut Space,
}

/// Writes the tree of `records`, which are sorted and all of `record_len` bytes. Says where its
/// header is.
pub(crate) fn write(
    kind: u8,
    record_len: u16,
    records: &[Vec<u8>],
    space: &mut Space,
) -> Result<Address> {
    let total = records.len() as u64;
    let too_large = || crate::Error::TooLarge {
        structure: Header::NAME,
        field: "total number of records",
        value: total,
    };
    // The lowest tree that holds them.
    let mut depth = 0;
    let levels = loop {
        let levels = levels(NODE_SIZE, record_len, 8, depth).ok_or_else(too_large)?;
        if levels.last().is_some_and(|level| level.max_total >= total) {
            break levels;
        }
        depth += 1;
    };
    let mut tree = Writing { kind, levels, space };
    let root = if records.is_empty() { None } else { Some(tree.node(records, depth)) };
    let mut out = Out::default();
    out.bytes(b"BTHD");
    out.bytes(&[0, kind]);
    out.u32(NODE_SIZE);
    out.u16(record_len);
    out.u16(depth);
    out.bytes(&[100, 40]); // the library's percents at which nodes split and merge
    out.address(root.map(|root| root.address));
    out.uint(root.map_or(0, |root| root.records), 2);
    out.length(total);
    out.checksum();
    Ok(space.put(&out.into_bytes()))
}

impl Writing<'_> {
    /// The node of `records` and those below, which share them evenly.
    fn node(&mut self, records: &[Vec<u8>], depth: u16) -> Child {
        let mut out = Out::default();
        let below = depth.checked_sub(1).and_then(|n| self.levels.get(usize::from(n)).copied());
        out.bytes(if below.is_some() { b"BTIN" } else { b"BTLF" });
        out.bytes(&[0, self.kind]);
        let own = match below {
            None => {
                records.iter().for_each(|record| out.bytes(record));
                records.len()
            }
            Some(below) => {
                // One record stands between two children.
                let number = (records.len() as u64 + 1).div_ceil(below.max_total + 1);
                let number = usize::try_from(number).unwrap_or(1).max(1);
                let shared = records.len().saturating_sub(number - 1);
                let mut rest = records;
                let mut children = Vec::with_capacity(number);
                for n in 0..number {
                    let len = shared / number + usize::from(n < shared % number);
                    let (part, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
                    children.push((self.node(part, depth - 1), part.len()));
                    rest = after;
                    if let Some((separator, after)) = after.split_first() {
                        out.bytes(separator);
                        rest = after;
                    }
                }
                for (child, total) in children {
                    out.address(Some(child.address));
                    out.uint(child.records, below.width);
                    out.uint(total as u64, below.total_width);
                }
                number - 1
            }
        };
        out.checksum();
        out.pad_to(usize::try_from(NODE_SIZE).unwrap_or(0));
        Child { address: self.space.put(&out.into_bytes()), records: own as u64 }
    }
}
