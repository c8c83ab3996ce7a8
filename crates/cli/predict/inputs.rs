//! Which files become which inputs of a model, by what is in them.

use std::ffi::OsStr;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::DynamicImage;
use keras_runtime::{DType, Input, Tensor};

use super::csv::{self, Table};
use super::images;
use crate::arrays;
use crate::error::{Error, Result};

/// What the model is given.
pub(super) struct Given {
    pub(super) tensors: Vec<Tensor>,
    /// What the samples are called, where they have names.
    pub(super) samples: Vec<String>,
}

/// What is in a file.
enum Content {
    Arrays(Vec<(String, Tensor)>),
    Array(Tensor),
    Table(Table),
    Picture(DynamicImage),
}

/// A file for one input of the model, or for whichever.
struct Source {
    path: PathBuf,
    input: Option<usize>,
}

struct Reader<'a> {
    inputs: &'a [Input],
    table: &'a csv::Options,
    image: &'a images::Options,
}

/// Reads the files that were given for the inputs of a model.
pub(super) fn read(
    files: &[String],
    inputs: &[Input],
    table: &csv::Options,
    image: &images::Options,
) -> Result<Given> {
    // A row of layers that was saved without a shape takes one thing of any kind.
    let anything =
        [Input { name: "input".into(), shape: Vec::new().into(), dtype: DType::Float32 }];
    let inputs = if inputs.is_empty() { &anything } else { inputs };
    let reader = Reader { inputs, table, image };
    let mut sources = Vec::new();
    for file in files {
        let named = file.split_once('=').and_then(|(name, path)| {
            let input = inputs.iter().position(|i| i.name == name)?;
            Some((Some(input), path))
        });
        let (input, path) = named.unwrap_or((None, file));
        let path = PathBuf::from(path);
        if path.is_dir() {
            let pictures = pictures_in(&path)?;
            sources.extend(pictures.into_iter().map(|path| Source { path, input }));
        } else {
            sources.push(Source { path, input });
        }
    }
    reader.all(&sources)
}

/// The pictures of a folder by name.
fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let wrong = |reason: String| Error::Input { path: folder.to_owned(), reason };
    let entries = std::fs::read_dir(folder).map_err(|e| wrong(e.to_string()))?;
    let is_picture = |path: &PathBuf| {
        let ending = path.extension().map(OsStr::to_ascii_lowercase);
        ending.is_some_and(|e| e == "png" || e == "jpg" || e == "jpeg")
    };
    let mut pictures = entries
        .map(|entry| Ok(entry.map_err(|e| wrong(e.to_string()))?.path()))
        .filter(|path| path.as_ref().is_ok_and(is_picture) || path.is_err())
        .collect::<Result<Vec<_>>>()?;
    pictures.sort();
    if pictures.is_empty() {
        return Err(wrong("a folder without .png and .jpg files".to_owned()));
    }
    Ok(pictures)
}

impl Reader<'_> {
    fn all(&self, sources: &[Source]) -> Result<Given> {
        // One file may hold all inputs.
        if let [Source { path, input: None }] = sources {
            let wrong = |reason: String| Error::Input { path: path.clone(), reason };
            let content = self.content(path, self.inputs)?;
            let samples = samples(sources.iter().zip([&content]));
            let tensors = match content {
                Content::Arrays(arrays) => {
                    self.unpictured(path)?;
                    self.by_name(arrays).map_err(wrong)?
                }
                Content::Table(table) => {
                    self.unpictured(path)?;
                    table.tensors(self.inputs).map_err(wrong)?
                }
                one => vec![self.one(self.only()?, vec![(path.clone(), one)])?],
            };
            return Ok(Given { tensors, samples });
        }
        let mut groups: Vec<Vec<&Source>> = self.inputs.iter().map(|_| Vec::new()).collect();
        let mut free = (0..groups.len()).filter(|i| sources.iter().all(|s| s.input != Some(*i)));
        let is_one = self.inputs.len() == 1;
        for source in sources {
            let place = match source.input {
                Some(place) => Some(place),
                None if is_one => Some(0),
                None => free.next(),
            };
            let group = place.and_then(|place| groups.get_mut(place));
            group.ok_or_else(|| self.unfit(sources.len()))?.push(source);
        }
        if groups.iter().any(Vec::is_empty) {
            return Err(self.unfit(sources.len()));
        }
        let mut tensors = Vec::new();
        let mut names = Vec::new();
        for (input, group) in self.inputs.iter().zip(groups) {
            let mut contents = Vec::new();
            for source in &group {
                contents.push((
                    source.path.clone(),
                    self.content(&source.path, std::slice::from_ref(input))?,
                ));
            }
            if names.is_empty() {
                names = samples(group.into_iter().zip(contents.iter().map(|(_, c)| c)));
            }
            tensors.push(self.one(input, contents)?);
        }
        Ok(Given { tensors, samples: names })
    }

    fn content(&self, path: &Path, inputs: &[Input]) -> Result<Content> {
        let wrong = |reason: String| Error::Input { path: path.to_owned(), reason };
        let bytes = if path == Path::new("-") {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        } else {
            std::fs::read(path)
        };
        let bytes = bytes.map_err(|e| wrong(e.to_string()))?;
        if bytes.starts_with(b"PK") {
            arrays::named(Cursor::new(bytes)).map(Content::Arrays).map_err(wrong)
        } else if bytes.starts_with(b"\x93NUMPY") {
            arrays::single(&bytes).map(Content::Array).map_err(wrong)
        } else if images::is_picture(&bytes) {
            images::decode(&bytes).map(Content::Picture).map_err(wrong)
        } else {
            let text = String::from_utf8(bytes).map_err(|_| {
                wrong("neither .npz, .npy, .png, .jpg nor text in UTF-8".to_owned())
            })?;
            let separator = match path.extension().and_then(|e| e.to_str()) {
                Some("txt") => None,
                Some("tsv") => Some('\t'),
                _ => Some(','),
            };
            Table::read(&text, separator, inputs, self.table).map(Content::Table).map_err(wrong)
        }
    }

    /// The arrays of an archive by number, by the names of the inputs, or because there is one.
    fn by_name(&self, mut arrays: Vec<(String, Tensor)>) -> Result<Vec<Tensor>, String> {
        let find = |name: &str| arrays.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone());
        let numbered = |prefix: &str| -> Vec<Tensor> {
            (0..).map_while(|i| find(&format!("{prefix}{i}"))).collect()
        };
        for prefix in ["in", "arr_"] {
            let found = numbered(prefix);
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let named: Option<Vec<Tensor>> = self.inputs.iter().map(|i| find(&i.name)).collect();
        if let Some(named) = named {
            return Ok(named);
        }
        if let ([_], [_]) = (arrays.as_slice(), self.inputs) {
            return Ok(arrays.drain(..).map(|(_, tensor)| tensor).collect());
        }
        let found: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
        Err(format!(
            "the arrays must be called in0, in1... or {}, found {}",
            self.names(),
            if found.is_empty() { "none".to_owned() } else { found.join(", ") }
        ))
    }

    /// What was given for one input.
    fn one(&self, input: &Input, mut contents: Vec<(PathBuf, Content)>) -> Result<Tensor> {
        let first = contents.first().map(|(path, _)| path.clone()).unwrap_or_default();
        let wrong = |reason: String| Error::Input { path: first.clone(), reason };
        let mut pictures = Vec::new();
        let is_only = contents.len() == 1;
        for (path, content) in contents.drain(..) {
            match content {
                Content::Picture(picture) => pictures.push((path.display().to_string(), picture)),
                _ if !is_only => {
                    return Err(wrong(format!(
                        "one of several files for input {:?}; only pictures can be several",
                        input.name
                    )));
                }
                Content::Array(tensor) => {
                    self.unpictured(&path)?;
                    return Ok(tensor);
                }
                Content::Arrays(mut arrays) => {
                    self.unpictured(&path)?;
                    return match (arrays.pop(), arrays.len()) {
                        (Some((_, tensor)), 0) => Ok(tensor),
                        (_, more) => Err(wrong(format!("holds {} arrays, expected one", more + 1))),
                    };
                }
                Content::Table(table) => {
                    self.unpictured(&path)?;
                    let mut tensors = table.tensors(std::slice::from_ref(input)).map_err(wrong)?;
                    return Ok(tensors.remove(0));
                }
            }
        }
        images::tensor(&pictures, input, self.image).map_err(wrong)
    }

    /// Nobody shall believe that arrays were preprocessed.
    fn unpictured(&self, path: &Path) -> Result<()> {
        if self.image.change_values() {
            let reason = "--preprocess and --scale are for pictures".to_owned();
            return Err(Error::Input { path: path.to_owned(), reason });
        }
        Ok(())
    }

    /// The only input.
    fn only(&self) -> Result<&Input> {
        match self.inputs {
            [one] => Ok(one),
            _ => Err(self.unfit(1)),
        }
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.inputs.iter().map(|i| i.name.as_str()).collect();
        names.join(", ")
    }

    fn unfit(&self, found: usize) -> Error {
        Error::Inputs { expected: self.inputs.len(), names: self.names(), found }
    }
}

/// Names of the samples: pictures have those of their files.
fn samples<'a>(pairs: impl Iterator<Item = (&'a Source, &'a Content)>) -> Vec<String> {
    let mut names = Vec::new();
    for (source, content) in pairs {
        match content {
            Content::Picture(_) => names.push(source.path.display().to_string()),
            Content::Table(table) => names.extend((1..=table.len()).map(|n| n.to_string())),
            _ => {}
        }
    }
    names
}
