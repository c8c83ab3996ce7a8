//! Element types and dtype policies. Source: `keras/src/dtype_policies/dtype_policy.py`, Keras 3.15.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

macro_rules! dtypes {
    ($($variant:ident $name:literal $size:literal),* $(,)?) => {
        /// Element type of a tensor or weight, under Keras's names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum DType { $(#[serde(rename = $name)] $variant),* }

        impl DType {
            /// Keras's name: `float32`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The type of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            /// Bytes of one element; 0 for strings.
            pub const fn size(self) -> usize {
                match self { $(Self::$variant => $size),* }
            }
        }
    };
}

dtypes! {
    Float16 "float16" 2,
    BFloat16 "bfloat16" 2,
    Float32 "float32" 4,
    Float64 "float64" 8,
    Float8E4M3Fn "float8_e4m3fn" 1,
    Float8E5M2 "float8_e5m2" 1,
    Int4 "int4" 1,
    Int8 "int8" 1,
    Int16 "int16" 2,
    Int32 "int32" 4,
    Int64 "int64" 8,
    UInt8 "uint8" 1,
    UInt16 "uint16" 2,
    UInt32 "uint32" 4,
    UInt64 "uint64" 8,
    Bool "bool" 1,
    String "string" 0,
    Complex64 "complex64" 8,
    Complex128 "complex128" 16,
}

impl DType {
    /// `float16`, `bfloat16`, `float32`, `float64`: what a dtype policy casts.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::BFloat16 | Self::Float32 | Self::Float64)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a layer stores its weights and what it computes in.
///
/// Names as in Keras: `float32`, `mixed_float16`, `mixed_bfloat16`, `int8_from_float32`...
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DTypePolicy {
    /// The policy's name.
    pub name: String,
    /// What weights are stored in.
    pub variable: DType,
    /// What the layer computes in, and so the type of its output.
    pub compute: DType,
    /// How the weights are quantised, if they are.
    pub quantization: Option<Quantization>,
    /// The config it came from, where it is more than a name (`DTypePolicyMap`, quantised ones).
    config: Option<Value>,
}

/// Quantisation modes of `QuantizedDTypePolicy`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Keras's modes")]
pub enum Quantization {
    Int8,
    /// `block_size`: columns that share a scale; `None` for one scale per output channel.
    Int4 {
        block_size: Option<usize>,
    },
    /// `amax_history_length`: how many steps the running maxima remember.
    Float8 {
        amax_history_length: usize,
    },
    /// `group_size`: -1 for one group.
    Gptq {
        weight_bits: usize,
        group_size: i64,
    },
    Awq {
        weight_bits: usize,
        group_size: i64,
    },
}

impl DTypePolicy {
    /// The policy of that name. `None` if Keras has none.
    pub fn from_name(name: &str) -> Option<Self> {
        let (mode, base) = match name.split_once("_from_") {
            Some((mode, base)) => (Some(Quantization::from_name(mode)?), base),
            None => (None, name),
        };
        let (variable, compute) = match base {
            "mixed_float16" => (DType::Float32, DType::Float16),
            "mixed_bfloat16" => (DType::Float32, DType::BFloat16),
            _ => DType::from_name(base).map(|t| (t, t))?,
        };
        Some(Self { name: name.to_owned(), variable, compute, quantization: mode, config: None })
    }

    /// The policy of a `dtype` entry: a name, or `{class_name, config}`.
    fn from_config(config: &Value) -> Option<Self> {
        if let Some(name) = config.as_str() {
            return Self::from_name(name);
        }
        let inner = config.get("config")?;
        if config.get("class_name")?.as_str()? == "DTypePolicyMap" {
            // Each sublayer has its own entry; the map itself stands for the default.
            let default = inner.get("default_policy").filter(|v| !v.is_null());
            let mut policy = default.map_or_else(|| Some(Self::default()), Self::from_config)?;
            policy.config = Some(config.clone());
            return Some(policy);
        }
        let source = inner.get("source_name").and_then(Value::as_str);
        let Some(mode) = inner.get("mode").and_then(Value::as_str) else {
            let name = inner.get("name")?.as_str()?;
            return match source {
                Some(source) if !name.contains("_from_") => {
                    Self::from_name(&format!("{name}_from_{source}"))
                }
                _ => Self::from_name(name),
            };
        };
        let base = source?;
        let name =
            if mode.contains("_from_") { mode.to_owned() } else { format!("{mode}_from_{base}") };
        let mut policy = Self::from_name(&name)?;
        if let Some(Quantization::Float8 { amax_history_length }) = &mut policy.quantization
            && let Some(length) = inner.get("amax_history_length").and_then(Value::as_u64)
        {
            *amax_history_length = usize::try_from(length).ok()?;
        }
        policy.config = Some(config.clone());
        Some(policy)
    }

    /// The policy of the layer `name` inside the layer `owner`: what a `DTypePolicyMap` says for
    /// the end of its path, else this one.
    #[must_use]
    pub fn of_sublayer(&self, owner: &str, name: &str) -> Self {
        let map =
            self.config.as_ref().and_then(|c| c.get("config")?.get("policy_map")?.as_object());
        let path = format!("{owner}/{name}");
        let ends = |key: &str| {
            key.strip_suffix(path.as_str())
                .is_some_and(|head| head.is_empty() || head.ends_with('/'))
        };
        let entry = map.into_iter().flatten().find(|(key, _)| ends(key));
        entry.and_then(|(_, policy)| Self::from_config(policy)).unwrap_or_else(|| self.clone())
    }
}

/// `QuantizedFloat8DTypePolicy.default_amax_history_length`.
const DEFAULT_AMAX_HISTORY: usize = 1024;

impl Quantization {
    fn from_name(mode: &str) -> Option<Self> {
        let mut parts = mode.split('/');
        let kind = parts.next()?;
        let first: Option<i64> = parts.next().and_then(|p| p.parse().ok());
        let second: Option<i64> = parts.next().and_then(|p| p.parse().ok());
        let bits = || usize::try_from(first?).ok();
        Some(match kind {
            "int8" => Self::Int8,
            "int4" => Self::Int4 { block_size: first.and_then(|b| usize::try_from(b).ok()) },
            "float8" => Self::Float8 { amax_history_length: DEFAULT_AMAX_HISTORY },
            "gptq" => Self::Gptq { weight_bits: bits()?, group_size: second? },
            "awq" => Self::Awq { weight_bits: bits()?, group_size: second? },
            _ => return None,
        })
    }
}

impl Default for DTypePolicy {
    fn default() -> Self {
        Self {
            name: "float32".to_owned(),
            variable: DType::Float32,
            compute: DType::Float32,
            quantization: None,
            config: None,
        }
    }
}

impl<'de> Deserialize<'de> for DTypePolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = Value::deserialize(deserializer)?;
        if config.is_null() {
            return Ok(Self::default());
        }
        Self::from_config(&config)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown dtype policy {config}")))
    }
}

/// As Keras 3 writes it.
impl Serialize for DTypePolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.config {
            Some(config) => config.serialize(serializer),
            None => serde_json::json!({
                "module": "keras", "class_name": "DTypePolicy",
                "config": {"name": self.name}, "registered_name": null
            })
            .serialize(serializer),
        }
    }
}

#[test]
fn policies_by_name_and_config() {
    let mixed: DTypePolicy = serde_json::from_str(r#""mixed_bfloat16""#).unwrap();
    assert_eq!((mixed.variable, mixed.compute), (DType::Float32, DType::BFloat16));
    let json = r#"{"class_name": "QuantizedDTypePolicy",
                   "config": {"mode": "int8", "source_name": "mixed_bfloat16"}}"#;
    let quantized: DTypePolicy = serde_json::from_str(json).unwrap();
    assert_eq!(quantized.quantization, Some(Quantization::Int8));
    assert_eq!(quantized.compute, DType::BFloat16);
    assert!(serde_json::from_str::<DTypePolicy>(r#""float33""#).is_err());
}
