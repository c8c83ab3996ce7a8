//! The graph of operations that a model is lowered to, for given shapes of its inputs, and what
//! builds it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use keras_model::variables::{VariableSpec, Variables};
use keras_model::{Base, DType, Inputs, KerasTensor, Layer};

use crate::evaluate::{Evaluation, compute};
use crate::ops::{Cast, Op, Spec, Types, size};
use crate::tensor::{Slice, View};
use crate::weights::{Weights, storable};
use crate::writer::Writer;
use crate::{Error, Limits, Result, Tensor};

/// A value of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Value(pub(crate) usize);

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The caller.
    Input(usize),
    /// The model.
    Constant(Arc<Constant>),
    /// An operation.
    Node,
}

/// A constant: computed, or in the mapped file.
#[derive(Debug)]
pub(crate) enum Constant {
    Tensor(Tensor),
    /// `f32` as it lies in the file, aligned.
    Mapped {
        shape: Vec<usize>,
        bytes: Bytes,
    },
    /// Nothing but a shape: the numbers are in the operation that uses them.
    Packed {
        shape: Vec<usize>,
    },
}

impl Constant {
    pub(crate) fn view(&self) -> View<'_> {
        match self {
            Self::Tensor(tensor) => tensor.view(),
            Self::Mapped { shape, bytes } => {
                View { shape, data: Slice::Float32(bytemuck::cast_slice(bytes)) }
            }
            Self::Packed { shape } => View { shape, data: Slice::Float32(&[]) },
        }
    }
}

/// A node: an operation with its inputs and outputs.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<Value>,
}

/// Operations in an order in which each comes after those it depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) specs: Vec<Spec>,
    pub(crate) sources: Vec<Source>,
    pub(crate) outputs: Vec<Value>,
}

impl Graph {
    pub(crate) fn constant(&self, value: Value) -> Option<&Arc<Constant>> {
        match self.sources.get(value.0) {
            Some(Source::Constant(constant)) => Some(constant),
            _ => None,
        }
    }
}

/// A layer that is being lowered.
#[derive(Clone, Debug)]
struct Scope {
    /// Names from the outside in: where its weights are.
    path: String,
    base: Base,
    /// Whether it is called with `training=True`.
    training: bool,
}

/// What a plan takes beside the inputs of the model, in this order behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extra {
    /// The seed of all random numbers: `int64` without axes.
    Seed,
    /// A state that a layer keeps from one call to the next; the plan gives its new value behind
    /// the outputs of the model.
    State { layer: String, index: usize, spec: Spec },
    /// A weight as it is when the plan runs: its place among all, and the type it is taken in.
    Weight(usize, DType),
    /// What reaches an output of the model, by the number of the output.
    Upstream(usize),
}

/// Builds a [`Graph`]: shapes and types are known as soon as a node is added, and what depends on
/// constants only is computed at once.
pub(crate) struct Builder<'m> {
    pub(crate) graph: Graph,
    weights: &'m Weights,
    limits: Limits,
    scopes: Vec<Scope>,
    masks: HashMap<Value, Value>,
    /// What chances are the sigmoid or softmax of.
    logits: HashMap<Value, Value>,
    /// The imaginary parts of complex values.
    imaginary: HashMap<Value, Value>,
    /// How many inputs there are, extra ones included.
    inputs: usize,
    extras: Vec<(Extra, Value)>,
    /// Streams of random numbers that are taken.
    streams: u64,
    /// Noise that a loop uses again, by layer and name.
    noise: HashMap<(String, (&'static str, usize)), Value>,
    /// Weights that stand for those in the file, by layer and name.
    replaced: HashMap<(String, String), Value>,
    /// Bytes of the constants that were computed.
    computed: u64,
    /// The inputs with their elements, if shapes may depend on them.
    given: Option<RefCell<Evaluation<'m>>>,
    /// Whether something had to know values, and did not.
    is_in_need: Cell<bool>,
    /// Weights before there are any: a trial to see what comes out.
    trial: Option<Trial>,
    /// What gradients are wanted of, if any are.
    wrt: Option<Wrt>,
    /// New values of weights that layers set themselves, by their places.
    assigned: Vec<(usize, Value)>,
    /// Whether what depends on constants only stays in the graph, with its gradient.
    keeps_all: bool,
    /// Which inputs of the node whose gradient is being made want theirs.
    pub(crate) wanted: Vec<bool>,
    /// The first outputs of layers whose gradients are wanted.
    layers: Vec<(String, Value)>,
    /// What layers add to the loss, if that is wanted.
    losses: Option<Vec<Value>>,
}

/// What gradients are wanted of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrt {
    /// The inputs of the model.
    pub(crate) inputs: bool,
    /// The trainable weights.
    pub(crate) weights: bool,
    /// The outputs of layers, by their names from the outside in.
    pub(crate) layers: Vec<String>,
}

/// Weights of which only shape and type are known, by layer, and what each layer that is called
/// needs, in the order of the calls.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    weights: Vec<(String, VariableSpec)>,
    pub(crate) layers: Vec<(String, Variables)>,
}

impl Trial {
    /// Those of a layer at that path and of the layers in it.
    fn add(&mut self, path: &str, variables: &Variables) {
        self.weights.extend(variables.own.iter().map(|spec| (path.to_owned(), spec.clone())));
        for inner in &variables.sublayers {
            self.add(&format!("{path}/{}", inner.name), &inner.variables);
        }
    }

    fn find(&self, layer: &str, name: &str) -> Option<&VariableSpec> {
        self.weights.iter().find(|(l, v)| l == layer && v.name == name).map(|(_, v)| v)
    }
}

/// Elements of a result from which on it is not computed ahead, unless its inputs are as large.
const LARGE: usize = 1 << 16;

impl<'m> Builder<'m> {
    pub(crate) fn new(weights: &'m Weights, limits: Limits) -> Self {
        Self {
            graph: Graph::default(),
            weights,
            limits,
            scopes: Vec::new(),
            masks: HashMap::new(),
            logits: HashMap::new(),
            imaginary: HashMap::new(),
            inputs: 0,
            extras: Vec::new(),
            streams: 0,
            noise: HashMap::new(),
            replaced: HashMap::new(),
            computed: 0,
            given: None,
            is_in_need: Cell::new(false),
            trial: None,
            wrt: None,
            assigned: Vec::new(),
            keeps_all: false,
            wanted: Vec::new(),
            layers: Vec::new(),
            losses: None,
        }
    }

    /// Makes the graph one for these inputs alone: shapes may depend on their values.
    pub(crate) fn give(&mut self, inputs: Vec<&'m Tensor>) {
        self.given = Some(RefCell::new(Evaluation::of(inputs)));
    }

    /// Whether building failed because a shape depends on the values of the inputs.
    pub(crate) fn is_in_need(&self) -> bool {
        self.is_in_need.get()
    }

    /// The elements of a value on which a shape depends. Where they are not known, the graph can be
    /// built for inputs that are [given](Self::give) only.
    pub(crate) fn needed(&self, value: Value, what: &str) -> Result<Tensor> {
        if let Some(known) = self.known(value) {
            return Ok(known.to_tensor());
        }
        let found = match &self.given {
            Some(given) => given.borrow_mut().value(&self.graph, value, &self.limits)?,
            None => None,
        };
        found.ok_or_else(|| {
            self.is_in_need.set(true);
            self.unsupported(format!("a {what} that depends on the values"))
        })
    }

    /// A builder for a trial call of a layer with these variables.
    pub(crate) fn for_trial(weights: &'m Weights, base: &Base, variables: &[VariableSpec]) -> Self {
        let mut trial = Trial::default();
        trial.add(&base.name, &Variables::of(variables.to_vec()));
        let mut builder = Self { trial: Some(trial), ..Self::new(weights, Limits::default()) };
        builder.enter(base);
        builder
    }

    /// In a trial, the variables of a layer that is about to be called.
    pub(crate) fn try_layer(&mut self, layer: &Layer, inputs: &Inputs<Value>) -> Result<()> {
        if self.trial.is_none() {
            return Ok(());
        }
        let inputs = inputs.map(&mut |value: &Value| {
            Ok::<_, Error>(KerasTensor::new(self.shape(*value), self.dtype(*value)))
        })?;
        let variables = layer.variables(&inputs)?;
        let path = format!("{}/{}", self.path(), layer.base.name);
        if let Some(trial) = &mut self.trial
            && trial.layers.iter().all(|(name, _)| *name != layer.base.name)
        {
            trial.add(&path, &variables);
            trial.layers.push((layer.base.name.clone(), variables));
        }
        Ok(())
    }

    /// What a trial found.
    pub(crate) fn tried(self) -> Vec<(String, Variables)> {
        self.trial.map(|trial| trial.layers).unwrap_or_default()
    }

    /// A builder of a graph that is to have gradients.
    pub(crate) fn differentiating(weights: &'m Weights, limits: Limits, wrt: Wrt) -> Self {
        Self { wrt: Some(wrt), ..Self::new(weights, limits) }
    }

    /// Whether the graph is to have gradients.
    pub(crate) fn differentiates(&self) -> bool {
        self.wrt.is_some() || self.keeps_all
    }

    /// Runs `build` with gradients for what it adds, whose constants may stand for anything.
    pub(crate) fn with_gradients<T>(
        &mut self,
        build: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let outer = std::mem::replace(&mut self.keeps_all, true);
        let built = build(self);
        self.keeps_all = outer;
        built
    }

    /// Keeps what layers add to the loss from now on.
    pub(crate) fn collect_losses(&mut self) {
        self.losses = Some(Vec::new());
    }

    /// Whether what layers add to the loss is wanted.
    pub(crate) fn collects_losses(&self) -> bool {
        self.losses.is_some()
    }

    /// Adds the sum of a tensor to the loss, if that is wanted: `Layer.add_loss`.
    pub(crate) fn add_loss(&mut self, loss: Value) -> Result<()> {
        if self.collects_losses() {
            let axes: Vec<usize> = (0..self.rank(loss)).collect();
            let loss = self.cast(loss, DType::Float32)?;
            let loss = self.sum(loss, &axes, false)?;
            self.losses.get_or_insert_default().push(loss);
        }
        Ok(())
    }

    /// A weight of the current layer that a step sets: as it is when the plan runs, or as a call before
    /// set it.
    pub(crate) fn variable(&mut self, name: &str) -> Result<Value> {
        let path = self.path().to_owned();
        let key = (path, name.to_owned());
        if let Some(value) = self.replaced.get(&key) {
            return Ok(*value);
        }
        let place = self.weights.place(&key.0, name);
        let Some((place, weight)) = place.filter(|_| self.collects_losses()) else {
            return self.weight_of(&key.0, name);
        };
        let (shape, dtype) = (&weight.shape, storable(weight.dtype));
        self.check_value("weight", shape, dtype)?;
        Ok(self.extra(Extra::Weight(place, dtype), shape, dtype))
    }

    /// Sets a weight of the current layer behind a step of training: `variable.assign(value)`.
    pub(crate) fn assign(&mut self, name: &str, value: Value) -> Result<()> {
        let path = self.path().to_owned();
        let Some((place, weight)) = self.weights.place(&path, name) else { return Ok(()) };
        if !self.collects_losses() {
            return Ok(());
        }
        let value = self.cast(value, storable(weight.dtype))?;
        let value = self.reshape(value, weight.shape.as_slice())?;
        self.assigned.retain(|(known, _)| *known != place);
        self.assigned.push((place, value));
        // Another call of the same layer goes on from here.
        self.replaced.insert((path, name.to_owned()), value);
        Ok(())
    }

    /// What layers set weights to.
    pub(crate) fn take_assigned(&mut self) -> Vec<(usize, Value)> {
        std::mem::take(&mut self.assigned)
    }

    /// What layers added to the loss: numbers without axes, `float32`.
    pub(crate) fn take_losses(&mut self) -> Vec<Value> {
        self.losses.take().unwrap_or_default()
    }

    /// All that was built until now; an empty one stays.
    pub(crate) fn take(&mut self) -> Self {
        let empty = Self::new(self.weights, self.limits);
        std::mem::replace(self, empty)
    }

    fn value(&mut self, spec: Spec, source: Source) -> Value {
        self.graph.specs.push(spec);
        self.graph.sources.push(source);
        Value(self.graph.specs.len() - 1)
    }

    /// The next input of the whole model.
    pub(crate) fn input(&mut self, shape: &[usize], dtype: DType) -> Value {
        self.inputs += 1;
        self.value(Spec::new(shape, dtype), Source::Input(self.inputs - 1))
    }

    /// The seed of the random numbers of a run.
    pub(crate) fn seed(&mut self) -> Value {
        self.extra(Extra::Seed, &[], DType::Int64)
    }

    /// A stream of random numbers that no other operation has.
    pub(crate) fn next_stream(&mut self) -> u64 {
        self.streams += 1;
        self.streams - 1
    }

    /// Something that the plan takes beside the inputs of the model.
    fn extra(&mut self, extra: Extra, shape: &[usize], dtype: DType) -> Value {
        if let Some((_, value)) = self.extras.iter().find(|(known, _)| *known == extra) {
            return *value;
        }
        let value = self.input(shape, dtype);
        self.extras.push((extra, value));
        value
    }

    /// What reaches output `number` of the model.
    pub(crate) fn upstream(&mut self, number: usize, output: Value) -> Value {
        let spec = self.spec(output).clone();
        self.extra(Extra::Upstream(number), &spec.shape, spec.dtype)
    }

    /// Remembers the output of the current layer, if its gradient is wanted.
    pub(crate) fn note_output(&mut self, output: Value) {
        let path = self.path().to_owned();
        let is_wanted = self.wrt.as_ref().is_some_and(|wrt| wrt.layers.contains(&path));
        if is_wanted && self.layer_output(&path).is_none() {
            self.layers.push((path, output));
        }
    }

    /// The output of a layer whose gradient is wanted: that of its first call.
    pub(crate) fn layer_output(&self, path: &str) -> Option<Value> {
        self.layers.iter().find(|(layer, _)| layer == path).map(|(_, value)| *value)
    }

    /// The weights that the graph takes as they are when it runs: their places and values.
    pub(crate) fn variables(&self) -> Vec<(usize, Value)> {
        let variables = self.extras.iter().filter_map(|(extra, value)| match extra {
            Extra::Weight(place, _) => Some((*place, *value)),
            _ => None,
        });
        variables.collect()
    }

    fn own_state(&mut self, index: usize) -> Option<&mut (Extra, Value)> {
        let path = self.path().to_owned();
        self.extras.iter_mut().find(
            |(e, _)| matches!(e, Extra::State { layer, index: i, .. } if *layer == path && *i == index),
        )
    }

    /// A state of the current layer as the call before left it; zeros before the first.
    pub(crate) fn state(&mut self, index: usize, shape: &[usize], dtype: DType) -> Result<Value> {
        if let Some((_, value)) = self.own_state(index) {
            return Ok(*value);
        }
        self.check_value("state", shape, dtype)?;
        let (layer, spec) = (self.path().to_owned(), Spec::new(shape, dtype));
        let value = self.input(shape, dtype);
        self.extras.push((Extra::State { layer, index, spec }, value));
        Ok(value)
    }

    /// What the next call finds as that state of the current layer.
    pub(crate) fn keep_state(&mut self, index: usize, value: Value) -> Result<()> {
        let spec = self.spec(value).clone();
        self.state(index, &spec.shape, spec.dtype)?;
        if let Some((_, state)) = self.own_state(index) {
            *state = value;
        }
        Ok(())
    }

    /// Noise of the current layer that is the same in all steps of a loop: made at the first.
    pub(crate) fn noise(
        &mut self,
        name: (&'static str, usize),
        make: impl FnOnce(&mut Self) -> Result<Value>,
    ) -> Result<Value> {
        let key = (self.path().to_owned(), name);
        if let Some(value) = self.noise.get(&key) {
            return Ok(*value);
        }
        let value = make(self)?;
        self.noise.insert(key, value);
        Ok(value)
    }

    /// A new loop: the current layer and those in it make new noise.
    pub(crate) fn forget_noise(&mut self) {
        let path = self.path().to_owned();
        self.noise.retain(|(layer, _), _| !layer.starts_with(&path));
    }

    /// The graph with these outputs, and what it takes beside the inputs of the model. Behind the
    /// outputs stand the states' new values.
    pub(crate) fn finish(self, outputs: Vec<Value>) -> (Graph, Vec<Extra>) {
        let mut graph = self.graph;
        // What a gradient went to instead needs not be computed for that.
        for node in &mut graph.nodes {
            if matches!(node.op, Op::StopGradient(_)) {
                node.inputs.truncate(1);
            }
        }
        graph.outputs = outputs;
        let states = self.extras.iter().filter(|(e, _)| matches!(e, Extra::State { .. }));
        graph.outputs.extend(states.map(|(_, value)| *value));
        (graph, self.extras.into_iter().map(|(extra, _)| extra).collect())
    }

    /// A constant.
    pub(crate) fn constant(&mut self, tensor: Tensor) -> Value {
        self.shared(Arc::new(Constant::Tensor(tensor)))
    }

    fn shared(&mut self, constant: Arc<Constant>) -> Value {
        let view = constant.view();
        let spec = Spec::new(view.shape, view.data.dtype());
        self.value(spec, Source::Constant(constant))
    }

    /// The value of a constant, if it is one.
    pub(crate) fn known(&self, value: Value) -> Option<View<'_>> {
        self.graph.constant(value).map(|c| c.view())
    }

    #[allow(clippy::indexing_slicing, reason = "values are made here only, with their specs")]
    pub(crate) fn spec(&self, value: Value) -> &Spec {
        &self.graph.specs[value.0]
    }

    pub(crate) fn shape(&self, value: Value) -> &[usize] {
        &self.spec(value).shape
    }

    pub(crate) fn dtype(&self, value: Value) -> DType {
        self.spec(value).dtype
    }

    pub(crate) fn rank(&self, value: Value) -> usize {
        self.shape(value).len()
    }

    /// The implicit mask of a value.
    pub(crate) fn mask(&self, value: Value) -> Option<Value> {
        self.masks.get(&value).copied()
    }

    /// Gives a value a mask, or takes it away.
    pub(crate) fn set_mask(&mut self, value: Value, mask: Option<Value>) {
        match mask {
            Some(mask) => self.masks.insert(value, mask),
            None => self.masks.remove(&value),
        };
    }

    /// What a value is the sigmoid or softmax of, if it is one: cross-entropies start from there.
    pub(crate) fn logits(&self, value: Value) -> Option<Value> {
        self.logits.get(&value).copied()
    }

    /// Remembers what a value is the sigmoid or softmax of.
    pub(crate) fn set_logits(&mut self, value: Value, logits: Option<Value>) {
        if let Some(logits) = logits {
            self.logits.insert(value, logits);
        }
    }

    /// The imaginary part of a value that is complex; the value itself is the real part.
    pub(crate) fn imaginary(&self, value: Value) -> Option<Value> {
        self.imaginary.get(&value).copied()
    }

    /// Makes a value complex.
    pub(crate) fn set_imaginary(&mut self, value: Value, imaginary: Value) {
        self.imaginary.insert(value, imaginary);
    }

    /// Adds a node with one output.
    pub(crate) fn op(&mut self, op: impl Into<Op>, inputs: &[Value]) -> Result<Value> {
        let op = op.into();
        let name = op.name();
        let outputs = self.ops(op, inputs)?;
        outputs.first().copied().ok_or_else(|| Error::op(name, "has no output"))
    }

    /// Adds a node.
    pub(crate) fn ops(&mut self, op: impl Into<Op>, inputs: &[Value]) -> Result<Vec<Value>> {
        let op = op.into();
        // What it cannot compute in is cast, and the result cast back.
        let mut back = None;
        let mut cast = Vec::with_capacity(inputs.len());
        for input in inputs {
            let from = self.dtype(*input);
            let to = match (op.types(), from) {
                (Types::Any, _)
                | (_, DType::Bool | DType::String | DType::Float32 | DType::Float64)
                | (Types::Numbers, DType::Int64) => from,
                (_, DType::Float16 | DType::BFloat16) | (Types::Floats, _) => DType::Float32,
                (Types::Numbers, _) => DType::Int64,
            };
            if to == from {
                cast.push(*input);
            } else {
                if from.is_float() || op.types() == Types::Numbers {
                    back = back.or(Some((to, from)));
                }
                cast.push(self.node(Op::Cast(Cast { dtype: to }), &[*input])?.remove(0));
            }
        }
        let outputs = self.node(op, &cast)?;
        let Some((from, to)) = back else { return Ok(outputs) };
        let restore = |value: Value| {
            if self.dtype(value) == from {
                Ok(self.node(Op::Cast(Cast { dtype: to }), &[value])?.remove(0))
            } else {
                Ok(value)
            }
        };
        outputs.into_iter().map(restore).collect()
    }

    fn node(&mut self, op: Op, inputs: &[Value]) -> Result<Vec<Value>> {
        let specs: Vec<Spec> = inputs.iter().map(|v| self.spec(*v).clone()).collect();
        let outputs = op.output(&specs)?;
        for spec in &outputs {
            self.check_value(op.name(), &spec.shape, spec.dtype)?;
        }
        self.limits.check_operations(self.graph.specs.len())?;
        if !self.keeps_all
            && let Some(values) = self.fold(&op, inputs, &outputs)?
        {
            return Ok(values);
        }
        let outputs = outputs.into_iter().map(|s| self.value(s, Source::Node)).collect();
        self.graph.nodes.push(Node { op, inputs: inputs.to_vec(), outputs });
        Ok(self.graph.nodes.last().map(|n| n.outputs.clone()).unwrap_or_default())
    }

    /// Whether the graph may have so many operations more.
    pub(crate) fn check_operations(&self, more: usize) -> Result<()> {
        self.limits.check_operations(self.graph.specs.len().saturating_add(more))
    }

    /// Whether a value of that size may be: asked before its elements are made.
    pub(crate) fn check_value(&self, what: &str, shape: &[usize], dtype: DType) -> Result<()> {
        let bytes = bytes(shape, dtype);
        if bytes.is_some_and(|b| b <= self.limits.memory) {
            return Ok(());
        }
        self.limits.check_memory(&format!("{:?}: {what} of shape {shape:?}", self.path()), bytes)
    }

    /// The results, if all inputs are constants and it pays to compute them now.
    fn fold(&mut self, op: &Op, inputs: &[Value], outputs: &[Spec]) -> Result<Option<Vec<Value>>> {
        let constants: Option<Vec<_>> =
            inputs.iter().map(|v| self.graph.constant(*v).cloned()).collect();
        let Some(constants) = constants else { return Ok(None) };
        let elements: usize = outputs.iter().map(|s| size(&s.shape)).sum();
        let given: usize = inputs.iter().map(|v| size(self.shape(*v))).sum();
        if elements > LARGE.max(given) {
            return Ok(None);
        }
        let made = outputs.iter().filter_map(|s| bytes(&s.shape, s.dtype)).sum::<u64>();
        self.computed = self.computed.saturating_add(made);
        self.limits.check_memory("constants", Some(self.computed))?;
        let views: Vec<View<'_>> = constants.iter().map(|c| c.view()).collect();
        let tensors = compute(op, &views, outputs)?;
        Ok(Some(tensors.into_iter().map(|tensor| self.constant(tensor)).collect()))
    }

    /// Enters a layer: weights are looked for below its name from now on.
    pub(crate) fn enter(&mut self, base: &Base) {
        let path = match self.scopes.last() {
            Some(outer) if !outer.path.is_empty() => format!("{}/{}", outer.path, base.name),
            _ => base.name.clone(),
        };
        let training = self.training();
        self.scopes.push(Scope { path, base: base.clone(), training });
    }

    /// Enters the whole model, whose name is not part of its weights'.
    pub(crate) fn enter_root(&mut self, base: &Base, training: bool) {
        self.scopes.push(Scope { path: String::new(), base: base.clone(), training });
    }

    /// Whether the current layer is called with `training=True`.
    pub(crate) fn training(&self) -> bool {
        self.scopes.last().is_some_and(|s| s.training)
    }

    /// Says it for the current layer and those in it.
    pub(crate) fn set_training(&mut self, training: bool) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.training = training;
        }
    }

    /// Leaves the layer entered last.
    pub(crate) fn leave(&mut self) {
        self.scopes.pop();
    }

    /// Names of the current layer from the outside in.
    pub(crate) fn path(&self) -> &str {
        self.scopes.last().map_or("", |s| &s.path)
    }

    /// What the current layer has in common with all others.
    pub(crate) fn base(&self) -> Option<&Base> {
        self.scopes.last().map(|s| &s.base)
    }

    /// What the current layer computes in.
    pub(crate) fn compute(&self) -> DType {
        self.scopes.last().map_or(DType::Float32, |s| s.base.dtype.compute)
    }

    /// A weight of the current layer, in the layer's compute type.
    pub(crate) fn weight(&mut self, name: &str) -> Result<Value> {
        let value = self.stored_weight(name)?;
        let compute = self.compute();
        if self.dtype(value).is_float() { self.cast(value, compute) } else { Ok(value) }
    }

    /// A weight of the current layer as it is in the file.
    pub(crate) fn stored_weight(&mut self, name: &str) -> Result<Value> {
        let layer = self.path().to_owned();
        self.weight_of(&layer, name)
    }

    /// A weight of any layer as it is in the file.
    pub(crate) fn weight_of(&mut self, layer: &str, name: &str) -> Result<Value> {
        if let Some(spec) = self.trial.as_ref().and_then(|t| t.find(layer, name)) {
            let (shape, dtype) = (spec.shape.clone(), spec.dtype);
            return Ok(self.input(&shape, dtype));
        }
        if let Some(value) = self.replaced.get(&(layer.to_owned(), name.to_owned())) {
            return Ok(*value);
        }
        let is_wanted = self.wrt.as_ref().is_some_and(|wrt| wrt.weights);
        if let Some((place, weight)) = self.weights.trainable(layer, name)
            && is_wanted
        {
            let (shape, dtype) = (&weight.shape, storable(weight.dtype));
            self.check_value("weight", shape, dtype)?;
            return Ok(self.extra(Extra::Weight(place, dtype), shape, dtype));
        }
        match self.weights.find(layer, name, &self.limits)? {
            Some(constant) => Ok(self.shared(constant)),
            None => Err(self.error(format!("has no weight {name:?}: was the model ever built?"))),
        }
    }

    /// Another value for a weight of the current layer, from now on.
    pub(crate) fn replace_weight(&mut self, name: &str, value: Value) {
        self.replaced.insert((self.path().to_owned(), name.to_owned()), value);
    }

    /// Whether the current layer has that weight.
    pub(crate) fn has_weight(&self, name: &str) -> bool {
        self.weights.has(self.path(), name)
            || self.trial.as_ref().is_some_and(|t| t.find(self.path(), name).is_some())
    }

    /// Who wrote the file.
    pub(crate) fn writer(&self) -> Writer {
        self.weights.writer
    }

    /// Whether Keras 3 wrote the file: some rules are its own.
    pub(crate) fn is_keras3(&self) -> bool {
        self.writer().is_keras3()
    }

    /// The vocabulary of the current layer in the file's assets.
    pub(crate) fn vocabulary(&self) -> Option<&'m Bytes> {
        self.weights.vocabulary(self.path())
    }

    /// An error that names the current layer.
    pub(crate) fn error(&self, reason: impl Into<String>) -> Error {
        let class = self.scopes.last().map_or("Model", |s| &s.base.class);
        Error::Layer {
            layer: self.path().to_owned(),
            class: class.to_owned(),
            reason: reason.into(),
        }
    }

    /// An error that says what of the current layer is not supported.
    pub(crate) fn unsupported(&self, what: impl Into<String>) -> Error {
        let class = self.scopes.last().map_or("Model", |s| &s.base.class);
        Error::Unsupported {
            layer: self.path().to_owned(),
            class: class.to_owned(),
            what: what.into(),
        }
    }
}

/// Bytes of a value; `None` past what there are numbers for.
pub(crate) fn bytes(shape: &[usize], dtype: DType) -> Option<u64> {
    let elements = shape.iter().try_fold(1_u64, |n, d| n.checked_mul(*d as u64))?;
    elements.checked_mul(dtype.size().max(1) as u64)
}
