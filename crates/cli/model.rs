//! The arguments that every command on a model has.

use std::path::PathBuf;

use clap::Args;
use keras_model::{CustomObjects, Loader, ModelFile};

use crate::error::{Error, Result};

#[derive(Args)]
pub(crate) struct ModelArgs {
    /// A `.keras` or `.h5` file, or an architecture (`model.to_json()`)
    #[arg(value_name = "MODEL")]
    pub(crate) path: PathBuf,
    /// The weights of an architecture: `.weights.h5`, or `.h5` of `save_weights`
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Pair layers and weights by name instead of by position
    #[arg(long, requires = "weights")]
    by_name: bool,
    /// The backend of a Keras 1 file that does not say it: theano or tensorflow
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// What stands for a class or function of the file's author: `<lambda>=relu(max_value=20)`
    #[arg(long, value_name = "NAME=BUILTIN")]
    custom: Vec<String>,
    /// Leave out what the model was compiled with
    #[arg(long)]
    no_compile: bool,
}

impl ModelArgs {
    fn loader(&self) -> Result<Loader> {
        let mut objects = CustomObjects::new();
        for custom in &self.custom {
            objects = objects.parse(custom)?;
        }
        let loader =
            Loader::new().custom_objects(objects).compile(!self.no_compile).by_name(self.by_name);
        Ok(match &self.backend {
            Some(backend) => loader.backend(backend),
            None => loader,
        })
    }

    /// The model, ready for use.
    pub(crate) fn load(&self) -> Result<ModelFile> {
        let loader = self.loader()?;
        let file = match &self.weights {
            Some(weights) => loader.load_with_weights(&self.path, weights),
            None => loader.load(&self.path),
        };
        file.map_err(Error::file(&self.path))
    }

    /// As much of the model as can be read.
    pub(crate) fn inspect(&self) -> Result<ModelFile> {
        let loader = self.loader()?;
        let file = match &self.weights {
            Some(weights) => loader.inspect_with_weights(&self.path, weights),
            None => loader.inspect(&self.path),
        };
        file.map_err(Error::file(&self.path))
    }
}
