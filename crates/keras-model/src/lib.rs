//! Keras models of every version as typed Rust values: layers, graph, weights and compile
//! information. No arithmetic on weights, no HDF5 library, no Python.
//!
//! [`load_model`] opens any file that some Keras saved; [`Loader`] has the choices.
//!
//! ```
//! let model = keras_model::load_model("../../fixtures/models/k3_cnn.keras")?;
//! let [(name, input)] = &model.inputs()[..] else { panic!("one input") };
//! assert_eq!((*name, input.shape.to_string()), ("image", "(None, 10, 10, 3)".to_owned()));
//! let kernel = model.weight("conv/kernel")?;
//! assert_eq!(kernel.shape, [3, 3, 3, 4]);
//! assert!(kernel.to_f32()?.iter().all(|v| v.is_finite()));
//! # Ok::<(), keras_model::Error>(())
//! ```

mod call;
mod custom_objects;
mod dtype;
mod error;
mod graph;
mod json;
mod load;
mod model;
mod save;
mod shape;
pub mod source;
mod summary;
mod today;
mod unknown;

pub mod activations;
pub mod compile;
pub mod layers;
pub mod objects;
pub mod ops;
pub mod variables;
pub mod weights;

pub use call::{Arg, Call, Inputs, KerasTensor};
pub use custom_objects::{CustomClass, CustomObject, CustomObjects};
pub use dtype::{DType, DTypePolicy, Quantization};
pub use error::{Error, Result, UnknownObject};
pub use graph::{Graph, Inferred, Node, TensorRef};
pub use json::Float;
pub use layers::{Base, Kind, Layer};
pub use load::{Loader, ModelFile, Report, load_model};
pub use model::{Model, ModelClass};
pub use save::{Saved, SavedBytes, Saver};
pub use shape::{Dim, Shape};
pub use source::{Container, StoredWeight};
pub use summary::{Size, Summary, SummaryOptions};
pub use weights::Weight;
