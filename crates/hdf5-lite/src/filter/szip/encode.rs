//! From samples to blocks.

use super::{Coder, low};
use crate::filter::bits::BitsOut;

impl Coder {
    /// Encodes all samples, behind what is in `out`.
    pub(super) fn encode(&self, data: &[u8], out: Vec<u8>) -> Vec<u8> {
        let mut bits = BitsOut::new(out);
        let len = self.scanline.next_multiple_of(self.block);
        for line in data.chunks(self.scanline * self.bytes) {
            let sample = |bytes: &[u8]| {
                let mut value = [0; 4];
                if self.msb {
                    value.iter_mut().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
                } else {
                    value.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                }
                u32::from_le_bytes(value)
            };
            let mut line: Vec<u32> = line.chunks(self.bytes).map(sample).collect();
            // Whole blocks, and lines of one length; what fills them costs least like this.
            line.resize(len, line.last().copied().unwrap_or(0));
            if self.differences {
                self.fold(&mut line);
            }
            for (n, block) in line.chunks(self.block).enumerate() {
                self.block(block, usize::from(n == 0 && self.differences), &mut bits);
            }
        }
        bits.into_bytes()
    }

    /// Encodes a block in the way that takes the fewest bits; a reference is stored as it is.
    fn block(&self, samples: &[u32], reference: usize, bits: &mut BitsOut) {
        let id_bits = self.id_bits();
        let (first, rest) = samples.split_at(reference);
        let put_first = |bits: &mut BitsOut| {
            first.iter().for_each(|sample| bits.put((*sample).into(), self.bits));
        };
        if rest.iter().all(|sample| *sample == 0) {
            bits.put(0, id_bits + 1);
            put_first(bits);
            bits.put(1, 1); // a run of one block
            return;
        }
        let cost = |k: u32| {
            let unary = rest.iter().map(|sample| u64::from(sample >> k) + 1).sum::<u64>();
            unary + u64::from(k) * rest.len() as u64
        };
        let raw = (1_u32 << id_bits) - 1;
        // The options between that of zeros and that of samples as they are.
        let (bits_of_k, k) = (0..raw - 1).map(|k| (cost(k), k)).min().unwrap_or((u64::MAX, 0));
        if bits_of_k >= u64::from(self.bits) * rest.len() as u64 {
            bits.put(raw.into(), id_bits);
            samples.iter().for_each(|sample| bits.put((*sample).into(), self.bits));
            return;
        }
        bits.put((k + 1).into(), id_bits);
        put_first(bits);
        for sample in rest {
            // Shorter than the block as it is.
            let mut zeros = sample >> k;
            while zeros > 32 {
                bits.put(0, 32);
                zeros -= 32;
            }
            bits.put(0, zeros);
            bits.put(1, 1);
        }
        rest.iter().for_each(|sample| bits.put((*sample).into(), k));
    }

    /// The way back of `add_up`.
    fn fold(&self, line: &mut [u32]) {
        let max = low(u64::MAX >> (64 - self.bits));
        let Some((first, rest)) = line.split_first_mut() else { return };
        let mut before = *first;
        for sample in rest {
            let (value, room) = (*sample, before.min(max - before));
            let distance = value.abs_diff(before);
            *sample = match distance {
                _ if distance > room => room + distance,
                _ if value < before => 2 * distance - 1,
                _ => 2 * distance,
            };
            before = value;
        }
    }
}

/// The way back of `deinterleave`.
pub(super) fn interleave(bytes: &[u8], size: usize) -> Vec<u8> {
    (0..size).flat_map(|n| bytes.iter().skip(n).step_by(size).copied()).collect()
}
