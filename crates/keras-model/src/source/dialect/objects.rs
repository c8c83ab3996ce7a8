//! Initializers, regularizers, constraints: names, aliases and old objects become
//! `{class_name, config}`.

use serde_json::{Map, Value, json};

use super::Dialect;
use crate::objects::{Constraint, Initializer, Regularizer};

/// Rewrites every such entry of a layer's config.
pub(super) fn rewrite(config: &mut Map<String, Value>, dialect: &mut Dialect) {
    for (key, value) in config.iter_mut() {
        let known = match key.rsplit('_').next() {
            Some("initializer") => Initializer::CLASSES,
            Some("regularizer") => Regularizer::CLASSES,
            Some("constraint") => Constraint::CLASSES,
            _ => continue,
        };
        if canonical(value, known) {
            dialect.note("names of initializers, regularizers and constraints became objects");
        }
    }
}

/// `"glorot_uniform"`, `{"name": "MaxNorm", "m": 2}` or `{class_name, config}` as the last form;
/// whether it was another one.
fn canonical(value: &mut Value, known: &[&str]) -> bool {
    match value {
        Value::String(name) => {
            *value = json!({"class_name": class_name(name, known), "config": {}});
            true
        }
        // Keras 1 wrote the arguments beside the name.
        Value::Object(map) if !map.contains_key("class_name") => {
            let Some(Value::String(name)) = map.remove("name") else { return false };
            if let Some(max) = map.remove("m") {
                map.insert("max_value".into(), max);
            }
            *value = json!({"class_name": class_name(&name, known), "config": map});
            true
        }
        Value::Object(map) => {
            let mut changed = false;
            let name = map.get("class_name").and_then(Value::as_str).unwrap_or_default();
            if !known.contains(&name) {
                let new = class_name(name, known);
                changed = new != name;
                map.insert("class_name".into(), new.into());
            }
            if !map.get("config").is_some_and(Value::is_object) {
                map.insert("config".into(), json!({}));
                changed = true;
            }
            changed
        }
        _ => false,
    }
}

/// The class of that name or alias; the name itself if there is none (the caller's own).
fn class_name(name: &str, known: &[&str]) -> String {
    let folded = fold(name);
    let alias = match folded.as_str() {
        "zero" => "zeros",
        "one" => "ones",
        "normal" => "randomnormal",
        "uniform" => "randomuniform",
        "identityinitializer" => "identity",
        "orthogonalinitializer" => "orthogonal",
        "weightregularizer" | "l1l2regularizer" => "l1l2",
        "nonnegative" => "nonneg",
        other => other,
    };
    known.iter().find(|k| fold(k) == alias).map_or_else(|| name.to_owned(), |k| (*k).to_owned())
}

fn fold(name: &str) -> String {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

#[test]
fn aliases() {
    assert_eq!(class_name("glorot_uniform", Initializer::CLASSES), "GlorotUniform");
    assert_eq!(class_name("one", Initializer::CLASSES), "Ones");
    assert_eq!(class_name("l1_l2", Regularizer::CLASSES), "L1L2");
    assert_eq!(class_name("maxnorm", Constraint::CLASSES), "MaxNorm");
    assert_eq!(class_name("MyInit", Initializer::CLASSES), "MyInit");
    let mut old = json!({"name": "MaxNorm", "m": 2.0, "axis": 0});
    canonical(&mut old, Constraint::CLASSES);
    assert_eq!(old, json!({"class_name": "MaxNorm", "config": {"max_value": 2.0, "axis": 0}}));
}
