//! Any tree that is written is read again.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use hdf5_lite::{Array, Datatype, Error, File, Group, Node, Object, Value, Writer};
use proptest::prelude::*;

/// Elements of one of some types, told by a shape and a seed.
#[derive(Clone, Debug)]
struct Elements {
    kind: usize,
    dims: Vec<u64>,
    seed: u64,
}

impl Elements {
    fn numbers(&self) -> impl Iterator<Item = u8> {
        let number = self.dims.iter().product::<u64>();
        let seed = self.seed;
        (0..number).map(move |n| u8::try_from((n + 1) * seed % 101).unwrap())
    }

    fn texts(&self) -> Vec<String> {
        self.numbers().map(|n| "\u{e9}x".repeat(usize::from(n) % 7)).collect()
    }

    fn array(&self) -> Array<'static> {
        let dims = || self.dims.clone();
        macro_rules! of {
            ($type:ty) => {
                Array::new(dims(), self.numbers().map(<$type>::from).collect::<Vec<_>>())
            };
        }
        match self.kind {
            0 => of!(u8),
            1 => of!(i16),
            2 => of!(u32),
            3 => of!(i64),
            4 => of!(f32),
            5 => of!(f64),
            6 => Array::strings(dims(), self.texts()),
            7 => {
                let lists = self.numbers().map(|n| {
                    Value::Sequence((0..n % 5).map(|n| Value::Unsigned(n.into())).collect())
                });
                Array::values(dims(), Datatype::sequence(Datatype::of::<u16>()), lists.collect())
            }
            _ => {
                let numbers = self.numbers().map(|n| Value::Signed(n.into())).collect();
                Array::values(dims(), Datatype::of::<i128>(), numbers)
            }
        }
    }

    fn values(&self) -> Vec<Value> {
        let numbers = self.numbers();
        match self.kind {
            0 | 2 => numbers.map(|n| Value::Unsigned(n.into())).collect(),
            4 | 5 => numbers.map(|n| Value::Float(n.into())).collect(),
            6 => self.texts().into_iter().map(Value::String).collect(),
            7 => {
                let list = |n| (0..n % 5).map(|n: u8| Value::Unsigned(n.into())).collect();
                numbers.map(|n| Value::Sequence(list(n))).collect()
            }
            _ => numbers.map(|n| Value::Signed(n.into())).collect(),
        }
    }
}

/// One call to a writer.
#[derive(Clone, Debug)]
enum Call {
    Group(String),
    Dataset { path: String, elements: Elements, chunk: Option<u64>, filters: u8 },
    Attribute { path: String, name: String, elements: Elements },
    Soft { path: String, target: String },
}

fn elements(axes: usize) -> impl Strategy<Value = Elements> {
    let dims = prop::collection::vec(0..9_u64, 0..=axes);
    (0..9_usize, dims, 1..1000_u64).prop_map(|(kind, dims, seed)| Elements { kind, dims, seed })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c]",
        2 => "[a-z0-9 :\u{e9}\u{4e2d}]{1,12}",
        1 => "[a-z]{200,400}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 1..4).prop_map(|names| names.join("/"))
}

fn call() -> impl Strategy<Value = Call> {
    let chunk = prop::option::of(1..6_u64);
    prop_oneof![
        path().prop_map(Call::Group),
        (path(), elements(3), chunk, 0..8_u8).prop_map(|(path, elements, chunk, filters)| {
            Call::Dataset { path, elements, chunk, filters }
        }),
        (path(), name(), elements(2)).prop_map(|(path, name, elements)| Call::Attribute {
            path,
            name,
            elements
        }),
        (path(), name()).prop_map(|(path, target)| Call::Soft { path, target }),
    ]
}

/// What there should be: groups, datasets and links by path, attributes by path and name.
#[derive(Debug, Default, PartialEq)]
struct Tree {
    groups: Vec<String>,
    datasets: BTreeMap<String, (Vec<u64>, Vec<Value>)>,
    soft: BTreeMap<String, String>,
    attributes: BTreeMap<(String, String), (Vec<u64>, Vec<Value>)>,
}

impl Tree {
    fn add_groups(&mut self, path: &str) {
        let ends = path.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            self.groups.push(path[..end].to_owned());
        }
    }

    fn call(&mut self, writer: &mut Writer<'_>, call: &Call) -> Result<(), Error> {
        match call {
            Call::Group(path) => {
                writer.group(path)?;
                self.add_groups(path);
            }
            Call::Dataset { path, elements, chunk, filters } => {
                let mut dataset = writer.dataset(path, elements.array())?;
                if let Some(chunk) = chunk.filter(|_| !elements.dims.is_empty()) {
                    dataset.chunks(vec![chunk; elements.dims.len()]);
                    if filters & 1 != 0 {
                        dataset.shuffle();
                    }
                    if filters & 2 != 0 {
                        dataset.deflate(u32::from(*filters));
                    }
                    if filters & 4 != 0 {
                        dataset.fletcher32();
                    }
                }
                if let Some((parent, _)) = path.rsplit_once('/') {
                    self.add_groups(parent);
                }
                let found = (elements.dims.clone(), elements.values());
                self.datasets.insert(path.clone(), found);
            }
            Call::Attribute { path, name, elements } => {
                writer.group(path)?.set_attr(name, elements.array())?;
                self.add_groups(path);
                let found = (elements.dims.clone(), elements.values());
                self.attributes.insert((path.clone(), name.clone()), found);
            }
            Call::Soft { path, target } => {
                writer.root_mut().soft_link(path, target)?;
                if let Some((parent, _)) = path.rsplit_once('/') {
                    self.add_groups(parent);
                }
                self.soft.insert(path.clone(), target.clone());
            }
        }
        Ok(())
    }

    fn read_attributes(&mut self, object: &Object, path: &str) {
        for attribute in object.attrs().unwrap() {
            let found = (attribute.shape().to_vec(), attribute.values().unwrap());
            let name = attribute.name().into_owned();
            assert!(object.find_attr(&name).unwrap().is_some());
            self.attributes.insert((path.to_owned(), name), found);
        }
    }

    fn read(&mut self, group: &Group, path: &str) {
        self.read_attributes(group.object(), path);
        for link in group.links().unwrap() {
            let name = link.name().into_owned();
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            assert!(group.find_link(&name).unwrap().is_some());
            if let hdf5_lite::LinkTarget::Soft(target) = link.target() {
                self.soft.insert(path, String::from_utf8(target.to_vec()).unwrap());
                continue;
            }
            match group.node(&name).unwrap() {
                Node::Group(group) => {
                    self.groups.push(path.clone());
                    self.read(&group, &path);
                }
                Node::Dataset(dataset) => {
                    self.read_attributes(dataset.object(), &path);
                    let found = (dataset.shape().to_vec(), dataset.values().unwrap());
                    self.datasets.insert(path, found);
                }
                _ => {}
            }
        }
    }

    fn sorted(mut self) -> Self {
        self.groups.sort();
        self.groups.dedup();
        self
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(calls in prop::collection::vec(call(), 0..60)) {
        let (mut writer, mut wanted) = (Writer::new(), Tree::default());
        for call in &calls {
            match wanted.call(&mut writer, call) {
                // Groups on the way may have been made.
                Err(Error::Exists { .. } | Error::WrongType { .. }) => {
                    let (Call::Group(path) | Call::Attribute { path, .. }
                        | Call::Dataset { path, .. } | Call::Soft { path, .. }) = call;
                    let mut made = String::new();
                    for name in path.split('/') {
                        made = if made.is_empty() { name.into() } else { format!("{made}/{name}") };
                        if wanted.datasets.contains_key(&made) || wanted.soft.contains_key(&made) {
                            break;
                        }
                        wanted.groups.push(made.clone());
                    }
                }
                other => other.unwrap(),
            }
        }
        let bytes = writer.to_bytes().unwrap();
        let mut stream = Vec::new();
        writer.write(&mut stream).unwrap();
        prop_assert_eq!(&bytes, &stream);
        let file = File::from_bytes(bytes).unwrap();
        let mut found = Tree::default();
        found.read(&file.root().unwrap(), "");
        prop_assert_eq!(found.sorted(), wanted.sorted());
        let copy = Writer::copy_of(&file).unwrap().to_bytes().unwrap();
        let mut copied = Tree::default();
        copied.read(&File::from_bytes(copy).unwrap().root().unwrap(), "");
        let mut found = Tree::default();
        found.read(&file.root().unwrap(), "");
        prop_assert_eq!(copied, found);
    }
}
