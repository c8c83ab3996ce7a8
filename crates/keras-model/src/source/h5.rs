//! HDF5 files of Keras: whole models, and weights in both layouts.
//! Source: `keras/src/legacy/saving/legacy_h5_format.py`, Keras 3.15.

use std::collections::BTreeMap;

use hdf5_lite::{File, Group};

use super::{Container, Source, Store, StoredLayer, StoredWeight};
use crate::{Error, Result, json};

pub(super) fn open(file: &File) -> Result<Source> {
    let root = file.root().map_err(Error::hdf5("/"))?;
    let text = |group: &Group, name: &str| -> Result<Option<String>> {
        let attr = group.find_attr(name).map_err(Error::hdf5(name))?;
        attr.map(|a| a.string()).transpose().map_err(|e| match e {
            hdf5_lite::Error::WrongType { .. } => Error::config(name, e.to_string()),
            e => Error::hdf5(name)(e),
        })
    };
    let parse = |name: &str| -> Result<Option<serde_json::Value>> {
        text(&root, name)?.map(|t| json::parse(&t, name)).transpose()
    };
    let config = parse("model_config")?;
    let exists = |name: &str| root.contains(name).map_err(Error::hdf5(name));
    let (container, layers) = if exists("model_weights")? {
        let group = root.group("model_weights").map_err(Error::hdf5("/model_weights"))?;
        (Container::WholeModelH5, Some(group))
    } else if names(&root, "layer_names")?.is_some() {
        (Container::LegacyWeightsH5, Some(root.clone()))
    } else if exists("layers")? || exists("_layer_checkpoint_dependencies")? || exists("vars")? {
        (Container::WeightsH5, None)
    } else if config.is_some() {
        (Container::WholeModelH5, None)
    } else {
        return Err(Error::NotKeras {
            found: "an HDF5 file without model_config, layer_names or layers".into(),
        });
    };
    let mut keras_version = text(&root, "keras_version")?;
    let mut backend = text(&root, "backend")?;
    if let Some(group) = &layers {
        keras_version = keras_version.or(text(group, "keras_version")?);
        backend = backend.or(text(group, "backend")?);
    }
    let weights = match (&layers, container) {
        (Some(group), _) => Store::Legacy(stored_layers(group)?),
        (None, Container::WeightsH5) => Store::Paths(file.clone()),
        _ => Store::None,
    };
    let compile_config = parse("training_config")?;
    let optimizer_weights = match (&weights, exists("optimizer_weights")?) {
        (Store::Paths(file), _) => optimizer_vars(file)?,
        (_, true) => {
            let group =
                root.group("optimizer_weights").map_err(Error::hdf5("optimizer_weights"))?;
            stored_weights(&group, "the optimizer")?
        }
        (_, false) => Vec::new(),
    };
    Ok(Source {
        container,
        keras_version,
        backend,
        config,
        compile_config,
        weights,
        optimizer_weights,
        assets: BTreeMap::new(),
    })
}

/// `/optimizer/vars/0`, `1`... of a weights file.
pub(super) fn optimizer_vars(file: &File) -> Result<Vec<StoredWeight>> {
    const VARS: &str = "optimizer/vars";
    let root = file.root().map_err(Error::hdf5("/"))?;
    if !root.contains(VARS).map_err(Error::hdf5(VARS))? {
        return Ok(Vec::new());
    }
    let group = root.group(VARS).map_err(Error::hdf5(VARS))?;
    let mut weights = Vec::new();
    for index in 0_u32.. {
        let name = index.to_string();
        if !group.contains(&name).map_err(Error::hdf5(VARS))? {
            break;
        }
        let context = format!("{VARS}/{name}");
        let dataset = group.dataset(&name).map_err(Error::hdf5(context.clone()))?;
        weights.push(StoredWeight { name: context, dataset });
    }
    Ok(weights)
}

/// A list of names; long ones are split over `name0`, `name1`...
fn names(group: &Group, name: &str) -> Result<Option<Vec<String>>> {
    let read = |name: &str| -> Result<Option<Vec<String>>> {
        let attr = group.find_attr(name).map_err(Error::hdf5(name))?;
        attr.map(|a| a.strings())
            .transpose()
            .map_err(Error::hdf5(format!("{}@{name}", group.path())))
    };
    if let Some(all) = read(name)? {
        return Ok(Some(all));
    }
    let mut all = Vec::new();
    let mut found = false;
    for part in 0_u32.. {
        let Some(some) = read(&format!("{name}{part}"))? else { break };
        all.extend(some);
        found = true;
    }
    Ok(found.then_some(all))
}

fn stored_layers(group: &Group) -> Result<Vec<StoredLayer>> {
    let wrong = || Error::config(group.path(), "has no layer_names");
    let mut layers = Vec::new();
    for name in names(group, "layer_names")?.ok_or_else(wrong)? {
        let layer = group.group(&name).map_err(Error::hdf5(format!("layer {name:?}")))?;
        let weights = stored_weights(&layer, &name)?;
        layers.push(StoredLayer { name, weights });
    }
    // Variables of the model itself: no layer of the list.
    let own = StoredLayer::OF_THE_MODEL;
    if group.contains(own).map_err(Error::hdf5(own))? {
        let weights = stored_weights(&group.group(own).map_err(Error::hdf5(own))?, own)?;
        layers.push(StoredLayer { name: own.to_owned(), weights });
    }
    Ok(layers)
}

/// The arrays that `weight_names` lists.
fn stored_weights(group: &Group, owner: &str) -> Result<Vec<StoredWeight>> {
    let mut weights = Vec::new();
    for name in names(group, "weight_names")?.unwrap_or_default() {
        let context = |e| match e {
            hdf5_lite::Error::NotFound { .. } => {
                Error::Weights(vec![format!("{owner} lists a weight {name:?} that is not there")])
            }
            e => Error::hdf5(format!("{owner}, weight {name:?}"))(e),
        };
        let dataset = group.dataset(&name).map_err(context)?;
        weights.push(StoredWeight { name, dataset });
    }
    Ok(weights)
}
