//! Saving: what a model is, as files that Keras 3 loads again.

mod contents;
mod date;
mod replace;
mod vocabularies;

use std::path::Path;

use self::contents::Contents;
use self::replace::replace;
use crate::source::Container;
use crate::{Error, ModelFile, Result};

/// How to save: [`ModelFile::save`] with choices.
///
/// ```
/// use keras_model::{Container, Saver};
/// let model = keras_model::load_model("../../fixtures/models/k231_mlp.h5")?; // Keras 2
/// let saver = Saver::new().optimizer(false).date("2026-01-31@12:00:00");
/// let saved = saver.to_bytes(&model, Container::Keras)?;
/// let again = keras_model::Loader::new().from_bytes(saved.bytes)?;
/// assert_eq!(again.keras_version.as_deref(), Some("3.15.1"));
/// assert!(again.optimizer_state.is_none());
/// # Ok::<(), keras_model::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Saver {
    optimizer: bool,
    overwrite: bool,
    date: Option<String>,
}

/// What saving left out: nothing, if the file says all that the model does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// What the new file does not say, and why.
    pub lost: Vec<String>,
}

/// A file in memory.
#[derive(Clone, Debug)]
pub struct SavedBytes {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it does not say, and why.
    pub lost: Vec<String>,
}

impl Default for Saver {
    fn default() -> Self {
        Self { optimizer: true, overwrite: true, date: None }
    }
}

impl Saver {
    /// What [`ModelFile::save`] does.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the optimizer's state is saved as well; on by default.
    #[must_use]
    pub fn optimizer(mut self, optimizer: bool) -> Self {
        self.optimizer = optimizer;
        self
    }

    /// Whether a file that is there may be replaced; on by default.
    #[must_use]
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// What a `.keras` file says of when it was saved, in Keras's form `2026-01-31@12:00:00`: now
    /// by default. With a fixed date the same model gives the same bytes.
    #[must_use]
    pub fn date(mut self, date: impl Into<String>) -> Self {
        self.date = Some(date.into());
        self
    }

    /// Saves the model at `path`; its ending says as what: `.keras`, `.h5`, `.weights.h5`, or
    /// `.json` for the architecture alone.
    ///
    /// A file that is there is replaced when the new one is complete, never before: the model may
    /// come from that very file.
    ///
    /// # Errors
    /// [`Error::NotInKeras3`] names all that Keras 3 has nothing for; [`Error::CannotSave`] for
    /// another ending, or a file that may not be replaced; [`Error::Io`].
    pub fn save(&self, model: &ModelFile, path: impl AsRef<Path>) -> Result<Saved> {
        let path = path.as_ref();
        self.save_as(model, path, container(path)?)
    }

    /// Saves the weights alone: by object path at `*.weights.h5`, by layer at any other `*.h5`.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_weights(&self, model: &ModelFile, path: impl AsRef<Path>) -> Result<Saved> {
        let path = path.as_ref();
        match container(path)? {
            Container::WholeModelH5 => self.save_as(model, path, Container::LegacyWeightsH5),
            Container::WeightsH5 => self.save_as(model, path, Container::WeightsH5),
            other => {
                Err(Error::CannotSave(format!("{other} is no file of weights: end it in .h5")))
            }
        }
    }

    /// The file in memory.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn to_bytes(&self, model: &ModelFile, container: Container) -> Result<SavedBytes> {
        let contents = Contents::new(self, model, container)?;
        let mut bytes = Vec::new();
        contents.write(self, &mut bytes)?;
        Ok(SavedBytes { bytes, lost: contents.lost })
    }

    fn save_as(&self, model: &ModelFile, path: &Path, container: Container) -> Result<Saved> {
        if !self.overwrite && path.exists() {
            let path = path.display();
            return Err(Error::CannotSave(format!("{path} is there already")));
        }
        let contents = Contents::new(self, model, container)?;
        replace(path, |file| contents.write(self, file))?;
        Ok(Saved { lost: contents.lost })
    }
}

/// What the ending of a path says.
fn container(path: &Path) -> Result<Container> {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_lowercase();
    let endings = [
        (".weights.h5", Container::WeightsH5),
        (".h5", Container::WholeModelH5),
        (".hdf5", Container::WholeModelH5),
        (".keras", Container::Keras),
        (".json", Container::Json),
    ];
    let found = endings.iter().find(|(ending, _)| name.ends_with(ending));
    found.map(|(_, container)| *container).ok_or_else(|| {
        let path = path.display();
        Error::CannotSave(format!("{path}: the ending must be .keras, .h5, .weights.h5 or .json"))
    })
}

impl ModelFile {
    /// Saves the model so that Keras 3 loads it: `model.save(path)`. The ending of `path` says as
    /// what: `.keras`, `.h5`, `.weights.h5` (no config), or `.json` (no weights). [`Saver`] has the
    /// choices.
    ///
    /// What older Keras wrote is written as Keras 3 writes it: this converts files that no current
    /// Keras reads.
    ///
    /// ```
    /// let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("today.keras");
    /// let old = keras_model::load_model("../../fixtures/models/k122_mlp.h5")?; // Keras 1.2.2
    /// let saved = old.save(&path)?;
    /// assert!(saved.lost.is_empty(), "{:?}", saved.lost);
    /// let new = keras_model::load_model(&path)?;
    /// assert_eq!(new.weights[0].bytes()?, old.weights[0].bytes()?);
    /// # Ok::<(), keras_model::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Saver::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<Saved> {
        Saver::new().save(self, path)
    }

    /// Saves the weights alone: `model.save_weights(path)`. By object path at `*.weights.h5`, by
    /// layer, as Keras 2 did, at any other `*.h5`.
    ///
    /// # Errors
    /// As [`Saver::save`].
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<Saved> {
        Saver::new().save_weights(self, path)
    }

    /// The architecture: `model.to_json()`.
    ///
    /// # Errors
    /// [`Error::NotInKeras3`] names all that Keras 3 has nothing for.
    pub fn to_json(&self) -> Result<String> {
        let bytes = Saver::new().to_bytes(self, Container::Json)?.bytes;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
