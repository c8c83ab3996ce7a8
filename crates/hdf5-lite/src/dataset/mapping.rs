//! Virtual datasets: HDF5 File Format Specification 3.0, III.F.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use nom::Parser;
use nom::combinator::cond;
use nom::number::complete::{le_u8, le_u32};

use super::Dataset;
use crate::element;
use crate::error::{Error, Result};
use crate::file::File;
use crate::heap::GlobalHeapId;
use crate::message::Dataspace;
use crate::object::text;
use crate::parse::{Context, Parsed, Structure, c_string, field, malformed, verify, version};
use crate::selection::{StoredSelection, UNLIMITED};

/// The sources of a virtual dataset.
struct Mappings(Vec<Mapping>);

/// Elements of one source, or of a series of sources, and where they go.
struct Mapping {
    /// `.` is the file itself; `%b` the number of a block, in either name.
    file: Bytes,
    dataset: Bytes,
    source: StoredSelection,
    target: StoredSelection,
}

impl Mapping {
    /// Whether the names have a number, and so stand for a series.
    fn is_series(&self) -> bool {
        self.target.unlimited_axis().is_some() && self.source.unlimited_axis().is_none()
    }
}

impl Structure for Mappings {
    const NAME: &'static str = "virtual dataset block";
    const SPEC: &'static str = "III.F";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, version) = version(0..=1).parse(i)?;
        let (mut i, number) = field("number of entries", |i| cx.sizes.length(i)).parse(i)?;
        let mut mappings: Vec<Mapping> = Vec::new();
        for _ in 0..number {
            // The flags are of version 1, of HDF5 2.0: names may be those of an earlier entry.
            let (rest, flags) = field("flags", cond(version == 1, le_u8)).parse(i)?;
            let flags = flags.unwrap_or(0);
            let (rest, file) = if flags & SAME_FILE != 0 {
                (rest, Bytes::from_static(b"."))
            } else {
                name(rest, cx, flags & FILE_OF_OTHER != 0, &mappings, |other| &other.file)?
            };
            let of_other = flags & DATASET_OF_OTHER != 0;
            let (rest, dataset) = name(rest, cx, of_other, &mappings, |other| &other.dataset)?;
            let (rest, source) = StoredSelection::parse(rest, cx)?;
            let (rest, target) = StoredSelection::parse(rest, cx)?;
            mappings.push(Mapping { file, dataset, source, target });
            i = rest;
        }
        let (i, _) = field("checksum", le_u32).parse(i)?;
        Ok((i, Self(mappings)))
    }
}

/// Flags of an entry in version 1, as HDF5 2.0 writes them; the specification has none yet.
const FILE_OF_OTHER: u8 = 1;
const DATASET_OF_OTHER: u8 = 2;
const SAME_FILE: u8 = 4;

/// A name, or the number of an earlier entry with that name.
fn name<'a>(
    i: &'a [u8],
    cx: &Context<'_>,
    of_other: bool,
    entries: &[Mapping],
    name: impl Fn(&Mapping) -> &Bytes,
) -> Parsed<'a, Bytes> {
    if !of_other {
        return field("source name", c_string).map(|name| cx.keep(name)).parse(i);
    }
    let (rest, number) = field("entry of a source name", |i| cx.sizes.length(i)).parse(i)?;
    match usize::try_from(number).ok().and_then(|number| entries.get(number)) {
        Some(entry) => Ok((rest, name(entry).clone())),
        None => malformed(i, "entry of a source name"),
    }
}

impl Mappings {
    fn of(file: &File, id: Option<GlobalHeapId>) -> Result<Vec<Mapping>> {
        let Some(id) = id else { return Ok(Vec::new()) };
        let block = file.global_heap(id)?;
        let mappings = Self::read(&block, file.sizes())?;
        verify(&block).map_err(|field| Self::malformed(block.at, field))?;
        Ok(mappings.0)
    }
}

/// Opens sources, each file once.
struct Sources<'d> {
    dataset: &'d Dataset,
    files: HashMap<Bytes, Option<File>>,
}

impl Sources<'_> {
    /// The source of those names; `None` if there is no such file or no such dataset in it.
    fn open(&mut self, file: &Bytes, dataset: &Bytes, block: u64) -> Result<Option<Dataset>> {
        let own = self.dataset.file();
        own.spend(0)?;
        let name = numbered(file, block);
        if !self.files.contains_key(&*name) {
            let opened = if *name == b"."[..] {
                own.nested()
            } else {
                own.other(&text(&name), "a virtual dataset")
            };
            let opened = match opened {
                Ok(file) => Some(file),
                // Without a resolver, nobody has looked.
                Err(Error::Unresolved { .. }) if own.has_resolver() => None,
                Err(error) => return Err(error),
            };
            self.files.insert(Bytes::copy_from_slice(&name), opened);
        }
        let Some(Some(file)) = self.files.get(&*name) else { return Ok(None) };
        match file.dataset(&text(&numbered(dataset, block))) {
            Ok(source) => Ok(Some(source)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// `name` with `%b` replaced by the number of a block, and `%%` by `%`.
fn numbered(name: &[u8], block: u64) -> Cow<'_, [u8]> {
    if !name.contains(&b'%') {
        return Cow::Borrowed(name);
    }
    let mut numbered = Vec::new();
    let mut rest = name;
    loop {
        match rest {
            [b'%', b'b', tail @ ..] => {
                numbered.extend_from_slice(block.to_string().as_bytes());
                rest = tail;
            }
            [b'%', b'%', tail @ ..] => {
                numbered.push(b'%');
                rest = tail;
            }
            [byte, tail @ ..] => {
                numbered.push(*byte);
                rest = tail;
            }
            [] => return Cow::Owned(numbered),
        }
    }
}

/// Sources of a series end at the first that is not there.
fn series_len(sources: &mut Sources<'_>, mapping: &Mapping) -> Result<u64> {
    let limit = sources.dataset.file().limits().entries;
    let mut number = 0;
    while number < limit && sources.open(&mapping.file, &mapping.dataset, number)?.is_some() {
        number += 1;
        // Names without a number are the same source again and again.
        if !mapping.file.contains(&b'%') && !mapping.dataset.contains(&b'%') {
            return Ok(number);
        }
    }
    Ok(number)
}

/// The extent that the sources give a virtual dataset: as far as the last element that one has.
pub(super) fn extent(dataset: &Dataset, id: Option<GlobalHeapId>) -> Result<Dataspace> {
    let mappings = Mappings::of(dataset.file(), id)?;
    let mut sources = Sources { dataset, files: HashMap::new() };
    extent_of(dataset, &mappings, &mut sources)
}

fn extent_of(
    dataset: &Dataset,
    mappings: &[Mapping],
    sources: &mut Sources<'_>,
) -> Result<Dataspace> {
    let mut space = dataset.inner.space.clone();
    let rank = space.dims.len();
    let mut found: Vec<Option<u64>> = vec![None; rank];
    let mut least = vec![0; rank];
    for mapping in mappings {
        for (least, end) in least.iter_mut().zip(mapping.target.ends(rank)) {
            *least = end.max(*least);
        }
        let Some((axis, target)) = mapping.target.unlimited_axis() else { continue };
        let len = if let Some((source_axis, source)) = mapping.source.unlimited_axis() {
            let opened = sources.open(&mapping.file, &mapping.dataset, 0)?;
            let extent = opened.map(|source| source.extent()).transpose()?;
            let len = extent.and_then(|extent| extent.dims.get(source_axis).copied());
            target.extent_of(source.slices(len.unwrap_or(0)))
        } else {
            let blocks = series_len(sources, mapping)?;
            target.extent_of(blocks.saturating_mul(target.block))
        };
        if let Some(found) = found.get_mut(axis) {
            *found = Some(found.unwrap_or(0).max(len));
        }
    }
    for ((dim, found), least) in space.dims.iter_mut().zip(found).zip(least) {
        if let Some(found) = found {
            *dim = found.max(least);
        }
    }
    Ok(space)
}

/// Rows of a virtual dataset: what lies at a range of positions on its first axis.
pub(super) struct Rows {
    pub(super) bytes: Bytes,
    /// The extent of the whole dataset.
    pub(super) space: Dataspace,
    /// The position of the first row on the first axis, and their number; 0 and 1 without axes.
    pub(super) first: u64,
    pub(super) number: u64,
}

/// The rows of a virtual dataset that reach into `bounds`, the first and last position wanted on
/// each axis; all of them if there are no bounds. Sources outside of them are not read.
pub(super) fn read(
    dataset: &Dataset,
    id: Option<GlobalHeapId>,
    bounds: &[(u64, u64)],
) -> Result<Rows> {
    let mappings = Mappings::of(dataset.file(), id)?;
    let mut sources = Sources { dataset, files: HashMap::new() };
    let space = extent_of(dataset, &mappings, &mut sources)?;
    let size = dataset.datatype().size();
    let len = space.dims.first().copied().unwrap_or(1);
    let (first, end) = bounds
        .first()
        .map_or((0, len), |(low, high)| (len.min(*low), len.min(high.saturating_add(1))));
    let number = end.saturating_sub(first);
    let row = space.dims.iter().skip(1).try_fold(size as u64, |n, len| n.checked_mul(*len));
    let wanted = row.and_then(|row| row.checked_mul(number)).unwrap_or(u64::MAX);
    let before = (row.unwrap_or(0) / (size as u64).max(1)).saturating_mul(first);
    // What the sources store is not known here; each of them is asked in turn.
    let mut elements: Vec<u8> = dataset.filled(wanted, wanted)?;
    let mut to = Target { dataset, space: &space, before, elements: &mut elements };
    for mapping in mappings.iter().filter(|mapping| mapping.target.may_reach(bounds)) {
        let series = mapping.target.unlimited_axis().filter(|_| mapping.is_series());
        let Some((axis, target)) = series else {
            if let Some(source) = sources.open(&mapping.file, &mapping.dataset, 0)? {
                copy(&source, &mapping.source, &mapping.target, &mut to)?;
            }
            continue;
        };
        for block in 0..series_len(&mut sources, mapping)? {
            let start = target.start.saturating_add(block.saturating_mul(target.stride));
            let one = crate::selection::Hyperslab { start, count: 1, ..target };
            let target = mapping.target.with_axis(axis, one);
            if !target.may_reach(bounds) {
                continue;
            }
            let Some(source) = sources.open(&mapping.file, &mapping.dataset, block)? else { break };
            copy(&source, &mapping.source, &target, &mut to)?;
        }
    }
    Ok(Rows { bytes: elements.into(), space, first, number })
}

/// Where the elements of a virtual dataset go.
struct Target<'d> {
    dataset: &'d Dataset,
    space: &'d Dataspace,
    /// Elements before the first of those wanted.
    before: u64,
    elements: &'d mut [u8],
}

/// Copies the elements `from` of `source` to the places `to`, as far as they are wanted.
fn copy(
    source: &Dataset,
    from: &StoredSelection,
    to: &StoredSelection,
    Target { dataset, space, before, elements }: &mut Target<'_>,
) -> Result<()> {
    let limits = dataset.file().limits();
    let size = dataset.datatype().size();
    source.file().spend((source.elements().unwrap_or(UNLIMITED)).saturating_mul(size as u64))?;
    let (bytes, extent) = source.bytes_and_extent()?;
    let bytes = if source.datatype() == dataset.datatype() {
        bytes
    } else {
        let converted = element::convert(source.datatype(), dataset.datatype(), &bytes);
        converted.transpose()?.map(Bytes::from).ok_or_else(|| Error::WrongType {
            place: source.path().into(),
            wanted: "of the virtual dataset's type",
            found: format!("of {} type", source.datatype().class()),
        })?
    };
    let wanted_len = (elements.len() / size.max(1)) as u64;
    let mut places = to.runs(&space.dims, limits)?;
    let mut place = places.next();
    for (mut start, mut len) in from.runs(&extent.dims, limits)? {
        while len > 0 {
            let Some((to, room)) = place else { return Ok(()) };
            let mut step = len.min(room);
            // A run can begin before the elements wanted, and end behind them.
            if to < *before {
                step = step.min(*before - to);
            }
            let wanted = to.checked_sub(*before);
            let range = |start: u64, step: u64| {
                let start = usize::try_from(start).ok()?.checked_mul(size)?;
                Some(start..start.checked_add(usize::try_from(step).ok()?.checked_mul(size)?)?)
            };
            let inside = wanted.map_or(0, |at| step.min(wanted_len.saturating_sub(at)));
            let from = range(start, inside).and_then(|range| bytes.get(range));
            let to_bytes = range(wanted.unwrap_or(0), inside);
            let to_bytes = to_bytes.and_then(|range| elements.get_mut(range));
            if let (Some(from), Some(to)) = (from, to_bytes) {
                to.copy_from_slice(from);
            }
            (start, len) = (start + step, len - step);
            place = if step == room { places.next() } else { Some((to + step, room - step)) };
        }
    }
    Ok(())
}

#[test]
fn names_of_a_series_have_numbers() {
    assert_eq!(*numbered(b"f-%b.h5", 12), b"f-12.h5"[..]);
    assert_eq!(*numbered(b"100%%", 1), b"100%"[..]);
    assert_eq!(*numbered(b"plain", 1), b"plain"[..]);
}
