//! Values as text and as JSON.

use std::collections::HashMap;

use hdf5_lite::{Datatype, File, Node, ObjectAddress, Reference, Value};
use serde_json::{Value as Json, json};

use super::walk::{Found, printable, walk};
use crate::error::Result;

/// Paths of all objects, for references to them.
#[derive(Default)]
pub(crate) struct Paths(HashMap<ObjectAddress, String>);

impl Paths {
    pub(crate) fn of(file: &File) -> Self {
        let mut paths = HashMap::new();
        let add = &mut |entry: &super::walk::Entry| -> Result<()> {
            if let Found::Node(node) = &entry.found {
                paths.insert(node.object().address(), entry.path.clone());
            }
            Ok(())
        };
        if let Ok(root) = file.root() {
            // What cannot be read has no path.
            let _ = walk(Node::Group(root), "/".into(), add);
        }
        Self(paths)
    }

    fn get(&self, address: ObjectAddress) -> String {
        match self.0.get(&address) {
            Some(path) => path.clone(),
            None => format!("object at {:#x}", address.get()),
        }
    }

    pub(crate) fn reference(&self, reference: &Reference) -> String {
        match reference {
            Reference::Object(address) => self.get(*address),
            Reference::Region(region) => format!("a region of {}", self.get(region.object())),
            Reference::Attribute { object, name } => format!("{}@{name}", self.get(*object)),
            Reference::External { file, reference } => {
                format!("{file}:{}", self.reference(reference))
            }
            _ => "null".into(),
        }
    }
}

/// A value as h5dump would show it: strings quoted, members named.
pub(crate) fn text(value: &Value, datatype: &Datatype, paths: &Paths) -> String {
    let list = |values: &[Value], base: &Datatype| -> String {
        let parts: Vec<String> = values.iter().map(|value| text(value, base, paths)).collect();
        parts.join(", ")
    };
    match (value, datatype) {
        (Value::Signed(n), _) => n.to_string(),
        (Value::Unsigned(n), Datatype::BitField(t)) => {
            format!("{n:#0width$x}", width = 2 + usize::from(t.precision).div_ceil(4))
        }
        (Value::Unsigned(n), _) => n.to_string(),
        (Value::Float(x), _) => float(*x, is_single(datatype)),
        (Value::String(text), _) => format!("{text:?}"),
        (Value::Bytes(bytes), _) => hex(bytes),
        (Value::Enum(_, Some(name)), _) => printable(name),
        (Value::Enum(number, None), Datatype::Enum(t)) => text(number, &t.base, paths),
        (Value::Compound(members), Datatype::Compound(t)) => {
            let members = members.iter().zip(&t.members).map(|((name, value), member)| {
                format!("{}: {}", printable(name), text(value, &member.datatype, paths))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        (Value::Array(values), Datatype::Array(t)) => format!("[{}]", list(values, &t.base)),
        (Value::Sequence(values), Datatype::Variable(t)) => format!("({})", list(values, &t.base)),
        (Value::Complex(real, imaginary), Datatype::Complex(t)) => {
            let single = is_single(&t.base);
            let imaginary = float(*imaginary, single);
            let sign = if imaginary.starts_with('-') { "" } else { "+" };
            format!("{}{sign}{imaginary}i", float(*real, single))
        }
        (Value::Reference(reference), _) => {
            format!("-> {}", printable(&paths.reference(reference)))
        }
        (other, _) => format!("{other:?}"),
    }
}

/// A value as JSON. Numbers that JSON lacks are strings.
pub(crate) fn json(value: &Value, datatype: &Datatype, paths: &Paths) -> Json {
    let list = |values: &[Value], base: &Datatype| -> Json {
        values.iter().map(|value| json(value, base, paths)).collect()
    };
    match (value, datatype) {
        (Value::Signed(n), _) => {
            i64::try_from(*n).map_or_else(|_| json!(n.to_string()), Json::from)
        }
        (Value::Unsigned(n), _) => {
            u64::try_from(*n).map_or_else(|_| json!(n.to_string()), Json::from)
        }
        (Value::Float(x), _) => json_float(*x, is_single(datatype)),
        (Value::String(text), _) => json!(text),
        (Value::Bytes(bytes), _) => json!(hex(bytes)),
        (Value::Enum(_, Some(name)), _) if datatype.is_bool() => json!(name == "TRUE"),
        (Value::Enum(_, Some(name)), _) => json!(name),
        (Value::Enum(number, None), Datatype::Enum(t)) => json(number, &t.base, paths),
        (Value::Compound(members), Datatype::Compound(t)) => {
            let members = members.iter().zip(&t.members);
            let members = members.map(|((name, value), member)| {
                (name.clone(), json(value, &member.datatype, paths))
            });
            Json::Object(members.collect())
        }
        (Value::Array(values), Datatype::Array(t)) => {
            let dims: Vec<u64> = t.dims.iter().map(|dim| u64::from(*dim)).collect();
            nested(values.iter().map(|value| json(value, &t.base, paths)).collect(), &dims)
        }
        (Value::Sequence(values), Datatype::Variable(t)) => list(values, &t.base),
        (Value::Complex(real, imaginary), Datatype::Complex(t)) => {
            let single = is_single(&t.base);
            json!([json_float(*real, single), json_float(*imaginary, single)])
        }
        (Value::Reference(Reference::Null), _) => Json::Null,
        (Value::Reference(reference), _) => json!(paths.reference(reference)),
        (other, _) => json!(format!("{other:?}")),
    }
}

/// Lists within lists, as `shape` has axes; the only value if it has none.
pub(crate) fn nested(values: Vec<Json>, shape: &[u64]) -> Json {
    let Some((_, inner)) = shape.split_first() else {
        return values.into_iter().next().unwrap_or(Json::Null);
    };
    if inner.is_empty() {
        return values.into();
    }
    let row = inner.iter().try_fold(1_usize, |n, dim| n.checked_mul(usize::try_from(*dim).ok()?));
    let Some(row) = row.filter(|row| *row > 0) else { return Json::Array(Vec::new()) };
    let mut rows = Vec::new();
    let mut values = values.into_iter();
    loop {
        let part: Vec<Json> = values.by_ref().take(row).collect();
        if part.is_empty() {
            return rows.into();
        }
        rows.push(nested(part, inner));
    }
}

/// Whether numbers of the type need no more digits than those of `f32`.
fn is_single(datatype: &Datatype) -> bool {
    matches!(datatype, Datatype::FloatingPoint(t) if t.mantissa_size <= 23 && t.exponent_size <= 8)
}

/// The shortest digits that mean this number and no other of its type.
fn float(x: f64, single: bool) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the number came from 32 bits")]
    if single { format!("{:?}", x as f32) } else { format!("{x:?}") }
}

fn json_float(x: f64, single: bool) -> Json {
    let text = float(x, single);
    match text.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
        Some(number) => number.into(),
        None => text.into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("0x".into(), |text: String, byte| text + &format!("{byte:02x}"))
}
