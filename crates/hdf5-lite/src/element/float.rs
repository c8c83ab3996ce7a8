//! Floating-point numbers of any layout (IV.A.2.d, class 1).

use crate::message::{ByteOrder, FloatingPoint, Normalization};

/// More bytes than the 16 of the widest type in use.
const MAX_SIZE: usize = 32;

/// The value of `bytes`, rounded to the nearest `f64`; `None` for a layout beyond 32 bytes or
/// a mantissa beyond 112 bits.
pub(crate) fn float_value(layout: &FloatingPoint, bytes: &[u8]) -> Option<f64> {
    if layout.is_ieee() {
        return ieee(layout.order, bytes);
    }
    let bits = Bits::new(layout.order, bytes)?;
    let negative = bits.get(layout.sign, 1)? == 1;
    let exponent = bits.get(layout.exponent, layout.exponent_size)?;
    let mantissa = bits.get(layout.mantissa, layout.mantissa_size)?;
    if layout.mantissa_size > 112 || layout.exponent_size > 31 {
        return None;
    }
    let mantissa_size = i32::from(layout.mantissa_size);
    let largest = (1_u128 << layout.exponent_size) - 1;
    let magnitude = if layout.order == ByteOrder::Vax {
        // VAX: no infinities, and exponent 0 is zero. The bias in the file makes up for a VAX's
        // implied bit being behind the point.
        if exponent == 0 {
            0.0
        } else {
            scale(mantissa | 1 << mantissa_size, power(exponent, layout)? - mantissa_size)
        }
    } else {
        let fraction = match layout.normalization {
            // The highest bit is stored, so the point is behind it.
            Normalization::MostSignificantBitSet | Normalization::None => mantissa_size - 1,
            Normalization::Implied => mantissa_size,
        };
        // Bits behind the point.
        let tail = mantissa & ((1_u128 << fraction.max(0)) - 1);
        if exponent == largest && layout.exponent_size > 0 {
            if tail == 0 { f64::INFINITY } else { f64::NAN }
        } else if exponent == 0 {
            scale(mantissa, power(1, layout)? - fraction)
        } else {
            let implied = match layout.normalization {
                Normalization::Implied => 1 << mantissa_size,
                _ => 0,
            };
            scale(mantissa | implied, power(exponent, layout)? - fraction)
        }
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// The layouts that the machine knows.
fn ieee(order: ByteOrder, bytes: &[u8]) -> Option<f64> {
    let big = order == ByteOrder::BigEndian;
    macro_rules! value {
        ($type:ty) => {{
            let bytes = bytes.try_into().ok()?;
            if big { <$type>::from_be_bytes(bytes) } else { <$type>::from_le_bytes(bytes) }
        }};
    }
    match bytes.len() {
        2 => Some(value!(half::f16).into()),
        4 => Some(value!(f32).into()),
        8 => Some(value!(f64)),
        _ => None,
    }
}

/// The power of two that a stored exponent means; far beyond an `f64`'s, one is as good as another.
fn power(exponent: u128, layout: &FloatingPoint) -> Option<i32> {
    let power = i64::try_from(exponent).ok()? - i64::from(layout.bias);
    i32::try_from(power.clamp(-100_000, 100_000)).ok()
}

/// `mantissa · 2^power`, rounded once, to nearest and ties to even.
fn scale(mantissa: u128, power: i32) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let bits = 128 - i32::try_from(mantissa.leading_zeros()).unwrap_or(0);
    // The lowest bit that an f64 of this size can hold.
    let lowest = (power + bits - 53).max(-1074);
    let drop = lowest - power;
    let kept = if drop <= 0 {
        // All bits fit.
        mantissa
    } else if drop > 127 {
        0
    } else {
        let half = 1_u128 << (drop - 1);
        let rest = mantissa & ((half << 1) - 1);
        let kept = mantissa >> drop;
        if rest > half || rest == half && kept & 1 == 1 { kept + 1 } else { kept }
    };
    let power = power + drop.max(0);
    // At most 53 bits and the carry: exact.
    #[expect(clippy::cast_precision_loss, reason = "no more than 53 bits are left")]
    let value = kept as f64;
    // Two steps, since 2^power alone may be out of range.
    let half = power.clamp(-2000, 2000) / 2;
    value * exp2(half) * exp2(power.clamp(-2000, 2000) - half)
}

fn exp2(power: i32) -> f64 {
    2_f64.powi(power)
}

/// Up to 32 bytes as one number, least significant byte first.
struct Bits([u8; MAX_SIZE]);

impl Bits {
    fn new(order: ByteOrder, bytes: &[u8]) -> Option<Self> {
        let mut all = [0; MAX_SIZE];
        let place = all.get_mut(..bytes.len())?;
        place.copy_from_slice(bytes);
        match order {
            ByteOrder::LittleEndian => {}
            ByteOrder::BigEndian => place.reverse(),
            ByteOrder::Vax => {
                // The pairs of bytes come most significant first.
                place.reverse();
                for pair in place.chunks_exact_mut(2) {
                    pair.reverse();
                }
            }
        }
        Some(Self(all))
    }

    /// `size` bits from bit `start` on.
    fn get(&self, start: u8, size: u8) -> Option<u128> {
        if size > 120 {
            return None;
        }
        let first = usize::from(start / 8);
        let mut low = [0; 16];
        for (to, from) in low.iter_mut().zip(self.0.get(first..)?) {
            *to = *from;
        }
        Some(u128::from_le_bytes(low) >> (start % 8) & ((1 << size) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ieee(size: u32, exponent: u8, mantissa: u8, bias: u32) -> FloatingPoint {
        FloatingPoint {
            size,
            order: ByteOrder::LittleEndian,
            offset: 0,
            precision: u16::try_from(size * 8).unwrap(),
            sign: exponent + mantissa,
            exponent: mantissa,
            exponent_size: exponent,
            mantissa: 0,
            mantissa_size: mantissa,
            bias,
            normalization: Normalization::Implied,
        }
    }

    #[test]
    fn agrees_with_the_machine_on_its_own_layouts() {
        let double = ieee(8, 11, 52, 1023);
        for value in [0.0, -0.0, 1.5, -2.25e300, f64::MIN_POSITIVE, 5e-324, 1e-310, f64::INFINITY] {
            let found = float_value(&double, &value.to_le_bytes()).unwrap();
            assert_eq!(found.to_bits(), value.to_bits(), "{value}");
        }
        let single = ieee(4, 8, 23, 127);
        for value in [0.1_f32, -1e-42, f32::MAX, f32::NEG_INFINITY] {
            assert_eq!(float_value(&single, &value.to_le_bytes()), Some(f64::from(value)));
        }
        assert!(float_value(&single, &f32::NAN.to_le_bytes()).unwrap().is_nan());
    }

    #[test]
    fn reads_small_and_large_layouts() {
        // 1.0 and the largest number as FP8 E4M3 without the special top values.
        assert_eq!(float_value(&ieee(1, 4, 3, 7), &[0x38]), Some(1.0));
        assert_eq!(float_value(&ieee(2, 8, 7, 127), &[0x80, 0x3f]), Some(1.0)); // bfloat16
        let mut quad = [0; 16];
        quad[14..].copy_from_slice(&0x4000_u16.to_le_bytes());
        assert_eq!(float_value(&ieee(16, 15, 112, 16383), &quad), Some(2.0));
    }

    #[test]
    fn reads_vax_f() {
        let mut vax = ieee(4, 8, 23, 129);
        vax.order = ByteOrder::Vax;
        // 1.0 is 0x4080 0x0000 in words.
        assert_eq!(float_value(&vax, &[0x80, 0x40, 0, 0]), Some(1.0));
    }
}
