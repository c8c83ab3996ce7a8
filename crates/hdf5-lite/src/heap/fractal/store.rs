//! A fractal heap being written (III.G): objects go into direct blocks one after the other, in
//! the order of the doubling table.

use super::header::{Header, Statistics};
use crate::btree::{HugeObject, v2};
use crate::checksum::lookup3;
use crate::error::{Error, Result};
use crate::out::{Out, Space};
use crate::parse::{Address, Structure};

/// What a heap is for; each kind has the C library's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `H5G_FHEAP_*`.
    Links,
    /// `H5O_FHEAP_*`.
    Attributes,
}

/// Larger objects get a place of their own.
const MAX_MANAGED: u32 = 4096;

struct Filling<'o, 's> {
    header: Header,
    /// Where the header will be.
    at: Address,
    /// Objects that wait for a block, with their numbers, the first one last.
    waiting: Vec<(usize, &'o [u8])>,
    /// The heap ID of each object.
    ids: Vec<Vec<u8>>,
    statistics: Statistics,
    space: &'s mut Space,
}

/// Writes a heap of `objects`. Says where its header is, and the ID of each object.
pub(crate) fn store(
    kind: Kind,
    objects: &[&[u8]],
    space: &mut Space,
) -> Result<(Address, Vec<Vec<u8>>)> {
    let (id_len, start_block, max_heap_bits) = match kind {
        Kind::Links => (7, 512, 32),
        Kind::Attributes => (8, 1024, 40),
    };
    let header = Header {
        id_len,
        checksummed: true,
        max_managed: MAX_MANAGED,
        huge_index: None,
        table_width: 4,
        start_block,
        max_direct: 1 << 16,
        max_heap_bits,
        root: None,
        root_rows: 0,
        filtered: None,
    };
    let at = space.reserve(header.to_bytes(&Statistics::default()).len());
    let objects = objects.iter().copied().enumerate();
    let (mut waiting, huge): (Vec<_>, Vec<_>) =
        objects.partition(|(_, object)| object.len() <= MAX_MANAGED as usize);
    waiting.reverse();
    let ids = vec![Vec::new(); waiting.len() + huge.len()];
    let statistics = Statistics::default();
    let mut heap = Filling { header, at, waiting, ids, statistics, space };
    heap.huge(&huge)?;
    heap.managed()?;
    let header = heap.header.to_bytes(&heap.statistics);
    let ids = heap.ids;
    space.fill(at, &header);
    Ok((at, ids))
}

impl Filling<'_, '_> {
    /// Objects with a place of their own, and the B-tree that lists them by number.
    fn huge(&mut self, objects: &[(usize, &[u8])]) -> Result<()> {
        let mut records = Vec::new();
        for ((n, object), key) in objects.iter().zip(1..) {
            let (address, length) = (self.space.put(object), object.len() as u64);
            records.push(HugeObject { address, length, filtered: None }.to_record(key));
            let mut id = Out::default();
            id.u8(1 << 4);
            id.uint(key, usize::from(self.header.id_len).saturating_sub(1));
            self.set_id(*n, id);
            self.statistics.huge_bytes += length;
        }
        self.statistics.huge_objects = records.len() as u64;
        if !records.is_empty() {
            let (kind, len) = (HugeObject::BY_NUMBER, HugeObject::BY_NUMBER_LEN);
            self.header.huge_index = Some(v2::write(kind, len, &records, self.space)?);
        }
        Ok(())
    }

    /// The managed objects: one direct block if it holds them all, or an indirect one.
    fn managed(&mut self) -> Result<()> {
        let wanted: usize = self.waiting.iter().map(|(_, object)| object.len()).sum();
        if wanted == 0 {
            return Ok(());
        }
        self.statistics.managed_objects = self.waiting.len() as u64;
        let start_block = self.header.start_block;
        if self.prefix_len() + wanted as u64 <= start_block {
            self.header.root = self.direct(0, start_block);
            self.statistics.space = start_block;
            // Blocks are counted from the first indirect block on.
            self.statistics.next_block = 0;
            return Ok(());
        }
        let max_rows = self.header.rows_of(1 << self.header.max_heap_bits).unwrap_or(0);
        let (root, rows) = self.indirect(0, max_rows, true);
        if !self.waiting.is_empty() {
            let (structure, field) = (Header::NAME, "maximum heap size");
            return Err(Error::TooLarge { structure, field, value: wanted as u64 });
        }
        self.header.root = Some(root);
        self.header.root_rows = u16::try_from(rows).unwrap_or(u16::MAX);
        self.statistics.space = self.header.row_start(rows).unwrap_or(0);
        Ok(())
    }

    /// Signature, version, address of the heap, offset of the block, checksum.
    fn prefix_len(&self) -> u64 {
        5 + 8 + self.header.offset_len() as u64 + 4
    }

    /// The block of `size` bytes at `offset` of the heap's space, with as many objects as it
    /// holds; none if the next one does not fit.
    fn direct(&mut self, offset: u64, size: u64) -> Option<Address> {
        // No block is larger than 64 KiB.
        let size = usize::try_from(size).ok()?;
        let mut out = self.prefix(b"FHDB", offset);
        let sum_at = out.len();
        out.zeros(4);
        let start = out.len();
        while let Some((n, object)) = self.waiting.pop() {
            if out.len() + object.len() > size {
                self.waiting.push((n, object));
                break;
            }
            let mut id = Out::default();
            id.u8(0);
            id.uint(offset + out.len() as u64, self.header.offset_len());
            id.uint(object.len() as u64, self.header.length_len());
            self.set_id(n, id);
            out.bytes(object);
        }
        if out.len() == start {
            return None;
        }
        self.statistics.allocated += size as u64;
        self.statistics.free += (size - out.len()) as u64;
        self.statistics.next_block = offset + size as u64;
        out.pad_to(size);
        let mut block = out.into_bytes();
        // Computed with zeros in its place.
        let sum = lookup3(&block).to_le_bytes();
        block.iter_mut().skip(sum_at).zip(sum).for_each(|(to, from)| *to = from);
        Some(self.space.put(&block))
    }

    /// The block with `rows` rows of children at `offset` of the heap's space. The root has only
    /// as many as it needs. Says how many that are.
    fn indirect(&mut self, offset: u64, rows: u32, is_root: bool) -> (Address, u32) {
        let mut children = Vec::new();
        let mut row = 0;
        while row < rows && !(is_root && self.waiting.is_empty()) {
            let size = self.header.row_size(row).unwrap_or(u64::MAX);
            let start = self.header.row_start(row).unwrap_or(u64::MAX);
            for column in 0..u64::from(self.header.table_width) {
                let at = offset.saturating_add(start).saturating_add(column.saturating_mul(size));
                let child = match self.header.rows_of(size) {
                    _ if self.waiting.is_empty() => None,
                    _ if size <= self.header.max_direct => self.direct(at, size),
                    below => Some(self.indirect(at, below.unwrap_or(0), false).0),
                };
                if child.is_none() {
                    self.statistics.free += self.room(size);
                }
                children.push(child);
            }
            row += 1;
        }
        let mut out = self.prefix(b"FHIB", offset);
        children.iter().for_each(|child| out.address(*child));
        out.checksum();
        (self.space.put(&out.into_bytes()), row)
    }

    /// What objects could have of a child of `size` bytes.
    fn room(&self, size: u64) -> u64 {
        if size <= self.header.max_direct {
            return size.saturating_sub(self.prefix_len());
        }
        let rows = 0..self.header.rows_of(size).unwrap_or(0);
        let row = |row| self.room(self.header.row_size(row).unwrap_or(0));
        rows.map(row).sum::<u64>().saturating_mul(self.header.table_width.into())
    }

    fn prefix(&self, signature: &[u8], offset: u64) -> Out {
        let mut out = Out::default();
        out.bytes(signature);
        out.u8(0);
        out.address(Some(self.at));
        out.uint(offset, self.header.offset_len());
        out
    }

    fn set_id(&mut self, n: usize, mut id: Out) {
        id.pad_to(self.header.id_len.into());
        if let Some(place) = self.ids.get_mut(n) {
            *place = id.into_bytes();
        }
    }
}
