//! Zstandard, filter 32015: a frame of RFC 8878.

use std::borrow::Cow;
use std::io::Read;

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::{Filter, broken, max_len};
use crate::error::Result;

/// Bytes of history of a frame, if it is longer than what it decodes to.
const MAX_WINDOW: u64 = 1 << 23;

#[derive(Debug)]
pub(super) struct Zstd;

impl Filter for Zstd {
    fn id(&self) -> u16 {
        32015
    }

    fn name(&self) -> &'static str {
        "zstd"
    }

    /// `client_data`: the level, which decoding does not need.
    fn decode<'c>(
        &self,
        _: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let decoded = frame(&chunk, max_len(expected)).map_err(|reason| broken(self, reason))?;
        Ok(Cow::Owned(decoded))
    }

    /// There is one level so far.
    fn encode(&self, _: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let encoded = pack(chunk);
        Ok((encoded.len() < chunk.len()).then_some(encoded))
    }
}

/// Makes a frame of `bytes`, which says how many there are: the plug-in of the C library asks.
pub(super) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut frame = compress_to_vec(bytes, CompressionLevel::Fastest);
    // Magic number, descriptor, window. Of the descriptor, the bits of the content's size, of a
    // frame without a window, and of a dictionary are not set; this sets the first to 8 bytes.
    if let Some(descriptor) = frame.get_mut(4).filter(|descriptor| **descriptor & 0xe3 == 0) {
        *descriptor |= 0xc0;
        frame.splice(6..6, (bytes.len() as u64).to_le_bytes());
    }
    frame
}

/// Decodes a frame of no more than `max` bytes.
pub(super) fn frame(bytes: &[u8], max: usize) -> Result<Vec<u8>, String> {
    // The decoder reserves the window that the frame asks for.
    let window = (max as u64).max(MAX_WINDOW);
    let mut stream = StreamingDecoder::new_with_max_window_size(bytes, window)
        .map_err(|error| error.to_string())?;
    let mut decoded = Vec::new();
    let limit = (max as u64).saturating_add(1);
    stream.by_ref().take(limit).read_to_end(&mut decoded).map_err(|error| error.to_string())?;
    if decoded.len() > max {
        return Err("the frame is longer than the chunk".into());
    }
    let stream = stream.into_frame_decoder();
    match (stream.get_checksum_from_data(), stream.get_calculated_checksum()) {
        (Some(stored), Some(found)) if stored != found => Err("the checksum does not fit".into()),
        _ => Ok(decoded),
    }
}
