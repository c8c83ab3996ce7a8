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

mod decode;
mod encode;

use std::borrow::Cow;

use decode::deinterleave;
use encode::interleave;

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

    /// Bits of a block's option.
    fn id_bits(&self) -> u32 {
        match self.bits {
            1..=8 => 3,
            9..=16 => 4,
            _ => 5,
        }
    }
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
