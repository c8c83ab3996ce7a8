//! `training/`: compiled models of Keras 3; paths of weights, and the optimizer's state whole.

use std::path::Path;

use keras_model::{Loader, ModelFile};
use serde_json::Value;

use crate::{Tally, index, text, texts, usable};

pub(crate) fn run(folder: &Path, tally: &mut Tally) {
    let trajectories = folder.join("trajectories");
    for case in index(&trajectories) {
        for format in ["keras", "h5"] {
            let name = text(&case, format);
            if !name.is_empty() {
                let loaded = Loader::new().inspect(trajectories.join(name));
                tally.case(name, judge(&case, loaded, format == "keras"));
            }
        }
    }
    let mut files: Vec<_> = std::fs::read_dir(folder.join("fusion"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "keras" || e == "h5"))
        .collect();
    files.sort();
    for path in files {
        let loaded = Loader::new().inspect(&path).map_err(|e| e.to_string());
        tally.case(&path.display().to_string(), loaded.and_then(|file| usable(&file, false)));
    }
}

fn judge(
    case: &Value,
    loaded: keras_model::Result<ModelFile>,
    has_paths: bool,
) -> Result<(), String> {
    let file = loaded.map_err(|e| e.to_string())?;
    usable(&file, false)?;
    if let Some(object) = file.report.unknown.first() {
        return Err(format!("unknown {} {:?}", object.kind, object.name));
    }
    if has_paths {
        let paths: Vec<&str> = file.weights.iter().map(|w| w.path.as_str()).collect();
        if paths != texts(case, "weight_paths") {
            return Err(format!("weights {paths:?}"));
        }
        let trained = file.weights.iter().filter(|w| w.trainable).map(|w| w.path.as_str());
        if trained.collect::<Vec<_>>() != texts(case, "trainable_paths") {
            return Err("other variables are trainable".into());
        }
    }
    let compile = file.compile.as_ref().ok_or("nothing of its compilation was read")?;
    let optimizer = compile.optimizer.as_ref().map_or("none", |o| o.kind.class_name());
    if optimizer != text(case, "optimizer") {
        return Err(format!("optimizer {optimizer}"));
    }
    let state = file.optimizer_state.as_ref().ok_or("the optimizer's state does not fit")?;
    let found = state.scalars.len() + state.slots.len();
    let expected = texts(case, "optimizer_variable_paths").len();
    if found == expected {
        Ok(())
    } else {
        Err(format!("{found} variables of the optimizer, {expected} expected"))
    }
}
