//! Weights of legacy HDF5 files: lists of arrays, layer by layer.
//!
//! Layers are paired in order and so are the arrays of each, whatever they are called; in each
//! layer trainable arrays come first. Source: `load_weights_from_hdf5_group` of
//! `keras/src/legacy/saving/legacy_h5_format.py`, Keras 3.15, and of `keras/engine/saving.py`,
//! Keras 2.3.1.

use std::collections::{HashMap, HashSet};

use super::Weight;
use super::bind::{Binding, Finding};
use super::slots::{self, Owned, Owner};
use crate::source::{StoredLayer, StoredWeight};
use crate::variables::{Sublayer, Variables};

/// How layers of the model and of the file find each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pairing {
    /// The first with the first: Keras's default.
    Position,
    /// By layer name; what has no partner stays as it is: `load_weights(by_name=True)`.
    Name,
}

/// In which order a frozen model lists the variables of its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frozen {
    /// Layer by layer: `tf.keras` and Keras 3.
    ByLayer,
    /// Those of trainable layers first: Keras without TensorFlow's name, up to 2.3.
    TrainableFirst,
}

/// Binds the arrays of `file` to the variables of `model`.
pub(crate) fn bind(
    model: &Variables,
    file: &[StoredLayer],
    pairing: Pairing,
    frozen: Frozen,
    binding: &mut Binding,
) {
    let layers = slots::layers(model);
    let with_weights = |owners: &[Owner]| owners.iter().any(|o| !o.stored.arrays.is_empty());
    let wanted: Vec<_> = model
        .sublayers
        .iter()
        .zip(layers)
        .filter(|(_, (_, owners))| with_weights(owners))
        .collect();
    let of_layer = |l: &&StoredLayer| !l.weights.is_empty() && l.name != StoredLayer::OF_THE_MODEL;
    let given: Vec<&StoredLayer> = file.iter().filter(of_layer).collect();
    // With another number of layers there is no telling which is which but by name.
    let by_position = pairing == Pairing::Position && wanted.len() == given.len();
    let by_name: HashMap<&str, &StoredLayer> =
        given.iter().map(|l| (l.name.as_str(), *l)).collect();
    let mut used: HashSet<&str> = HashSet::with_capacity(given.len());
    for (at, (sublayer, (name, owners))) in wanted.iter().enumerate() {
        let stored = if by_position { given.get(at) } else { by_name.get(name.as_str()) };
        let Some(stored) = stored else {
            let found = Finding::MissingLayer {
                layer: name.clone(),
                required: pairing == Pairing::Position,
            };
            binding.findings.push(found);
            binding.absent(owners);
            continue;
        };
        used.insert(&stored.name);
        layer(sublayer, owners, stored, frozen, binding);
    }
    for layer in file {
        if !used.contains(layer.name.as_str()) {
            binding.unused(&layer.weights, &layer.name);
        }
    }
}

/// Binds the arrays of one layer of the file.
fn layer(
    sublayer: &Sublayer,
    owners: &[Owner],
    stored: &StoredLayer,
    frozen: Frozen,
    binding: &mut Binding,
) {
    let mut owners_seen = 0;
    let order = order(sublayer, frozen, &mut owners_seen, owners).flatten();
    let mut arrays: Vec<Vec<Option<&StoredWeight>>> =
        owners.iter().map(|o| vec![None; o.stored.arrays.len()]).collect();
    for ((owner, array), weight) in order.iter().zip(&stored.weights) {
        if let Some(slot) = arrays.get_mut(*owner).and_then(|a| a.get_mut(*array)) {
            *slot = Some(weight);
        }
    }
    for (owner, arrays) in owners.iter().zip(arrays) {
        binding.owner(owner, &arrays);
    }
    binding.unused(stored.weights.get(order.len()..).unwrap_or_default(), &stored.name);
}

/// The layers of a model for a file that [`bind`] reads: their names, and the weights of each in the
/// order of Keras 3.
pub(crate) fn layers<'a>(model: &Variables, owned: &'a Owned) -> Vec<(String, Vec<&'a Weight>)> {
    let mut weights = owned.weights.as_slice();
    let layer = |(sublayer, (name, owners)): (&Sublayer, (String, Vec<Owner>))| {
        let (own, rest) = weights.split_at_checked(owners.len()).unwrap_or((weights, &[]));
        weights = rest;
        let order = order(sublayer, Frozen::ByLayer, &mut 0, &owners).flatten();
        let listed = order.iter().filter_map(|(owner, at)| own.get(*owner)?.get(*at));
        (name, listed.collect())
    };
    model.sublayers.iter().zip(slots::layers(model)).map(layer).collect()
}

/// Places of stored arrays, `(owner, array)`, in two lists.
#[derive(Default)]
struct Order {
    trainable: Vec<(usize, usize)>,
    rest: Vec<(usize, usize)>,
    by_layer: Vec<(usize, usize)>,
}

impl Order {
    fn flatten(mut self) -> Vec<(usize, usize)> {
        self.trainable.append(&mut self.rest);
        self.trainable
    }
}

fn order(sublayer: &Sublayer, frozen: Frozen, next: &mut usize, owners: &[Owner]) -> Order {
    let mut order = Order::default();
    let variables = &sublayer.variables;
    if !variables.own.is_empty() || variables.saved.is_some() {
        let arrays = owners.get(*next).map(|o| o.stored.arrays.as_slice()).unwrap_or_default();
        for (at, spec) in arrays.iter().enumerate() {
            let list = if spec.trainable { &mut order.trainable } else { &mut order.rest };
            list.push((*next, at));
            order.by_layer.push((*next, at));
        }
        *next = next.saturating_add(1);
    }
    for inner in &variables.sublayers {
        let inner = self::order(inner, frozen, next, owners);
        order.trainable.extend(inner.trainable);
        order.rest.extend(inner.rest);
        order.by_layer.extend(inner.by_layer);
    }
    if !sublayer.trainable {
        order.rest = match frozen {
            Frozen::ByLayer => order.by_layer.clone(),
            Frozen::TrainableFirst => {
                order.trainable.append(&mut order.rest);
                std::mem::take(&mut order.trainable)
            }
        };
        order.trainable.clear();
    }
    order
}
