//! HDF5 files of Keras: whole models, and weights in both layouts.
//! Source: `keras/src/legacy/saving/legacy_h5_format.py`, Keras 3.15.

use std::collections::{BTreeMap, HashSet};

use hdf5_lite::{Array, File, Group, GroupMut, Writer};

use super::{Container, Source, Store, StoredLayer, StoredWeight};
use crate::{Error, Result, Weight, json};

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

/// Attributes of more bytes are split: `HDF5_OBJECT_HEADER_LIMIT` of Keras.
const LONGEST_LIST: usize = 64_512;

/// A list that [`names`] reads.
fn write_names(group: &mut GroupMut<'_, '_>, name: &str, list: &[String]) -> Result<()> {
    let longest = list.iter().map(String::len).max().unwrap_or(0).max(1);
    let fit = LONGEST_LIST.checked_div(longest).unwrap_or(0).max(1);
    let parts = list.len().div_ceil(fit);
    if parts < 2 {
        group.set_attr(name, Array::fixed_strings(list)).map_err(Error::hdf5(name))?;
        return Ok(());
    }
    for (n, part) in list.chunks(list.len().div_ceil(parts)).enumerate() {
        let name = format!("{name}{n}");
        group.set_attr(&name, Array::fixed_strings(part)).map_err(Error::hdf5(name.as_str()))?;
    }
    Ok(())
}

/// A whole model, or its weights alone, by layer.
pub(crate) fn write(whole: &Whole<'_>, writer: &mut Writer<'_>) -> Result<()> {
    let mut root = writer.root_mut();
    let mut text =
        |name: &str, text: &str| root.set_attr(name, text).map(|_| ()).map_err(Error::hdf5(name));
    if let Some(config) = &whole.config {
        text("keras_version", whole.keras_version)?;
        text("backend", BACKEND)?;
        text("model_config", config)?;
        if let Some(config) = &whole.training_config {
            text("training_config", config)?;
        }
        let context = "model_weights";
        let mut weights = root.group(context).map_err(Error::hdf5(context))?;
        write_layers(whole, &mut weights)?;
    } else {
        write_layers(whole, &mut root)?;
    }
    if !whole.optimizer.is_empty() {
        let context = "optimizer_weights";
        let mut group = root.group(context).map_err(Error::hdf5(context))?;
        let weights = whole.optimizer.iter().map(|(name, weight)| (name.as_str(), weight));
        write_weights(&mut group, weights)?;
    }
    Ok(())
}

/// What a whole model's file says.
pub(crate) struct Whole<'a> {
    /// The version of Keras that is to read it.
    pub keras_version: &'a str,
    /// `model_config`; without, the weights stand alone.
    pub config: Option<String>,
    /// What it was compiled with.
    pub training_config: Option<String>,
    /// Each layer with its weights.
    pub layers: Vec<(String, Vec<&'a Weight>)>,
    /// The optimizer's variables.
    pub optimizer: &'a [(String, Weight)],
}

/// Keras asks who computed; the numbers are the same with all that still are.
const BACKEND: &str = "tensorflow";

fn write_layers(whole: &Whole<'_>, group: &mut GroupMut<'_, '_>) -> Result<()> {
    let names: Vec<String> = whole.layers.iter().map(|(name, _)| name.clone()).collect();
    write_names(group, "layer_names", &names)?;
    for (name, value) in [("keras_version", whole.keras_version), ("backend", BACKEND)] {
        group.set_attr(name, value).map_err(Error::hdf5(name))?;
    }
    for (name, weights) in &whole.layers {
        let mut layer = group.group(name).map_err(Error::hdf5(name.as_str()))?;
        write_weights(&mut layer, weights.iter().map(|w| (w.path.as_str(), *w)))?;
    }
    let own = StoredLayer::OF_THE_MODEL;
    write_weights(&mut group.group(own).map_err(Error::hdf5(own))?, std::iter::empty())
}

/// Arrays that [`stored_weights`] reads. Of layers in models in models two may have one name.
fn write_weights<'w>(
    group: &mut GroupMut<'_, '_>,
    weights: impl Iterator<Item = (&'w str, &'w Weight)>,
) -> Result<()> {
    let mut seen = HashSet::new();
    let mut names = Vec::new();
    for (name, weight) in weights {
        let numbered = (1_u32..).map(|n| format!("{name}_{n}"));
        let mut free = std::iter::once(name.to_owned()).chain(numbered);
        let name = free.find(|name| seen.insert(name.clone())).unwrap_or_default();
        weight.write(group, &name)?;
        names.push(name);
    }
    write_names(group, "weight_names", &names)
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
