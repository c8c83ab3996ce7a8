//! Types and shapes in words.

use hdf5_lite::{
    ByteOrder, CharacterSet, Dataspace, Datatype, FloatingPoint, ReferenceKind, SpaceClass,
    VariableKind,
};

use super::walk::printable;

/// A type as NumPy would call it, where it has a name for it.
pub(crate) fn name(datatype: &Datatype) -> String {
    match datatype {
        Datatype::FixedPoint(t) => {
            let bits = 8 * t.size;
            let name = if t.signed { "int" } else { "uint" };
            format!("{name}{bits}{}", layout(t.order, bits, t.precision, t.offset))
        }
        Datatype::BitField(t) => {
            let bits = 8 * t.size;
            format!("bitfield{bits}{}", layout(t.order, bits, t.precision, t.offset))
        }
        Datatype::FloatingPoint(t) => format!("{}{}", float(t), order(t.order)),
        Datatype::Time(t) => format!("time{}{}", 8 * t.size, order(t.order)),
        Datatype::String(t) => format!("string[{}]{}", t.size, charset(t.character_set)),
        Datatype::Variable(t) if t.kind == VariableKind::String => {
            format!("string{}", charset(t.character_set))
        }
        Datatype::Variable(t) => format!("vlen of {}", name(&t.base)),
        Datatype::Opaque(t) => {
            let tag = String::from_utf8_lossy(&t.tag);
            format!(
                "opaque[{}]{}",
                t.size,
                if tag.is_empty() { String::new() } else { format!(" {tag:?}") }
            )
        }
        Datatype::Compound(t) => {
            let members = t.members.iter().map(|member| {
                let member_name = printable(&String::from_utf8_lossy(&member.name));
                format!("{member_name}: {}", name(&member.datatype))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Datatype::Reference(t) => match t.kind {
            ReferenceKind::Object | ReferenceKind::Object2 => "reference to an object",
            ReferenceKind::Region | ReferenceKind::Region2 => "reference to a region",
            ReferenceKind::Attribute => "reference to an attribute",
        }
        .into(),
        Datatype::Enum(_) if datatype.is_bool() => "bool".into(),
        Datatype::Enum(t) => {
            let names = t.members.iter().map(|(name, _)| printable(&String::from_utf8_lossy(name)));
            let mut names: Vec<String> = names.collect();
            if names.len() > 8 {
                names.truncate(8);
                names.push("...".into());
            }
            format!("enum {} {{{}}}", name(&t.base), names.join(", "))
        }
        Datatype::Array(t) => format!("{} of {}", shape_of(&t.dims), name(&t.base)),
        Datatype::Complex(t) => format!("complex of {}", name(&t.base)),
        _ => datatype.class().into(),
    }
}

fn float(t: &FloatingPoint) -> String {
    match (t.size, t.exponent_size, t.mantissa_size) {
        _ if t.is_ieee() => format!("float{}", 8 * t.size),
        (2, 8, 7) => "bfloat16".into(),
        (size, exponent, mantissa) => {
            format!("float{} ({exponent} bits exponent, {mantissa} mantissa)", 8 * size)
        }
    }
}

fn order(order: ByteOrder) -> &'static str {
    match order {
        ByteOrder::LittleEndian => "",
        ByteOrder::BigEndian => " big-endian",
        ByteOrder::Vax => " VAX",
    }
}

fn layout(of: ByteOrder, bits: u32, precision: u16, offset: u16) -> String {
    let part = if bits == u32::from(precision) {
        String::new()
    } else {
        format!(" ({precision} bits at {offset})")
    };
    format!("{}{part}", if bits == 8 { "" } else { order(of) })
}

fn charset(set: CharacterSet) -> &'static str {
    match set {
        CharacterSet::Ascii => "",
        CharacterSet::Utf8 => " utf-8",
    }
}

fn shape_of<T: std::fmt::Display>(dims: &[T]) -> String {
    let dims: Vec<String> = dims.iter().map(T::to_string).collect();
    format!("[{}]", dims.join(", "))
}

/// `[3, 4]`, `scalar` or `null`.
pub(crate) fn shape(space: &Dataspace) -> String {
    match space.class {
        SpaceClass::Null => "null".into(),
        SpaceClass::Scalar => "scalar".into(),
        SpaceClass::Simple => shape_of(&space.dims),
    }
}

/// How far it may grow, if it may.
pub(crate) fn max_shape(space: &Dataspace) -> Option<String> {
    let grows = space.max_dims.iter().zip(&space.dims).any(|(max, dim)| *max != Some(*dim));
    let dims = space.max_dims.iter().map(|max| max.map_or("unlimited".into(), |n| n.to_string()));
    grows.then(|| shape_of(&dims.collect::<Vec<String>>()))
}

/// Names of filters with the number that makes most difference.
pub(crate) fn filter(info: &hdf5_lite::FilterInfo) -> String {
    let name = match info.id {
        1 => "deflate",
        2 => "shuffle",
        3 => "fletcher32",
        4 => "szip",
        5 => "nbit",
        6 => "scaleoffset",
        305 => "lzo",
        307 => "bzip2",
        32000 => "lzf",
        32001 => "blosc",
        32004 => "lz4",
        32008 => "bitshuffle",
        32013 => "zfp",
        32015 => "zstd",
        32026 => "blosc2",
        id if info.name.is_empty() => return format!("filter {id}"),
        id => return format!("filter {id} {:?}", info.name),
    };
    match (info.id, info.client_data.first()) {
        (1 | 307 | 32015, Some(level)) => format!("{name}({level})"),
        _ => name.into(),
    }
}

/// Bytes as people say it.
pub(crate) fn bytes(n: u64) -> String {
    let units = ["KB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = n as f64;
    let mut unit = "B";
    for larger in units {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1000.0, larger);
    }
    if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") }
}
