//! `keras-model h5`: HDF5 files as such.

mod check;
mod diff;
mod digest;
mod dump;
mod ls;
mod pieces;
mod types;
mod values;
mod walk;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hdf5_lite::{File, Folder, Node};

use crate::error::{Error, Result};

#[derive(Subcommand)]
pub(crate) enum H5 {
    /// Show the tree of groups and datasets: types, shapes, storage, attributes
    ///
    /// One line per link. Objects that cannot be read are shown with the reason, and the exit
    /// code is 1. No elements of datasets are read.
    Ls(ls::Ls),
    /// Print values
    ///
    /// All datasets and attributes at PATH and below, in lines that start with the indices of
    /// their first element. Of large datasets only the first elements are shown and read.
    Dump(dump::Dump),
    /// Print a line of JSON per object, with hashes of all values
    ///
    /// Two files, or two readers of one, can be compared by it: values are hashed in an encoding
    /// that does not depend on byte order or storage. External files and the sources of virtual
    /// datasets are looked up beside the file. Exit code 1 if an object cannot be read.
    Digest(Digest),
    /// List the differences of two files, in structure and values
    ///
    /// Exit code 0 if there are none, 1 if there are. How values are stored makes no difference:
    /// chunks, filters, byte order of names. Object references are equal if they lead to the same
    /// path.
    Diff(diff::Diff),
    /// Read everything, and say what is damaged
    ///
    /// Parses every header message, verifies every checksum, decodes every chunk, attribute and
    /// variable-length value. Each problem is a line with the path and, where known, the offset
    /// in the file. Exit code 1 if there is any. Of a sound file, object headers that no link leads
    /// to are noted, as deleted objects leave behind; those of old files cannot be found.
    Check(check::Check),
}

#[derive(Args)]
pub(crate) struct Digest {
    /// An HDF5 file
    #[arg(value_name = "FILE")]
    path: PathBuf,
}

impl H5 {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode> {
        match self {
            Self::Ls(command) => command.run(out),
            Self::Dump(command) => command.run(out),
            Self::Digest(Digest { path }) => digest::digest(&path).map_err(|error| match error {
                hdf5_lite::Error::Io(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                    Error::Output(error)
                }
                source => Error::Hdf5 { path, source },
            }),
            Self::Diff(command) => command.run(out),
            Self::Check(command) => command.run(out),
        }
    }
}

/// Opens a file; others that it names are looked up beside it.
fn open(path: &Path) -> Result<File> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = Folder::new(parent.unwrap_or(Path::new(".")));
    let file = File::options().resolver(folder).open(path);
    file.map_err(|source| Error::Hdf5 { path: path.to_owned(), source })
}

/// The object at `inside`, or the root group, and its path from the root.
fn start(file: &File, path: &Path, inside: Option<&str>) -> Result<(Node, String)> {
    let names = inside.unwrap_or_default().split('/').filter(|name| !matches!(*name, "" | "."));
    let names: Vec<&str> = names.collect();
    let inside = format!("/{}", names.join("/"));
    match file.node(&inside) {
        Ok(node) => Ok((node, inside)),
        Err(source) => Err(Error::Hdf5 { path: path.to_owned(), source }),
    }
}

/// A list of JSON with an item on each line.
fn write_list(list: &[serde_json::Value], out: &mut impl Write) -> Result<()> {
    for (n, item) in list.iter().enumerate() {
        write!(out, "{}", if n == 0 { "[" } else { ",\n " })?;
        serde_json::to_writer(&mut *out, item)?;
    }
    writeln!(out, "{}", if list.is_empty() { "[]" } else { "]" })?;
    Ok(())
}

/// The end of a command that went on after `bad` objects.
fn finish(path: &Path, bad: usize) -> Result<ExitCode> {
    match bad {
        0 => Ok(ExitCode::SUCCESS),
        1 => Err(Error::BadObjects { path: path.to_owned(), number: "1 object is".into() }),
        n => Err(Error::BadObjects { path: path.to_owned(), number: format!("{n} objects are") }),
    }
}
