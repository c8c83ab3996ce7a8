//! Targets and weights of samples, as a step takes them.

use std::borrow::Cow;

use keras_model::DType;

use super::compiled::Compiled;
use super::step::Batch;
use crate::{Error, Model, Result, Tensor};

/// The targets of a model: one tensor for each output, in the order of the model, or by the names
/// of the outputs. Those without a loss and without metrics may be left out.
///
/// ```
/// use keras_runtime::{DType, Targets, Tensor};
///
/// let (a, b) = (Tensor::zeros([4, 1], DType::Float32), Tensor::zeros([4, 3], DType::Float32));
/// let in_order = [a.clone(), b.clone()];
/// let in_order = Targets::from(&in_order);
/// let by_name = Targets::named([("score", &a), ("class", &b)]);
/// ```
#[derive(Clone, Debug)]
pub struct Targets<'t>(Given<'t>);

#[derive(Clone, Debug)]
enum Given<'t> {
    InOrder(Vec<Option<&'t Tensor>>),
    Named(Vec<(String, &'t Tensor)>),
}

impl<'t> Targets<'t> {
    /// By the names of the outputs: those of the layers that make them, or the keys of the dict that
    /// the model gives.
    pub fn named(targets: impl IntoIterator<Item = (impl Into<String>, &'t Tensor)>) -> Self {
        let targets = targets.into_iter().map(|(name, tensor)| (name.into(), tensor));
        Self(Given::Named(targets.collect()))
    }

    /// In the order of the outputs; `None` for one that needs no target.
    pub fn in_order(targets: impl IntoIterator<Item = Option<&'t Tensor>>) -> Self {
        Self(Given::InOrder(targets.into_iter().collect()))
    }
}

impl<'t> From<&'t [Tensor]> for Targets<'t> {
    fn from(targets: &'t [Tensor]) -> Self {
        Self::in_order(targets.iter().map(Some))
    }
}

impl<'t> From<&'t Vec<Tensor>> for Targets<'t> {
    fn from(targets: &'t Vec<Tensor>) -> Self {
        targets.as_slice().into()
    }
}

impl<'t, const N: usize> From<&'t [Tensor; N]> for Targets<'t> {
    fn from(targets: &'t [Tensor; N]) -> Self {
        targets.as_slice().into()
    }
}

impl Model {
    /// Inputs, targets and weights as a step takes them. One weight for several outputs holds for
    /// all of them.
    ///
    /// # Errors
    /// As [`predict`](Self::predict); [`Error::Value`] if targets or weights are too many or too few,
    /// or not for as many samples.
    pub(crate) fn step_batch<'t>(
        &self,
        compiled: &Compiled,
        x: &'t [Tensor],
        y: &Targets<'t>,
        sample_weight: &'t [Tensor],
    ) -> Result<Batch<'t>> {
        let x = self.fitted(x)?;
        let rows = crate::predict::rows(&x)
            .ok_or_else(|| Error::Value("the inputs have different numbers of rows".to_owned()))?;
        let y = y.by_output(compiled)?;
        let outputs = compiled.count();
        let sample_weight: Vec<Option<&Tensor>> = match sample_weight {
            [] => vec![None; outputs],
            [one] => vec![Some(one); outputs],
            all if all.len() == outputs => all.iter().map(Some).collect(),
            all => {
                let found = all.len();
                return Err(Error::Value(format!(
                    "the model has {outputs} outputs, the sample weights are {found} tensors"
                )));
            }
        };
        for (what, tensor) in y
            .iter()
            .map(|t| ("a target", t))
            .chain(sample_weight.iter().map(|t| ("a sample weight", t)))
        {
            let Some(tensor) = tensor else { continue };
            if tensor.shape().first() != Some(&rows) {
                let shape = tensor.shape();
                return Err(Error::Value(format!(
                    "the inputs have {rows} rows, {what} has shape {shape:?}"
                )));
            }
        }
        let adapted = |all: Vec<Option<&'t Tensor>>| -> Result<Vec<Option<Cow<'t, Tensor>>>> {
            all.into_iter().map(|t| t.map(adapt).transpose()).collect()
        };
        Ok(Batch { x, y: adapted(y)?, sample_weight: adapted(sample_weight)? })
    }
}

/// Floats are `float32`, as Keras takes them from arrays.
fn adapt(tensor: &Tensor) -> Result<Cow<'_, Tensor>> {
    match tensor.dtype() {
        DType::Float32 => Ok(Cow::Borrowed(tensor)),
        float if float.is_float() => tensor.cast(DType::Float32).map(Cow::Owned),
        DType::String => Err(Error::Value("a target of texts".to_owned())),
        _ => Ok(Cow::Borrowed(tensor)),
    }
}

impl<'t> Targets<'t> {
    /// The target of each output.
    fn by_output(&self, compiled: &Compiled) -> Result<Vec<Option<&'t Tensor>>> {
        let outputs = compiled.count();
        match &self.0 {
            Given::InOrder(all) if all.len() == outputs => Ok(all.clone()),
            Given::InOrder(all) => {
                // As in Keras the outputs without a loss may be left out.
                let wanted: Vec<usize> = compiled.losses.iter().map(|l| l.output).collect();
                if wanted.len() != all.len() {
                    let found = all.len();
                    return Err(Error::Value(format!(
                        "the model has {outputs} outputs, the targets are {found} tensors"
                    )));
                }
                let mut y = vec![None; outputs];
                for (at, target) in wanted.into_iter().zip(all) {
                    if let Some(place) = y.get_mut(at) {
                        *place = *target;
                    }
                }
                Ok(y)
            }
            Given::Named(all) => {
                let mut y = vec![None; outputs];
                for (name, target) in all {
                    let at = compiled.output(name)?;
                    if let Some(place) = y.get_mut(at) {
                        *place = Some(*target);
                    }
                }
                Ok(y)
            }
        }
    }
}
