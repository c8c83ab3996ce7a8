//! Szip, filter 4: the lossless coder of CCSDS 121.0-B, as libaec's `szlib` interface uses it.
//!
//! Samples are coded in blocks, and a scanline of blocks ("reference sample interval") starts
//! anew. A block starts with its option:
//!
//! - 0, then a bit 0: a run of blocks of zeros, its length in unary;
//! - 0, then a bit 1: pairs of samples, each pair one number in unary ("second extension");
//! - all ones: the samples as they are;
//! - `k + 1`: the upper bits of each sample in unary, then the lower `k` bits of each.
//!
//! With the option "nearest neighbour" samples are differences from the one before, folded into
//! positive numbers, and the first of each interval is stored as it is.
//!
//! A chunk starts with its decoded length, 4 bytes little-endian. `client_data`: options, samples
//! of a block, bits of a sample, samples of a scanline.

use std::borrow::Cow;

use super::bits::{Bits, BitsOut};
use super::{Filter, broken, elements, max_len, output, parameter};
use crate::error::Result;
use crate::message::{ByteOrder, Datatype};

/// Options of `szlib.h`. All of them but two are the library's to choose.
const ALLOW_K13: u32 = 1;
const ENTROPY: u32 = 4;
const LSB: u32 = 8;
const MSB: u32 = 16;
const NEAREST_NEIGHBOUR: u32 = 32;
const RAW: u32 = 128;

/// `SZ_MAX_BLOCKS_PER_SCANLINE` and `SZ_MAX_PIXELS_PER_SCANLINE`.
const MAX_BLOCKS: u32 = 128;
const MAX_LINE: u32 = 4096;

/// "Remainder of segment": the run of zeros lasts to the next 64th block or the interval's end.
const REMAINDER: u32 = 4;
/// Blocks of a segment.
const SEGMENT: usize = 64;
/// The largest sum of a pair in the second extension is 12.
const MAX_PAIR: u32 = 90;

#[derive(Debug)]
pub(super) struct Szip;

impl Filter for Szip {
    fn id(&self) -> u16 {
        4
    }

    fn name(&self) -> &'static str {
        "szip"
    }

    fn decode<'c>(
        &self,
        client_data: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let wrong = || broken(self, "parameters without sense");
        let &[options, block, bits, scanline, ..] = client_data else { return Err(wrong()) };
        let coder = Coder::new(options, block, bits, scanline).ok_or_else(wrong)?;
        let short = || broken(self, "the chunk is too short");
        let (len, data) = chunk.split_first_chunk().ok_or_else(short)?;
        let len = usize::try_from(u32::from_le_bytes(*len)).unwrap_or(usize::MAX);
        if len > max_len(expected) {
            return Err(broken(self, "the chunk is too long"));
        }
        let mut decoded = output(self, len)?;
        coder.decode(data, len, &mut decoded).ok_or_else(short)?;
        if coder.interleaved > 1 {
            decoded = deinterleave(&decoded, coder.interleaved);
        }
        Ok(Cow::Owned(decoded))
    }

    /// Given are options and samples of a block, as `H5Pset_szip` takes them.
    fn parameters(
        &self,
        client_data: &[u32],
        datatype: &Datatype,
        dims: &[u64],
    ) -> Result<Vec<u32>> {
        let &[options, block] = client_data else { return Ok(client_data.to_vec()) };
        let order = match datatype {
            Datatype::FixedPoint(t) => t.order,
            Datatype::FloatingPoint(t) => t.order,
            other => return Err(broken(self, format!("no such thing as {}", other.class()))),
        };
        let byte_order = if order == ByteOrder::BigEndian { MSB } else { LSB };
        let options = options & (NEAREST_NEIGHBOUR | ENTROPY) | ALLOW_K13 | RAW | byte_order;
        let bits = parameter(self, datatype.size().saturating_mul(8))?;
        let all = elements(self, dims)?;
        let last = dims.last().copied().and_then(|len| u32::try_from(len).ok()).unwrap_or(all);
        // No line is longer than so many blocks; one shorter than a block goes over all axes.
        let longest = block.saturating_mul(MAX_BLOCKS);
        let line = match last {
            _ if last < block => longest.min(all),
            ..=MAX_LINE => longest.min(last),
            _ => longest,
        };
        Ok(vec![options, block, bits, line])
    }

    fn encode(&self, client_data: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let wrong = || broken(self, "parameters without sense");
        let &[options, block, bits, scanline, ..] = client_data else { return Err(wrong()) };
        let coder = Coder::new(options, block, bits, scanline).ok_or_else(wrong)?;
        let mut encoded = output(self, chunk.len())?;
        encoded.extend_from_slice(&parameter(self, chunk.len())?.to_le_bytes());
        let planes = (coder.interleaved > 1).then(|| interleave(chunk, coder.interleaved));
        let encoded = coder.encode(planes.as_deref().unwrap_or(chunk), encoded);
        Ok((encoded.len() < chunk.len()).then_some(encoded))
    }
}

#[derive(Debug)]
struct Coder {
    /// Bits of a sample, 1 to 32.
    bits: u32,
    /// Bytes of a sample in the output.
    bytes: usize,
    msb: bool,
    differences: bool,
    /// Samples of a block.
    block: usize,
    /// Samples of a scanline.
    scanline: usize,
    /// Bytes of a number of which the bytes were coded apart: all first ones, all second ones.
    interleaved: usize,
}

impl Coder {
    fn new(options: u32, block: u32, bits: u32, scanline: u32) -> Option<Self> {
        // `SZ_MAX_PIXELS_PER_BLOCK` and `SZ_MAX_PIXELS_PER_SCANLINE` of szlib, with room.
        let block = usize::try_from(block).ok().filter(|n| (2..=256).contains(n) && n % 2 == 0)?;
        let scanline = usize::try_from(scanline).ok().filter(|n| (1..=1 << 16).contains(n))?;
        let (bits, interleaved) = match bits {
            32 | 64 => (8, usize::try_from(bits / 8).ok()?),
            1..=24 => (bits, 1),
            _ => return None,
        };
        let bytes = match bits {
            1..=8 => 1,
            9..=16 => 2,
            _ => 4,
        };
        let differences = options & NEAREST_NEIGHBOUR != 0;
        let msb = options & MSB != 0;
        Some(Self { bits, bytes, msb, differences, block, scanline, interleaved })
    }

    /// Decodes samples until there are `len` bytes.
    fn decode(&self, data: &[u8], len: usize, out: &mut Vec<u8>) -> Option<()> {
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

    /// Encodes all samples, behind what is in `out`.
    fn encode(&self, data: &[u8], out: Vec<u8>) -> Vec<u8> {
        let mut bits = BitsOut::new(out);
        let len = self.scanline.next_multiple_of(self.block);
        for line in data.chunks(self.scanline * self.bytes) {
            let sample = |bytes: &[u8]| {
                let mut value = [0; 4];
                if self.msb {
                    value.iter_mut().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
                } else {
                    value.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                }
                u32::from_le_bytes(value)
            };
            let mut line: Vec<u32> = line.chunks(self.bytes).map(sample).collect();
            // Whole blocks, and lines of one length; what fills them costs least like this.
            line.resize(len, line.last().copied().unwrap_or(0));
            if self.differences {
                self.fold(&mut line);
            }
            for (n, block) in line.chunks(self.block).enumerate() {
                self.block(block, usize::from(n == 0 && self.differences), &mut bits);
            }
        }
        bits.into_bytes()
    }

    /// Encodes a block in the way that takes the fewest bits; a reference is stored as it is.
    fn block(&self, samples: &[u32], reference: usize, bits: &mut BitsOut) {
        let id_bits = self.id_bits();
        let (first, rest) = samples.split_at(reference);
        let put_first = |bits: &mut BitsOut| {
            first.iter().for_each(|sample| bits.put((*sample).into(), self.bits));
        };
        if rest.iter().all(|sample| *sample == 0) {
            bits.put(0, id_bits + 1);
            put_first(bits);
            bits.put(1, 1); // a run of one block
            return;
        }
        let cost = |k: u32| {
            let unary = rest.iter().map(|sample| u64::from(sample >> k) + 1).sum::<u64>();
            unary + u64::from(k) * rest.len() as u64
        };
        let raw = (1_u32 << id_bits) - 1;
        // The options between that of zeros and that of samples as they are.
        let (bits_of_k, k) = (0..raw - 1).map(|k| (cost(k), k)).min().unwrap_or((u64::MAX, 0));
        if bits_of_k >= u64::from(self.bits) * rest.len() as u64 {
            bits.put(raw.into(), id_bits);
            samples.iter().for_each(|sample| bits.put((*sample).into(), self.bits));
            return;
        }
        bits.put((k + 1).into(), id_bits);
        put_first(bits);
        for sample in rest {
            // Shorter than the block as it is.
            let mut zeros = sample >> k;
            while zeros > 32 {
                bits.put(0, 32);
                zeros -= 32;
            }
            bits.put(0, zeros);
            bits.put(1, 1);
        }
        rest.iter().for_each(|sample| bits.put((*sample).into(), k));
    }

    /// The way back of [`add_up`](Self::add_up).
    fn fold(&self, line: &mut [u32]) {
        let max = low(u64::MAX >> (64 - self.bits));
        let Some((first, rest)) = line.split_first_mut() else { return };
        let mut before = *first;
        for sample in rest {
            let (value, room) = (*sample, before.min(max - before));
            let distance = value.abs_diff(before);
            *sample = match distance {
                _ if distance > room => room + distance,
                _ if value < before => 2 * distance - 1,
                _ => 2 * distance,
            };
            before = value;
        }
    }

    /// Bits of a block's option.
    fn id_bits(&self) -> u32 {
        match self.bits {
            1..=8 => 3,
            9..=16 => 4,
            _ => 5,
        }
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
fn deinterleave(planes: &[u8], size: usize) -> Vec<u8> {
    let numbers = planes.len() / size;
    let mut bytes = vec![0; planes.len()];
    for (n, plane) in planes.chunks_exact(numbers.max(1)).take(size).enumerate() {
        bytes.iter_mut().skip(n).step_by(size).zip(plane).for_each(|(to, from)| *to = *from);
    }
    bytes
}

/// The way back of [`deinterleave`].
fn interleave(bytes: &[u8], size: usize) -> Vec<u8> {
    (0..size).flat_map(|n| bytes.iter().skip(n).step_by(size).copied()).collect()
}

/// At most 32 bits were asked for.
fn low(bits: u64) -> u32 {
    u32::try_from(bits).unwrap_or(u32::MAX)
}

#[test]
fn decodes_what_it_encodes() {
    // Slopes, jumps over the whole range, runs of zeros.
    let value = |n: u32| match n / 50 % 3 {
        0 => n * 3,
        1 => n.wrapping_mul(0x9e37_79b9),
        _ => 0,
    };
    for bits in [1_usize, 7, 8, 12, 16, 24, 32, 64] {
        for (options, block, line) in [(NEAREST_NEIGHBOUR, 8, 100), (MSB, 16, 33), (MSB | 32, 2, 7)]
        {
            let width = bits.div_ceil(8).next_power_of_two();
            let mask = if bits < 32 { (1 << bits) - 1 } else { u32::MAX };
            let chunk: Vec<u8> = (0..1000)
                .flat_map(|n| {
                    let mut bytes = u64::from(value(n) & mask).to_le_bytes()[..width].to_vec();
                    if options & MSB != 0 {
                        bytes.reverse();
                    }
                    bytes
                })
                .collect();
            let client_data = [options, block, u32::try_from(bits).unwrap(), line];
            let coder = Coder::new(options, block, client_data[2], line).unwrap();
            let planes = interleave(&chunk, coder.interleaved);
            let len = u32::try_from(chunk.len()).unwrap().to_le_bytes();
            let encoded = coder.encode(&planes, len.to_vec());
            let decoded = Szip.decode(&client_data, Cow::Owned(encoded), chunk.len()).unwrap();
            assert!(*decoded == chunk, "{bits} bits, {client_data:?}");
        }
    }
}
