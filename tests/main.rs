//! Tests at the outermost boundary: the real program and the public calls on real files.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and says what it did"
)]

mod cli;
mod damaged;
mod evaluate;
mod fit;
mod hdf5;
mod models;
mod ops;
mod predict;
mod readme;
mod save;
mod summary;
mod support;
