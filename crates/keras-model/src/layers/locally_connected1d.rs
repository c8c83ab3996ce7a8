//! `LocallyConnected1D`. Source: `tf_keras/src/layers/locally_connected/locally_connected1d.py`,
//! 2.21; gone in Keras 3.

use super::locally_connected::LocallyConnected;

/// A convolution with a kernel of its own at each place: `[batch, steps, channels]` to
/// `[batch, steps, filters]`.
pub type LocallyConnected1D = LocallyConnected<1>;
