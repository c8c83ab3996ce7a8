//! `inbound_nodes`, `input_layers`, `output_layers` of every Keras, as Keras 3 writes nodes:
//! `{args, kwargs}` with `__keras_tensor__` objects. The calls of every layer count from 0.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Dialect;
use crate::{Error, Result};

/// Called with a list `[x, h, c]`, these take the first as input and the rest as initial state.
const RECURRENT: &[&str] = &[
    "Bidirectional",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "CuDNNGRU",
    "CuDNNLSTM",
    "GRU",
    "LSTM",
    "RNN",
    "SimpleRNN",
];

/// Classes whose calls some versions count from 1: a nested model owns node 0, its own graph.
const MODELS: &[&str] = &["Functional", "Model", "Sequential"];

/// Rewrites the config of one functional model; the layers themselves are not touched.
pub(super) fn rewrite(config: &mut Map<String, Value>, dialect: &mut Dialect) -> Result<()> {
    let Some(Value::Array(mut layers)) = config.remove("layers") else {
        return Err(Error::config("Functional", "has no list of layers"));
    };
    let names: BTreeSet<String> = layers.iter().map(name_of).map(str::to_owned).collect();
    let mut rewriter = Rewriter { names, offsets: Offsets::default(), dialect };

    let mut nodes = Vec::with_capacity(layers.len());
    for layer in &mut layers {
        nodes.push(rewriter.layer_nodes(layer)?);
    }
    let mut ends = [config.remove("input_layers"), config.remove("output_layers")]
        .map(|end| end.unwrap_or(Value::Array(Vec::new())));
    // A single tensor stands bare in some versions and in a list of one in others.
    for end in &mut ends {
        if is_reference(end, &rewriter.names) {
            *end = Value::Array(vec![end.take()]);
        }
    }
    rewriter.count_from_zero(&layers, &mut nodes, &mut ends);

    for (layer, nodes) in layers.iter_mut().zip(nodes) {
        let name = name_of(layer).to_owned();
        let Some(map) = layer.as_object_mut() else { continue };
        map.insert("inbound_nodes".into(), Value::Array(nodes));
        if let Some(config) = map.get_mut("config").and_then(Value::as_object_mut) {
            config.entry("name").or_insert_with(|| name.into());
        }
    }
    let [inputs, outputs] = ends;
    config.insert("layers".into(), Value::Array(layers));
    config.insert("input_layers".into(), inputs);
    config.insert("output_layers".into(), outputs);
    Ok(())
}

fn name_of(layer: &Value) -> &str {
    let own = layer.get("name").and_then(Value::as_str);
    let inner = || layer.get("config").and_then(|c| c.get("name")).and_then(Value::as_str);
    own.or_else(inner).unwrap_or_default()
}

fn class_of(layer: &Value) -> &str {
    layer.get("class_name").and_then(Value::as_str).unwrap_or_default()
}

/// `[layer, node, tensor]`, perhaps with keyword arguments behind it.
fn is_reference(value: &Value, names: &BTreeSet<String>) -> bool {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(name), Value::Number(_), Value::Number(_), ..]) => names.contains(name),
        _ => false,
    }
}

fn tensor(name: &Value, node: &Value, index: &Value) -> Value {
    json!({"class_name": "__keras_tensor__", "config": {"keras_history": [name, node, index]}})
}

/// Which call numbers of a layer the graph mentions, in nodes and in its ends.
#[derive(Default)]
struct Offsets {
    in_nodes: BTreeMap<String, BTreeSet<u64>>,
    in_ends: BTreeMap<String, BTreeSet<u64>>,
}

struct Rewriter<'a> {
    names: BTreeSet<String>,
    offsets: Offsets,
    dialect: &'a mut Dialect,
}

impl Rewriter<'_> {
    /// Takes the calls out of a layer's object, in Keras 3's spelling.
    fn layer_nodes(&mut self, layer: &mut Value) -> Result<Vec<Value>> {
        let nodes = layer.as_object_mut().and_then(|map| map.remove("inbound_nodes"));
        let Some(Value::Array(nodes)) = nodes else { return Ok(Vec::new()) };
        let rewrite = |node: Value| {
            if node.get("args").is_some() {
                return Ok(node);
            }
            self.dialect.note("inbound_nodes: lists of references became {args, kwargs}");
            self.old_node(class_of(layer), &node).ok_or_else(|| {
                let path = format!("{}/inbound_nodes", name_of(layer));
                Error::config(path, format!("unknown form {node}"))
            })
        };
        nodes.into_iter().map(rewrite).collect()
    }

    /// One call in the spelling of Keras 1 and 2.
    fn old_node(&self, class: &str, node: &Value) -> Option<Value> {
        let items = node.as_array()?;
        // Operators drop the list around a single tensor.
        if matches!(items.first(), Some(Value::String(_))) {
            let (arg, kwargs) = self.item(node)?;
            return Some(json!({"args": [arg], "kwargs": kwargs}));
        }
        let mut args = Vec::with_capacity(items.len());
        let mut all_kwargs = Map::new();
        for item in items {
            let (arg, kwargs) = self.item(item)?;
            args.push(arg);
            // Each tensor of one call repeats the keyword arguments.
            all_kwargs.extend(kwargs);
        }
        if RECURRENT.contains(&class) && args.len() > 1 {
            let states = args.split_off(1);
            all_kwargs.insert("initial_state".into(), Value::Array(states));
        }
        let args = if args.len() == 1 { args } else { vec![Value::Array(args)] };
        Some(json!({"args": args, "kwargs": all_kwargs}))
    }

    /// `[layer, node, tensor, kwargs]`, a constant, or these nested.
    fn item(&self, item: &Value) -> Option<(Value, Map<String, Value>)> {
        match item.as_array().map(Vec::as_slice) {
            Some([Value::String(name), _, value, rest @ ..]) if name == "_CONSTANT_VALUE" => {
                Some((value.clone(), self.kwargs(rest)))
            }
            Some(
                [
                    name @ Value::String(_),
                    node @ Value::Number(_),
                    index @ Value::Number(_),
                    rest @ ..,
                ],
            ) => Some((tensor(name, node, index), self.kwargs(rest))),
            Some(items) => {
                let mut kwargs = Map::new();
                let mut args = Vec::with_capacity(items.len());
                for item in items {
                    let (arg, more) = self.item(item)?;
                    args.push(arg);
                    kwargs.extend(more);
                }
                Some((Value::Array(args), kwargs))
            }
            None => {
                let mut kwargs = Map::new();
                let mut args = Map::new();
                for (key, item) in item.as_object()? {
                    let (arg, more) = self.item(item)?;
                    args.insert(key.clone(), arg);
                    kwargs.extend(more);
                }
                Some((Value::Object(args), kwargs))
            }
        }
    }

    fn kwargs(&self, rest: &[Value]) -> Map<String, Value> {
        let kwargs = rest.first().and_then(Value::as_object).cloned().unwrap_or_default();
        kwargs.into_iter().map(|(k, v)| (k, self.kwarg(v))).collect()
    }

    /// References inside keyword arguments look like any list of a name and two numbers.
    fn kwarg(&self, value: Value) -> Value {
        if is_reference(&value, &self.names)
            && let Some([name, node, index, ..]) = value.as_array().map(Vec::as_slice)
        {
            return tensor(name, node, index);
        }
        match value {
            Value::Array(items) => items.into_iter().map(|v| self.kwarg(v)).collect(),
            Value::Object(map) => map.into_iter().map(|(k, v)| (k, self.kwarg(v))).collect(),
            other => other,
        }
    }

    /// Nested models are counted from 1 by Keras 2 everywhere and by Keras 3 in the ends only.
    /// Every kept call is mentioned somewhere, so the numbers themselves tell.
    fn count_from_zero(
        &mut self,
        layers: &[Value],
        nodes: &mut [Vec<Value>],
        ends: &mut [Value; 2],
    ) {
        for node in nodes.iter().flatten() {
            collect(node, &mut self.offsets.in_nodes);
        }
        for end in ends.iter() {
            collect_end(end, &self.names, &mut self.offsets.in_ends);
        }
        let mut shift_nodes = BTreeSet::new();
        let mut shift_ends = BTreeSet::new();
        for (layer, own) in layers.iter().zip(nodes.iter()) {
            if !MODELS.contains(&class_of(layer)) && !super::is_graph_object(layer) {
                continue;
            }
            let calls = own.len() as u64;
            let name = name_of(layer).to_owned();
            let zero = |set: Option<&BTreeSet<u64>>| set.is_some_and(|s| s.contains(&0));
            let over = |set: Option<&BTreeSet<u64>>| {
                set.and_then(|s| s.last()).is_some_and(|last| *last >= calls)
            };
            let (inner, end) = (self.offsets.in_nodes.get(&name), self.offsets.in_ends.get(&name));
            if over(inner) {
                shift_nodes.insert(name.clone());
            }
            // With no number past the end, a missing first call tells the same.
            if over(end) || (end.is_some() && !zero(end) && (over(inner) || !zero(inner))) {
                shift_ends.insert(name);
            }
        }
        if shift_nodes.is_empty() && shift_ends.is_empty() {
            return;
        }
        self.dialect.note("calls of nested models are counted from 0");
        nodes.iter_mut().flatten().for_each(|node| shift(node, &shift_nodes));
        ends.iter_mut().for_each(|end| shift_end(end, &shift_ends));
    }
}

/// The numbers of a `__keras_tensor__`, if it is one.
fn history(value: &mut Value) -> Option<&mut Vec<Value>> {
    if value.get("class_name").and_then(Value::as_str) != Some("__keras_tensor__") {
        return None;
    }
    value.get_mut("config")?.get_mut("keras_history")?.as_array_mut()
}

fn collect(value: &Value, into: &mut BTreeMap<String, BTreeSet<u64>>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Array(h)) = map.get("config").and_then(|c| c.get("keras_history"))
                && let [Value::String(name), node, ..] = h.as_slice()
                && let Some(node) = node.as_u64()
            {
                into.entry(name.clone()).or_default().insert(node);
                return;
            }
            map.values().for_each(|v| collect(v, into));
        }
        Value::Array(items) => items.iter().for_each(|v| collect(v, into)),
        _ => {}
    }
}

fn collect_end(
    value: &Value,
    names: &BTreeSet<String>,
    into: &mut BTreeMap<String, BTreeSet<u64>>,
) {
    if is_reference(value, names) {
        if let Some([Value::String(name), node, ..]) = value.as_array().map(Vec::as_slice)
            && let Some(node) = node.as_u64()
        {
            into.entry(name.clone()).or_default().insert(node);
        }
        return;
    }
    match value {
        Value::Object(map) => map.values().for_each(|v| collect_end(v, names, into)),
        Value::Array(items) => items.iter().for_each(|v| collect_end(v, names, into)),
        _ => {}
    }
}

fn lower(reference: &mut [Value], models: &BTreeSet<String>) {
    if let [Value::String(name), node, ..] = reference
        && models.contains(name)
        && let Some(n) = node.as_u64()
    {
        *node = n.saturating_sub(1).into();
    }
}

fn shift(value: &mut Value, models: &BTreeSet<String>) {
    if let Some(history) = history(value) {
        lower(history, models);
        return;
    }
    match value {
        Value::Object(map) => map.values_mut().for_each(|v| shift(v, models)),
        Value::Array(items) => items.iter_mut().for_each(|v| shift(v, models)),
        _ => {}
    }
}

fn shift_end(value: &mut Value, models: &BTreeSet<String>) {
    match value {
        Value::Array(items) if matches!(items.first(), Some(Value::String(_))) => {
            lower(items, models);
        }
        Value::Array(items) => items.iter_mut().for_each(|v| shift_end(v, models)),
        Value::Object(map) => map.values_mut().for_each(|v| shift_end(v, models)),
        _ => {}
    }
}
