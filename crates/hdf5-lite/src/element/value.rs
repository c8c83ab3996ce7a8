//! Elements of any type, as a tree.

use super::number::{Number, NumberType};
use super::text::variable;
use crate::error::{Error, Result};
use crate::file::File;
use crate::limits::Limits;
use crate::message::{Datatype, VariableKind};
use crate::object::text;
use crate::parse::until_nul;
use crate::reference::Reference;

/// The value of an element.
///
/// ```no_run
/// # let file = hdf5_lite::File::open("table.h5")?;
/// use hdf5_lite::Value;
/// for row in file.dataset("table")?.values()? {
///     if let Value::Compound(members) = row {
///         assert_eq!(members[0].0, "name");
///     }
/// }
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// An integer that can be negative.
    Signed(i128),
    /// An integer that cannot, or bits.
    Unsigned(u128),
    /// A floating-point number, rounded to the nearest `f64`.
    Float(f64),
    /// A text of fixed or variable length.
    String(String),
    /// Opaque bytes; numbers too that no other variant can hold.
    Bytes(Vec<u8>),
    /// An integer, and its name if it has one.
    Enum(Box<Value>, Option<String>),
    /// Names and values of the members.
    Compound(Vec<(String, Value)>),
    /// The elements of an array, in row-major order.
    Array(Vec<Value>),
    /// The elements of a sequence of variable length.
    Sequence(Vec<Value>),
    /// Real and imaginary part.
    Complex(f64, f64),
    /// What is referred to.
    Reference(Reference),
}

/// The values of all elements in `data`, `stored` bytes of which are in the file.
pub(crate) fn values(
    file: &File,
    datatype: &Datatype,
    data: &[u8],
    stored: u64,
) -> Result<Vec<Value>> {
    let mut tree = Tree { file, bytes: 0, stored };
    let size = datatype.size().max(1);
    data.chunks_exact(size).map(|element| tree.value(datatype, element)).collect()
}

struct Tree<'f> {
    file: &'f File,
    /// Bytes of values made so far.
    bytes: u64,
    stored: u64,
}

impl Tree<'_> {
    fn ask(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        // Variable-length values are in the heap, not among the dataset's own bytes.
        self.file.limits().ask_read(self.bytes, self.stored.max(self.file.len()))
    }

    fn value(&mut self, datatype: &Datatype, bytes: &[u8]) -> Result<Value> {
        self.ask(size_of::<Value>())?;
        Ok(match datatype {
            Datatype::FixedPoint(_) | Datatype::BitField(_) | Datatype::FloatingPoint(_) => {
                self.number(datatype, bytes)?
            }
            Datatype::Enum(t) => {
                let name = t.members.iter().find(|(_, value)| value == bytes);
                let name = name.map(|(name, _)| text(name).into_owned());
                Value::Enum(Box::new(self.number(&t.base, bytes)?), name)
            }
            Datatype::String(t) => {
                self.ask(bytes.len())?;
                Value::String(text(t.padding.cut(bytes)).into_owned())
            }
            Datatype::Variable(t) if t.kind == VariableKind::String => {
                let values = variable(self.file, bytes, 1)?.unwrap_or_default();
                self.ask(values.len())?;
                Value::String(text(until_nul(&values)).into_owned())
            }
            Datatype::Variable(t) => {
                let values = variable(self.file, bytes, t.base.size())?.unwrap_or_default();
                Value::Sequence(self.each(&t.base, &values)?)
            }
            Datatype::Array(t) => Value::Array(self.each(&t.base, bytes)?),
            Datatype::Compound(t) => {
                let member = |member: &crate::Member| {
                    let end = member.offset.saturating_add(member.datatype.size());
                    let part = bytes.get(member.offset..end).unwrap_or_default();
                    self.ask(member.name.len())?;
                    Ok((text(&member.name).into_owned(), self.value(&member.datatype, part)?))
                };
                Value::Compound(t.members.iter().map(member).collect::<Result<_>>()?)
            }
            Datatype::Complex(t) => match self.each(&t.base, bytes)?.as_slice() {
                [Value::Float(real), Value::Float(imaginary)] => Value::Complex(*real, *imaginary),
                _ => Value::Bytes(bytes.to_vec()),
            },
            Datatype::Reference(t) => {
                Value::Reference(Reference::of_element(self.file, *t, bytes)?)
            }
            Datatype::Opaque(_) | Datatype::Time(_) => {
                self.ask(bytes.len())?;
                Value::Bytes(bytes.to_vec())
            }
        })
    }

    fn each(&mut self, datatype: &Datatype, bytes: &[u8]) -> Result<Vec<Value>> {
        let elements = bytes.chunks_exact(datatype.size().max(1));
        // Asked for here too, since elements of no size would ask for none.
        Limits::ask("elements", elements.len() as u64, self.file.limits().read_bytes)?;
        elements.map(|element| self.value(datatype, element)).collect()
    }

    fn number(&mut self, datatype: &Datatype, bytes: &[u8]) -> Result<Value> {
        let number = NumberType::of(datatype).map(|number| number.value(bytes));
        match number {
            Some(Ok(Number::Signed(value))) => Ok(Value::Signed(value)),
            Some(Ok(Number::Unsigned(value))) => Ok(Value::Unsigned(value)),
            Some(Ok(Number::Float(value))) => Ok(Value::Float(value)),
            // Integers beyond 128 bits, floats that no machine has.
            Some(Err(Error::OutOfRange { .. } | Error::Unsupported { .. })) | None => {
                self.ask(bytes.len())?;
                Ok(Value::Bytes(bytes.to_vec()))
            }
            Some(Err(error)) => Err(error),
        }
    }
}
