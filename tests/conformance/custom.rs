//! Files with code of their author's, which a caller has to give: each Lambda of the corpus is
//! `x * s` with the argument `s` that stands beside it, or without one `x * 2 + 1`.

use std::path::Path;

use keras_runtime::{CustomLayer, Loader, Ops, Result, SymbolicTensor, Tensor};
use serde_json::Value;

use crate::npz::{self, Array};
use crate::{Tally, index, text, texts};

struct Lambda {
    s: Option<f64>,
}

impl CustomLayer for Lambda {
    fn call(&self, ops: &Ops<'_>, x: &[SymbolicTensor]) -> Result<Vec<SymbolicTensor>> {
        Ok(vec![match self.s {
            Some(s) => ops.multiply(x[0], s)?,
            None => ops.add(ops.multiply(x[0], 2)?, 1)?,
        }])
    }
}

/// The cases of `keras/`.
pub(crate) fn run(folder: &Path, tally: &mut Tally) {
    let folder = folder.join("cases");
    for case in index(&folder).iter().filter(|c| texts(c, "layers").contains(&"Lambda")) {
        let id = text(case, "id");
        let data = folder.join(format!("{id}.npz"));
        for format in texts(case, "formats") {
            let name = format!("{id}.{format}");
            let tolerance = case["atol"].as_f64().unwrap();
            tally.case(&name, judge(&folder.join(&name), &data, ["in", "out"], tolerance));
        }
    }
}

/// Those of `keras-old/`.
pub(crate) fn run_old(folder: &Path, tally: &mut Tally) {
    for case in index(folder).iter().filter(|c| text(c, "name").contains("lambda")) {
        let at = |key: &str| folder.join(text(case, key));
        let tolerance = case["tolerance"]["predict_atol"].as_f64().unwrap();
        let judged = judge(&at("file"), &at("data"), ["x_", "pred_"], tolerance);
        tally.case(text(case, "id"), judged);
    }
}

fn judge(model: &Path, data: &Path, [x, y]: [&str; 2], tolerance: f64) -> Result<(), String> {
    let from_config = |config: &Value| Ok(Lambda { s: config["arguments"]["s"].as_f64() });
    let model = Loader::new().layer("<lambda>", from_config).load(model);
    let arrays = |prefix| npz::read(data).map(|all| npz::numbered(all, prefix));
    let inputs: Vec<Tensor> = arrays(x)?.iter().map(tensor).collect();
    let found = model.and_then(|m| m.predict(&inputs)).map_err(|e| e.to_string())?;
    let expected: Vec<Tensor> = arrays(y)?.iter().map(tensor).collect();
    for (found, expected) in found.iter().zip(&expected) {
        let pairs =
            found.as_slice::<f32>().unwrap().iter().zip(expected.as_slice::<f32>().unwrap());
        let worst = pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
        if found.shape() != expected.shape() || worst > tolerance {
            return Err(format!("{:?} off by {worst}", found.shape()));
        }
    }
    if found.len() == expected.len() { Ok(()) } else { Err("another number of outputs".to_owned()) }
}

/// These cases hold `float32` alone.
fn tensor(array: &Array) -> Tensor {
    assert_eq!(array.descr, "<f4");
    let (values, _) = array.bytes.as_chunks::<4>();
    let values: Vec<f32> = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
    Tensor::new(array.shape.clone(), values).unwrap()
}
