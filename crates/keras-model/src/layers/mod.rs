//! One file per layer class; the table below has one row for each.
//!
//! To add a layer: its file, `mod`, and a row. Everything else (parsing, the class name, shape
//! inference, weights) follows from the row.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::ops::Operation;
use crate::variables::Variables;
use crate::{Call, DTypePolicy, Error, Inputs, KerasTensor, Model, Result};

/// What every layer config has: Keras's `Layer.get_config`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Base {
    /// The class name in Keras 3's form: `Dense`.
    pub class: String,
    /// Unique in its model.
    pub name: String,
    /// Whether gradients reach its weights.
    pub trainable: bool,
    /// What it stores weights in and computes in.
    pub dtype: DTypePolicy,
}

/// What a layer class knows: its config is the implementing type.
pub trait LayerConfig {
    /// The outputs of one call, flattened as Keras flattens.
    ///
    /// # Errors
    /// [`Error::Layer`] if the layer cannot take these inputs.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>>;

    /// The variables that the first call creates.
    ///
    /// # Errors
    /// [`Error::Layer`] if an axis that shapes a weight is not known or sizes overflow.
    fn variables(&self, _call: &Call<'_>) -> Result<Variables> {
        Ok(Variables::none())
    }

    /// What it does to the mask of its input, where the file has no explicit mask.
    fn mask(&self) -> Mask {
        Mask::Passes
    }

    /// The layers that it holds, with the attribute that holds each.
    fn sublayers(&self) -> Vec<(&'static str, &Layer)> {
        Vec::new()
    }
}

/// What a layer does to an implicit mask. Source: `compute_mask` of each class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Mask {
    /// The output has the input's mask.
    Passes,
    /// The output has none.
    Drops,
    /// It makes a new one from the values: `Masking`, `Embedding(mask_zero=True)`.
    Creates,
    /// It joins those of its inputs: merging layers.
    Merges,
}

macro_rules! layers {
    ($($class:literal => $variant:ident($config:ty)),* $(,)?) => {
        /// The typed config of a layer, one variant per class.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each variant is documented at its type")]
        pub enum Kind {
            $($variant(Box<$config>),)*
            /// A model called as a layer.
            Model(Box<crate::Model>),
            /// An operation of `keras.ops` as a node of a graph.
            Operation(Box<crate::ops::Operation>),
            /// A class that this crate does not know.
            Custom(Box<custom::Custom>),
        }

        /// Every layer class that this crate knows.
        pub const CLASSES: &[&str] = &[$($class),*];

        impl Kind {
            fn parse(class: &str, config: &Value) -> Result<Option<Self>, ConfigError> {
                Ok(Some(match class {
                    $($class => Self::$variant(Box::new(typed::<$config>(config)?)),)*
                    _ => return Ok(None),
                }))
            }

            /// The config behind its trait.
            pub fn config(&self) -> &dyn LayerConfig {
                match self {
                    $(Self::$variant(config) => config.as_ref(),)*
                    Self::Model(config) => config.as_ref(),
                    Self::Operation(config) => config.as_ref(),
                    Self::Custom(config) => config.as_ref(),
                }
            }

            fn serialize_config<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(config) => config.serialize(serializer),)*
                    Self::Model(config) => config.serialize(serializer),
                    Self::Operation(config) => config.serialize(serializer),
                    Self::Custom(config) => config.serialize(serializer),
                }
            }
        }
    };
}

type ConfigError = serde_path_to_error::Error<serde_json::Error>;

fn typed<'de, T: Deserialize<'de>>(config: &'de Value) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(config)
}

pub mod activation;
pub mod bidirectional;
pub mod custom;
pub mod dense;
pub mod input_layer;

layers! {
    "Activation" => Activation(activation::Activation),
    "Bidirectional" => Bidirectional(bidirectional::Bidirectional),
    "Dense" => Dense(dense::Dense),
    "InputLayer" => InputLayer(input_layer::InputLayer),
}

/// A layer: what all have in common, and the typed config of its class.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Name, trainable flag, dtype policy.
    pub base: Base,
    /// Class and config.
    pub kind: Kind,
}

impl Layer {
    /// Reads `{class_name, config}` in Keras 3's form. An unknown class becomes [`Kind::Custom`].
    ///
    /// # Errors
    /// [`Error::Config`] with the layer's name and the key that is wrong.
    pub fn from_config(object: &Value) -> Result<Self> {
        #[derive(Deserialize)]
        struct Common {
            #[serde(default)]
            name: Option<String>,
            #[serde(default = "yes")]
            trainable: bool,
            #[serde(default)]
            dtype: DTypePolicy,
        }
        let class = object
            .get("class_name")
            .and_then(Value::as_str)
            .ok_or_else(|| Error::config("layer", "has no class_name"))?;
        let config = object.get("config").unwrap_or(&Value::Null);
        let name = config.get("name").and_then(Value::as_str).unwrap_or(class);
        let wrong = |e: ConfigError| {
            Error::config(format!("{name}/{}", e.path()), format!("{class}: {}", e.inner()))
        };
        let common: Common = typed(config).map_err(wrong)?;
        let base = Base {
            class: class.to_owned(),
            name: common.name.unwrap_or_else(|| class.to_owned()),
            trainable: common.trainable,
            dtype: common.dtype,
        };
        let kind = if Operation::is_one(object, class) {
            let (operation, config) = (class.to_owned(), config.clone());
            Kind::Operation(Box::new(Operation { operation, config }))
        } else if matches!(class, "Functional" | "Sequential") {
            Kind::Model(Box::new(Model::from_config(object)?))
        } else {
            match Kind::parse(class, config).map_err(wrong)? {
                Some(kind) => kind,
                None => Kind::Custom(Box::new(custom::Custom::new(object))),
            }
        };
        Ok(Self { base, kind })
    }

    /// The outputs of one call.
    pub fn output(&self, inputs: &Inputs) -> Result<Vec<KerasTensor>> {
        self.kind.config().output(&Call::new(&self.base, inputs))
    }

    /// The variables that a call with these inputs creates.
    pub fn variables(&self, inputs: &Inputs) -> Result<Variables> {
        self.kind.config().variables(&Call::new(&self.base, inputs))
    }
}

impl<'de> Deserialize<'de> for Layer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_config(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// As Keras 3 writes it: `{class_name, config}`.
impl Serialize for Layer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        struct Config<'a>(&'a Kind);
        impl Serialize for Config<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize_config(serializer)
            }
        }
        let mut out = serializer.serialize_struct("Layer", 5)?;
        out.serialize_field("class_name", &self.base.class)?;
        out.serialize_field("name", &self.base.name)?;
        out.serialize_field("trainable", &self.base.trainable)?;
        out.serialize_field("dtype", &self.base.dtype.name)?;
        out.serialize_field("config", &Config(&self.kind))?;
        out.end()
    }
}

/// Default of the many flags that Keras has on.
pub(crate) const fn yes() -> bool {
    true
}
