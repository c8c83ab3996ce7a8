//! Version 1 B-tree: HDF5 File Format Specification 3.0, III.A.1.

use std::collections::HashSet;

use nom::Parser;
use nom::number::complete::{le_u8, le_u16, le_u32, le_u64};

use crate::error::Result;
use crate::file::File;
use crate::out::{Out, Space};
use crate::parse::{Address, Context, Parsed, Structure, field, signature, unsupported};
use crate::storage::Block;

/// "Node Type" 0: links of a group, between keys that are offsets into its local heap.
pub(crate) const GROUP: u8 = 0;
/// "Node Type" 1: chunks of a dataset.
pub(crate) const CHUNKS: u8 = 1;

/// One node: its level and the bytes of its keys and children.
pub(crate) struct Node {
    pub(crate) level: u8,
    pub(crate) entries: u16,
    /// Key 0, child 0, key 1, ... child n-1, key n.
    pub(crate) body: Block,
}

struct Head {
    kind: u8,
    level: u8,
    entries: u16,
}

impl Node {
    /// Reads the node of type `kind` at `address`, whose keys have `key_len` bytes.
    pub(crate) fn read_at(file: &File, address: Address, kind: u8, key_len: usize) -> Result<Self> {
        let offsets = usize::from(file.sizes().offsets);
        let head_len = 8 + 2 * offsets as u64;
        let start = file.read(address, head_len)?;
        let head = Head::read(&start, file.sizes())?;
        if head.kind != kind {
            return Err(Head::malformed(start.at, "node type"));
        }
        let entries = u64::from(head.entries);
        // 65,535 entries of at most 280 bytes.
        let len = entries * (key_len + offsets) as u64 + key_len as u64;
        let whole = file.read(address, head_len + len)?;
        let body = whole.data.slice(start.data.len()..);
        let body = Block { at: whole.at + head_len, data: body };
        Ok(Self { level: head.level, entries: head.entries, body })
    }

    /// The bytes from key `n` on.
    pub(crate) fn key(&self, n: u16, key_len: usize, offsets: u8) -> Block {
        let start = usize::from(n) * (key_len + usize::from(offsets));
        let len = self.body.data.len().saturating_sub(start);
        // `n` is at most `entries`, and that many keys were read.
        self.body.slice(start, len).unwrap_or_else(|| self.body.clone())
    }
}

impl Structure for Head {
    const NAME: &'static str = "version 1 B-tree node";
    const SPEC: &'static str = "III.A.1";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, ()) = signature(b"TREE").parse(i)?;
        let at = i;
        let (i, kind) = field("node type", le_u8).parse(i)?;
        if kind > CHUNKS {
            return unsupported(at, "node type", kind.into());
        }
        let (i, level) = field("node level", le_u8).parse(i)?;
        let (i, entries) = field("entries used", le_u16).parse(i)?;
        let (i, _) = field("left sibling", |i| cx.sizes.address(i)).parse(i)?;
        let (i, _) = field("right sibling", |i| cx.sizes.address(i)).parse(i)?;
        Ok((i, Self { kind, level, entries }))
    }
}

/// An error about a node at `at`.
pub(crate) fn broken(at: u64, field: &'static str) -> crate::Error {
    Head::malformed(at, field)
}

/// Addresses met on a walk over a tree.
#[derive(Default)]
pub(crate) struct Visited(HashSet<Address>);

impl Visited {
    /// Remembers `address`; a second visit is an error.
    pub(crate) fn visit(&mut self, file: &File, address: Address) -> Result<()> {
        file.limits().ask_entries("nodes of a tree", self.0.len())?;
        if self.0.insert(address) {
            Ok(())
        } else {
            Err(broken(file.offset(address), "cycle of nodes"))
        }
    }
}

/// A chunk as the tree lists it.
#[derive(Debug)]
pub(crate) struct ChunkEntry {
    pub(crate) size: u32,
    pub(crate) mask: u32,
    /// Offset of its first element along each axis.
    pub(crate) offsets: Vec<u64>,
    pub(crate) address: Address,
}

/// Calls `visit` for each chunk of a dataset of `rank` axes.
pub(crate) fn for_each_chunk(
    file: &File,
    root: Address,
    rank: usize,
    visit: &mut impl FnMut(ChunkEntry) -> Result<()>,
) -> Result<()> {
    let mut visited = Visited::default();
    walk_chunks(file, root, rank, None, &mut visited, visit)
}

fn walk_chunks(
    file: &File,
    address: Address,
    rank: usize,
    parent: Option<u8>,
    visited: &mut Visited,
    visit: &mut impl FnMut(ChunkEntry) -> Result<()>,
) -> Result<()> {
    visited.visit(file, address)?;
    // Size, mask, and an offset per axis; the element counts as one more axis.
    let key_len = 8 + 8 * (rank + 1);
    let node = Node::read_at(file, address, CHUNKS, key_len)?;
    if parent.is_some_and(|parent| node.level.checked_add(1) != Some(parent)) {
        return Err(broken(node.body.at, "node level"));
    }
    file.limits().ask_depth("levels of a B-tree", node.level.into())?;
    for n in 0..node.entries {
        let tail = node.key(n, key_len, file.sizes().offsets);
        let entry = match chunk(&tail.data, &Context::new(file.sizes(), &tail), rank) {
            Ok((_, entry)) => entry,
            Err(stop) => return Err(Head::error(&tail, stop)),
        };
        if node.level == 0 {
            visit(entry)?;
        } else {
            walk_chunks(file, entry.address, rank, Some(node.level), visited, visit)?;
        }
    }
    Ok(())
}

fn chunk<'a>(i: &'a [u8], cx: &Context<'_>, rank: usize) -> Parsed<'a, ChunkEntry> {
    let (i, size) = field("chunk size", le_u32).parse(i)?;
    let (i, mask) = field("filter mask", le_u32).parse(i)?;
    let (i, offsets) = field("chunk offset", nom::multi::count(le_u64, rank)).parse(i)?;
    let (i, _) = field("element offset", le_u64).parse(i)?;
    let (i, address) = field("child address", |i| cx.sizes.defined(i)).parse(i)?;
    Ok((i, ChunkEntry { size, mask, offsets, address }))
}

/// "Indexed Storage Internal Node K": what readers take it for where the file does not say. Nodes
/// have twice as many children, and take the room of them all even if they have fewer.
const CHUNKS_K: usize = 32;

/// Writes the tree of `chunks`, which are in the order of their offsets; chunks have `dims`
/// elements of `element` bytes. Says where the root is.
pub(crate) fn write_chunks(
    chunks: &[ChunkEntry],
    dims: &[u64],
    element: u64,
    space: &mut Space,
) -> Result<Option<Address>> {
    let Some(last) = chunks.last() else { return Ok(None) };
    // Behind the last chunk: one further on each axis, that of the bytes of an element too.
    let mut offsets = Vec::new();
    for (at, dim) in last.offsets.iter().zip(dims) {
        let next = at.checked_add(*dim);
        offsets.push(next.ok_or_else(|| too_large("chunk offset", *at))?);
    }
    let end = ChunkEntry { size: 0, mask: 0, offsets, address: Address(0) };
    let mut level = 0_u8;
    let mut children: Vec<(&ChunkEntry, Address)> =
        chunks.iter().map(|chunk| (chunk, chunk.address)).collect();
    loop {
        let key_len = 8 + 8 * (dims.len() + 1);
        let len = 24 + 2 * CHUNKS_K * 8 + (2 * CHUNKS_K + 1) * key_len;
        let first = space.next().0;
        let number = children.len().div_ceil(2 * CHUNKS_K);
        let node_at = |n: usize| (n < number).then(|| Address(first + (n * len) as u64));
        let mut parents = Vec::with_capacity(number);
        let mut groups = children.chunks(2 * CHUNKS_K).enumerate().peekable();
        while let Some((n, group)) = groups.next() {
            let mut out = Out::default();
            out.bytes(b"TREE");
            out.bytes(&[CHUNKS, level]);
            out.u16(u16::try_from(group.len()).unwrap_or(0)); // no more than 64
            out.address(n.checked_sub(1).and_then(node_at));
            out.address(node_at(n + 1));
            for (chunk, address) in group {
                key(chunk, 0, &mut out);
                out.address(Some(*address));
            }
            match groups.peek().and_then(|(_, next)| next.first()) {
                Some((next, _)) => key(next, 0, &mut out),
                None => key(&end, element, &mut out),
            }
            out.pad_to(len);
            let address = space.put(&out.into_bytes());
            parents.extend(group.first().map(|(chunk, _)| (*chunk, address)));
        }
        if let [(_, root)] = *parents.as_slice() {
            return Ok(Some(root));
        }
        children = parents;
        level += 1;
    }
}

/// What [`chunk`] reads, up to the address.
fn key(chunk: &ChunkEntry, element_offset: u64, out: &mut Out) {
    out.u32(chunk.size);
    out.u32(chunk.mask);
    chunk.offsets.iter().for_each(|at| out.u64(*at));
    out.u64(element_offset);
}

fn too_large(field: &'static str, value: u64) -> crate::Error {
    crate::Error::TooLarge { structure: Head::NAME, field, value }
}
