//! LZF, filter 32000, which comes with h5py: the stream of Marc Lehmann's liblzf.
//!
//! A byte under 32 starts a run of as many bytes plus one. Any other one starts a copy of what
//! was decoded before: three bits of length (7: another byte follows), 13 of distance.

use std::borrow::Cow;

use super::{Filter, broken, copy_back, max_len, output};
use crate::error::Result;

/// Three bytes make at most 264: `1 << 8` of length and what a copy has more.
const MAX_RATIO: usize = 90;

#[derive(Debug)]
pub(super) struct Lzf;

impl Filter for Lzf {
    fn id(&self) -> u16 {
        32000
    }

    fn name(&self) -> &'static str {
        "lzf"
    }

    /// `client_data`: versions, and the length of the chunk, which the writer need not give.
    fn decode<'c>(
        &self,
        _: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let room = expected.min(chunk.len().saturating_mul(MAX_RATIO));
        let mut decoded = output(self, room)?;
        match inflate(&chunk, &mut decoded, max_len(expected)) {
            Some(()) => Ok(Cow::Owned(decoded)),
            None => Err(broken(self, "the stream is damaged")),
        }
    }
}

fn inflate(mut from: &[u8], to: &mut Vec<u8>, max: usize) -> Option<()> {
    while let Some((control, rest)) = from.split_first() {
        let control = usize::from(*control);
        from = rest;
        if control < 32 {
            let run;
            (run, from) = from.split_at_checked(control + 1)?;
            to.extend_from_slice(run);
        } else {
            let mut len = control >> 5;
            if len == 7 {
                let (more, rest) = from.split_first()?;
                (len, from) = (len + usize::from(*more), rest);
            }
            let (low, rest) = from.split_first()?;
            from = rest;
            copy_back(to, ((control & 31) << 8 | usize::from(*low)) + 1, len + 2)?;
        }
        if to.len() > max {
            return None;
        }
    }
    Some(())
}

#[test]
fn decodes_what_h5py_wrote() {
    // h5py.Dataset.id.read_direct_chunk of 0, 0, ... 1, 2, 3, ... as u1.
    let stored = [1, 0, 0, 224, 85, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 32, 3];
    let mut wanted = vec![0; 96];
    wanted.extend(1..=8);
    wanted.extend([5, 6, 7]);
    let decoded = Lzf.decode(&[], Cow::Borrowed(&stored), wanted.len()).unwrap();
    assert_eq!(decoded, wanted);
    // A copy from before the start; a stream that ends within a copy.
    for bad in [&[0x20, 0][..], &[0, 1, 0xe0], &[5, 1]] {
        Lzf.decode(&[], Cow::Borrowed(bad), 100).unwrap_err();
    }
}
