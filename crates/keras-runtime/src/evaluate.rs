//! What a value is for the inputs at hand, while the graph is still being built: some shapes depend
//! on it.

use std::collections::{HashMap, HashSet};

use crate::graph::{Graph, Source, Value, bytes};
use crate::ops::{Op, Out, Spec, size};
use crate::tensor::{Data, View};
use crate::{Error, Limits, Result, Tensor};

/// Inputs with their elements, and what was computed of them.
#[derive(Debug, Default)]
pub(crate) struct Evaluation<'m> {
    inputs: Vec<&'m Tensor>,
    computed: HashMap<Value, Tensor>,
    /// Bytes of these.
    bytes: u64,
}

impl<'m> Evaluation<'m> {
    /// Of the first inputs of a graph.
    pub(crate) fn of(inputs: Vec<&'m Tensor>) -> Self {
        Self { inputs, ..Self::default() }
    }

    /// A value of the graph; `None` if it depends on more than the inputs: on random numbers, on
    /// states.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] if what it depends on does not fit into memory.
    pub(crate) fn value(
        &mut self,
        graph: &Graph,
        value: Value,
        limits: &Limits,
    ) -> Result<Option<Tensor>> {
        let mut wanted = HashSet::from([value]);
        let mut nodes = Vec::new();
        for node in graph.nodes.iter().rev() {
            let is_open = |v: &Value| wanted.contains(v) && !self.computed.contains_key(v);
            if node.outputs.iter().any(is_open) {
                wanted.extend(&node.inputs);
                nodes.push(node);
            }
        }
        for node in nodes.into_iter().rev() {
            let Some(views) = node.inputs.iter().map(|v| self.view(graph, *v)).collect() else {
                return Ok(None);
            };
            let views: Vec<View<'_>> = views;
            let specs: Vec<Spec> =
                node.outputs.iter().filter_map(|v| graph.specs.get(v.0).cloned()).collect();
            let made = specs.iter().filter_map(|s| bytes(&s.shape, s.dtype)).sum::<u64>();
            let sum = self.bytes.saturating_add(made);
            limits.check_memory("what shapes depend on", Some(sum))?;
            let tensors = compute(&node.op, &views, &specs)?;
            self.bytes = sum;
            self.computed.extend(node.outputs.iter().copied().zip(tensors));
        }
        Ok(self.view(graph, value).map(View::to_tensor))
    }

    fn view<'a>(&'a self, graph: &'a Graph, value: Value) -> Option<View<'a>> {
        match graph.sources.get(value.0)? {
            Source::Input(at) => self.inputs.get(*at).map(|t| t.view()),
            Source::Constant(constant) => Some(constant.view()),
            Source::Node => self.computed.get(&value).map(Tensor::view),
        }
    }
}

/// The results of an operation.
pub(crate) fn compute(op: &Op, x: &[View<'_>], specs: &[Spec]) -> Result<Vec<Tensor>> {
    let mut data = Vec::with_capacity(specs.len());
    for spec in specs {
        let zeros = Data::zeros(spec.dtype, size(&spec.shape));
        data.push(zeros.ok_or_else(|| Error::op(op.name(), "makes an unknown type"))?);
    }
    let parts = data.iter_mut().zip(specs);
    let mut out: Vec<Out<'_>> =
        parts.map(|(data, spec)| Out { shape: &spec.shape, data: data.slice_mut() }).collect();
    op.forward(x, &mut out)?;
    drop(out);
    let tensors = data.into_iter().zip(specs);
    tensors.map(|(data, spec)| Tensor::from_data(spec.shape.clone(), data)).collect()
}
