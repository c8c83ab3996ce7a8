//! `keras-model h5 ls`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hdf5_lite::{Attribute, Dataset, Layout, Node, Object};
use serde_json::{Map, Value as Json, json};

use super::types;
use super::values::{self, Paths};
use super::walk::{Entry, Found, printable, walk};
use crate::error::Result;

/// Characters of an attribute's value that are shown.
const SHORT: usize = 60;
/// Attributes of more elements are not read.
const MOST_ELEMENTS: u64 = 1000;

#[derive(Args)]
pub(crate) struct Ls {
    /// An HDF5 file
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Show this object and what is below it
    #[arg(value_name = "PATH")]
    inside: Option<String>,
    /// Print whole paths instead of a tree
    #[arg(long)]
    flat: bool,
    /// Show the attributes of each object, with values if they are short
    #[arg(long)]
    attrs: bool,
    /// Print a list of all objects as JSON
    #[arg(long)]
    json: bool,
}

impl Ls {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode> {
        let file = super::open(&self.path)?;
        let (node, path) = super::start(&file, &self.path, self.inside.as_deref())?;
        let mut bad = 0;
        let mut list = Vec::new();
        walk(node, path, &mut |entry| {
            let line = Line::of(entry);
            bad += usize::from(line.bad);
            if self.json {
                list.push(line.json(entry, self.attrs));
                return Ok(());
            }
            self.print(entry, &line, out)
        })?;
        if self.json {
            super::write_list(&list, out)?;
        }
        super::finish(&self.path, bad)
    }

    fn print(&self, entry: &Entry, line: &Line, out: &mut impl Write) -> Result<()> {
        let indent = if self.flat { 0 } else { 2 * entry.depth };
        let name = match entry.path.rsplit_once('/') {
            Some((_, name)) if !self.flat && entry.depth > 0 => name,
            _ => &entry.path,
        };
        let attributes = match &line.attributes {
            _ if self.attrs => String::new(),
            Ok(found) if found.is_empty() => String::new(),
            Ok(found) if found.len() == 1 => "  (1 attribute)".into(),
            Ok(found) => format!("  ({} attributes)", found.len()),
            Err(error) => format!("  (attributes: error: {error})"),
        };
        let (name, text) = (printable(name), &line.text);
        writeln!(out, "{:indent$}{name}  {text}{attributes}", "")?;
        if !self.attrs {
            return Ok(());
        }
        let place = if self.flat { printable(&entry.path) } else { String::new() };
        match &line.attributes {
            Ok(found) => {
                for attribute in found {
                    let name = printable(&attribute.name());
                    let kind = types::name(attribute.datatype());
                    let shape = types::shape(attribute.dataspace());
                    let value = short(attribute);
                    writeln!(out, "{:indent$}  {place}@{name}  {kind} {shape}{value}", "")?;
                }
            }
            Err(error) => writeln!(out, "{:indent$}  {place}@  error: {error}", "")?,
        }
        Ok(())
    }
}

/// What there is to say of a link.
struct Line {
    kind: &'static str,
    text: String,
    json: Map<String, Json>,
    attributes: hdf5_lite::Result<Vec<Attribute>>,
    bad: bool,
}

impl Line {
    fn of(entry: &Entry) -> Self {
        let plain = |kind, text: String, json: Json| Self {
            kind,
            text,
            json: match json {
                Json::Object(json) => json,
                _ => Map::new(),
            },
            attributes: Ok(Vec::new()),
            bad: false,
        };
        match &entry.found {
            Found::Node(node) => {
                let (kind, text, json) = match node {
                    Node::Dataset(dataset) => ("dataset", storage(dataset), details(dataset)),
                    Node::Datatype(datatype) => {
                        let name = types::name(datatype.datatype());
                        ("datatype", format!("datatype {name}"), json!({"type": name}))
                    }
                    _ => ("group", "group".into(), Json::Null),
                };
                let attributes = node.object().attrs();
                let mut line = plain(kind, text + &comment(node.object()), json);
                line.bad = attributes.is_err() || line.json.contains_key("error");
                Self { attributes, ..line }
            }
            Found::Again(first) => {
                plain("hardlink", format!("= {}", printable(first)), json!({"target": first}))
            }
            Found::Soft(target) => {
                plain("softlink", format!("-> {}", printable(target)), json!({"target": target}))
            }
            Found::External { file, path } => plain(
                "externallink",
                format!("-> {}:{}", printable(file), printable(path)),
                json!({"file": file, "target": path}),
            ),
            Found::UserDefined(kind) => plain(
                "userlink",
                format!("user-defined link of type {kind}"),
                json!({"linktype": kind}),
            ),
            Found::Bad(error) => {
                let json = json!({"error": error.to_string()});
                Self { bad: true, ..plain("error", format!("error: {error}"), json) }
            }
        }
    }

    fn json(&self, entry: &Entry, attrs: bool) -> Json {
        let mut json = Map::from_iter([
            ("path".to_owned(), json!(entry.path)),
            ("kind".to_owned(), json!(self.kind)),
        ]);
        json.extend(self.json.clone());
        match &self.attributes {
            Ok(found) if attrs => {
                let pairs = found.iter().map(|attribute| {
                    let value = json!({
                        "type": types::name(attribute.datatype()),
                        "shape": attribute.shape(),
                        "value": value(attribute),
                    });
                    (attribute.name().into_owned(), value)
                });
                json.insert("attributes".into(), Json::Object(pairs.collect()));
            }
            Ok(found) => {
                json.insert("attributes".into(), found.len().into());
            }
            Err(error) => {
                json.insert("attributes_error".into(), error.to_string().into());
            }
        }
        json.into()
    }
}

fn comment(object: &Object) -> String {
    match object.comment() {
        Ok(Some(comment)) => format!("  # {}", printable(&comment)),
        _ => String::new(),
    }
}

/// Type, shape and storage of a dataset.
fn storage(dataset: &Dataset) -> String {
    let space = dataset.extent().unwrap_or_else(|_| dataset.dataspace().clone());
    let mut shape = format!("{} {}", types::name(dataset.datatype()), types::shape(&space));
    if let Some(max) = types::max_shape(&space) {
        shape.extend([" of at most ", &max]);
    }
    let layout = match (dataset.chunks(), dataset.layout()) {
        (Some(chunk), _) => match dataset.stored_chunks() {
            Ok(chunks) => format!("chunks {chunk:?} x {}", chunks.len()),
            Err(error) => format!("chunks {chunk:?} (error: {error})"),
        },
        (None, layout) => layout_name(layout).into(),
    };
    let mut parts = vec![shape, layout];
    match dataset.filters() {
        Ok(filters) if filters.is_empty() => {}
        Ok(filters) => {
            let names: Vec<String> = filters.iter().map(types::filter).collect();
            parts.push(names.join(" + "));
        }
        Err(error) => parts.push(format!("filters (error: {error})")),
    }
    let external = dataset.external_files().map(|files| {
        let names = files.iter().map(|file| printable(&String::from_utf8_lossy(&file.name)));
        names.collect::<Vec<String>>().join(" and ")
    });
    match (external, dataset.stored_bytes(), whole_bytes(dataset)) {
        (Err(error), ..) => parts.push(format!("external files (error: {error})")),
        (Ok(names), ..) if !names.is_empty() => parts.push(format!("in {names}")),
        _ if dataset.layout() == Layout::Virtual => {}
        (_, Ok(stored), Some(whole)) if whole != stored && stored > 0 => {
            let (ratio, stored) = (whole as f64 / stored as f64, types::bytes(stored));
            parts.push(format!("{stored} of {} ({ratio:.1}x)", types::bytes(whole)));
        }
        (_, Ok(stored), _) => parts.push(types::bytes(stored)),
        (_, Err(_), _) => {} // the chunks say it
    }
    parts.join(", ")
}

fn layout_name(layout: Layout) -> &'static str {
    match layout {
        Layout::Compact => "compact",
        Layout::Chunked => "chunked",
        Layout::Virtual => "virtual",
        _ => "contiguous",
    }
}

fn whole_bytes(dataset: &Dataset) -> Option<u64> {
    dataset.elements()?.checked_mul(dataset.datatype().size() as u64)
}

fn details(dataset: &Dataset) -> Json {
    let space = dataset.extent().unwrap_or_else(|_| dataset.dataspace().clone());
    let filters = dataset.filters().unwrap_or_default();
    let filters = filters.iter().map(
        |filter| json!({"id": filter.id, "name": filter.name, "client_data": filter.client_data}),
    );
    let mut json = json!({
        "type": types::name(dataset.datatype()),
        "shape": if types::shape(&space) == "null" { Json::Null } else { json!(space.dims) },
        "max_shape": if space.max_dims.is_empty() { Json::Null } else { json!(space.max_dims) },
        "layout": layout_name(dataset.layout()),
        "chunk": dataset.chunks(),
        "filters": filters.collect::<Vec<_>>(),
        "bytes": whole_bytes(dataset),
    });
    let (Some(json_map), stored) = (json.as_object_mut(), dataset.stored_bytes()) else {
        return json;
    };
    match (stored, dataset.stored_chunks()) {
        (Ok(stored), Ok(chunks)) => {
            json_map.insert("stored_bytes".into(), stored.into());
            if dataset.chunks().is_some() {
                json_map.insert("stored_chunks".into(), chunks.len().into());
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            json_map.insert("error".into(), error.to_string().into());
        }
    }
    json
}

/// ` = value`, cut where it gets long.
fn short(attribute: &Attribute) -> String {
    if attribute.dataspace().elements().is_none_or(|n| n > MOST_ELEMENTS) {
        return String::new();
    }
    let values = match attribute.values() {
        Ok(values) => values,
        Err(error) => return format!("  error: {error}"),
    };
    let paths = Paths::default();
    let parts = values.iter().map(|value| values::text(value, attribute.datatype(), &paths));
    let mut text = parts.take(SHORT).collect::<Vec<_>>().join(", ");
    if text.chars().count() > SHORT {
        text = text.chars().take(SHORT).chain("...".chars()).collect();
    }
    if text.is_empty() { text } else { format!(" = {text}") }
}

fn value(attribute: &Attribute) -> Json {
    if attribute.dataspace().elements().is_none_or(|n| n > MOST_ELEMENTS) {
        return Json::Null;
    }
    match attribute.values() {
        Ok(found) => {
            let paths = Paths::default();
            let found = found.iter().map(|v| values::json(v, attribute.datatype(), &paths));
            values::nested(found.collect(), attribute.shape())
        }
        Err(error) => json!({"error": error.to_string()}),
    }
}
