//! Bits of a chunk, the most significant of each byte first.

/// Reads the bits of `bytes` from the first one on.
pub(super) struct Bits<'b> {
    bytes: &'b [u8],
    /// Whole bytes that are in `held` or were read.
    next: usize,
    /// The next bits, at the top.
    held: u64,
    /// How many of them.
    len: u32,
}

impl<'b> Bits<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, next: 0, held: 0, len: 0 }
    }

    /// Holds at least 57 bits, or all that are left.
    fn fill(&mut self) {
        if let Some(word) = self.bytes.get(self.next..).and_then(<[u8]>::first_chunk) {
            // Only whole bytes count; what the shift lets in beyond them is read again.
            let take = (64 - self.len) / 8;
            self.held |= u64::from_be_bytes(*word).checked_shr(self.len).unwrap_or(0);
            self.len += 8 * take;
            self.next += take as usize;
            if self.len < 64 {
                self.held &= !(u64::MAX >> self.len);
            }
            return;
        }
        while self.len <= 56 {
            let Some(byte) = self.bytes.get(self.next) else { return };
            self.held |= u64::from(*byte) << (56 - self.len);
            self.len += 8;
            self.next += 1;
        }
    }

    /// The next `n` bits as a number, up to 64; `None` if there are not so many.
    pub(super) fn take(&mut self, n: u32) -> Option<u64> {
        if n > 32 {
            let high = self.take(n - 32)?;
            return Some(high << 32 | self.take(32)?);
        }
        if self.len < n {
            self.fill();
        }
        if self.len < n {
            return None;
        }
        let value = self.held.checked_shr(64 - n).unwrap_or(0);
        self.held <<= n;
        self.len -= n;
        Some(value)
    }

    /// The number of zeros before the next one, and takes both; `None` if there is no one.
    pub(super) fn unary(&mut self) -> Option<u32> {
        let mut zeros = 0_u32;
        loop {
            if self.len == 0 {
                self.fill();
            }
            if self.len == 0 {
                return None;
            }
            let here = self.held.leading_zeros();
            if here < self.len {
                self.held = self.held << here << 1;
                self.len -= here + 1;
                return zeros.checked_add(here);
            }
            zeros = zeros.checked_add(self.len)?;
            (self.held, self.len) = (0, 0);
        }
    }
}

/// Writes bits one after the other.
#[derive(Debug, Default)]
pub(super) struct BitsOut {
    bytes: Vec<u8>,
    /// Bits that make no whole byte yet, at the bottom.
    held: u64,
    /// How many of them: fewer than eight.
    len: u32,
}

impl BitsOut {
    /// Behind `bytes`.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, held: 0, len: 0 }
    }

    /// The low `n` bits of `value`, up to 64.
    pub(super) fn put(&mut self, value: u64, n: u32) {
        if n > 32 {
            self.put(value >> 32, n - 32);
            return self.put(value, 32);
        }
        let value = value & ((1 << n) - 1);
        self.held = self.held << n | value;
        self.len += n;
        while self.len >= 8 {
            self.len -= 8;
            let [byte, ..] = (self.held >> self.len).to_le_bytes();
            self.bytes.push(byte);
        }
    }

    /// All bytes, the last one filled with zeros.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        if self.len > 0 {
            self.put(0, 8 - self.len);
        }
        self.bytes
    }
}

#[test]
fn bits_that_are_put_are_taken() {
    let mut out = BitsOut::default();
    let values = [(5, 3), (0, 1), (u64::MAX, 64), (1, 33), (0x1234_5678_9abc_def0, 61), (1, 1)];
    values.iter().for_each(|(value, n)| out.put(*value, *n));
    let bytes = out.into_bytes();
    assert_eq!(bytes.len(), (3 + 1 + 64 + 33 + 61 + 1_usize).div_ceil(8));
    let mut bits = Bits::new(&bytes);
    for (value, n) in values {
        assert_eq!(bits.take(n), Some(value & u64::MAX >> (64 - n)));
    }
}

#[test]
fn takes_bits_in_order() {
    let bytes: Vec<u8> = (0..40).map(|n: u8| n.wrapping_mul(37)).collect();
    let text: Vec<String> = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let text = text.concat();
    for widths in [[1, 7, 3, 64], [33, 5, 0, 13], [57, 31, 8, 9]] {
        let mut bits = Bits::new(&bytes);
        let mut at = 0;
        for n in widths.into_iter().cycle().take(10) {
            let Some(part) = text.get(at..at + n) else { break };
            let wanted = if n == 0 { 0 } else { u64::from_str_radix(part, 2).unwrap() };
            assert_eq!(bits.take(u32::try_from(n).unwrap()), Some(wanted));
            at += n;
        }
    }
    assert_eq!(
        Bits::new(&bytes).take(64),
        Some(u64::from_be_bytes(bytes[..8].try_into().unwrap()))
    );
    assert_eq!(Bits::new(&[1, 2]).take(17), None);
    let mut bits = Bits::new(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x80, 0x20]);
    assert_eq!(
        [bits.unary(), bits.unary(), bits.unary(), bits.unary()],
        [Some(79), Some(0), Some(9), None]
    );
}
