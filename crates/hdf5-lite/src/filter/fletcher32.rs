//! Fletcher-32, filter 3: a checksum behind the chunk.

use std::borrow::Cow;

use super::{Filter, broken, output};
use crate::error::Result;
use crate::parse::is_right;

#[derive(Debug)]
pub(super) struct Fletcher32;

impl Filter for Fletcher32 {
    fn id(&self) -> u16 {
        3
    }

    fn name(&self) -> &'static str {
        "fletcher32"
    }

    fn decode<'c>(&self, _: &[u32], chunk: Cow<'c, [u8]>, _: usize) -> Result<Cow<'c, [u8]>> {
        let Some((body, stored)) = chunk.split_last_chunk::<4>() else {
            return Err(broken(self, "no room for the checksum"));
        };
        let (sum, stored) = (fletcher32(body), u32::from_le_bytes(*stored));
        // Releases before 1.6.3 stored the bytes of each half the other way round on
        // little-endian machines.
        let swapped = (sum & 0x00ff_00ff) << 8 | sum >> 8 & 0x00ff_00ff;
        if stored != swapped && !is_right(sum, stored) {
            return Err(broken(self, "the checksum does not match"));
        }
        let len = body.len();
        Ok(match chunk {
            Cow::Borrowed(chunk) => Cow::Borrowed(chunk.get(..len).unwrap_or_default()),
            Cow::Owned(mut chunk) => {
                chunk.truncate(len);
                Cow::Owned(chunk)
            }
        })
    }

    fn encode(&self, _: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut encoded = output(self, chunk.len().saturating_add(4))?;
        encoded.extend_from_slice(chunk);
        encoded.extend_from_slice(&fletcher32(chunk).to_le_bytes());
        Ok(Some(encoded))
    }
}

/// The sum over big-endian words of 16 bits, an odd byte counting as the high one.
fn fletcher32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (0_u32, 0_u32);
    let fold = |sum: u32| (sum & 0xffff) + (sum >> 16);
    // As many words as can be added before `high` could overflow.
    for part in bytes.chunks(720) {
        let (words, odd) = part.as_chunks::<2>();
        for word in words {
            low += u32::from(u16::from_be_bytes(*word));
            high += low;
        }
        if let [byte] = odd {
            low += u32::from(*byte) << 8;
            high += low;
        }
        (low, high) = (fold(low), fold(high));
    }
    (low, high) = (fold(low), fold(high));
    high << 16 | low
}

#[test]
fn agrees_with_the_library() {
    // Of an h5py chunk of [0, 1, 2, 3] as little-endian u16.
    assert_eq!(fletcher32(&[0, 0, 1, 0, 2, 0, 3, 0]), 0x0a00_0600);
    let chunk = [0, 0, 1, 0, 2, 0, 3, 0, 0x00, 0x06, 0x00, 0x0a];
    let decoded = Fletcher32.decode(&[], Cow::Borrowed(&chunk), 8).unwrap();
    assert_eq!(*decoded, chunk[..8]);
    assert_eq!(Fletcher32.encode(&[], &decoded).unwrap().unwrap(), chunk);
}
