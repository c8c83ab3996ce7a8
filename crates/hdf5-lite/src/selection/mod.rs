//! Selections as stored by virtual datasets and region references: HDF5 File Format
//! Specification 3.0, VIII.A, "Dataspace Selection".

mod runs;

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::verify;
use nom::multi::count;
use nom::number::complete::{le_u8, le_u32};

use runs::{Product, Runs, of_blocks, offset_of};

use crate::dataset::Axis;
use crate::error::Result;
use crate::limits::Limits;
use crate::parse::{Context, Parsed, Structure, field, malformed, uint, unsupported};

/// `H5S_MAX_RANK` of the C library.
const MAX_RANK: u32 = 32;

/// `H5S_UNLIMITED` as a count or a block: as much as there is.
pub(crate) const UNLIMITED: u64 = u64::MAX;

/// The elements of a dataspace that are meant, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoredSelection {
    None,
    All,
    /// Coordinates of each point.
    Points(Vec<Vec<u64>>),
    Regular(Vec<Hyperslab>),
    /// First and last coordinates of each block.
    Blocks(Vec<(Vec<u64>, Vec<u64>)>),
}

/// One axis of a regular hyperslab; `count` or `block` may be [`UNLIMITED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hyperslab {
    pub(crate) start: u64,
    pub(crate) stride: u64,
    pub(crate) count: u64,
    pub(crate) block: u64,
}

impl Hyperslab {
    fn is_unlimited(self) -> bool {
        self.count == UNLIMITED || self.block == UNLIMITED
    }

    /// Whether the blocks touch, or there is but one without end.
    fn is_solid(self) -> bool {
        self.block == UNLIMITED || self.block == self.stride
    }

    /// Selected positions on an axis of `len`.
    pub(crate) fn slices(self, len: u64) -> u64 {
        let Some(room) = len.checked_sub(self.start).filter(|room| *room > 0) else { return 0 };
        if self.is_solid() {
            return room;
        }
        let count = room.div_ceil(self.stride);
        // The last block may be cut.
        let end = (count - 1).saturating_mul(self.stride).saturating_add(self.block);
        count.saturating_mul(self.block).saturating_sub(end.saturating_sub(room))
    }

    /// Length of the axis on which there are `slices` selected positions.
    pub(crate) fn extent_of(self, slices: u64) -> u64 {
        if slices == 0 {
            return 0;
        }
        if self.is_solid() {
            return self.start.saturating_add(slices);
        }
        let (count, rest) = (slices / self.block, slices % self.block);
        let whole = if rest > 0 { (count, rest) } else { (count - 1, self.block) };
        self.start.saturating_add(whole.0.saturating_mul(self.stride)).saturating_add(whole.1)
    }

    /// First and length of each block, cut at `len`.
    fn intervals(self, len: u64) -> impl Iterator<Item = (u64, u64)> {
        let count = if self.block == UNLIMITED { 1 } else { self.count };
        (0..count)
            .map_while(move |n| n.checked_mul(self.stride)?.checked_add(self.start))
            .take_while(move |start| *start < len)
            .map(move |start| (start, self.block.min(len - start)))
    }
}

impl StoredSelection {
    /// The same as axes of one hyperslab with an end, if it is one.
    pub(crate) fn axes(&self) -> Option<Vec<Axis>> {
        match self {
            Self::Regular(axes) if !axes.iter().any(|axis| axis.is_unlimited()) => {
                let same = |slab: &Hyperslab| Axis {
                    start: slab.start,
                    stride: slab.stride,
                    count: Some(slab.count),
                    block: slab.block,
                };
                Some(axes.iter().map(same).collect())
            }
            Self::Blocks(blocks) => match blocks.as_slice() {
                [(first, last)] => {
                    let axis =
                        |(first, last): (&u64, &u64)| (*first..last.saturating_add(1)).into();
                    Some(first.iter().zip(last).map(axis).collect())
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The axis along which there is no end, if any.
    pub(crate) fn unlimited_axis(&self) -> Option<(usize, Hyperslab)> {
        let Self::Regular(axes) = self else { return None };
        axes.iter().copied().enumerate().find(|(_, axis)| axis.is_unlimited())
    }

    /// The selection with `axis` replaced.
    pub(crate) fn with_axis(&self, at: usize, axis: Hyperslab) -> Self {
        let mut changed = self.clone();
        if let Self::Regular(axes) = &mut changed
            && let Some(place) = axes.get_mut(at)
        {
            *place = axis;
        }
        changed
    }

    /// Whether an element within `bounds`, the first and last position on each axis, may be
    /// selected. A no is certain.
    pub(crate) fn may_reach(&self, bounds: &[(u64, u64)]) -> bool {
        let inside = |first: u64, end: u64, axis: usize| {
            bounds.get(axis).is_none_or(|(low, high)| first <= *high && end > *low)
        };
        match self {
            Self::None => false,
            Self::All => true,
            Self::Points(points) => points.iter().any(|point| {
                point.iter().enumerate().all(|(axis, at)| inside(*at, at.saturating_add(1), axis))
            }),
            Self::Blocks(blocks) => blocks.iter().any(|(first, last)| {
                let ends = first.iter().zip(last).enumerate();
                ends.into_iter().all(|(axis, (a, b))| inside(*a, b.saturating_add(1), axis))
            }),
            Self::Regular(axes) => axes.iter().enumerate().all(|(n, axis)| {
                let before = axis.stride.saturating_mul(axis.count.saturating_sub(1));
                let end = axis.start.saturating_add(before).saturating_add(axis.block);
                inside(axis.start, end, n)
            }),
        }
    }

    /// One more than the last coordinate along each axis, where the selection has an end.
    pub(crate) fn ends(&self, rank: usize) -> Vec<u64> {
        let mut ends = vec![0; rank];
        let mut reach = |axis: usize, end: u64| {
            if let Some(place) = ends.get_mut(axis) {
                *place = end.max(*place);
            }
        };
        match self {
            Self::None | Self::All => {}
            Self::Points(points) => {
                for point in points {
                    point.iter().enumerate().for_each(|(n, at)| reach(n, at.saturating_add(1)));
                }
            }
            Self::Blocks(blocks) => {
                for (_, last) in blocks {
                    last.iter().enumerate().for_each(|(n, at)| reach(n, at.saturating_add(1)));
                }
            }
            Self::Regular(axes) => {
                for (n, axis) in axes.iter().enumerate().filter(|(_, axis)| !axis.is_unlimited()) {
                    let before = axis.stride.saturating_mul(axis.count.saturating_sub(1));
                    reach(n, axis.start.saturating_add(before).saturating_add(axis.block));
                }
            }
        }
        ends
    }

    /// The selected elements of an extent as runs of consecutive elements, in the order of the
    /// selection. What lies beyond the extent is left out.
    pub(crate) fn runs(&self, extent: &[u64], limits: &Limits) -> Result<Runs> {
        let whole: Vec<Hyperslab>;
        let axes = match self {
            Self::None => return Ok(Runs::List(Vec::new().into_iter())),
            Self::Points(points) => {
                let offsets = points.iter().filter_map(|point| offset_of(point, extent));
                let runs: Vec<_> = offsets.map(|at| (at, 1)).collect();
                return Ok(Runs::List(runs.into_iter()));
            }
            Self::Blocks(blocks) => return of_blocks(blocks, extent, limits),
            Self::Regular(axes) => axes,
            Self::All => {
                let all = |len: &u64| Hyperslab { start: 0, stride: 1, count: 1, block: *len };
                whole = extent.iter().map(all).collect();
                &whole
            }
        };
        Product::new(axes, extent, limits).map(Runs::Product)
    }
}

impl Structure for StoredSelection {
    const NAME: &'static str = "dataspace selection";
    const SPEC: &'static str = "VIII.A";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let at = i;
        let (i, kind) = field("selection type", le_u32).parse(i)?;
        let (i, version) = field("selection version", le_u32).parse(i)?;
        match (kind, version) {
            (0, 1) => field("reserved", take(8_usize)).map(|_| Self::None).parse(i),
            (1, 1) => {
                let (i, _) = field("length", take(8_usize)).parse(i)?;
                points(i, 4)
            }
            (1, 2) => {
                let (i, width) = width(i)?;
                points(i, width)
            }
            (2, 1) => {
                let (i, _) = field("length", take(8_usize)).parse(i)?;
                let (i, rank) = rank(i)?;
                blocks(i, rank, 4)
            }
            (2, 2) => {
                let (i, _) = field("flags and length", take(5_usize)).parse(i)?;
                let (i, rank) = rank(i)?;
                regular(i, rank, 8)
            }
            (2, 3) => {
                let (i, flags) = field("flags", le_u8).parse(i)?;
                let (i, width) = width(i)?;
                let (i, rank) = rank(i)?;
                if flags & 1 != 0 { regular(i, rank, width) } else { blocks(i, rank, width) }
            }
            (3, 1) => field("reserved", take(8_usize)).map(|_| Self::All).parse(i),
            (0..=3, _) => unsupported(at, "selection version", version.into()),
            _ => unsupported(at, "selection type", kind.into()),
        }
    }
}

fn width(i: &[u8]) -> Parsed<'_, usize> {
    let widths = verify(le_u8, |width| matches!(width, 2 | 4 | 8));
    field("encode size", widths).map(usize::from).parse(i)
}

fn rank(i: &[u8]) -> Parsed<'_, usize> {
    let rank = verify(le_u32, |rank| (1..=MAX_RANK).contains(rank));
    field("rank", rank).map(|rank| usize::try_from(rank).unwrap_or(0)).parse(i)
}

/// A list's length; a list longer than the bytes are ends the parse before it is built.
fn length(i: &[u8], width: usize, item: usize) -> Parsed<'_, usize> {
    let (rest, number) = field("number of items", uint(width)).parse(i)?;
    match usize::try_from(number) {
        Ok(number) if number.saturating_mul(item) <= rest.len() => Ok((rest, number)),
        _ => malformed(i, "number of items"),
    }
}

fn points(i: &[u8], width: usize) -> Parsed<'_, StoredSelection> {
    let (i, rank) = rank(i)?;
    let (i, number) = length(i, width, rank * width)?;
    let points = count(count(uint(width), rank), number);
    field("points", points).map(StoredSelection::Points).parse(i)
}

fn blocks(i: &[u8], rank: usize, width: usize) -> Parsed<'_, StoredSelection> {
    let (i, number) = length(i, width, 2 * rank * width)?;
    let corner = || count(uint(width), rank);
    let blocks = count((corner(), corner()), number);
    field("blocks", blocks).map(StoredSelection::Blocks).parse(i)
}

fn regular(i: &[u8], rank: usize, width: usize) -> Parsed<'_, StoredSelection> {
    let ones = uint(width).parse(&[0xff; 8][..]).map_or(UNLIMITED, |(_, ones)| ones);
    // All bits set means no end, in any width.
    let end = move |value: u64| if value == ones { UNLIMITED } else { value };
    let axis = |i| {
        let numbers = (uint(width), uint(width), uint(width), uint(width));
        let (i, (start, stride, count, block)) = field("hyperslab", numbers).parse(i)?;
        let (count, block) = (end(count), end(block));
        if stride == 0 || block == 0 || (block > stride && count > 1 && block != UNLIMITED) {
            return malformed(i, "hyperslab");
        }
        Ok((i, Hyperslab { start, stride, count, block }))
    };
    count(axis, rank).map(StoredSelection::Regular).parse(i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::build;

    fn runs(selection: &StoredSelection, extent: &[u64]) -> Vec<(u64, u64)> {
        selection.runs(extent, &Limits::default()).unwrap().collect()
    }

    #[test]
    fn every_encoding_parses() {
        let none = build().u32(0).u32(1).zeros(8);
        let all = build().u32(3).u32(1).zeros(8);
        let points = [
            build().u32(1).u32(1).zeros(8).u32(2).u32(1).u32(3).u32(4),
            build().u32(1).u32(2).u8(2).u32(2).u16(1).u16(3).u16(4),
        ];
        let blocks = [
            build().u32(2).u32(1).zeros(8).u32(1).u32(1).u32(3).u32(4),
            build().u32(2).u32(3).u8(0).u8(2).u32(1).u16(1).u16(3).u16(4),
        ];
        let regular = [
            build().u32(2).u32(2).u8(1).zeros(4).u32(1).u64(1).u64(2).undefined().u64(1),
            build().u32(2).u32(3).u8(1).u8(2).u32(1).u16(1).u16(2).u16(0xffff).u16(1),
        ];
        let axis = Hyperslab { start: 1, stride: 2, count: UNLIMITED, block: 1 };
        let cases = [(none, StoredSelection::None), (all, StoredSelection::All)];
        let points = points.map(|i| (i, StoredSelection::Points(vec![vec![3, 4]])));
        let blocks = blocks.map(|i| (i, StoredSelection::Blocks(vec![(vec![3], vec![4])])));
        let regular = regular.map(|i| (i, StoredSelection::Regular(vec![axis])));
        for (input, wanted) in cases.into_iter().chain(points).chain(blocks).chain(regular) {
            assert_eq!(input.read::<StoredSelection>().unwrap(), wanted);
            input.assert_needs_all::<StoredSelection>();
        }
        let many = build().u32(1).u32(1).zeros(8).u32(2).u32(u32::MAX);
        assert!(many.read::<StoredSelection>().is_err(), "more points than bytes");
    }

    #[test]
    fn blocks_come_in_row_major_order() {
        // Two columns, the right one first.
        let blocks = vec![(vec![0, 2], vec![1, 2]), (vec![0, 0], vec![1, 0])];
        let selection = StoredSelection::Blocks(blocks);
        assert_eq!(runs(&selection, &[2, 3]), [(0, 1), (2, 1), (3, 1), (5, 1)]);
    }

    #[test]
    fn more_runs_than_the_limit_are_not_collected() {
        let limits = Limits { entries: 100, ..Limits::default() };
        let axis = Hyperslab { start: 0, stride: 2, count: 1 << 60, block: 1 };
        let selection = StoredSelection::Regular(vec![axis]);
        assert!(selection.runs(&[1 << 61], &limits).is_err());
        assert_eq!(selection.runs(&[200], &limits).unwrap().count(), 100);
    }

    #[test]
    fn hyperslabs_without_end_go_as_far_as_the_extent() {
        let axis = Hyperslab { start: 1, stride: 3, count: UNLIMITED, block: 2 };
        let selection = StoredSelection::Regular(vec![axis]);
        assert_eq!(runs(&selection, &[8]), [(1, 2), (4, 2), (7, 1)]);
        assert_eq!(axis.slices(8), 5);
        assert_eq!(axis.extent_of(5), 8);
        assert_eq!(axis.extent_of(4), 6);
    }
}
