//! Initializers, regularizers and constraints: `{class_name, config}` objects inside layer configs.
//! Sources: `keras/src/{initializers,regularizers,constraints}/__init__.py`, Keras 3.15.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

macro_rules! family {
    ($(#[$doc:meta])* $name:ident, $kind:literal, [$($class:literal),* $(,)?]) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            /// Keras 3's class name.
            pub class_name: String,
            /// Its arguments.
            #[serde(default)]
            pub config: Map<String, Value>,
        }

        impl $name {
            /// What a report calls one that is not known.
            pub const KIND: &'static str = $kind;

            /// Keras's own.
            pub const CLASSES: &'static [&'static str] = &[$($class),*];
        }
    };
}

family! {
    /// How a weight starts.
    Initializer, "initializer", [
        "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity",
        "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform",
        "STFT", "TruncatedNormal", "VarianceScaling", "Zeros",
    ]
}

family! {
    /// A penalty that a weight or an output adds to the loss.
    Regularizer, "regularizer", ["L1", "L1L2", "L2", "OrthogonalRegularizer"]
}

family! {
    /// What a weight is forced to after each update.
    Constraint, "constraint", ["MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"]
}

impl Initializer {
    fn named(class_name: &str) -> Self {
        Self { class_name: class_name.to_owned(), config: Map::new() }
    }

    /// Zeros: the default of biases.
    pub fn zeros() -> Self {
        Self::named("Zeros")
    }

    /// Ones: the default of scales.
    pub fn ones() -> Self {
        Self::named("Ones")
    }

    /// `Orthogonal`: the default of recurrent kernels.
    pub fn orthogonal() -> Self {
        Self::named("Orthogonal")
    }

    /// `RandomUniform`: the default of embeddings.
    pub fn uniform() -> Self {
        Self::named("RandomUniform")
    }
}

/// `GlorotUniform`: the default of kernels.
impl Default for Initializer {
    fn default() -> Self {
        Self::named("GlorotUniform")
    }
}
