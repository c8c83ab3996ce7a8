//! Strings and other values of variable length.

use bytes::Bytes;
use nom::Parser;
use nom::number::complete::le_u32;

use crate::error::{Error, Result};
use crate::file::File;
use crate::heap::GlobalHeapId;
use crate::message::{Datatype, VariableKind};
use crate::object::text;
use crate::parse::{Context, Parsed, Structure, field, until_nul};
use crate::storage::Block;

/// An element of variable length: how many values, and where they lie (IV.B).
struct Variable {
    len: u32,
    /// None: no values.
    id: Option<GlobalHeapId>,
}

impl Structure for Variable {
    const NAME: &'static str = "variable-length element";
    const SPEC: &'static str = "IV.B";

    fn parse<'a>(i: &'a [u8], cx: &Context<'_>) -> Parsed<'a, Self> {
        let (i, len) = field("length", le_u32).parse(i)?;
        let (i, collection) = field("collection address", |i| cx.sizes.address(i)).parse(i)?;
        let (i, index) = field("object index", le_u32).parse(i)?;
        let collection = collection.filter(|address| address.0 != 0);
        Ok((i, Self { len, id: collection.map(|collection| GlobalHeapId { collection, index }) }))
    }
}

/// The values of an element of variable length, each of `size` bytes; `None` for a null one.
pub(crate) fn variable(file: &File, element: &[u8], size: usize) -> Result<Option<Bytes>> {
    let block = Block { at: 0, data: Bytes::copy_from_slice(element) };
    let Variable { len, id } = Variable::read(&block, file.sizes())?;
    let Some(id) = id else { return Ok(None) };
    if len == 0 {
        return Ok(Some(Bytes::new()));
    }
    let object = file.global_heap(id)?;
    let wanted = u64::from(len).saturating_mul(size as u64);
    match usize::try_from(wanted).ok().and_then(|wanted| object.slice(0, wanted)) {
        Some(values) => Ok(Some(values.data)),
        None => Err(Variable::malformed(object.at, "length")),
    }
}

/// All strings in `data`.
pub(crate) fn strings(
    file: &File,
    datatype: &Datatype,
    data: &[u8],
    place: impl FnOnce() -> String,
) -> Result<Vec<String>> {
    match datatype {
        Datatype::String(t) => {
            let size = datatype.size();
            if size == 0 {
                return Ok(vec![String::new()]);
            }
            let elements = data.chunks_exact(size);
            Ok(elements.map(|bytes| text(t.padding.cut(bytes)).into_owned()).collect())
        }
        Datatype::Variable(t) if t.kind == VariableKind::String => {
            let mut bytes = 0_u64;
            data.chunks_exact(datatype.size())
                .map(|element| {
                    let value = variable(file, element, 1)?.unwrap_or_default();
                    bytes = bytes.saturating_add(value.len() as u64);
                    // Elements may all be the same object of the heap.
                    file.limits().ask_read(bytes, file.len())?;
                    Ok(text(until_nul(&value)).into_owned())
                })
                .collect()
        }
        Datatype::Array(t) => strings(file, &t.base, data, place),
        other => Err(Error::WrongType {
            place: place(),
            wanted: "strings",
            found: format!("of {} type", other.class()),
        }),
    }
}
