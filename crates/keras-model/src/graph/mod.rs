//! The calls of a model's layers and the tensors between them.

mod nodes;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use serde_json::Value;

use nodes::{Key, Key2, ends, inputs};

use crate::{Arg, Error, Inputs, KerasTensor, Kind, Layer, Result};

/// An output of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct TensorRef {
    /// Index into [`Graph::nodes`].
    pub node: usize,
    /// Which of its outputs.
    pub index: usize,
}

/// One call of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node {
    /// Index into the model's layers.
    pub layer: usize,
    /// What it is called with.
    pub inputs: Inputs<TensorRef>,
    /// What the file says of its outputs, by their index (Keras 3 writes it where they are used).
    pub declared: BTreeMap<usize, KerasTensor>,
}

/// All calls, each after those it depends on.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Graph {
    /// The calls.
    pub nodes: Vec<Node>,
    /// The tensors that enter, flattened as Keras flattens.
    pub inputs: Vec<TensorRef>,
    /// The same, nested as the caller gives them.
    pub input_structure: Vec<Arg<TensorRef>>,
    /// The tensors that leave, nested as the model gives them.
    pub outputs: Vec<Arg<TensorRef>>,
}

/// The tensors of one call of a whole model.
#[derive(Clone, Debug, Default)]
pub struct Inferred {
    /// Outputs of each node; `None` where they are not known.
    pub tensors: Vec<Option<Vec<KerasTensor>>>,
    first_calls: HashMap<usize, Inputs>,
    last_calls: HashMap<usize, Inputs>,
    /// Why a node's outputs are not known: layers that do not fit, in order.
    pub failures: Vec<(usize, String)>,
}

impl Inferred {
    /// What the layer was first called with, if that is known.
    pub fn first_call(&self, layer: usize) -> Option<&Inputs> {
        self.first_calls.get(&layer)
    }

    /// What the layer was last called with, if that is known.
    pub fn last_call(&self, layer: usize) -> Option<&Inputs> {
        self.last_calls.get(&layer).or_else(|| self.first_call(layer))
    }

    /// The tensor behind a reference, if known.
    pub fn tensor(&self, reference: TensorRef) -> Option<&KerasTensor> {
        self.tensors.get(reference.node)?.as_ref()?.get(reference.index)
    }

    /// The outputs of the model, flattened, if all are known.
    pub fn outputs(&self, graph: &Graph) -> Option<Vec<KerasTensor>> {
        let mut flat = Vec::new();
        graph.outputs.iter().for_each(|a| a.tensors(&mut flat));
        flat.into_iter().map(|t| self.tensor(*t).cloned()).collect()
    }
}

/// How far a walk through the graph has got with a node.
#[derive(Clone, Copy)]
enum Visit {
    New,
    Open,
    Done,
}

impl Node {
    /// The tensors it is called with, flattened as Keras flattens: keyword arguments by name.
    fn sources(&self) -> Vec<TensorRef> {
        let mut all = Vec::new();
        self.inputs.args.iter().for_each(|arg| arg.tensors(&mut all));
        let mut named: Vec<_> = self.inputs.kwargs.iter().collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        named.iter().for_each(|(_, arg)| arg.tensors(&mut all));
        all.into_iter().copied().collect()
    }
}

impl Graph {
    /// With inputs that stand side by side.
    pub(crate) fn new(
        nodes: Vec<Node>,
        inputs: Vec<TensorRef>,
        outputs: Vec<Arg<TensorRef>>,
    ) -> Self {
        let input_structure = inputs.iter().copied().map(Arg::Tensor).collect();
        Self { nodes, inputs, input_structure, outputs }
    }

    /// Layers one after the other.
    pub fn row(layers: &[Layer]) -> Self {
        let mut nodes: Vec<Node> = Vec::with_capacity(layers.len());
        for layer in 0..layers.len() {
            let inputs = match nodes.len().checked_sub(1) {
                Some(node) => Inputs::one(TensorRef { node, index: 0 }),
                None => Inputs::default(),
            };
            nodes.push(Node { layer, inputs, declared: BTreeMap::new() });
        }
        let end = nodes.len().checked_sub(1).map(|node| Arg::Tensor(TensorRef { node, index: 0 }));
        let inputs = if nodes.is_empty() { vec![] } else { vec![TensorRef { node: 0, index: 0 }] };
        Self::new(nodes, inputs, end.into_iter().collect())
    }

    /// From the nodes of a functional config in Keras 3's form.
    ///
    /// # Errors
    /// [`Error::Config`] for a reference to nothing or a cycle.
    pub(crate) fn from_config(config: &Value, objects: &[Value], layers: &[Layer]) -> Result<Self> {
        let mut calls: Vec<(usize, Key, Inputs<Key2>)> = Vec::new();
        for (i, (object, layer)) in objects.iter().zip(layers).enumerate() {
            let name = &layer.base.name;
            let nodes = object.get("inbound_nodes").and_then(Value::as_array);
            let nodes = nodes.map(Vec::as_slice).unwrap_or_default();
            if nodes.is_empty() {
                calls.push((i, (name.clone(), 0), Inputs::default()));
            }
            for (n, node) in nodes.iter().enumerate() {
                calls.push((i, (name.clone(), n as u64), inputs(node, name)?));
            }
        }
        let order = sort(&calls)?;
        let position: HashMap<&Key, usize> =
            order.iter().enumerate().filter_map(|(at, c)| Some((&calls.get(*c)?.1, at))).collect();
        let find = |key: &Key, index: u64| {
            let node = position.get(key).copied();
            let node = node.ok_or_else(|| {
                Error::config(&key.0, format!("call {} is referred to but not there", key.1))
            })?;
            Ok(TensorRef { node, index: usize::try_from(index).unwrap_or(usize::MAX) })
        };
        let mut declared: HashMap<TensorRef, KerasTensor> = HashMap::new();
        let mut nodes = Vec::with_capacity(calls.len());
        for at in &order {
            let Some((layer, _, inputs)) = calls.get(*at) else { continue };
            let inputs = inputs.map(&mut |(key, index, tensor): &Key2| {
                let reference = find(key, *index)?;
                if let Some(tensor) = tensor {
                    declared.insert(reference, tensor.clone());
                }
                Ok::<_, Error>(reference)
            })?;
            nodes.push(Node { layer: *layer, inputs, declared: BTreeMap::new() });
        }
        for (reference, tensor) in declared {
            if let Some(node) = nodes.get_mut(reference.node) {
                node.declared.insert(reference.index, tensor);
            }
        }
        let end = |key: &str| -> Result<Vec<Arg<TensorRef>>> {
            let value = config.get(key).unwrap_or(&Value::Null);
            let arg = ends(value).map(&mut |(key, index)| find(key, *index))?;
            Ok(match arg {
                Arg::List(items) => items,
                Arg::Value(_) => Vec::new(),
                other => vec![other],
            })
        };
        let mut flat = Vec::new();
        let input_structure = end("input_layers")?;
        input_structure.iter().for_each(|a| a.tensors(&mut flat));
        let inputs = flat.into_iter().copied().collect();
        Ok(Self { nodes, inputs, input_structure, outputs: end("output_layers")? })
    }

    /// The layers in the order in which Keras 3 lists them, from the inputs to the outputs: by this
    /// order it finds their weights. Source: `map_graph` of `keras/src/ops/function.py`, Keras 3.15.
    pub(crate) fn order(&self, layers: &[Layer]) -> Vec<usize> {
        // Depth first from the outputs: nodes behind those they depend on, layers as they are met.
        let mut met: Vec<Option<usize>> = vec![None; layers.len()];
        let mut count = 0_usize;
        let mut state = vec![Visit::New; self.nodes.len()];
        let mut finished = Vec::with_capacity(self.nodes.len());
        let mut outputs = Vec::new();
        self.outputs.iter().for_each(|arg| arg.tensors(&mut outputs));
        let mut stack: Vec<usize> = outputs.iter().rev().map(|tensor| tensor.node).collect();
        while let Some(at) = stack.pop() {
            let (Some(node), Some(visit)) = (self.nodes.get(at), state.get_mut(at)) else {
                continue;
            };
            match visit {
                Visit::Done => {}
                Visit::Open => {
                    *visit = Visit::Done;
                    finished.push(at);
                }
                Visit::New => {
                    *visit = Visit::Open;
                    if let Some(index @ None) = met.get_mut(node.layer) {
                        *index = Some(count);
                        count = count.saturating_add(1);
                    }
                    stack.push(at);
                    stack.extend(node.sources().iter().rev().map(|tensor| tensor.node));
                }
            }
        }
        // How far each node is from the outputs; all nodes of a layer are as far as the farthest.
        let mut node_depths = vec![0_usize; self.nodes.len()];
        let mut layer_depths: Vec<Option<usize>> = vec![None; layers.len()];
        for at in finished.iter().rev() {
            let Some(node) = self.nodes.get(*at) else { continue };
            let Some(layer) = layer_depths.get_mut(node.layer) else { continue };
            let own = node_depths.get(*at).copied().unwrap_or(0);
            let depth = own.max(layer.unwrap_or(0));
            *layer = Some(depth);
            for source in node.sources() {
                if let Some(before) = node_depths.get_mut(source.node) {
                    *before = depth.saturating_add(1).max(*before);
                }
            }
        }
        let mut order: Vec<usize> = (0..layers.len()).collect();
        // Inputs that lead nowhere come before all others that are as near.
        order.sort_by_key(|at| {
            let depth = layer_depths.get(*at).copied().flatten().unwrap_or(0);
            (std::cmp::Reverse(depth), met.get(*at).copied().flatten())
        });
        order
    }

    /// The shapes of every tensor. Without `inputs` the model's input layers say theirs.
    pub fn infer(&self, layers: &[Layer], inputs: Option<&Inputs>) -> Result<Inferred> {
        let mut out = Inferred::default();
        let given: Vec<&KerasTensor> = inputs.map(Inputs::tensors).unwrap_or_default();
        for (at, node) in self.nodes.iter().enumerate() {
            let Some(layer) = layers.get(node.layer) else { continue };
            let fed = self.inputs.iter().position(|i| i.node == at).and_then(|i| given.get(i));
            if let Some(tensor) = fed
                && matches!(layer.kind, Kind::InputLayer(_))
            {
                out.tensors.push(Some(vec![(*tensor).clone()]));
                continue;
            }
            let mut call = node.inputs.map(&mut |t| out.tensor(*t).cloned().ok_or(()));
            // A Sequential without an input layer: its first layer takes what the model is given.
            if node.inputs == Inputs::default()
                && !matches!(layer.kind, Kind::InputLayer(_))
                && let Some(inputs) = inputs
            {
                call = Ok(inputs.clone());
            }
            // A row that never saw an input has not been built: nothing is known, nothing is wrong.
            let unbuilt = node.inputs == Inputs::default()
                && inputs.is_none()
                && !matches!(layer.kind, Kind::InputLayer(_) | Kind::Operation(_));
            let Some(call) = call.ok().filter(|_| !unbuilt) else {
                out.tensors.push(declared(node));
                continue;
            };
            match layer.output(&call) {
                Ok(tensors) => out.tensors.push(Some(tensors)),
                Err(error) => {
                    if !matches!(error, Error::NoShape { .. }) {
                        out.failures.push((node.layer, error.to_string()));
                    }
                    out.tensors.push(declared(node));
                }
            }
            match out.first_calls.entry(node.layer) {
                Entry::Vacant(first) => {
                    first.insert(call);
                }
                Entry::Occupied(_) => {
                    out.last_calls.insert(node.layer, call);
                }
            }
        }
        Ok(out)
    }
}

/// What the file itself says of a node's outputs, if it says all up to the last that is used.
fn declared(node: &Node) -> Option<Vec<KerasTensor>> {
    let all: Vec<KerasTensor> = node.declared.values().cloned().collect();
    let complete = node.declared.keys().copied().eq(0..all.len());
    (complete && !all.is_empty()).then_some(all)
}

/// The calls in an order where each comes after those it depends on; the file's order otherwise.
fn sort(calls: &[(usize, Key, Inputs<Key2>)]) -> Result<Vec<usize>> {
    let by_key: HashMap<&Key, usize> = calls.iter().enumerate().map(|(i, c)| (&c.1, i)).collect();
    let mut waiting: Vec<usize> = Vec::with_capacity(calls.len());
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); calls.len()];
    for (i, (_, _, inputs)) in calls.iter().enumerate() {
        let mut count = 0_usize;
        for (key, ..) in inputs.dependencies() {
            let from = by_key.get(key).copied();
            let from = from.ok_or_else(|| {
                Error::config(&key.0, format!("call {} is referred to but not there", key.1))
            })?;
            if let Some(list) = users.get_mut(from) {
                list.push(i);
            }
            count = count.saturating_add(1);
        }
        waiting.push(count);
    }
    let mut ready: std::collections::BTreeSet<usize> =
        waiting.iter().enumerate().filter(|(_, n)| **n == 0).map(|(i, _)| i).collect();
    let mut order = Vec::with_capacity(calls.len());
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for user in users.get(next).into_iter().flatten() {
            if let Some(n) = waiting.get_mut(*user) {
                *n = n.saturating_sub(1);
                if *n == 0 {
                    ready.insert(*user);
                }
            }
        }
    }
    if order.len() < calls.len() {
        let stuck = waiting.iter().position(|n| *n > 0).and_then(|i| calls.get(i));
        let name = stuck.map_or("", |c| c.1.0.as_str());
        return Err(Error::config(name, "the graph has a cycle"));
    }
    Ok(order)
}
