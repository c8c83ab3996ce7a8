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
//! [`load_model`] opens what any Keras wrote, [`Model::predict`] computes it. A layer of the model is
//! lowered to a small set of operations ([`ops`]), a plan is made for the shapes of the inputs, and
//! the plan is run; the next inputs of these shapes find it ready. One model serves many threads.
//!
//! # Code of the file's author
//!
//! A file holds the names of custom layers, functions and lambdas, not what they compute. Loading
//! names all of them; the caller maps each: to an object of Keras's own, to a function of a tensor,
//! or to a [`CustomLayer`] composed of `keras.ops`.
//!
//! ```
//! let path = "../../fixtures/models/k3_lambda.keras";
//! let error = keras_runtime::load_model(path).unwrap_err().to_string();
//! assert!(error.contains(r#"layer "<lambda>" at lambdas/twice"#), "{error}");
//!
//! let model = keras_runtime::Loader::new()
//!     .function("twice", |ops, x| ops.add(ops.multiply(x, 2.0)?, 1.0))
//!     .load(path)?;
//! # Ok::<(), keras_runtime::Error>(())
//! ```
//!
//! Shapes of their outputs follow from the composition, their weights are bound to those in the file,
//! and their config stays in [`Model::file`] as it was read. The example `custom_attention` has an
//! attention layer as old files hold it, `custom_blocks` a transformer block that holds layers of
//! Keras's.
//!
//! # Dropout at work, and states
//!
//! [`Predict`] has the choices of a prediction: `training=True` with a seed, rows at a time, memory.
//!
//! ```
//! use keras_runtime::{Predict, Tensor};
//!
//! let model = keras_runtime::load_model("../../fixtures/models/k3_noise.keras")?;
//! let x = Tensor::new([1, 6], vec![0.5_f32; 6])?;
//! let y = model.predict_with(&[x], &Predict::new().training(true).seed(7))?;
//! # Ok::<(), keras_runtime::Error>(())
//! ```
//!
//! Recurrent layers with `stateful=True` go on where the last prediction ended, until
//! [`Model::reset_states`]; a [`Session`] keeps states apart from those of other callers.
//!
//! ```
//! let model = keras_runtime::load_model("../../fixtures/models/k3_stateful.keras")?;
//! let x = keras_runtime::Tensor::zeros([2, 4, 3], keras_runtime::DType::Float32);
//! let first = model.predict(&[x.clone()])?;
//! assert_ne!(model.predict(&[x.clone()])?, first);
//! model.reset_states();
//! assert_eq!(model.predict(&[x])?, first);
//! # Ok::<(), keras_runtime::Error>(())
//! ```
//!
//! # Speed
//!
//! Inner loops use AVX-512, AVX2 or NEON where the machine has them, and WebAssembly's vectors
//! where the program is compiled with `-C target-feature=+simd128`; they need `opt-level = 3` and
//! take three times as long with 2. Operations that are worth it are shared among rayon's threads
//! (`RAYON_NUM_THREADS`), which look for more work for 0.1 ms after they had some. Large batches go
//! through in parts whose values stay in the cache. Convolutions with windows of 3 x 3 and enough
//! channels are made by Winograd's filtering, which rounds about twice as much as plain sums do; [`Loader::winograd`] turns it off.
//!
//! # Gradients
//!
//! [`Model::gradients`] gives what `tf.GradientTape` gives: how outputs change with inputs and
//! trainable weights. A gradient is a plan as a prediction is, made once for each set of shapes.
//!
//! ```
//! use keras_runtime::Tensor;
//!
//! let model = keras_runtime::load_model("../../fixtures/models/k3_mlp.h5")?;
//! let features = model.inputs()[0].shape.dim(-1).flatten().unwrap_or(1);
//! let x = Tensor::zeros([1, features], keras_runtime::DType::Float32);
//! let y = model.predict(&[x.clone()])?;
//! let dy = Tensor::new(y[0].shape(), vec![1.0_f32; y[0].len()])?;
//! let gradients = model.gradients(&[x], &[dy])?;
//! let first = &gradients.weights[0];
//! assert_eq!(gradients.weight(&first.path), first.gradient.as_ref());
//! # Ok::<(), keras_runtime::Error>(())
//! ```
//!
//! # Evaluate
//!
//! A file says what its model was compiled with; [`Model::evaluate`] gives the loss and the metrics under
//! Keras's names, [`Model::loss_gradients`] the loss of a batch and its gradients. A [`Loss`] or a [`Metric`]
//! serves alone as well. Their functions are composed of the operations that layers are lowered to, so that a
//! step of a model, its losses, metrics and gradients are one plan.
//!
//! ```
//! use keras_runtime::{DType, Evaluate, Tensor};
//!
//! let model = keras_runtime::load_model("../../fixtures/models/k3_mlp.keras")?;
//! let (x, y) = (Tensor::zeros([3, 6], DType::Float32), Tensor::new([3], vec![0, 2, 1])?);
//! let report = model.evaluate_with(&[x], &[y], &Evaluate::new().batch_size(2))?;
//! println!("loss {}, accuracy {}", report.loss(), report["accuracy"]);
//! # Ok::<(), keras_runtime::Error>(())
//! ```
//!
//! # Training
//!
//! [`Model::fit`] goes on where the file stopped: with the optimizer that the model was compiled with,
//! its state and its schedule. A step is one plan with the weights as inputs. [`Model::save`] keeps all of it.
//!
//! ```
//! use keras_runtime::{Fit, Tensor};
//!
//! let mut model = keras_runtime::load_model("../../fixtures/models/k3_mlp.keras")?;
//! let x = Tensor::new([4, 6], (0..24).map(|i| i as f32 / 24.0).collect())?;
//! let y = Tensor::new([4, 1], vec![0_i32, 2, 1, 1])?;
//! let history = model.fit(&[x], &[y], &Fit::epochs(3).batch_size(2))?;
//! println!("loss {}", history.epochs[2].loss());
//! # Ok::<(), keras_runtime::Error>(())
//! ```
//!
//! The rules are those of Keras 3 also for files of Keras 1 and 2; random numbers have Keras's
//! distributions, not its values. Optimizers compute in `float32` for weights of half precision.
//!
//! Code of the file's author is mapped by its name, as that of layers is: [`Loader::loss`],
//! [`Loader::metric`], or [`Model::map_loss`] before `compile`; the example `custom_loss` has both. `LOSSES.md` beside this crate lists every class
//! and what proves it.
//!
//! # Bounds
//!
//! A file only claims sizes: [`Limits`] are asked before anything is allocated for them. What a layer
//! does that is not computed is an error that says so; `LAYERS.md` beside this crate lists every
//! class and what proves it.

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
mod backward;
mod cache;
mod custom;
mod element;
mod error;
mod evaluate;
mod fuse;
mod gradient;
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
mod train;
mod weights;
mod writer;

pub use custom::{CustomLayer, Operand, Ops, SymbolicTensor};
pub use error::{Error, Result};
pub use gradient::{Differentiate, Gradients, LayerGradient, WeightGradient};
pub use keras_model::{self, DType};
pub use limits::Limits;
pub use load::Loader;
pub use model::{Input, Model, load_model};
pub use predict::Predict;
pub use states::Session;
pub use tensor::{Data, Element, Slice, SliceMut, Tensor, View};
pub use train::{
    Evaluate, Fit, History, Loss, LossGradients, Metric, Progress, Report, Samples, Targets,
};

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
