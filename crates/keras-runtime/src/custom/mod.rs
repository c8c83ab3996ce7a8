//! Layers and functions of the caller's: what stands for the code that a model file has not.

mod ops;

use std::collections::BTreeMap;
use std::sync::Arc;

use keras_model::layers::custom::CustomConfig;
use keras_model::layers::{LayerConfig, Mask};
use keras_model::variables::{Sublayer, VariableSpec, Variables};
use keras_model::{Call, CustomClass, DType, Inputs, KerasTensor, Layer, Shape};
use serde_json::Value as Json;

use crate::graph::{Builder, Value};
use crate::weights::Weights;
use crate::writer::Writer;
use crate::{Error, Result};

pub use ops::{Operand, Ops, SymbolicTensor};

/// A layer whose code the caller has: what a subclass of `keras.Layer` is in Python.
///
/// It is registered under the name of its class with [`Loader::layer`](crate::Loader::layer). What
/// its [`call`](Self::call) composes out of `keras.ops` becomes part of the model's plan like any
/// layer of Keras's own.
///
/// [`Model::save`](crate::Model::save) saves it as Keras does: under the registered name of its class,
/// with its config as the file had it (or as [`config`](Self::config) says), its weights where
/// Keras looks for them. Keras loads it again with the class as `custom_objects`.
///
/// ```
/// use keras_runtime::keras_model::{Call, variables::VariableSpec};
/// use keras_runtime::{CustomLayer, Loader, Ops, Result, SymbolicTensor};
///
/// /// `x · factor`, with one learned number: in Python
/// /// `self.factor = self.add_weight(name="factor", shape=())`.
/// struct Scale;
///
/// impl CustomLayer for Scale {
///     fn weights(&self, call: &Call<'_>) -> Result<Vec<VariableSpec>> {
///         Ok(vec![VariableSpec::new("factor", [0_usize; 0], call.base.dtype.variable)])
///     }
///
///     fn call(&self, ops: &Ops<'_>, x: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
///         Ok(vec![ops.multiply(x[0], ops.weight("factor")?)?])
///     }
/// }
///
/// let model = Loader::new()
///     .layer("Scale", |_config| Ok(Scale))
///     .function("wobble", |ops, x| ops.add(x, ops.sin(x)?))
///     .load("../../fixtures/models/k3_custom.keras")?;
/// let x = keras_runtime::Tensor::new([1, 3], vec![1.0_f32, 2.0, 3.0])?;
/// assert_eq!(model.predict(&[x])?[0].shape(), [1, 4]);
/// # Ok::<(), keras_runtime::Error>(())
/// ```
pub trait CustomLayer: Send + Sync + 'static {
    /// Its weights for the shapes it is first called with, in the order in which Keras lists them:
    /// that of `add_weight` in `build`, trainable ones first. None by default.
    ///
    /// # Errors
    /// If it cannot be called with these.
    fn weights(&self, _call: &Call<'_>) -> Result<Vec<VariableSpec>> {
        Ok(Vec::new())
    }

    /// Its outputs, composed of operations. Floats come in the type that the layer computes in.
    ///
    /// It is called once for each set of input shapes, not for each prediction: values are not
    /// known yet, shapes are.
    ///
    /// # Errors
    /// If it cannot be called with these.
    fn call(&self, ops: &Ops<'_>, inputs: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>>;

    /// Shapes and types of its outputs, where they are not those that [`call`](Self::call) gives
    /// for two different lengths of each unknown axis: what is the same in both is known.
    ///
    /// # Errors
    /// If it cannot be called with these.
    fn output(&self, _call: &Call<'_>) -> Result<Option<Vec<KerasTensor>>> {
        Ok(None)
    }

    /// The layers of Keras's that it holds, each under the attribute that holds it, in the order in
    /// which its constructor sets them. [`call`](Self::call) calls them with [`Ops::layer`]; their
    /// names must differ. None by default.
    fn layers(&self) -> Vec<(&'static str, &Layer)> {
        Vec::new()
    }

    /// Its config, where it is no longer the one that it was made from: Keras's `get_config`.
    fn config(&self) -> Option<Json> {
        None
    }

    /// What it does to the mask of its input: Keras's `compute_mask`. [`Mask::Drops`] by default,
    /// as of a layer without `supports_masking`.
    fn mask(&self) -> Mask {
        Mask::Drops
    }
}

/// A function of one tensor as a layer.
pub(crate) struct Function<F>(pub(crate) F);

impl<F> CustomLayer for Function<F>
where
    F: Fn(&Ops<'_>, SymbolicTensor) -> Result<SymbolicTensor> + Send + Sync + 'static,
{
    fn call(&self, ops: &Ops<'_>, inputs: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
        let x = inputs.first().ok_or_else(|| Error::Value("called without a tensor".to_owned()))?;
        Ok(vec![(self.0)(ops, *x)?])
    }
}

/// A function of any number of tensors as a layer.
pub(crate) struct Callable<F>(pub(crate) F);

impl<F> CustomLayer for Callable<F>
where
    F: Fn(&Ops<'_>, &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> + Send + Sync + 'static,
{
    fn call(&self, ops: &Ops<'_>, inputs: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
        (self.0)(ops, inputs)
    }
}

/// A class whose layers `make` makes from their configs.
pub(crate) fn class<L: CustomLayer>(
    make: impl Fn(&Json) -> Result<L> + Send + Sync + 'static,
) -> impl CustomClass {
    move |config: &Json| -> keras_model::Result<Arc<dyn CustomConfig>> {
        let layer = make(config).map_err(|error| match error {
            Error::Model(error) => error,
            other => keras_model::Error::Config {
                path: config.get("name").and_then(Json::as_str).unwrap_or("config").to_owned(),
                reason: other.to_string(),
            },
        })?;
        Ok(Arc::new(Custom(Box::new(layer))))
    }
}

/// A layer of the caller's behind the trait through which `keras-model` sees all layers.
pub(crate) struct Custom(Box<dyn CustomLayer>);

/// Two lengths for an axis whose length is not known, rare ones: an output axis that has the same
/// length for both does not depend on it.
const UNKNOWN: [usize; 2] = [83, 89];

/// What a trial call gives: shapes and types of the outputs, and the variables of the layers in it.
type Tried = (Vec<(Vec<usize>, DType)>, Vec<(String, Variables)>);

impl LayerConfig for Custom {
    fn output(&self, call: &Call<'_>) -> keras_model::Result<Vec<KerasTensor>> {
        if let Some(outputs) = self.0.output(call).map_err(|e| passed_on(call, e))? {
            return Ok(outputs);
        }
        let [(first, _), (second, _)] = self.trials(call)?;
        let pairs = first.into_iter().zip(second);
        let outputs = pairs.map(|((a, dtype), (b, _))| {
            let dims = a.iter().zip(&b).map(|(a, b)| (a == b).then_some(*a));
            KerasTensor::new(Shape(dims.collect()), dtype)
        });
        Ok(outputs.collect())
    }

    fn variables(&self, call: &Call<'_>) -> keras_model::Result<Variables> {
        let own = self.0.weights(call).map_err(|e| passed_on(call, e))?;
        let layers = self.0.layers();
        if layers.is_empty() {
            return Ok(Variables::of(own));
        }
        let [(_, first), (_, second)] = self.trials(call)?;
        if first != second {
            return Err(call.error("an axis that shapes a weight must be known"));
        }
        let sublayers = layers.into_iter().map(|(attribute, layer)| {
            let tried = first.iter().find(|(name, _)| *name == layer.base.name);
            let variables = tried.map(|(_, variables)| variables.clone()).unwrap_or_default();
            Sublayer::new(attribute, layer, variables)
        });
        Ok(Variables { sublayers: sublayers.collect(), ..Variables::of(own) })
    }

    fn mask(&self) -> Mask {
        self.0.mask()
    }

    fn config(&self) -> Option<Json> {
        self.0.config()
    }

    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        self.0.layers()
    }
}

/// An error of the caller's code as one of the layer.
fn passed_on(call: &Call<'_>, error: Error) -> keras_model::Error {
    match error {
        Error::Model(error) => error,
        other => call.error(other.to_string()),
    }
}

impl Custom {
    /// What it gives for each of the [`UNKNOWN`] lengths.
    fn trials(&self, call: &Call<'_>) -> keras_model::Result<[Tried; 2]> {
        let trial = |unknown| self.trial(call, unknown).map_err(|e| passed_on(call, e));
        Ok([trial(UNKNOWN[0])?, trial(UNKNOWN[1])?])
    }

    /// What it gives if each axis of unknown length has that length. No values are there yet.
    fn trial(&self, call: &Call<'_>, unknown: usize) -> Result<Tried> {
        let weights = Weights::new(Vec::new(), BTreeMap::new(), Writer::KERAS3);
        let mut builder = Builder::for_trial(&weights, call.base, &self.0.weights(call)?);
        let inputs = call.inputs.map(&mut |tensor: &KerasTensor| {
            let lengths = tensor.shape.dims().iter().map(|d| d.unwrap_or(unknown));
            let shape: Vec<usize> = lengths.collect();
            Ok::<_, Error>(builder.input(&shape, call.cast(tensor.dtype)))
        })?;
        let outputs = self.lower(&mut builder, inputs)?;
        let spec = |v: &Value| (builder.shape(*v).to_vec(), builder.dtype(*v));
        let outputs = outputs.iter().map(spec).collect();
        Ok((outputs, builder.tried()))
    }

    /// The outputs as values of a graph.
    pub(crate) fn lower(&self, b: &mut Builder<'_>, inputs: Inputs<Value>) -> Result<Vec<Value>> {
        let tensors: Vec<SymbolicTensor> =
            inputs.tensors().into_iter().map(|v| SymbolicTensor(*v)).collect();
        let layers = self.0.layers().into_iter().map(|(name, layer)| (name, layer.clone()));
        let outputs = Ops::with(b, inputs, layers.collect(), |ops| self.0.call(ops, &tensors))?;
        Ok(outputs.into_iter().map(|t| t.0).collect())
    }
}
