//! What ends a command: one line on standard error, exit code 1.

use std::io;
use std::path::{Path, PathBuf};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Model(#[from] keras_model::Error),
    #[error("{0}")]
    Runtime(#[from] keras_runtime::Error),
    #[error("{path}: {reason}", path = .path.display())]
    Input { path: PathBuf, reason: String },
    #[error(
        "the model has {expected} inputs ({names}), {found} files were given: --input NAME=FILE \
         for each"
    )]
    Inputs { expected: usize, names: String, found: usize },
    #[error("{path}: {source}", path = .path.display())]
    File { path: PathBuf, source: keras_model::Error },
    #[error("{path}: {source}", path = .path.display())]
    Hdf5 { path: PathBuf, source: hdf5_lite::Error },
    #[error("{path}: {number} not readable", path = .path.display())]
    BadObjects { path: PathBuf, number: String },
    #[error("{path}: {reason}", path = .path.display())]
    Selection { path: PathBuf, reason: String },
    #[error("{0}")]
    Output(#[from] io::Error),
    #[error("cannot write {path}: {reason}", path = .path.display())]
    Export { path: PathBuf, reason: String },
}

impl Error {
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(e) if e.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What is wrong with the model in this file.
    pub(crate) fn file(path: &Path) -> impl Fn(keras_model::Error) -> Self {
        |source| match source {
            // It names the file itself.
            source @ keras_model::Error::Io { .. } => Self::Model(source),
            source => Self::File { path: path.to_owned(), source },
        }
    }

    pub(crate) fn export(path: impl Into<PathBuf>, reason: &dyn ToString) -> Self {
        Self::Export { path: path.into(), reason: reason.to_string() }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}
