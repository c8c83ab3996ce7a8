//! N-bit, filter 5: of each number only the significant bits, without gaps.
//!
//! The chunk is one stream of bits, the most significant first. `client_data` describes the
//! datatype, since the filter sees bytes alone: how many values there are, whether the chunk was
//! left as it is, the number of elements, and then a type as `H5Znbit.c` of the C library
//! numbers them:
//!
//! | type | values |
//! |---|---|
//! | atomic | 1, size, byte order (0 little, 1 big endian), precision, bit offset |
//! | array | 2, size of all elements, their type |
//! | compound | 3, size, number of members, and for each: its offset, its type |
//! | anything else | 4, size: whole bytes |

use std::borrow::Cow;

use super::bits::{Bits, BitsOut};
use super::{Filter, broken, elements, max_len, output, parameter};
use crate::error::Result;
use crate::message::{ByteOrder, Datatype, Member};

/// Types within types.
const MAX_DEPTH: u8 = 32;

#[derive(Debug)]
pub(super) struct Nbit;

impl Filter for Nbit {
    fn id(&self) -> u16 {
        5
    }

    fn name(&self) -> &'static str {
        "nbit"
    }

    fn decode<'c>(
        &self,
        client_data: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let wrong = |what: &str| broken(self, format!("{what} in the client data"));
        let &[_, raw, elements, ref values @ ..] = client_data else {
            return Err(wrong("too few values"));
        };
        if raw != 0 {
            return Ok(chunk);
        }
        let mut values = values.iter().map(|value| usize::try_from(*value).unwrap_or(usize::MAX));
        let kind = Type::parse(&mut values, 0).ok_or_else(|| wrong("a type without sense"))?;
        let elements = usize::try_from(elements).unwrap_or(usize::MAX);
        let len = elements.checked_mul(kind.size()).filter(|len| *len <= max_len(expected));
        let len = len.ok_or_else(|| wrong("more elements than the chunk has"))?;
        let mut decoded = output(self, len)?;
        decoded.resize(len, 0);
        let mut bits = Bits::new(&chunk);
        for element in decoded.chunks_exact_mut(kind.size()) {
            kind.read(&mut bits, element).ok_or_else(|| broken(self, "the chunk is too short"))?;
        }
        Ok(Cow::Owned(decoded))
    }

    fn parameters(&self, _: &[u32], datatype: &Datatype, dims: &[u64]) -> Result<Vec<u32>> {
        let kind = Type::of(datatype);
        let mut values = vec![0, u32::from(kind.is_whole()), elements(self, dims)?];
        kind.parameters(self, &mut values)?;
        let number = parameter(self, values.len())?;
        if let Some(first) = values.first_mut() {
            *first = number;
        }
        Ok(values)
    }

    fn encode(&self, client_data: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let wrong = || broken(self, "a type without sense in the client data");
        let &[_, raw, _, ref values @ ..] = client_data else { return Err(wrong()) };
        if raw != 0 {
            return Ok(Some(chunk.to_vec()));
        }
        let mut values = values.iter().map(|value| usize::try_from(*value).unwrap_or(usize::MAX));
        let kind = Type::parse(&mut values, 0).ok_or_else(wrong)?;
        let mut bits = BitsOut::new(output(self, chunk.len())?);
        for element in chunk.chunks_exact(kind.size()) {
            kind.write(element, &mut bits).ok_or_else(wrong)?;
        }
        Ok(Some(bits.into_bytes()))
    }
}

/// How an element is packed. Sizes are not zero.
#[derive(Debug)]
enum Type {
    Atomic { size: usize, big_endian: bool, precision: usize, offset: usize },
    Array { size: usize, base: Box<Type> },
    Compound { size: usize, members: Vec<(usize, Type)> },
    Whole { size: usize },
}

impl Type {
    fn parse(values: &mut impl Iterator<Item = usize>, depth: u8) -> Option<Self> {
        if depth > MAX_DEPTH {
            return None;
        }
        let class = values.next()?;
        let size = values.next().filter(|size| *size > 0)?;
        match class {
            1 => {
                let big_endian = values.next()? == 1;
                let (precision, offset) = (values.next()?, values.next()?);
                let end = precision.checked_add(offset)?;
                let fits = precision > 0 && end <= size.checked_mul(8)?;
                fits.then_some(Self::Atomic { size, big_endian, precision, offset })
            }
            2 => {
                let base = Self::parse(values, depth + 1)?;
                Some(Self::Array { size, base: Box::new(base) })
            }
            3 => {
                let number = values.next()?;
                let mut members = Vec::new();
                // Members do not overlap, so an element costs no more than its bytes.
                let mut room = size;
                for _ in 0..number {
                    let offset = values.next()?;
                    let member = Self::parse(values, depth + 1)?;
                    room = room.checked_sub(member.size())?;
                    if offset.checked_add(member.size())? > size {
                        return None;
                    }
                    members.push((offset, member));
                }
                Some(Self::Compound { size, members })
            }
            4 => Some(Self::Whole { size }),
            _ => None,
        }
    }

    /// Numbers by their bits; what has no other description is whole.
    fn of(datatype: &Datatype) -> Self {
        let size = datatype.size();
        let atomic = |order, precision: u16, offset: u16| Self::Atomic {
            size,
            big_endian: order == ByteOrder::BigEndian,
            precision: precision.into(),
            offset: offset.into(),
        };
        match datatype {
            Datatype::FixedPoint(t) => atomic(t.order, t.precision, t.offset),
            Datatype::FloatingPoint(t) if t.order != ByteOrder::Vax => {
                atomic(t.order, t.precision, t.offset)
            }
            Datatype::Array(t) => Self::Array { size, base: Box::new(Self::of(&t.base)) },
            Datatype::Compound(t) => {
                let member = |member: &Member| (member.offset, Self::of(&member.datatype));
                Self::Compound { size, members: t.members.iter().map(member).collect() }
            }
            _ => Self::Whole { size },
        }
    }

    /// Whether no bits can be left out.
    fn is_whole(&self) -> bool {
        match self {
            Self::Atomic { size, precision, offset, .. } => *offset == 0 && *precision == 8 * size,
            Self::Array { base, .. } => base.is_whole(),
            Self::Compound { members, .. } => members.iter().all(|(_, member)| member.is_whole()),
            Self::Whole { .. } => true,
        }
    }

    /// The way back of [`parse`](Self::parse).
    fn parameters(&self, filter: &Nbit, values: &mut Vec<u32>) -> Result<()> {
        let class = match self {
            Self::Atomic { .. } => 1,
            Self::Array { .. } => 2,
            Self::Compound { .. } => 3,
            Self::Whole { .. } => 4,
        };
        values.extend([class, parameter(filter, self.size())?]);
        match self {
            Self::Atomic { big_endian, precision, offset, .. } => {
                let (precision, offset) =
                    (parameter(filter, *precision)?, parameter(filter, *offset)?);
                values.extend([u32::from(*big_endian), precision, offset]);
            }
            Self::Array { base, .. } => base.parameters(filter, values)?,
            Self::Compound { members, .. } => {
                values.push(parameter(filter, members.len())?);
                for (offset, member) in members {
                    values.push(parameter(filter, *offset)?);
                    member.parameters(filter, values)?;
                }
            }
            Self::Whole { .. } => {}
        }
        Ok(())
    }

    fn size(&self) -> usize {
        match self {
            Self::Atomic { size, .. }
            | Self::Array { size, .. }
            | Self::Compound { size, .. }
            | Self::Whole { size } => *size,
        }
    }

    /// Reads one element into `out`, which holds zeros.
    fn read(&self, bits: &mut Bits<'_>, out: &mut [u8]) -> Option<()> {
        match self {
            Self::Atomic { size, big_endian, precision, offset } => {
                // From the most significant byte that has any of the bits down.
                let end = precision + offset;
                for byte in (offset / 8..end.div_ceil(8)).rev() {
                    let low = offset.saturating_sub(8 * byte);
                    let high = (end - 8 * byte).min(8);
                    let part = bits.take(u32::try_from(high - low).ok()?)? << low;
                    let place = if *big_endian { size - 1 - byte } else { byte };
                    *out.get_mut(place)? = u8::try_from(part).ok()?;
                }
            }
            Self::Array { base, .. } => {
                for element in out.chunks_exact_mut(base.size()) {
                    base.read(bits, element)?;
                }
            }
            Self::Compound { members, .. } => {
                for (offset, member) in members {
                    member.read(bits, out.get_mut(*offset..offset + member.size())?)?;
                }
            }
            Self::Whole { .. } => {
                for byte in out {
                    *byte = u8::try_from(bits.take(8)?).ok()?;
                }
            }
        }
        Some(())
    }

    /// The way back of [`read`](Self::read).
    fn write(&self, element: &[u8], bits: &mut BitsOut) -> Option<()> {
        match self {
            Self::Atomic { size, big_endian, precision, offset } => {
                let end = precision + offset;
                for byte in (offset / 8..end.div_ceil(8)).rev() {
                    let low = offset.saturating_sub(8 * byte);
                    let high = (end - 8 * byte).min(8);
                    let place = if *big_endian { size - 1 - byte } else { byte };
                    let part = *element.get(place)? >> low;
                    bits.put(part.into(), u32::try_from(high - low).ok()?);
                }
            }
            Self::Array { base, .. } => {
                for part in element.chunks_exact(base.size()) {
                    base.write(part, bits)?;
                }
            }
            Self::Compound { members, .. } => {
                for (offset, member) in members {
                    member.write(element.get(*offset..offset + member.size())?, bits)?;
                }
            }
            Self::Whole { .. } => element.iter().for_each(|byte| bits.put((*byte).into(), 8)),
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_bits_where_they_belong() {
        // 12 bits from bit 3 on, of 16: 0xabc, 0x123.
        let stored = [0xab, 0xc1, 0x23];
        let wanted: Vec<u8> =
            [0xabc_u16 << 3, 0x123 << 3].iter().flat_map(|v| v.to_le_bytes()).collect();
        let little = Nbit.decode(&[8, 0, 2, 1, 2, 0, 12, 3], Cow::Borrowed(&stored), 4).unwrap();
        assert_eq!(little, wanted);
        let big = Nbit.decode(&[8, 0, 2, 1, 2, 1, 12, 3], Cow::Borrowed(&stored), 4).unwrap();
        assert_eq!(*big, [wanted[1], wanted[0], wanted[3], wanted[2]]);
        let encoded = |order, chunk: &[u8]| {
            Nbit.encode(&[8, 0, 2, 1, 2, order, 12, 3], chunk).unwrap().unwrap()
        };
        assert_eq!((encoded(0, &little), encoded(1, &big)), (stored.to_vec(), stored.to_vec()));
    }

    #[test]
    fn nests() {
        // Compound of 6 bytes: at 0 two elements of 4 of 8 bits, at 3 one byte as it is.
        let values = [14, 0, 1, 3, 6, 2, 0, 2, 2, 1, 1, 0, 4, 0, 3, 4, 1];
        let decoded = Nbit.decode(&values, Cow::Borrowed(&[0xab, 0x7f]), 6).unwrap();
        assert_eq!(*decoded, [0x0a, 0x0b, 0, 0x7f, 0, 0]);
        assert_eq!(Nbit.encode(&values, &decoded).unwrap().unwrap(), [0xab, 0x7f]);
    }

    #[test]
    fn refuses_senseless_types() {
        let array_of_arrays: Vec<u32> = [1, 0, 1].into_iter().chain([2, 8].repeat(1000)).collect();
        for values in [
            &[][..],
            &[8, 0, 2],
            &[8, 0, 2, 9, 1],
            &[8, 0, 2, 1, 0, 0, 1, 0],  // no size
            &[8, 0, 2, 1, 2, 0, 17, 0], // more bits than it has
            &[8, 0, 2, 1, 2, 0, u32::MAX, 9],
            &[8, 0, u32::MAX, 1, 2, 0, 1, 0], // too many elements
            &[8, 0, 1, 3, 2, 2, 0, 4, 2, 0, 4, 2], // members that overlap
            &[8, 0, 1, 3, 2, u32::MAX],
            &array_of_arrays,
        ] {
            Nbit.decode(values, Cow::Borrowed(&[0; 64]), 64).unwrap_err();
        }
        // Not enough bits.
        Nbit.decode(&[8, 0, 2, 1, 2, 0, 12, 3], Cow::Borrowed(&[1, 2]), 4).unwrap_err();
    }
}
