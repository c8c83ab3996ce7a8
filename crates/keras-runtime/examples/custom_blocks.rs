//! A model of blocks that hold layers of Keras's: an embedding with positions and a transformer
//! block, as many files have them, each under a class of its author's.
//!
//!     cargo run -p keras-runtime --example custom_blocks -- saved.keras

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use keras_runtime::keras_model::{DType, Layer};
use keras_runtime::{CustomLayer, Error, Loader, Model, Ops, Result, SymbolicTensor, Tensor};
use serde_json::{Value, json};

/// A layer of Keras's, as Python's `layers.Dense(7, name="wide")` makes it.
fn keras(class: &str, name: &str, mut config: Value) -> Result<Layer> {
    if let Some(config) = config.as_object_mut() {
        config.insert("name".to_owned(), name.into());
    }
    Ok(Layer::from_config(&json!({"class_name": class, "config": config}))?)
}

/// A number of the file's config.
fn number(config: &Value, key: &str) -> Result<u64> {
    let value = config.get(key).and_then(Value::as_u64);
    value.ok_or_else(|| Error::Value(format!("the config has no {key:?}")))
}

fn one(outputs: &[SymbolicTensor]) -> Result<SymbolicTensor> {
    outputs.first().copied().ok_or_else(|| Error::Value("a layer without an output".to_owned()))
}

/// The sum of an embedding of each word and one of its place.
struct Positions {
    token: Layer,
    position: Layer,
}

impl Positions {
    fn from_config(config: &Value) -> Result<Self> {
        let [length, words, width] = ["length", "words", "width"].map(|key| number(config, key));
        let width = width?;
        let sizes = |rows: u64| json!({"input_dim": rows, "output_dim": width});
        Ok(Self {
            token: keras("Embedding", "token", sizes(words?))?,
            position: keras("Embedding", "position", sizes(length?))?,
        })
    }
}

impl CustomLayer for Positions {
    fn layers(&self) -> Vec<(&'static str, &Layer)> {
        vec![("token_emb", &self.token), ("pos_emb", &self.position)]
    }

    fn call(&self, ops: &Ops<'_>, x: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
        let [x] = *x else { return Err(ops.error("takes one tensor of words")) };
        let steps = ops.shape(x).last().copied().unwrap_or(0);
        let places: Vec<i32> = (0..).take(steps).collect();
        let places = ops.constant(Tensor::new([steps], places)?);
        let tokens = one(&ops.layer("token_emb", &[x], [])?)?;
        let places = one(&ops.layer("pos_emb", &[places], [])?)?;
        Ok(vec![ops.add(tokens, places)?])
    }
}

/// Attention and a network for each word, each with a residual.
struct TransformerBlock {
    layers: Vec<(&'static str, Layer)>,
}

impl TransformerBlock {
    fn from_config(config: &Value) -> Result<Self> {
        let [width, heads, inner] = ["width", "heads", "inner"].map(|key| number(config, key));
        let (width, inner) = (width?, inner?);
        let network = json!({"layers": [
            {"class_name": "Dense",
             "config": {"name": "wide", "units": inner, "activation": "relu"}},
            {"class_name": "Dense", "config": {"name": "narrow", "units": width}}]});
        let attention = json!({"num_heads": heads?, "key_dim": width});
        // Attributes in the order in which `__init__` sets them: files rely on it.
        Ok(Self {
            layers: vec![
                ("att", keras("MultiHeadAttention", "attention", attention)?),
                ("ffn", keras("Sequential", "network", network)?),
                ("layernorm1", keras("LayerNormalization", "first", json!({}))?),
                ("layernorm2", keras("LayerNormalization", "second", json!({}))?),
                ("dropout", keras("Dropout", "dropout", json!({"rate": 0.5}))?),
                ("norm", keras("BatchNormalization", "statistics", json!({}))?),
            ],
        })
    }
}

impl CustomLayer for TransformerBlock {
    fn layers(&self) -> Vec<(&'static str, &Layer)> {
        self.layers.iter().map(|(attribute, layer)| (*attribute, layer)).collect()
    }

    fn call(&self, ops: &Ops<'_>, x: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
        let [x] = *x else { return Err(ops.error("takes one sequence")) };
        let call = |attribute: &str, x: &[SymbolicTensor]| one(&ops.layer(attribute, x, [])?);
        let attended = call("dropout", &[call("att", &[x, x])?])?;
        let y = call("layernorm1", &[ops.add(x, attended)?])?;
        let made = call("dropout", &[call("ffn", &[y])?])?;
        let y = call("layernorm2", &[ops.add(y, made)?])?;
        Ok(vec![call("norm", &[y])?])
    }
}

/// The model with all that it needs.
pub(crate) fn load(path: &str) -> Result<Model> {
    Loader::new()
        .layer("Positions", Positions::from_config)
        .layer("TransformerBlock", TransformerBlock::from_config)
        .load(path)
}

fn main() -> Result<()> {
    let to: Vec<String> = std::env::args().skip(1).collect();
    run(&to)
}

/// Predicts for two sentences of five words. The model saved at each of the paths is the same again;
/// Keras loads it with the classes as `custom_objects`.
pub(crate) fn run(to: &[String]) -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/models/k3_blocks.keras");
    let words = Tensor::new([2, 5], vec![1, 2, 3, 0, 0, 8, 7, 6, 5, 4])?.cast(DType::Int32)?;
    let model = load(path)?;
    let outputs = model.predict(std::slice::from_ref(&words))?;
    for output in &outputs {
        println!("{:?}", output.as_slice::<f32>().unwrap_or_default());
    }
    for path in to {
        model.save(path)?;
        let again = load(path)?.predict(std::slice::from_ref(&words))?;
        println!("{path}: {}", if again == outputs { "the same" } else { "another model" });
    }
    Ok(())
}
