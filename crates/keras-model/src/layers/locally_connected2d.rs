//! `LocallyConnected2D`. Source: `tf_keras/src/layers/locally_connected/locally_connected2d.py`,
//! 2.21; gone in Keras 3.

use super::locally_connected::LocallyConnected;

/// A convolution with a kernel of its own at each place: `[batch, rows, columns, channels]` to
/// `[batch, rows, columns, filters]`.
pub type LocallyConnected2D = LocallyConnected<2>;
