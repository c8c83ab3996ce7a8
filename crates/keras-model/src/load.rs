//! `load_model`: a file in, a typed model out.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::compile::state::StateLayout;
use crate::compile::{CompileConfig, OptimizerState};
use crate::graph::Inferred;
use crate::layers::{Kind, feature_space};
use crate::source::dialect::{Dialect, Generation, major_minor};
use crate::source::{Container, Source, Store, StoredWeight};
use crate::summary::{Summary, SummaryOptions};
use crate::variables::Variables;
use crate::weights::legacy::{self, Frozen, Pairing};
use crate::weights::{Binding, Finding, Weight, paths, slots};
use crate::{
    CustomObjects, Error, KerasTensor, Layer, Model, Result, UnknownObject, custom_objects, unknown,
};

/// Opens a model file of any Keras version: `keras.models.load_model`.
///
/// Layers, graph, shapes and compile information are read; weights are bound to their variables
/// and stay in the file until they are used.
///
/// ```
/// let model = keras_model::load_model("../../fixtures/models/k3_mlp.h5")?;
/// assert_eq!(model.weights[0].shape.len(), 2);
/// # Ok::<(), keras_model::Error>(())
/// ```
///
/// # Errors
/// [`Error::UnknownObjects`] names every class and function that Keras has not, with its place;
/// [`Error::Weights`] every weight that is missing or misshapen.
pub fn load_model(path: impl AsRef<Path>) -> Result<ModelFile> {
    Loader::new().load(path)
}

/// How to load: [`load_model`] with choices.
#[derive(Clone, Debug)]
pub struct Loader {
    custom_objects: CustomObjects,
    compile: bool,
    limits: hdf5_lite::Limits,
    backend: Option<String>,
    by_name: bool,
}

impl Default for Loader {
    fn default() -> Self {
        Self {
            custom_objects: CustomObjects::new(),
            compile: true,
            limits: hdf5_lite::Limits::default(),
            backend: None,
            by_name: false,
        }
    }
}

/// A loaded model file.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// What kind of file.
    pub container: Container,
    /// The version of Keras that wrote it, if it says so.
    pub keras_version: Option<String>,
    /// The backend it was written with, as the file says, gives away, or the caller told.
    pub backend: Option<String>,
    /// The dialect of its config.
    pub generation: Generation,
    /// The model: [`Kind::Model`], or [`Kind::Custom`] for a subclass of `keras.Model`.
    pub root: Layer,
    /// Its variables in the order of `get_weights()`.
    pub weights: Vec<Weight>,
    /// What it was compiled with, if it was.
    pub compile: Option<CompileConfig>,
    /// The optimizer's variables, if the file has them.
    pub optimizer_state: Option<OptimizerState>,
    /// Files beside the config in a `.keras` archive: vocabularies of text layers.
    pub assets: BTreeMap<String, Bytes>,
    /// Each layer's folder in the assets.
    places: Vec<(String, String)>,
    /// What was rewritten, what is not known, what does not fit.
    pub report: Report,
    shapes: Inferred,
    store: Store,
    /// Whether the variables of all layers are known.
    is_bound: bool,
}

/// What there is to say about a file after it was read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Spellings of older versions that were rewritten, each kind once.
    pub rewrites: Vec<String>,
    /// Classes and functions that nobody knows.
    pub unknown: Vec<UnknownObject>,
    /// Weights and variables that do not fit each other.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether a prediction would be wrong or impossible.
    pub fn is_error(&self) -> bool {
        self.unknown.iter().any(UnknownObject::is_error)
            || self.findings.iter().any(Finding::is_error)
    }
}

impl Loader {
    /// What [`load_model`] does.
    pub fn new() -> Self {
        Self::default()
    }

    /// What stands for classes and functions that are not Keras's own.
    #[must_use]
    pub fn custom_objects(mut self, objects: CustomObjects) -> Self {
        self.custom_objects = objects;
        self
    }

    /// Whether to read what the model was compiled with; on by default.
    #[must_use]
    pub fn compile(mut self, compile: bool) -> Self {
        self.compile = compile;
        self
    }

    /// What the HDF5 reader may use.
    #[must_use]
    pub fn limits(mut self, limits: hdf5_lite::Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The backend of a file that does not tell: `theano` or `tensorflow`. It matters for Keras 1
    /// (and 2 with Theano), whose convolution kernels are turned by 180 degrees under Theano.
    #[must_use]
    pub fn backend(mut self, backend: impl Into<String>) -> Self {
        self.backend = Some(backend.into());
        self
    }

    /// Whether layers of a weights file are found by name instead of by position:
    /// `load_weights(by_name=True)`. Layers that have no partner keep zeros.
    #[must_use]
    pub fn by_name(mut self, by_name: bool) -> Self {
        self.by_name = by_name;
        self
    }

    /// Loads the file at `path`.
    ///
    /// # Errors
    /// As [`load_model`].
    pub fn load(&self, path: impl AsRef<Path>) -> Result<ModelFile> {
        ready(self.inspect(path)?)
    }

    /// Loads the file that `bytes` are.
    ///
    /// # Errors
    /// As [`load_model`].
    pub fn from_bytes(&self, bytes: impl Into<Bytes>) -> Result<ModelFile> {
        ready(self.read(Source::from_bytes_with(&bytes.into(), &self.limits)?)?)
    }

    /// Loads an architecture (`model.to_json()`) and the weights saved beside it:
    /// `model_from_json` and `load_weights`.
    ///
    /// # Errors
    /// As [`load_model`].
    pub fn load_with_weights(
        &self,
        architecture: impl AsRef<Path>,
        weights: impl AsRef<Path>,
    ) -> Result<ModelFile> {
        ready(self.inspect_with_weights(architecture, weights)?)
    }

    /// Reads as much as can be read; what is not known or does not fit is in the report.
    ///
    /// # Errors
    /// If the file is no model file or broken.
    pub fn inspect(&self, path: impl AsRef<Path>) -> Result<ModelFile> {
        self.read(Source::open_with(path, &self.limits)?)
    }

    /// As [`inspect`](Self::inspect), for an architecture and its weights.
    ///
    /// # Errors
    /// If a file is no model file or broken.
    pub fn inspect_with_weights(
        &self,
        architecture: impl AsRef<Path>,
        weights: impl AsRef<Path>,
    ) -> Result<ModelFile> {
        let mut source = Source::open_with(architecture, &self.limits)?;
        let weights = Source::open_with(weights, &self.limits)?;
        source.keras_version = source.keras_version.or(weights.keras_version);
        source.backend = source.backend.or(weights.backend);
        source.weights = weights.weights;
        self.read(source)
    }

    fn read(&self, source: Source) -> Result<ModelFile> {
        let mut config = source.config.ok_or_else(|| Error::NotKeras {
            found: "weights without a model config (give the architecture's JSON as well)".into(),
        })?;
        let backend = self.backend.clone().or(source.backend).or_else(|| source.weights.backend());
        let version = source.keras_version.as_deref();
        let generation = Generation::detect(version, &config);
        self.custom_objects.replace(&mut config);
        let mut dialect = Dialect::new(generation, version, backend.as_deref());
        dialect.model(&mut config)?;
        let mut report = Report { rewrites: dialect.into_notes(), ..Report::default() };
        report.unknown = unknown::find(&config, &self.custom_objects);
        let root = custom_objects::custom_object_scope(&self.custom_objects, || {
            Layer::from_config(&config)
        })?;
        let root = feature_space::as_model(root);
        drop(config);

        let writer = Writer::new(generation, version);
        let mut file = ModelFile {
            container: source.container,
            keras_version: source.keras_version,
            backend,
            generation,
            root,
            weights: Vec::new(),
            compile: None,
            optimizer_state: None,
            assets: source.assets,
            places: Vec::new(),
            report,
            shapes: Inferred::default(),
            store: source.weights,
            is_bound: false,
        };
        let variables = file.bind(self.by_name, writer)?;
        if let Some(variables) = &variables {
            file.places = slots::places(variables);
        }
        if self.compile
            && let Some(config) = &source.compile_config
        {
            let unknown = &mut file.report.unknown;
            let compile = CompileConfig::from_config(config, &self.custom_objects, unknown);
            if let Some(variables) = &variables {
                file.bind_optimizer(&compile, config, &source.optimizer_weights, variables, writer);
            }
            file.compile = Some(compile);
        }
        Ok(file)
    }
}

/// Nothing that predictions need is missing.
fn ready(file: ModelFile) -> Result<ModelFile> {
    let unknown: Vec<_> = file.report.unknown.iter().filter(|u| u.is_error()).cloned().collect();
    if !unknown.is_empty() {
        return Err(Error::UnknownObjects(unknown));
    }
    let errors = file.report.findings.iter().filter(|f| f.is_error());
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    if errors.is_empty() { Ok(file) } else { Err(Error::Weights(errors)) }
}

/// Who wrote a file, as far as orders depend on it.
#[derive(Clone, Copy)]
struct Writer {
    frozen: Frozen,
    state: StateLayout,
}

impl Writer {
    fn new(generation: Generation, version: Option<&str>) -> Self {
        let multi_backend = multi_backend(generation, version).is_some();
        let sorted = generation == Generation::Keras1
            || version.is_some_and(|v| {
                let patch = v.rsplit('.').next().and_then(|p| p.parse::<u32>().ok());
                major_minor(v) == Some((2, 0)) && patch.is_some_and(|p| p < 6)
            });
        let state = match generation {
            Generation::Keras3 => StateLayout::Keras3,
            _ if sorted => StateLayout::SortedByName,
            _ if multi_backend => StateLayout::Keras2,
            _ => StateLayout::TfKeras,
        };
        let frozen = if multi_backend { Frozen::TrainableFirst } else { Frozen::ByLayer };
        Self { frozen, state }
    }
}

/// Major and minor version of Keras itself, where it had several backends.
fn multi_backend(generation: Generation, version: Option<&str>) -> Option<(u32, u32)> {
    match (generation, version) {
        (Generation::Keras1, version) => Some(version.and_then(major_minor).unwrap_or((1, 2))),
        // `tf.keras` wrote 2.x.y-tf, and from 2.4 on there was no other Keras 2.
        (_, Some(v)) if !v.ends_with("-tf") => major_minor(v).filter(|v| *v < (2, 4)),
        _ => None,
    }
}

impl ModelFile {
    /// Major and minor version of the Keras that wrote the file, if it was one with several backends:
    /// up to 2.3, and not `tf.keras`.
    pub fn multi_backend_release(&self) -> Option<(u32, u32)> {
        multi_backend(self.generation, self.keras_version.as_deref())
    }

    /// The graph of layers; `None` for a subclass of `keras.Model`, whose calls are code.
    pub fn model(&self) -> Option<&Model> {
        match &self.root.kind {
            Kind::Model(model) => Some(model),
            _ => None,
        }
    }

    /// The inputs of the model in the order of `model.inputs`, with their layers' names.
    pub fn inputs(&self) -> Vec<(&str, KerasTensor)> {
        let Some(model) = self.model() else { return Vec::new() };
        let named = model.graph.inputs.iter().filter_map(|input| {
            let layer = model.layers.get(model.graph.nodes.get(input.node)?.layer)?;
            Some((layer.base.name.as_str(), self.shapes.tensor(*input)?.clone()))
        });
        named.collect()
    }

    /// The outputs of the model, flattened as Keras flattens, if their shapes are known.
    pub fn outputs(&self) -> Option<Vec<KerasTensor>> {
        self.shapes.outputs(&self.model()?.graph)
    }

    /// The shapes of all tensors of the graph.
    pub fn shapes(&self) -> &Inferred {
        &self.shapes
    }

    /// Arrays that layers keep beside their weights, no weights themselves: `idf_weights` of the
    /// layers for texts and words.
    ///
    /// # Errors
    /// [`Error::Hdf5`] if the file is broken.
    pub fn named_weights(&self) -> Result<Vec<Weight>> {
        const NAME: &str = "idf_weights";
        let Store::Paths(file) = &self.store else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for (layer, place) in &self.places {
            let name = format!("{place}/vars/{NAME}");
            if file
                .root()
                .and_then(|root| root.contains(&name))
                .map_err(Error::hdf5(name.clone()))?
            {
                let dataset = file.dataset(&name).map_err(Error::hdf5(name.clone()))?;
                let stored = StoredWeight { name: format!("/{name}"), dataset };
                let path = format!("{layer}/{NAME}");
                let (layer, name) = (layer.clone(), NAME.to_owned());
                found.push(Weight { path, layer, name, trainable: false, ..Weight::from(&stored) });
            }
        }
        Ok(found)
    }

    /// The assets under the names of their layers: `encoder/words/vocabulary.txt` for the layer
    /// `words` of the model `encoder`. What belongs to no layer keeps its path.
    pub fn layer_assets(&self) -> BTreeMap<String, Bytes> {
        let renamed = self.assets.iter().map(|(path, bytes)| {
            let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
            let layer = self.places.iter().find(|(_, place)| place == folder);
            (
                layer.map_or_else(|| path.clone(), |(layer, _)| format!("{layer}/{file}")),
                bytes.clone(),
            )
        });
        renamed.collect()
    }

    /// The weight with this path or with this layer and name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the paths there are.
    pub fn weight(&self, path: &str) -> Result<&Weight> {
        self.weights
            .iter()
            .find(|w| {
                w.path == path
                    || path.strip_prefix(&w.layer).and_then(|p| p.strip_prefix('/'))
                        == Some(&w.name)
            })
            .ok_or_else(|| Error::NotFound {
                what: "weight",
                name: path.to_owned(),
                known: self.weights.iter().map(|w| w.path.clone()).collect(),
            })
    }

    /// Keras's table of layers. `None` for a subclass of `keras.Model`.
    pub fn summary(&self, options: SummaryOptions) -> Option<Summary<'_>> {
        let optimizer = self.optimizer_state.as_ref().map(|state| state.size);
        Some(Summary::new(self.model()?, &self.shapes, optimizer, options))
    }

    /// The report, with the arrays of the file that nothing uses. `load` does not look for these.
    ///
    /// # Errors
    /// [`Error::Hdf5`] if the file is broken.
    pub fn check(&self) -> Result<Report> {
        let mut report = self.report.clone();
        if let Store::Paths(file) = &self.store {
            let named = self.named_weights()?;
            let used =
                self.weights.iter().chain(&named).flat_map(Weight::stored).map(|s| s.name.as_str());
            let used: std::collections::HashSet<&str> = used.collect();
            let unused = paths::all(file)?.into_iter().filter(|a| !used.contains(a.name.as_str()));
            report.findings.extend(unused.map(|a| Finding::Unused { array: a.name }));
        }
        Ok(report)
    }

    /// The arrays of the file as they are stored: names, order and layout of the Keras that wrote
    /// it. The same as [`weights`](Self::weights) but for Keras 1 and 2, and for what is not bound.
    ///
    /// # Errors
    /// [`Error::Hdf5`] if the file is broken.
    pub fn stored_weights(&self) -> Result<Vec<StoredWeight>> {
        self.store.arrays()
    }

    /// What `model.get_weights()` gives in the Keras that wrote the file, under the names of the
    /// file where it has names. For Keras 1 and 2 without TensorFlow's name these are the stored
    /// arrays; otherwise they are [`weights`](Self::weights).
    ///
    /// # Errors
    /// [`Error::Hdf5`] if the file is broken.
    pub fn get_weights(&self) -> Result<Vec<Weight>> {
        let is_legacy = matches!(self.store, Store::Legacy(_));
        let writer = Writer::new(self.generation, self.keras_version.as_deref());
        let in_file_order = is_legacy && writer.frozen == Frozen::TrainableFirst;
        // What is not bound to a graph has no order but the file's.
        if in_file_order || !self.is_bound {
            let bound =
                self.weights.iter().flat_map(|w| w.stored().iter().map(move |s| (&s.name, w)));
            let bound: HashMap<&String, &Weight> = bound.collect();
            let weight = |array: &StoredWeight| Weight {
                // The file does not say it, the layers do.
                trainable: bound.get(&array.name).is_none_or(|w| w.trainable),
                ..Weight::from(array)
            };
            return Ok(self.stored_weights()?.iter().map(weight).collect());
        }
        let mut weights = self.weights.clone();
        for weight in weights.iter_mut().filter(|_| is_legacy) {
            if let [array] = weight.stored() {
                weight.path = array.name.clone();
            }
        }
        Ok(weights)
    }

    /// Infers shapes and binds the weights; the variables, if all of them are known.
    fn bind(&mut self, by_name: bool, writer: Writer) -> Result<Option<Variables>> {
        let Kind::Model(model) = &self.root.kind else { return Ok(None) };
        self.shapes = model.infer(None)?;
        for (layer, reason) in &self.shapes.failures {
            let layer = model.layers.get(*layer).map_or("?", |l| &l.base.name).to_owned();
            self.report.findings.push(Finding::Unknown { layer, reason: reason.clone() });
        }
        let (variables, unknown) = model.owned(&self.shapes);
        let mut binding = Binding::default();
        let known = unknown.is_empty();
        match &self.store {
            Store::Legacy(layers) => {
                let pairing = if by_name || !known { Pairing::Name } else { Pairing::Position };
                legacy::bind(&variables, layers, pairing, writer.frozen, &mut binding);
            }
            Store::Paths(file) => paths::bind(&variables, file, &mut binding)?,
            Store::None => {
                let owners = slots::owners(&variables);
                binding.absent(&owners);
                // An architecture alone has none; a whole model that lost them is broken.
                if self.container != Container::Json && !owners.is_empty() {
                    binding.findings.push(Finding::NoWeights { container: self.container });
                }
            }
        }
        // A failure or a class that nobody knows is named where it stands; what lies behind it
        // says no more.
        let named = !self.shapes.failures.is_empty()
            || self.report.unknown.iter().any(UnknownObject::is_error);
        if !named {
            let built = !matches!(self.store.arrays()?.as_slice(), []);
            binding.findings.extend(unknown.into_iter().map(|(layer, reason)| {
                if built { Finding::Unknown { layer, reason } } else { Finding::Unbuilt { layer } }
            }));
        }
        self.report.findings.append(&mut binding.findings);
        let mut weights: Vec<Option<Weight>> = binding.weights.into_iter().map(Some).collect();
        let order = slots::order(&slots::owners(&variables));
        let in_order = order.into_iter().filter_map(|at| weights.get_mut(at)?.take());
        self.weights = in_order.collect();
        self.is_bound = known;
        Ok(known.then_some(variables))
    }

    fn bind_optimizer(
        &mut self,
        compile: &CompileConfig,
        config: &Value,
        stored: &[StoredWeight],
        variables: &Variables,
        writer: Writer,
    ) {
        let Some(optimizer) = compile.optimizer.as_ref().filter(|_| !stored.is_empty()) else {
            return;
        };
        // tf.keras's two kinds of optimizers look the same but for this.
        let class = ["optimizer_config", "optimizer"]
            .iter()
            .find_map(|key| config.get(*key)?.get("class_name")?.as_str());
        let new =
            class.is_some_and(|c| c.starts_with("Custom>")) || self.container == Container::Keras;
        let layout = match writer.state {
            StateLayout::TfKeras if !new => StateLayout::TfKerasLegacy,
            layout => layout,
        };
        self.optimizer_state =
            OptimizerState::bind(optimizer, layout, variables, &self.weights, stored);
        if self.optimizer_state.is_none() {
            let arrays = stored.len();
            self.report.findings.push(Finding::OptimizerState { arrays });
        }
    }
}
