//! `keras-model h5 diff`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgAction, Args};
use hdf5_lite::{
    Attribute, Dataset, Dataspace, Datatype, Error as H5Error, Node, Reference, SpaceClass, Value,
};

use super::pieces::{Pieces, of_box};
use super::types;
use super::values::{self, Paths};
use super::walk::{Found, printable, walk};
use crate::error::{Error, Result};

/// Elements compared at a time.
const PIECE: u64 = 1 << 18;
/// Bytes of a dataset that are compared if hardly any of them is stored.
const MOST_UNSTORED: u64 = 1 << 30;

#[derive(Args)]
pub(crate) struct Diff {
    /// An HDF5 file
    a: PathBuf,
    /// Another one
    b: PathBuf,
    /// Numbers are equal if they differ by no more than this part of the second one
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    rtol: f64,
    /// Numbers are equal if they differ by no more than this; added to the part by --rtol
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    atol: f64,
    /// Compare attributes too; this is the default
    #[arg(long, overrides_with = "no_attrs")]
    attrs: bool,
    /// Leave attributes out
    #[arg(long, action = ArgAction::SetTrue, overrides_with = "attrs")]
    no_attrs: bool,
}

impl Diff {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode> {
        let (a, b) = (Side::open(&self.a)?, Side::open(&self.b)?);
        let mut report = Report { options: &self, out, a: &a.paths, b: &b.paths, found: 0 };
        for (path, left) in &a.links {
            match b.links.get(path) {
                Some(right) => report.link(path, left, right)?,
                None => report.line(path, &format!("only in {}", self.a.display()))?,
            }
        }
        for path in b.links.keys().filter(|path| !a.links.contains_key(*path)) {
            report.line(path, &format!("only in {}", self.b.display()))?;
        }
        Ok(if report.found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// One of the files.
struct Side {
    links: BTreeMap<String, Found>,
    paths: Paths,
}

impl Side {
    fn open(path: &Path) -> Result<Self> {
        let file = super::open(path)?;
        let root = file.root().map_err(|source| Error::Hdf5 { path: path.to_owned(), source })?;
        let mut links = BTreeMap::new();
        walk(Node::Group(root), "/".into(), &mut |entry| {
            let found = match &entry.found {
                Found::Node(node) => Found::Node(node.clone()),
                Found::Again(first) => Found::Again(first.clone()),
                Found::Soft(target) => Found::Soft(target.clone()),
                Found::External { file, path } => {
                    Found::External { file: file.clone(), path: path.clone() }
                }
                Found::UserDefined(kind) => Found::UserDefined(*kind),
                Found::Bad(error) => Found::Bad(io_error(error)),
            };
            links.insert(entry.path.clone(), found);
            Ok(())
        })?;
        Ok(Self { links, paths: Paths::of(&file) })
    }
}

/// The same words; errors cannot be cloned.
fn io_error(error: &H5Error) -> H5Error {
    std::io::Error::other(error.to_string()).into()
}

struct Report<'d, W> {
    options: &'d Diff,
    out: &'d mut W,
    a: &'d Paths,
    b: &'d Paths,
    found: usize,
}

impl<W: Write> Report<'_, W> {
    fn line(&mut self, place: &str, what: &str) -> Result<()> {
        self.found += 1;
        writeln!(self.out, "{}: {what}", printable(place))?;
        Ok(())
    }

    fn link(&mut self, path: &str, a: &Found, b: &Found) -> Result<()> {
        match (a, b) {
            (Found::Node(a), Found::Node(b)) => self.node(path, a, b),
            (Found::Bad(error), _) => {
                self.line(path, &format!("not readable in {}: {error}", self.options.a.display()))
            }
            (_, Found::Bad(error)) => {
                self.line(path, &format!("not readable in {}: {error}", self.options.b.display()))
            }
            _ if kind(a) == kind(b) => Ok(()),
            _ => self.line(path, &format!("{} and {}", kind(a), kind(b))),
        }
    }

    fn node(&mut self, path: &str, a: &Node, b: &Node) -> Result<()> {
        match (a, b) {
            (Node::Group(_), Node::Group(_)) => {}
            (Node::Dataset(a), Node::Dataset(b)) => self.dataset(path, a, b)?,
            (Node::Datatype(a), Node::Datatype(b)) => {
                self.datatype(path, a.datatype(), b.datatype())?;
            }
            (a, b) => self.line(path, &format!("{} and {}", kind_of(a), kind_of(b)))?,
        }
        if self.options.no_attrs {
            return Ok(());
        }
        let (a, b) = match (a.object().attrs(), b.object().attrs()) {
            (Ok(a), Ok(b)) => (a, b),
            (Err(error), _) | (_, Err(error)) => {
                return self.line(path, &format!("attributes not readable: {error}"));
            }
        };
        for left in &a {
            let place = format!("{path}@{}", left.name());
            match b.iter().find(|right| right.name_bytes() == left.name_bytes()) {
                Some(right) => self.attribute(&place, left, right)?,
                None => self.line(&place, &format!("only in {}", self.options.a.display()))?,
            }
        }
        for right in &b {
            if !a.iter().any(|left| left.name_bytes() == right.name_bytes()) {
                let place = format!("{path}@{}", right.name());
                self.line(&place, &format!("only in {}", self.options.b.display()))?;
            }
        }
        Ok(())
    }

    /// Types that hold the same values are equal, whatever their byte order.
    fn datatype(&mut self, place: &str, a: &Datatype, b: &Datatype) -> Result<()> {
        let (left, right) = (types::name(a), types::name(b));
        if a == b || left == right {
            return Ok(());
        }
        self.line(place, &format!("type {left} and {right}"))
    }

    /// Whether the extents are equal.
    fn space(&mut self, place: &str, a: &Dataspace, b: &Dataspace) -> Result<bool> {
        if a.class == b.class && a.dims == b.dims {
            return Ok(true);
        }
        self.line(place, &format!("shape {} and {}", types::shape(a), types::shape(b)))?;
        Ok(false)
    }

    fn attribute(&mut self, place: &str, a: &Attribute, b: &Attribute) -> Result<()> {
        self.datatype(place, a.datatype(), b.datatype())?;
        if !self.space(place, a.dataspace(), b.dataspace())? {
            return Ok(());
        }
        match (a.values(), b.values()) {
            (Ok(left), Ok(right)) => {
                let mut found = Differences::default();
                let origin = vec![0; a.shape().len()];
                let types = (a.datatype(), b.datatype());
                self.values(types, (&left, &right), (&origin, a.shape()), &mut found);
                self.differences(place, found, a.dataspace().elements())
            }
            (Err(error), _) | (_, Err(error)) => {
                self.line(place, &format!("not readable: {error}"))
            }
        }
    }

    fn dataset(&mut self, path: &str, a: &Dataset, b: &Dataset) -> Result<()> {
        self.datatype(path, a.datatype(), b.datatype())?;
        let (space, other) = match (a.extent(), b.extent()) {
            (Ok(a), Ok(b)) => (a, b),
            (Err(error), _) | (_, Err(error)) => {
                return self.line(path, &format!("extent not readable: {error}"));
            }
        };
        if !self.space(path, &space, &other)? || space.class == SpaceClass::Null {
            return Ok(());
        }
        match self.elements(&space, a, b) {
            Ok(found) => self.differences(path, found, space.elements()),
            Err(error) => self.line(path, &format!("not readable: {error}")),
        }
    }

    fn elements(
        &self,
        space: &Dataspace,
        a: &Dataset,
        b: &Dataset,
    ) -> std::result::Result<Differences, H5Error> {
        let mut found = Differences::default();
        let bytes = space.elements().and_then(|n| n.checked_mul(a.datatype().size() as u64));
        let stored = a.stored_bytes()?.max(b.stored_bytes()?);
        if bytes.is_none_or(|bytes| bytes / 1024 > stored && bytes > MOST_UNSTORED) {
            return Err(std::io::Error::other("too large, with hardly anything stored").into());
        }
        let elsewhere = |t: &Datatype| matches!(t, Datatype::Variable(_) | Datatype::Reference(_));
        let comparable = a.datatype() == b.datatype() && !a.datatype().any(&elsewhere);
        for (start, extent) in Pieces::new(&space.dims, a.chunks(), PIECE) {
            let part = of_box(&start, &extent);
            if comparable && a.bytes_of_slice(&part)? == b.bytes_of_slice(&part)? {
                continue;
            }
            let (left, right) = (a.values_of_slice(&part)?, b.values_of_slice(&part)?);
            let types = (a.datatype(), b.datatype());
            self.values(types, (&left, &right), (&start, &extent), &mut found);
        }
        Ok(found)
    }

    /// Adds the differences of two lists of values, those of a box of a dataset.
    fn values(
        &self,
        types: (&Datatype, &Datatype),
        values: (&[Value], &[Value]),
        (start, extent): (&[u64], &[u64]),
        found: &mut Differences,
    ) {
        for (n, (a, b)) in values.0.iter().zip(values.1).enumerate() {
            if self.same(a, b) {
                continue;
            }
            found.number += 1;
            if let Some(distance) = distance(a, b).filter(|distance| !distance.is_nan()) {
                found.largest = Some(found.largest.map_or(distance, |most| most.max(distance)));
            }
            if found.first.is_none() {
                let place = place(n as u64, start, extent);
                let (a, b) = (values::text(a, types.0, self.a), values::text(b, types.1, self.b));
                found.first = Some((place, a, b));
            }
        }
    }

    fn differences(&mut self, place: &str, found: Differences, all: Option<u64>) -> Result<()> {
        let Some((index, a, b)) = found.first else { return Ok(()) };
        let first = if index.is_empty() {
            String::new()
        } else {
            format!("{} of {} elements, first at {index:?}: ", found.number, all.unwrap_or(0))
        };
        let largest = match found.largest {
            Some(largest) if found.number > 1 => format!("; largest difference {largest:?}"),
            _ => String::new(),
        };
        self.line(place, &format!("{first}{} and {}{largest}", short(a), short(b)))
    }

    fn same(&self, a: &Value, b: &Value) -> bool {
        let all = |a: &[Value], b: &[Value]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.same(a, b))
        };
        match (a, b) {
            (Value::Array(a), Value::Array(b)) | (Value::Sequence(a), Value::Sequence(b)) => {
                all(a, b)
            }
            (Value::Compound(a), Value::Compound(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|((left, a), (right, b))| left == right && self.same(a, b))
            }
            (Value::Enum(a, left), Value::Enum(b, right)) => left == right && self.same(a, b),
            (Value::Complex(a, b), Value::Complex(c, d)) => {
                self.close(*a, *c) && self.close(*b, *d)
            }
            (Value::Reference(a), Value::Reference(b)) => self.same_reference(a, b),
            (Value::Signed(a), Value::Unsigned(b)) | (Value::Unsigned(b), Value::Signed(a))
                if u128::try_from(*a) == Ok(*b) =>
            {
                true
            }
            _ if a == b => true,
            _ => match (number(a), number(b)) {
                // Two integers beyond 2^53 could become equal as floats.
                (Some(x), Some(y)) => {
                    let float = matches!(a, Value::Float(_)) || matches!(b, Value::Float(_));
                    let tolerant = self.options.rtol > 0.0 || self.options.atol > 0.0;
                    (float || tolerant) && self.close(x, y)
                }
                _ => false,
            },
        }
    }

    #[expect(clippy::float_cmp, reason = "without a tolerance numbers are equal or they are not")]
    fn close(&self, a: f64, b: f64) -> bool {
        a == b
            || a.is_nan() && b.is_nan()
            || (a - b).abs() <= self.options.atol + self.options.rtol * b.abs() && a.is_finite()
    }

    fn same_reference(&self, a: &Reference, b: &Reference) -> bool {
        self.a.reference(a) == self.b.reference(b)
    }
}

/// How two lists of values differ.
#[derive(Default)]
struct Differences {
    number: u64,
    /// Where the first is, and both values.
    first: Option<(Vec<u64>, String, String)>,
    largest: Option<f64>,
}

fn distance(a: &Value, b: &Value) -> Option<f64> {
    Some((number(a)? - number(b)?).abs())
}

fn number(value: &Value) -> Option<f64> {
    Some(match value {
        Value::Signed(n) => *n as f64,
        Value::Unsigned(n) => *n as f64,
        Value::Float(x) => *x,
        _ => return None,
    })
}

/// The indices of element `n` of a box.
fn place(mut n: u64, start: &[u64], extent: &[u64]) -> Vec<u64> {
    let axes = start.iter().zip(extent).rev();
    let mut place: Vec<u64> = axes
        .map(|(start, len)| {
            let at = n.checked_rem(*len).unwrap_or(0);
            n = n.checked_div(*len).unwrap_or(0);
            start + at
        })
        .collect();
    place.reverse();
    place
}

/// A value cut where it gets long.
fn short(text: String) -> String {
    const MOST: usize = 70;
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST).chain("...".chars()).collect()
}

fn kind_of(node: &Node) -> &'static str {
    match node {
        Node::Group(_) => "a group",
        Node::Dataset(_) => "a dataset",
        Node::Datatype(_) => "a committed datatype",
        _ => "an object",
    }
}

/// What a link is, in words that are equal if the links are.
fn kind(found: &Found) -> String {
    match found {
        Found::Node(node) => kind_of(node).into(),
        Found::Again(first) => format!("a link to {}", printable(first)),
        Found::Soft(target) => format!("a soft link to {}", printable(target)),
        Found::External { file, path } => {
            format!("a link to {}:{}", printable(file), printable(path))
        }
        Found::UserDefined(kind) => format!("a user-defined link of type {kind}"),
        Found::Bad(_) => "not readable".into(),
    }
}
