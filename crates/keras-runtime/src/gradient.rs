//! `gradients`: how outputs change with inputs and weights.

use std::borrow::Cow;
use std::sync::PoisonError;

use crate::graph::Wrt;
use crate::ops::Spec;
use crate::states::States;
use crate::{Error, Model, Result, Tensor};

/// How to differentiate: [`Model::gradients`] with choices.
///
/// A saliency map needs nothing of the weights:
///
/// ```
/// use keras_runtime::{DType, Differentiate, Tensor};
///
/// let model = keras_runtime::load_model("../../fixtures/models/k3_cnn.h5")?;
/// let image: Vec<usize> = model.inputs()[0].shape.dims().iter().map(|n| n.unwrap_or(1)).collect();
/// let x = Tensor::zeros(image, DType::Float32);
/// let y = model.predict(&[x.clone()])?;
/// // The score of class 1 alone.
/// let mut dy = vec![0.0_f32; y[0].len()];
/// dy[1] = 1.0;
/// let dy = Tensor::new(y[0].shape(), dy)?;
/// let how = Differentiate::new().weights(false);
/// let gradients = model.gradients_with(&[x.clone()], &[dy], &how)?;
/// assert_eq!(gradients.inputs[0].as_ref().map(Tensor::shape), Some(x.shape()));
/// # Ok::<(), keras_runtime::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Differentiate {
    training: bool,
    seed: u64,
    wrt: Wrt,
}

impl Default for Differentiate {
    fn default() -> Self {
        let wrt = Wrt { inputs: true, weights: true, layers: Vec::new() };
        Self { training: false, seed: 0, wrt }
    }
}

impl Differentiate {
    /// What [`Model::gradients`] does.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether layers do what they do in training: as [`Predict::training`](crate::Predict::training).
    /// Batch statistics take part in the gradient, what is dropped gets none. Off by default.
    #[must_use]
    pub fn training(mut self, training: bool) -> Self {
        self.training = training;
        self
    }

    /// Where the random numbers start, as [`Predict::seed`](crate::Predict::seed); 0 by default.
    /// With the same seed a prediction and a gradient drop the same.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether the gradient of the inputs is computed: `tape.watch(x)`. On by default.
    #[must_use]
    pub fn inputs(mut self, inputs: bool) -> Self {
        self.wrt.inputs = inputs;
        self
    }

    /// Whether the gradients of the trainable weights are computed. On by default.
    #[must_use]
    pub fn weights(mut self, weights: bool) -> Self {
        self.wrt.weights = weights;
        self
    }

    /// Layers whose outputs are wanted with their gradients, by name, those inside of others with
    /// the names around them (`encoder/dense`). Grad-CAM's map of where class 1 is seen:
    ///
    /// ```
    /// use keras_runtime::{DType, Differentiate, Tensor};
    ///
    /// let model = keras_runtime::load_model("../../fixtures/models/k3_cnn.h5")?;
    /// let image: Vec<usize> =
    ///     model.inputs()[0].shape.dims().iter().map(|n| n.unwrap_or(1)).collect();
    /// let x = Tensor::zeros(image, DType::Float32);
    /// let classes = model.predict(&[x.clone()])?[0].len();
    /// let dy = (0..classes).map(|class| if class == 1 { 1.0_f32 } else { 0.0 }).collect();
    /// let how = Differentiate::new().inputs(false).weights(false).layers(["conv2d"]);
    /// let found = model.gradients_with(&[x], &[Tensor::new([1, classes], dy)?], &how)?;
    /// let layer = &found.layers[0];
    /// let channels = layer.output.shape()[3];
    /// let features = layer.output.as_slice::<f32>().unwrap_or_default();
    /// let slopes = layer.gradient.as_ref().and_then(|g| g.as_slice::<f32>()).unwrap_or_default();
    /// let mut weights = vec![0.0; channels];
    /// for place in slopes.chunks(channels) {
    ///     weights.iter_mut().zip(place).for_each(|(w, slope)| *w += slope);
    /// }
    /// let seen = |place: &[f32]| place.iter().zip(&weights).map(|(x, w)| x * w).sum::<f32>().max(0.0);
    /// let map: Vec<f32> = features.chunks(channels).map(seen).collect();
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    #[must_use]
    pub fn layers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.wrt.layers = names.into_iter().map(Into::into).collect();
        self
    }
}

/// Outputs of a model, and how they change with its inputs and weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Gradients {
    /// The outputs: what [`Model::predict`] gives.
    pub outputs: Vec<Tensor>,
    /// For each input a tensor of its shape; `None` if no output depends on it smoothly (whole
    /// numbers, texts), or if it was not asked for.
    pub inputs: Vec<Option<Tensor>>,
    /// For each trainable weight, in the order of Keras's `model.trainable_weights`; empty if they
    /// were not asked for.
    pub weights: Vec<WeightGradient>,
    /// For each layer that was [asked for](Differentiate::layers), in that order.
    pub layers: Vec<LayerGradient>,
}

/// The gradient of a weight.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightGradient {
    /// Keras 3's path: `dense/kernel`.
    pub path: String,
    /// The weight's shape.
    pub shape: Vec<usize>,
    /// A tensor of the weight's shape and type; `None` if no output depends on it.
    pub gradient: Option<Tensor>,
}

/// The output of a layer and its gradient.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerGradient {
    /// The name that was asked for.
    pub name: String,
    /// The layer's first output; of several calls, that of the first.
    pub output: Tensor,
    /// A tensor of its shape and type; `None` if no output of the model depends on it smoothly.
    pub gradient: Option<Tensor>,
}

impl Gradients {
    /// The gradient of the weight with that path.
    pub fn weight(&self, path: &str) -> Option<&Tensor> {
        self.weights.iter().find(|w| w.path == path)?.gradient.as_ref()
    }
}

/// What the outputs of a plan with gradients are.
#[derive(Debug)]
pub(crate) struct Found {
    /// The outputs of the model.
    pub(crate) outputs: Vec<Spec>,
    /// Whether each input has a gradient.
    pub(crate) inputs: Vec<bool>,
    /// The places of the trainable weights, and whether each has a gradient.
    pub(crate) weights: Vec<(usize, bool)>,
    /// Whether the output of each layer that was asked for has a gradient; behind the gradients
    /// stand these outputs.
    pub(crate) layers: Vec<bool>,
}

impl Model {
    /// What reaches inputs and trainable weights if `dy` reaches the outputs: the gradient of
    /// `sum(dy · y)`, which is what `tape.gradient(y, sources, output_gradients=dy)` of
    /// `tf.GradientTape` gives.
    ///
    /// `dy` has a tensor for each output, of its shape; zeros leave an output out. That of an
    /// output of whole numbers is not read. The batch is computed at once, not in parts.
    ///
    /// ```
    /// use keras_runtime::{DType, Tensor};
    ///
    /// let model = keras_runtime::load_model("../../fixtures/models/k3_mlp.h5")?;
    /// let features = model.inputs()[0].shape.dim(-1).flatten().unwrap_or(1);
    /// let x = Tensor::zeros([2, features], DType::Float32);
    /// let y = model.predict(&[x.clone()])?;
    /// let ones = Tensor::new(y[0].shape(), vec![1.0_f32; y[0].len()])?;
    /// let gradients = model.gradients(&[x], &[ones])?;
    /// for weight in &gradients.weights {
    ///     println!("{}: {:?}", weight.path, weight.gradient);
    /// }
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`predict`](Self::predict); [`Error::Value`] if `dy` does not fit the outputs;
    /// [`Error::Op`] that names an operation without a gradient, if one has to flow through it.
    pub fn gradients(&self, inputs: &[Tensor], dy: &[Tensor]) -> Result<Gradients> {
        self.gradients_with(inputs, dy, &Differentiate::new())
    }

    /// As [`gradients`](Self::gradients), with choices.
    ///
    /// # Errors
    /// As [`gradients`](Self::gradients).
    pub fn gradients_with(
        &self,
        inputs: &[Tensor],
        dy: &[Tensor],
        how: &Differentiate,
    ) -> Result<Gradients> {
        if self.is_stateful {
            let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
            return self.gradients_from(inputs, dy, how, &mut states);
        }
        self.gradients_from(inputs, dy, how, &mut States::default())
    }

    fn gradients_from(
        &self,
        inputs: &[Tensor],
        dy: &[Tensor],
        how: &Differentiate,
        states: &mut States,
    ) -> Result<Gradients> {
        let inputs = self.fitted(inputs)?;
        let lowered = self.gradient_plan(&inputs, how.training, &how.wrt)?;
        let Some(found) = &lowered.found else {
            return Err(Error::Value("a plan without gradients".to_owned()));
        };
        let dy = upstream(&found.outputs, dy)?;
        let mut all = self.run(&lowered, &inputs, &dy, how.seed, states)?.into_iter();
        let outputs = all.by_ref().take(found.outputs.len()).collect();
        let mut next = |is_there: &bool| is_there.then(|| all.next()).flatten();
        let inputs = found.inputs.iter().map(&mut next).collect();
        let of_weights = found.weights.iter().map(|(place, is_there)| {
            let (path, shape) = self.weight(*place);
            WeightGradient { path, shape, gradient: next(is_there) }
        });
        let weights = of_weights.collect();
        let slopes: Vec<_> = found.layers.iter().map(next).collect();
        let layers = how.wrt.layers.iter().zip(all).zip(slopes);
        let layers = layers.map(|((name, output), gradient)| LayerGradient {
            name: name.clone(),
            output,
            gradient,
        });
        Ok(Gradients { outputs, inputs, weights, layers: layers.collect() })
    }
}

/// What reaches the outputs, as the plan takes it.
fn upstream<'t>(outputs: &[Spec], dy: &'t [Tensor]) -> Result<Vec<Cow<'t, Tensor>>> {
    if outputs.len() != dy.len() {
        let (expected, found) = (outputs.len(), dy.len());
        return Err(Error::Value(format!("the model has {expected} outputs, dy {found} tensors")));
    }
    let pairs = outputs.iter().zip(dy).enumerate();
    let fitting = pairs.map(|(i, (output, dy))| {
        if !output.dtype.is_float() || dy.shape() == output.shape && dy.dtype() == output.dtype {
            return Ok(Cow::Borrowed(dy));
        }
        if dy.shape() != output.shape {
            let (expected, found) = (&output.shape, dy.shape());
            let reason = format!("output {i} has shape {expected:?}, its dy {found:?}");
            return Err(Error::Value(reason));
        }
        dy.cast(output.dtype).map(Cow::Owned)
    });
    fitting.collect()
}
