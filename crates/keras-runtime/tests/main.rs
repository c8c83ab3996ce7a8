//! Models of real Keras, run through the public API.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on panics"
)]
#![allow(clippy::float_cmp, reason = "zeros and copies are exact")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_wrap, reason = "the numbers are small")]

mod cases;
mod custom;
mod evaluate;
mod fit;
mod gradients;
mod layers;
mod model_gradients;
mod objectives;
mod properties;
mod stateful;
mod support;
mod training;
