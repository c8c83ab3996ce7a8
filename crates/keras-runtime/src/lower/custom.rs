//! A layer of the file's author, as the caller has it.

use std::any::Any;

use keras_model::layers::custom::Custom;

use super::Call;
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(layer: &Custom, b: &mut Builder<'_>, call: &Call<'_>) -> Result<Vec<Value>> {
    let own = layer.layer.as_deref().and_then(|known| {
        let known: &dyn Any = known;
        known.downcast_ref::<crate::custom::Custom>()
    });
    match own {
        Some(own) => own.lower(b, call.inputs.clone()),
        None => Err(b.unsupported(format!(
            "{:?} of the file's author (map it with keras_runtime::Loader::layer or ::function)",
            layer.registered_name
        ))),
    }
}
