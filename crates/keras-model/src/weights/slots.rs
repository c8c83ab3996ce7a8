//! The variables of a whole model in Keras's order, each with its name and its places in files.

use std::collections::{HashMap, VecDeque};

use super::stored::Stored;
use crate::model::StoreNames;
use crate::variables::{Sublayer, VariableSpec, Variables};
use crate::weights::{StoredForm, Weight};

/// The variables that one layer (or sublayer) itself owns.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// Names from the outside in: `encoder/lstm/lstm_cell`.
    pub path: String,
    /// Start of the variables' paths in Keras: `lstm/lstm_cell`.
    pub scope: String,
    /// Its variables, in the order of `layer.weights`.
    pub variables: Vec<VariableSpec>,
    /// Whether it and all that hold it are trainable.
    pub trainable: bool,
    /// What a legacy file stores for them.
    pub stored: Stored,
    /// Where a weights file keeps it, one entry for each step from the root.
    pub group: Vec<Step>,
    /// Names behind `vars/0`, `vars/1`... where they are not the variables in order.
    pub saved: Option<Vec<String>>,
}

impl Owner {
    /// The variable of a sublayer that this one has as its own, too: `layer/kernel`. Its owner and
    /// its place there.
    pub(crate) fn held(&self, owners: &[Self], name: &str) -> Option<(usize, usize)> {
        let (step, variable) = name.split_once('/')?;
        let owner = owners.iter().position(|inner| {
            let last = inner.group.split_last();
            last.is_some_and(|(last, outer)| last.name == step && *outer == self.group)
        })?;
        let at = owners.get(owner)?.variables.iter().position(|v| v.name == variable)?;
        Some((owner, at))
    }

    /// The path of one of its variables in Keras: `lstm/lstm_cell/kernel`.
    pub(crate) fn path_of(&self, variable: &VariableSpec) -> String {
        match self.scope.as_str() {
            "" => variable.name.clone(),
            scope => format!("{scope}/{}", variable.name),
        }
    }

    /// Where a weights file of Keras 3 keeps it: `layers/dense`.
    pub(crate) fn place(&self) -> String {
        let steps: Vec<&str> = self.group.iter().map(|step| step.name.as_str()).collect();
        steps.join("/")
    }
}

/// One step from an object to one that it holds, as weights files name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Keras 2.15 and later: `layers/dense_1`, `cell`.
    pub name: String,
    /// Keras 2.13, which counts each layer with weights twice.
    pub name_2_13: String,
}

/// The variables of a model with their elements.
#[derive(Debug)]
pub(crate) struct Owned {
    /// Who owns them.
    pub owners: Vec<Owner>,
    /// For each owner its weights, in the order of its variables.
    pub weights: Vec<Vec<Weight>>,
}

impl Owned {
    /// Finds the weight of each variable by the names of its layers. `None` if one is missing, or
    /// one is left.
    pub(crate) fn new(model: &Variables, weights: &[Weight]) -> Option<Self> {
        let mut named: HashMap<(String, String), VecDeque<&Weight>> = HashMap::new();
        for weight in weights {
            named.entry((fold(&weight.layer), weight.name.clone())).or_default().push_back(weight);
        }
        let mut find = |owner: &Owner, variable: &VariableSpec| {
            let found = named.get_mut(&(fold(&owner.path), variable.name.clone()))?;
            let path = owner.path_of(variable);
            Some(Weight { path, ..found.pop_front()?.clone() })
        };
        let owners = owners(model);
        let mut all = Vec::with_capacity(owners.len());
        for owner in &owners {
            let own = owner.variables.iter().map(|variable| find(owner, variable));
            all.push(own.collect::<Option<Vec<Weight>>>()?);
        }
        let is_left = named.values().any(|left| !left.is_empty());
        (!is_left).then_some(Self { owners, weights: all })
    }
}

/// The names of layers without what Keras 3 has not in names.
pub(crate) fn fold(path: &str) -> String {
    path.replace('/', "_")
}

/// All owners of a model, in Keras's order; owners of nothing are left out.
pub(crate) fn owners(model: &Variables) -> Vec<Owner> {
    walk(model).owners
}

/// Where files that name objects by their place keep each layer: names from the outside in, and
/// `layers/functional/layers/string_lookup`.
pub(crate) fn places(model: &Variables) -> Vec<(String, String)> {
    walk(model).places
}

fn walk(model: &Variables) -> Walk {
    let mut walk = Walk::default();
    let root = Place { trainable: true, ..Place::default() };
    walk.variables(model, &root, None);
    walk
}

/// The order of `get_weights()`: places in the list of all variables, owner after owner. A layer
/// that also holds a sublayer's variable as its own attribute lists it with its own.
pub(crate) fn order(owners: &[Owner]) -> Vec<usize> {
    let starts = owners.iter().scan(0_usize, |next, owner| {
        let start = *next;
        *next = next.saturating_add(owner.variables.len());
        Some(start)
    });
    let starts: Vec<usize> = starts.collect();
    let place = |owner: &Owner, name: &str| {
        let (inner, at) = owner.held(owners, name)?;
        starts.get(inner)?.checked_add(at)
    };
    let mut order = Vec::new();
    let mut listed = std::collections::HashSet::new();
    for (owner, start) in owners.iter().zip(&starts) {
        let held = owner.saved.iter().flatten().filter_map(|name| place(owner, name));
        let own = (*start..).take(owner.variables.len());
        order.extend(held.chain(own).filter(|at| listed.insert(*at)));
    }
    order
}

/// Each layer of the model (not of models in it) with the range of its owners.
pub(crate) fn layers(model: &Variables) -> Vec<(String, Vec<Owner>)> {
    let steps = steps(model);
    let root = Place { trainable: true, ..Place::default() };
    let one = |(sublayer, step): (&Sublayer, Step)| {
        let mut walk = Walk::default();
        walk.sublayer(sublayer, step, &root, None);
        (sublayer.name.clone(), walk.owners)
    };
    model.sublayers.iter().zip(steps).map(one).collect()
}

/// Where the walk stands.
#[derive(Clone, Default)]
struct Place {
    path: String,
    scope: String,
    trainable: bool,
    group: Vec<Step>,
}

#[derive(Default)]
struct Walk {
    owners: Vec<Owner>,
    places: Vec<(String, String)>,
}

impl Walk {
    fn variables(&mut self, variables: &Variables, at: &Place, form: Option<&StoredForm>) {
        if !variables.own.is_empty() || variables.saved.is_some() {
            self.owners.push(Owner {
                path: at.path.clone(),
                scope: at.scope.clone(),
                variables: variables.own.clone(),
                trainable: at.trainable,
                stored: Stored::new(&variables.own, form),
                group: at.group.clone(),
                saved: variables.saved.clone(),
            });
        }
        for (sublayer, step) in variables.sublayers.iter().zip(steps(variables)) {
            self.sublayer(sublayer, step, at, form);
        }
    }

    fn sublayer(&mut self, sublayer: &Sublayer, step: Step, at: &Place, form: Option<&StoredForm>) {
        // A layer with a config of its own is built before its owner: its paths start anew.
        let scope = if sublayer.has_config || at.scope.is_empty() {
            sublayer.name.clone()
        } else {
            format!("{}/{}", at.scope, sublayer.name)
        };
        let path = match at.path.as_str() {
            "" => sublayer.name.clone(),
            outer => format!("{outer}/{}", sublayer.name),
        };
        let mut group = at.group.clone();
        // What was saved by itself lies at the top.
        group.extend(Some(step).filter(|step| !step.name.is_empty()));
        let steps: Vec<&str> = group.iter().map(|step| step.name.as_str()).collect();
        self.places.push((path.clone(), steps.join("/")));
        let place = Place { path, scope, trainable: at.trainable && sublayer.trainable, group };
        self.variables(&sublayer.variables, &place, sublayer.stored.as_ref().or(form));
    }
}

/// The steps to the sublayers. In a model Keras 2.13 counted layers with weights twice.
fn steps(variables: &Variables) -> Vec<Step> {
    let mut names = StoreNames::default();
    let step = |sublayer: &Sublayer| {
        let name = sublayer.path.clone();
        let name_2_13 = if name.starts_with("layers/") {
            let counted = names.next(&sublayer.class);
            if !sublayer.variables.is_empty() {
                names.next(&sublayer.class);
            }
            format!("_layer_checkpoint_dependencies/{counted}")
        } else {
            name.clone()
        };
        Step { name, name_2_13 }
    };
    variables.sublayers.iter().map(step).collect()
}
