//! The cases of `fixtures/layers*.json`: a layer each, as a model of one layer.

use keras_runtime::keras_model::source::dialect::{Dialect, Generation};
use keras_runtime::{DType, Tensor};
use serde_json::{Map, Value, json};

/// A layer and what it is called with.
pub(crate) struct Case {
    /// Its file.
    pub(crate) file: &'static str,
    /// What the maker wrote.
    pub(crate) recorded: Value,
}

/// All of them; the first file is that of Keras 3.
pub(crate) fn all() -> Vec<Case> {
    let files = ["layers.json", "layers_keras2.json", "layers_keras23.json", "layers_keras1.json"];
    let cases = files.iter().flat_map(|file| {
        let path = format!("{}/../../fixtures/{file}", env!("CARGO_MANIFEST_DIR"));
        let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let cases = all["cases"].as_array().unwrap().clone().into_iter();
        cases.map(move |recorded| Case { file, recorded })
    });
    cases.collect()
}

impl Case {
    /// Its class in Keras 3's form.
    pub(crate) fn class(&self) -> String {
        self.object()["class_name"].as_str().unwrap().to_owned()
    }

    /// The class as written, and the layer's name.
    pub(crate) fn name(&self) -> String {
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let name = &self.recorded["object"]["config"]["name"];
        format!("{}/{}", text(&self.recorded["class"]), text(name))
    }

    /// The layer in Keras 3's form.
    fn object(&self) -> Value {
        let generation = match self.recorded["generation"].as_u64() {
            Some(1) => Generation::Keras1,
            Some(2) => Generation::Keras2,
            _ => Generation::Keras3,
        };
        let mut object = self.recorded["object"].clone();
        Dialect::new(generation, None, None).model(&mut object).unwrap();
        object
    }

    /// The architecture of the model, and zeros that it takes, in the order in which Keras flattens.
    pub(crate) fn model(&self) -> (Value, Vec<Tensor>) {
        let mut inputs = Inputs::default();
        let args = self.recorded["args"].as_array().unwrap();
        let args: Vec<Value> = args.iter().map(|a| inputs.arg(a)).collect();
        let kwargs = inputs.entries(&self.recorded["kwargs"]);
        let Inputs { mut layers, tensors } = inputs;
        let ends: Vec<Value> =
            (0..tensors.len()).map(|i| json!([format!("in{i}"), 0, 0])).collect();
        let mut layer = self.object();
        let name = layer["config"]["name"].as_str().unwrap_or("layer").to_owned();
        layer["name"] = json!(name);
        layer["inbound_nodes"] = json!([{"args": args, "kwargs": kwargs}]);
        layers.push(layer);
        let outputs = self.recorded["outputs"].as_array().map_or(1, Vec::len);
        let outputs: Vec<Value> = (0..outputs).map(|i| json!([name, 0, i])).collect();
        let config = json!({"name": "model", "layers": layers, "input_layers": ends,
                            "output_layers": outputs});
        (json!({"class_name": "Functional", "config": config}), tensors)
    }
}

/// Input layers that are made on the way.
#[derive(Default)]
struct Inputs {
    layers: Vec<Value>,
    tensors: Vec<Tensor>,
}

impl Inputs {
    fn arg(&mut self, value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(|v| self.arg(v)).collect(),
            v if v.get("shape").is_some() => {
                let name = format!("in{}", self.tensors.len());
                let dtype = DType::from_name(v["dtype"].as_str().unwrap()).unwrap();
                let dims = v["shape"].as_array().unwrap().iter().enumerate();
                // What the maker of `layers.npz` takes for an axis of unknown length.
                let unknown = |axis| if axis == 0 { 2 } else { 4 };
                let length = |n: &Value| n.as_u64().and_then(|n| usize::try_from(n).ok());
                let shape: Vec<usize> =
                    dims.map(|(i, n)| length(n).unwrap_or_else(|| unknown(i))).collect();
                self.tensors.push(Tensor::zeros(shape, dtype));
                self.layers.push(json!({"class_name": "InputLayer", "name": name,
                    "inbound_nodes": [], "config": {"name": name, "batch_shape": v["shape"],
                    "dtype": v["dtype"]}}));
                json!({"class_name": "__keras_tensor__",
                       "config": {"keras_history": [name, 0, 0]}})
            }
            v if v.get("dict").is_some() => Value::Object(self.entries(&v["dict"])),
            v => v["value"].clone(),
        }
    }

    /// A dict, its entries by sorted key.
    fn entries(&mut self, dict: &Value) -> Map<String, Value> {
        let mut entries: Vec<(&String, &Value)> = dict.as_object().into_iter().flatten().collect();
        entries.sort_by_key(|e| e.0);
        entries.into_iter().map(|(k, v)| (k.clone(), self.arg(v))).collect()
    }
}
