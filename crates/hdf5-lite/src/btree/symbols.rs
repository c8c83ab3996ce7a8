//! Links of an "old style" group: B-tree of type 0 (III.A.1), symbol table nodes (III.B) and
//! their entries (III.C).

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{le_u8, le_u16, le_u32};

use super::v1::{GROUP, Node, Visited, broken};
use crate::error::Result;
use crate::file::File;
use crate::group::{Link, LinkTarget, Name};
use crate::heap::LocalHeap;
use crate::message::SymbolTable;
use crate::object::ObjectAddress;
use crate::parse::{
    Address, Context, Parsed, Structure, field, signature, uint, unsupported, version,
};
use crate::storage::Block;

/// A symbol table with its heap at hand.
#[derive(Clone, Debug)]
pub(crate) struct Symbols {
    btree: Address,
    heap: LocalHeap,
}

impl Symbols {
    pub(crate) fn open(file: &File, table: SymbolTable) -> Result<Self> {
        Ok(Self { btree: table.btree, heap: LocalHeap::read_at(file, table.heap)? })
    }

    /// The link called `name`, found by descent.
    pub(crate) fn find(&self, file: &File, name: &[u8]) -> Result<Option<Link>> {
        let mut address = self.btree;
        let mut parent: Option<u8> = None;
        loop {
            let node = node(file, address, parent)?;
            // The links of child n come after key n, and up to key n + 1 which is among them.
            let (mut low, mut high) = (0, node.entries);
            while low < high {
                let middle = low.midpoint(high);
                let (key, _) = entry(file, &node, middle + 1)?;
                if self.heap.string(key)? < name { low = middle + 1 } else { high = middle }
            }
            if low >= node.entries {
                return Ok(None);
            }
            let (_, child) = entry(file, &node, low)?;
            let child = child.ok_or_else(|| broken(node.body.at, "child address"))?;
            if node.level > 0 {
                parent = Some(node.level);
                address = child;
                continue;
            }
            let leaf = SymbolNode::read_at(file, child)?;
            for entry in leaf.entries(file) {
                let entry = entry?;
                if self.heap.string(entry.name)? == name {
                    return self.link(&entry).map(Some);
                }
            }
            return Ok(None);
        }
    }

    /// Calls `visit` for each link, in the order of names.
    pub(crate) fn for_each(
        &self,
        file: &File,
        visit: &mut impl FnMut(Link) -> Result<()>,
    ) -> Result<()> {
        self.walk(file, self.btree, None, &mut Visited::default(), visit)
    }

    fn walk(
        &self,
        file: &File,
        address: Address,
        parent: Option<u8>,
        visited: &mut Visited,
        visit: &mut impl FnMut(Link) -> Result<()>,
    ) -> Result<()> {
        visited.visit(file, address)?;
        let node = node(file, address, parent)?;
        for n in 0..node.entries {
            let (_, child) = entry(file, &node, n)?;
            let child = child.ok_or_else(|| broken(node.body.at, "child address"))?;
            if node.level > 0 {
                self.walk(file, child, Some(node.level), visited, visit)?;
                continue;
            }
            visited.visit(file, child)?;
            for entry in SymbolNode::read_at(file, child)?.entries(file) {
                visit(self.link(&entry?)?)?;
            }
        }
        Ok(())
    }

    fn link(&self, entry: &SymbolEntry) -> Result<Link> {
        let target = match entry.soft {
            Some(value) => LinkTarget::Soft(self.heap.keep(value)?.data),
            None => LinkTarget::Hard(ObjectAddress(entry.header)),
        };
        let name = Name(self.heap.keep(entry.name)?.data);
        Ok(Link { name, target, creation_order: None })
    }
}

fn node(file: &File, address: Address, parent: Option<u8>) -> Result<Node> {
    let node = Node::read_at(file, address, GROUP, file.sizes().lengths.into())?;
    file.limits().ask_depth("levels of a B-tree", node.level.into())?;
    // Levels fall by one, so that a descent ends.
    if parent.is_some_and(|parent| node.level.checked_add(1) != Some(parent)) {
        return Err(broken(node.body.at, "node level"));
    }
    Ok(node)
}

/// Key `n`, and child `n` behind all but the last key.
fn entry(file: &File, node: &Node, n: u16) -> Result<(u64, Option<Address>)> {
    let sizes = file.sizes();
    let tail = node.key(n, sizes.lengths.into(), sizes.offsets);
    let parsed: Parsed<'_, u64> = sizes.length(&tail.data);
    let (rest, key) = parsed.map_err(|_| broken(tail.at, "key"))?;
    let child = if n < node.entries { sizes.address(rest).map_or(None, |(_, a)| a) } else { None };
    Ok((key, child))
}

/// Up to 2k links.
struct SymbolNode {
    entries: Block,
    number: u16,
}

/// "Symbol Table Entry".
struct SymbolEntry {
    /// Where the name lies in the local heap.
    name: u64,
    header: Address,
    /// Where the path of a soft link lies in the local heap.
    soft: Option<u64>,
}

impl SymbolNode {
    const HEAD: u64 = 8;

    fn read_at(file: &File, address: Address) -> Result<Self> {
        let start = file.read(address, Self::HEAD)?;
        let Self { number, .. } = Self::read(&start, file.sizes())?;
        let len = u64::from(number) * entry_len(file) as u64;
        let whole = file.read(address, Self::HEAD + len)?;
        let entries =
            Block { at: whole.at + Self::HEAD, data: whole.data.slice(start.data.len()..) };
        Ok(Self { entries, number })
    }

    fn entries(&self, file: &File) -> impl Iterator<Item = Result<SymbolEntry>> {
        let (len, sizes) = (entry_len(file), file.sizes());
        (0..usize::from(self.number)).map(move |n| {
            let entry = self.entries.slice(n * len, len);
            SymbolEntry::read(&entry.unwrap_or_else(|| self.entries.clone()), sizes)
        })
    }
}

fn entry_len(file: &File) -> usize {
    usize::from(file.sizes().lengths) + usize::from(file.sizes().offsets) + 24
}

impl Structure for SymbolNode {
    const NAME: &'static str = "symbol table node";
    const SPEC: &'static str = "III.B";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, ()) = signature(b"SNOD").parse(i)?;
        let (i, _) = version(1..=1).parse(i)?;
        let (i, _) = field("reserved", le_u8).parse(i)?;
        let (i, number) = field("number of symbols", le_u16).parse(i)?;
        Ok((i, Self { entries: cx.keep_block(i), number }))
    }
}

impl Structure for SymbolEntry {
    const NAME: &'static str = "symbol table entry";
    const SPEC: &'static str = "III.C";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, name) = field("link name offset", |i| cx.sizes.length(i)).parse(i)?;
        let (i, header) = field("object header address", |i| cx.sizes.address(i)).parse(i)?;
        let at = i;
        let (i, cache) = field("cache type", le_u32).parse(i)?;
        let (i, _) = field("reserved", le_u32).parse(i)?;
        let (i, scratch) = field("scratch pad", take(16_usize)).parse(i)?;
        let soft = match cache {
            0 | 1 => None,
            2 => Some(uint(4).parse(scratch)?.1),
            _ => return unsupported(at, "cache type", cache.into()),
        };
        // Soft links have no object.
        let header = match (header, soft) {
            (Some(header), _) => header,
            (None, Some(_)) => Address(0),
            (None, None) => return crate::parse::malformed(at, "object header address"),
        };
        Ok((i, Self { name, header, soft }))
    }
}
