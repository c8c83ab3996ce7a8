//! LZF, filter 32000, which comes with h5py: the stream of Marc Lehmann's liblzf.
//!
//! A byte under 32 starts a run of as many bytes plus one. Any other one starts a copy of what
//! was decoded before: three bits of length (7: another byte follows), 13 of distance.

use std::borrow::Cow;

use super::{Filter, broken, copy_back, elements, max_len, output, parameter};
use crate::error::Result;
use crate::message::Datatype;

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

    /// The versions are those of h5py's filter and of liblzf 1.5.
    fn parameters(&self, _: &[u32], datatype: &Datatype, dims: &[u64]) -> Result<Vec<u32>> {
        let bytes = u64::from(elements(self, dims)?).saturating_mul(datatype.size() as u64);
        Ok(vec![4, 0x0105, parameter(self, bytes)?])
    }

    fn encode(&self, _: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut encoded = output(self, chunk.len())?;
        deflate(chunk, &mut encoded);
        Ok((encoded.len() < chunk.len()).then_some(encoded))
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

/// Places of three bytes that are remembered, by a hash of them.
const PLACES: usize = 1 << 14;
/// The farthest that a copy reaches back, and the longest copy.
const MAX_DISTANCE: usize = 1 << 13;
const MAX_COPY: usize = 264;

/// Takes the last place where the next three bytes were, if they are near enough. Stops when the
/// stream is as long as `from`.
fn deflate(from: &[u8], to: &mut Vec<u8>) {
    let mut places = vec![0_u32; PLACES];
    let mut literals = 0;
    let mut at = 0;
    while let Some(next) = from.get(at..).and_then(<[u8]>::first_chunk::<3>) {
        if to.len() + (at - literals) >= from.len() {
            return to.resize(from.len(), 0);
        }
        let [a, b, c] = next.map(u32::from);
        let hash = (a << 16 | b << 8 | c).wrapping_mul(0x9e37_79b1) >> 18;
        let Some(place) = places.get_mut(hash as usize) else { return };
        // One more than the place; a chunk has less than 4 GiB.
        let before = std::mem::replace(place, u32::try_from(at + 1).unwrap_or(0)) as usize;
        let distance = (at + 1).saturating_sub(before);
        let start = at - distance.min(at);
        let same =
            from.get(start..).unwrap_or_default().iter().zip(from.get(at..).unwrap_or_default());
        let len = same.take(MAX_COPY).take_while(|(a, b)| a == b).count();
        if before == 0 || distance > MAX_DISTANCE || len < 3 {
            at += 1;
            continue;
        }
        runs(from.get(literals..at).unwrap_or_default(), to);
        let (len_code, back) = (len - 2, distance - 1);
        let [low, high, ..] = back.to_le_bytes();
        match u8::try_from(len_code) {
            Ok(code @ 0..7) => to.push(code << 5 | high),
            _ => to.extend([7 << 5 | high, u8::try_from(len_code - 7).unwrap_or(u8::MAX)]),
        }
        to.push(low);
        at += len;
        literals = at;
    }
    runs(from.get(literals..).unwrap_or_default(), to);
}

/// Bytes as they are, in runs of up to 32.
fn runs(bytes: &[u8], to: &mut Vec<u8>) {
    for run in bytes.chunks(32) {
        to.push(u8::try_from(run.len() - 1).unwrap_or(0));
        to.extend_from_slice(run);
    }
}

#[test]
fn decodes_what_it_encodes() {
    let repeating = (0..4000_u32).flat_map(|n| (n % 97 * n % 13).to_le_bytes());
    let random = (0..300_u32).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 24) as u8);
    let chunks =
        [vec![0; 10_000], repeating.collect(), [random.clone().collect(), vec![7; 600]].concat()];
    for chunk in chunks {
        let encoded = Lzf.encode(&[], &chunk).unwrap().unwrap();
        let decoded = Lzf.decode(&[], Cow::Borrowed(&encoded), chunk.len()).unwrap();
        assert!(decoded == chunk && encoded.len() < chunk.len() / 2);
    }
    for chunk in [vec![], vec![1], random.collect()] {
        assert_eq!(Lzf.encode(&[], &chunk).unwrap(), None, "no gain");
    }
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
