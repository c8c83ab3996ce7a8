//! Keras models of every version as typed Rust values: layers, graph, weights and compile
//! information. No arithmetic on weights, no HDF5 library, no Python.

mod call;
mod dtype;
mod error;
mod json;
mod shape;
pub mod source;

pub mod activations;
pub mod layers;
pub mod objects;
pub mod variables;

pub use call::{Arg, Call, Inputs, KerasTensor};
pub use dtype::{DType, DTypePolicy, Quantization};
pub use error::{Error, Result, UnknownObject};
pub use json::Float;
pub use layers::{Base, Kind, Layer};
pub use shape::{Dim, Shape};
