//! Blosc2, filter 32026: a frame that holds the chunk as one or more chunks of its own.
//!
//! The frame starts with a header in MessagePack, of which fields have fixed places: its length
//! (byte 11), that of the frame (16), the decoded (30) and stored lengths (39), and the decoded
//! length of a chunk (58). Then come the chunks, and a chunk of their offsets; an offset with its
//! highest bits set is none, but stands for a chunk of zeros or NaNs.
//!
//! Chunks are those of [Blosc](super::blosc) with a longer head: a pipeline of filters, and flags
//! for chunks of one value. Streams of a length that is not positive are of one byte alone.
//!
//! A frame with the metadata "b2nd" holds an array, whose blocks are boxes of it.

use std::borrow::Cow;

use super::blosc::Codec;
use super::{Filter, bitshuffle, broken, max_len, output, shuffle};
use crate::error::Result;

/// Bytes of whole blocks up to which an array may have many times its own.
const MOST_PADDED: usize = 1 << 27;

#[derive(Debug)]
pub(super) struct Blosc2;

impl Filter for Blosc2 {
    fn id(&self) -> u16 {
        32026
    }

    fn name(&self) -> &'static str {
        "blosc2"
    }

    /// `client_data`: the frame says all that it does.
    fn decode<'c>(
        &self,
        _: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let wrong = |reason: &'static str| broken(self, reason);
        let frame = Frame::read(&chunk).ok_or_else(|| wrong("the frame is damaged"))?;
        let limit = max_len(expected);
        let padded = match &frame.array {
            None => Some(frame.len).filter(|len| *len <= limit),
            Some(array) => array.padded_elements().and_then(|elements| {
                // Blocks at the edges are stored as whole ones: each axis may come close to twice
                // its length, and small arrays may have blocks of any shape. Of large ones no more
                // than twice the chunk: a few bytes can stand for all of it.
                let wide = limit.saturating_mul(1 << array.chunk.len().min(4)).min(MOST_PADDED);
                let most = limit.saturating_mul(2).max(wide);
                let len = elements.checked_mul(frame.size)?;
                let own = array.chunk.iter().try_fold(frame.size, |n, dim| n.checked_mul(*dim))?;
                (own <= limit && len <= most.saturating_add(1 << 20)).then_some(len)
            }),
        };
        let padded = padded.ok_or_else(|| wrong("the frame is longer than the chunk"))?;
        let mut decoded = output(self, padded)?;
        frame.decode(padded, &mut decoded).map_err(wrong)?;
        if let Some(array) = &frame.array {
            decoded = array.unblock(&decoded, frame.size).ok_or_else(|| wrong("its blocks"))?;
        }
        Ok(Cow::Owned(decoded))
    }
}

/// Bytes from `at` on, as many as the array has.
fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn le_u32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(part(bytes, at)?)).ok()
}

fn be_u32(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(part(bytes, at)?)).ok()
}

fn be_u64(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_be_bytes(part(bytes, at)?)).ok()
}

const MAGIC: &[u8] = b"b2frame\0";

struct Frame<'f> {
    bytes: &'f [u8],
    header: usize,
    /// Decoded length.
    len: usize,
    /// Stored length of all chunks.
    stored: usize,
    /// Bytes of an element.
    size: usize,
    chunk: usize,
    array: Option<Array>,
}

impl<'f> Frame<'f> {
    fn read(bytes: &'f [u8]) -> Option<Self> {
        if bytes.get(2..10)? != MAGIC {
            return None;
        }
        let header = be_u32(bytes, 11)?;
        Some(Self {
            bytes,
            header,
            len: be_u64(bytes, 30)?,
            stored: be_u64(bytes, 39)?,
            size: be_u32(bytes, 48)?.max(1),
            chunk: be_u32(bytes, 58)?,
            array: match metadata(bytes.get(..header)?, b"b2nd") {
                Some(content) => Some(Array::read(content)?),
                None => None,
            },
        })
    }

    /// Decodes the chunks, `len` bytes.
    fn decode(&self, len: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
        // The length of a variable one is not in the header.
        let chunk = if self.chunk == 0 { len } else { self.chunk };
        let number = len.div_ceil(chunk.max(1));
        let index = self.header.saturating_add(self.stored);
        let index = self.bytes.get(index..).ok_or("the offsets are not in it")?;
        let mut offsets = Vec::new();
        decode_chunk(index, number.saturating_mul(8), &mut offsets)?;
        for n in 0..number {
            let chunk = chunk.min(len - out.len());
            let offset = part(&offsets, 8 * n).map(u64::from_le_bytes).ok_or("an offset")?;
            match offset >> 56 {
                0 => {
                    let start = usize::try_from(offset).ok();
                    let start = start.and_then(|offset| offset.checked_add(self.header));
                    let data = start.and_then(|start| self.bytes.get(start..));
                    decode_chunk(data.ok_or("an offset")?, chunk, out)?;
                }
                // Bit 61 is NaN; 62 says that no value was ever set, 63 that all are zero.
                top if top & 0xc0 != 0 => out.resize(out.len() + chunk, 0),
                _ => repeat_nan(self.size, chunk, out),
            }
        }
        Ok(())
    }
}

fn repeat_nan(size: usize, len: usize, out: &mut Vec<u8>) {
    let single = f32::NAN.to_le_bytes();
    let double = f64::NAN.to_le_bytes();
    let nan = if size == 4 { &single[..] } else { &double[..] };
    out.extend(nan.iter().cycle().take(len));
}

/// The content of the metadata `name` of a frame's header: a map of names and offsets.
fn metadata<'f>(header: &'f [u8], name: &[u8]) -> Option<&'f [u8]> {
    const MAP: usize = 91;
    let number = u16::from_be_bytes(part(header, MAP + 1)?);
    let mut at = MAP + 3;
    for _ in 0..number {
        let len = usize::from(header.get(at)? & 0x1f);
        let found = header.get(at + 1..at + 1 + len)?;
        let offset = be_u32(header, at + 2 + len)?;
        if found == name {
            let len = be_u32(header, offset.checked_add(1)?)?;
            return header.get(offset + 5..)?.get(..len);
        }
        at += 6 + len;
    }
    None
}

/// "b2nd": an array that is one chunk.
struct Array {
    chunk: Vec<usize>,
    block: Vec<usize>,
}

impl Array {
    /// Five or seven fields: version, rank, extent, chunk, block.
    fn read(content: &[u8]) -> Option<Self> {
        let rank = usize::from(*content.get(2)?);
        let mut at = 3;
        let mut list = |width: usize| {
            let mut values = Vec::new();
            if usize::from(*content.get(at)?) != 0x90 + rank {
                return None;
            }
            at += 1;
            for _ in 0..rank {
                values.push(if width == 8 {
                    be_u64(content, at + 1)?
                } else {
                    be_u32(content, at + 1)?
                });
                at += 1 + width;
            }
            Some(values)
        };
        let (shape, chunk, block) = (list(8)?, list(4)?, list(4)?);
        // What HDF5 hands over is one chunk; blocks no longer than it.
        let whole = rank > 0 && shape == chunk;
        let mut pairs = chunk.iter().zip(&block);
        (whole && pairs.all(|(c, b)| 0 < *b && b <= c)).then_some(Self { chunk, block })
    }

    /// Elements of all blocks, whole ones.
    fn padded_elements(&self) -> Option<usize> {
        let mut pairs = self.chunk.iter().zip(&self.block);
        pairs.try_fold(1_usize, |n, (chunk, block)| {
            n.checked_mul(chunk.checked_next_multiple_of(*block)?)
        })
    }

    /// Puts the rows of each block where they belong.
    fn unblock(&self, blocks: &[u8], size: usize) -> Option<Vec<u8>> {
        let len = self.chunk.iter().try_fold(size, |n, dim| n.checked_mul(*dim))?;
        let mut out = vec![0; len];
        let (row, rest) = self.block.split_last()?;
        let rows: usize = rest.iter().product();
        let grid: Vec<usize> = self
            .chunk
            .iter()
            .zip(&self.block)
            .map(|(chunk, block)| chunk.div_ceil(*block))
            .collect();
        for (n, line) in blocks.chunks_exact(row.checked_mul(size)?).enumerate() {
            // Which block of the grid, which row of the block; both as coordinates.
            let (mut block, mut line_of) = (n / rows, n % rows);
            let (mut offset, mut stride, mut fits, mut count) = (0, 1, true, *row);
            let axes = self.chunk.iter().zip(&self.block).zip(&grid).rev().enumerate();
            for (axis, ((chunk, len), blocks)) in axes {
                let mut at = block % blocks * len;
                block /= blocks;
                if axis == 0 {
                    count = count.min(chunk - at);
                } else {
                    at += line_of % len;
                    line_of /= len;
                }
                fits &= at < *chunk;
                offset += at * stride;
                stride *= chunk;
            }
            if fits {
                let start = offset * size;
                let to = out.get_mut(start..start + count * size)?;
                to.copy_from_slice(line.get(..count * size)?);
            }
        }
        Some(out)
    }
}

const SHORT: &str = "a chunk is too short";
const DAMAGED: &str = "a damaged chunk";
/// Both shuffles at once: the head is of 32 bytes.
const EXTENDED: u8 = 5;
const STORED: u8 = 2;
const NOT_SPLIT: u8 = 16;

/// Decodes a chunk of `len` bytes.
fn decode_chunk(chunk: &[u8], len: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let head: [u8; 16] = part(chunk, 0).ok_or(SHORT)?;
    let [_, _, flags, size, ..] = head;
    let size = usize::from(size).max(1);
    let extended = flags & EXTENDED == EXTENDED;
    let tail: [u8; 16] = if extended { part(chunk, 16).ok_or(SHORT)? } else { [0; 16] };
    let head_len = if extended { 32 } else { 16 };
    let [f0, f1, f2, f3, f4, f5, codec, _, m0, m1, m2, m3, m4, m5, _, more] = tail;
    let filters = if extended {
        [(f0, m0), (f1, m1), (f2, m2), (f3, m3), (f4, m4), (f5, m5)]
    } else {
        [(flags & 1, 0), ((flags & 4) / 2, 0), (0, 0), (0, 0), (0, 0), (0, 0)]
    };
    if le_u32(chunk, 4) != Some(len) {
        return Err("a chunk of another length than the frame says");
    }
    match more >> 4 & 7 {
        0 => {}
        // Zeros; values that were never set.
        1 | 4 => {
            out.resize(out.len() + len, 0);
            return Ok(());
        }
        2 => {
            repeat_nan(size, len, out);
            return Ok(());
        }
        3 => {
            let value = chunk.get(head_len..head_len + size).ok_or(SHORT)?;
            out.extend(value.iter().cycle().take(len));
            return Ok(());
        }
        _ => return Err("a chunk of an unknown kind"),
    }
    if flags & STORED != 0 {
        let data = chunk.get(head_len..).and_then(|data| data.get(..len)).ok_or(SHORT)?;
        out.extend_from_slice(data);
        return Ok(());
    }
    if more & 1 != 0 {
        return Err("a dictionary is not supported");
    }
    let format = if flags >> 5 == 6 { codec } else { flags >> 5 };
    let codec = Codec::of(format).ok_or("an unknown codec")?;
    let block = le_u32(chunk, 8).filter(|block| *block > 0).ok_or(DAMAGED)?;
    let first = out.len();
    let mut scratch = (Vec::new(), Vec::new());
    for n in 0..len.div_ceil(block) {
        let block_len = block.min(len - n * block);
        let start = le_u32(chunk, head_len + 4 * n).ok_or(SHORT)?;
        let streams = if flags & NOT_SPLIT == 0 && block_len == block { size } else { 1 };
        scratch.0.clear();
        scratch.0.resize(block_len, 0);
        let data = chunk.get(start..).ok_or(SHORT)?;
        streams_into(codec, data, streams, &mut scratch.0)?;
        // The reference of the delta filter is the first block, as it was.
        let start = out.len();
        let reference = out.get(first..(first + block).min(start)).unwrap_or_default();
        for (filter, meta) in filters.into_iter().rev() {
            let width = if meta == 0 { size } else { usize::from(meta) };
            scratch.1.clear();
            scratch.1.extend_from_slice(&scratch.0);
            let (to, from) = (&mut scratch.0, &scratch.1);
            match filter {
                // None; bits were cut off, which nothing brings back.
                0 | 4 => {}
                1 => shuffle::unshuffle_into(width, from, to),
                2 => {
                    let whole = from.len() / size / 8 * 8 * size;
                    if let (Some(planes), Some(to)) = (from.get(..whole), to.get_mut(..whole)) {
                        bitshuffle::unshuffle(planes, size, to);
                    }
                }
                3 if n == 0 => undo_delta(size, to),
                3 => to.iter_mut().zip(reference).for_each(|(byte, first)| *byte ^= first),
                _ => return Err("an unknown filter"),
            }
        }
        out.extend_from_slice(&scratch.0);
    }
    Ok(())
}

/// Each element of the first block was combined with the one before.
fn undo_delta(size: usize, block: &mut [u8]) {
    let mut before = vec![0; size];
    for element in block.chunks_mut(size) {
        for (byte, before) in element.iter_mut().zip(&mut before) {
            *byte ^= *before;
            *before = *byte;
        }
    }
}

/// Decodes the streams of a block.
fn streams_into(
    codec: Codec,
    mut data: &[u8],
    streams: usize,
    out: &mut [u8],
) -> Result<(), &'static str> {
    let stream_len = (out.len() / streams).max(1);
    for stream in out.chunks_exact_mut(stream_len).take(streams) {
        let len = i32::from_le_bytes(part(data, 0).ok_or(SHORT)?);
        data = data.get(4..).unwrap_or_default();
        if len <= 0 {
            // One byte, which is the length negated; a byte of flags follows if it is not zero.
            let value = u8::try_from(len.unsigned_abs()).map_err(|_| DAMAGED)?;
            if value > 0 {
                data = data.get(1..).ok_or(SHORT)?;
            }
            stream.fill(value);
            continue;
        }
        let len = usize::try_from(len).map_err(|_| DAMAGED)?;
        let from;
        (from, data) = data.split_at_checked(len).ok_or(SHORT)?;
        if from.len() == stream.len() {
            stream.copy_from_slice(from);
        } else {
            codec.decode(from, stream).ok_or(DAMAGED)?;
        }
    }
    Ok(())
}
