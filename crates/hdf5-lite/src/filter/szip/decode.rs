//! From blocks to samples.

use super::{Coder, low};
use crate::filter::bits::Bits;

/// "Remainder of segment": the run of zeros lasts to the next 64th block or the interval's end.
const REMAINDER: u32 = 4;
/// Blocks of a segment.
const SEGMENT: usize = 64;
/// The largest sum of a pair in the second extension is 12.
const MAX_PAIR: u32 = 90;

impl Coder {
    /// Decodes samples until there are `len` bytes.
    pub(super) fn decode(&self, data: &[u8], len: usize, out: &mut Vec<u8>) -> Option<()> {
        let mut bits = Bits::new(data);
        let mut line = vec![0; self.scanline.next_multiple_of(self.block)];
        while out.len() < len {
            // What fills the last block of a scanline is not part of the chunk.
            let wanted = (len - out.len()).div_ceil(self.bytes).min(self.scanline);
            self.interval(&mut bits, &mut line, wanted)?;
            if self.differences {
                self.add_up(&mut line);
            }
            for sample in line.iter().take(wanted) {
                let bytes = sample.to_le_bytes();
                let bytes = bytes.get(..self.bytes)?;
                if self.msb {
                    out.extend(bytes.iter().rev());
                } else {
                    out.extend_from_slice(bytes);
                }
            }
        }
        out.truncate(len);
        Some(())
    }

    /// Decodes the first `wanted` samples of an interval.
    fn interval(&self, bits: &mut Bits<'_>, line: &mut [u32], wanted: usize) -> Option<()> {
        let id_bits = self.id_bits();
        let raw = (1 << id_bits) - 1;
        let blocks = line.len() / self.block;
        let mut at = 0;
        while at < blocks && at * self.block < wanted {
            let id = low(bits.take(id_bits)?);
            let start = at * self.block;
            at += 1;
            let samples = line.get_mut(start..start + self.block)?;
            if id == raw {
                for sample in samples {
                    *sample = low(bits.take(self.bits)?);
                }
                continue;
            }
            let pairs = id == 0 && bits.take(1)? == 1;
            let reference = usize::from(start == 0 && self.differences);
            if reference == 1 {
                *samples.first_mut()? = low(bits.take(self.bits)?);
            }
            if id > 0 {
                split(bits, id - 1, samples.get_mut(reference..)?)?;
            } else if pairs {
                second_extension(bits, samples, reference)?;
            } else {
                let left = blocks - at + 1;
                let run = match bits.unary()?.checked_add(1)? {
                    REMAINDER_CODE => left.min(SEGMENT - (at - 1) % SEGMENT),
                    n if n > REMAINDER_CODE => usize::try_from(n - 1).ok()?,
                    n => usize::try_from(n).ok()?,
                };
                if run > left {
                    return None;
                }
                at += run - 1;
                line.get_mut(start + reference..at * self.block)?.fill(0);
            }
        }
        Some(())
    }

    /// Makes samples of folded differences; the first is one already.
    fn add_up(&self, line: &mut [u32]) {
        let max = low(u64::MAX >> (64 - self.bits));
        let middle = max / 2 + 1;
        let Some((first, rest)) = line.split_first_mut() else { return };
        let mut value = *first;
        for sample in rest {
            let folded = *sample;
            // The distance to the nearer end of the range: beyond it, only one sign is possible.
            let mask = if value & middle == 0 { 0 } else { max };
            let half = (folded >> 1) + (folded & 1);
            value = if half <= mask ^ value {
                let sign = (folded & 1).wrapping_neg();
                value.wrapping_add(folded >> 1 ^ sign)
            } else {
                mask ^ folded
            };
            *sample = value;
        }
    }
}

/// Upper bits in unary, then `k` lower bits of each.
fn split(bits: &mut Bits<'_>, k: u32, samples: &mut [u32]) -> Option<()> {
    for sample in samples.iter_mut() {
        // No more than the sample has bits for; libaec does not ask.
        *sample = bits.unary()?.checked_shl(k)?;
    }
    if k > 0 {
        for sample in samples {
            *sample |= low(bits.take(k)?);
        }
    }
    Some(())
}

/// What [`REMAINDER`] is in the code of a run, which counts from one.
const REMAINDER_CODE: u32 = REMAINDER + 1;

/// Of each pair with the sum `s` and the second sample `b`: the number `s * (s + 1) / 2 + b`.
fn second_extension(bits: &mut Bits<'_>, samples: &mut [u32], reference: usize) -> Option<()> {
    let mut at = reference;
    while at < samples.len() {
        let code = bits.unary().filter(|code| *code <= MAX_PAIR)?;
        let mut sum = 0;
        while (sum + 1) * (sum + 2) / 2 <= code {
            sum += 1;
        }
        let second = code - sum * (sum + 1) / 2;
        // With a reference in its place, the first of a pair is not there.
        if at.is_multiple_of(2) {
            *samples.get_mut(at)? = sum - second;
            at += 1;
        }
        *samples.get_mut(at)? = second;
        at += 1;
    }
    Some(())
}

/// Puts the bytes of each number together.
pub(super) fn deinterleave(planes: &[u8], size: usize) -> Vec<u8> {
    let numbers = planes.len() / size;
    let mut bytes = vec![0; planes.len()];
    for (n, plane) in planes.chunks_exact(numbers.max(1)).take(size).enumerate() {
        bytes.iter_mut().skip(n).step_by(size).zip(plane).for_each(|(to, from)| *to = *from);
    }
    bytes
}
