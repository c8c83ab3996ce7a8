use super::*;
use crate::Error;
use crate::testing::{Build, build};

/// The fields that every class has.
fn head(version: u8, class: u8, bits: u32, size: u32) -> Build {
    let [low, middle, high, _] = bits.to_le_bytes();
    build().u8(version << 4 | class).bytes(&[low, middle, high]).u32(size)
}

fn fixed(size: u32) -> Build {
    head(1, 0, 8, size).u16(0).u16(u16::try_from(size * 8).unwrap())
}

/// Parses `message`; what it says comes back from what is written of it.
fn read(message: &Build) -> Datatype {
    message.assert_needs_all::<Datatype>();
    read_back(message)
}

fn read_back(message: &Build) -> Datatype {
    let datatype: Datatype = message.read().unwrap();
    let written = build().bytes(&datatype.to_bytes().unwrap());
    assert_eq!(written.read::<Datatype>().unwrap(), datatype);
    datatype
}

#[test]
fn numbers() {
    let Datatype::FixedPoint(t) = read(&head(1, 0, 9, 2).u16(3).u16(9)) else { panic!() };
    assert_eq!((t.order, t.signed, t.offset, t.precision), (ByteOrder::BigEndian, true, 3, 9));
    let single =
        |order: u32| head(1, 1, 0x1f20 | order, 4).u16(0).u16(32).bytes(&[23, 8, 0, 23]).u32(127);
    let Datatype::FloatingPoint(t) = read(&single(0)) else { panic!() };
    assert!(t.is_ieee());
    let Datatype::FloatingPoint(t) = read(&single(0x41)) else { panic!() };
    assert_eq!((t.order, t.is_ieee()), (ByteOrder::Vax, false));
    let Datatype::Time(t) = read(&head(1, 2, 1, 4).u16(32)) else { panic!() };
    assert_eq!((t.order, t.precision), (ByteOrder::BigEndian, 32));
    let Datatype::BitField(t) = read(&head(1, 4, 0, 1).u16(1).u16(6)) else { panic!() };
    assert_eq!((t.offset, t.precision), (1, 6));
    let Datatype::Complex(t) = read(&head(5, 11, 1, 8).then(&single(0))) else { panic!() };
    assert_eq!((t.size, t.base.size()), (8, 4));
    let beyond = head(1, 0, 0, 2).u16(8).u16(9);
    assert!(beyond.read::<Datatype>().is_err(), "bits that the bytes do not have");
}

#[test]
fn texts() {
    let Datatype::String(t) = read_back(&head(1, 3, 0x12, 5)) else { panic!() };
    assert_eq!((t.padding, t.character_set), (Padding::SpacePad, CharacterSet::Utf8));
    assert_eq!(t.padding.cut(b"a b  "), b"a b");
    let Datatype::Opaque(t) = read(&head(1, 5, 8, 3).name("tag", 8)) else { panic!() };
    assert_eq!((t.size, &t.tag[..]), (3, &b"tag"[..]));
}

#[test]
fn compounds_of_every_version() {
    let dims = build().u8(2).zeros(11).u32(2).u32(3).u32(9).u32(9);
    let old = head(1, 6, 1, 24).name("m", 8).u32(0).then(&dims).then(&fixed(4));
    let newer = head(2, 6, 1, 24).name("m", 8).u32(20).then(&fixed(4));
    // As many bytes for the offset as the size needs.
    let newest = head(3, 6, 1, 24).name("m", 1).u8(20).then(&fixed(4));
    let larger = head(3, 6, 1, 300).name("m", 1).u16(290).then(&fixed(4));
    for (message, offset) in [(old, 0), (newer, 20), (newest, 20), (larger, 290)] {
        let Datatype::Compound(t) = read(&message) else { panic!() };
        assert_eq!((&t.members[0].name[..], t.members[0].offset), (&b"m"[..], offset));
        match &t.members[0].datatype {
            Datatype::Array(array) => assert_eq!((&array.dims[..], array.size), (&[2, 3][..], 24)),
            other => assert_eq!(other.size(), 4),
        }
    }
    let outside = head(3, 6, 1, 24).name("m", 1).u8(21).then(&fixed(4));
    assert!(outside.read::<Datatype>().is_err());
}

#[test]
fn enumerations_arrays_and_variable_lengths() {
    let members = build().name("off", 8).name("on", 8).bytes(&[0, 1]);
    let Datatype::Enum(t) = read(&head(1, 8, 2, 1).then(&fixed(1)).then(&members)) else {
        panic!()
    };
    assert_eq!(t.members, [(b"off".to_vec(), vec![0]), (b"on".to_vec(), vec![1])]);
    let old = head(2, 10, 0, 24).u8(2).zeros(3).u32(2).u32(3).u32(0).u32(1).then(&fixed(4));
    let new = head(3, 10, 0, 24).u8(2).u32(2).u32(3).then(&fixed(4));
    for message in [old, new] {
        let Datatype::Array(t) = read(&message) else { panic!() };
        assert_eq!((&t.dims[..], t.base.size()), (&[2, 3][..], 4));
    }
    let wrong = head(3, 10, 0, 25).u8(2).u32(2).u32(3).then(&fixed(4));
    assert!(wrong.read::<Datatype>().is_err(), "a size that the dimensions do not make");
    let Datatype::Variable(t) = read(&head(1, 9, 0x101, 16).then(&fixed(1))) else { panic!() };
    assert_eq!((t.kind, t.character_set), (VariableKind::String, CharacterSet::Utf8));
}

#[test]
fn references() {
    for (bits, kind) in [
        (0, ReferenceKind::Object),
        (1, ReferenceKind::Region),
        (0x12, ReferenceKind::Object2),
        (0x13, ReferenceKind::Region2),
        (0x14, ReferenceKind::Attribute),
    ] {
        let Datatype::Reference(t) = read_back(&head(4, 7, bits, 8)) else { panic!() };
        assert_eq!(t.kind, kind);
    }
}

#[test]
fn types_within_types_without_end() {
    let mut nested = fixed(4);
    for _ in 0..100 {
        nested = head(3, 9, 0, 16).then(&nested);
    }
    let error = nested.read::<Datatype>().unwrap_err();
    assert!(matches!(error, Error::Malformed { field: "depth of datatypes", .. }));
}
