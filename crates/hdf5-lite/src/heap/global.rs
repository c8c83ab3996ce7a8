//! Global heap: HDF5 File Format Specification 3.0, III.E.

use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{le_u16, le_u32};

use crate::error::Result;
use crate::file::File;
use crate::limits::Limits;
use crate::out::Out;
use crate::parse::{Address, Context, Parsed, Structure, bytes, field, signature, version};
use crate::storage::Block;

/// "Global Heap ID".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GlobalHeapId {
    pub(crate) collection: Address,
    pub(crate) index: u32,
}

/// One collection: where in its bytes each object lies.
#[derive(Debug)]
pub(crate) struct Collection {
    block: Block,
    /// Index, start and length; ordered by index.
    objects: Vec<(u16, usize, usize)>,
}

struct Header {
    size: u64,
}

/// `H5HG_MINSIZE` of the C library: bytes of a collection of small objects.
const COLLECTION: usize = 4096;

/// Bytes before the objects of a collection, and before each object.
const HEAD: usize = 16;

/// Collections being filled. Addresses count from the first one until it has a place.
#[derive(Clone, Debug, Default)]
pub(crate) struct GlobalHeap {
    collections: Vec<Filling>,
    /// The one that small objects go to.
    open: Option<usize>,
    len: u64,
}

#[derive(Clone, Debug)]
struct Filling {
    start: u64,
    size: usize,
    used: usize,
    objects: Vec<Vec<u8>>,
}

/// What a heap had at a time.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    collections: usize,
    /// Of the collection that small objects went to: its place, start, bytes in use and objects.
    open: Option<(usize, u64, usize, usize)>,
    len: u64,
}

impl Mark {
    /// Whether an object was there.
    pub(crate) fn has(&self, id: GlobalHeapId) -> bool {
        let index = usize::try_from(id.index).unwrap_or(usize::MAX);
        match self.open {
            Some((_, start, _, objects)) if start == id.collection.0 => index <= objects,
            _ => id.collection.0 < self.len,
        }
    }
}

impl GlobalHeap {
    /// Adds an object; says where it will be, counted from the start of the first collection.
    pub(crate) fn add(&mut self, object: Vec<u8>) -> GlobalHeapId {
        let len = HEAD + object.len().next_multiple_of(8);
        let open = self.open.filter(|open| {
            self.collections.get(*open).is_some_and(|one| {
                one.used + len <= one.size && one.objects.len() < usize::from(u16::MAX)
            })
        });
        let at = open.unwrap_or_else(|| {
            let size = COLLECTION.max(HEAD + len);
            let start = self.len;
            self.collections.push(Filling { start, size, used: HEAD, objects: Vec::new() });
            self.len += size as u64;
            let new = self.collections.len() - 1;
            // A collection that one object fills leaves the other one open.
            if size == COLLECTION {
                self.open = Some(new);
            }
            new
        });
        let Some(one) = self.collections.get_mut(at) else {
            return GlobalHeapId { collection: Address(0), index: 0 };
        };
        one.used += len;
        one.objects.push(object);
        // No more than 65,535.
        let index = u32::try_from(one.objects.len()).unwrap_or(0);
        GlobalHeapId { collection: Address(one.start), index }
    }

    /// What there is now.
    pub(crate) fn mark(&self) -> Mark {
        let open = self.open.and_then(|open| Some((open, self.collections.get(open)?)));
        let open = open.map(|(open, one)| (open, one.start, one.used, one.objects.len()));
        Mark { collections: self.collections.len(), open, len: self.len }
    }

    /// Drops what was added since.
    pub(crate) fn back_to(&mut self, mark: Mark) {
        self.collections.truncate(mark.collections);
        self.open = mark.open.map(|(open, ..)| open);
        self.len = mark.len;
        if let Some((open, _, used, objects)) = mark.open
            && let Some(one) = self.collections.get_mut(open)
        {
            one.used = used;
            one.objects.truncate(objects);
        }
    }

    /// The collections, each object as `finish` makes it: it may not become longer or shorter.
    pub(crate) fn write(
        &self,
        mut finish: impl FnMut(GlobalHeapId, &mut [u8]) -> Result<()>,
    ) -> Result<Vec<u8>> {
        let mut out = Out::default();
        for one in &self.collections {
            let end = out.len() + one.size;
            out.bytes(b"GCOL");
            out.bytes(&[1, 0, 0, 0]);
            out.length(one.size as u64);
            for (index, object) in (1_u16..).zip(&one.objects) {
                out.u16(index);
                out.u16(1);
                out.zeros(4);
                out.length(object.len() as u64);
                let mut object = object.clone();
                let id = GlobalHeapId { collection: Address(one.start), index: index.into() };
                finish(id, &mut object)?;
                out.bytes(&object);
                out.zeros(object.len().next_multiple_of(8) - object.len());
            }
            // Object 0 is the free space, its head included.
            let free = end.saturating_sub(out.len());
            if free >= HEAD {
                out.zeros(8);
                out.length(free as u64);
            }
            out.pad_to(end);
        }
        Ok(out.into_bytes())
    }
}

impl Collection {
    pub(crate) fn read_at(file: &File, address: Address) -> Result<Self> {
        let start = file.read_up_to(address, 16)?;
        let Header { size } = Header::read(&start, file.sizes())?;
        Limits::ask("bytes of a global heap collection", size, file.limits().read_bytes)?;
        Self::read(&file.read(address, size)?, file.sizes())
    }

    /// The object `index`.
    pub(crate) fn object(&self, index: u32) -> Result<Block> {
        let found = self.objects.binary_search_by_key(&index, |(index, ..)| (*index).into());
        let object = found.ok().and_then(|at| self.objects.get(at));
        object
            .and_then(|(_, start, len)| self.block.slice(*start, *len))
            .ok_or_else(|| Self::malformed(self.block.at, "no object of the index asked for"))
    }
}

impl Structure for Header {
    const NAME: &'static str = "global heap collection";
    const SPEC: &'static str = "III.E";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, ()) = signature(b"GCOL").parse(i)?;
        let (i, _) = version(1..=1).parse(i)?;
        let (i, _) = field("reserved", take(3_usize)).parse(i)?;
        let (i, size) = field("collection size", |i| cx.sizes.length(i)).parse(i)?;
        Ok((i, Self { size }))
    }
}

impl Structure for Collection {
    const NAME: &'static str = Header::NAME;
    const SPEC: &'static str = Header::SPEC;

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let whole = i.len();
        let (i, _) = Header::parse(i, cx)?;
        // Heads of collections and objects are padded to eight bytes, should lengths be shorter.
        let head = 8 + usize::from(cx.sizes.lengths);
        let smallest = head.next_multiple_of(8);
        let pad = || field("padding", take(smallest - head));
        let (mut i, _) = pad().parse(i)?;
        let mut objects = Vec::new();
        while i.len() >= smallest {
            let (rest, (index, _, _)) = field("heap object", (le_u16, le_u16, le_u32)).parse(i)?;
            let (rest, size) = field("object size", |i| cx.sizes.length(i)).parse(rest)?;
            // Object 0 is the free space, to the end.
            if index == 0 {
                break;
            }
            let (rest, _) = pad().parse(rest)?;
            let start = whole - rest.len();
            let (rest, object) = field("object data", bytes(size)).parse(rest)?;
            objects.push((index, start, object.len()));
            let padding = (object.len().next_multiple_of(8) - object.len()).min(rest.len());
            (i, _) = field("padding", take(padding)).parse(rest)?;
        }
        objects.sort_unstable();
        Ok((i, Self { block: cx.whole(), objects }))
    }
}

#[test]
fn what_was_added_is_taken_back() {
    let mut heap = GlobalHeap::default();
    let before = [5, 10_000, 100].map(|len| heap.add(vec![1; len]));
    let (mark, bytes) = (heap.mark(), heap.write(|_, _| Ok(())).unwrap());
    let after = [7, 10_000, 3000, 3000].map(|len| heap.add(vec![2; len]));
    assert!(before.iter().all(|id| mark.has(*id)) && !after.iter().any(|id| mark.has(*id)));
    heap.back_to(mark);
    assert_eq!(heap.write(|_, _| Ok(())).unwrap(), bytes);
    assert_eq!(heap.add(vec![3; 7]), after[0]);
}

#[test]
fn what_is_written_is_read() {
    use crate::out::SIZES;
    let mut heap = GlobalHeap::default();
    // Small ones, one that needs a collection of its own, and small ones again.
    let lens = [5, 8, 1000, 10_000, 0, 3000, 16];
    let objects = lens.map(|len| vec![u8::try_from(len % 251).unwrap(); len]);
    let ids = objects.clone().map(|object| heap.add(object));
    assert_eq!(ids[2].collection, ids[4].collection);
    let bytes = heap.write(|_, _| Ok(())).unwrap();
    assert_eq!(bytes.len() as u64, heap.len);
    for (id, object) in ids.iter().zip(&objects) {
        let start = usize::try_from(id.collection.0).unwrap();
        let size = u64::from_le_bytes(bytes[start + 8..start + 16].try_into().unwrap());
        let end = start + usize::try_from(size).unwrap();
        let data = bytes::Bytes::copy_from_slice(&bytes[start..end]);
        let read = Collection::read(&Block { at: 0, data }, SIZES).unwrap();
        assert_eq!(read.object(id.index).unwrap().data, object[..]);
    }
}
