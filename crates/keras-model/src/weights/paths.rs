//! Weights files by object path: `layers/dense/vars/0`. Alone as `.weights.h5`, or in a `.keras`
//! archive. Source: `keras/src/saving/saving_lib.py`, Keras 3.15, and that of Keras 2.13.

use std::collections::HashSet;

use hdf5_lite::{File, Group, GroupMut};

use super::bind::{Binding, Finding};
use super::slots::{self, Owned, Owner};
use crate::source::StoredWeight;
use crate::variables::Variables;
use crate::{Error, Result};

/// Binds the arrays of `file` to the variables of `model`.
pub(crate) fn bind(model: &Variables, file: &File, binding: &mut Binding) -> Result<()> {
    let root = file.root().map_err(Error::hdf5("/"))?;
    let is_2_13 = has(&root, "_layer_checkpoint_dependencies")?;
    for owner in slots::owners(model) {
        let Some(group) = find(&root, &owner, is_2_13)? else {
            binding
                .findings
                .push(Finding::MissingLayer { layer: owner.path.clone(), required: true });
            binding.absent(std::slice::from_ref(&owner));
            continue;
        };
        let mut arrays = vec![None; owner.variables.len()];
        let names = owner.variables.iter().map(|v| v.name.clone()).collect();
        for (index, name) in owner.saved.as_ref().unwrap_or(&names).iter().enumerate() {
            let dataset = format!("vars/{index}");
            let variable = owner.variables.iter().position(|v| v.name == *name);
            // What is no variable of its own repeats one of a sublayer.
            let Some(slot) = variable.and_then(|at| arrays.get_mut(at)) else { continue };
            if has(&group, &dataset)? {
                let name = format!("{}/{dataset}", group.path());
                let dataset = group.dataset(&dataset).map_err(Error::hdf5(name.clone()))?;
                *slot = Some(StoredWeight { name, dataset });
            }
        }
        let arrays: Vec<_> = arrays.iter().map(Option::as_ref).collect();
        binding.owner(&owner, &arrays);
    }
    Ok(())
}

/// Writes the variables of a model below `root`, where [`bind`] finds them. `places` are those of
/// all its layers: even where one owns nothing, Keras notes its name.
pub(crate) fn write(
    root: &mut GroupMut<'_, '_>,
    name: &str,
    places: &[(String, String)],
    owned: &Owned,
) -> Result<()> {
    let mut seen = HashSet::new();
    let layers = places
        .iter()
        .map(|(layer, place)| (layer.rsplit('/').next().unwrap_or(layer), format!("{place}/vars")));
    for (name, vars) in std::iter::once((name, "vars".to_owned())).chain(layers) {
        let vars = vars.trim_start_matches('/').to_owned();
        if seen.insert(vars.clone()) {
            let mut group = root.group(&vars).map_err(Error::hdf5(vars.clone()))?;
            group.set_attr("name", name).map_err(Error::hdf5(vars))?;
        }
    }
    for (owner, own) in owned.owners.iter().zip(&owned.weights) {
        let place = owner.place();
        let vars = if place.is_empty() { "vars".to_owned() } else { format!("{place}/vars") };
        let names = owner.variables.iter().map(|v| v.name.clone()).collect();
        for (index, name) in owner.saved.as_ref().unwrap_or(&names).iter().enumerate() {
            let own =
                owner.variables.iter().position(|v| v.name == *name).and_then(|at| own.get(at));
            let held = || {
                let (inner, at) = owner.held(&owned.owners, name)?;
                owned.weights.get(inner)?.get(at)
            };
            if let Some(weight) = own.or_else(held) {
                weight.write(root, &format!("{vars}/{index}"))?;
            }
        }
    }
    Ok(())
}

/// The group that holds the owner's `vars`.
fn find(root: &Group, owner: &Owner, is_2_13: bool) -> Result<Option<Group>> {
    let mut group = root.clone();
    for step in &owner.group {
        let name = if is_2_13 { &step.name_2_13 } else { &step.name };
        // Attributes that became public: `_query_dense` until Keras 2.15, `query_dense` since.
        let private = format!("_{name}");
        let name = if has(&group, name)? {
            name
        } else if has(&group, &private)? {
            &private
        } else {
            return Ok(None);
        };
        group = group.group(name).map_err(Error::hdf5(format!("{}/{name}", group.path())))?;
    }
    Ok(Some(group))
}

fn has(group: &Group, path: &str) -> Result<bool> {
    group.contains(path).map_err(Error::hdf5(format!("{}/{path}", group.path())))
}

/// All arrays of the file that belong to no optimizer and no metric.
pub(crate) fn all(file: &File) -> Result<Vec<StoredWeight>> {
    let root = file.root().map_err(Error::hdf5("/"))?;
    let mut found = Vec::new();
    collect(&root, 0, &mut found)?;
    Ok(found)
}

/// Objects do not nest deeper than this in files that Keras writes.
const MAX_DEPTH: usize = 64;

fn collect(group: &Group, depth: usize, found: &mut Vec<StoredWeight>) -> Result<()> {
    let context = || group.path().to_owned();
    if depth > MAX_DEPTH {
        return Err(Error::LimitExceeded {
            what: format!("depth of groups at {}", group.path()),
            wanted: depth as u64,
            limit: MAX_DEPTH as u64,
        });
    }
    for link in group.links().map_err(Error::hdf5(context()))? {
        let name = link.name();
        let of_training = depth == 0 && matches!(name.as_ref(), "optimizer" | "metrics");
        // Random seeds: state that no weights list has.
        if of_training || name.starts_with("seed_generator") {
            continue;
        }
        let path = format!("{}/{name}", group.path());
        if let Ok(inner) = group.group(&name) {
            collect(&inner, depth.saturating_add(1), found)?;
        } else {
            let dataset = group.dataset(&name).map_err(Error::hdf5(path.clone()))?;
            found.push(StoredWeight { name: path, dataset });
        }
    }
    Ok(())
}
