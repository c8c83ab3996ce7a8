//! Blosc, filter 32001: blocks, shuffled and compressed by one of several codecs.
//!
//! The chunk starts with 16 bytes: versions of the format and of the codec, flags, the size of an
//! element, and (little-endian) the length decoded, of a block, and stored. Then come the offsets
//! of the blocks. A block is one stream or, for codecs that do better so, as many as an element
//! has bytes; each has its stored length before it and is not compressed if that is its length.

use std::borrow::Cow;

use super::{Filter, bitshuffle, broken, copy_back, lz4, max_len, output, shuffle, zstd};
use crate::error::Result;

const HEAD: usize = 16;
const SHUFFLED: u8 = 1;
const STORED: u8 = 2;
const BIT_SHUFFLED: u8 = 4;
const NOT_SPLIT: u8 = 16;
/// Larger elements are not split into streams, nor are blocks of fewer.
const MAX_STREAMS: usize = 16;
const MIN_STREAM: usize = 128;

#[derive(Debug)]
pub(super) struct Blosc;

impl Filter for Blosc {
    fn id(&self) -> u16 {
        32001
    }

    fn name(&self) -> &'static str {
        "blosc"
    }

    /// `client_data`: the chunk says all that it does.
    fn decode<'c>(
        &self,
        _: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let short = || broken(self, "the chunk is too short");
        let &[_, _, flags, size, ref rest @ ..] = &chunk[..] else { return Err(short()) };
        let size = usize::from(size).max(1);
        let len = le_u32(rest, 0).filter(|len| *len <= max_len(expected));
        let len = len.ok_or_else(|| broken(self, "the chunk is too long"))?;
        let block = le_u32(rest, 4).ok_or_else(short)?;
        let mut decoded = output(self, len)?;
        if flags & STORED != 0 {
            let stored = chunk.get(HEAD..).and_then(|data| data.get(..len)).ok_or_else(short)?;
            decoded.extend_from_slice(stored);
            return Ok(Cow::Owned(decoded));
        }
        if block == 0 && len > 0 {
            return Err(broken(self, "blocks of no length"));
        }
        let codec = Codec::of(flags >> 5).ok_or_else(|| broken(self, "an unknown codec"))?;
        decoded.resize(len, 0);
        let mut scratch = Vec::new();
        for (n, to) in decoded.chunks_mut(block.max(1)).enumerate() {
            let start = le_u32(&chunk, HEAD + 4 * n).ok_or_else(short)?;
            let mut data = chunk.get(start..).ok_or_else(short)?;
            let split = flags & NOT_SPLIT == 0
                && to.len() == block
                && size <= MAX_STREAMS
                && block / size >= MIN_STREAM;
            let streams = if split { size } else { 1 };
            let transposed = flags & (SHUFFLED | BIT_SHUFFLED) != 0;
            scratch.clear();
            scratch.resize(to.len(), 0);
            let out = if transposed { &mut scratch[..] } else { &mut *to };
            // Were the block not a multiple of the streams, the rest would be in none of them.
            let stream_len = out.len() / streams;
            for stream in out.chunks_exact_mut(stream_len.max(1)).take(streams) {
                let stored = le_u32(data, 0).ok_or_else(short)?;
                let after = data.get(4..).unwrap_or_default();
                let from;
                (from, data) = after.split_at_checked(stored).ok_or_else(short)?;
                if from.len() == stream.len() {
                    stream.copy_from_slice(from);
                } else {
                    codec.decode(from, stream).ok_or_else(|| broken(self, "a damaged block"))?;
                }
            }
            if transposed {
                untranspose(flags, size, &scratch, to);
            }
        }
        Ok(Cow::Owned(decoded))
    }
}

/// Undoes the shuffle or bit shuffle of a block.
fn untranspose(flags: u8, size: usize, from: &[u8], to: &mut [u8]) {
    let elements = from.len() / size;
    if flags & BIT_SHUFFLED != 0 {
        // Blocks of half bytes were left alone.
        if elements.is_multiple_of(8) {
            let whole = elements * size;
            if let (Some(planes), Some(out)) = (from.get(..whole), to.get_mut(..whole)) {
                bitshuffle::unshuffle(planes, size, out);
            }
            if let (Some(rest), Some(out)) = (from.get(whole..), to.get_mut(whole..)) {
                out.copy_from_slice(rest);
            }
        } else {
            to.copy_from_slice(from);
        }
    } else {
        shuffle::unshuffle_into(size, from, to);
    }
}

/// A 32-bit number that is a length or an offset.
fn le_u32(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

/// "Compressor format" of the flags.
#[derive(Clone, Copy, Debug)]
pub(super) enum Codec {
    BloscLz,
    Lz4,
    Snappy,
    Zlib,
    Zstd,
}

impl Codec {
    pub(super) fn of(format: u8) -> Option<Self> {
        Some(match format {
            0 => Self::BloscLz,
            1 => Self::Lz4,
            2 => Self::Snappy,
            3 => Self::Zlib,
            4 => Self::Zstd,
            _ => return None,
        })
    }

    /// Decodes a stream that fills `to`.
    pub(super) fn decode(self, from: &[u8], to: &mut [u8]) -> Option<()> {
        let len = match self {
            Self::BloscLz => {
                let mut decoded = Vec::new();
                decoded.try_reserve_exact(to.len()).ok()?;
                blosc_lz(from, &mut decoded, to.len())?;
                to.get_mut(..decoded.len())?.copy_from_slice(&decoded);
                decoded.len()
            }
            Self::Lz4 => return lz4::block_into(from, to),
            Self::Snappy => snap::raw::Decoder::new().decompress(from, to).ok()?,
            Self::Zlib => {
                let mut stream = flate2::Decompress::new(true);
                stream.decompress(from, to, flate2::FlushDecompress::Finish).ok()?;
                usize::try_from(stream.total_out()).ok()?
            }
            Self::Zstd => {
                let decoded = zstd::frame(from, to.len()).ok()?;
                to.get_mut(..decoded.len())?.copy_from_slice(&decoded);
                decoded.len()
            }
        };
        (len == to.len()).then_some(())
    }
}

/// `BLOSCLZ`, of FastLZ's family: a byte under 32 starts a run of as many bytes plus one; any
/// other one starts a copy of what was decoded before: three bits of length (7: bytes follow
/// until one is not 255), 13 of distance (all ones: two bytes of more follow).
fn blosc_lz(mut from: &[u8], to: &mut Vec<u8>, max: usize) -> Option<()> {
    let mut next = || {
        let (byte, rest) = from.split_first()?;
        from = rest;
        Some(usize::from(*byte))
    };
    // The first control byte carries a mark in the bits of the length.
    let mut control = next()? & 31;
    loop {
        if control < 32 {
            for _ in 0..=control {
                to.push(u8::try_from(next()?).ok()?);
            }
        } else {
            let mut len = (control >> 5) + 2;
            if control >> 5 == 7 {
                loop {
                    let more = next()?;
                    len = len.checked_add(more)?;
                    if more != 255 {
                        break;
                    }
                }
            }
            let (high, low) = ((control & 31) << 8, next()?);
            let distance = if high == 31 << 8 && low == 255 {
                (next()? << 8 | next()?) + 0x1fff
            } else {
                high | low
            };
            if len > max.saturating_sub(to.len()) {
                return None;
            }
            copy_back(to, distance + 1, len)?;
        }
        if to.len() > max {
            return None;
        }
        match next() {
            Some(byte) => control = byte,
            None => return Some(()),
        }
    }
}
