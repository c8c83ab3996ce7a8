//! `TFOpLambda` and `SlicingOpLambda`: TensorFlow functions in graphs of `tf.keras`, as the
//! operations of `keras.ops` that compute the same.

use serde_json::{Map, Value, json};

use super::Dialect;
use super::tf_functions::FUNCTIONS;
use crate::{Error, Result};

/// Module of the rewritten operations; it tells the operation `Add` from the layer `Add`.
pub(crate) const OPS_MODULE: &str = "keras.src.ops";

pub(super) fn is_op(class: &str) -> bool {
    matches!(class, "TFOpLambda" | "SlicingOpLambda")
}

/// Rewrites one operator layer; its nodes are in Keras 3's form already.
pub(super) fn rewrite(map: &mut Map<String, Value>, dialect: &mut Dialect) -> Result<()> {
    let name = map.get("name").or_else(|| map.get("config").and_then(|c| c.get("name")));
    let name = name.and_then(Value::as_str).unwrap_or("operator").to_owned();
    let config = map.get("config").and_then(|c| c.get("function")).and_then(Value::as_str);
    let Some(function) = config.map(str::to_owned) else {
        return Err(Error::config(name, "a TensorFlow operator without a function"));
    };
    let nodes = map.get_mut("inbound_nodes").and_then(Value::as_array_mut);
    let mut nodes = nodes.into_iter().flatten();
    let class = if function == "__operators__.getitem" {
        nodes.for_each(slice_node);
        "GetItem"
    } else {
        let row = FUNCTIONS.iter().find(|row| row.0 == function);
        let unknown = match row {
            None => Some(String::new()),
            Some((_, _, arguments)) => nodes.find_map(|node| {
                let kwargs = node.get_mut("kwargs").and_then(Value::as_object_mut);
                kwargs.and_then(|kwargs| arguments_of(kwargs, arguments)).map(|a| format!("({a}=)"))
            }),
        };
        // Kept under TensorFlow's name: listed as unknown with the rest.
        if let Some(argument) = unknown {
            map.insert("class_name".into(), format!("tf.{function}{argument}").into());
            return Ok(());
        }
        let class = row.map_or("", |row| row.1);
        if class == "Split" {
            let nodes = map.get_mut("inbound_nodes").and_then(Value::as_array_mut);
            nodes.into_iter().flatten().for_each(places);
        }
        class
    };
    map.insert("class_name".into(), class.into());
    map.insert("module".into(), OPS_MODULE.into());
    map.insert("config".into(), json!({"name": name}));
    dialect.note("TensorFlow operators (TFOpLambda, SlicingOpLambda) became keras.ops");
    Ok(())
}

/// `tf.split` takes the sizes of the parts, of which one may be -1: the rest; `keras.ops.split` the
/// places between them.
fn places(node: &mut Value) {
    let sizes = node.get_mut("kwargs").and_then(|k| k.get_mut("indices_or_sections"));
    let Some(Value::Array(sizes)) = sizes else { return };
    let number = |v: &Value| v.as_i64().unwrap_or(0);
    let rest = sizes.iter().position(|v| number(v) < 0).unwrap_or(sizes.len());
    let mut from_end: i64 =
        sizes.iter().skip(rest + 1).fold(0, |sum, v| sum.saturating_sub(number(v)));
    let mut place = 0_i64;
    for (i, size) in sizes.iter_mut().enumerate() {
        let n = number(size);
        if i < rest {
            place = place.saturating_add(n);
            *size = place.into();
        } else {
            from_end = from_end.saturating_add(if i == rest { 0 } else { n });
            *size = from_end.into();
        }
    }
    sizes.pop();
}

/// Renames the arguments of one call as its row says; the name of one that is not in it.
fn arguments_of(kwargs: &mut Map<String, Value>, row: &str) -> Option<String> {
    let mut given = std::mem::take(kwargs);
    given.remove("name");
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| text.into());
    for argument in row.split(' ').filter(|a| !a.is_empty()) {
        if let Some((name, only)) = argument.split_once('!') {
            if given.get(name).is_some_and(|v| v.is_null() || *v == value(only)) {
                given.remove(name);
            }
            continue;
        }
        let (names, default) = match argument.split_once('=') {
            Some((names, default)) => (names, Some(value(default))),
            None => (argument, None),
        };
        let (theirs, ours) = names.split_once(':').unwrap_or((names, names));
        let found = given.remove(theirs).filter(|v| !v.is_null()).or(default);
        // Of two flags that ask for the same, one is enough.
        let is_asked = *kwargs.get(ours).unwrap_or(&Value::Null) == true;
        if let Some(found) = found.filter(|_| !is_asked) {
            kwargs.insert(ours.into(), keras_words(ours, found));
        }
    }
    given.into_iter().find(|(_, value)| !value.is_null()).map(|(name, _)| name)
}

/// Words that TensorFlow and Keras spell differently.
fn keras_words(argument: &str, value: Value) -> Value {
    let Some(text) = value.as_str() else { return value };
    match (argument, text) {
        // With one axis or none; of a matrix it is Keras's default, too.
        ("ord", "euclidean") => Value::Null,
        ("data_format", text) if text.starts_with("NC") => "channels_first".into(),
        ("data_format", _) => "channels_last".into(),
        ("mode" | "padding" | "direction", text) => text.to_lowercase().into(),
        _ => value,
    }
}

/// `slice_spec` becomes the second argument of `GetItem`, its dicts slices.
fn slice_node(node: &mut Value) {
    let Some(node) = node.as_object_mut() else { return };
    let spec = node.get_mut("kwargs").and_then(|k| k.as_object_mut()?.remove("slice_spec"));
    if let (Some(spec), Some(args)) = (spec, node.get_mut("args").and_then(Value::as_array_mut)) {
        args.push(slices(spec));
    }
}

fn slices(spec: Value) -> Value {
    match spec {
        Value::Array(items) => items.into_iter().map(slices).collect(),
        Value::Object(map) if map.contains_key("start") => {
            json!({"class_name": "__slice__", "config": map})
        }
        Value::Object(map) if map.contains_key("value") => {
            map.get("value").cloned().unwrap_or_default()
        }
        other => other,
    }
}
