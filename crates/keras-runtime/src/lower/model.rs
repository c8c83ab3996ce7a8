//! A model called as a layer, and the whole model.

use keras_model::{Arg, Inputs, Kind, Model};

use super::layer;
use crate::Result;
use crate::graph::{Builder, Value};

pub(crate) fn lower(
    model: &Model,
    b: &mut Builder<'_>,
    call: &Inputs<Value>,
) -> Result<Vec<Value>> {
    let given: Vec<Value> = call.tensors().into_iter().copied().collect();
    // Masks that a graph hands over explicitly.
    if let Some(mask) = call.named("mask", usize::MAX) {
        let mut masks = Vec::new();
        mask.tensors(&mut masks);
        for (value, mask) in given.iter().zip(masks) {
            b.set_mask(*value, Some(*mask));
        }
    }
    let graph = &model.graph;
    let mut values: Vec<Vec<Value>> = Vec::with_capacity(graph.nodes.len());
    for (at, node) in graph.nodes.iter().enumerate() {
        let Some(called) = model.layers.get(node.layer) else { continue };
        if let Kind::InputLayer(input) = &called.kind {
            let place = graph.inputs.iter().position(|i| i.node == at);
            let value = place.and_then(|place| given.get(place)).copied();
            let value = value.ok_or_else(|| {
                b.error(format!("no value is given for input {:?}", called.base.name))
            })?;
            let cast = b.cast(value, input.dtype)?;
            b.set_mask(cast, b.mask(value));
            values.push(vec![cast]);
            continue;
        }
        // A row without an input layer: the first layer takes what the model is given.
        let inputs = if node.inputs == Inputs::default() && !given.is_empty() && at == 0 {
            call.clone()
        } else {
            node.inputs.map(&mut |reference| {
                let outputs = values.get(reference.node);
                outputs.and_then(|o| o.get(reference.index)).copied().ok_or_else(|| {
                    b.error(format!("{:?} is called with what is not there", called.base.name))
                })
            })?
        };
        values.push(layer(called, b, &inputs)?);
    }
    let mut references = Vec::new();
    graph.outputs.iter().for_each(|a| Arg::tensors(a, &mut references));
    let outputs = references.into_iter().map(|reference| {
        let outputs = values.get(reference.node);
        let value = outputs.and_then(|o| o.get(reference.index)).copied();
        if value.is_some_and(|value| b.imaginary(value).is_some()) {
            return Err(b.unsupported("a complex output"));
        }
        value.ok_or_else(|| b.error("an output is not there"))
    });
    outputs.collect()
}
