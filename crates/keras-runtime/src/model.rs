//! A loaded model: its inputs and outputs, and the plans that compute them.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex};

use keras_model::{Arg, DType, KerasTensor, Kind, Layer, ModelFile, Saved, Saver, Shape};
use smallvec::SmallVec;

use crate::cache::Cache;
use crate::gradient::Found;
use crate::graph::{Builder, Constant, Extra, Value, Wrt};
use crate::kernels::PackedCache;
use crate::lower;
use crate::plan::Plan;
use crate::states::States;
use crate::tensor::View;
use crate::train::{CustomCode, Optimizer, Step, StepKey};
use crate::weights::Weights;
use crate::writer::Writer;
use crate::{Error, Limits, Loader, Result, Tensor};

/// Opens a model file of any Keras version, ready to predict: `keras.models.load_model`.
/// [`Loader`] has the choices.
///
/// # Errors
/// [`Error::Model`] if the file is broken, or names what its author has to supply.
pub fn load_model(path: impl AsRef<Path>) -> Result<Model> {
    Loader::new().load(path)
}

/// An input of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Name of its layer.
    pub name: String,
    /// Its shape; `None` for any length.
    pub shape: Shape,
    /// Its element type.
    pub dtype: DType,
}

/// A model that predicts. It can be used from several threads at once.
///
/// Recurrent layers with `stateful=True` keep their states in the model from one prediction to the
/// next, as in Keras: predictions of such a model wait for each other.
/// [`session`](Self::session) gives each caller states of its own.
pub struct Model {
    pub(crate) file: ModelFile,
    inputs: Vec<Input>,
    pub(crate) weights: Weights,
    pub(crate) limits: Limits,
    pub(crate) plans: Cache<PlanKey, Planned>,
    pub(crate) steps: Cache<StepKey, Arc<Step>>,
    pub(crate) packed: PackedCache,
    /// Losses and metrics of the caller's.
    pub(crate) code: CustomCode,
    /// The optimizer, once a step was made.
    pub(crate) optimizer: Option<Optimizer>,
    /// [`Loader::winograd`].
    pub(crate) winograd: bool,
    has_independent_rows: bool,
    pub(crate) is_stateful: bool,
    pub(crate) states: Mutex<States>,
}

/// The inputs of one prediction: the caller's, where they fit as they are.
pub(crate) type Inputs<'t> = SmallVec<[Cow<'t, Tensor>; 4]>;

/// What a plan was made for: shape and type of each input, and whether for `training=True`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlanKey {
    inputs: Vec<(Vec<usize>, DType)>,
    training: bool,
    memory: u64,
    /// What gradients are made of, if any are.
    wrt: Option<Wrt>,
}

/// How a batch is computed.
#[derive(Clone, Debug)]
pub(crate) enum Planned {
    /// At once.
    Whole(Arc<Lowered>),
    /// In parts of so many rows. What would compute all of them is kept if it is there: the plan of
    /// a part shares its packed weights.
    Parts(usize, Option<Arc<Lowered>>),
    /// Anew for each prediction: a shape depends on the values of the inputs.
    ByValue,
}

/// An input of a plan.
enum Held<'a> {
    Given(&'a Tensor),
    Made(Tensor),
    Weight(Arc<Constant>),
}

impl Held<'_> {
    fn view(&self) -> View<'_> {
        match self {
            Self::Given(tensor) => tensor.view(),
            Self::Made(tensor) => tensor.view(),
            Self::Weight(constant) => constant.view(),
        }
    }
}

/// A plan, and what it takes beside the inputs of the model.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) plan: Plan,
    pub(crate) extras: Vec<Extra>,
    /// What its outputs are if it has gradients.
    pub(crate) found: Option<Found>,
}

impl Lowered {
    /// How many of its rows are to be computed at once, if not all: because of the memory, or because
    /// it is faster. Rows with random numbers are apart only if they must.
    fn better_rows(&self, rows: usize, memory: u64) -> Option<usize> {
        let bytes = self.plan.bytes();
        if bytes > memory {
            let fits = memory as f64 / bytes as f64 * rows as f64;
            return Some((fits as usize).clamp(1, rows - 1));
        }
        self.plan.better_rows(rows).filter(|_| self.extras.is_empty())
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl Model {
    /// The model of a file that `keras-model` loaded. A layer of the caller's predicts if
    /// [`Loader`] made it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a subclass of `keras.Model`, whose calls are code.
    pub fn from_file(file: ModelFile) -> Result<Self> {
        Self::with_limits(file, Limits::default())
    }

    pub(crate) fn with_limits(mut file: ModelFile, limits: Limits) -> Result<Self> {
        let writer = Writer::of(&file);
        let own = std::mem::take(&mut file.weights);
        let all = own.into_iter().chain(file.named_weights()?).collect();
        let weights = Weights::new(all, file.layer_assets(), writer);
        let Some(model) = file.model() else {
            return Err(Error::Unsupported {
                layer: file.root.base.name.clone(),
                class: file.root.base.class.clone(),
                what: "a subclassed model, whose graph only its author's code knows,".to_owned(),
            });
        };
        let is_stateful = lower::any_layer(&file.root, &|layer: &Layer| {
            lower::options(&layer.kind).is_some_and(|o| o.stateful)
        });
        let has_independent_rows =
            !is_stateful && crate::rows::are_independent(model, file.shapes());
        let named = file.inputs().into_iter();
        let inputs = named.map(|(name, tensor)| Input {
            name: name.to_owned(),
            shape: tensor.shape,
            dtype: tensor.dtype,
        });
        let inputs = inputs.collect();
        Ok(Self {
            file,
            inputs,
            weights,
            limits,
            plans: Cache::default(),
            steps: Cache::default(),
            code: CustomCode::default(),
            packed: PackedCache::default(),
            optimizer: None,
            winograd: true,
            has_independent_rows,
            is_stateful,
            states: Mutex::default(),
        })
    }

    /// What it takes, in the order of `model.inputs`.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// What it gives, flattened as Keras flattens, if the shapes are known.
    pub fn outputs(&self) -> Option<Vec<KerasTensor>> {
        self.file.outputs()
    }

    /// Whether the rows of a batch have nothing to do with each other, so that it may be computed in
    /// parts. `false` where that is not sure: with layers of the caller's, operations that may look
    /// along the first axis, states.
    ///
    /// ```
    /// assert!(keras_runtime::load_model("../../fixtures/models/k3_mlp.h5")?.has_independent_rows());
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    pub fn has_independent_rows(&self) -> bool {
        self.has_independent_rows
    }

    /// The typed model behind it, without its weights.
    pub fn file(&self) -> &ModelFile {
        &self.file
    }

    /// Copies of the weights, in Keras's order: `model.get_weights()`.
    ///
    /// # Errors
    /// [`Error::Model`] if the file is broken where they are.
    pub fn get_weights(&self) -> Result<Vec<Tensor>> {
        self.weights.get()
    }

    /// Puts other weights in the place of the model's, in the order of
    /// [`get_weights`](Self::get_weights): `model.set_weights(..)`. Element types become the
    /// model's. Nothing changes if one does not fit.
    ///
    /// ```
    /// let mut model = keras_runtime::load_model("../../fixtures/models/k3_mlp.h5")?;
    /// let halves = model.get_weights()?.into_iter().map(|w| {
    ///     let half = w.as_slice::<f32>().unwrap_or_default().iter().map(|v| v / 2.0).collect();
    ///     keras_runtime::Tensor::new(w.shape(), half)
    /// });
    /// let halves = halves.collect::<Result<Vec<_>, _>>()?;
    /// model.set_weights(halves)?;
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Value`] if their number or a shape is another.
    pub fn set_weights(&mut self, weights: Vec<Tensor>) -> Result<()> {
        self.weights.set(weights)?;
        self.plans.clear();
        self.steps.clear();
        Ok(())
    }

    /// Saves the model with the weights that it has now, so that Keras 3 loads it: `model.save(path)`.
    /// The ending of `path` says as what: `.keras`, `.h5`, `.weights.h5`, or `.json` for the
    /// architecture alone. Layers of the caller's are saved with the name of their class, their
    /// config and their weights.
    ///
    /// ```
    /// use keras_runtime::{Tensor, load_model};
    /// let folder = tempfile::tempdir().unwrap();
    /// let path = folder.path().join("today.keras");
    /// let old = load_model("../../fixtures/models/k231_mlp.h5")?; // Keras 2.3.1
    /// old.save(&path)?;
    /// let x = Tensor::new([1, 5], vec![0.5_f32; 5])?;
    /// assert_eq!(load_model(&path)?.predict(&[x.clone()])?, old.predict(&[x])?);
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Model`]: as [`keras_model::Saver::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<Saved> {
        Ok(Saver::new().save(&self.to_file()?, path)?)
    }

    /// Saves the weights alone: `model.save_weights(path)`. By object path at `*.weights.h5`, by
    /// layer at any other `*.h5`.
    ///
    /// # Errors
    /// [`Error::Model`]: as [`keras_model::Saver::save`].
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<Saved> {
        Ok(Saver::new().save_weights(&self.to_file()?, path)?)
    }

    /// The typed model with the weights that it has now, and what its optimizer keeps, for a [`Saver`] with choices.
    ///
    /// # Errors
    /// [`Error::Model`] if the file is broken where they are.
    pub fn to_file(&self) -> Result<ModelFile> {
        let mut file = self.file.clone();
        // Behind the weights stands what the layers keep beside them.
        let beside = file.named_weights()?.len();
        file.weights = self.weights.all()?;
        file.weights.truncate(file.weights.len().saturating_sub(beside));
        if let Some(optimizer) = &self.optimizer {
            file.optimizer_state = Some(optimizer.state(&self.weights)?);
        }
        Ok(file)
    }

    /// The tensors as the model takes them.
    pub(crate) fn fitted<'t>(&self, inputs: &'t [Tensor]) -> Result<Inputs<'t>> {
        // A row of layers that was saved without a shape takes anything.
        if self.inputs.is_empty() {
            return Ok(inputs.iter().map(Cow::Borrowed).collect());
        }
        if inputs.len() != self.inputs.len() {
            let (expected, found) = (self.inputs.len(), inputs.len());
            return Err(Error::InputCount { expected, found });
        }
        let pairs = self.inputs.iter().zip(inputs);
        pairs.map(|(input, tensor)| input.fit(tensor)).collect()
    }

    /// How inputs of these shapes are computed. If rows may be computed apart, no more of them at
    /// once than fit in `memory` bytes.
    pub(crate) fn plan(
        &self,
        inputs: &[Cow<'_, Tensor>],
        training: bool,
        memory: u64,
    ) -> Result<Planned> {
        self.planned(inputs, (training, memory, None), |key| self.plan_rows(inputs, key))
    }

    /// How inputs of these shapes are computed with gradients: at once.
    pub(crate) fn gradient_plan(
        &self,
        inputs: &[Cow<'_, Tensor>],
        training: bool,
        wrt: &Wrt,
    ) -> Result<Arc<Lowered>> {
        let whole = |key: &PlanKey| self.plan_whole(key);
        match self.planned(inputs, (training, 0, Some(wrt)), whole)? {
            Planned::Whole(lowered) => Ok(lowered),
            Planned::Parts(..) => Err(Error::Value("a gradient has no parts".to_owned())),
            Planned::ByValue => self.lower_by_value(inputs, training, Some(wrt)).map(Arc::new),
        }
    }

    /// The plan that was made before, or a new one.
    fn planned(
        &self,
        inputs: &[Cow<'_, Tensor>],
        (training, memory, wrt): (bool, u64, Option<&Wrt>),
        make: impl FnOnce(&PlanKey) -> Result<Planned>,
    ) -> Result<Planned> {
        let same = |key: &PlanKey| {
            let shapes = key.inputs.iter().map(|(shape, dtype)| (shape.as_slice(), *dtype));
            (key.training, key.memory, key.wrt.as_ref()) == (training, memory, wrt)
                && shapes.eq(inputs.iter().map(|t| (t.shape(), t.dtype())))
        };
        if let Some(plan) = self.plans.get(same) {
            return Ok(plan);
        }
        let shapes = inputs.iter().map(|t| (t.shape().to_vec(), t.dtype()));
        let key = PlanKey { inputs: shapes.collect(), training, memory, wrt: wrt.cloned() };
        let planned = make(&key)?;
        self.plans.insert(key, planned.clone());
        Ok(planned)
    }

    fn plan_rows(&self, inputs: &[Cow<'_, Tensor>], key: &PlanKey) -> Result<Planned> {
        let rows = crate::predict::rows(inputs)
            .filter(|rows| *rows > 1 && self.has_independent_rows && !key.training);
        Ok(match (self.plan_whole(key), rows) {
            (Ok(Planned::Whole(lowered)), Some(rows)) => {
                match lowered.better_rows(rows, key.memory) {
                    Some(size) => Planned::Parts(size, Some(lowered)),
                    None => Planned::Whole(lowered),
                }
            }
            (Err(Error::LimitExceeded { .. }), Some(rows)) => {
                Planned::Parts(rows.div_ceil(2), None)
            }
            (planned, _) => planned?,
        })
    }

    /// A plan for all rows, unless a shape depends on values.
    fn plan_whole(&self, key: &PlanKey) -> Result<Planned> {
        let mut is_in_need = false;
        match self.lower(key, None, &mut is_in_need) {
            Err(_) if is_in_need => Ok(Planned::ByValue),
            lowered => lowered.map(|lowered| Planned::Whole(Arc::new(lowered))),
        }
    }

    /// A plan for these inputs alone.
    pub(crate) fn lower_by_value(
        &self,
        inputs: &[Cow<'_, Tensor>],
        training: bool,
        wrt: Option<&Wrt>,
    ) -> Result<Lowered> {
        let shapes = inputs.iter().map(|t| (t.shape().to_vec(), t.dtype()));
        let key = PlanKey { inputs: shapes.collect(), training, memory: 0, wrt: wrt.cloned() };
        self.lower(&key, Some(inputs), &mut false)
    }

    /// For inputs of which shapes and types are known, or the values; says if it was in need of them.
    fn lower(
        &self,
        key: &PlanKey,
        given: Option<&[Cow<'_, Tensor>]>,
        is_in_need: &mut bool,
    ) -> Result<Lowered> {
        let mut builder = match &key.wrt {
            Some(wrt) => Builder::differentiating(&self.weights, self.limits, wrt.clone()),
            None => Builder::new(&self.weights, self.limits),
        };
        if let Some(given) = given {
            builder.give(given.iter().map(|t| &**t).collect());
        }
        let values = key.inputs.iter().map(|(shape, dtype)| builder.input(shape, *dtype));
        let values: Vec<_> = values.collect();
        let outputs = self.lower_model(&mut builder, &values, key.training);
        *is_in_need = builder.is_in_need();
        let mut outputs = outputs?;
        builder.leave();
        let wrt = key.wrt.as_ref();
        let found = wrt.map(|wrt| self.differentiate(&mut builder, wrt, &values, &mut outputs));
        let found = found.transpose()?;
        let (graph, extras) = builder.finish(outputs);
        let plan = Plan::new(graph, &self.packed, self.winograd)?;
        self.limits.check_memory("the values of the model", Some(plan.bytes()))?;
        Ok(Lowered { plan, extras, found })
    }

    /// The outputs of the model for these inputs; the builder stays in it.
    pub(crate) fn lower_model(
        &self,
        b: &mut Builder<'_>,
        inputs: &[Value],
        training: bool,
    ) -> Result<Vec<Value>> {
        let call = keras_model::Inputs {
            args: vec![match inputs {
                [one] => Arg::Tensor(*one),
                many => Arg::List(many.iter().map(|v| Arg::Tensor(*v)).collect()),
            }],
            kwargs: Vec::new(),
        };
        let Kind::Model(model) = &self.file.root.kind else {
            return Err(Error::Value("the file holds no graph of layers".to_owned()));
        };
        b.enter_root(&self.file.root.base, training);
        lower::model::lower(model, b, &call)
    }

    /// Adds the gradients that there are to the outputs.
    fn differentiate(
        &self,
        b: &mut Builder<'_>,
        wrt: &Wrt,
        inputs: &[Value],
        outputs: &mut Vec<Value>,
    ) -> Result<Found> {
        let specs = outputs.iter().map(|v| b.spec(*v).clone()).collect();
        let smooth = outputs.iter().enumerate().filter(|(_, v)| b.dtype(**v).is_float());
        let smooth: Vec<(usize, Value)> = smooth.map(|(i, v)| (i, *v)).collect();
        let ends: Vec<_> = smooth.into_iter().map(|(i, v)| (v, b.upstream(i, v))).collect();
        let layer = |name: &String| {
            let missing = || Error::Value(format!("the model calls no layer {name:?}"));
            b.layer_output(name).ok_or_else(missing)
        };
        let layers = wrt.layers.iter().map(layer).collect::<Result<Vec<_>>>()?;
        let variables = b.variables();
        let weights = variables.iter().map(|(_, value)| *value);
        let sources: Vec<Value> =
            inputs.iter().filter(|_| wrt.inputs).chain(&layers).copied().chain(weights).collect();
        let gradients = crate::backward::backward(b, &ends, &sources)?;
        let of = |source: &Value| {
            let at = sources.iter().position(|s| s == source);
            at.and_then(|at| gradients.get(at).copied().flatten())
        };
        let mut add = |gradient: Option<Value>| {
            outputs.extend(gradient);
            gradient.is_some()
        };
        let inputs = inputs.iter().map(|v| add(of(v).filter(|_| wrt.inputs))).collect();
        let trainable = self.weights.all_trainable().filter(|_| wrt.weights);
        let weights = trainable.map(|(place, _)| {
            let variable = variables.iter().find(|(p, _)| *p == place);
            (place, add(variable.and_then(|(_, v)| of(v))))
        });
        let weights = weights.collect();
        let of_layers = layers.iter().map(|v| add(of(v))).collect();
        outputs.extend(layers);
        Ok(Found { outputs: specs, inputs, weights, layers: of_layers })
    }

    /// Path and shape of the weight at a place among all.
    pub(crate) fn weight(&self, place: usize) -> (String, Vec<usize>) {
        self.weights.name(place)
    }

    /// Runs a plan; `dy` is what reaches the outputs, if it has gradients.
    pub(crate) fn run(
        &self,
        lowered: &Lowered,
        given: &[Cow<'_, Tensor>],
        dy: &[Cow<'_, Tensor>],
        seed: u64,
        states: &mut States,
    ) -> Result<Vec<Tensor>> {
        let mut inputs: SmallVec<[Held<'_>; 4]> =
            given.iter().map(|t| Held::Given(t.as_ref())).collect();
        for extra in &lowered.extras {
            inputs.push(match extra {
                Extra::Seed => Held::Made(Tensor::scalar(seed as i64)),
                Extra::State { layer, index, spec } => Held::Made(states.get(layer, *index, spec)?),
                Extra::Upstream(number) => {
                    let dy = dy.get(*number);
                    Held::Given(dy.ok_or_else(|| Error::Value(format!("no dy {number}")))?)
                }
                Extra::Weight(place, dtype) => {
                    let weight = self.weights.read(*place, &self.limits)?;
                    let weight = weight.ok_or_else(|| Error::Value("no weight".to_owned()))?;
                    if weight.view().data.dtype() == *dtype {
                        Held::Weight(weight)
                    } else {
                        Held::Made(weight.view().to_tensor().cast(*dtype)?)
                    }
                }
            });
        }
        let views: SmallVec<[View<'_>; 8]> = inputs.iter().map(Held::view).collect();
        let mut outputs = lowered.plan.run(&views)?;
        let kept = lowered.extras.iter().filter_map(|extra| match extra {
            Extra::State { layer, index, .. } => Some((layer, *index)),
            _ => None,
        });
        let kept: Vec<_> = kept.collect();
        let new = outputs.split_off(outputs.len().saturating_sub(kept.len()));
        for ((layer, index), state) in kept.into_iter().zip(new) {
            states.set(layer, index, state);
        }
        Ok(outputs)
    }
}

impl Input {
    /// The tensor as the model takes it: floats and integers in its type, an axis of length 1 at the
    /// end added or dropped as Keras does.
    fn fit<'t>(&self, tensor: &'t Tensor) -> Result<Cow<'t, Tensor>> {
        let dims = self.shape.dims();
        let mut shape: SmallVec<[usize; 8]> = tensor.shape().into();
        if shape.len() + 1 == dims.len() && dims.last() == Some(&Some(1)) {
            shape.push(1);
        } else if shape.len() == dims.len() + 1 && shape.last() == Some(&1) {
            shape.pop();
        }
        // As in Keras the number of samples may be another one than in the file.
        let pairs = shape.iter().zip(dims).skip(1);
        let fits =
            shape.len() == dims.len() && pairs.into_iter().all(|(n, d)| d.is_none_or(|d| d == *n));
        let text = |dtype| dtype == DType::String;
        if !fits || text(tensor.dtype()) != text(self.dtype) {
            return Err(Error::Input {
                name: self.name.clone(),
                expected: self.shape.clone(),
                dtype: self.dtype,
                found: Shape::from(tensor.shape()),
                found_dtype: tensor.dtype(),
            });
        }
        if tensor.dtype() == self.dtype && tensor.shape() == shape.as_slice() {
            return Ok(Cow::Borrowed(tensor));
        }
        tensor.cast(self.dtype)?.with_shape(shape.to_vec()).map(Cow::Owned)
    }
}
