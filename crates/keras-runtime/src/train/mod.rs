//! What training and evaluation need beside the layers: losses, metrics, and the plan of a step.

mod arguments;
mod batch;
mod class_weight;
mod code;
mod compile;
mod compiled;
mod constraints;
mod evaluate;
mod fit;
mod floats;
mod gradient;
mod loss;
mod loss_gradients;
pub(crate) mod losses;
mod metric;
mod metrics;
mod on_batch;
mod optimizer;
mod optimizers;
pub(crate) mod regularizers;
mod samples;
mod step;

use keras_model::Base;

use crate::Error;
use crate::graph::Builder;

pub use batch::Targets;
use code::Codes;
pub(crate) use code::{Code, CustomCode};
pub use evaluate::{Evaluate, Report};
pub use fit::{Fit, History, Progress};
pub use loss::Loss;
pub use loss_gradients::LossGradients;
pub use metric::Metric;
pub(crate) use optimizer::Optimizer;
pub use samples::Samples;
pub(crate) use step::{Step, StepKey};

/// `keras.config.epsilon()`.
pub(crate) const EPSILON: f64 = 1e-7;

/// Enters what is no layer: what `keras.ops` compose needs a place.
fn enter(b: &mut Builder<'_>, class: &str) {
    let base = Base {
        class: class.to_owned(),
        name: String::new(),
        trainable: false,
        dtype: keras_model::DTypePolicy::default(),
        stored: None,
        activity_regularizer: None,
    };
    b.enter_root(&base, false);
}

/// An error of a loss or a metric, with its name.
fn named(what: &'static str, name: &str, error: Error) -> Error {
    let reason = match error {
        Error::Op { op, reason } => format!("{op}: {reason}"),
        Error::Layer { reason, .. } | Error::Value(reason) => reason,
        other => return other,
    };
    Error::Training { what, name: name.to_owned(), reason }
}
