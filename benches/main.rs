//! `cargo bench`. One module per question; each says what a slow-down would mean.
//!
//! The models are made by `benches/make_models.py` (needs Keras), the other files by `benches/make_files.py` (h5py);
//! without them the groups skip.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench that cannot run should stop; criterion's macros have no docs"
)]

mod hdf5;
mod load;
mod predict;

criterion::criterion_main!(load::benches, hdf5::benches, predict::benches);
