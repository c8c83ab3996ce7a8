//! Initializers, regularizers and constraints: `{class_name, config}` objects inside layer configs.
//! Sources: `keras/src/{initializers,regularizers,constraints}/__init__.py`, Keras 3.15.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// One as it stands in a file.
#[derive(Deserialize)]
struct Object {
    class_name: String,
    #[serde(default)]
    config: Map<String, Value>,
    #[serde(default)]
    registered_name: Option<String>,
}

/// Each class with its arguments.
macro_rules! family {
    (
        $(#[$doc:meta])*
        $name:ident, $kind:literal, $module:literal,
        [$($class:literal($($argument:ident)*)),* $(,)?]
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(from = "Object")]
        pub struct $name {
            /// Keras 3's class name.
            pub class_name: String,
            /// Its arguments.
            pub config: Map<String, Value>,
            /// `package>Name` of a registered class; the class's own name of another custom one.
            registered_name: Option<String>,
        }

        impl From<Object> for $name {
            fn from(object: Object) -> Self {
                let Object { class_name, mut config, registered_name } = object;
                let arguments: &[&str] = match class_name.as_str() {
                    $($class => &[$(stringify!($argument)),*],)*
                    name => {
                        let registered_name = registered_name.or_else(|| Some(name.to_owned()));
                        return Self { class_name, config, registered_name };
                    }
                };
                // What older Keras had beside them says nothing: the type of an initializer.
                config.retain(|name, _| arguments.contains(&name.as_str()));
                Self { class_name, config, registered_name: None }
            }
        }

        /// As Keras 3 writes it.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let module = self.registered_name.is_none().then_some($module);
                json!({
                    "module": module, "class_name": self.class_name, "config": self.config,
                    "registered_name": self.registered_name,
                })
                .serialize(serializer)
            }
        }

        impl $name {
            /// What a report calls one that is not known.
            pub const KIND: &'static str = $kind;

            /// One of Keras's classes with these arguments.
            pub fn new(class_name: impl Into<String>, config: Map<String, Value>) -> Self {
                let class_name = class_name.into();
                Object { class_name, config, registered_name: None }.into()
            }

            /// Keras's own.
            pub const CLASSES: &'static [&'static str] = &[$($class),*];
        }
    };
}

family! {
    /// How a weight starts.
    Initializer, "initializer", "keras.initializers", [
        "Constant"(value),
        "GlorotNormal"(seed input_axes output_axes),
        "GlorotUniform"(seed input_axes output_axes),
        "HeNormal"(seed input_axes output_axes),
        "HeUniform"(seed input_axes output_axes),
        "Identity"(gain),
        "LecunNormal"(seed input_axes output_axes),
        "LecunUniform"(seed input_axes output_axes),
        "Ones"(),
        "Orthogonal"(gain seed),
        "RandomNormal"(mean stddev seed),
        "RandomUniform"(minval maxval seed),
        "STFT"(side window scaling periodic),
        "TruncatedNormal"(mean stddev seed),
        "VarianceScaling"(scale mode distribution seed input_axes output_axes),
        "Zeros"(),
    ]
}

family! {
    /// A penalty that a weight or an output adds to the loss.
    Regularizer, "regularizer", "keras.regularizers", [
        "L1"(l1), "L1L2"(l1 l2), "L2"(l2), "OrthogonalRegularizer"(factor mode),
    ]
}

family! {
    /// What a weight is forced to after each update.
    Constraint, "constraint", "keras.constraints", [
        "MaxNorm"(max_value axis), "MinMaxNorm"(min_value max_value rate axis), "NonNeg"(),
        "UnitNorm"(axis),
    ]
}

impl Initializer {
    fn named(class_name: &str) -> Self {
        Self::new(class_name, Map::new())
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
