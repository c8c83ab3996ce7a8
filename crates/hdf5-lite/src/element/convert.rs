//! Elements of one type as elements of another, as stored: what a virtual dataset asks for whose
//! source has another type.

use half::{bf16, f16};

use super::number::{Element, Number, NumberType};
use crate::error::{Error, Result};
use crate::message::{ByteOrder, Datatype, FixedPoint, FloatingPoint};

/// `bytes` of type `from` as type `to`; `None` if these types do not convert.
///
/// As in the C library, numbers that do not fit become the nearest that does.
pub(crate) fn convert(from: &Datatype, to: &Datatype, bytes: &[u8]) -> Option<Result<Vec<u8>>> {
    let target = match NumberType::of(to)? {
        NumberType::Float(t) if !t.is_ieee() => return None,
        NumberType::Integer(t) if t.size > 16 => return None,
        target => target,
    };
    let numbers = NumberType::of(from)?;
    let per_element = |datatype: &Datatype| {
        let number = NumberType::of(datatype)?.size();
        datatype.size().checked_div(number)
    };
    if per_element(from) != per_element(to) {
        return None;
    }
    let mut converted = Vec::new();
    for element in bytes.chunks_exact(numbers.size()) {
        match (numbers.value(element), &target) {
            (Ok(value), NumberType::Integer(t)) => integer(t, value, &mut converted),
            (Ok(value), NumberType::Float(t)) => float(t, value, &mut converted),
            (Err(error), _) => return Some(Err(error)),
        }
    }
    Some(Ok(converted))
}

fn integer(t: &FixedPoint, number: Number, out: &mut Vec<u8>) {
    let bits = u32::from(t.precision).clamp(1, 128);
    let bits = if t.signed {
        let (low, high) = (i128::MIN >> (128 - bits), i128::MAX >> (128 - bits));
        let value = match number {
            Number::Signed(value) => value,
            Number::Unsigned(value) => value.try_into().unwrap_or(i128::MAX),
            #[expect(clippy::cast_possible_truncation, reason = "goes to the nearest")]
            Number::Float(value) => value as i128,
        };
        value.clamp(low, high).cast_unsigned() & (u128::MAX >> (128 - bits))
    } else {
        let value = match number {
            Number::Signed(value) => value.try_into().unwrap_or(0),
            Number::Unsigned(value) => value,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "goes to the nearest"
            )]
            Number::Float(value) => value as u128,
        };
        value.min(u128::MAX >> (128 - bits))
    };
    let bytes = bits.checked_shl(t.offset.into()).unwrap_or(0).to_le_bytes();
    put(t.order, bytes.get(..usize::try_from(t.size).unwrap_or(0)).unwrap_or_default(), out);
}

fn float(t: &FloatingPoint, number: Number, out: &mut Vec<u8>) {
    #[expect(clippy::cast_precision_loss, reason = "floats are rounded")]
    let value = match number {
        Number::Signed(value) => value as f64,
        Number::Unsigned(value) => value as f64,
        Number::Float(value) => value,
    };
    match t.size {
        2 if !t.is_ieee() => put(t.order, &bf16::from_f64(value).to_le_bytes(), out),
        2 => put(t.order, &f16::from_f64(value).to_le_bytes(), out),
        #[expect(clippy::cast_possible_truncation, reason = "goes to the nearest")]
        4 => put(t.order, &(value as f32).to_le_bytes(), out),
        _ => put(t.order, &value.to_le_bytes(), out),
    }
}

fn put(order: ByteOrder, little_endian: &[u8], out: &mut Vec<u8>) {
    match order {
        ByteOrder::BigEndian => out.extend(little_endian.iter().rev()),
        _ => out.extend_from_slice(little_endian),
    }
}

/// Appends `number` as an element. Integers are exact or an error; floats are rounded, as
/// everywhere.
pub(crate) fn encode_number(to: &NumberType, number: Number, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    match to {
        NumberType::Integer(t) => integer(t, number, out),
        NumberType::Float(t) if t.is_ieee() || bf16::is_stored_as(&Datatype::FloatingPoint(*t)) => {
            float(t, number, out);
        }
        NumberType::Float(t) => {
            return Err(Error::Unsupported {
                structure: "floating-point number",
                field: "size",
                found: t.size.into(),
            });
        }
    }
    let written = to.value(out.get(start..).unwrap_or_default())?;
    if matches!(to, NumberType::Float(_)) || written.is_equal(number) {
        return Ok(());
    }
    Err(Error::OutOfRange { value: format!("{number:?}"), wanted: "an integer of its type" })
}

#[test]
fn goes_to_the_nearest_number_that_fits() {
    let int = |size: u32, signed, order| {
        let precision = u16::try_from(size * 8).unwrap();
        Datatype::FixedPoint(FixedPoint { size, order, signed, offset: 0, precision })
    };
    let from = int(4, true, ByteOrder::BigEndian);
    let bytes = [0xff, 0xff, 0xff, 0xfe, 0, 0, 1, 0x2c];
    let to = |to: &Datatype| convert(&from, to, &bytes).unwrap().unwrap();
    assert_eq!(to(&int(2, true, ByteOrder::LittleEndian)), [0xfe, 0xff, 0x2c, 1]);
    assert_eq!(to(&int(1, false, ByteOrder::LittleEndian)), [0, 255]);
}
