//! What can go wrong, by what the caller can do about it.

use std::path::PathBuf;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of this crate; each message is one line and names the place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file as the caller named it.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The bytes are not a file that Keras writes; `found` says what they look like.
    #[error("not a Keras model file: {found}")]
    NotKeras {
        /// What the bytes are, and what to do.
        found: String,
    },
    /// The HDF5 file below the model is broken or uses what `hdf5-lite` does not read.
    #[error("{context}: {source}")]
    Hdf5 {
        /// The part of the model file.
        context: String,
        /// The error of the HDF5 reader.
        source: hdf5_lite::Error,
    },
    /// The zip archive of a `.keras` file is broken.
    #[error("broken .keras archive: {0}")]
    Zip(String),
    /// A JSON document (`model_config`, `config.json`, ...) is not JSON.
    #[error("{document} is not valid JSON: {source}")]
    Json {
        /// Which document.
        document: String,
        /// The parser's error with line and column.
        source: serde_json::Error,
    },
    /// A config is JSON but not what Keras writes there.
    #[error("{path}: {reason}")]
    Config {
        /// Where: layer names from the outside in, separated by `/`, then the key.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The layer cannot take these inputs.
    #[error("layer {layer} ({class}): {reason}")]
    Layer {
        /// Name of the layer.
        layer: String,
        /// Its class.
        class: String,
        /// What does not fit.
        reason: String,
    },
    /// The output of this layer depends on values, or on code that is not known.
    #[error("layer {layer} ({class}): the shape of its output is not known")]
    NoShape {
        /// Name of the layer.
        layer: String,
        /// Its class.
        class: String,
    },
    /// Classes and functions that neither this crate nor `custom_objects` knows: all of them.
    #[error(
        "unknown objects: {}; map each name with custom_objects: to an object of Keras's \
         (\"NAME=relu(max_value=6)\"), or to code of yours \
         (keras_runtime::Loader::layer, ::function, ::loss, ::metric)",
        list(.0)
    )]
    UnknownObjects(Vec<UnknownObject>),
    /// The weights in the file do not fit the layers: all findings.
    #[error("weights do not fit the model: {}", .0.join("; "))]
    Weights(Vec<String>),
    /// What the model has that Keras 3 has not: all of it. No file that Keras 3 loads can say it.
    #[error("Keras 3 has nothing that computes the same: {}", list(.0))]
    NotInKeras3(Vec<UnknownObject>),
    /// The model cannot be saved so; the text says why, and what can be done.
    #[error("{0}")]
    CannotSave(String),
    /// A number in the file is over a limit; nothing was allocated for it.
    #[error("{what}: {wanted} asked, limit {limit}")]
    LimitExceeded {
        /// What was counted.
        what: String,
        /// What the file asks for.
        wanted: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The caller asked for something that is not in the model.
    #[error("{what} {name:?} not found; there are: {}", .known.join(", "))]
    NotFound {
        /// `layer`, `weight`, ...
        what: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
}

/// A class or function that the file names and nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UnknownObject {
    /// Where it stands: layer names from the outside in, then the key.
    pub path: String,
    /// `layer`, `activation`, `loss`, ...
    pub kind: &'static str,
    /// The name to map with `custom_objects`.
    pub name: String,
}

impl UnknownObject {
    /// Whether predictions need it. Losses, metrics, optimizers, initializers, regularizers and
    /// constraints matter for training only.
    pub fn is_error(&self) -> bool {
        matches!(self.kind, "layer" | "activation" | "function" | "operation")
    }
}

fn list(objects: &[UnknownObject]) -> String {
    let one = |o: &UnknownObject| format!("{} {:?} at {}", o.kind, o.name, o.path);
    objects.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Error {
    pub(crate) fn config(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Config { path: path.into(), reason: reason.into() }
    }

    pub(crate) fn hdf5(context: impl Into<String>) -> impl FnOnce(hdf5_lite::Error) -> Self {
        let context = context.into();
        move |source| Self::Hdf5 { context, source }
    }
}
