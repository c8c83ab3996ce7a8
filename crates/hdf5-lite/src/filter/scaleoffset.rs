//! Scale-offset, filter 6: differences from the smallest value of the chunk, in as few bits as
//! hold them; of floating-point numbers, after multiplying with a power of ten.
//!
//! A chunk starts with the number of bits (4 bytes), the size of the smallest value (1 byte),
//! and that value, in a field of 16 bytes; all little-endian. The differences follow, the most
//! significant bits first. If the dataset has a fill value, a difference of ones alone means it.
//!
//! `client_data`, twenty numbers, as `H5Zscaleoffset.c` of the C library writes them: method (0
//! decimal, 1 binary, 2 integer), decimal scale or number of bits, elements, class (0 integer, 1
//! float), size, sign, byte order, whether there is a fill value, and its bytes.

use std::borrow::Cow;

use super::bits::{Bits, BitsOut};
use super::{Filter, broken, elements, max_len, output};
use crate::error::Result;
use crate::message::{ByteOrder, Datatype};

/// Bytes before the differences.
const HEAD: usize = 21;
const DECIMAL: u32 = 0;
const INTEGER: u32 = 2;

#[derive(Debug)]
pub(super) struct ScaleOffset;

impl Filter for ScaleOffset {
    fn id(&self) -> u16 {
        6
    }

    fn name(&self) -> &'static str {
        "scaleoffset"
    }

    fn decode<'c>(
        &self,
        client_data: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let wrong = |what: &str| broken(self, format!("{what} in the client data"));
        let &[method, scale, elements, class, size, _sign, order, filled, ref fill @ ..] =
            client_data
        else {
            return Err(wrong("too few values"));
        };
        let scale = scale.cast_signed();
        let float = match (class, method) {
            (0, INTEGER) => false,
            (1, DECIMAL) => true,
            _ => return Err(wrong("an unknown method")),
        };
        let width = if float { matches!(size, 4 | 8) } else { matches!(size, 1 | 2 | 4 | 8) };
        if !width {
            return Err(wrong("an unknown size"));
        }
        if !float && scale == (8 * size).cast_signed() {
            return Ok(chunk); // all bits were asked for
        }
        let short = || broken(self, "the chunk is too short");
        let (head, data) = chunk.split_at_checked(HEAD).ok_or_else(short)?;
        let (bits, min) = head_of(head).ok_or_else(short)?;
        if bits > 8 * size {
            return Err(broken(self, format!("{bits} bits in {size} bytes")));
        }
        let bytes = usize::try_from(size).unwrap_or(0);
        let len = usize::try_from(elements).ok().and_then(|n| n.checked_mul(bytes));
        let len = len.filter(|len| *len <= max_len(expected));
        let len = len.ok_or_else(|| wrong("more elements than the chunk has"))?;
        let mut decoded = output(self, len)?;
        if bits == 8 * size {
            // As they were, in the byte order of the writer, taken to be little-endian.
            decoded.extend_from_slice(data.get(..len).ok_or_else(short)?);
        } else {
            let fill = match fill {
                [low, high, ..] => u64::from(*low) | u64::from(*high) << 32,
                [low] => u64::from(*low),
                [] => 0,
            };
            let fill = (filled == 1).then_some(fill);
            let value = Value { size, float, min, scale };
            let mut stream = Bits::new(data);
            let ones = (1_u64 << bits) - 1;
            for _ in 0..elements {
                let difference = stream.take(bits).ok_or_else(short)?;
                let value = match fill {
                    Some(fill) if difference == ones => fill,
                    _ => value.of(difference),
                };
                decoded.extend(value.to_le_bytes().iter().take(bytes));
            }
        }
        if order == 1 {
            decoded.chunks_exact_mut(bytes).for_each(<[u8]>::reverse);
        }
        Ok(Cow::Owned(decoded))
    }

    /// Given is the scale alone: of integers the number of bits, 0 for as many as each chunk
    /// needs; of floats the decimal digits to keep.
    fn parameters(
        &self,
        client_data: &[u32],
        datatype: &Datatype,
        dims: &[u64],
    ) -> Result<Vec<u32>> {
        let &[scale] = client_data else { return Ok(client_data.to_vec()) };
        let (method, class, size, signed, order) = match datatype {
            Datatype::FixedPoint(t) if t.offset == 0 && u32::from(t.precision) == 8 * t.size => {
                (INTEGER, 0, t.size, t.signed, t.order)
            }
            Datatype::FloatingPoint(t) if t.is_ieee() && t.size > 2 => {
                (DECIMAL, 1, t.size, false, t.order)
            }
            other => return Err(broken(self, format!("no such thing as {}", other.class()))),
        };
        let order = u32::from(order == ByteOrder::BigEndian);
        let number = elements(self, dims)?;
        let mut values = vec![method, scale, number, class, size, u32::from(signed), order];
        values.resize(20, 0); // no fill value
        Ok(values)
    }

    fn encode(&self, client_data: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let &[method, scale, _, class, size @ (1 | 2 | 4 | 8), signed, order, filled, ..] =
            client_data
        else {
            return Err(broken(self, "client data without sense"));
        };
        if filled != 0 {
            return Err(broken(self, "fill values are read, not written"));
        }
        let bytes = usize::try_from(size).unwrap_or(1);
        let elements = chunk.chunks_exact(bytes).map(|element| {
            let mut value = [0; 8];
            value.iter_mut().zip(element).for_each(|(to, from)| *to = *from);
            if order == 1 {
                value.iter_mut().take(bytes).rev().zip(element).for_each(|(to, from)| *to = *from);
            }
            u64::from_le_bytes(value)
        });
        let elements: Vec<u64> = elements.collect();
        let (min, differences) = match (class, method, size) {
            (0, INTEGER, _) => integers(&elements, size, signed == 1),
            (1, DECIMAL, 4 | 8) => floats(&elements, size, scale.cast_signed())
                .ok_or_else(|| broken(self, "numbers that are not finite, or too far apart"))?,
            _ => return Err(broken(self, "client data without sense")),
        };
        let max = differences.iter().copied().max().unwrap_or(0);
        let needed = u64::BITS - max.leading_zeros();
        let bits = if class == 0 && scale > 0 { scale } else { needed };
        if needed > bits {
            return Err(broken(self, format!("differences of {needed} bits, not {bits}")));
        }
        if class == 0 && scale == 8 * size {
            return Ok(Some(chunk.to_vec()));
        }
        let mut head = output(self, HEAD + chunk.len())?;
        head.extend_from_slice(&bits.min(8 * size).to_le_bytes());
        head.push(8);
        head.extend_from_slice(&min.to_le_bytes());
        head.resize(HEAD, 0);
        let mut out = BitsOut::new(head);
        if bits >= 8 * size {
            let whole =
                elements.iter().flat_map(|value| value.to_le_bytes().into_iter().take(bytes));
            whole.for_each(|byte| out.put(byte.into(), 8));
        } else {
            differences.iter().for_each(|difference| out.put(*difference, bits));
        }
        let mut encoded = out.into_bytes();
        encoded.push(0); // the library writes, and may ask for, a byte more
        Ok(Some(encoded))
    }
}

/// The smallest value, and the differences from it.
fn integers(elements: &[u64], size: u32, signed: bool) -> (u64, Vec<u64>) {
    let unused = 64 - 8 * size;
    let value = |bits: &u64| {
        if signed {
            i128::from((bits << unused).cast_signed() >> unused)
        } else {
            i128::from(*bits)
        }
    };
    let min = elements.iter().map(value).min().unwrap_or(0);
    let difference = |bits| u64::try_from(value(bits) - min).unwrap_or(u64::MAX);
    // The low bits of it, also of a negative one.
    let low = u64::try_from(min & i128::from(u64::MAX)).unwrap_or(0);
    (low, elements.iter().map(difference).collect())
}

/// The same of floating-point numbers, in units of a power of ten; `None` if that does not go.
fn floats(elements: &[u64], size: u32, scale: i32) -> Option<(u64, Vec<u64>)> {
    let value = |bits: &u64| match size {
        8 => f64::from_bits(*bits),
        _ => f32::from_bits(u32::try_from(*bits).unwrap_or(0)).into(),
    };
    let ten = 10_f64.powi(scale);
    let first = elements.first()?;
    let least = elements.iter().fold(first, |a, b| if value(b) < value(a) { b } else { a });
    let min = value(least);
    let difference = |bits: &u64| {
        let difference = (value(bits) * ten - min * ten).round();
        // Exact in a float of 64 bits, and as many as a float of 32 bits has room for.
        let limit = if size == 8 { 2_f64.powi(53) } else { 2_f64.powi(24) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "was checked")]
        (0.0..limit).contains(&difference).then_some(difference as u64)
    };
    Some((*least, elements.iter().map(difference).collect::<Option<_>>()?))
}

/// The number of bits, and the smallest value.
fn head_of(head: &[u8]) -> Option<(u32, u64)> {
    let (bits, rest) = head.split_first_chunk()?;
    let (size, min) = rest.split_first()?;
    // The size was that of the writer's `unsigned long long`.
    let min = min.get(..usize::from(*size).min(8))?;
    let min = min.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    Some((u32::from_le_bytes(*bits), min))
}

struct Value {
    size: u32,
    float: bool,
    min: u64,
    /// Power of ten.
    scale: i32,
}

impl Value {
    /// The bits of the value that is `difference` above the smallest.
    fn of(&self, difference: u64) -> u64 {
        if !self.float {
            return self.min.wrapping_add(difference);
        }
        if self.size == 8 {
            let ten = 10_f64.powi(self.scale);
            return (difference as f64 / ten + f64::from_bits(self.min)).to_bits();
        }
        // In the precision of the type, as the C library does.
        let [a, b, c, d, ..] = self.min.to_le_bytes();
        let ten = 10_f32.powi(self.scale);
        let difference = u32::try_from(difference).unwrap_or(u32::MAX);
        (difference as f32 / ten + f32::from_le_bytes([a, b, c, d])).to_bits().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(bits: u8, min: i64, data: &[u8]) -> Vec<u8> {
        let mut chunk = vec![bits, 0, 0, 0, 8];
        chunk.extend(min.to_le_bytes());
        chunk.resize(HEAD, 0);
        chunk.extend(data);
        chunk
    }

    fn parameters(given: [u32; 8], fill: i64) -> Vec<u32> {
        let fill = fill.to_le_bytes();
        let (fill, _) = fill.as_chunks();
        let fill = fill.iter().map(|bytes| u32::from_le_bytes(*bytes));
        let mut parameters: Vec<u32> = given.into_iter().chain(fill).collect();
        parameters.resize(20, 0);
        parameters
    }

    #[test]
    fn integers_count_from_the_smallest() {
        let stored = chunk(4, -3, &[0x05, 0xf1]);
        let wanted = [-3_i16, 2, 99, -2];
        let little: Vec<u8> = wanted.iter().flat_map(|v| v.to_le_bytes()).collect();
        let values = parameters([2, 0, 4, 0, 2, 1, 0, 1], 99);
        let decoded = ScaleOffset.decode(&values, Cow::Borrowed(&stored), 8).unwrap();
        assert_eq!(decoded, little);
        let big: Vec<u8> = wanted.iter().flat_map(|v| v.to_be_bytes()).collect();
        let values = parameters([2, 0, 4, 0, 2, 1, 1, 1], 99);
        assert_eq!(ScaleOffset.decode(&values, Cow::Borrowed(&stored), 8).unwrap(), big);
        // Without a fill value, ones are a difference as any.
        let values = parameters([2, 0, 4, 0, 2, 1, 0, 0], 99);
        let decoded = ScaleOffset.decode(&values, Cow::Borrowed(&stored), 8).unwrap();
        assert_eq!(decoded[4..6], 12_i16.to_le_bytes());
    }

    #[test]
    fn floats_are_scaled() {
        let min = i64::from((-1.5_f32).to_bits());
        let stored = chunk(8, min, &[0, 25, 250, 255]);
        let values = parameters([0, 1, 4, 1, 4, 0, 0, 1], i64::from(7_f32.to_bits()));
        let decoded = ScaleOffset.decode(&values, Cow::Borrowed(&stored), 16).unwrap();
        let wanted = [-1.5_f32, 1.0, 23.5, 7.0];
        assert_eq!(decoded, wanted.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>());
    }

    #[test]
    fn refuses_damage() {
        let good = [2, 0, 4, 0, 2, 1, 0, 1];
        for (values, stored) in [
            (parameters([1, 0, 4, 1, 4, 0, 0, 0], 0), chunk(4, 0, &[0; 9])),
            (parameters([2, 0, 4, 0, 3, 0, 0, 0], 0), chunk(4, 0, &[0; 9])),
            (parameters([2, 0, u32::MAX, 0, 8, 0, 0, 0], 0), chunk(4, 0, &[0; 9])),
            (parameters(good, 0), chunk(17, 0, &[0; 9])),
            (parameters(good, 0), chunk(4, 0, &[0])),
            (parameters(good, 0), chunk(16, 0, &[0; 7])),
            (parameters(good, 0), vec![0; 20]),
            (vec![2, 0], chunk(4, 0, &[0; 9])),
        ] {
            ScaleOffset.decode(&values, Cow::Owned(stored), 8).unwrap_err();
        }
    }
}
