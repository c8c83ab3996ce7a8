//! `compile`, and the optimizer that goes with it.
//! Source: `keras/src/trainers/trainer.py`, Keras 3.15.

use keras_model::compile::CompileConfig;

use super::optimizer::Optimizer;
use crate::{Model, Result};

impl Model {
    /// Says how the model is trained from now on: `model.compile`. The optimizer starts anew.
    ///
    /// ```
    /// use keras_runtime::keras_model::compile::CompileConfig;
    ///
    /// let mut model = keras_runtime::load_model("../../fixtures/models/k3_mlp.keras")?;
    /// model.compile(CompileConfig::parse(&serde_json::json!({
    ///     "optimizer": {"class_name": "SGD", "config": {"learning_rate": 0.05, "momentum": 0.9}},
    ///     "loss": "sparse_categorical_crossentropy",
    ///     "metrics": ["accuracy"],
    /// }))?);
    /// assert_eq!(model.learning_rate()?, 0.05);
    /// # Ok::<(), keras_runtime::Error>(())
    /// ```
    pub fn compile(&mut self, config: CompileConfig) {
        self.file.compile = Some(config);
        self.file.optimizer_state = None;
        self.optimizer = None;
        self.steps.clear();
    }

    /// The learning rate of the next step.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) if the model was not compiled.
    pub fn learning_rate(&mut self) -> Result<f32> {
        let optimizer = self.take_optimizer()?;
        let rate = optimizer.learning_rate();
        self.optimizer = Some(optimizer);
        rate
    }

    /// Sets the learning rate: `optimizer.learning_rate = rate`.
    ///
    /// # Errors
    /// [`Error::Value`](crate::Error::Value) if a schedule says it, or the model was not compiled.
    pub fn set_learning_rate(&mut self, rate: f32) -> Result<()> {
        let mut optimizer = self.take_optimizer()?;
        let set = optimizer.set_learning_rate(rate);
        self.optimizer = Some(optimizer);
        set
    }

    /// The optimizer: that of the steps before, or as the file has it.
    pub(super) fn take_optimizer(&mut self) -> Result<Optimizer> {
        match self.optimizer.take() {
            Some(optimizer) => Ok(optimizer),
            None => Optimizer::new(&self.file, &self.weights, &self.limits),
        }
    }
}
