//! The variables that a layer owns, before any file is looked at.

use serde::Serialize;

use crate::DType;
use crate::weights::StoredForm;

/// One variable: what `add_weight` creates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VariableSpec {
    /// Keras 3's name: `kernel`.
    pub name: String,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: DType,
    /// Whether it was created as trainable; the layer's own flag comes on top.
    pub trainable: bool,
    /// What each of its bytes is where [`Variables::saved`] leaves it out: zero for most; `None`
    /// if that cannot be told from the file.
    #[serde(skip)]
    pub unsaved: Option<u8>,
}

impl VariableSpec {
    /// A trainable variable.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>, dtype: DType) -> Self {
        Self { name: name.into(), shape: shape.into(), dtype, trainable: true, unsaved: Some(0) }
    }

    /// A variable that training does not touch by gradient: a moving mean, a scale.
    pub fn non_trainable(
        name: impl Into<String>,
        shape: impl Into<Vec<usize>>,
        dtype: DType,
    ) -> Self {
        Self { trainable: false, ..Self::new(name, shape, dtype) }
    }
}

/// Everything that a layer owns, in the order in which Keras tracks it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Variables {
    /// The layer's own variables, in the order of `layer.weights`: those created trainable first.
    pub own: Vec<VariableSpec>,
    /// The layers it holds, in the order in which they were set as attributes.
    pub sublayers: Vec<Sublayer>,
    /// Where a layer overrides `save_own_variables`: the names behind `vars/0`, `vars/1`... in
    /// Keras 3's weights files. A name with a slash repeats a sublayer's variable. A variable
    /// that is not listed is not in such files: [`VariableSpec::unsaved`] says what it holds.
    pub saved: Option<Vec<String>>,
    /// Names under which Keras 3's weights files hold values that are no weights of the layer:
    /// `idf_weights` of a lookup table.
    pub named: Vec<String>,
}

/// A layer held by another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sublayer {
    /// Where Keras 3's weights files store it below its owner: `cell`, `cell/cells/lstm_cell`.
    pub path: String,
    /// Its class.
    pub class: String,
    /// Its name, which stands in the paths of its variables.
    pub name: String,
    /// Its own trainable flag.
    pub trainable: bool,
    /// How an old file stores its variables, where that differs from today's form.
    pub stored: Option<StoredForm>,
    /// Whether it stands in its owner's config as a layer of its own. Keras then builds it first,
    /// and the paths of its variables start at its own name.
    pub has_config: bool,
    /// What it owns.
    pub variables: Variables,
}

impl Variables {
    /// A layer without variables.
    pub fn none() -> Self {
        Self::default()
    }

    /// Variables and no sublayers.
    pub fn of(own: Vec<VariableSpec>) -> Self {
        Self { own, ..Self::default() }
    }

    /// Whether there is no variable here or below.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.sublayers.iter().all(|s| s.variables.is_empty())
    }
}

impl Sublayer {
    /// The sublayer `layer`, which has a config of its own, stored under `path`.
    pub fn new(path: impl Into<String>, layer: &crate::Layer, variables: Variables) -> Self {
        Self { has_config: true, ..Self::of(path, &layer.base, variables) }
    }

    /// The same for a layer that its owner makes and that has no config of its own.
    pub(crate) fn of(path: impl Into<String>, base: &crate::Base, variables: Variables) -> Self {
        Self {
            path: path.into(),
            class: base.class.clone(),
            name: base.name.clone(),
            trainable: base.trainable,
            stored: base.stored.clone(),
            has_config: false,
            variables,
        }
    }
}
