//! A model of Keras 2 with an attention layer of its author's, an activation that is a lambda and a
//! `Lambda` layer: the file has their names and weights, here is what they compute.
//!
//!     cargo run -p keras-runtime --example custom_attention -- saved.keras

#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use keras_runtime::keras_model::layers::Mask;
use keras_runtime::keras_model::variables::VariableSpec;
use keras_runtime::keras_model::{Call, DType};
use keras_runtime::{CustomLayer, Error, Loader, Model, Ops, Result, SymbolicTensor, Tensor};
use serde_json::Value;

/// The weighted sum of a sequence `[batch, steps, features]` over its steps. The weights are a
/// softmax of `u · tanh(x · W + b)`; without `context` of `tanh(x · w + b)`.
pub(crate) struct Attention {
    bias: bool,
    context: bool,
}

impl Attention {
    /// What `from_config` is in Python: the file's config of one layer.
    pub(crate) fn from_config(config: &Value) -> Result<Self> {
        let flag = |key: &str| {
            let value = config.get(key).and_then(Value::as_bool);
            value.ok_or_else(|| Error::Value(format!("attention without {key:?}")))
        };
        Ok(Self { bias: flag("bias")?, context: flag("context")? })
    }
}

impl CustomLayer for Attention {
    /// As `build` adds them.
    fn weights(&self, call: &Call<'_>) -> Result<Vec<VariableSpec>> {
        let (steps, features) = (call.known_dim(1)?, call.known_dim(-1)?);
        let dtype = call.base.dtype.variable;
        let weight = |name: &str, shape: Vec<usize>| VariableSpec::new(name, shape, dtype);
        Ok(if self.context {
            let mut weights = vec![weight("W", vec![features, features])];
            weights.extend(self.bias.then(|| weight("b", vec![features])));
            weights.push(weight("u", vec![features]));
            weights
        } else {
            let mut weights = vec![weight("W", vec![features])];
            weights.extend(self.bias.then(|| weight("b", vec![steps])));
            weights
        })
    }

    fn call(&self, ops: &Ops<'_>, inputs: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
        let [x] = *inputs else { return Err(ops.error("takes one sequence")) };
        let w = ops.weight("W")?;
        let mut score =
            if self.context { ops.dot(x, w)? } else { ops.sum(ops.multiply(x, w)?, &[-1], false)? };
        if self.bias {
            score = ops.add(score, ops.weight("b")?)?;
        }
        score = ops.tanh(score)?;
        if self.context {
            score = ops.sum(ops.multiply(score, ops.weight("u")?)?, &[-1], false)?;
        }
        let mut share = ops.exp(score)?;
        if let Some(mask) = ops.mask(x) {
            share = ops.multiply(share, ops.cast(mask, ops.dtype(x))?)?;
        }
        // Keras's `backend.epsilon()`.
        let total = ops.add(ops.sum(share, &[1], true)?, 1e-7)?;
        let share = ops.expand_dims(ops.divide(share, total)?, -1)?;
        Ok(vec![ops.sum(ops.multiply(x, share)?, &[1], false)?])
    }

    fn mask(&self) -> Mask {
        Mask::Drops
    }
}

/// The model with all that it needs.
pub(crate) fn load(path: &str) -> Result<Model> {
    Loader::new()
        .layer("AttentionWithContext", Attention::from_config)
        // Each lambda is called `<lambda>`; a `Lambda` layer is found by its own name first.
        .function("<lambda>", |ops, x| ops.minimum(ops.relu(x)?, 20.0))
        .function("half", |ops, x| ops.multiply(x, 0.5))
        .load(path)
}

fn main() -> Result<()> {
    let to: Vec<String> = std::env::args().skip(1).collect();
    run(&to)
}

/// Predicts for two sentences of five words. The model saved at each of the paths is one of Keras 3
/// that computes the same.
pub(crate) fn run(to: &[String]) -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/models/k231_attention.h5");
    let model = load(path)?;
    let words = Tensor::new([2, 5], vec![1, 2, 3, 0, 0, 8, 7, 6, 5, 4])?.cast(DType::Float32)?;
    let outputs = model.predict(std::slice::from_ref(&words))?;
    for (row, shares) in outputs.iter().filter_map(|y| y.as_slice::<f32>()).enumerate() {
        println!("output {row}: {shares:?}");
    }
    for path in to {
        model.save(path)?;
        let again = load(path)?.predict(std::slice::from_ref(&words))?;
        println!("{path}: {}", if again == outputs { "the same" } else { "another model" });
    }
    Ok(())
}
