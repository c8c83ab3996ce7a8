//! What a weight is forced to after each update.
//! Source: `keras/src/constraints/constraints.py`, Keras 3.15.

#![allow(clippy::indexing_slicing, reason = "places are computed of the shape itself")]

use keras_model::objects::Constraint;
use keras_model::{Layer, Weight};
use serde_json::Value as Json;

use super::floats::{self, with_float};
use super::{EPSILON, arguments};
use crate::element::Real;
use crate::lower::axis_of;
use crate::{Error, Result, Tensor};

/// What a layer forces a weight to.
pub(super) fn of_weight(root: &Layer, weight: &Weight) -> Option<Constraint> {
    let found = arguments::of_weight(root, &weight.layer, &weight.name, "constraint");
    serde_json::from_value(found?).ok()
}

/// Forces a weight to it.
///
/// # Errors
/// [`Error::Training`] for a constraint of the file's author.
pub(super) fn apply(constraint: &Constraint, weight: &mut Tensor) -> Result<()> {
    with_float!(weight.dtype(), F => constrain::<F>(constraint, weight))
}

fn constrain<F: Real>(constraint: &Constraint, weight: &mut Tensor) -> Result<()> {
    let argument = |name: &str, default: f64| {
        constraint.config.get(name).and_then(Json::as_f64).unwrap_or(default)
    };
    let clipped =
        |norm: F, least: f64, most: f64| norm.max(floats::number(least)).min(floats::number(most));
    match constraint.class_name.as_str() {
        "NonNeg" => {
            floats::elements::<F>(weight)?.iter_mut().for_each(|w| *w = w.max(F::zero()));
            Ok(())
        }
        "UnitNorm" => by_norms(constraint, weight, |_| F::one()),
        "MaxNorm" => {
            let most = argument("max_value", 2.0);
            by_norms(constraint, weight, |norm| clipped(norm, 0.0, most))
        }
        "MinMaxNorm" => {
            let (least, most) = (argument("min_value", 0.0), argument("max_value", 1.0));
            let rate: F = floats::number(argument("rate", 1.0));
            by_norms(constraint, weight, |norm| {
                rate * clipped(norm, least, most) + (F::one() - rate) * norm
            })
        }
        other => Err(Error::Training {
            what: "constraint",
            name: other.to_owned(),
            reason: "is none of Keras's".to_owned(),
        }),
    }
}

/// Makes the vectors along the axes of the constraint as long as `desired` says of their lengths.
fn by_norms<F: Real>(
    constraint: &Constraint,
    weight: &mut Tensor,
    desired: impl Fn(F) -> F,
) -> Result<()> {
    let shape = weight.shape().to_vec();
    let rank = shape.len();
    let axes: Vec<i64> = match constraint.config.get("axis") {
        None => vec![0],
        Some(Json::Array(axes)) => axes.iter().filter_map(Json::as_i64).collect(),
        Some(axis) => axis.as_i64().into_iter().collect(),
    };
    let along = axes.iter().map(|axis| axis_of(*axis, rank));
    let Some(along) = along.collect::<Option<Vec<usize>>>() else {
        return Err(Error::Value(format!("a constraint on axes {axes:?} of shape {shape:?}")));
    };
    // The vector of each element: its place with the axes of the norm left out.
    let mut strides = vec![0; rank];
    let mut vectors = 1;
    for axis in (0..rank).rev().filter(|axis| !along.contains(axis)) {
        strides[axis] = vectors;
        vectors *= shape[axis];
    }
    let elements = floats::elements::<F>(weight)?;
    let vector = |mut at: usize| {
        let mut found = 0;
        for (n, stride) in shape.iter().zip(&strides).rev() {
            found += at % n.max(&1) * stride;
            at /= n.max(&1);
        }
        found
    };
    let mut norms = vec![F::zero(); vectors];
    for (at, w) in elements.iter().enumerate() {
        norms[vector(at)] += *w * *w;
    }
    let epsilon: F = floats::number(EPSILON);
    for norm in &mut norms {
        let length = norm.sqrt();
        *norm = desired(length) / (epsilon + length);
    }
    for (at, w) in elements.iter_mut().enumerate() {
        *w *= norms[vector(at)];
    }
    Ok(())
}
