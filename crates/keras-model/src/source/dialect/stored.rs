//! Where an old file stores the weights of a layer otherwise than Keras 3 does.
//! Sources: `preprocess_weights_for_loading` of `keras/engine/saving.py`, Keras 2.3.1, and
//! `keras/layers/{convolutional,recurrent}.py`, Keras 1.2.2.

use serde_json::{Map, Value};

use super::{Dialect, Generation};
use crate::weights::{KernelForm, StoredForm};

/// Which of today's gates each of Keras 1's is: LSTM had i, c, f, o and has i, f, c, o.
const GATES: &[(&str, &[usize])] =
    &[("LSTM", &[0, 2, 1, 3]), ("ConvLSTM2D", &[0, 2, 1, 3]), ("GRU", &[0, 1, 2])];

/// Classes whose kernels Theano turns by 180 degrees.
const CONVOLVING: &[&str] = &["Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "ConvLSTM2D"];

/// Where Keras 1's kernels have their axes, with `dim_ordering` `th` and `tf`.
const KERNEL_AXES: &[(&str, &[usize], &[usize])] = &[
    ("Conv2D", &[2, 3, 1, 0], &[]),
    ("SeparableConv2D", &[2, 3, 1, 0], &[]),
    ("ConvLSTM2D", &[2, 3, 1, 0], &[]),
    ("Conv2DTranspose", &[2, 3, 0, 1], &[0, 1, 3, 2]),
    ("Conv3D", &[2, 3, 4, 1, 0], &[]),
];

/// The form of one layer's weights; its config is in Keras 3's form, but for `consume_less`.
pub(super) fn form(
    class: &str,
    config: &Map<String, Value>,
    dialect: &Dialect,
) -> Option<StoredForm> {
    let is_keras1 = dialect.generation == Generation::Keras1;
    let text = |key: &str| config.get(key).and_then(Value::as_str);
    let mut form = StoredForm::default();
    if is_keras1
        && text("consume_less") != Some("gpu")
        && let Some((_, gates)) = GATES.iter().find(|(name, _)| *name == class)
    {
        form.gates = gates.to_vec();
    }
    let mut kernel = KernelForm {
        rotated: dialect.is_theano && CONVOLVING.contains(&class),
        ..KernelForm::default()
    };
    if is_keras1 {
        if let Some((_, th, tf)) = KERNEL_AXES.iter().find(|(name, ..)| *name == class) {
            let channels_first = text("data_format") == Some("channels_first");
            kernel.axes = if channels_first { th } else { tf }.to_vec();
        }
        if class == "Conv1D" {
            kernel.unit_axis = Some(1);
            // (filters, input_dim, filter_length, 1) until 1.1.
            if dialect.version_before(1, 2) {
                kernel.axes = vec![2, 3, 1, 0];
            }
        }
    }
    if kernel != KernelForm::default() {
        form.kernel = Some(kernel);
    }
    (form != StoredForm::default()).then_some(form)
}
