//! `keras-model h5 dump`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hdf5_lite::{Attribute, Axis, Dataset, Datatype, Error as H5Error, Node, SpaceClass, Value};
use serde_json::{Value as Json, json};

use super::pieces::{self, Pieces, of_box};
use super::types;
use super::values::{self, Paths};
use super::walk::{Entry, Found, printable, walk};
use crate::error::{Error, Result};

/// Elements of a dataset that are shown without `--all`.
const FEW: u64 = 100;
/// A dataset with no more elements than this is shown whole.
const WHOLE: u64 = 1000;
/// Elements read at a time.
const PIECE: u64 = 1 << 16;
const WIDTH: usize = 90;

#[derive(Args)]
pub(crate) struct Dump {
    /// An HDF5 file
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Print this object and what is below it
    #[arg(value_name = "PATH")]
    inside: Option<String>,
    /// Print this part of a dataset: start:stop:step or an index per axis, as 0:10,::2,-1
    #[arg(long, value_name = "SLICE", allow_hyphen_values = true, requires = "inside")]
    slice: Option<String>,
    /// Print types, shapes and attributes, but no elements of datasets
    #[arg(long)]
    header: bool,
    /// Print all elements of large datasets too
    #[arg(long)]
    all: bool,
    /// Print a list of all objects as JSON, values as lists within lists
    #[arg(long)]
    json: bool,
}

impl Dump {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode> {
        let file = super::open(&self.path)?;
        let (node, path) = super::start(&file, &self.path, self.inside.as_deref())?;
        let paths = Paths::of(&file);
        if self.slice.is_some() {
            let Node::Dataset(dataset) = &node else {
                return Err(self.wrong(format!("{path} is not a dataset, --slice needs one")));
            };
            let extent = dataset.extent().unwrap_or_else(|_| dataset.dataspace().clone());
            self.selected(&extent.dims)?;
        }
        let mut bad = 0;
        let mut list = Vec::new();
        walk(node, path, &mut |entry| {
            if self.json {
                let (json, errors) = self.entry_json(entry, &paths)?;
                bad += errors;
                list.push(json);
            } else {
                bad += self.entry(entry, &paths, out)?;
            }
            Ok(())
        })?;
        if self.json {
            super::write_list(&list, out)?;
        }
        super::finish(&self.path, bad)
    }

    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Selection { path: self.path.clone(), reason: reason.into() }
    }

    /// Prints what is at a link; returns how many objects failed.
    fn entry(&self, entry: &Entry, paths: &Paths, out: &mut impl Write) -> Result<usize> {
        let path = printable(&entry.path);
        match &entry.found {
            Found::Node(node) => {
                match node {
                    Node::Dataset(dataset) => {
                        let kind = types::name(dataset.datatype());
                        let space =
                            dataset.extent().unwrap_or_else(|_| dataset.dataspace().clone());
                        writeln!(out, "{path}  {kind} {}", types::shape(&space))?;
                    }
                    Node::Datatype(datatype) => {
                        writeln!(out, "{path}  datatype {}", types::name(datatype.datatype()))?;
                    }
                    _ => writeln!(out, "{path}  group")?,
                }
                let mut bad = 0;
                match node.object().attrs() {
                    Ok(attributes) => {
                        for attribute in attributes {
                            bad += usize::from(!self.attribute(&attribute, paths, out)?);
                        }
                    }
                    Err(error) => {
                        bad += 1;
                        writeln!(out, "  @  error: {error}")?;
                    }
                }
                if let (Node::Dataset(dataset), false) = (node, self.header)
                    && let Err(error) = self.dataset(dataset, paths, out)?
                {
                    bad += 1;
                    writeln!(out, "  error: {error}")?;
                }
                return Ok(bad.min(1));
            }
            Found::Again(first) => writeln!(out, "{path}  = {}", printable(first))?,
            Found::Soft(target) => writeln!(out, "{path}  -> {}", printable(target))?,
            Found::External { file, path: target } => {
                writeln!(out, "{path}  -> {}:{}", printable(file), printable(target))?;
            }
            Found::UserDefined(kind) => writeln!(out, "{path}  user-defined link of type {kind}")?,
            Found::Bad(error) => {
                writeln!(out, "{path}  error: {error}")?;
                return Ok(1);
            }
        }
        Ok(0)
    }

    /// Whether it could be read.
    fn attribute(
        &self,
        attribute: &Attribute,
        paths: &Paths,
        out: &mut impl Write,
    ) -> Result<bool> {
        let (name, kind) = (printable(&attribute.name()), types::name(attribute.datatype()));
        let space = attribute.dataspace();
        let shape = types::shape(space);
        let values = match attribute.values() {
            Ok(values) => values,
            Err(error) => {
                writeln!(out, "  @{name}  {kind} {shape}  error: {error}")?;
                return Ok(false);
            }
        };
        if let (SpaceClass::Scalar, [value]) = (space.class, values.as_slice()) {
            let value = values::text(value, attribute.datatype(), paths);
            writeln!(out, "  @{name}  {kind} = {value}")?;
            return Ok(true);
        }
        writeln!(out, "  @{name}  {kind} {shape}")?;
        let few =
            if self.all { values.len() } else { usize::try_from(WHOLE).unwrap_or(usize::MAX) };
        let mut rows = Rows::new(out, attribute.datatype(), paths, 4);
        let shape: Vec<(u64, u64, u64)> = space.dims.iter().map(|len| (0, 1, *len)).collect();
        for (n, value) in values.iter().take(few).enumerate() {
            rows.add(value, &place(n as u64, &shape))?;
        }
        rows.end()?;
        if values.len() > few {
            writeln!(out, "    ... {} more", values.len() - few)?;
        }
        Ok(true)
    }

    fn dataset(
        &self,
        dataset: &Dataset,
        paths: &Paths,
        out: &mut impl Write,
    ) -> Result<std::result::Result<(), H5Error>> {
        let space = match dataset.extent() {
            Ok(space) => space,
            Err(error) => return Ok(Err(error)),
        };
        if space.class == SpaceClass::Null {
            return Ok(Ok(()));
        }
        let selected = self.selected(&space.dims)?;
        let shape: Vec<u64> = selected.iter().map(|(_, _, count)| *count).collect();
        let all = shape.iter().fold(1_u64, |n, len| n.saturating_mul(*len));
        let (few, piece) = if self.all || all <= WHOLE { (all, PIECE) } else { (FEW, FEW) };
        let mut left = few;
        let mut rows = Rows::new(out, dataset.datatype(), paths, 2);
        for (start, extent) in Pieces::new(&shape, dataset.chunks(), piece) {
            if left == 0 {
                break;
            }
            let axes = axes(&selected, &start, &extent);
            let values = match dataset.values_of_slice(&axes) {
                Ok(values) => values,
                Err(error) => {
                    rows.end()?;
                    return Ok(Err(error));
                }
            };
            let within: Vec<(u64, u64, u64)> = selected
                .iter()
                .zip(start.iter().zip(&extent))
                .map(|((first, step, _), (at, len))| (first + at * step, *step, *len))
                .collect();
            for (n, value) in values.iter().enumerate() {
                if left == 0 {
                    break;
                }
                left -= 1;
                rows.add(value, &place(n as u64, &within))?;
            }
        }
        rows.end()?;
        if few < all {
            writeln!(out, "  ... {} more elements; --all prints them", all - few)?;
        }
        Ok(Ok(()))
    }

    /// First index, step and number of indices along each axis.
    fn selected(&self, dims: &[u64]) -> Result<Vec<(u64, u64, u64)>> {
        match &self.slice {
            Some(slice) => pieces::parse(slice, dims)
                .map_err(|reason| self.wrong(format!("--slice {slice}: {reason}"))),
            None => Ok(dims.iter().map(|len| (0, 1, *len)).collect()),
        }
    }

    fn entry_json(&self, entry: &Entry, paths: &Paths) -> Result<(Json, usize)> {
        let path = &entry.path;
        let node = match &entry.found {
            Found::Node(node) => node,
            Found::Again(first) => {
                return Ok((json!({"path": path, "kind": "hardlink", "target": first}), 0));
            }
            Found::Soft(target) => {
                return Ok((json!({"path": path, "kind": "softlink", "target": target}), 0));
            }
            Found::External { file, path: target } => {
                let kind = "externallink";
                let json = json!({"path": path, "kind": kind, "file": file, "target": target});
                return Ok((json, 0));
            }
            Found::UserDefined(kind) => {
                return Ok((json!({"path": path, "kind": "userlink", "linktype": kind}), 0));
            }
            Found::Bad(error) => {
                let json = json!({"path": path, "kind": "error", "error": error.to_string()});
                return Ok((json, 1));
            }
        };
        let mut bad = 0;
        let mut json = serde_json::Map::from_iter([("path".to_owned(), json!(path))]);
        let mut set = |key: &str, value: Json| json.insert(key.to_owned(), value);
        match node {
            Node::Dataset(dataset) => {
                set("kind", "dataset".into());
                set("type", types::name(dataset.datatype()).into());
                let space = dataset.extent().unwrap_or_else(|_| dataset.dataspace().clone());
                let null = space.class == SpaceClass::Null;
                set("shape", if null { Json::Null } else { json!(space.dims) });
                if !self.header && !null {
                    match self.dataset_json(dataset, &space.dims, paths)? {
                        Ok((values, false)) => set("values", values),
                        Ok((values, true)) => {
                            set("values", values);
                            set("elided", true.into())
                        }
                        Err(error) => {
                            bad = 1;
                            set("error", error.to_string().into())
                        }
                    };
                }
            }
            Node::Datatype(datatype) => {
                set("kind", "datatype".into());
                set("type", types::name(datatype.datatype()).into());
            }
            _ => {
                set("kind", "group".into());
            }
        }
        match node.object().attrs() {
            Ok(attributes) => {
                let mut found = serde_json::Map::new();
                for attribute in attributes {
                    let value = match attribute.values() {
                        Ok(values) => {
                            to_json(&values, attribute.datatype(), attribute.shape(), paths)
                        }
                        Err(error) => {
                            bad = 1;
                            json!({"error": error.to_string()})
                        }
                    };
                    let kind = types::name(attribute.datatype());
                    let shape = attribute.shape();
                    let value = json!({"type": kind, "shape": shape, "value": value});
                    found.insert(attribute.name().into_owned(), value);
                }
                set("attributes", found.into());
            }
            Err(error) => {
                bad = 1;
                set("attributes_error", error.to_string().into());
            }
        }
        Ok((json.into(), bad))
    }

    /// Values, and whether they are not all.
    fn dataset_json(
        &self,
        dataset: &Dataset,
        dims: &[u64],
        paths: &Paths,
    ) -> Result<std::result::Result<(Json, bool), H5Error>> {
        let selected = self.selected(dims)?;
        let shape: Vec<u64> = selected.iter().map(|(_, _, count)| *count).collect();
        let all = shape.iter().fold(1_u64, |n, len| n.saturating_mul(*len));
        let (start, extent) = if self.all || all <= WHOLE {
            (vec![0; shape.len()], shape)
        } else {
            // The first box of a few elements.
            match Pieces::new(&shape, None, FEW).next() {
                Some(first) => first,
                None => return Ok(Ok((Json::Array(Vec::new()), false))),
            }
        };
        let shown = extent.iter().fold(1_u64, |n, len| n.saturating_mul(*len));
        let values = dataset.values_of_slice(axes(&selected, &start, &extent));
        Ok(values.map(|values| (to_json(&values, dataset.datatype(), &extent, paths), shown < all)))
    }
}

fn to_json(values: &[Value], datatype: &Datatype, shape: &[u64], paths: &Paths) -> Json {
    let list = values.iter().map(|value| values::json(value, datatype, paths)).collect();
    values::nested(list, shape)
}

/// The part `start` and `extent` of what is selected.
fn axes(selected: &[(u64, u64, u64)], start: &[u64], extent: &[u64]) -> Vec<Axis> {
    if selected.iter().all(|(first, step, _)| *first == 0 && *step == 1) {
        return of_box(start, extent);
    }
    let parts = selected.iter().zip(start.iter().zip(extent));
    parts
        .map(|((first, step, _), (at, len))| Axis {
            start: first + at * step,
            stride: *step,
            count: Some(*len),
            block: 1,
        })
        .collect()
}

/// The indices of element `n` of a box: first index, step and length of each axis.
fn place(mut n: u64, axes: &[(u64, u64, u64)]) -> Vec<u64> {
    let mut place: Vec<u64> = axes
        .iter()
        .rev()
        .map(|(first, step, len)| {
            let at = n.checked_rem(*len).unwrap_or(0);
            n = n.checked_div(*len).unwrap_or(0);
            first + at * step
        })
        .collect();
    place.reverse();
    place
}

/// Lines of values, each with the indices of its first one before it.
struct Rows<'o, W> {
    out: &'o mut W,
    datatype: &'o Datatype,
    paths: &'o Paths,
    indent: usize,
    line: String,
    /// All indices but the last of the values in the line.
    row: Vec<u64>,
}

impl<'o, W: Write> Rows<'o, W> {
    fn new(out: &'o mut W, datatype: &'o Datatype, paths: &'o Paths, indent: usize) -> Self {
        Self { out, datatype, paths, indent, line: String::new(), row: Vec::new() }
    }

    fn add(&mut self, value: &Value, place: &[u64]) -> Result<()> {
        let text = values::text(value, self.datatype, self.paths);
        let row = place.split_last().map_or(&[][..], |(_, row)| row);
        let full = self.line.len() + text.len() + 2 > WIDTH;
        if self.line.is_empty() || full || row != self.row {
            self.end()?;
            self.row = row.to_vec();
            if !place.is_empty() {
                let place: Vec<String> = place.iter().map(u64::to_string).collect();
                self.line = format!("({}): ", place.join(","));
            }
        } else {
            self.line += ", ";
        }
        self.line += &text;
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        if !self.line.is_empty() {
            writeln!(self.out, "{:indent$}{}", "", self.line, indent = self.indent)?;
            self.line.clear();
        }
        Ok(())
    }
}
