//! `keras-old/`: files of Keras 1.0.8 to 2.3.1, and `get_weights()` as these gave it.

use std::path::Path;

use keras_model::{Loader, ModelFile};
use serde_json::Value;

use crate::{Tally, index, npz, text, texts, usable};

pub(crate) fn run(folder: &Path, tally: &mut Tally) {
    for case in index(folder) {
        let at = |key: &str| folder.join(text(&case, key));
        // Keras 1 does not say who wrote a file: the index is the caller who knows.
        let told = Loader::new().backend(text(&case, "backend"));
        let loaded = match text(&case, "kind") {
            "weights" => told.inspect_with_weights(at("architecture"), at("file")),
            _ => told.inspect(at("file")),
        };
        tally.case(text(&case, "id"), judge(&case, loaded, &at("data")));
    }
}

fn judge(case: &Value, loaded: keras_model::Result<ModelFile>, data: &Path) -> Result<(), String> {
    let file = loaded.map_err(|e| e.to_string())?;
    usable(&file, text(case, "name").contains("lambda"))?;
    if !case["compile"].is_null() && file.compile.is_none() {
        return Err("nothing of its compilation was read".into());
    }
    let found = file.get_weights().map_err(|e| e.to_string())?;
    let expected = npz::numbered(npz::read(data)?, "w_");
    if found.len() != expected.len() {
        return Err(format!("{} weights, {} expected", found.len(), expected.len()));
    }
    for (weight, array) in found.iter().zip(&expected) {
        let bytes = weight.bytes().map_err(|e| e.to_string())?;
        if weight.shape != array.shape || bytes != array.bytes {
            return Err(format!("{} differs from get_weights()", weight.path));
        }
    }
    // The index lists the names of `model.weights`, in another order for some.
    let mut names: Vec<&str> = found.iter().map(|w| w.path.as_str()).collect();
    let mut listed = texts(case, "weight_order");
    names.sort_unstable();
    listed.sort_unstable();
    if names == listed { Ok(()) } else { Err(format!("names {names:?}, {listed:?} expected")) }
}
