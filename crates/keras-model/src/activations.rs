//! Activation functions by name. Source: `keras/src/activations/__init__.py`, Keras 3.15.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::layers::custom::Custom;

macro_rules! activations {
    ($($variant:ident $name:literal),* $(,)?) => {
        /// A function that a layer applies to its result.
        #[derive(Clone, Debug, Default, PartialEq)]
        #[allow(missing_docs, reason = "the names are Keras's")]
        pub enum Activation {
            $($variant,)*
            /// The identity: no activation.
            #[default]
            Linear,
            /// `clip(0.2 x + 0.5, 0, 1)`: what `hard_sigmoid` was before Keras 3.
            HardSigmoidKeras2,
            /// A layer in the place of a function (`ReLU(max_value=6)`, `PReLU()`...).
            Layer(Box<crate::Layer>),
            /// A function that this crate does not know.
            Custom(Box<Custom>),
        }

        /// Every activation name of Keras 3.
        pub const NAMES: &[&str] = &["linear", $($name),*];

        impl Activation {
            /// The function of that name in Keras 3, if there is one.
            pub fn from_name(name: &str) -> Option<Self> {
                Some(match name {
                    $($name => Self::$variant,)*
                    "linear" => Self::Linear,
                    "swish" => Self::Silu,
                    "hard_swish" => Self::HardSilu,
                    HARD_SIGMOID_KERAS2 => Self::HardSigmoidKeras2,
                    _ => return None,
                })
            }

            /// Its name.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Linear => "linear",
                    Self::HardSigmoidKeras2 => HARD_SIGMOID_KERAS2,
                    Self::Layer(layer) => &layer.base.class,
                    Self::Custom(custom) => &custom.registered_name,
                }
            }
        }
    };
}

/// Name of the older `hard_sigmoid` behind the normalisation, which tells the two apart.
pub(crate) const HARD_SIGMOID_KERAS2: &str = "hard_sigmoid_keras2";

/// The same in Keras 3, which has it not, as a model of layers that it has.
fn hard_sigmoid_keras2() -> Value {
    let layer = |class: &str, config: Value| {
        json!({
            "module": "keras.layers", "class_name": class, "config": config,
            "registered_name": null,
        })
    };
    let layers = [
        layer("Rescaling", json!({"name": "line", "scale": 0.2, "offset": 0.5})),
        layer("ReLU", json!({"name": "clip", "max_value": 1.0})),
    ];
    json!({
        "module": "keras", "class_name": "Sequential",
        "config": {"name": HARD_SIGMOID_KERAS2, "layers": layers},
        "registered_name": null,
    })
}

/// Whether the model is that, perhaps written by Keras since.
fn is_hard_sigmoid_keras2(model: &Value) -> bool {
    let number = |layer: usize, key: &str| {
        model.pointer(&format!("/config/layers/{layer}/config/{key}")).and_then(Value::as_f64)
    };
    model.pointer("/config/name").and_then(Value::as_str) == Some(HARD_SIGMOID_KERAS2)
        && (number(0, "scale"), number(0, "offset")) == (Some(0.2), Some(0.5))
        && number(1, "max_value") == Some(1.0)
}

activations! {
    Celu "celu",
    Elu "elu",
    Exponential "exponential",
    Gelu "gelu",
    Glu "glu",
    HardShrink "hard_shrink",
    HardSigmoid "hard_sigmoid",
    HardSilu "hard_silu",
    HardTanh "hard_tanh",
    LeakyRelu "leaky_relu",
    LogSigmoid "log_sigmoid",
    LogSoftmax "log_softmax",
    Mish "mish",
    Relu "relu",
    Relu6 "relu6",
    Selu "selu",
    Sigmoid "sigmoid",
    Silu "silu",
    SoftShrink "soft_shrink",
    Softmax "softmax",
    Softplus "softplus",
    Softsign "softsign",
    SparsePlus "sparse_plus",
    SparseSigmoid "sparse_sigmoid",
    Sparsemax "sparsemax",
    Squareplus "squareplus",
    Tanh "tanh",
    TanhShrink "tanh_shrink",
    Threshold "threshold",
}

/// Whether an activation has that name, aliases included.
pub(crate) fn is_known(name: &str) -> bool {
    Activation::from_name(name).is_some()
}

impl<'de> Deserialize<'de> for Activation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let custom = |made: crate::Result<Custom>| {
            made.map(|c| Self::Custom(Box::new(c))).map_err(serde::de::Error::custom)
        };
        match (&value, value.get("class_name").and_then(Value::as_str)) {
            (Value::Null, _) => Ok(Self::Linear),
            (Value::String(name), _) => {
                Self::from_name(name).map_or_else(|| custom(Custom::function(name)), Ok)
            }
            // A function object: `{"class_name": "function", "config": "my_function"}`.
            (_, Some("function")) => {
                let name = value.get("config").and_then(Value::as_str).unwrap_or_default();
                Self::from_name(name).map_or_else(|| custom(Custom::function(name)), Ok)
            }
            (_, Some("Sequential")) if is_hard_sigmoid_keras2(&value) => {
                Ok(Self::HardSigmoidKeras2)
            }
            (_, Some(class))
                if crate::layers::CLASSES.contains(&class)
                    || matches!(class, "Sequential" | "Functional") =>
            {
                let layer = crate::Layer::from_config(&value).map_err(serde::de::Error::custom)?;
                Ok(Self::Layer(Box::new(layer)))
            }
            (_, Some(_)) => custom(Custom::new(&value)),
            (_, None) => Err(serde::de::Error::custom(format!("no activation: {value}"))),
        }
    }
}

impl Serialize for Activation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Layer(layer) => layer.serialize(serializer),
            Self::HardSigmoidKeras2 => hard_sigmoid_keras2().serialize(serializer),
            Self::Custom(custom) => custom.as_activation().serialize(serializer),
            _ => serializer.serialize_str(self.name()),
        }
    }
}
