//! What the operations of `keras.ops` do, grouped as `keras/src/ops` groups them. Each group gives
//! `None` for what is not its own.

pub(super) mod elementwise;
pub(super) mod index;
pub(super) mod linalg;
pub(super) mod nn;
pub(super) mod reduce;
pub(super) mod reshape;
