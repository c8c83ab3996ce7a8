//! A copy of each fixture says what the fixture says.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use hdf5_lite::{
    Attribute, Error, File, Folder, Link, LinkTarget, Node, Object, ObjectAddress, Reference,
    Value, Writer,
};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hdf5")
}

/// What a file says, line by line, without its addresses.
struct Told {
    file: File,
    /// The first path of each object.
    paths: HashMap<ObjectAddress, String>,
    lines: Vec<String>,
}

impl Told {
    fn of(file: &File) -> Vec<String> {
        let root = file.root().unwrap().object().clone();
        let mut told = Self { file: file.clone(), paths: HashMap::new(), lines: Vec::new() };
        told.find(&root, "");
        told.object(&root, "");
        told.lines
    }

    fn find(&mut self, object: &Object, path: &str) {
        if self.paths.insert(object.address(), path.into()).is_some() {
            return;
        }
        let Ok(Node::Group(group)) = object.clone().into_node() else { return };
        for link in group.links().unwrap() {
            if let LinkTarget::Hard(address) = link.target()
                && !self.paths.contains_key(address)
            {
                let path = format!("{path}/{}", link.name());
                self.find(&group.follow(&link).unwrap(), &path);
            }
        }
    }

    fn object(&mut self, object: &Object, path: &str) {
        let count = object.reference_count().unwrap();
        self.lines.push(format!("{path} has {count} links, {:?}", object.comment().unwrap()));
        let mut attributes = object.attrs().unwrap();
        let is_ordered = attributes.iter().any(|one| one.creation_order().is_some());
        self.lines.push(format!("{path} ordered attributes: {is_ordered}"));
        attributes.sort_by_key(Attribute::creation_order);
        for attribute in attributes {
            let line = self.attribute(&attribute);
            self.lines.push(format!("{path}@{} {line}", attribute.name()));
        }
        match object.clone().into_node().unwrap() {
            Node::Group(group) => {
                let mut links = group.links().unwrap();
                let is_ordered = links.iter().any(|link| link.creation_order().is_some());
                self.lines.push(format!("{path} ordered links: {is_ordered}"));
                links.sort_by_key(Link::creation_order);
                for link in links {
                    let path = format!("{path}/{}", link.name());
                    match link.target() {
                        LinkTarget::Hard(address) if self.paths.get(address) == Some(&path) => {
                            self.object(&group.follow(&link).unwrap(), &path);
                        }
                        LinkTarget::Hard(address) => {
                            self.lines.push(format!("{path} is {:?}", self.paths.get(address)));
                        }
                        other => self.lines.push(format!("{path} is {other:?}")),
                    }
                }
            }
            Node::Dataset(dataset) => {
                let has_addresses = dataset
                    .datatype()
                    .any(&|t| matches!(t.class(), "variable-length" | "reference"));
                let fill = dataset.fill_value().unwrap().filter(|_| !has_addresses);
                let filters = dataset.filters().unwrap();
                let filters = filters.iter().map(|filter| (filter.id, &filter.client_data));
                self.lines.push(format!(
                    "{path} {} {:?} {:?} {:?} {:?} {:?} {fill:?} {:?}",
                    dataset.datatype().class(),
                    dataset.dataspace(),
                    dataset.extent().unwrap(),
                    dataset.layout(),
                    dataset.chunks(),
                    filters.collect::<Vec<_>>(),
                    dataset.external_files().unwrap(),
                ));
                let elements = dataset.elements().unwrap_or(u64::MAX);
                if elements <= 100_000 {
                    let values = dataset.values().map_err(|error| error.to_string());
                    let values = values.map(|values| self.values(&values));
                    self.lines.push(format!("{path} {values:?}"));
                }
            }
            Node::Datatype(committed) => {
                self.lines.push(format!("{path} {}", committed.datatype().class()));
            }
            _ => {}
        }
    }

    fn attribute(&self, attribute: &Attribute) -> String {
        let values = self.values(&attribute.values().unwrap());
        format!("{} {:?} {values:?}", attribute.datatype().class(), attribute.dataspace())
    }

    fn values(&self, values: &[Value]) -> Vec<String> {
        values.iter().map(|value| self.value(value)).collect()
    }

    fn value(&self, value: &Value) -> String {
        match value {
            Value::Array(values) | Value::Sequence(values) => format!("{:?}", self.values(values)),
            Value::Compound(members) => {
                let members = members.iter().map(|(name, value)| (name, self.value(value)));
                format!("{:?}", members.collect::<Vec<_>>())
            }
            Value::Reference(Reference::Region(region)) => {
                let object = self.file.dereference(&Reference::Region(region.clone())).unwrap();
                let dataset = match object.into_node().unwrap() {
                    Node::Dataset(dataset) => dataset,
                    other => return format!("{other:?}"),
                };
                let path = self.paths.get(&region.object());
                format!("{path:?} {:?}", dataset.read_region::<f64>(region).ok())
            }
            Value::Reference(reference @ (Reference::Object(_) | Reference::Attribute { .. })) => {
                format!("to {:?}", reference.object().and_then(|object| self.paths.get(&object)))
            }
            // Not a number is not itself.
            Value::Float(value) => format!("{:x}", value.to_bits()),
            other => format!("{other:?}"),
        }
    }
}

#[test]
fn a_copy_says_what_the_original_says() {
    let options = || File::options().resolver(Folder::new(folder()));
    let mut number = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "h5") {
            continue;
        }
        number += 1;
        let original = options().open(&path).unwrap();
        let copy = Writer::copy_of(&original).unwrap();
        let bytes = copy.to_bytes().unwrap();
        assert!(bytes == copy.to_bytes().unwrap(), "{} is not always the same", path.display());
        let copy = options().from_bytes(bytes).unwrap();
        let (original, copy) = (Told::of(&original), Told::of(&copy));
        for (original, copy) in original.iter().zip(&copy) {
            assert_eq!(copy, original, "{}", path.display());
        }
        assert_eq!(copy.len(), original.len());
    }
    assert!(number >= 60, "{number} fixtures");
}

/// Of two links or attributes of one name a copy would have one: it is refused.
#[test]
fn names_that_stand_twice_are_refused() {
    for (name, from, to) in [
        ("groups_old.h5", "größe\0", "empty\0\0\0"), // a local heap pads names to eight bytes
        ("attributes_old.h5", "scalar\0", "fixeds\0"),
    ] {
        let mut bytes = fs::read(folder().join(name)).unwrap();
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        bytes.splice(at..at + from.len(), to.bytes());
        let file = File::from_bytes(bytes).unwrap();
        let error = Writer::copy_of(&file).unwrap_err();
        assert!(matches!(error, Error::Exists { .. }), "{name}: {error}");
    }
}
