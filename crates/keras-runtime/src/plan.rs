//! A plan: the graph for one set of input shapes, ready to run. What is not needed is dropped,
//! weights are packed, and every value has its place in a few buffers that are used again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use keras_model::DType;
use smallvec::SmallVec;

use crate::fuse::fuse;
use crate::graph::{Constant, Graph, Node, Source, Value};
use crate::kernels::{PackedCache, parallel};
use crate::ops::{Op, Out, size};
use crate::tensor::{Data, View};
use crate::{Error, Result, Tensor};

/// Where a value is while the plan runs.
#[derive(Clone, Debug)]
enum Place {
    Input(usize),
    Constant(Arc<Constant>),
    Buffer(usize),
}

/// A value: its place and its shape.
#[derive(Clone, Debug)]
struct Operand {
    place: Place,
    shape: Vec<usize>,
}

#[derive(Debug)]
struct Step {
    op: Op,
    inputs: Vec<Operand>,
    /// Buffer and shape of each output.
    outputs: Vec<(usize, Vec<usize>)>,
}

impl Step {
    /// Multiplications, about: what decides whether threads pay.
    fn work(&self) -> usize {
        let of = |operand: Option<&Operand>| operand.map_or(0, |o| size(&o.shape));
        let results: usize = self.outputs.iter().map(|(_, shape)| size(shape)).sum();
        match &self.op {
            Op::MatMul(_) | Op::Conv(_) | Op::Recurrent(_) | Op::ConvTranspose(_) => {
                let columns = self.inputs.get(1).and_then(|w| w.shape.last()).map_or(1, |n| *n);
                results.saturating_mul(of(self.inputs.get(1)) / columns.max(1))
            }
            _ => results,
        }
    }
}

/// A buffer: its type and the most elements it has to hold.
#[derive(Clone, Copy, Debug)]
struct Buffer {
    dtype: DType,
    len: usize,
}

#[derive(Debug)]
pub(crate) struct Plan {
    steps: Vec<Step>,
    buffers: Vec<Buffer>,
    outputs: Vec<Operand>,
    /// Multiplications of one run, about.
    work: usize,
    /// Bytes of values that one run writes and reads, and of weights.
    traffic: [usize; 2],
    /// Memory of runs that are over, for the next ones.
    idle: Mutex<Vec<Vec<Data>>>,
}

impl Plan {
    pub(crate) fn new(graph: Graph, cache: &PackedCache, winograd: bool) -> Result<Self> {
        let mut graph = graph;
        drop_unused(&mut graph);
        fuse(&mut graph)?;
        pack(&mut graph, cache, winograd);
        let owners = owners(&graph);
        let last_use = last_use(&graph, &owners);
        let mut layout = Layout::default();
        let mut steps = Vec::with_capacity(graph.nodes.len());
        for (at, node) in graph.nodes.iter().enumerate() {
            if is_alias(&node.op) {
                continue;
            }
            let mut outputs = Vec::with_capacity(node.outputs.len());
            for output in &node.outputs {
                let spec = spec(&graph, *output)?;
                let buffer = layout.take(*output, spec.dtype, size(&spec.shape));
                outputs.push((buffer, spec.shape.clone()));
            }
            let inputs = node.inputs.iter().map(|v| layout.operand(&graph, &owners, *v));
            let inputs = inputs.collect::<Result<_>>()?;
            steps.push(Step { op: node.op.clone(), inputs, outputs });
            let values = node.inputs.iter().chain(&node.outputs).map(|v| owner(&owners, *v));
            for value in values {
                if last_use.get(value.0).is_none_or(|last| *last <= at) {
                    layout.give_back(value);
                }
            }
        }
        let outputs = graph.outputs.iter().map(|v| layout.operand(&graph, &owners, *v));
        let outputs = outputs.collect::<Result<_>>()?;
        let work = steps.iter().map(Step::work).sum();
        let traffic = traffic(&steps);
        let buffers = layout.buffers;
        Ok(Self { steps, buffers, outputs, work, traffic, idle: Mutex::default() })
    }

    /// How many of the rows this plan is for are better computed at once, if not all: so few that
    /// their values stay in the cache, and enough for the weights not to be read more than they.
    pub(crate) fn better_rows(&self, rows: usize) -> Option<usize> {
        let cache = CACHE * parallel::threads(usize::MAX);
        let row = usize::try_from(self.bytes()).ok()? / rows.max(1);
        let [values, weights] = self.traffic;
        let least = weights.saturating_mul(rows).div_ceil(values.max(1));
        let better = (cache / row.max(1)).max(least).max(1);
        (better < rows && better.saturating_mul(row) <= 2 * cache).then_some(better)
    }

    /// Memory of one run.
    pub(crate) fn bytes(&self) -> u64 {
        let buffer = |b: &Buffer| (b.len as u64).saturating_mul(b.dtype.size().max(1) as u64);
        self.buffers.iter().map(buffer).fold(0, u64::saturating_add)
    }

    /// The outputs for these inputs, whose shapes are those that the plan was made for.
    pub(crate) fn run(&self, inputs: &[View<'_>]) -> Result<Vec<Tensor>> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffers = match idle {
            Some(buffers) => buffers,
            None => self.allocate()?,
        };
        parallel::announce(self.work);
        let result = self.compute(inputs, &mut buffers);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        result
    }

    fn allocate(&self) -> Result<Vec<Data>> {
        let room = |b: &Buffer| {
            Data::room(b.dtype, b.len)
                .ok_or_else(|| Error::op("plan", format!("tensors of {} are unknown", b.dtype)))
        };
        self.buffers.iter().map(room).collect()
    }

    fn compute(&self, inputs: &[View<'_>], buffers: &mut [Data]) -> Result<Vec<Tensor>> {
        for step in &self.steps {
            // The outputs are taken out of the list, so that the inputs can be borrowed from it.
            let mut taken: SmallVec<[Data; 4]> = SmallVec::new();
            for (at, _) in &step.outputs {
                let nothing = Data::Bool(Vec::new());
                taken.push(
                    buffers.get_mut(*at).map_or(nothing, |buffer| {
                        std::mem::replace(buffer, Data::Bool(Vec::new()))
                    }),
                );
            }
            let done = run_step(step, inputs, buffers, &mut taken);
            for ((at, _), data) in step.outputs.iter().zip(taken) {
                if let Some(buffer) = buffers.get_mut(*at) {
                    *buffer = data;
                }
            }
            done?;
        }
        self.outputs.iter().map(|o| Ok(view(o, inputs, buffers)?.to_tensor())).collect()
    }
}

fn run_step(step: &Step, inputs: &[View<'_>], buffers: &[Data], taken: &mut [Data]) -> Result<()> {
    let views = step.inputs.iter().map(|o| view(o, inputs, buffers));
    let views: SmallVec<[View<'_>; 8]> = views.collect::<Result<_>>()?;
    let outputs = step.outputs.iter().zip(taken);
    let mut outputs: SmallVec<[Out<'_>; 4]> = outputs
        .map(|((_, shape), data)| Out { shape, data: data.aligned_mut(size(shape)) })
        .collect();
    step.op.forward(&views, &mut outputs)
}

fn view<'a>(operand: &'a Operand, inputs: &'a [View<'_>], buffers: &'a [Data]) -> Result<View<'a>> {
    let missing = || Error::op("plan", "a value has no place");
    let data = match &operand.place {
        Place::Input(at) => inputs.get(*at).ok_or_else(missing)?.data,
        Place::Constant(constant) => constant.view().data,
        Place::Buffer(at) => buffers.get(*at).ok_or_else(missing)?.aligned(size(&operand.shape)),
    };
    Ok(View { shape: &operand.shape, data })
}

fn spec(graph: &Graph, value: Value) -> Result<&crate::ops::Spec> {
    graph.specs.get(value.0).ok_or_else(|| Error::op("plan", "a value has no shape"))
}

/// Bytes of a thread's share of the last cache, about.
const CACHE: usize = 8 << 20;

/// Bytes of the values that the steps write and read, and of the constants among them.
fn traffic(steps: &[Step]) -> [usize; 2] {
    let sum = |shapes: &mut dyn Iterator<Item = &Vec<usize>>| {
        shapes.map(|shape| size(shape).saturating_mul(4)).fold(0, usize::saturating_add)
    };
    let inputs = || steps.iter().flat_map(|step| &step.inputs);
    let is_weight = |operand: &Operand| matches!(operand.place, Place::Constant(_));
    let outputs = steps.iter().flat_map(|step| &step.outputs).map(|(_, shape)| shape);
    let values = inputs().filter(|operand| !is_weight(operand)).map(|operand| &operand.shape);
    let weights = inputs().filter(|operand| is_weight(operand)).map(|operand| &operand.shape);
    [sum(&mut values.chain(outputs)), sum(&mut { weights })]
}

/// Drops nodes that no output needs.
fn drop_unused(graph: &mut Graph) {
    let mut used = vec![false; graph.specs.len()];
    let mut mark = |value: &Value| {
        if let Some(used) = used.get_mut(value.0) {
            *used = true;
        }
    };
    graph.outputs.iter().for_each(&mut mark);
    let mut keep = vec![false; graph.nodes.len()];
    for (node, keep) in graph.nodes.iter().zip(&mut keep).rev() {
        *keep = node.outputs.iter().any(|v| used.get(v.0).copied().unwrap_or(false));
        if *keep {
            for value in &node.inputs {
                if let Some(used) = used.get_mut(value.0) {
                    *used = true;
                }
            }
        }
    }
    let mut keep = keep.into_iter();
    graph.nodes.retain(|_| keep.next().unwrap_or(true));
}

/// Brings constant weights into the form that the inner loops read. What was computed for that only
/// is let go.
fn pack(graph: &mut Graph, cache: &PackedCache, winograd: bool) {
    let mut users = vec![0_usize; graph.specs.len()];
    for value in graph.nodes.iter().flat_map(|n| &n.inputs).chain(&graph.outputs) {
        if let Some(users) = users.get_mut(value.0) {
            *users += 1;
        }
    }
    let mut nodes = std::mem::take(&mut graph.nodes);
    for node in &mut nodes {
        let Node { op, inputs, outputs } = node;
        let Some(value) = inputs.get(1).copied() else { continue };
        let Some(constant) = graph.constant(value).cloned() else { continue };
        let shape = inputs.first().and_then(|v| graph.specs.get(v.0)).map(|s| s.shape.as_slice());
        let rows = match shape {
            Some([rows @ .., _]) => size(rows),
            _ => 0,
        };
        let packed = match op {
            Op::MatMul(op) => op.pack(cache, rows, constant.view()),
            Op::Conv(op) => {
                let output = outputs.first().and_then(|v| graph.specs.get(v.0));
                let output = output.filter(|_| winograd).map(|s| s.shape.as_slice());
                op.pack(cache, constant.view(), output)
            }
            Op::ConvTranspose(op) => op.pack(cache, constant.view()),
            Op::Recurrent(op) => op.pack(cache, constant.view()),
            _ => false,
        };
        let only = users.get(value.0) == Some(&1) && matches!(*constant, Constant::Tensor(_));
        if packed
            && only
            && let Some(source) = graph.sources.get_mut(value.0)
        {
            let shape = constant.view().shape.to_vec();
            *source = Source::Constant(Arc::new(Constant::Packed { shape }));
        }
    }
    graph.nodes = nodes;
}

/// Whether the result is the input under another name.
const fn is_alias(op: &Op) -> bool {
    matches!(op, Op::Reshape(_) | Op::StopGradient(_))
}

/// For each value the one whose memory it has: itself, or what it is a reshape of.
fn owners(graph: &Graph) -> Vec<Value> {
    let mut owners: Vec<Value> = (0..graph.specs.len()).map(Value).collect();
    for node in &graph.nodes {
        if let (true, [from, ..], [to]) =
            (is_alias(&node.op), node.inputs.as_slice(), node.outputs.as_slice())
        {
            let from = owner(&owners, *from);
            if let Some(owner) = owners.get_mut(to.0) {
                *owner = from;
            }
        }
    }
    owners
}

fn owner(owners: &[Value], value: Value) -> Value {
    owners.get(value.0).copied().unwrap_or(value)
}

/// For each value the last node that reads its memory.
fn last_use(graph: &Graph, owners: &[Value]) -> Vec<usize> {
    let mut last = vec![0; graph.specs.len()];
    let mut set = |value: Value, at: usize| {
        if let Some(last) = last.get_mut(owner(owners, value).0) {
            *last = at;
        }
    };
    for (at, node) in graph.nodes.iter().enumerate() {
        node.outputs.iter().chain(&node.inputs).for_each(|v| set(*v, at));
    }
    graph.outputs.iter().for_each(|v| set(*v, usize::MAX));
    last
}

/// Which value is in which buffer.
#[derive(Default)]
struct Layout {
    buffers: Vec<Buffer>,
    free: Vec<usize>,
    places: HashMap<Value, usize>,
}

impl Layout {
    /// A buffer for a value: of those that are free the one that fits best.
    fn take(&mut self, value: Value, dtype: DType, len: usize) -> usize {
        let buffers = &self.buffers;
        let misfit = |at: &usize| buffers.get(*at).map_or(usize::MAX, |b| b.len.abs_diff(len));
        let fits = self
            .free
            .iter()
            .enumerate()
            .filter(|(_, at)| buffers.get(**at).is_some_and(|b| b.dtype == dtype));
        let best = fits.min_by_key(|(_, at)| misfit(at)).map(|(i, _)| i);
        let at = match best {
            Some(i) => self.free.swap_remove(i),
            None => {
                self.buffers.push(Buffer { dtype, len: 0 });
                self.buffers.len() - 1
            }
        };
        if let Some(buffer) = self.buffers.get_mut(at) {
            buffer.len = buffer.len.max(len);
        }
        self.places.insert(value, at);
        at
    }

    fn give_back(&mut self, value: Value) {
        if let Some(at) = self.places.get(&value)
            && !self.free.contains(at)
        {
            self.free.push(*at);
        }
    }

    fn operand(&self, graph: &Graph, owners: &[Value], value: Value) -> Result<Operand> {
        let shape = spec(graph, value)?.shape.clone();
        let owner = owner(owners, value);
        let place = match graph.sources.get(owner.0) {
            Some(Source::Input(at)) => Place::Input(*at),
            Some(Source::Constant(constant)) => Place::Constant(Arc::clone(constant)),
            _ => {
                let place = self.places.get(&owner).copied();
                Place::Buffer(place.ok_or_else(|| Error::op("plan", "a value has no place"))?)
            }
        };
        Ok(Operand { place, shape })
    }
}
