//! Bitshuffle, filter 32008: the first bits of all elements, then the second bits, and so on, in
//! blocks that may be compressed.
//!
//! `client_data`: two version numbers, the size of an element, elements of a block (0 for the
//! default), and the compression (0 none, 2 LZ4, 3 Zstandard). A compressed chunk starts with its
//! decoded length (8 bytes) and the bytes of a block (4); each block has its stored length (4)
//! before it; all big-endian. Elements beyond the last multiple of eight lie at the end as they
//! are.

use std::borrow::Cow;

use super::{Filter, broken, max_len, output, parameter};
use crate::error::Result;
use crate::message::Datatype;

/// Blocks are of whole bytes of bits.
const MULTIPLE: usize = 8;

#[derive(Debug)]
pub(super) struct Bitshuffle;

impl Filter for Bitshuffle {
    fn id(&self) -> u16 {
        32008
    }

    fn name(&self) -> &'static str {
        "bitshuffle"
    }

    fn decode<'c>(
        &self,
        client_data: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let at = |n: usize| client_data.get(n).map_or(0, |v| usize::try_from(*v).unwrap_or(0));
        let (size, block) = (at(2), at(3));
        if size == 0 {
            return Err(broken(self, "no size of elements in the client data"));
        }
        match at(4) {
            0 => {
                let block = if block == 0 { default_block(size) } else { block };
                if !block.is_multiple_of(MULTIPLE) {
                    return Err(broken(self, "a block of half bytes"));
                }
                let mut decoded = output(self, chunk.len().min(max_len(expected)))?;
                let mut rest = &chunk[..];
                for len in blocks(chunk.len() / size, block) {
                    let (from, after) = rest.split_at_checked(len * size).unwrap_or((rest, &[]));
                    rest = after;
                    let start = decoded.len();
                    decoded.resize(start + from.len(), 0);
                    if let Some(to) = decoded.get_mut(start..) {
                        unshuffle(from, size, to);
                    }
                }
                decoded.extend_from_slice(rest);
                Ok(Cow::Owned(decoded))
            }
            #[cfg(feature = "bitshuffle")]
            kind @ (2 | 3) => compressed(self, kind, size, &chunk, expected),
            other => Err(broken(self, format!("compression {other} is not supported"))),
        }
    }

    /// The versions are those of the first release with Zstandard.
    fn parameters(&self, client_data: &[u32], datatype: &Datatype, _: &[u64]) -> Result<Vec<u32>> {
        let (block, compression) = match client_data {
            [_, _, _, block, compression, ..] | [block, compression] => (*block, *compression),
            [] => (0, 0),
            _ => return Err(broken(self, "client data are a size of blocks and a compression")),
        };
        Ok(vec![0, 4, parameter(self, datatype.size())?, block, compression])
    }

    fn encode(&self, client_data: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let at = |n: usize| client_data.get(n).map_or(0, |v| usize::try_from(*v).unwrap_or(0));
        let (size, block) = (at(2).max(1), at(3));
        let block = if block == 0 { default_block(size) } else { block };
        if !block.is_multiple_of(MULTIPLE) {
            return Err(broken(self, "a block of half bytes"));
        }
        let kind = at(4);
        let mut encoded = output(self, chunk.len())?;
        if kind != 0 {
            encoded.extend_from_slice(&(chunk.len() as u64).to_be_bytes());
            let bytes = block.saturating_mul(size);
            encoded.extend_from_slice(&parameter(self, bytes)?.to_be_bytes());
        }
        let mut rest = chunk;
        for len in blocks(chunk.len() / size, block) {
            let (from, after) = rest.split_at_checked(len * size).unwrap_or((rest, &[]));
            rest = after;
            let mut planes = vec![0; from.len()];
            shuffle(from, size, &mut planes);
            match kind {
                0 => encoded.extend_from_slice(&planes),
                #[cfg(feature = "bitshuffle")]
                2 => super::put_block(self, &lz4_flex::block::compress(&planes), &mut encoded)?,
                #[cfg(feature = "bitshuffle")]
                3 => super::put_block(self, &super::zstd::pack(&planes), &mut encoded)?,
                other => {
                    return Err(broken(self, format!("compression {other} is not supported")));
                }
            }
        }
        encoded.extend_from_slice(rest);
        Ok((kind == 0 || encoded.len() < chunk.len()).then_some(encoded))
    }
}

#[cfg(feature = "bitshuffle")]
fn compressed<'c>(
    filter: &Bitshuffle,
    kind: usize,
    size: usize,
    chunk: &[u8],
    expected: usize,
) -> Result<Cow<'c, [u8]>> {
    use super::{lz4, take_u32, take_u64, zstd};

    let wrong = || broken(filter, "the lengths of the blocks do not fit");
    let (rest, len) = take_u64(chunk).ok_or_else(wrong)?;
    let len = usize::try_from(len).ok().filter(|len| *len <= max_len(expected));
    let len = len.ok_or_else(wrong)?;
    let (mut rest, block) = take_u32(rest).ok_or_else(wrong)?;
    let block = match block / size {
        0 => default_block(size),
        block => block,
    };
    if !block.is_multiple_of(MULTIPLE) {
        return Err(broken(filter, "a block of half bytes"));
    }
    let mut decoded = output(filter, len)?;
    let mut planes = Vec::new();
    for elements in blocks(len / size, block) {
        let (after, stored) = take_u32(rest).ok_or_else(wrong)?;
        let from;
        (from, rest) = after.split_at_checked(stored).ok_or_else(wrong)?;
        planes.clear();
        planes.resize(elements * size, 0);
        if kind == 2 {
            lz4::block_into(from, &mut planes).ok_or_else(|| broken(filter, "a damaged block"))?;
        } else {
            let frame = zstd::frame(from, planes.len()).map_err(|reason| broken(filter, reason))?;
            if frame.len() != planes.len() {
                return Err(wrong());
            }
            planes = frame;
        }
        let start = decoded.len();
        decoded.resize(start + planes.len(), 0);
        if let Some(to) = decoded.get_mut(start..) {
            unshuffle(&planes, size, to);
        }
    }
    let tail = rest.get(..len - decoded.len()).ok_or_else(wrong)?;
    decoded.extend_from_slice(tail);
    Ok(Cow::Owned(decoded))
}

/// Elements of a block if the writer did not choose: about 8 KiB.
fn default_block(size: usize) -> usize {
    (8192 / size / MULTIPLE * MULTIPLE).max(128)
}

/// Elements of each block; the last one is shorter, and what makes no whole byte is in none.
fn blocks(elements: usize, block: usize) -> impl Iterator<Item = usize> {
    let whole = elements / block;
    let last = elements % block / MULTIPLE * MULTIPLE;
    std::iter::repeat_n(block, whole).chain((last > 0).then_some(last))
}

/// Puts the bits of each element together: `planes` has, for each bit of an element from the
/// lowest of its first byte on, that bit of all elements. Their number is a multiple of eight.
pub(super) fn unshuffle(planes: &[u8], size: usize, out: &mut [u8]) {
    let elements = out.len() / size;
    let plane = elements / 8;
    if plane == 0 {
        return;
    }
    let mut rows = planes.chunks_exact(plane);
    for byte in 0..size {
        let bits: [&[u8]; 8] = std::array::from_fn(|_| rows.next().unwrap_or_default());
        for group in 0..plane {
            // Eight elements: a matrix of bits to be transposed.
            let square = bits.map(|row| row.get(group).copied().unwrap_or(0));
            let column = transpose(u64::from_le_bytes(square)).to_le_bytes();
            let column_of = out.iter_mut().skip(group * 8 * size + byte).step_by(size);
            column_of.zip(column).for_each(|(to, from)| *to = from);
        }
    }
}

/// The way back of [`unshuffle`].
pub(super) fn shuffle(plain: &[u8], size: usize, planes: &mut [u8]) {
    let plane = plain.len() / size / 8;
    if plane == 0 {
        return;
    }
    let mut rows = planes.chunks_exact_mut(plane);
    for byte in 0..size {
        let mut bits: [&mut [u8]; 8] = std::array::from_fn(|_| rows.next().unwrap_or_default());
        for group in 0..plane {
            let column = plain.iter().skip(group * 8 * size + byte).step_by(size);
            let mut square = [0; 8];
            square.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
            let square = transpose(u64::from_le_bytes(square)).to_le_bytes();
            for (row, byte) in bits.iter_mut().zip(square) {
                if let Some(to) = row.get_mut(group) {
                    *to = byte;
                }
            }
        }
    }
}

/// Transposes eight bytes as a square of bits.
fn transpose(mut x: u64) -> u64 {
    for (shift, mask) in
        [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)]
    {
        let t = (x ^ (x >> shift)) & mask;
        x ^= t ^ (t << shift);
    }
    x
}

#[test]
fn puts_the_bits_of_each_element_together() {
    for size in [1, 2, 3, 8] {
        let plain: Vec<u8> = (0..24 * size).map(|n| u8::try_from(n * 89 % 251).unwrap()).collect();
        let mut planes = Vec::new();
        for bit in 0..8 * size {
            for group in plain.chunks_exact(8 * size) {
                let bits =
                    group.chunks_exact(size).map(|element| element[bit / 8] >> (bit % 8) & 1);
                planes.push(bits.rev().fold(0, |byte, bit| byte << 1 | bit));
            }
        }
        let mut out = vec![0; plain.len()];
        unshuffle(&planes, size, &mut out);
        assert_eq!(out, plain);
        let mut shuffled = vec![0; plain.len()];
        shuffle(&plain, size, &mut shuffled);
        assert_eq!(shuffled, planes);
    }
}
