//! What a layer is called with while it is lowered.

use keras_model::{Arg, Base, Inputs};
use serde_json::Value as Json;

use crate::Result;
use crate::graph::{Builder, Value};

/// One call of one layer; floats are in its compute type already.
pub(crate) struct Call<'a> {
    pub(crate) base: &'a Base,
    pub(crate) inputs: Inputs<Value>,
}

impl Call<'_> {
    /// All data tensors, flattened as Keras flattens.
    pub(crate) fn tensors(&self) -> Vec<Value> {
        self.inputs.tensors().into_iter().copied().collect()
    }

    /// The first tensor.
    pub(crate) fn input(&self, b: &Builder<'_>) -> Result<Value> {
        self.tensors().first().copied().ok_or_else(|| b.error("called without a tensor"))
    }

    /// The tensor of an argument, by name or at that place.
    pub(crate) fn argument(&self, name: &str, position: usize) -> Option<Value> {
        self.inputs.named(name, position).and_then(Arg::tensor).copied()
    }

    /// The tensor of a keyword argument.
    pub(crate) fn keyword(&self, name: &str) -> Option<Value> {
        self.argument(name, usize::MAX)
    }

    /// A plain argument, by name or at that place.
    pub(crate) fn plain(&self, name: &str, position: usize) -> Option<&Json> {
        self.inputs.named(name, position).and_then(Arg::value)
    }

    /// Whether a plain argument is true.
    pub(crate) fn flag(&self, name: &str, position: usize) -> bool {
        self.plain(name, position).and_then(Json::as_bool).unwrap_or(false)
    }

    /// The mask of the first input: the argument `mask` if there is one, else what came with it.
    pub(crate) fn mask(&self, b: &Builder<'_>) -> Option<Value> {
        let explicit = self.keyword("mask");
        explicit.or_else(|| b.mask(self.tensors().first().copied()?))
    }

    /// The masks of a list of inputs.
    pub(crate) fn masks(&self, b: &Builder<'_>) -> Vec<Option<Value>> {
        let tensors = self.tensors();
        let given = match self.inputs.named("mask", usize::MAX) {
            Some(Arg::List(items)) => items.iter().map(|a| a.tensor().copied()).collect(),
            _ => Vec::new(),
        };
        let implicit = tensors.iter().map(|v| b.mask(*v));
        let given = given.into_iter().chain(std::iter::repeat(None));
        implicit.zip(given).map(|(implicit, given)| given.or(implicit)).collect()
    }
}
