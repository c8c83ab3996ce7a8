//! Shuffle, filter 2: the first bytes of all elements, then the second bytes, and so on.

use std::borrow::Cow;

use super::{Buffers, Filter, broken, output, parameter};
use crate::error::Result;
use crate::message::Datatype;

#[derive(Debug)]
pub(super) struct Shuffle;

impl Filter for Shuffle {
    fn id(&self) -> u16 {
        2
    }

    fn name(&self) -> &'static str {
        "shuffle"
    }

    fn decode<'c>(
        &self,
        client_data: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        self.decode_with(client_data, chunk, expected, &Buffers::default())
    }

    /// `client_data`: the size of an element.
    fn decode_with<'c>(
        &self,
        client_data: &[u32],
        chunk: Cow<'c, [u8]>,
        _: usize,
        buffers: &Buffers,
    ) -> Result<Cow<'c, [u8]>> {
        let size = client_data.first().map_or(1, |size| usize::try_from(*size).unwrap_or(0));
        let elements = chunk.len().checked_div(size).unwrap_or(0);
        if size <= 1 || elements <= 1 {
            return Ok(chunk);
        }
        let decoded = buffers.take(chunk.len());
        let mut decoded = decoded.map_err(|error| broken(self, error.to_string()))?;
        decoded.resize(chunk.len(), 0);
        unshuffle_into(size, &chunk, &mut decoded);
        buffers.give_chunk(chunk);
        Ok(Cow::Owned(decoded))
    }

    fn parameters(&self, _: &[u32], datatype: &Datatype, _: &[u64]) -> Result<Vec<u32>> {
        Ok(vec![parameter(self, datatype.size())?])
    }

    fn encode(&self, client_data: &[u32], chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        let size = client_data.first().map_or(1, |size| usize::try_from(*size).unwrap_or(0));
        if size <= 1 || chunk.len() < 2 * size {
            return Ok(Some(chunk.to_vec()));
        }
        let mut encoded = output(self, chunk.len())?;
        encoded.resize(chunk.len(), 0);
        shuffle_into(size, chunk, &mut encoded);
        Ok(Some(encoded))
    }
}

/// Puts the bytes of each element of `size` bytes together, in `out`, which is as long.
pub(super) fn unshuffle_into(size: usize, chunk: &[u8], out: &mut [u8]) {
    let elements = chunk.len() / size.max(1);
    let (planes, rest) = chunk.split_at(elements * size);
    let (body, tail) = out.split_at_mut(planes.len().min(out.len()));
    match size {
        2 => unshuffle::<2>(planes, body),
        4 => unshuffle::<4>(planes, body),
        8 => unshuffle::<8>(planes, body),
        _ => {
            for (n, plane) in planes.chunks_exact(elements.max(1)).enumerate() {
                let column = body.iter_mut().skip(n).step_by(size);
                column.zip(plane).for_each(|(to, from)| *to = *from);
            }
        }
    }
    // Bytes that make no whole element were not shuffled.
    tail.copy_from_slice(rest);
}

/// As the general case, with the size known to the compiler.
fn unshuffle<const SIZE: usize>(planes: &[u8], body: &mut [u8]) {
    let (elements, _) = body.as_chunks_mut::<SIZE>();
    let mut columns = planes.chunks_exact(elements.len().max(1));
    let columns: [&[u8]; SIZE] = std::array::from_fn(|_| columns.next().unwrap_or_default());
    // In blocks, so that the loop over one needs no checks.
    let mut blocks = columns.map(|column| column.as_chunks::<16>().0.iter());
    let (whole, rest) = elements.as_chunks_mut::<16>();
    for to in whole {
        let from: [&[u8; 16]; SIZE] =
            std::array::from_fn(|n| blocks.get_mut(n).and_then(Iterator::next).unwrap_or(&[0; 16]));
        for (at, element) in to.iter_mut().enumerate() {
            for (byte, column) in element.iter_mut().zip(from) {
                *byte = column.get(at).copied().unwrap_or(0);
            }
        }
    }
    let tail = columns.map(|column| column.as_chunks::<16>().1);
    for (at, element) in rest.iter_mut().enumerate() {
        *element = tail.map(|column| column.get(at).copied().unwrap_or(0));
    }
}

/// The way back of [`unshuffle_into`].
pub(super) fn shuffle_into(size: usize, chunk: &[u8], out: &mut [u8]) {
    let elements = chunk.len() / size.max(1);
    let (body, rest) = chunk.split_at(elements * size);
    let (planes, tail) = out.split_at_mut(body.len().min(out.len()));
    match size {
        2 => shuffle::<2>(body, planes),
        4 => shuffle::<4>(body, planes),
        8 => shuffle::<8>(body, planes),
        _ => {
            for (n, plane) in planes.chunks_exact_mut(elements.max(1)).enumerate() {
                let column = body.iter().skip(n).step_by(size);
                plane.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
            }
        }
    }
    tail.copy_from_slice(rest);
}

/// Elements that stay in the first cache while each plane takes its bytes of them.
const BLOCK: usize = 1024;

/// As the general case, with the size known to the compiler.
fn shuffle<const SIZE: usize>(body: &[u8], planes: &mut [u8]) {
    let (elements, _) = body.as_chunks::<SIZE>();
    for (n, block) in elements.chunks(BLOCK).enumerate() {
        let columns = planes.chunks_exact_mut(elements.len().max(1));
        for (byte, plane) in columns.enumerate() {
            let to = plane.get_mut(n * BLOCK..).unwrap_or_default();
            to.iter_mut().zip(block).for_each(|(to, from)| {
                *to = from.get(byte).copied().unwrap_or(0);
            });
        }
    }
}

#[test]
fn puts_the_bytes_of_each_element_together() {
    for size in [2_u32, 3, 4, 8] {
        let elements = 37;
        let plain: Vec<u8> =
            (0..=size * elements).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let width = usize::try_from(size).unwrap();
        let mut shuffled = Vec::new();
        for n in 0..width {
            shuffled.extend(plain.chunks_exact(width).map(|element| element[n]));
        }
        shuffled.extend(&plain[shuffled.len()..]);
        let decoded = Shuffle.decode(&[size], Cow::Borrowed(&shuffled), plain.len()).unwrap();
        assert_eq!(decoded, plain, "elements of {size} bytes");
        assert_eq!(Shuffle.encode(&[size], &plain).unwrap().unwrap(), shuffled);
    }
}
