//! What can go wrong, by what the caller can do about it.

use keras_model::{DType, Shape};

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of this crate; each message is one line and names the place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is no model, is broken, or needs what the caller has to supply.
    #[error(transparent)]
    Model(#[from] keras_model::Error),
    /// The number of inputs is not the model's.
    #[error("the model has {expected} inputs, {found} were given")]
    InputCount {
        /// How many the model has.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// An input has another shape or element type than the model takes.
    #[error(
        "input {name:?} must be {dtype} of shape {expected}, found {found_dtype} of shape {found}"
    )]
    Input {
        /// Name of the input.
        name: String,
        /// Its shape; `None` for any length.
        expected: Shape,
        /// Its element type.
        dtype: DType,
        /// The shape that was given.
        found: Shape,
        /// The element type that was given.
        found_dtype: DType,
    },
    /// A layer cannot take what reaches it.
    #[error("layer {layer:?} ({class}): {reason}")]
    Layer {
        /// Name of the layer, with those of the models around it.
        layer: String,
        /// Its class.
        class: String,
        /// Why not.
        reason: String,
    },
    /// Something of Keras that this crate does not compute.
    #[error("layer {layer:?} ({class}): {what} is not supported")]
    Unsupported {
        /// Name of the layer, with those of the models around it.
        layer: String,
        /// Its class.
        class: String,
        /// What is not.
        what: String,
    },
    /// A size that the model asks for is over one of the [`Limits`](crate::Limits); nothing was
    /// allocated for it.
    #[error("{what}: {wanted} {unit} asked, limit {limit} (raise it with keras_runtime::Limits)")]
    LimitExceeded {
        /// What is so large.
        what: String,
        /// What it asks for.
        wanted: u64,
        /// What is allowed.
        limit: u64,
        /// In what it is counted.
        unit: &'static str,
    },
    /// A loss or a metric cannot be computed for these targets, or at all.
    #[error("{what} {name:?}: {reason}")]
    Training {
        /// `loss` or `metric`.
        what: &'static str,
        /// Its class, or the name of its function.
        name: String,
        /// Why not.
        reason: String,
    },
    /// Shapes or element types that an operation cannot take.
    #[error("{op}: {reason}")]
    Op {
        /// The operation.
        op: &'static str,
        /// Why not.
        reason: String,
    },
    /// Values that only show while the model runs: an index out of range.
    #[error("{0}")]
    Value(String),
    /// A tensor's elements do not fit its shape.
    #[error("a tensor of shape {shape:?} has {expected} elements, found {found}")]
    Elements {
        /// The shape.
        shape: Vec<usize>,
        /// Elements that the shape says.
        expected: usize,
        /// Elements that were given.
        found: usize,
    },
}

impl Error {
    pub(crate) fn op(op: &'static str, reason: impl Into<String>) -> Self {
        Self::Op { op, reason: reason.into() }
    }
}
