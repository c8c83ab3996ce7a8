//! Where config and weights lie in a file, and how the config is spelled.

pub mod dialect;
pub(crate) mod h5;
pub(crate) mod keras;

mod stored_weight;

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use hdf5_lite::{File, Limits};
use serde::Serialize;
use serde_json::Value;
pub use stored_weight::StoredWeight;

use crate::weights::paths;
use crate::{Error, Result};

/// The kinds of files that Keras writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Container {
    /// `model.save("x.h5")`: config and weights.
    WholeModelH5,
    /// `save_weights("x.h5")` until Keras 2: weights by layer name.
    LegacyWeightsH5,
    /// `save_weights("x.weights.h5")`: weights by object path.
    WeightsH5,
    /// `model.save("x.keras")`: a zip of config and weights.
    Keras,
    /// `model.to_json()`: a config and no weights.
    Json,
}

/// An opened file, nothing of it interpreted.
#[derive(Clone, Debug)]
pub struct Source {
    /// What kind of file.
    pub container: Container,
    /// `keras_version`, if the file says it.
    pub keras_version: Option<String>,
    /// `backend`, if the file says it.
    pub backend: Option<String>,
    /// The model's config as in the file.
    pub config: Option<Value>,
    /// `training_config` or `compile_config` as in the file.
    pub compile_config: Option<Value>,
    /// Where the weights are.
    pub weights: Store,
    /// The optimizer's variables, in the order of the file.
    pub optimizer_weights: Vec<StoredWeight>,
    /// Files beside the config in a `.keras` archive, by their path below `assets/`.
    pub assets: BTreeMap<String, Bytes>,
}

/// How a file keeps its weights.
#[derive(Clone, Debug)]
pub enum Store {
    /// By layer: the lists of names tell the order.
    Legacy(Vec<StoredLayer>),
    /// By object path below the file's root: `layers/dense/vars/0`.
    Paths(File),
    /// None in this file.
    None,
}

/// The weights of one layer in a legacy file.
#[derive(Clone, Debug)]
pub struct StoredLayer {
    /// The layer's name.
    pub name: String,
    /// Its weights in the file's order.
    pub weights: Vec<StoredWeight>,
}

impl StoredLayer {
    /// What stands for the model itself where there is a name for each layer.
    pub(crate) const OF_THE_MODEL: &'static str = "top_level_model_weights";
}

impl Store {
    /// The backend, where the names of the weights give it away: TensorFlow's variables have an
    /// output number, `dense_1_W:0`, and Theano's have none.
    pub(crate) fn backend(&self) -> Option<String> {
        let Self::Legacy(layers) = self else { return None };
        let name = &layers.iter().find_map(|l| l.weights.first())?.name;
        Some(if name.ends_with(":0") { "tensorflow" } else { "theano" }.to_owned())
    }

    /// All arrays in the order of the file: that of `get_weights()` in old Keras.
    pub(crate) fn arrays(&self) -> Result<Vec<StoredWeight>> {
        match self {
            Self::Legacy(layers) => Ok(layers.iter().flat_map(|l| l.weights.clone()).collect()),
            Self::Paths(file) => paths::all(file),
            Self::None => Ok(Vec::new()),
        }
    }
}

impl std::fmt::Display for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::WholeModelH5 => "a whole model (.h5)",
            Self::LegacyWeightsH5 => "weights by layer (.h5)",
            Self::WeightsH5 => "weights by object path (.weights.h5)",
            Self::Keras => "a whole model (.keras)",
            Self::Json => "an architecture (.json)",
        })
    }
}

impl Source {
    /// All arrays of the file in its order, those of the optimizer left out.
    ///
    /// # Errors
    /// [`Error::Hdf5`] if the file is broken.
    pub fn arrays(&self) -> Result<Vec<StoredWeight>> {
        self.weights.arrays()
    }

    /// Opens the file at `path`; with feature `mmap` nothing but metadata is read.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::NotKeras`] if Keras writes no such files.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &Limits::default())
    }

    pub(crate) fn open_with(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let path = path.as_ref();
        let io = |source| Error::Io { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(io)?.is_dir() {
            return Err(Error::NotKeras {
                found: "a directory (a SavedModel? save it as .keras or .h5)".into(),
            });
        }
        let bytes = hdf5_lite::map(path).map_err(|error| match error {
            hdf5_lite::Error::Io(source) => io(source),
            other => Error::hdf5("file")(other),
        })?;
        Self::from_bytes_with(&bytes, limits)
    }

    /// The file that `bytes` are.
    ///
    /// # Errors
    /// [`Error::NotKeras`] if Keras writes no such files.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Result<Self> {
        Self::from_bytes_with(&bytes.into(), &Limits::default())
    }

    pub(crate) fn from_bytes_with(bytes: &Bytes, limits: &Limits) -> Result<Self> {
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            return keras::open(bytes, limits);
        }
        let start = bytes.iter().position(|b| !b.is_ascii_whitespace());
        if start.and_then(|at| bytes.get(at)) == Some(&b'{') {
            return json(bytes);
        }
        match File::options().limits(limits.clone()).from_bytes(bytes.clone()) {
            Ok(file) => h5::open(&file),
            Err(hdf5_lite::Error::NotHdf5 { .. }) => {
                Err(Error::NotKeras { found: looks_like(bytes).to_owned() })
            }
            Err(other) => Err(Error::hdf5("file")(other)),
        }
    }
}

/// An architecture file: what `model.to_json()` gave.
fn json(bytes: &[u8]) -> Result<Source> {
    let config = crate::json::parse_bytes(bytes, "architecture")?;
    if config.get("class_name").is_none() || config.get("config").is_none() {
        return Err(Error::NotKeras { found: "JSON without class_name and config".into() });
    }
    let text = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(Source {
        container: Container::Json,
        keras_version: text("keras_version"),
        backend: text("backend"),
        config: Some(config),
        compile_config: None,
        weights: Store::None,
        optimizer_weights: Vec::new(),
        assets: BTreeMap::new(),
    })
}

/// What bytes that are no model look like, and what to do about it.
fn looks_like(bytes: &[u8]) -> &'static str {
    let start = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let text = String::from_utf8_lossy(start).to_lowercase();
    let text = text.trim_start();
    if bytes.is_empty() {
        "an empty file"
    } else if text.starts_with("version https://git-lfs") {
        "a Git LFS pointer, not the file itself (run `git lfs pull`)"
    } else if text.starts_with("<!doctype")
        || text.starts_with("<html")
        || text.starts_with("<?xml")
    {
        "a web page saved under this name (download the file itself)"
    } else if bytes.starts_with(&[0x1f, 0x8b]) {
        "a gzip archive (unpack it first)"
    } else if bytes.starts_with(b"\x89PNG") {
        "a PNG picture"
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        "a JPEG picture"
    } else if bytes.starts_with(b"CDF") {
        "a netCDF classic file"
    } else {
        "neither HDF5, nor a zip archive, nor JSON"
    }
}
