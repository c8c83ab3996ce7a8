//! Saving: what a model is, as files that Keras 3 loads again.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hdf5_lite::Writer;
use serde_json::{Map, Value, json};

use crate::compile::state::Keras3State;
use crate::source::{Container, h5, keras};
use crate::today::Renewal;
use crate::variables::Variables;
use crate::weights::slots::{self, Owned};
use crate::weights::{Finding, legacy, paths};
use crate::{Error, Float, Kind, Layer, ModelFile, Result, UnknownObject, Weight, json};

/// The version of Keras whose files these are: the newest that they were tried with.
const KERAS_VERSION: &str = "3.15.1";

/// Weights that no file has are written as zeros: of a LoRA layer, some megabytes.
const MAX_ABSENT: u64 = 1 << 30;

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

/// Writes a new file beside the one at `path` and puts it in its place.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let (beside, file) = beside(path).map_err(io)?;
    let result = (|| {
        let mut file = std::io::BufWriter::with_capacity(1 << 20, file);
        write(&mut file)?;
        file.into_inner().map_err(|e| io(e.into_error()))?.sync_all().map_err(io)?;
        std::fs::rename(&beside, path).map_err(io)
    })();
    if result.is_err() {
        // What was begun is of no use; that it cannot be removed says nothing new.
        let _ = std::fs::remove_file(&beside);
    }
    result
}

/// A new file in the same folder, under a name that nothing else has.
fn beside(path: &Path) -> std::io::Result<(PathBuf, std::fs::File)> {
    let mut tries = 0_u32..;
    loop {
        let number = tries.next().unwrap_or_default();
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{number}.new"));
        let name = path.with_file_name(name);
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&name) {
            // Another one is being saved, or was when the program ended.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < MAX_TRIES => {}
            other => return other.map(|file| (name, file)),
        }
    }
}

/// Files that are being written beside each other: more are a folder that something is wrong with.
const MAX_TRIES: u32 = 1000;

/// All that a file is to say.
struct Contents {
    container: Container,
    root: Layer,
    name: String,
    variables: Variables,
    owned: Owned,
    /// The places of all layers in weights files.
    places: Vec<(String, String)>,
    compile: Option<Map<String, Value>>,
    optimizer: Keras3State,
    optimizer_name: String,
    /// By their paths in the archive.
    assets: Vec<(String, Bytes)>,
    /// Values that are no weights, by their paths in a weights file.
    named: Vec<(String, Weight)>,
    lost: Vec<String>,
}

impl Contents {
    fn new(saver: &Saver, file: &ModelFile, container: Container) -> Result<Self> {
        let wrong = file.report.findings.iter().filter(|f| f.is_error());
        let wrong: Vec<String> = wrong.map(Finding::to_string).collect();
        if !wrong.is_empty() {
            return Err(Error::Weights(wrong));
        }
        let mut root = file.root.clone();
        let mut renewal = Renewal::new(file.generation);
        renewal.layer(&mut root, "");
        let Renewal { gone, mut lost, .. } = renewal;
        if !gone.is_empty() {
            return Err(Error::NotInKeras3(gone));
        }
        let assets = file.layer_assets();
        if matches!(container, Container::WholeModelH5 | Container::Json) {
            let mut vocabularies =
                Vocabularies { assets: &assets, named: file.named_weights()?, lost: &mut lost };
            vocabularies.give_to_layers(&mut root, "")?;
        }
        let Kind::Model(model) = &root.kind else {
            let (name, class) = (&file.root.base.name, &file.root.base.class);
            return Err(Error::CannotSave(format!(
                "{name} ({class}) is a subclass of Model: only its author's code can save it"
            )));
        };
        let inferred = model.infer(None)?;
        let (variables, unshaped) = model.owned(&inferred);
        if let Some((layer, reason)) = unshaped.first()
            && container != Container::Json
            && !file.weights.is_empty()
        {
            // Of code that is not there Keras needs the name alone, if it has no weights.
            let unknown = file.report.unknown.iter().filter(|u| u.is_error());
            let unknown: Vec<UnknownObject> = unknown.cloned().collect();
            if unknown.is_empty() {
                return Err(Error::CannotSave(format!(
                    "the weights of {layer} are not known: {reason}"
                )));
            }
            return Err(Error::UnknownObjects(unknown));
        }
        let weights: &[Weight] = if container == Container::Json { &[] } else { &file.weights };
        let owned = match Owned::new(&variables, weights) {
            Some(owned) => owned,
            None if weights.is_empty() => Owned { owners: Vec::new(), weights: Vec::new() },
            None => {
                return Err(Error::CannotSave("the variables of some layers are not known".into()));
            }
        };
        if container != Container::Json
            && !weights.is_empty()
            && weights.iter().all(Weight::is_absent)
        {
            return Err(Error::CannotSave(
                "an architecture has no weights: load it with those saved beside it".into(),
            ));
        }
        // Zeros, of a size that only the config claims.
        let absent = weights.iter().filter(|weight| weight.is_absent());
        let wanted = absent.fold(0_u64, |sum, w| sum.saturating_add(w.byte_len() as u64));
        if wanted > MAX_ABSENT {
            let what = "bytes of weights that are in no file".to_owned();
            return Err(Error::LimitExceeded { what, wanted, limit: MAX_ABSENT });
        }
        let places = slots::places(&variables);
        let mut contents = Self {
            container,
            name: model.name.clone(),
            owned,
            places,
            compile: None,
            optimizer: Keras3State::default(),
            optimizer_name: String::new(),
            assets: Vec::new(),
            named: Vec::new(),
            lost,
            variables,
            root,
        };
        contents.check_lora()?;
        contents.beside_weights(file, assets)?;
        contents.compiled(saver, file);
        Ok(contents)
    }

    /// Weights files of Keras have the update of a LoRA layer merged into its weight.
    fn check_lora(&self) -> Result<()> {
        if !matches!(self.container, Container::Keras | Container::WeightsH5) {
            return Ok(());
        }
        for (owner, weights) in self.owned.owners.iter().zip(&self.owned.weights) {
            let left_out = owner.variables.iter().zip(weights).filter(|(variable, weight)| {
                owner.saved.as_ref().is_some_and(|saved| !saved.contains(&variable.name))
                    && variable.name.starts_with("lora_")
                    && !weight.is_absent()
            });
            for (_, weight) in left_out {
                if weight.bytes()?.iter().any(|byte| *byte != 0) {
                    let layer = &owner.path;
                    return Err(Error::CannotSave(format!(
                        "{layer}: .keras files hold LoRA weights merged into the kernel: save it as .h5"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Vocabularies and other values beside the weights, where the file has a place for them.
    fn beside_weights(&mut self, file: &ModelFile, assets: BTreeMap<String, Bytes>) -> Result<()> {
        let places: BTreeMap<&str, &str> =
            self.places.iter().map(|(layer, place)| (layer.as_str(), place.as_str())).collect();
        if matches!(self.container, Container::Keras | Container::WeightsH5) {
            for weight in file.named_weights()? {
                if let Some(place) = places.get(weight.layer.as_str()) {
                    self.named.push((format!("{place}/vars/{}", weight.name), weight));
                }
            }
        }
        if self.container == Container::Keras {
            for (path, bytes) in assets {
                let (layer, name) = path.rsplit_once('/').unwrap_or(("", &path));
                let path = match places.get(layer) {
                    Some(place) => format!("{place}/{name}"),
                    None => path.clone(),
                };
                self.assets.push((path, bytes));
            }
        } else if self.container == Container::WeightsH5 && !assets.is_empty() {
            self.lost.push("vocabularies: only .keras files have them".into());
        }
        Ok(())
    }

    /// What the model was compiled with.
    fn compiled(&mut self, saver: &Saver, file: &ModelFile) {
        let Some(compile) = &file.compile else { return };
        match self.container {
            Container::Keras | Container::WholeModelH5 => self.compile = Some(compile.to_config()),
            // Keras saves an optimizer with weights by object path, but not what it optimises.
            Container::WeightsH5 => {}
            Container::LegacyWeightsH5 | Container::Json => return,
        }
        if compile.sample_weight_mode.is_some() && self.compile.is_some() {
            self.lost.push("sample_weight_mode: Keras 3 has none".into());
        }
        let Some(optimizer) = compile.optimizer.as_ref().filter(|_| saver.optimizer) else {
            return;
        };
        self.optimizer_name = optimizer.keras3_name();
        let Some(state) = &file.optimizer_state else { return };
        match state.to_keras3(optimizer, &self.variables) {
            Ok(state) => self.optimizer = state,
            Err(reason) => self.lost.push(format!("the state of the optimizer: {reason}")),
        }
    }

    fn write(&self, saver: &Saver, mut out: &mut dyn Write) -> Result<()> {
        let io = |e: std::io::Error| Error::CannotSave(e.to_string());
        match self.container {
            Container::Json => {
                out.write_all(json::to_text(&self.root.to_config()).as_bytes()).map_err(io)
            }
            Container::Keras => {
                let mut config = self.root.to_config();
                if let (Some(compile), Value::Object(config)) = (&self.compile, &mut config) {
                    config.insert("compile_config".into(), compile.clone().into());
                }
                let date = saver.date.clone().unwrap_or_else(now);
                let metadata = json!({"keras_version": KERAS_VERSION, "date_saved": date});
                let mut weights = Writer::new();
                self.by_path(&mut weights)?;
                let members = keras::Members {
                    metadata: json::to_text(&metadata),
                    config: json::to_text(&config),
                    weights: &weights,
                    assets: &self.assets,
                };
                keras::write(&members, out)
            }
            Container::WeightsH5 => {
                let mut file = Writer::new();
                self.by_path(&mut file)?;
                file.write(&mut out).map_err(Error::hdf5("weights"))
            }
            Container::WholeModelH5 | Container::LegacyWeightsH5 => {
                let is_whole = self.container == Container::WholeModelH5;
                let whole = h5::Whole {
                    keras_version: KERAS_VERSION,
                    config: is_whole.then(|| json::to_text(&self.root.to_config())),
                    training_config: self.compile.clone().map(training_config),
                    layers: legacy::layers(&self.variables, &self.owned),
                    optimizer: &self.optimizer.variables,
                };
                let mut file = Writer::new();
                h5::write(&whole, &mut file)?;
                file.write(&mut out).map_err(Error::hdf5("file"))
            }
        }
    }

    /// A weights file by object path.
    fn by_path(&self, file: &mut Writer<'_>) -> Result<()> {
        let mut root = file.root_mut();
        paths::write(&mut root, &self.name, &self.places, &self.owned)?;
        for (path, weight) in &self.named {
            weight.write(&mut root, path)?;
        }
        let all = &self.optimizer.variables;
        if !all.is_empty() {
            let own = ("optimizer".to_owned(), self.optimizer_name.as_str(), all.as_slice());
            let inner = self.optimizer.inner.iter().filter_map(|(attribute, range)| {
                let name = attribute.rsplit('/').next().unwrap_or(attribute);
                Some((format!("optimizer/{attribute}"), name, all.get(range.clone())?))
            });
            for (path, name, variables) in std::iter::once(own).chain(inner) {
                let vars = format!("{path}/vars");
                let mut group = root.group(&vars).map_err(Error::hdf5(vars.clone()))?;
                group.set_attr("name", name).map_err(Error::hdf5(vars))?;
                for (index, (_, weight)) in variables.iter().enumerate() {
                    weight.write(&mut group, &index.to_string())?;
                }
            }
        }
        Ok(())
    }
}

/// A `compile_config` as `.h5` files have it.
fn training_config(mut compile: Map<String, Value>) -> String {
    let optimizer = compile.remove("optimizer").unwrap_or_default();
    compile.insert("optimizer_config".into(), optimizer);
    json::to_text(&compile.into())
}

/// What lies beside the config of a `.keras` file: other files have no other place for it than the
/// config.
struct Vocabularies<'a> {
    assets: &'a BTreeMap<String, Bytes>,
    named: Vec<Weight>,
    lost: &'a mut Vec<String>,
}

impl Vocabularies<'_> {
    /// To the layers in one whose names start with `path`.
    fn give_to_layers(&mut self, outer: &mut Layer, path: &str) -> Result<()> {
        let layers: Vec<&mut Layer> = match &mut outer.kind {
            Kind::Model(model) => model.layers.iter_mut().collect(),
            Kind::Pipeline(pipeline) => pipeline.layers.iter_mut().collect(),
            Kind::FeatureSpace(space) => {
                space.features.iter_mut().map(|(_, feature)| &mut feature.preprocessor).collect()
            }
            _ => Vec::new(),
        };
        for layer in layers {
            let name = &layer.base.name;
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            self.give(layer, &path)?;
        }
        Ok(())
    }

    fn give(&mut self, layer: &mut Layer, path: &str) -> Result<()> {
        let asset = |at: &str| self.assets.get(&format!("{at}/vocabulary.txt"));
        match &mut layer.kind {
            Kind::Model(_) | Kind::Pipeline(_) | Kind::FeatureSpace(_) => {
                self.give_to_layers(layer, path)
            }
            Kind::StringLookup(lookup) if lookup.vocabulary.is_none() => {
                lookup.vocabulary = asset(path).map(tokens);
                self.weights(path, lookup.vocabulary.as_ref(), &mut lookup.idf_weights)
            }
            Kind::IntegerLookup(lookup) if lookup.vocabulary.is_none() => {
                let number = |token: &Value| token.as_str()?.parse::<i64>().ok();
                let numbers = |tokens: Value| {
                    tokens.as_array().into_iter().flatten().filter_map(number).collect()
                };
                lookup.vocabulary = asset(path).map(tokens).map(numbers);
                self.weights(path, lookup.vocabulary.as_ref(), &mut lookup.idf_weights)
            }
            Kind::TextVectorization(text) if text.vocabulary.is_none() => {
                let inner = format!("{path}/string_lookup");
                text.vocabulary = asset(path).or_else(|| asset(&inner)).map(tokens);
                self.weights(path, text.vocabulary.as_ref(), &mut text.idf_weights)
            }
            _ => {
                let folder = format!("{path}/");
                if self.assets.keys().any(|asset| asset.starts_with(&folder)) {
                    self.lost
                        .push(format!("the vocabularies of {path}: only .keras files have them"));
                }
                Ok(())
            }
        }
    }

    /// The weights of the tokens, which the file has under a name of their own.
    fn weights(
        &self,
        path: &str,
        vocabulary: Option<&Value>,
        weights: &mut Option<Vec<Float>>,
    ) -> Result<()> {
        let named = self.named.iter().find(|weight| weight.layer == path);
        if let (Some(named), Some(Value::Array(tokens)), None) = (named, vocabulary, &weights) {
            let values = named.to_f64()?;
            *weights = Some(values.into_iter().take(tokens.len()).map(Float).collect());
        }
        Ok(())
    }
}

/// One token a line.
fn tokens(bytes: &Bytes) -> Value {
    String::from_utf8_lossy(bytes).lines().map(Value::from).collect()
}

/// The time as Keras writes it.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn now() -> String {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    date(since.as_secs())
}

/// There is no clock.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
fn now() -> String {
    date(0)
}

/// `2026-01-31@12:00:00`, from seconds since 1970, in UTC.
fn date(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let is_leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let (mut year, mut day) = (1970, days);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if day < length {
            break;
        }
        day -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hours, minutes, seconds) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year:04}-{month:02}-{:02}@{hours:02}:{minutes:02}:{seconds:02}", day + 1)
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

#[test]
fn dates_are_keras_s() {
    assert_eq!(date(0), "1970-01-01@00:00:00");
    assert_eq!(date(951_827_696), "2000-02-29@12:34:56");
    assert_eq!(date(1_798_761_599), "2026-12-31@23:59:59");
}
