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
    /// For each level from the leaves up: how wide the counts in a node above it are.
    widths: Vec<Widths>,
    at: u64,
}

/// Bytes of the counts in a child pointer.
#[derive(Clone, Copy, Debug)]
struct Widths {
    records: usize,
    /// Not stored for leaves, whose total is the same.
    total: usize,
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
        let widths = widths(&header, sizes.offsets.into());
        let widths = widths.ok_or_else(|| Header::malformed(block.at, "node size"))?;
        let root = header.root.filter(|_| header.root_records > 0);
        let root = root.map(|address| Child { address, records: header.root_records.into() });
        let Header { kind, record_len, depth, .. } = header;
        Ok(Self { kind, record_len, root, depth, widths, at: block.at })
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
        let (pointers, widths) = match depth.checked_sub(1) {
            None => (0, None),
            Some(below) => {
                let widths = self.widths.get(usize::from(below)).copied();
                let widths = widths.ok_or_else(|| self.malformed("depth"))?;
                let len = usize::from(sizes.offsets) + widths.records + widths.total;
                ((at.records + 1).saturating_mul(len as u64), Some(widths))
            }
        };
        let len = records.and_then(|len| len.checked_add(pointers)?.checked_add(NODE_OVERHEAD));
        let len = len.ok_or_else(|| self.malformed("number of records"))?;
        Limits::ask("bytes of a B-tree node", len, file.limits().header_bytes)?;
        let block = file.read(at.address, len)?;
        verify_checksum(&block).map_err(|field| Node::malformed(block.at, field))?;
        let cx = Context::new(sizes, &block);
        match node(&block.data, &cx, self, at.records, widths) {
            Ok((_, node)) => Ok(node),
            Err(stop) => Err(Node::error(&block, stop)),
        }
    }
}

/// How wide the counts are, by what a node of each level could hold.
fn widths(header: &Header, offsets: u64) -> Option<Vec<Widths>> {
    let room = u64::from(header.node_size).checked_sub(NODE_OVERHEAD)?;
    let record = u64::from(header.record_len);
    // A leaf holds the most records; its count's width serves all levels.
    let mut max_total = room.checked_div(record)?;
    let records = width_of(max_total);
    let mut widths = Vec::new();
    for level in 0..header.depth {
        let total = if level == 0 { 0 } else { width_of(max_total) };
        widths.push(Widths { records, total });
        let pointer = offsets + records as u64 + total as u64;
        let max_records = room.checked_sub(pointer)?.checked_div(record + pointer)?;
        max_total =
            max_records.checked_add(1)?.saturating_mul(max_total).saturating_add(max_records);
    }
    Some(widths)
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
    widths: Option<Widths>,
) -> Parsed<'a, Node> {
    let sign: &[u8] = if widths.is_some() { b"BTIN" } else { b"BTLF" };
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
    let Some(widths) = widths else { return Ok((i, Node { records: body, children: Vec::new() })) };
    let child = |i| {
        let (i, address) = field("child address", |i| cx.sizes.defined(i)).parse(i)?;
        let (i, records) = field("records of a child", uint(widths.records)).parse(i)?;
        let (i, _) = field("records below a child", take(widths.total)).parse(i)?;
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
