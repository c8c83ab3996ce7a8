//! How to load a model.

use std::path::Path;

use bytes::Bytes;
use keras_model::{CustomObject, CustomObjects};
use serde_json::Value as Json;

use crate::custom::{self, CustomLayer, Ops, SymbolicTensor};
use crate::train::{Code, CustomCode};
use crate::{Limits, Model, Result};

/// How to load: [`load_model`](crate::load_model) with choices.
///
/// ```
/// // A `Lambda` layer's code is never run: the caller says what it does.
/// let model = keras_runtime::Loader::new()
///     .function("twice", |ops, x| ops.add(ops.multiply(x, 2.0)?, 1.0))
///     .load("../../fixtures/models/k3_lambda.keras")?;
/// let x = keras_runtime::Tensor::zeros([1, 3], keras_runtime::DType::Float32);
/// assert_eq!(model.predict(&[x])?[0].shape(), [1, 4]);
/// # Ok::<(), keras_runtime::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Loader {
    file: keras_model::Loader,
    objects: CustomObjects,
    code: CustomCode,
    limits: Limits,
    without_winograd: bool,
}

impl Loader {
    /// What [`load_model`](crate::load_model) does.
    pub fn new() -> Self {
        Self::default()
    }

    /// What stands for the layers of a class that Keras has not. `make` is its `from_config`.
    /// `name` is that of the class, with or without the package it was registered in.
    #[must_use]
    pub fn layer<L: CustomLayer>(
        mut self,
        name: impl Into<String>,
        make: impl Fn(&Json) -> Result<L> + Send + Sync + 'static,
    ) -> Self {
        self.objects = self.objects.layer(name, custom::class(make));
        self
    }

    /// What stands for a function: an activation, the code of a `Lambda` layer, or a layer without
    /// weights. All lambdas are called `<lambda>`; a `Lambda` layer is also found by its own name.
    #[must_use]
    pub fn function(
        mut self,
        name: impl Into<String>,
        function: impl Fn(&Ops<'_>, SymbolicTensor) -> Result<SymbolicTensor>
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let make = move |_: &Json| Ok(custom::Function(function.clone()));
        self.objects = self.objects.layer(name, custom::class(make));
        self
    }

    /// What stands for a function of several tensors, or with several results: what `ops.scan`,
    /// `ops.cond` and their like call. Lists and dicts come and go flattened, as Keras flattens.
    ///
    /// ```
    /// // def step(carry, x):
    /// //     return carry + x, carry * x
    /// let loader = keras_runtime::Loader::new()
    ///     .callable("step", |ops, t| Ok(vec![ops.add(t[0], t[1])?, ops.multiply(t[0], t[1])?]));
    /// # let _ = loader;
    /// ```
    #[must_use]
    pub fn callable(
        mut self,
        name: impl Into<String>,
        function: impl Fn(&Ops<'_>, &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>>
        + Clone
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let make = move |_: &Json| Ok(custom::Callable(function.clone()));
        self.objects = self.objects.layer(name, custom::class(make));
        self
    }

    /// What stands for a loss that Keras has not: targets and predictions, of the same rank, to one
    /// value per sample. `name` is that of its function or class; arguments in the file are
    /// [`Ops::argument`]s.
    ///
    /// ```
    /// let loader = keras_runtime::Loader::new().loss("half_error", |ops, y_true, y_pred| {
    ///     let error = ops.abs(ops.subtract(y_true, y_pred)?)?;
    ///     ops.mean(ops.multiply(error, 0.5)?, &[-1], false)
    /// });
    /// ```
    #[must_use]
    pub fn loss(
        mut self,
        name: impl Into<String>,
        function: impl Fn(&Ops<'_>, SymbolicTensor, SymbolicTensor) -> Result<SymbolicTensor>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let name = name.into();
        self = self.knows(&name);
        self.code.losses.insert(name, Code::new(function));
        self
    }

    /// What stands for a metric that Keras has not: targets and predictions to one value per sample, or
    /// per place, whose weighted mean is the metric. As [`loss`](Self::loss).
    #[must_use]
    pub fn metric(
        mut self,
        name: impl Into<String>,
        function: impl Fn(&Ops<'_>, SymbolicTensor, SymbolicTensor) -> Result<SymbolicTensor>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let name = name.into();
        self = self.knows(&name);
        self.code.metrics.insert(name, Code::new(function));
        self
    }

    /// The name is known; a layer may have the same.
    fn knows(mut self, name: &str) -> Self {
        if self.objects.get(name).is_none() {
            self.objects = self.objects.with(name, CustomObject::Known);
        }
        self
    }

    /// Names that stand for objects of Keras's own: `<lambda>=relu(max_value=20)`. What was added
    /// before is kept.
    #[must_use]
    pub fn custom_objects(mut self, objects: CustomObjects) -> Self {
        self.objects = self.objects.and(objects);
        self
    }

    /// What each plan may use; what the file may use is [`keras_model::Loader::limits`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether convolutions with windows of 3 x 3, steps of 1 and 32 to some 1000 channels and filters
    /// are made by Winograd's filtering: in a third of the time, with about twice the rounding
    /// error of plain sums, and four times the memory for their kernels. An input that is infinite or
    /// no number reaches all of a tile of 4 x 4 outputs. On by default.
    ///
    /// ```
    /// let path = "../../fixtures/models/k3_cnn.keras";
    /// let model = keras_runtime::Loader::new().winograd(false).load(path)?;
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    #[must_use]
    pub fn winograd(mut self, winograd: bool) -> Self {
        self.without_winograd = !winograd;
        self
    }

    /// Choices of [`keras_model::Loader`]: backend, weights by name...
    #[must_use]
    pub fn file(mut self, loader: keras_model::Loader) -> Self {
        self.file = loader;
        self
    }

    /// Loads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Model`](crate::Error::Model) if the file is broken or names what has to be mapped:
    /// all of it at once.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Model> {
        self.model(self.loader().load(path)?)
    }

    /// Loads the file that `bytes` are.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(&self, bytes: impl Into<Bytes>) -> Result<Model> {
        self.model(self.loader().from_bytes(bytes)?)
    }

    /// Loads an architecture (`model.to_json()`) and the weights saved beside it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_with_weights(
        &self,
        architecture: impl AsRef<Path>,
        weights: impl AsRef<Path>,
    ) -> Result<Model> {
        self.model(self.loader().load_with_weights(architecture, weights)?)
    }

    fn model(&self, file: keras_model::ModelFile) -> Result<Model> {
        let mut model = Model::with_limits(file, self.limits)?;
        model.winograd = !self.without_winograd;
        model.code = self.code.clone();
        Ok(model)
    }

    fn loader(&self) -> keras_model::Loader {
        self.file.clone().custom_objects(self.objects.clone())
    }
}
