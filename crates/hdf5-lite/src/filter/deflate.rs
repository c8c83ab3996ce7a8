//! Deflate, filter 1: a zlib stream.

use std::borrow::Cow;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Buffers, Filter, broken, max_len, output};
use crate::error::Result;

/// No stream of zlib grows by more when decoded.
const MAX_RATIO: usize = 1032;

#[derive(Debug)]
pub(super) struct Deflate;

impl Filter for Deflate {
    fn id(&self) -> u16 {
        1
    }

    fn name(&self) -> &'static str {
        "deflate"
    }

    fn decode<'c>(
        &self,
        client_data: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        self.decode_with(client_data, chunk, expected, &Buffers::default())
    }

    fn decode_with<'c>(
        &self,
        _: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
        buffers: &Buffers,
    ) -> Result<Cow<'c, [u8]>> {
        let mut stream = Decompress::new(true);
        let mut room = expected.min(chunk.len().saturating_mul(MAX_RATIO)).max(64);
        let mut decoded = buffers.take(0).unwrap_or_default();
        loop {
            decoded.try_reserve_exact(room).map_err(|error| broken(self, error.to_string()))?;
            let read = usize::try_from(stream.total_in()).unwrap_or(usize::MAX);
            let rest = chunk.get(read..).unwrap_or_default();
            let before = (rest.len(), decoded.len());
            match stream.decompress_vec(rest, &mut decoded, FlushDecompress::Finish) {
                Ok(Status::StreamEnd) => {
                    buffers.give_chunk(chunk);
                    return Ok(Cow::Owned(decoded));
                }
                Ok(_) if decoded.len() >= max_len(expected) => {
                    return Err(broken(self, "the stream is longer than the chunk"));
                }
                // Full: the chunk may be longer than expected before the filters in front.
                Ok(_) if decoded.len() == decoded.capacity() => room = 4096,
                Ok(_) if decoded.len() > before.1 => {}
                Ok(_) => return Err(broken(self, "the stream ends early")),
                Err(error) => return Err(broken(self, error.to_string())),
            }
        }
    }

    /// `client_data`: the level, 0 to 9.
    fn encode(&self, client_data: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let level = client_data.first().copied().unwrap_or(6).min(9);
        let mut stream = Compress::new(Compression::new(level), true);
        let mut encoded = output(self, chunk.len())?;
        let status = stream.compress_vec(chunk, &mut encoded, FlushCompress::Finish);
        match status.map_err(|error| broken(self, error.to_string()))? {
            // Shorter than the chunk, or it would not have had room.
            Status::StreamEnd => Ok(Some(encoded)),
            _ => Ok(None),
        }
    }
}
