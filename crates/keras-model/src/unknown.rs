//! The classes and functions of a config that nobody knows: all of them, with their places.

use serde_json::Value;

use crate::custom_objects::{CustomObjects, LAMBDA, is_function, lambda_name};
use crate::objects::{Constraint, Initializer, Regularizer};
use crate::ops::{OPERATIONS, Operation};
use crate::{UnknownObject, activations, layers};

/// Every unknown object in a model's config in Keras 3's form.
pub(crate) fn find(config: &Value, custom: &CustomObjects) -> Vec<UnknownObject> {
    let mut search = Search { custom, found: Vec::new() };
    search.layer(config, "");
    search.found
}

struct Search<'a> {
    custom: &'a CustomObjects,
    found: Vec<UnknownObject>,
}

impl Search<'_> {
    fn layer(&mut self, object: &Value, outer: &str) {
        let text = |key| object.get(key).and_then(Value::as_str);
        let class = text("class_name").unwrap_or_default();
        let config = object.get("config");
        let name = config.and_then(|c| c.get("name")).and_then(Value::as_str);
        let name = name.or(text("name")).unwrap_or(class);
        let path = if outer.is_empty() { name.to_owned() } else { format!("{outer}/{name}") };
        if Operation::is_one(object, class) {
            if !OPERATIONS.contains(&class) {
                self.add(&path, "operation", class);
            }
            self.arguments(config.and_then(|c| c.get("function")), &path);
            self.arguments(object.get("inbound_nodes"), &path);
        } else if class == "Lambda" && self.custom.find(object).is_none() {
            self.add(&path, "layer", lambda_name(object));
        } else if !is_layer(class) && self.custom.find(object).is_none() {
            self.add(&path, "layer", text("registered_name").unwrap_or(class));
            // Its config means nothing to us, but for the layers of a model in it.
        }
        for (key, value) in config.and_then(Value::as_object).into_iter().flatten() {
            self.entry(key, value, &path);
        }
    }

    /// One key of a layer's config.
    fn entry(&mut self, key: &str, value: &Value, path: &str) {
        let class = value.get("class_name").and_then(Value::as_str);
        let kind = key.rsplit('_').next().unwrap_or(key);
        match (kind, value) {
            ("activation", Value::String(name)) => {
                self.function("activation", name, value, &format!("{path}/{key}"));
            }
            ("activation", Value::Object(_)) if class.is_some_and(is_function) => {
                let name = function_name(value);
                self.function("activation", name, value, &format!("{path}/{key}"));
            }
            ("initializer", Value::Object(_)) => {
                self.object(Initializer::KIND, Initializer::CLASSES, value, path, key);
            }
            ("regularizer", Value::Object(_)) => {
                self.object(Regularizer::KIND, Regularizer::CLASSES, value, path, key);
            }
            ("constraint", Value::Object(_)) => {
                self.object(Constraint::KIND, Constraint::CLASSES, value, path, key);
            }
            ("activation" | "layer" | "cell", Value::Object(_)) if class.is_some() => {
                self.layer(value, path);
            }
            ("layers" | "cells", Value::Array(items)) if kind == key => {
                items.iter().for_each(|item| self.layer(item, path));
            }
            _ => {}
        }
    }

    fn function(&mut self, kind: &'static str, name: &str, object: &Value, path: &str) {
        if !activations::is_known(name) && self.custom.find(object).is_none() {
            self.add(path, kind, name);
        }
    }

    /// The Python functions that an operation calls, among its arguments at any depth.
    fn arguments(&mut self, value: Option<&Value>, path: &str) {
        match value {
            Some(Value::Array(items)) => {
                items.iter().for_each(|item| self.arguments(Some(item), path));
            }
            Some(Value::Object(map)) => match map.get("class_name").and_then(Value::as_str) {
                Some(class) if is_function(class) => {
                    let object = Value::Object(map.clone());
                    self.function("function", function_name(&object), &object, path);
                }
                Some(_) => {}
                None => map.values().for_each(|item| self.arguments(Some(item), path)),
            },
            _ => {}
        }
    }

    fn object(&mut self, kind: &'static str, known: &[&str], value: &Value, path: &str, key: &str) {
        let class = value.get("class_name").and_then(Value::as_str).unwrap_or_default();
        if !known.contains(&class) && self.custom.find(value).is_none() {
            self.add(&format!("{path}/{key}"), kind, class);
        }
    }

    fn add(&mut self, path: &str, kind: &'static str, name: &str) {
        let (path, name) = (path.to_owned(), name.to_owned());
        self.found.push(UnknownObject { path, kind, name });
    }
}

fn function_name(object: &Value) -> &str {
    object.get("config").and_then(Value::as_str).unwrap_or(LAMBDA)
}

fn is_layer(class: &str) -> bool {
    layers::CLASSES.contains(&layers::public(class)) || matches!(class, "Functional" | "Sequential")
}
