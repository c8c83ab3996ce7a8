//! What a file is to say, and its writing in each container.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use hdf5_lite::Writer;
use serde_json::{Map, Value, json};

use super::Saver;
use super::date::now;
use super::vocabularies::Vocabularies;
use crate::compile::state::Keras3State;
use crate::source::{Container, h5, keras};
use crate::today::Renewal;
use crate::variables::Variables;
use crate::weights::slots::{self, Owned};
use crate::weights::{Finding, legacy, paths};
use crate::{Error, Kind, Layer, ModelFile, Result, UnknownObject, Weight, json};

/// The version of Keras whose files these are: the newest that they were tried with.
const KERAS_VERSION: &str = "3.15.1";

/// Weights that no file has are written as zeros: of a LoRA layer, some megabytes.
const MAX_ABSENT: u64 = 1 << 30;

/// All that a file is to say.
pub(super) struct Contents {
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
    pub(super) lost: Vec<String>,
}

impl Contents {
    pub(super) fn new(saver: &Saver, file: &ModelFile, container: Container) -> Result<Self> {
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
            let named = file.named_weights()?;
            Vocabularies { assets: &assets, named, lost: &mut lost }
                .give_to_layers(&mut root, "")?;
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

    pub(super) fn write(&self, saver: &Saver, mut out: &mut dyn Write) -> Result<()> {
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
