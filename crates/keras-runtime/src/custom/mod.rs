//! Layers and functions of the caller's: what stands for the code that a model file has not.

mod ops;

use std::sync::Arc;

use keras_model::layers::custom::CustomConfig;
use keras_model::layers::{LayerConfig, Mask};
use keras_model::variables::{VariableSpec, Variables};
use keras_model::{Call, CustomClass, DType, Inputs, KerasTensor, Shape};
use serde_json::Value as Json;

use crate::graph::{Builder, Value};
use crate::weights::Weights;
use crate::{Error, Limits, Result};

pub use ops::{Operand, Ops, SymbolicTensor};

/// A layer whose code the caller has: what a subclass of `keras.Layer` is in Python.
///
/// It is registered under the name of its class with [`Loader::layer`](crate::Loader::layer). What
/// its [`call`](Self::call) composes out of `keras.ops` becomes part of the model's plan like any
/// layer of Keras's own. Its config stays in the model as the file has it.
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

impl LayerConfig for Custom {
    fn output(&self, call: &Call<'_>) -> keras_model::Result<Vec<KerasTensor>> {
        let wrong = |error: Error| match error {
            Error::Model(error) => error,
            other => call.error(other.to_string()),
        };
        if let Some(outputs) = self.0.output(call).map_err(wrong)? {
            return Ok(outputs);
        }
        let variables = self.0.weights(call).map_err(wrong)?;
        let trial = |unknown| self.trial(call, &variables, unknown).map_err(wrong);
        let [first, second] = [trial(UNKNOWN[0])?, trial(UNKNOWN[1])?];
        let pairs = first.into_iter().zip(second);
        let outputs = pairs.map(|((a, dtype), (b, _))| {
            let dims = a.iter().zip(&b).map(|(a, b)| (a == b).then_some(*a));
            KerasTensor::new(Shape(dims.collect()), dtype)
        });
        Ok(outputs.collect())
    }

    fn variables(&self, call: &Call<'_>) -> keras_model::Result<Variables> {
        let own = self.0.weights(call).map_err(|error| match error {
            Error::Model(error) => error,
            other => call.error(other.to_string()),
        })?;
        Ok(Variables::of(own))
    }

    fn mask(&self) -> Mask {
        self.0.mask()
    }
}

impl Custom {
    /// The outputs if each axis of unknown length has that length. No values are there yet.
    fn trial(
        &self,
        call: &Call<'_>,
        variables: &[VariableSpec],
        unknown: usize,
    ) -> Result<Vec<(Vec<usize>, DType)>> {
        let weights = Weights::planned(call.base, variables);
        let mut builder = Builder::new(&weights, Limits::default());
        builder.enter(call.base);
        let inputs = call.inputs.map(&mut |tensor: &KerasTensor| {
            let shape: Vec<usize> =
                tensor.shape.dims().iter().map(|d| d.unwrap_or(unknown)).collect();
            let dtype = call.cast(tensor.dtype);
            Ok::<_, Error>(builder.input(&shape, dtype))
        })?;
        let outputs = self.lower(&mut builder, inputs)?;
        Ok(outputs.iter().map(|v| (builder.shape(*v).to_vec(), builder.dtype(*v))).collect())
    }

    /// The outputs as values of a graph.
    pub(crate) fn lower(&self, b: &mut Builder<'_>, inputs: Inputs<Value>) -> Result<Vec<Value>> {
        let tensors: Vec<SymbolicTensor> =
            inputs.tensors().into_iter().map(|v| SymbolicTensor(*v)).collect();
        let outputs = Ops::with(b, inputs, |ops| self.0.call(ops, &tensors))?;
        Ok(outputs.into_iter().map(|t| t.0).collect())
    }
}
