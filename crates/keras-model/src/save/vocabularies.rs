//! Vocabularies of lookup layers: assets of a `.keras` file, part of the config elsewhere.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use crate::{Float, Kind, Layer, Result, Weight};

/// What lies beside the config of a `.keras` file: other files have no other place for it than the
/// config.
pub(super) struct Vocabularies<'a> {
    pub(super) assets: &'a BTreeMap<String, Bytes>,
    pub(super) named: Vec<Weight>,
    pub(super) lost: &'a mut Vec<String>,
}

impl Vocabularies<'_> {
    /// To the layers in one whose names start with `path`.
    pub(super) fn give_to_layers(&mut self, outer: &mut Layer, path: &str) -> Result<()> {
        let layers: Vec<&mut Layer> = match &mut outer.kind {
            Kind::Model(model) => model.layers.iter_mut().collect(),
            Kind::Pipeline(pipeline) => pipeline.layers.iter_mut().collect(),
            Kind::FeatureSpace(space) => {
                space.features.iter_mut().map(|(_, feature)| &mut feature.preprocessor).collect()
            }
            _ => Vec::new(),
        };
        for layer in layers {
            let name = &layer.base.name;
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            self.give(layer, &path)?;
        }
        Ok(())
    }

    fn give(&mut self, layer: &mut Layer, path: &str) -> Result<()> {
        let asset = |at: &str| self.assets.get(&format!("{at}/vocabulary.txt"));
        match &mut layer.kind {
            Kind::Model(_) | Kind::Pipeline(_) | Kind::FeatureSpace(_) => {
                self.give_to_layers(layer, path)
            }
            Kind::StringLookup(lookup) if lookup.vocabulary.is_none() => {
                lookup.vocabulary = asset(path).map(tokens);
                self.weights(path, lookup.vocabulary.as_ref(), &mut lookup.idf_weights)
            }
            Kind::IntegerLookup(lookup) if lookup.vocabulary.is_none() => {
                let number = |token: &Value| token.as_str()?.parse::<i64>().ok();
                let numbers = |tokens: Value| {
                    tokens.as_array().into_iter().flatten().filter_map(number).collect()
                };
                lookup.vocabulary = asset(path).map(tokens).map(numbers);
                self.weights(path, lookup.vocabulary.as_ref(), &mut lookup.idf_weights)
            }
            Kind::TextVectorization(text) if text.vocabulary.is_none() => {
                let inner = format!("{path}/string_lookup");
                text.vocabulary = asset(path).or_else(|| asset(&inner)).map(tokens);
                self.weights(path, text.vocabulary.as_ref(), &mut text.idf_weights)
            }
            _ => {
                let folder = format!("{path}/");
                if self.assets.keys().any(|asset| asset.starts_with(&folder)) {
                    self.lost
                        .push(format!("the vocabularies of {path}: only .keras files have them"));
                }
                Ok(())
            }
        }
    }

    /// The weights of the tokens, which the file has under a name of their own.
    fn weights(
        &self,
        path: &str,
        vocabulary: Option<&Value>,
        weights: &mut Option<Vec<Float>>,
    ) -> Result<()> {
        let named = self.named.iter().find(|weight| weight.layer == path);
        if let (Some(named), Some(Value::Array(tokens)), None) = (named, vocabulary, &weights) {
            let values = named.to_f64()?;
            *weights = Some(values.into_iter().take(tokens.len()).map(Float).collect());
        }
        Ok(())
    }
}

/// One token a line.
fn tokens(bytes: &Bytes) -> Value {
    String::from_utf8_lossy(bytes).lines().map(Value::from).collect()
}
