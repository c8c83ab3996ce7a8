//! What the targets have in common.

use std::collections::HashSet;

use hdf5_lite::{File, Limits, LinkTarget, Node, Object};
use keras_runtime::{Loader, Model, Tensor};

/// A loader with limits that suit a fuzzer.
pub fn loader() -> Loader {
    let limits = keras_runtime::Limits { memory: 16 << 20, operations: 20_000 };
    let mut file = Limits::default();
    file.read_bytes = 1 << 21;
    Loader::new().limits(limits).file(keras_model::Loader::new().limits(file))
}

/// Zeros that the model takes, two rows of them; `None` for inputs that no caller has.
pub fn zeros(model: &Model) -> Option<Vec<Tensor>> {
    let inputs = model.inputs().iter().map(|input| {
        let shape: Vec<usize> = input.shape.dims().iter().map(|n| n.unwrap_or(2)).collect();
        let small =
            shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)).is_some_and(|n| n < 1 << 20);
        small.then(|| Tensor::zeros(shape, input.dtype))
    });
    inputs.collect()
}

/// Opens `bytes` with limits that suit a fuzzer, and gives every object to `visit`, once.
///
/// An error of one object does not keep from the next. What `visit` returns is visited too.
pub fn each_object(bytes: &[u8], mut visit: impl FnMut(&File, &Node) -> Vec<Object>) {
    let mut limits = Limits::default();
    limits.read_bytes = 1 << 21;
    limits.unbacked_bytes = 1 << 18;
    let Ok(file) = File::options().limits(limits).from_bytes(bytes.to_vec()) else { return };
    let Ok(root) = file.root() else { return };
    let mut seen = HashSet::new();
    let mut waiting = vec![root.object().clone()];
    while let Some(object) = waiting.pop() {
        if !seen.insert(object.address().get()) {
            continue;
        }
        let Ok(node) = object.into_node() else { continue };
        waiting.extend(visit(&file, &node));
        if let Node::Group(group) = &node {
            for link in group.links().unwrap_or_default() {
                if matches!(link.target(), LinkTarget::Hard(_) | LinkTarget::Soft(_)) {
                    waiting.extend(group.follow(&link));
                }
            }
        }
    }
}
