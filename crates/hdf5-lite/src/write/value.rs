//! Values of any type as bytes: the way back of `element/value.rs`.

use super::Writer;
use super::relocate::{Patch, has_addresses};
use crate::element::{Number, NumberType, Value, encode_number};
use crate::error::{Error, Result};
use crate::message::{Datatype, ReferenceKind, VariableKind};
use crate::object::ObjectAddress;
use crate::parse::Address;
use crate::reference::Reference;

/// Marks what stands in the place of an address of the file being written: no file is so long
/// that an address of another one looks like it.
const OURS: u64 = 1 << 63;

/// A reference to the object with a number.
pub(super) fn reference(number: usize) -> Reference {
    Reference::Object(ObjectAddress(Address(number as u64 | OURS)))
}

/// Appends `value` as an element of type `datatype`.
pub(super) fn encode(
    writer: &mut Writer<'_>,
    datatype: &Datatype,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<()> {
    let start = out.len();
    let size = datatype.size();
    match (datatype, value) {
        (Datatype::Enum(t), Value::Enum(value, name)) => match name {
            Some(name) => {
                let member = t.members.iter().find(|(of, _)| of == name.as_bytes());
                out.extend_from_slice(&member.ok_or_else(|| mismatch(datatype, value))?.1);
            }
            None => encode(writer, &t.base, value, out)?,
        },
        (Datatype::Compound(t), Value::Compound(values)) => {
            out.resize(start + size, 0);
            if values.len() != t.members.len() {
                return Err(mismatch(datatype, value));
            }
            for (member, (name, value)) in t.members.iter().zip(values) {
                if member.name != name.as_bytes() {
                    return Err(mismatch(datatype, value));
                }
                let mut part = Vec::with_capacity(member.datatype.size());
                encode(writer, &member.datatype, value, &mut part)?;
                let at = start + member.offset;
                let place = out.get_mut(at..at + part.len());
                place.ok_or_else(|| mismatch(datatype, value))?.copy_from_slice(&part);
            }
        }
        (Datatype::Array(t), Value::Array(values)) => {
            values.iter().try_for_each(|value| encode(writer, &t.base, value, out))?;
        }
        (Datatype::Complex(t), Value::Complex(real, imaginary)) => {
            for part in [real, imaginary] {
                encode(writer, &t.base, &Value::Float(*part), out)?;
            }
        }
        (Datatype::String(t), Value::String(text)) => {
            if text.len() > size {
                return Err(mismatch(datatype, value));
            }
            out.extend_from_slice(text.as_bytes());
            out.resize(start + size, t.padding.filler());
        }
        (Datatype::Variable(t), Value::String(text)) if t.kind == VariableKind::String => {
            heap_object(writer, text.len(), text.as_bytes().to_vec(), None, out)?;
        }
        (Datatype::Variable(t), Value::Sequence(values)) if t.kind == VariableKind::Sequence => {
            let mut bytes = Vec::with_capacity(values.len() * t.base.size());
            values.iter().try_for_each(|value| encode(writer, &t.base, value, &mut bytes))?;
            let patch = has_addresses(&t.base).then(|| Patch::Elements((*t.base).clone()));
            heap_object(writer, values.len(), bytes, patch, out)?;
        }
        (Datatype::Reference(_), Value::Reference(Reference::Null)) => {
            out.resize(start + size, 0);
        }
        (Datatype::Reference(t), Value::Reference(Reference::Object(object)))
            if t.kind == ReferenceKind::Object && object.get() & OURS != 0 =>
        {
            out.extend_from_slice(&((object.get() & !OURS) + 1).to_le_bytes());
        }
        (_, Value::Bytes(bytes)) if bytes.len() == size && !has_addresses(datatype) => {
            out.extend_from_slice(bytes);
        }
        _ => {
            let number = match value {
                Value::Signed(value) => Number::Signed(*value),
                Value::Unsigned(value) => Number::Unsigned(*value),
                Value::Float(value) => Number::Float(*value),
                _ => return Err(mismatch(datatype, value)),
            };
            // Arrays and complex numbers are made of numbers, but are not one.
            let numbers = match datatype {
                Datatype::Array(_) | Datatype::Complex(_) => None,
                other => NumberType::of(other),
            };
            encode_number(&numbers.ok_or_else(|| mismatch(datatype, value))?, number, out)?;
        }
    }
    if out.len() == start + size { Ok(()) } else { Err(mismatch(datatype, value)) }
}

/// Appends an element of variable length of `len` values, and puts these into the heap.
pub(super) fn heap_object(
    writer: &mut Writer<'_>,
    len: usize,
    bytes: Vec<u8>,
    patch: Option<Patch>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let short = u32::try_from(len).map_err(|_| Error::TooLarge {
        structure: "variable-length element",
        field: "length",
        value: len as u64,
    })?;
    out.extend_from_slice(&short.to_le_bytes());
    if len == 0 {
        out.extend_from_slice(&[0; 12]);
        return Ok(());
    }
    let id = writer.heap.add(bytes);
    out.extend_from_slice(&id.collection.0.to_le_bytes());
    out.extend_from_slice(&id.index.to_le_bytes());
    writer.patches.extend(patch.map(|patch| (id, patch)));
    Ok(())
}

fn mismatch(datatype: &Datatype, value: &Value) -> Error {
    // Trees may be long.
    let value = format!("{value:?}").chars().take(80).collect();
    Error::OutOfRange { value, wanted: datatype.class() }
}
