//! JSON as Python writes it: with `NaN` and `Infinity`.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{Error, Result};

/// Objects in a document: more is no model. A layer has some twenty, and takes memory for each.
const MAX_OBJECTS: u64 = 1_000_000;

/// Parses a JSON document of Keras. Bare `NaN`, `Infinity` and `-Infinity`, which Python's
/// `json.dumps` writes and JSON does not know, become strings; [`Float`] reads them back.
pub(crate) fn parse(text: &str, document: &str) -> Result<Value> {
    // Braces in strings count as well: they are few.
    let wanted = text.bytes().filter(|b| *b == b'{').count() as u64;
    if wanted > MAX_OBJECTS {
        let what = format!("objects in {document}");
        return Err(Error::LimitExceeded { what, wanted, limit: MAX_OBJECTS });
    }
    serde_json::from_str(&quote_non_finite(text))
        .map_err(|source| Error::Json { document: document.to_owned(), source })
}

/// As [`parse`], for bytes that may not even be text.
pub(crate) fn parse_bytes(bytes: &[u8], document: &str) -> Result<Value> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text, document),
        Err(_) => serde_json::from_slice(bytes)
            .map_err(|source| Error::Json { document: document.to_owned(), source }),
    }
}

/// The text with bare non-finite numbers put in quotes; borrowed if there are none.
fn quote_non_finite(text: &str) -> Cow<'_, str> {
    if !text.contains("NaN") && !text.contains("Infinity") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    // Outside strings up to the next quote, then the string as it is.
    while let Some(quote) = rest.find('"') {
        let (outside, string) = rest.split_at(quote);
        out.push_str(&quote_bare(outside));
        let end = end_of_string(string);
        let (string, after) = string.split_at(end);
        out.push_str(string);
        rest = after;
    }
    out.push_str(&quote_bare(rest));
    Cow::Owned(out)
}

fn quote_bare(text: &str) -> String {
    // `-Infinity` becomes `-"Infinity"` in the first step and is mended in the last.
    text.replace("NaN", "\"NaN\"")
        .replace("Infinity", "\"Infinity\"")
        .replace("-\"Infinity\"", "\"-Infinity\"")
}

/// Bytes of the string literal at the start of `text`, both quotes included.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (i, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return i.saturating_add(1),
            _ => {}
        }
    }
    text.len()
}

/// The document as Python writes it: `", "` and `": "` between its parts, bare numbers that are not
/// finite where [`parse`] made strings of them.
pub(crate) fn to_text(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    let mut separator = "";
    match value {
        Value::Object(map) => {
            text.push('{');
            for (key, value) in map {
                text.push_str(separator);
                separator = ", ";
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push_str(": ");
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                text.push_str(separator);
                separator = ", ";
                write(item, text);
            }
            text.push(']');
        }
        Value::String(word) if matches!(word.as_str(), "NaN" | "Infinity" | "-Infinity") => {
            text.push_str(word);
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

/// A number of a config, which may be NaN or infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Float(pub f64);

impl From<f64> for Float {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

impl fmt::Display for Float {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let number = match &value {
            Value::Number(n) => n.as_f64(),
            // A one-element array is what a NumPy scalar becomes.
            Value::Array(items) if items.len() == 1 => items.first().and_then(Value::as_f64),
            Value::String(s) => match s.as_str() {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                _ => None,
            },
            Value::Bool(b) => Some(f64::from(u8::from(*b))),
            // A NumPy array without axes: `{"type": "ndarray", "value": 6.0}` in Keras 2.
            Value::Object(map) => map.get("value").and_then(Value::as_f64),
            _ => None,
        };
        number
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("expected a number, found {value}")))
    }
}

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            x if x.is_nan() => serializer.serialize_str("NaN"),
            x if x == f64::INFINITY => serializer.serialize_str("Infinity"),
            x if x == f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            x => serializer.serialize_f64(x),
        }
    }
}

#[test]
fn python_numbers() {
    let value =
        parse(r#"{"a": [NaN, -Infinity, Infinity], "b NaN \" Infinity": 1}"#, "test").unwrap();
    let floats: Vec<Float> = serde_json::from_value(value["a"].clone()).unwrap();
    assert!(floats[0].0.is_nan());
    assert_eq!(floats[1..], [Float(f64::NEG_INFINITY), Float(f64::INFINITY)]);
    assert_eq!(value["b NaN \" Infinity"], 1);
    assert_eq!(serde_json::to_value(Float(f64::NAN)).unwrap(), "NaN");
    let text = to_text(&value);
    assert_eq!(text, r#"{"a": [NaN, -Infinity, Infinity], "b NaN \" Infinity": 1}"#);
    assert_eq!(parse(&text, "test").unwrap(), value);
}
