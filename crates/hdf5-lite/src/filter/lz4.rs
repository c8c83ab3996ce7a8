//! LZ4, filter 32004: blocks of the LZ4 block format, each with its length before it.
//!
//! | bytes | big-endian |
//! |---|---|
//! | 8 | length of the decoded chunk |
//! | 4 | length of a decoded block |
//! | 4 | length of the stored block; if it is that of the decoded one, it is not compressed |
//! | … | the block, and so on |

use std::borrow::Cow;

use super::{Filter, broken, max_len, output, parameter, put_block, take_u32, take_u64};
use crate::error::Result;

#[derive(Debug)]
pub(super) struct Lz4;

impl Filter for Lz4 {
    fn id(&self) -> u16 {
        32004
    }

    fn name(&self) -> &'static str {
        "lz4"
    }

    /// `client_data`: the length of a block, which the chunk says too.
    fn decode<'c>(
        &self,
        _: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let wrong = || broken(self, "the lengths of the blocks do not fit");
        let (mut rest, len) = take_u64(&chunk).ok_or_else(wrong)?;
        let len = usize::try_from(len).ok().filter(|len| *len <= max_len(expected));
        let len = len.ok_or_else(wrong)?;
        let block;
        (rest, block) = take_u32(rest).ok_or_else(wrong)?;
        if block == 0 && len > 0 {
            return Err(wrong());
        }
        let mut decoded = output(self, len)?;
        decoded.resize(len, 0);
        for to in decoded.chunks_mut(block.max(1)) {
            let (after, stored) = take_u32(rest).ok_or_else(wrong)?;
            let from;
            (from, rest) = after.split_at_checked(stored).ok_or_else(wrong)?;
            if from.len() == to.len() {
                to.copy_from_slice(from);
            } else {
                block_into(from, to).ok_or_else(|| broken(self, "a damaged block"))?;
            }
        }
        Ok(Cow::Owned(decoded))
    }

    fn encode(&self, client_data: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let block = client_data.first().map_or(0, |block| usize::try_from(*block).unwrap_or(0));
        let block = if block == 0 { MAX_BLOCK } else { block.min(MAX_BLOCK) };
        let block = block.min(chunk.len()).max(1);
        let mut encoded = output(self, chunk.len())?;
        encoded.extend_from_slice(&(chunk.len() as u64).to_be_bytes());
        encoded.extend_from_slice(&parameter(self, block)?.to_be_bytes());
        for part in chunk.chunks(block) {
            let packed = lz4_flex::block::compress(part);
            put_block(self, if packed.len() < part.len() { &packed } else { part }, &mut encoded)?;
        }
        Ok((encoded.len() < chunk.len()).then_some(encoded))
    }
}

/// Bytes of a block, if the caller does not say.
const MAX_BLOCK: usize = 1 << 30;

/// Decodes a block that fills `to`.
pub(super) fn block_into(from: &[u8], to: &mut [u8]) -> Option<()> {
    let len = lz4_flex::block::decompress_into(from, to).ok()?;
    (len == to.len()).then_some(())
}
