//! Filter Pipeline message: HDF5 File Format Specification 3.0, IV.A.2.l.

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::verify;
use nom::multi::count;
use nom::number::complete::{le_u8, le_u16, le_u32};

use super::Message;
use crate::error::Result;
use crate::out::{Out, Write};
use crate::parse::{Context, Parsed, Structure, field, until_nul, version};

/// `H5Z_MAX_NFILTERS` of the C library; a filter mask has as many bits.
const MAX_FILTERS: u8 = 32;

/// From here on numbers belong to registered filters, which are stored with their name.
const FIRST_REGISTERED: u16 = 256;

/// The filters that a chunk went through, in the order of writing.
#[derive(Clone, Debug, Default)]
pub(crate) struct FilterPipeline {
    pub(crate) filters: Vec<FilterInfo>,
}

/// One filter of a pipeline.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// let deflate = &file.dataset("grid")?.filters()?[1];
/// assert_eq!((deflate.id, deflate.client_data.as_slice()), (1, &[4][..]));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterInfo {
    /// Its number as registered with The HDF Group.
    pub id: u16,
    /// Its name, if the file has it.
    pub name: String,
    /// Whether the chunk may do without it.
    pub optional: bool,
    /// Its parameters.
    pub client_data: Vec<u32>,
}

impl Message for FilterPipeline {
    const ID: u16 = 0x000b;
}

impl Structure for FilterPipeline {
    const NAME: &'static str = "Filter Pipeline";
    const SPEC: &'static str = "IV.A.2.l";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (i, version) = version(1..=2).parse(i)?;
        let number = verify(le_u8, |n| *n <= MAX_FILTERS);
        let (i, number) = field("number of filters", number).parse(i)?;
        let reserved = if version == 1 { 6_usize } else { 0 };
        let (i, _) = field("reserved", take(reserved)).parse(i)?;
        let (i, filters) = count(|i| filter(i, version), number.into()).parse(i)?;
        Ok((i, Self { filters }))
    }
}

impl Write for FilterPipeline {
    /// Version 2.
    fn write(&self, out: &mut Out) -> Result<()> {
        let number = u8::try_from(self.filters.len()).ok().filter(|n| *n <= MAX_FILTERS);
        let number = number
            .ok_or_else(|| Self::too_large("number of filters", self.filters.len() as u64))?;
        out.u8(2);
        out.u8(number);
        for filter in &self.filters {
            let values = filter.client_data.len();
            let values = u16::try_from(values)
                .map_err(|_| Self::too_large("number of client data values", values as u64))?;
            // A name that is there ends with a NUL.
            let name = if filter.name.is_empty() { 0 } else { filter.name.len() + 1 };
            let name_len =
                u16::try_from(name).map_err(|_| Self::too_large("name length", name as u64))?;
            out.u16(filter.id);
            if filter.id >= FIRST_REGISTERED {
                out.u16(name_len);
            }
            out.u16(u16::from(filter.optional));
            out.u16(values);
            if filter.id >= FIRST_REGISTERED && name > 0 {
                out.bytes(filter.name.as_bytes());
                out.u8(0);
            }
            filter.client_data.iter().for_each(|value| out.u32(*value));
        }
        Ok(())
    }
}

fn filter(i: &[u8], version: u8) -> Parsed<'_, FilterInfo> {
    let (i, id) = field("filter identification", le_u16).parse(i)?;
    let (i, name_len) = match version {
        2 if id < FIRST_REGISTERED => (i, 0),
        _ => field("name length", le_u16).parse(i)?,
    };
    let (i, flags) = field("filter flags", le_u16).parse(i)?;
    let (i, values) = field("number of client data values", le_u16).parse(i)?;
    // Version 1 pads the name to eight bytes.
    let pad = if version == 1 { 8 } else { 1 };
    let name_len = usize::from(name_len).next_multiple_of(pad);
    let (i, name) = field("filter name", take(name_len)).parse(i)?;
    let (i, client_data) = field("client data", count(le_u32, values.into())).parse(i)?;
    let padding = if version == 1 && values % 2 == 1 { 4_usize } else { 0 };
    let (i, _) = field("client data padding", take(padding)).parse(i)?;
    let name = String::from_utf8_lossy(until_nul(name)).into_owned();
    Ok((i, FilterInfo { id, name, optional: flags & 1 != 0, client_data }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::build;

    #[test]
    fn versions_1_and_2() {
        let deflate =
            |client_data| FilterInfo { id: 1, name: String::new(), optional: true, client_data };
        // An odd number of values is padded in version 1, and names are.
        let old = build().u8(1).u8(2).zeros(6);
        let old = old.u16(1).u16(0).u16(1).u16(1).u32(6).u32(0);
        let old = old.u16(32000).u16(8).u16(0).u16(2).name("lzf", 8).u32(4).u32(5);
        let new = build().u8(2).u8(2);
        let new = new.u16(1).u16(1).u16(1).u32(6);
        let new = new.u16(32000).u16(4).u16(0).u16(2).name("lzf", 1).u32(4).u32(5);
        for message in [old, new.clone()] {
            message.assert_needs_all::<FilterPipeline>();
            let pipeline: FilterPipeline = message.read().unwrap();
            assert_eq!(pipeline.to_bytes().unwrap(), new.block().data);
            let FilterPipeline { filters } = pipeline;
            assert_eq!(filters[0], deflate(vec![6]));
            assert_eq!((filters[1].id, filters[1].name.as_str()), (32000, "lzf"));
            assert_eq!((filters[1].optional, &filters[1].client_data[..]), (false, &[4, 5][..]));
        }
    }
}
