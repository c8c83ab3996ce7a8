//! `keras-model h5 check`.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use hdf5_lite::{Dataset, Datatype, Error as H5Error, Layout, Node, Object, ObjectAddress};

use super::pieces::{Pieces, of_box};
use super::types;
use super::walk::{Found, printable, walk};
use crate::error::Result;

/// Elements read at a time.
const PIECE: u64 = 1 << 18;

/// Offsets that are shown of objects without a link.
const MOST_ORPHANS: usize = 10;

#[derive(Args)]
pub(crate) struct Check {
    /// An HDF5 file
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Check this object and what is below it
    #[arg(value_name = "PATH")]
    inside: Option<String>,
}

impl Check {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode> {
        let file = super::open(&self.path)?;
        let (node, path) = super::start(&file, &self.path, self.inside.as_deref())?;
        let mut report =
            Report { out, problems: 0, objects: 0, attributes: 0, chunks: 0, bytes: 0 };
        let mut linked: HashSet<_> = file.superblock_extension().into_iter().collect();
        walk(node, path, &mut |entry| match &entry.found {
            Found::Node(node) => {
                linked.insert(node.object().address());
                report.node(node, &entry.path)
            }
            Found::Bad(error) => report.problem(&entry.path, None, error),
            _ => Ok(()),
        })?;
        if self.inside.is_none() && report.problems == 0 {
            let mut orphans = file.object_headers();
            orphans.retain(|address| !linked.contains(address));
            report.orphans(file.user_block(), &orphans)?;
        }
        let Report { problems, objects, attributes, chunks, bytes, out } = report;
        let read = format!(
            "{objects} objects, {attributes} attributes, {chunks} chunks, {} of elements",
            types::bytes(bytes)
        );
        match problems {
            0 => writeln!(out, "{read}: ok")?,
            1 => writeln!(out, "{read}: 1 problem")?,
            n => writeln!(out, "{read}: {n} problems")?,
        }
        Ok(if problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

struct Report<'o, W> {
    out: &'o mut W,
    problems: usize,
    objects: usize,
    attributes: usize,
    chunks: usize,
    /// Bytes of elements that were decoded.
    bytes: u64,
}

impl<W: Write> Report<'_, W> {
    /// A line for a problem. `offset` is where in the file, if the error does not say it.
    fn problem(&mut self, place: &str, offset: Option<u64>, error: &H5Error) -> Result<()> {
        self.problems += 1;
        let offset = match error {
            H5Error::Malformed { .. } => None,
            _ => offset,
        };
        let at = offset.map_or(String::new(), |offset| format!(" (at byte {offset:#x})"));
        writeln!(self.out, "{}: {error}{at}", printable(place))?;
        Ok(())
    }

    /// Objects that no link leads to, mostly deleted ones. They do no harm.
    fn orphans(&mut self, start: u64, orphans: &[ObjectAddress]) -> Result<()> {
        if orphans.is_empty() {
            return Ok(());
        }
        let shown = orphans.iter().take(MOST_ORPHANS);
        let mut shown: Vec<String> =
            shown.map(|at| format!("{:#x}", start.saturating_add(at.get()))).collect();
        if orphans.len() > shown.len() {
            shown.push("...".into());
        }
        let number = orphans.len();
        let objects = if number == 1 { "object" } else { "objects" };
        let at = shown.join(", ");
        writeln!(self.out, "note: {number} {objects} that no link leads to, at byte {at}")?;
        Ok(())
    }

    fn node(&mut self, node: &Node, path: &str) -> Result<()> {
        self.objects += 1;
        let object = node.object();
        let at = offset(object);
        if let Err(error) = object.check_messages() {
            self.problem(path, at, &error)?;
        }
        match object.attrs() {
            Ok(attributes) => {
                for attribute in attributes {
                    self.attributes += 1;
                    if let Err(error) = attribute.values() {
                        self.problem(&format!("{path}@{}", attribute.name()), at, &error)?;
                    }
                }
            }
            Err(error) => self.problem(&format!("{path}@"), at, &error)?,
        }
        if let Node::Dataset(dataset) = node {
            self.dataset(dataset, path, at)?;
        }
        Ok(())
    }

    fn dataset(&mut self, dataset: &Dataset, path: &str, at: Option<u64>) -> Result<()> {
        let chunks = match dataset.stored_chunks() {
            Ok(chunks) => chunks,
            Err(error) => return self.problem(path, at, &error),
        };
        let mut readable = true;
        for chunk in &chunks {
            self.chunks += 1;
            match dataset.read_chunk(chunk) {
                Ok(bytes) => self.bytes = self.bytes.saturating_add(bytes.len() as u64),
                Err(error) => {
                    readable = false;
                    let place = format!("{path} chunk {:?}", chunk.start);
                    self.problem(&place, Some(chunk.offset), &error)?;
                    if matches!(error, H5Error::UnknownFilter { .. }) {
                        break; // the other chunks have it too
                    }
                }
            }
        }
        let datatype = dataset.datatype();
        let elsewhere =
            datatype.any(&|t| matches!(t, Datatype::Variable(_) | Datatype::Reference(_)));
        // What was declared and never written reads as the fill value, of any length.
        let nothing = dataset.layout() == Layout::Contiguous
            && matches!(dataset.stored_bytes(), Ok(0))
            && matches!(dataset.external_files().as_deref(), Ok([]));
        if !readable || nothing {
            return Ok(());
        }
        let result = if dataset.layout() == Layout::Chunked {
            // Chunks that were never written hold nothing elsewhere.
            let mut boxes = chunks.iter().filter(|_| elsewhere).map(|chunk| {
                let extent = chunk.start.iter().zip(dataset.shape());
                let extent = extent.zip(dataset.chunks().unwrap_or_default());
                let extent = extent.map(|((start, len), chunk)| (*chunk).min(len - start));
                (chunk.start.clone(), extent.collect::<Vec<u64>>())
            });
            boxes.try_for_each(|(start, extent)| {
                dataset.values_of_slice(of_box(&start, &extent)).map(|_| ())
            })
        } else if elsewhere {
            // Bytes that are in the file, so their number is bounded.
            let mut boxes = Pieces::new(dataset.shape(), None, PIECE);
            boxes.try_for_each(|(start, extent)| {
                dataset.values_of_slice(of_box(&start, &extent)).map(|_| ())
            })
        } else {
            dataset.bytes().map(|bytes| {
                self.bytes = self.bytes.saturating_add(bytes.len() as u64);
            })
        };
        match result {
            Ok(()) => Ok(()),
            // Its sources have files of their own, or it says more than there is.
            Err(error @ H5Error::LimitExceeded { .. }) if dataset.layout() == Layout::Virtual => {
                Ok(writeln!(self.out, "note: {}: elements not read: {error}", printable(path))?)
            }
            Err(error) => self.problem(path, at, &error),
        }
    }
}

/// Where in the file the header lies.
fn offset(object: &Object) -> Option<u64> {
    object.file().user_block().checked_add(object.address().get())
}
