//! Keras models in pure Rust: a model file in, Keras's numbers out.
//!
//! ```
//! use keras_runtime::Tensor;
//!
//! let model = keras_runtime::load_model("../../fixtures/models/k3_mlp.h5")?;
//! let features = model.inputs()[0].shape.dim(-1).flatten().unwrap_or(1);
//! let x = Tensor::zeros([2, features], keras_runtime::DType::Float32);
//! let y = model.predict(&[x])?;
//! assert_eq!(y[0].shape()[0], 2);
//! # Ok::<(), keras_runtime::Error>(())
//! ```
//!
//! A layer of the model is lowered to a small set of operations ([`ops`]), a plan is made for the
//! shapes of the inputs, and the plan is run.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_lossless,
    clippy::unnecessary_cast,
    reason = "arithmetic on tensors converts between number types as NumPy does"
)]
#![allow(
    clippy::needless_for_each,
    clippy::single_match_else,
    clippy::trivially_copy_pass_by_ref,
    reason = "which of two spellings is clearer differs from place to place"
)]
#![allow(
    clippy::many_single_char_names,
    clippy::similar_names,
    clippy::float_cmp,
    reason = "the names are those of the formulas, and comparing is an operation"
)]

#[cfg(feature = "ndarray")]
mod arrays;
mod custom;
mod element;
mod error;
mod fuse;
mod graph;
mod kernels;
mod limits;
mod load;
mod lower;
mod model;
pub mod ops;
mod plan;
mod predict;
mod random;
mod rows;
mod states;
mod tensor;
mod weights;

pub use custom::{CustomLayer, Operand, Ops, SymbolicTensor};
pub use error::{Error, Result};
pub use keras_model::{self, DType};
pub use limits::Limits;
pub use load::Loader;
pub use model::{Input, Model, load_model};
pub use predict::Predict;
pub use states::Session;
pub use tensor::{Data, Element, Slice, SliceMut, Tensor, View};
