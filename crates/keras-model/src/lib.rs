//! Keras models of every version as typed Rust values: layers, graph, weights and compile
//! information. No arithmetic on weights, no HDF5 library, no Python.

mod call;
mod dtype;
mod error;
mod graph;
mod json;
mod model;
mod shape;
pub mod source;

pub mod activations;
pub mod layers;
pub mod objects;
pub mod ops;
pub mod variables;

pub use call::{Arg, Call, Inputs, KerasTensor};
pub use dtype::{DType, DTypePolicy, Quantization};
pub use error::{Error, Result, UnknownObject};
pub use graph::{Graph, Node, TensorRef};
pub use json::Float;
pub use layers::{Base, Kind, Layer};
pub use model::{Model, ModelClass};
pub use shape::{Dim, Shape};
