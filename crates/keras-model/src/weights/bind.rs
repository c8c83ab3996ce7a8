//! Variables and the arrays of a file, brought together.

use std::sync::Arc;

use serde::Serialize;

use super::slots::Owner;
use super::{Data, Weight};
use crate::DType;
use crate::source::{Container, StoredWeight};

/// What does not fit between the weights of a file and the layers of its model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "finding")]
#[non_exhaustive]
pub enum Finding {
    /// The file has nothing for a layer that needs weights.
    MissingLayer {
        /// The layer.
        layer: String,
        /// Whether the model cannot be used without: not so when weights were asked for by name.
        required: bool,
    },
    /// The file has no weights at all.
    NoWeights {
        /// What kind of file.
        container: Container,
    },
    /// The array holds no numbers.
    NotNumbers {
        /// The variable.
        variable: String,
        /// The array in the file.
        array: String,
    },
    /// The file has no array for a variable.
    Missing {
        /// The variable: names of its layers from the outside in, then its own.
        variable: String,
    },
    /// Keras writes no array for a variable that the layer needs.
    NotSaved {
        /// The variable, as in [`Missing`](Self::Missing).
        variable: String,
    },
    /// The array has another shape than the layer's config implies.
    Shape {
        /// The variable.
        variable: String,
        /// The array in the file.
        array: String,
        /// Shape that the config implies.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<u64>,
    },
    /// An array of the file that no variable takes.
    Unused {
        /// The array in the file.
        array: String,
    },
    /// The model was saved before it saw an input: the layer has no weights yet.
    Unbuilt {
        /// The layer.
        layer: String,
    },
    /// The optimizer's arrays are not those that its config implies: its state is left out.
    OptimizerState {
        /// How many there are in the file.
        arrays: usize,
    },
    /// The variables of a layer cannot be told, so nothing is bound to it.
    Unknown {
        /// The layer.
        layer: String,
        /// Why not.
        reason: String,
    },
}

impl Finding {
    /// Whether predictions would be wrong or impossible.
    pub fn is_error(&self) -> bool {
        match self {
            Self::MissingLayer { required, .. } => *required,
            Self::NoWeights { .. }
            | Self::NotNumbers { .. }
            | Self::Missing { .. }
            | Self::NotSaved { .. }
            | Self::Shape { .. }
            | Self::Unknown { .. } => true,
            Self::Unused { .. } | Self::Unbuilt { .. } | Self::OptimizerState { .. } => false,
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MissingLayer { layer, .. } => {
                write!(f, "the file has no weights for layer {layer:?}")
            }
            Self::NoWeights { container } => {
                let part = match container {
                    Container::Keras => "model.weights.h5",
                    _ => "model_weights",
                };
                write!(f, "the file has no {part}: its layers have no weights")
            }
            Self::NotNumbers { variable, array } => {
                write!(f, "{array:?} in the file holds no numbers for {variable:?}")
            }
            Self::Missing { variable } => write!(f, "the file has no array for {variable:?}"),
            Self::NotSaved { variable } => write!(
                f,
                "the file has no array for {variable:?}: Keras does not save it, nor load this file (save the model before quantize)"
            ),
            Self::Shape { variable, array, expected, found } => write!(
                f,
                "{variable:?} has shape {expected:?} by its config, {array:?} in the file has {found:?}"
            ),
            Self::Unused { array } => write!(f, "no variable takes {array:?} of the file"),
            Self::Unbuilt { layer } => {
                write!(f, "layer {layer:?} was saved before it saw an input: it has no weights")
            }
            Self::OptimizerState { arrays } => {
                write!(f, "the {arrays} arrays of the optimizer do not fit its config")
            }
            Self::Unknown { layer, reason } => {
                write!(f, "the variables of layer {layer:?} are not known: {reason}")
            }
        }
    }
}

/// The weights of a model as they are found.
#[derive(Debug, Default)]
pub(crate) struct Binding {
    pub weights: Vec<Weight>,
    pub findings: Vec<Finding>,
}

impl Binding {
    /// Binds what one owner owns; `arrays` are its stored arrays in order.
    pub(crate) fn owner(&mut self, owner: &Owner, arrays: &[Option<&StoredWeight>]) {
        let mut fits = vec![true; arrays.len()];
        for ((array, expected), fits) in arrays.iter().zip(&owner.stored.arrays).zip(&mut fits) {
            let variable = || format!("{}/{}", owner.path, expected.name);
            let Some(array) = array else { continue };
            let found = array.dataset.shape();
            let same = found.len() == expected.shape.len()
                && found.iter().zip(&expected.shape).all(|(a, b)| u64::try_from(*b) == Ok(*a));
            let holds = array.dtype();
            if holds.is_none()
                || (holds == Some(DType::String)) != (expected.dtype == DType::String)
            {
                *fits = false;
                let (variable, array) = (variable(), array.name.clone());
                self.findings.push(Finding::NotNumbers { variable, array });
            } else if !same {
                *fits = false;
                self.findings.push(Finding::Shape {
                    variable: variable(),
                    array: array.name.clone(),
                    expected: expected.shape.clone(),
                    found: found.to_vec(),
                });
            }
        }
        for (spec, recipe) in owner.variables.iter().zip(&owner.stored.recipes) {
            let parts: Option<Vec<&StoredWeight>> =
                recipe.parts.iter().map(|at| arrays.get(*at).copied().flatten()).collect();
            let fit = recipe.parts.iter().all(|at| fits.get(*at).copied().unwrap_or(false));
            let data = match parts.as_deref() {
                Some(_) if !fit => Data::Absent(0),
                Some([whole]) if recipe.is_identity() => Data::Stored((*whole).clone()),
                Some(parts) => Data::Rearranged(Arc::new((
                    parts.iter().map(|p| (*p).clone()).collect(),
                    recipe.clone(),
                ))),
                None => {
                    let variable = format!("{}/{}", owner.path, spec.name);
                    let is_saved = owner.saved.as_ref().is_none_or(|s| s.contains(&spec.name));
                    match spec.unsaved {
                        Some(byte) if !is_saved => Data::Absent(byte),
                        _ => {
                            self.findings.push(if is_saved {
                                Finding::Missing { variable }
                            } else {
                                Finding::NotSaved { variable }
                            });
                            Data::Absent(0)
                        }
                    }
                }
            };
            self.weights.push(Weight::new(owner, spec, data));
        }
    }

    /// The variables of these owners have no array.
    pub(crate) fn absent(&mut self, owners: &[Owner]) {
        for owner in owners {
            for spec in &owner.variables {
                self.weights.push(Weight::new(owner, spec, Data::Absent(0)));
            }
        }
    }

    /// Arrays that no variable takes.
    pub(crate) fn unused(&mut self, arrays: &[StoredWeight], layer: &str) {
        self.findings.extend(
            arrays.iter().map(|a| Finding::Unused { array: format!("{layer}: {}", a.name) }),
        );
    }
}
