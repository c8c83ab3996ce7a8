//! What recurrent layers with `stateful=True` keep from one prediction to the next.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use crate::ops::Spec;
use crate::{Error, Model, Predict, Result, Tensor};

/// States by the layer that keeps them.
#[derive(Debug, Default)]
pub(crate) struct States(BTreeMap<(String, usize), Tensor>);

impl States {
    /// A state as the prediction before left it; zeros if there was none.
    pub(crate) fn get(&self, layer: &str, index: usize, spec: &Spec) -> Result<Tensor> {
        match self.0.get(&(layer.to_owned(), index)) {
            Some(state) if state.shape() == spec.shape => Ok(state.clone()),
            Some(state) => Err(Error::Layer {
                layer: layer.to_owned(),
                class: "stateful".to_owned(),
                reason: format!(
                    "its states have shape {:?}, this batch needs {:?}: reset_states() first",
                    state.shape(),
                    spec.shape
                ),
            }),
            None => Ok(Tensor::zeros(spec.shape.clone(), spec.dtype)),
        }
    }

    pub(crate) fn set(&mut self, layer: &str, index: usize, state: Tensor) {
        self.0.insert((layer.to_owned(), index), state);
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// Predictions of a stateful model that follow each other, apart from those of others.
///
/// ```
/// let model = keras_runtime::load_model("../../fixtures/models/k3_stateful.keras")?;
/// let x = keras_runtime::Tensor::zeros([2, 4, 3], keras_runtime::DType::Float32);
/// let (mut one, mut other) = (model.session(), model.session());
/// let first = one.predict(&[x.clone()])?;
/// assert_ne!(one.predict(&[x.clone()])?, first, "goes on where the first ended");
/// assert_eq!(other.predict(&[x])?, first, "knows nothing of the other session");
/// # Ok::<(), keras_runtime::Error>(())
/// ```
#[derive(Debug)]
pub struct Session<'m> {
    model: &'m Model,
    states: States,
}

impl Session<'_> {
    /// As [`Model::predict`], from the states that the prediction before left here.
    ///
    /// # Errors
    /// As [`Model::predict`].
    pub fn predict(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.predict_with(inputs, &Predict::new())
    }

    /// As [`Model::predict_with`], from the states that the prediction before left here.
    ///
    /// # Errors
    /// As [`Model::predict_with`].
    pub fn predict_with(&mut self, inputs: &[Tensor], how: &Predict) -> Result<Vec<Tensor>> {
        self.model.predict_from(inputs, how, &mut self.states)
    }

    /// Back to zeros: Keras's `reset_states`.
    pub fn reset_states(&mut self) {
        self.states.clear();
    }
}

impl Model {
    /// States of its own for predictions that follow each other.
    pub fn session(&self) -> Session<'_> {
        Session { model: self, states: States::default() }
    }

    /// Sets the states of recurrent layers with `stateful=True` back to zeros: Keras's
    /// `reset_states`.
    pub fn reset_states(&self) {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
