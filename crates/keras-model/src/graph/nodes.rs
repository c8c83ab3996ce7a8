//! The calls and the ends of a graph as Keras 3 writes them: read, and written.
//! Source: `serialize_node` and `get_config` of `keras/src/models/functional.py`, Keras 3.15.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Graph, Inferred, TensorRef};
use crate::activations::{self, Activation};
use crate::custom_objects::is_function;
use crate::layers::CLASSES;
use crate::model::ModelClass;
use crate::{Arg, DType, Error, Inputs, KerasTensor, Kind, Layer, Result, Shape};

/// A layer and the number of its call.
pub(super) type Key = (String, u64);

/// A reference as it stands in the file: layer and call, output, and what the file says of it.
pub(super) type Key2 = (Key, u64, Option<KerasTensor>);

pub(super) fn inputs(node: &Value, layer: &str) -> Result<Inputs<Key2>> {
    let wrong =
        || Error::config(format!("{layer}/inbound_nodes"), "a call without args and kwargs");
    let args = node.get("args").and_then(Value::as_array).ok_or_else(wrong)?;
    let kwargs = node.get("kwargs").and_then(Value::as_object);
    Ok(Inputs {
        args: args.iter().map(|a| arg(a, layer)).collect::<Result<_>>()?,
        kwargs: kwargs
            .into_iter()
            .flatten()
            .map(|(k, v)| Ok((k.clone(), arg(v, layer)?)))
            .collect::<Result<_>>()?,
    })
}

fn arg(value: &Value, layer: &str) -> Result<Arg<Key2>> {
    let config = || value.get("config");
    let part =
        |key| arg(config().and_then(|c| c.get(key)).unwrap_or(&Value::Null), layer).map(Box::new);
    Ok(match (value, value.get("class_name").and_then(Value::as_str)) {
        (_, Some("__keras_tensor__")) => match config().and_then(|c| c.get("keras_history")) {
            Some(Value::Array(h)) => match h.as_slice() {
                [Value::String(name), node, index, ..] => {
                    let number = |v: &Value| v.as_u64().unwrap_or(u64::MAX);
                    Arg::Tensor(((name.clone(), number(node)), number(index), tensor(config())))
                }
                _ => Arg::Value(value.clone()),
            },
            _ => Arg::Value(value.clone()),
        },
        (_, Some("__slice__")) => Arg::Slice([part("start")?, part("stop")?, part("step")?]),
        (_, Some(class)) if is_function(class) || CLASSES.contains(&class) => {
            let function = Activation::deserialize(value);
            let wrong = |e: serde_json::Error| Error::config(layer, e.to_string());
            Arg::Function(Box::new(function.map_err(wrong)?))
        }
        (_, Some("__ellipsis__")) => Arg::Ellipsis,
        (_, Some("__numpy__" | "__tensor__")) => {
            let get = |key| config().and_then(|c| c.get(key));
            let dtype = get("dtype").and_then(Value::as_str).and_then(DType::from_name);
            Arg::Array {
                value: get("value").cloned().unwrap_or_default(),
                dtype: dtype.unwrap_or(DType::Float32),
            }
        }
        (Value::Array(items), _) => {
            Arg::List(items.iter().map(|item| arg(item, layer)).collect::<Result<_>>()?)
        }
        (Value::Object(map), None) => {
            let entries = map.iter().map(|(k, v)| Ok((k.clone(), arg(v, layer)?)));
            Arg::Dict(entries.collect::<Result<_>>()?)
        }
        _ => Arg::Value(value.clone()),
    })
}

fn tensor(config: Option<&Value>) -> Option<KerasTensor> {
    let shape = serde_json::from_value::<Shape>(config?.get("shape")?.clone()).ok()?;
    let dtype = config?.get("dtype").and_then(Value::as_str).and_then(DType::from_name)?;
    Some(KerasTensor { shape, dtype })
}

/// The structure of `input_layers` or `output_layers`.
pub(super) fn ends(value: &Value) -> Arg<(Key, u64)> {
    match value {
        Value::Array(items) => match items.as_slice() {
            [Value::String(name), node, index] if node.is_u64() && index.is_u64() => {
                let number = |v: &Value| v.as_u64().unwrap_or(u64::MAX);
                Arg::Tensor(((name.clone(), number(node)), number(index)))
            }
            items => Arg::List(items.iter().map(ends).collect()),
        },
        Value::Object(map) => Arg::Dict(map.iter().map(|(k, v)| (k.clone(), ends(v))).collect()),
        other => Arg::Value(other.clone()),
    }
}

/// How the tensors of a graph are called in its config.
struct Names<'a> {
    graph: &'a Graph,
    layers: &'a [Layer],
    inferred: &'a Inferred,
    /// For each node which call of its layer it is.
    calls: Vec<u64>,
}

impl Graph {
    /// The objects of the layers with their calls, and the two ends: what
    /// [`from_config`](Self::from_config) reads.
    pub(crate) fn to_config(&self, layers: &[Layer], inferred: &Inferred) -> Map<String, Value> {
        let mut counts = vec![0_u64; layers.len()];
        let count = |node: &super::Node| {
            let Some(count) = counts.get_mut(node.layer) else { return 0 };
            let call = *count;
            *count = count.saturating_add(1);
            call
        };
        let calls = self.nodes.iter().map(count).collect();
        let names = Names { graph: self, layers, inferred, calls };
        let layer = |(at, layer): (usize, &Layer)| {
            let nodes = self.nodes.iter().filter(|n| n.layer == at);
            let calls: Vec<&Inputs<TensorRef>> =
                nodes.map(|n| &n.inputs).filter(|i| **i != Inputs::default()).collect();
            let mut object = layer.to_config();
            let nodes: Vec<Value> = match &layer.kind {
                Kind::Operation(operation) => {
                    // What cannot be said is found before a file is written.
                    let written = operation.to_config(&calls).ok();
                    if let (Some(Value::Object(own)), Some(written)) =
                        (object.get_mut("config"), &written)
                    {
                        own.extend(written.config.clone());
                    }
                    let calls = written.map(|written| written.calls).unwrap_or_default();
                    calls.iter().map(|call| names.node(call)).collect()
                }
                _ => calls.iter().map(|call| names.node(call)).collect(),
            };
            if let Value::Object(object) = &mut object {
                object.insert("name".into(), layer.base.name.as_str().into());
                object.insert("inbound_nodes".into(), nodes.into());
            }
            object
        };
        let layers: Vec<Value> = layers.iter().enumerate().map(layer).collect();
        let end = |args: &[Arg<TensorRef>]| match args {
            [one] => names.end(one),
            many => many.iter().map(|arg| names.end(arg)).collect(),
        };
        let mut config = Map::new();
        config.insert("layers".into(), layers.into());
        config.insert("input_layers".into(), end(&self.input_structure));
        config.insert("output_layers".into(), end(&self.outputs));
        config
    }
}

impl Names<'_> {
    fn layer(&self, tensor: TensorRef) -> Option<&Layer> {
        self.layers.get(self.graph.nodes.get(tensor.node)?.layer)
    }

    /// `[layer, call, output]`.
    fn history(&self, tensor: TensorRef, first: u64) -> Value {
        let name = self.layer(tensor).map_or("", |layer| &layer.base.name);
        let call = self.calls.get(tensor.node).copied().unwrap_or(0);
        json!([name, call.saturating_add(first), tensor.index])
    }

    fn node(&self, call: &Inputs<TensorRef>) -> Value {
        let args: Vec<Value> = call.args.iter().map(|arg| self.arg(arg)).collect();
        let kwargs = call.kwargs.iter().map(|(name, arg)| (name.clone(), self.arg(arg)));
        json!({"args": args, "kwargs": kwargs.collect::<Map<_, _>>()})
    }

    fn arg(&self, arg: &Arg<TensorRef>) -> Value {
        match arg {
            Arg::Tensor(reference) => {
                let node = self.graph.nodes.get(reference.node);
                let declared = || node?.declared.get(&reference.index);
                let tensor = self.inferred.tensor(*reference).or_else(declared);
                // Keras looks at the history alone.
                let (shape, dtype) = tensor.map_or((json!([null]), DType::Float32), |tensor| {
                    (json!(tensor.shape), tensor.dtype)
                });
                let history = self.history(*reference, 0);
                json!({"class_name": "__keras_tensor__", "config": {
                    "shape": shape, "dtype": dtype, "keras_history": history,
                }})
            }
            Arg::Value(value) => value.clone(),
            Arg::Array { value, dtype } => {
                json!({"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}})
            }
            Arg::Slice([from, to, step]) => json!({"class_name": "__slice__", "config": {
                "start": self.arg(from), "stop": self.arg(to), "step": self.arg(step),
            }}),
            Arg::Function(function) => match json!(function) {
                Value::String(name) => {
                    let is_own = activations::is_known(&name);
                    let module = if is_own { "keras.activations" } else { "builtins" };
                    json!({
                        "module": module, "class_name": "function", "config": name,
                        "registered_name": name,
                    })
                }
                object => object,
            },
            Arg::Ellipsis => json!({"class_name": "__ellipsis__", "config": {}}),
            Arg::List(items) => items.iter().map(|item| self.arg(item)).collect(),
            Arg::Dict(entries) => {
                let entries = entries.iter().map(|(key, arg)| (key.clone(), self.arg(arg)));
                entries.collect::<Map<_, _>>().into()
            }
        }
    }

    /// In the structure of the ends. There a nested graph's own node counts, which is its first.
    fn end(&self, arg: &Arg<TensorRef>) -> Value {
        match arg {
            Arg::Tensor(reference) => {
                let nested = self.layer(*reference).is_some_and(|layer| {
                    matches!(&layer.kind, Kind::Model(m) if m.class == ModelClass::Functional)
                });
                self.history(*reference, u64::from(nested))
            }
            Arg::List(items) => items.iter().map(|item| self.end(item)).collect(),
            Arg::Dict(entries) => {
                let entries = entries.iter().map(|(key, arg)| (key.clone(), self.end(arg)));
                entries.collect::<Map<_, _>>().into()
            }
            other => self.arg(other),
        }
    }
}
