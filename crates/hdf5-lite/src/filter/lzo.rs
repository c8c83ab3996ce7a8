//! LZO, filter 305 of PyTables: an LZO1X stream.

use std::borrow::Cow;

use super::{Filter, broken, max_len, output};
use crate::error::Result;

#[derive(Debug)]
pub(super) struct Lzo;

impl Filter for Lzo {
    fn id(&self) -> u16 {
        305
    }

    fn name(&self) -> &'static str {
        "lzo"
    }

    /// `client_data`: PyTables' version and kind of object, which decoding does not need.
    fn decode<'c>(
        &self,
        _: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        // A stream of LZO does not say how long it becomes.
        let len = max_len(expected);
        let mut decoded = output(self, len)?;
        decoded.resize(len, 0);
        let len = lzokay::decompress::decompress(&chunk, &mut decoded)
            .map_err(|error| broken(self, error.to_string()))?;
        decoded.truncate(len);
        Ok(Cow::Owned(decoded))
    }
}
