//! The variables of an optimizer, which files keep as a list: the order tells what is what.
//!
//! Each generation has its own order. Sources: `build` of each optimizer in `keras/src/optimizers`
//! (Keras 3.15), `tf_keras/src/optimizers` and its folder `legacy` (tf_keras 2.21),
//! `keras/optimizers.py` (Keras 1.2.2, 2.0.9, 2.3.1).

use std::ops::Range;

use serde::Serialize;

use super::optimizer::{LearningRate, Optimizer, OptimizerKind, OptimizerMap};
use crate::source::StoredWeight;
use crate::variables::{VariableSpec, Variables};
use crate::weights::slots::{self, Owner};
use crate::weights::{Binding, Weight};
use crate::{DType, Size};

/// Whose order a list of optimizer variables has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum StateLayout {
    /// Keras 3.
    Keras3,
    /// `tf.keras` since TensorFlow 2.11, `tf_keras`.
    TfKeras,
    /// `tf.keras` before, and `optimizers.legacy` since.
    TfKerasLegacy,
    /// Keras 1 and 2 without TensorFlow's name.
    Keras2,
    /// The same until 2.0.5: variables sorted by name.
    SortedByName,
}

/// A variable that an optimizer keeps for one variable of the model.
#[derive(Clone, Debug, Serialize)]
pub struct StateVariable {
    /// What it is: `momentum`, `velocity`...
    pub slot: &'static str,
    /// The model's variable, and the state's elements in its layout.
    pub weight: Weight,
}

/// The state of an optimizer, by what each variable is.
#[derive(Clone, Debug, Serialize)]
pub struct OptimizerState {
    /// Whose order the file has.
    pub layout: StateLayout,
    /// Variables that belong to no variable of the model: `iteration`, `learning_rate`... Those of
    /// an optimizer within another one have its name in front: `adam/iteration`.
    pub scalars: Vec<(String, Weight)>,
    /// Those that do.
    pub slots: Vec<StateVariable>,
    /// What the optimizer's variables take once it is built; a file that was never trained may
    /// hold but the first of them.
    pub size: Size,
}

/// A number that an optimizer keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Of steps: `int64`.
    Count(i64),
    /// Any other: `float32`.
    Number(f32),
}

impl StateVariable {
    /// What is kept in `slot` for a variable of the model: elements of the variable's type,
    /// little-endian, row-major. Adafactor's have another shape than the variable.
    ///
    /// # Errors
    /// [`Error::Weights`](crate::Error::Weights) if they are more or fewer than the shape says.
    pub fn new(
        slot: &'static str,
        variable: &Weight,
        shape: Vec<usize>,
        bytes: impl Into<bytes::Bytes>,
    ) -> crate::Result<Self> {
        let weight = Weight { shape, ..variable.clone() };
        Ok(Self { slot, weight: weight.with_bytes(bytes)? })
    }
}

impl OptimizerState {
    /// A state that is in no file yet: numbers under the names of [`scalars`](Self::scalars), and the
    /// variables that are kept for those of the model.
    pub fn new(
        scalars: impl IntoIterator<Item = (String, Scalar)>,
        slots: Vec<StateVariable>,
    ) -> Self {
        let scalar = |(name, scalar): (String, Scalar)| {
            let weight = match scalar {
                Scalar::Count(n) => Weight::scalar(&name, DType::Int64, n.to_le_bytes().to_vec()),
                Scalar::Number(x) => {
                    Weight::scalar(&name, DType::Float32, x.to_le_bytes().to_vec())
                }
            };
            (name, weight)
        };
        let scalars: Vec<(String, Weight)> = scalars.into_iter().map(scalar).collect();
        let weights = scalars.iter().map(|(_, w)| w).chain(slots.iter().map(|slot| &slot.weight));
        let specs: Vec<VariableSpec> = weights
            .map(|w| VariableSpec::new(w.name.as_str(), w.shape.as_slice(), w.dtype))
            .collect();
        Self { layout: StateLayout::Keras3, scalars, size: Size::of(&specs), slots }
    }
}

/// One entry of the list that a layout implies.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Scalar(String),
    /// A placeholder that holds nothing: Keras 2's `vhat` without `amsgrad`.
    Placeholder,
    Slot {
        slot: &'static str,
        array: usize,
        shape: Vec<usize>,
    },
}

/// One array that the optimizer trains: its place in the list of all, its owner, its place there,
/// its path and the name in the file by which old versions sorted.
#[derive(Clone)]
struct Trained<'a> {
    index: usize,
    owner: usize,
    array: usize,
    path: String,
    stored_name: String,
    spec: &'a VariableSpec,
}

/// Slot names in the order of their creation, for all variables before the next or interleaved.
enum Slots {
    Interleaved(Vec<&'static str>),
    OneAfterTheOther(Vec<&'static str>),
}

impl OptimizerState {
    /// Binds the stored list to the model's trainable variables; `None` if it has another number
    /// of arrays or other shapes than any list that this optimizer could have written.
    pub(crate) fn bind(
        optimizer: &Optimizer,
        layout: StateLayout,
        model: &Variables,
        weights: &[Weight],
        stored: &[StoredWeight],
    ) -> Option<Self> {
        let owners = slots::owners(model);
        let trained = trained(&owners, weights, layout);
        let lists = lists(optimizer, layout, &trained);
        let list = lists.iter().find(|list| fits(list, stored))?;
        let size = size(lists.first().filter(|_| layout == StateLayout::Keras3).unwrap_or(list));
        let mut scalars = Vec::new();
        let mut by_slot: Vec<(&'static str, Vec<(usize, &StoredWeight)>)> = Vec::new();
        for (entry, array) in list.iter().zip(stored) {
            match entry {
                Entry::Scalar(name) => scalars.push((name.clone(), Weight::from(array))),
                Entry::Placeholder => {}
                Entry::Slot { slot, array: at, .. } => {
                    match by_slot.iter_mut().find(|(name, _)| name == slot) {
                        Some((_, arrays)) => arrays.push((*at, array)),
                        None => by_slot.push((slot, vec![(*at, array)])),
                    }
                }
            }
        }
        let slots = by_slot
            .into_iter()
            .flat_map(|(slot, arrays)| {
                let weights = slot_weights(&owners, &trained, &arrays);
                weights.into_iter().map(move |weight| StateVariable { slot, weight })
            })
            .collect();
        Some(Self { layout, scalars, slots, size })
    }
}

/// What Keras 3 keeps for an optimizer, in its order.
#[derive(Debug, Default)]
pub(crate) struct Keras3State {
    /// Paths and elements: `adam/iteration`, `adam/dense_kernel_momentum`.
    pub variables: Vec<(String, Weight)>,
    /// Optimizers within it, each with the part of the list that is its own: weights files have it
    /// twice.
    pub inner: Vec<(String, Range<usize>)>,
}

impl OptimizerState {
    /// The same state as Keras 3 keeps it; else what cannot be carried over.
    pub(crate) fn to_keras3(
        &self,
        optimizer: &Optimizer,
        model: &Variables,
    ) -> Result<Keras3State, String> {
        let optimizer = &Optimizer { learning_rate: optimizer.rate(), ..optimizer.clone() };
        let owners = slots::owners(model);
        let trained = trained(&owners, &[], StateLayout::Keras3);
        let lists = lists(optimizer, StateLayout::Keras3, &trained);
        // Compiled and never trained: nothing is there yet but the first two.
        let is_there = |entry: &Entry| match entry {
            Entry::Scalar(name) => {
                matches!(name.as_str(), "iteration" | "learning_rate")
                    || self.scalars.iter().any(|(known, _)| known == name)
            }
            Entry::Placeholder | Entry::Slot { .. } => false,
        };
        let is_built = |list: &&Vec<Entry>| !self.slots.is_empty() || list.iter().all(is_there);
        let list = lists.iter().find(is_built).or(lists.last());
        let name = optimizer.keras3_name();
        let mut variables = Vec::new();
        for entry in list.into_iter().flatten() {
            variables.push(match entry {
                Entry::Scalar(scalar) => {
                    let path = if scalar.contains('/') {
                        scalar.clone()
                    } else {
                        format!("{name}/{scalar}")
                    };
                    (path, self.scalar(scalar, optimizer)?)
                }
                Entry::Placeholder => continue,
                Entry::Slot { slot, array, shape } => {
                    let Some(t) = trained.get(*array) else { continue };
                    let path = format!("{name}/{}_{slot}", t.path.replace('/', "_"));
                    let layer = owners.get(t.owner).map_or("", |owner| &owner.path);
                    (path, self.slot(slot, layer, &t.spec.name, shape)?)
                }
            });
        }
        let inner = holder(optimizer, &trained).map(|holder| holder.parts());
        Ok(Keras3State { variables, inner: inner.unwrap_or_default() })
    }

    fn scalar(&self, name: &str, optimizer: &Optimizer) -> Result<Weight, String> {
        let known = self.scalars.iter().find(|(known, _)| known == name).map(|(_, weight)| weight);
        let is_count = name.ends_with("iteration") || name == "step_counter";
        match (known, &optimizer.learning_rate) {
            (Some(weight), _) if is_count && weight.dtype != DType::Int64 => {
                // Keras 1 counted in floats.
                let count = weight.to_f64().map_err(|e| e.to_string())?.first().copied();
                #[expect(clippy::cast_possible_truncation, reason = "a count of steps is whole")]
                let count = count.unwrap_or(0.0) as i64;
                Ok(Weight::scalar(name, DType::Int64, count.to_le_bytes().to_vec()))
            }
            (Some(weight), _) => Ok(weight.clone()),
            (None, LearningRate::Constant(rate)) if name == "learning_rate" => {
                #[expect(clippy::cast_possible_truncation, reason = "Keras keeps it so")]
                let rate = *rate as f32;
                Ok(Weight::scalar(name, DType::Float32, rate.to_le_bytes().to_vec()))
            }
            // The file never counted, and what it updates with does not.
            (None, LearningRate::Constant(_)) if name == "iteration" && !counts(optimizer) => {
                Ok(Weight::scalar(name, DType::Int64, vec![0; 8]))
            }
            _ => Err(format!("the file has no {name}")),
        }
    }

    fn slot(
        &self,
        slot: &str,
        layer: &str,
        variable: &str,
        shape: &[usize],
    ) -> Result<Weight, String> {
        let is_it = |state: &&StateVariable| {
            state.slot == slot
                && slots::fold(&state.weight.layer) == slots::fold(layer)
                && state.weight.name == variable
        };
        match self.slots.iter().find(is_it) {
            Some(state) => Ok(state.weight.clone()),
            // A dummy of Adafactor.
            None if shape.is_empty() => Ok(Weight::scalar(slot, DType::Float32, vec![0; 4])),
            None => Err(format!("the file has no {slot} of {layer}/{variable}")),
        }
    }
}

fn size(list: &[Entry]) -> Size {
    let one = |entry: &Entry| {
        let (shape, dtype) = match entry {
            Entry::Scalar(name) if name.ends_with("iteration") || name == "step_counter" => {
                (&[][..], DType::Int64)
            }
            Entry::Scalar(_) | Entry::Placeholder => (&[][..], DType::Float32),
            Entry::Slot { shape, .. } => (shape.as_slice(), DType::Float32),
        };
        Size::of([&VariableSpec::new("", shape, dtype)])
    };
    list.iter().map(one).fold(Size::default(), |a, b| a + b)
}

/// The arrays that the optimizer trains, in its order.
fn trained<'a>(owners: &'a [Owner], weights: &[Weight], layout: StateLayout) -> Vec<Trained<'a>> {
    let mut all: Vec<Trained<'a>> = Vec::new();
    let mut weights = weights.iter();
    for (owner, o) in owners.iter().enumerate() {
        let mut names = vec![String::new(); o.stored.arrays.len()];
        for (recipe, weight) in o.stored.recipes.iter().zip(&mut weights) {
            for (part, stored) in recipe.parts.iter().zip(weight.stored()) {
                if let Some(name) = names.get_mut(*part) {
                    name.clone_from(&stored.name);
                }
            }
        }
        for ((array, spec), name) in o.stored.arrays.iter().enumerate().zip(names) {
            if o.trainable && spec.trainable {
                let path = format!("{}/{}", o.scope, spec.name);
                all.push(Trained { index: 0, owner, array, path, stored_name: name, spec });
            }
        }
    }
    if layout == StateLayout::SortedByName {
        all.sort_by(|a, b| a.stored_name.cmp(&b.stored_name));
    }
    all.iter_mut().enumerate().for_each(|(index, t)| t.index = index);
    all
}

/// Every list that this optimizer could have written: versions differ in what stands before and
/// behind the slots.
fn lists(optimizer: &Optimizer, layout: StateLayout, trained: &[Trained<'_>]) -> Vec<Vec<Entry>> {
    use StateLayout::{Keras3, TfKeras, TfKerasLegacy};
    let mut per_variable: Vec<Entry> = Vec::new();
    if optimizer.use_ema {
        per_variable.extend(all("average", trained));
    }
    if layout == Keras3 && optimizer.gradient_accumulation_steps.is_some() {
        per_variable.extend(all("gradient_accumulator", trained));
    }
    match slots_of(optimizer, layout) {
        Slots::Interleaved(names) => {
            for variable in trained {
                per_variable.extend(
                    names.iter().filter_map(|slot| entry(optimizer, layout, slot, variable)),
                );
            }
        }
        Slots::OneAfterTheOther(names) => {
            for slot in names {
                let of = |variable| entry(optimizer, layout, slot, variable);
                per_variable.extend(trained.iter().filter_map(of));
            }
        }
    }
    let amsgrad = matches!(
        optimizer.kind,
        OptimizerKind::Adam { amsgrad: true, .. } | OptimizerKind::AdamW { amsgrad: true, .. }
    );
    if amsgrad {
        per_variable.extend(all("velocity_hat", trained));
    }
    let scheduled = matches!(optimizer.learning_rate, LearningRate::Schedule(_));
    let nadam = matches!(optimizer.kind, OptimizerKind::Nadam { .. });
    let list = |before: &[&str], behind: &[Entry]| {
        let mut list: Vec<Entry> = scalars(before, "");
        list.extend(per_variable.iter().cloned());
        list.extend(behind.iter().cloned());
        list
    };
    match layout {
        Keras3 => {
            let before: &[_] =
                if scheduled { &["iteration"] } else { &["iteration", "learning_rate"] };
            let behind = if nadam { scalars(&["u_product"], "") } else { vec![] };
            let whole = match holder(optimizer, trained) {
                Some(holder) => holder.list(layout),
                None => list(before, &behind),
            };
            // Compiled and never trained: the slots may be missing.
            vec![whole, scalars(before, "")]
        }
        TfKerasLegacy if nadam => vec![list(&["iteration", "momentum_cache"], &[])],
        TfKeras | TfKerasLegacy => vec![list(&["iteration"], &[]), scalars(&["iteration"], "")],
        _ => {
            let placeholders = vec![Entry::Placeholder; trained.len()];
            vec![
                list(&["iteration"], &[]),
                list(&["iteration"], &placeholders),
                list(&["iteration", "m_schedule"], &[]),
                list(&[], &[]),
            ]
        }
    }
}

fn scalars(names: &[&str], before: &str) -> Vec<Entry> {
    names.iter().map(|name| Entry::Scalar(format!("{before}{name}"))).collect()
}

/// Whether an update depends on the number of those before, the learning rate aside.
const fn counts(optimizer: &Optimizer) -> bool {
    use OptimizerKind::{Adadelta, Adagrad, RMSprop, SGD};
    !matches!(&optimizer.kind, SGD { .. } | RMSprop { .. } | Adagrad { .. } | Adadelta { .. })
}

/// What an optimizer that holds others has of its own, and those that it holds: the attribute, the
/// optimizer, and what it trains.
struct Holder<'o, 'a> {
    own: &'static [&'static str],
    held: Vec<(String, &'o Optimizer, Vec<Trained<'a>>)>,
}

fn holder<'o, 'a>(optimizer: &'o Optimizer, trained: &[Trained<'a>]) -> Option<Holder<'o, 'a>> {
    Some(match &optimizer.kind {
        OptimizerKind::LossScaleOptimizer { inner_optimizer, .. } => Holder {
            own: &["iteration", "learning_rate", "step_counter", "dynamic_scale"],
            held: vec![("inner_optimizer".to_owned(), inner_optimizer, trained.to_vec())],
        },
        OptimizerKind::MultiOptimizer { optimizer_map } => {
            let shares = optimizer_map.share(trained).into_iter();
            let attribute = |(optimizer, share): (&'o Optimizer, _)| {
                (format!("optimizers/{}", inner_name(optimizer)), optimizer, share)
            };
            Holder { own: &["iteration", "learning_rate"], held: shares.map(attribute).collect() }
        }
        _ => return None,
    })
}

fn inner_name(optimizer: &Optimizer) -> &str {
    optimizer.name.as_deref().unwrap_or("inner")
}

impl Holder<'_, '_> {
    /// Its own variables, then theirs.
    fn list(&self, layout: StateLayout) -> Vec<Entry> {
        let mut list = scalars(self.own, "");
        for (_, optimizer, trained) in &self.held {
            let name = inner_name(optimizer);
            let inner = lists(optimizer, layout, trained).into_iter().next();
            for mut entry in inner.unwrap_or_default() {
                if let Entry::Scalar(scalar) = &mut entry {
                    scalar.insert_str(0, &format!("{name}/"));
                }
                list.push(entry);
            }
        }
        list
    }

    /// For each of those that it holds its attribute and its part of the list.
    fn parts(&self) -> Vec<(String, Range<usize>)> {
        let mut start = self.own.len();
        let part = |(attribute, optimizer, trained): &(String, &Optimizer, Vec<Trained<'_>>)| {
            let lists = lists(optimizer, StateLayout::Keras3, trained);
            let end = start.saturating_add(lists.first().map_or(0, Vec::len));
            (attribute.clone(), std::mem::replace(&mut start, end)..end)
        };
        self.held.iter().map(part).collect()
    }
}

impl OptimizerMap {
    /// Each optimizer, by name, with the variables that are its own.
    fn share<'a>(&self, trained: &[Trained<'a>]) -> Vec<(&Optimizer, Vec<Trained<'a>>)> {
        let mut shares: Vec<(&Optimizer, Vec<Trained<'a>>)> =
            self.optimizers().into_iter().map(|optimizer| (optimizer, Vec::new())).collect();
        for variable in trained {
            let of = self.of(&variable.path);
            if let Some((_, share)) = shares.iter_mut().find(|(o, _)| std::ptr::eq(*o, of)) {
                share.push(variable.clone());
            }
        }
        shares.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        shares
    }
}

fn all(slot: &'static str, trained: &[Trained<'_>]) -> Vec<Entry> {
    let entry = |t: &Trained<'_>| Entry::Slot { slot, array: t.index, shape: t.spec.shape.clone() };
    trained.iter().map(entry).collect()
}

/// The slots of an optimizer under Keras 3's names.
fn slots_of(optimizer: &Optimizer, layout: StateLayout) -> Slots {
    use OptimizerKind::{
        Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, Ftrl, Lamb, Lion, Muon, Nadam, RMSprop,
        SGD, ScheduleFreeAdamW,
    };
    use StateLayout::{Keras3, TfKeras, TfKerasLegacy};
    let names = match &optimizer.kind {
        // Only Keras 3 and the older tf.keras do without when there is no momentum.
        SGD { momentum, .. } if *momentum == 0.0 && matches!(layout, Keras3 | TfKerasLegacy) => {
            vec![]
        }
        SGD { .. } | Lion { .. } => vec!["momentum"],
        Adam { .. }
        | AdamW { .. }
        | Nadam { .. }
        | Lamb { .. }
        | ScheduleFreeAdamW { .. }
        | Muon { .. } => vec!["momentum", "velocity"],
        Adamax { .. } => vec!["momentum", "norm"],
        Adagrad { .. } => vec!["accumulator"],
        Adadelta { .. } => vec!["accumulated_grad", "accumulated_delta_var"],
        Ftrl { .. } => return Slots::Interleaved(vec!["accumulator", "linear"]),
        Adafactor { .. } => vec!["r", "c", "v"],
        RMSprop { momentum, centered, .. } => {
            let more = [(*momentum > 0.0, "momentum"), (*centered, "average_gradient")];
            let more = more.into_iter().filter(|(has, _)| *has).map(|(_, slot)| slot);
            return Slots::OneAfterTheOther(std::iter::once("velocity").chain(more).collect());
        }
        _ => vec![],
    };
    match layout {
        Keras3 | TfKeras => Slots::Interleaved(names),
        _ => Slots::OneAfterTheOther(names),
    }
}

/// The entry of one slot for one variable, if it has one.
fn entry(
    optimizer: &Optimizer,
    layout: StateLayout,
    slot: &'static str,
    variable: &Trained<'_>,
) -> Option<Entry> {
    let mut shape = variable.spec.shape.clone();
    let rank = shape.len();
    match &optimizer.kind {
        // Rows and columns of the last two axes; scalars stand in where there are none.
        OptimizerKind::Adafactor { .. } if slot != "v" => {
            if rank < 2 {
                if layout == StateLayout::TfKeras {
                    return None;
                }
                shape = vec![];
            } else if slot == "r" {
                shape.pop();
            } else {
                shape.remove(rank.saturating_sub(2));
            }
        }
        // What Muon itself updates has no velocity; the rest is left to Adam.
        OptimizerKind::Muon { .. }
            if slot == "velocity" && !optimizer.kind.is_left_to_adam(&variable.path, rank) =>
        {
            return None;
        }
        _ => {}
    }
    Some(Entry::Slot { slot, array: variable.index, shape })
}

/// Whether the stored arrays have the shapes of the list.
fn fits(list: &[Entry], stored: &[StoredWeight]) -> bool {
    list.len() == stored.len()
        && list.iter().zip(stored).all(|(entry, array)| {
            let found = array.dataset.shape();
            let is = |shape: &[usize]| {
                found.len() == shape.len()
                    && found.iter().zip(shape).all(|(a, b)| u64::try_from(*b) == Ok(*a))
            };
            match entry {
                Entry::Scalar(_) => is(&[]),
                Entry::Placeholder => is(&[1]),
                // A dummy of Adafactor has whatever shape its version gave it.
                Entry::Slot { slot: "r" | "c", shape, .. } if shape.is_empty() => true,
                Entry::Slot { shape, .. } => is(shape),
            }
        })
}

/// The state of one slot in the layout of the model's variables.
fn slot_weights(
    owners: &[Owner],
    trained: &[Trained<'_>],
    arrays: &[(usize, &StoredWeight)],
) -> Vec<Weight> {
    let mut weights = Vec::new();
    for (index, owner) in owners.iter().enumerate() {
        let mut stored: Vec<Option<&StoredWeight>> = vec![None; owner.stored.arrays.len()];
        let mut owner = owner.clone();
        for (at, array) in arrays {
            let Some(t) = trained.get(*at).filter(|t| t.owner == index) else { continue };
            if let Some(slot) = stored.get_mut(t.array) {
                *slot = Some(array);
            }
            // Rows and columns of Adafactor are smaller than the variable.
            let found = array.dataset.shape().iter().map(|d| usize::try_from(*d).unwrap_or(0));
            let found: Vec<usize> = found.collect();
            let fits = owner.stored.arrays.get(t.array).is_some_and(|a| a.shape == found);
            if !fits && let Some(variable) = owner.variables.get_mut(t.array) {
                variable.shape.clone_from(&found);
                if let Some(a) = owner.stored.arrays.get_mut(t.array) {
                    a.shape = found;
                }
            }
        }
        let mut binding = Binding::default();
        binding.owner(&owner, &stored);
        weights.extend(binding.weights.into_iter().filter(|w| !w.stored().is_empty()));
    }
    weights
}
