//! What the operations of `keras.ops` do, grouped as `keras/src/ops` groups them. Each group gives
//! `None` for what is not its own.

pub(super) mod arrays;
pub(super) mod complex;
pub(super) mod decompose;
pub(super) mod elementwise;
pub(super) mod functional;
pub(super) mod image;
pub(super) mod index;
pub(super) mod linalg;
pub(super) mod losses;
pub(super) mod nn;
pub(super) mod reduce;
pub(super) mod reshape;
pub(super) mod scatter;
pub(super) mod signal;
pub(super) mod tensorflow;
pub(super) mod tensorflow_image;
pub(super) mod tensorflow_index;
pub(super) mod values;
