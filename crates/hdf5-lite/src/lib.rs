//! HDF5.
/// Placeholder.
#[derive(Debug, thiserror::Error)]
#[error("hdf5")]
pub struct Error;
