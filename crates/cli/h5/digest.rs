//! `h5 digest`: one JSON line per object, with hashes of all values in a canonical encoding, so
//! that two readers, or two files, can be compared.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use hdf5_lite::{
    Attribute, ByteOrder, CharacterSet, CompoundType, Dataset, Dataspace, Datatype, Error, File,
    FixedPoint, Folder, Group, Layout, Link, LinkTarget, Node, Normalization, Object,
    ObjectAddress, Padding, ReferenceKind, SpaceClass, VariableKind,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// More elements than this are not hashed.
const MAX_ELEMENTS: u64 = 1 << 24;
/// Nor are more bytes, variable-length elements counting as in the memory of the C library.
const MAX_BYTES: u64 = 1 << 27;
/// Bytes of all variable-length values of one object.
const MAX_VARIABLE_BYTES: usize = 1 << 29;
/// A fill value longer than this is shown as its hash.
const MAX_FILL: usize = 64;

/// Prints the digest of the file at `path`. The exit code says whether all of it was readable.
///
/// External raw files and the sources of virtual datasets are looked up beside the file.
pub(crate) fn digest(path: &Path) -> Result<ExitCode, Error> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = Folder::new(parent.unwrap_or(Path::new(".")));
    let file = File::options().resolver(folder).open(path)?;
    let out = io::BufWriter::new(io::stdout().lock());
    let mut walk = Walk { out, seen: HashMap::new(), readable: true };
    walk.file(&file)?;
    walk.out.flush()?;
    Ok(if walk.readable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Walk<W> {
    out: W,
    /// The first path of each object.
    seen: HashMap<ObjectAddress, String>,
    /// Whether no object failed.
    readable: bool,
}

impl<W: Write> Walk<W> {
    fn print(&mut self, line: &Value) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    fn failed(&mut self, path: &str, what: &str, error: &Error) -> io::Result<()> {
        self.readable = false;
        self.print(
            &json!({"kind": "error", "path": path, "what": what, "message": error.to_string()}),
        )
    }

    fn file(&mut self, file: &File) -> Result<(), Error> {
        let (offsets, lengths) = file.address_and_length_sizes();
        self.print(&json!({
            "kind": "file",
            "superblock": file.superblock_version(),
            "userblock": file.user_block(),
            "sizes": [offsets, lengths],
        }))?;
        let root = file.root()?;
        self.seen.insert(root.object().address(), "/".into());
        // Groups wait here with their links, last one first, since paths can be of any depth.
        let mut waiting = Vec::new();
        self.group(root, String::new(), &mut waiting)?;
        while let Some((group, path, links)) = waiting.last_mut() {
            let Some(link) = links.pop() else {
                waiting.pop();
                continue;
            };
            let (group, path) = (group.clone(), format!("{path}/{}", link.name()));
            self.link(&group, &link, path, &mut waiting)?;
        }
        Ok(())
    }

    fn link(
        &mut self,
        group: &Group,
        link: &Link,
        path: String,
        waiting: &mut Vec<(Group, String, Vec<Link>)>,
    ) -> Result<(), Error> {
        match link.target() {
            LinkTarget::Soft(target) => {
                self.print(&json!({"kind": "softlink", "path": path, "target": text(target)}))?;
            }
            LinkTarget::External { file, path: target } => self.print(&json!({
                "kind": "externallink", "path": path, "file": text(file), "target": text(target),
            }))?,
            LinkTarget::UserDefined { kind, .. } => {
                self.print(&json!({"kind": "udlink", "path": path, "linktype": kind}))?;
            }
            LinkTarget::Hard(address) => {
                if let Some(first) = self.seen.get(address) {
                    let found = json!({"kind": "hardlink", "path": path, "target": first});
                    return Ok(self.print(&found)?);
                }
                match group.follow(link).and_then(Object::into_node) {
                    Err(error) => self.failed(&path, "object", &error)?,
                    Ok(node) => {
                        self.seen.insert(*address, path.clone());
                        self.node(node, path, waiting)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn node(
        &mut self,
        node: Node,
        path: String,
        waiting: &mut Vec<(Group, String, Vec<Link>)>,
    ) -> Result<(), Error> {
        match node {
            Node::Group(group) => self.group(group, path, waiting)?,
            Node::Dataset(dataset) => match dataset_line(&dataset, &path) {
                Ok(line) => self.print(&line)?,
                Err(error) => self.failed(&path, "dataset", &error)?,
            },
            Node::Datatype(datatype) => self.print(&json!({
                "kind": "datatype",
                "path": path,
                "dtype": dtype(datatype.datatype()),
                "attrs": attrs(datatype.object()),
            }))?,
            _ => {}
        }
        Ok(())
    }

    /// Prints the line of a group, and puts its links where they wait.
    fn group(
        &mut self,
        group: Group,
        path: String,
        waiting: &mut Vec<(Group, String, Vec<Link>)>,
    ) -> Result<(), Error> {
        let shown = if path.is_empty() { "/" } else { &path };
        let mut links = match group.links() {
            Ok(links) => links,
            // Without the root there is no digest.
            Err(error) if path.is_empty() => return Err(error),
            Err(error) => return Ok(self.failed(shown, "group", &error)?),
        };
        self.print(&json!({"kind": "group", "path": shown, "attrs": attrs(group.object())}))?;
        links.reverse();
        waiting.push((group, path, links));
        Ok(())
    }
}

fn dataset_line(dataset: &Dataset, path: &str) -> Result<Value, Error> {
    let datatype = dataset.datatype();
    let space = dataset.extent()?;
    let filters = dataset.filters()?;
    let filters: Vec<_> =
        filters.iter().map(|f| json!({"id": f.id, "cd": f.client_data})).collect();
    let mut line = json!({
        "kind": "dataset",
        "path": path,
        "dtype": dtype(datatype),
        "shape": shape(&space),
        "maxshape": max_shape(dataset.object().file(), &space),
        "layout": match dataset.layout() {
            Layout::Compact => "compact",
            Layout::Contiguous => "contiguous",
            Layout::Chunked => "chunked",
            Layout::Virtual => "virtual",
            _ => "unknown",
        },
        "chunks": dataset.chunks(),
        "filters": filters,
        "fill": fill(dataset),
        "attrs": attrs(dataset.object()),
    });
    let external = dataset.external_files()?;
    let external = external.iter().map(|file| json!([text(&file.name), file.offset, file.size]));
    let external: Vec<_> = external.collect();
    let hash = hash(dataset.object().file(), datatype, &space, || dataset.bytes());
    if let Some(line) = line.as_object_mut() {
        if !external.is_empty() {
            line.insert("external".into(), external.into());
        }
        line.insert("sha256".into(), hash);
    }
    Ok(line)
}

fn shape(space: &Dataspace) -> Value {
    if space.class == SpaceClass::Null { Value::Null } else { json!(space.dims) }
}

fn max_shape(file: &File, space: &Dataspace) -> Value {
    if space.max_dims.is_empty() {
        return shape(space);
    }
    // The C library takes "no limit" in lengths of less than eight bytes for the number it is.
    let (_, lengths) = file.address_and_length_sizes();
    let no_limit = (lengths < 8).then(|| (1_u64 << (8 * lengths)) - 1);
    json!(space.max_dims.iter().map(|dim| dim.or(no_limit)).collect::<Vec<_>>())
}

fn attrs(object: &Object) -> Value {
    let Ok(attributes) = object.attrs() else { return "error".into() };
    let value = |attribute: &Attribute| {
        json!({
            "dtype": dtype(attribute.datatype()),
            "shape": shape(attribute.dataspace()),
            "sha256": hash(attribute.file(), attribute.datatype(), attribute.dataspace(), || {
                attribute.bytes()
            }),
        })
    };
    let pairs =
        attributes.iter().map(|attribute| (attribute.name().into_owned(), value(attribute)));
    pairs.collect::<Map<_, _>>().into()
}

fn fill(dataset: &Dataset) -> Value {
    let datatype = dataset.datatype();
    let value = match dataset.fill_value() {
        Ok(Some(value)) => value,
        Ok(None) => return Value::Null,
        Err(_) => return "error".into(),
    };
    if datatype.any(&|t| matches!(t, Datatype::Variable(_) | Datatype::Reference(_))) {
        return Value::Null;
    }
    let Some(canonical) = Canonical::of(datatype) else { return "unsupported".into() };
    if value.len() != datatype.size() {
        return "error".into();
    }
    let mut encoded = Vec::new();
    match canonical.encode(dataset.object().file(), &value, &mut encoded, &mut 0) {
        Err(_) => "error".into(),
        Ok(()) if encoded.len() > MAX_FILL => {
            format!("sha256:{:x}", Sha256::digest(&encoded)).into()
        }
        Ok(()) => hex(&encoded).into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The hash of all elements, or why there is none.
fn hash(
    file: &File,
    datatype: &Datatype,
    space: &Dataspace,
    read: impl FnOnce() -> Result<bytes::Bytes, Error>,
) -> Value {
    if space.class == SpaceClass::Null {
        return Value::Null;
    }
    let elements = space.elements().unwrap_or(u64::MAX);
    if elements > MAX_ELEMENTS || elements.saturating_mul(memory_size(datatype)) > MAX_BYTES {
        return "toolarge".into();
    }
    let Some(canonical) = Canonical::of(datatype) else { return "unsupported".into() };
    match read().and_then(|bytes| hash_of(file, &canonical, datatype.size(), &bytes)) {
        Ok(hash) => hash.into(),
        Err(Error::UnknownFilter { .. }) => "unsupported".into(),
        Err(_) => "error".into(),
    }
}

fn hash_of(
    file: &File,
    canonical: &Canonical<'_>,
    size: usize,
    bytes: &[u8],
) -> Result<String, Error> {
    let mut hash = Sha256::new();
    let mut encoded = Vec::new();
    let mut variable = 0;
    for element in bytes.chunks_exact(size.max(1)) {
        canonical.encode(file, element, &mut encoded, &mut variable)?;
        if encoded.len() >= 1 << 16 {
            hash.update(&encoded);
            encoded.clear();
        }
    }
    hash.update(&encoded);
    Ok(format!("{:x}", hash.finalize()))
}

/// Bytes of an element in the memory of the C library.
fn memory_size(datatype: &Datatype) -> u64 {
    match datatype {
        Datatype::Variable(_) => 16,
        Datatype::Reference(t) => match t.kind {
            ReferenceKind::Object => 8,
            ReferenceKind::Region => 12,
            _ => 64,
        },
        Datatype::Array(t) => {
            let elements = t.dims.iter().map(|dim| u64::from(*dim));
            elements.fold(memory_size(&t.base), u64::saturating_mul)
        }
        Datatype::Compound(t) => {
            let members = || t.members.iter().map(|member| &member.datatype);
            let memory = members().map(memory_size).fold(t.size.into(), u64::saturating_add);
            let stored = members().map(|t| t.size() as u64).fold(0, u64::saturating_add);
            memory.saturating_sub(stored)
        }
        other => other.size() as u64,
    }
}

/// How elements of a type are encoded for the hash.
enum Canonical<'t> {
    Integer(FixedPoint),
    Float(&'t hdf5_lite::FloatingPoint),
    Text(Padding),
    Raw,
    /// Offset, size and encoding of each member, by offset.
    Compound(Vec<(usize, usize, Canonical<'t>)>),
    Array(usize, Box<Canonical<'t>>),
    VariableText(&'t Datatype),
    Variable(&'t Datatype, usize, Box<Canonical<'t>>),
    Reference(ReferenceKind),
}

impl<'t> Canonical<'t> {
    /// `None` if the digest does not define an encoding.
    fn of(datatype: &'t Datatype) -> Option<Self> {
        Some(match datatype {
            Datatype::FixedPoint(t) if t.size <= 8 => Self::Integer(*t),
            Datatype::BitField(t) if t.size <= 8 => Self::Integer(FixedPoint {
                size: t.size,
                order: t.order,
                signed: false,
                offset: t.offset,
                precision: t.precision,
            }),
            Datatype::Enum(t) => return Self::of(&t.base),
            Datatype::FloatingPoint(t) if t.is_ieee() => Self::Float(t),
            Datatype::String(t) => Self::Text(t.padding),
            Datatype::Opaque(_) => Self::Raw,
            Datatype::Compound(t) => {
                let fields = fields(t).into_iter().map(|member| {
                    let size = member.datatype.size();
                    Some((member.offset, size, Self::of(&member.datatype)?))
                });
                Self::Compound(fields.collect::<Option<_>>()?)
            }
            Datatype::Array(t) => Self::Array(t.base.size(), Box::new(Self::of(&t.base)?)),
            Datatype::Variable(t) if t.kind == VariableKind::String => Self::VariableText(datatype),
            Datatype::Variable(t) => {
                Self::Variable(datatype, t.base.size(), Box::new(Self::of(&t.base)?))
            }
            Datatype::Reference(t) => Self::Reference(t.kind),
            _ => return None,
        })
    }

    fn encode(
        &self,
        file: &File,
        element: &[u8],
        out: &mut Vec<u8>,
        variable: &mut usize,
    ) -> Result<(), Error> {
        match self {
            Self::Integer(t) => out.extend_from_slice(&integer(t, element).to_le_bytes()),
            Self::Float(t) => {
                let value = t.value(element).unwrap_or(f64::NAN);
                let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
                out.extend_from_slice(&bits.to_le_bytes());
            }
            Self::Text(padding) => counted(padding.cut(element), out),
            Self::Raw => out.extend_from_slice(element),
            Self::Compound(fields) => {
                for (offset, size, field) in fields {
                    let part = element.get(*offset..).and_then(|rest| rest.get(..*size));
                    field.encode(file, part.unwrap_or_default(), out, variable)?;
                }
            }
            Self::Array(size, base) => {
                for element in element.chunks_exact((*size).max(1)) {
                    base.encode(file, element, out, variable)?;
                }
            }
            Self::VariableText(datatype) => {
                let values = file.variable(datatype, element)?;
                spend(variable, values.len())?;
                counted(Padding::NullTerminate.cut(&values), out);
            }
            Self::Variable(datatype, size, base) => {
                let values = file.variable(datatype, element)?;
                spend(variable, values.len())?;
                let count = values.len().checked_div(*size).unwrap_or(0);
                out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
                for element in values.chunks_exact((*size).max(1)) {
                    base.encode(file, element, out, variable)?;
                }
            }
            Self::Reference(kind) => {
                let zero = element.iter().all(|byte| *byte == 0);
                let ones = element.iter().all(|byte| *byte == 0xff);
                out.push((!(zero || *kind == ReferenceKind::Object && ones)).into());
            }
        }
        Ok(())
    }
}

/// Counts bytes of variable-length values, which may be the same ones over and over.
fn spend(spent: &mut usize, bytes: usize) -> Result<(), Error> {
    *spent = spent.saturating_add(bytes);
    if *spent > MAX_VARIABLE_BYTES {
        return Err(io::Error::other("too many bytes of variable length").into());
    }
    Ok(())
}

fn counted(bytes: &[u8], out: &mut Vec<u8>) {
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// The value of an integer of up to eight bytes, as 64 bits in two's complement.
fn integer(t: &FixedPoint, element: &[u8]) -> u64 {
    let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    let value = match t.order {
        ByteOrder::BigEndian => element.iter().fold(0, add),
        _ => element.iter().rev().fold(0, add),
    };
    let unused = 64_u32.saturating_sub(t.precision.into());
    let value = value.checked_shr(t.offset.into()).unwrap_or(0) << unused;
    if t.signed { (value.cast_signed() >> unused).cast_unsigned() } else { value >> unused }
}

/// Members by offset; those at the same offset in stored order.
fn fields(t: &CompoundType) -> Vec<&hdf5_lite::Member> {
    let mut members: Vec<_> = t.members.iter().collect();
    members.sort_by_key(|member| member.offset);
    members
}

fn dtype(datatype: &Datatype) -> Value {
    match datatype {
        Datatype::FixedPoint(t) => json!({
            "class": "integer", "size": t.size, "order": order(t.order),
            "precision": t.precision, "offset": t.offset, "signed": t.signed,
        }),
        Datatype::BitField(t) => json!({
            "class": "bitfield", "size": t.size, "order": order(t.order),
            "precision": t.precision, "offset": t.offset,
        }),
        Datatype::FloatingPoint(t) => json!({
            "class": "float", "size": t.size, "order": order(t.order),
            "precision": t.precision, "offset": t.offset, "sign_pos": t.sign,
            "exp_pos": t.exponent, "exp_size": t.exponent_size,
            "mant_pos": t.mantissa, "mant_size": t.mantissa_size, "exp_bias": t.bias,
            "norm": match t.normalization {
                Normalization::Implied => "implied",
                Normalization::MostSignificantBitSet => "msbset",
                Normalization::None => "none",
            },
        }),
        Datatype::Time(t) => json!({"class": "time", "size": t.size}),
        Datatype::String(t) => json!({
            "class": "string", "size": t.size, "pad": pad(t.padding),
            "charset": charset(t.character_set),
        }),
        Datatype::Opaque(t) => json!({"class": "opaque", "size": t.size, "tag": text(&t.tag)}),
        Datatype::Compound(t) => compound(datatype, t),
        Datatype::Reference(t) => json!({"class": "reference", "kind": match t.kind {
            ReferenceKind::Object => "object",
            ReferenceKind::Region => "region",
            _ => "std",
        }}),
        Datatype::Enum(t) => {
            let mut members: Vec<_> = t.members.iter().collect();
            members.sort();
            let value = |bytes: &[u8]| match &*t.base {
                Datatype::FixedPoint(base) if base.size <= 8 => match integer(base, bytes) {
                    value if base.signed => json!(value.cast_signed()),
                    value => json!(value),
                },
                _ => Value::Null,
            };
            let members = members.iter().map(|(name, bytes)| json!([text(name), value(bytes)]));
            json!({
                "class": "enum", "base": dtype(&t.base), "members": members.collect::<Vec<_>>(),
            })
        }
        Datatype::Variable(t) if t.kind == VariableKind::String => json!({
            "class": "vlen_string", "pad": pad(t.padding), "charset": charset(t.character_set),
        }),
        Datatype::Variable(t) => json!({"class": "vlen", "base": dtype(&t.base)}),
        Datatype::Array(t) => json!({"class": "array", "dims": t.dims, "base": dtype(&t.base)}),
        Datatype::Complex(t) => json!({"class": "complex", "base": dtype(&t.base)}),
        _ => "unsupported".into(),
    }
}

fn compound(datatype: &Datatype, t: &CompoundType) -> Value {
    // In memory, variable-length values and references have other sizes.
    let portable = !datatype.any(&|t| matches!(t, Datatype::Variable(_) | Datatype::Reference(_)));
    let fields = fields(t).into_iter().map(|member| {
        let mut field = json!({"name": text(&member.name), "dtype": dtype(&member.datatype)});
        if let Some(field) = field.as_object_mut().filter(|_| portable) {
            field.insert("offset".into(), member.offset.into());
        }
        field
    });
    let mut line = json!({"class": "compound", "fields": fields.collect::<Vec<_>>()});
    if let Some(line) = line.as_object_mut().filter(|_| portable) {
        line.insert("size".into(), t.size.into());
    }
    line
}

fn order(order: ByteOrder) -> &'static str {
    match order {
        ByteOrder::LittleEndian => "LE",
        ByteOrder::BigEndian => "BE",
        ByteOrder::Vax => "VAX",
    }
}

fn pad(padding: Padding) -> &'static str {
    match padding {
        Padding::NullTerminate => "nullterm",
        Padding::NullPad => "nullpad",
        Padding::SpacePad => "spacepad",
    }
}

fn charset(set: CharacterSet) -> &'static str {
    match set {
        CharacterSet::Ascii => "ascii",
        CharacterSet::Utf8 => "utf8",
    }
}

/// UTF-8, or Latin-1 if it is not that.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}
