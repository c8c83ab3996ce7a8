//! Configs with hostile values in every place: an answer or an error, never a panic.

use keras_model::source::Source;
use keras_model::{Container, Loader, Saver};
use serde_json::Value;

#[path = "support/damage.rs"]
mod damage;

use damage::{Random, hostile};

/// The number of values in a tree, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Does something bad to the value at place `at`.
fn harm(value: &mut Value, at: &mut usize, random: &mut Random) {
    if *at == 0 {
        *value = match (&*value, random.below(4)) {
            // Twice the same, or without the last.
            (Value::Array(items), 0) => items.iter().chain(items).cloned().collect(),
            (Value::Array(items), 1) => items.iter().skip(1).cloned().collect(),
            (Value::Object(map), 0) => {
                let gone = random.below(map.len());
                let kept = map.iter().enumerate().filter(|(i, _)| *i != gone);
                kept.map(|(_, (k, v))| (k.clone(), v.clone())).collect()
            }
            _ => hostile(random),
        };
        *at = usize::MAX;
        return;
    }
    *at -= 1;
    let children: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(map) => map.values_mut().collect(),
        _ => return,
    };
    for child in children {
        if *at == usize::MAX {
            return;
        }
        harm(child, at, random);
    }
}

#[test]
fn no_config_does_harm() {
    const INPUTS: usize = 20_000;
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/models");
    let mut paths: Vec<_> = std::fs::read_dir(models)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|p| matches!(p.extension().and_then(|e| e.to_str()), Some("h5" | "keras")))
        .collect();
    paths.sort();
    let configs: Vec<Value> = paths.iter().filter_map(|p| Source::open(p).ok()?.config).collect();
    assert!(configs.len() > 50);
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let (mut loaded, mut saved) = (0, 0);
    for i in 0..INPUTS {
        let mut config = configs[i % configs.len()].clone();
        for _ in 0..=random.below(3) {
            let mut at = random.below(count(&config));
            harm(&mut config, &mut at, &mut random);
        }
        let bytes = config.to_string().into_bytes();
        if let Ok(model) = Loader::new().from_bytes(bytes) {
            loaded += 1;
            // What was loaded can be looked at.
            let summary = model.summary(keras_model::SummaryOptions::default());
            let _ = summary.map(|s| s.to_string());
            // And saved: what is written can be read.
            let _ = Saver::new().to_bytes(&model, Container::Keras);
            if let Ok(json) = model.to_json() {
                saved += 1;
                // Of a tensor whose shape is not known Keras wants one nevertheless.
                let is_known = model.shapes().tensors.iter().all(Option::is_some);
                let again = Loader::new().from_bytes(json.clone().into_bytes());
                assert!(again.is_ok() || !is_known, "{again:?}\n{json}");
            }
        }
    }
    // Most damage is to what a graph does not need; some of it must be noticed.
    assert!((INPUTS / 10..INPUTS).contains(&loaded), "{loaded} of {INPUTS} loaded");
    assert!((INPUTS / 20..loaded).contains(&saved), "{saved} of {loaded} saved");
}
