//! bzip2, filter 307: a bzip2 stream.

use std::borrow::Cow;
use std::io::Read;

use super::{Filter, broken, max_len};
use crate::error::Result;

#[derive(Debug)]
pub(super) struct Bzip2;

impl Filter for Bzip2 {
    fn id(&self) -> u16 {
        307
    }

    fn name(&self) -> &'static str {
        "bzip2"
    }

    /// `client_data`: the level, which decoding does not need.
    fn decode<'c>(
        &self,
        _: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let mut decoded = Vec::new();
        let limit = (max_len(expected) as u64).saturating_add(1);
        let mut stream = ::bzip2::read::BzDecoder::new(&*chunk).take(limit);
        stream.read_to_end(&mut decoded).map_err(|error| broken(self, error.to_string()))?;
        if decoded.len() > max_len(expected) {
            return Err(broken(self, "the stream is longer than the chunk"));
        }
        Ok(Cow::Owned(decoded))
    }

    /// `client_data`: hundreds of kilobytes of a block, 1 to 9.
    fn encode(&self, client_data: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let level = client_data.first().copied().unwrap_or(9).clamp(1, 9);
        let mut encoded = Vec::new();
        let stream = ::bzip2::read::BzEncoder::new(chunk, ::bzip2::Compression::new(level));
        let read = stream.take(chunk.len() as u64).read_to_end(&mut encoded);
        read.map_err(|error| broken(self, error.to_string()))?;
        Ok((encoded.len() < chunk.len()).then_some(encoded))
    }
}
