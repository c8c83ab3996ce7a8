//! Arrays of old files in today's form. Sources: `keras/engine/topology.py` and
//! `keras/engine/saving.py` (`preprocess_weights_for_loading`) of Keras 2.0.9 and 2.3.1.

use serde::{Deserialize, Serialize};

use crate::variables::VariableSpec;

/// How an old file stores the variables of one layer, where that differs from today's form.
/// The dialect step decides it from the layer's class, its keys and the backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredForm {
    /// Keras 1 with `consume_less` `cpu` or `mem`: each gate has arrays of its own. Gate `k` of
    /// the file is today's gate `gates[k]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<usize>,
    /// Kernels of convolutions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<KernelForm>,
}

/// How an old file stores the kernel of a convolution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelForm {
    /// Axis `k` of today's kernel is the file's axis `axes[k]`; empty where the order is today's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub axes: Vec<usize>,
    /// The file's axis of length 1 that today's kernel has not: Keras 1's `Convolution1D`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_axis: Option<usize>,
    /// Whether it is turned by 180 degrees over its spatial axes: Theano convolves, the other
    /// backends correlate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotated: bool,
}

/// What a file stores for the variables that one layer itself owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Shape and trainable flag of each stored array, in the order of the file.
    pub arrays: Vec<VariableSpec>,
    /// For each variable how it comes from these.
    pub recipes: Vec<Recipe>,
}

/// How one variable comes from stored arrays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recipe {
    /// The arrays, by their place among the layer's own; joined along the last axis.
    pub parts: Vec<usize>,
    /// What happens to each of them first.
    pub kernel: KernelForm,
}

impl Recipe {
    /// Whether the variable is a stored array as it is.
    pub fn is_identity(&self) -> bool {
        self.parts.len() == 1 && self.kernel == KernelForm::default()
    }
}

impl Stored {
    /// What stands in the file for these variables, if the layer stores them in that form.
    pub(crate) fn new(own: &[VariableSpec], form: Option<&StoredForm>) -> Self {
        let as_is = StoredForm::default();
        let form = form.unwrap_or(&as_is);
        let gates = if form.gates.is_empty() { vec![0] } else { form.gates.clone() };
        let kernel_of = |spec: &VariableSpec| match &form.kernel {
            Some(kernel) if spec.name.ends_with("kernel") => kernel.clone(),
            _ => KernelForm::default(),
        };
        let mut arrays = Vec::with_capacity(own.len().saturating_mul(gates.len()));
        for _ in &gates {
            arrays.extend(own.iter().map(|spec| {
                let mut shape = spec.shape.clone();
                if let Some(width) = shape.last_mut() {
                    *width = width.checked_div(gates.len()).unwrap_or(0);
                }
                VariableSpec { shape: kernel_of(spec).file_shape(&shape), ..spec.clone() }
            }));
        }
        let recipe = |(at, spec): (usize, &VariableSpec)| {
            let part = |gate: usize| {
                let stored = gates.iter().position(|g| *g == gate).unwrap_or(gate);
                stored.saturating_mul(own.len()).saturating_add(at)
            };
            Recipe { parts: (0..gates.len()).map(part).collect(), kernel: kernel_of(spec) }
        };
        Self { arrays, recipes: own.iter().enumerate().map(recipe).collect() }
    }
}

impl KernelForm {
    /// The shape in the file of a kernel that has this shape today.
    fn file_shape(&self, today: &[usize]) -> Vec<usize> {
        let mut shape = today.to_vec();
        if let Some(axis) = self.unit_axis.filter(|a| *a <= shape.len()) {
            shape.insert(axis, 1);
        }
        if self.axes.len() != shape.len() {
            return shape;
        }
        let mut file = shape.clone();
        for (axis, from) in self.axes.iter().zip(&shape) {
            if let Some(length) = file.get_mut(*axis) {
                *length = *from;
            }
        }
        file
    }

    /// The elements of one array of the file, whose shape is `shape`, in today's order.
    fn today(&self, elements: &[u8], shape: &[usize], size: usize) -> (Vec<u8>, Vec<usize>) {
        let in_order: Vec<usize> = (0..shape.len()).collect();
        let axes = if self.axes.len() == shape.len() { &self.axes } else { &in_order };
        let mut strides = vec![size; shape.len()];
        for axis in (1..shape.len()).rev() {
            let inner = strides.get(axis).zip(shape.get(axis)).map(|(s, n)| s.saturating_mul(*n));
            if let (Some(outer), Some(inner)) = (strides.get_mut(axis.saturating_sub(1)), inner) {
                *outer = inner;
            }
        }
        // Each axis of the result: its length and its stride in the file.
        let walk: Vec<(usize, usize)> =
            axes.iter().filter_map(|a| Some((*shape.get(*a)?, *strides.get(*a)?))).collect();
        let spatial = walk.len().saturating_sub(2);
        let mut out = Vec::with_capacity(elements.len());
        let mut index = vec![0_usize; walk.len()];
        for _ in 0..elements.len().checked_div(size).unwrap_or(0) {
            let places = index.iter().zip(&walk).enumerate();
            let from = places.fold(0_usize, |sum, (axis, (i, (length, stride)))| {
                let turned = self.rotated && axis < spatial;
                let i = if turned { length.saturating_sub(1).saturating_sub(*i) } else { *i };
                sum.saturating_add(i.saturating_mul(*stride))
            });
            out.extend_from_slice(
                elements.get(from..from.saturating_add(size)).unwrap_or_default(),
            );
            for (i, (length, _)) in index.iter_mut().zip(&walk).rev() {
                *i = i.saturating_add(1);
                if *i < *length {
                    break;
                }
                *i = 0;
            }
        }
        let mut today: Vec<usize> = walk.iter().map(|(length, _)| *length).collect();
        if let Some(axis) = self.unit_axis.filter(|a| *a < today.len()) {
            today.remove(axis);
        }
        (out, today)
    }
}

impl Recipe {
    /// The variable's elements from the stored arrays, each with its shape in the file.
    pub(crate) fn apply(&self, stored: &[(&[u8], Vec<usize>)], size: usize) -> Vec<u8> {
        let parts: Vec<(Vec<u8>, Vec<usize>)> =
            stored.iter().map(|(bytes, shape)| self.kernel.today(bytes, shape, size)).collect();
        if let [(bytes, _)] = parts.as_slice() {
            return bytes.clone();
        }
        // Joined along the last axis: a row of each part in turn.
        let row = |shape: &[usize]| shape.last().copied().unwrap_or(1).saturating_mul(size).max(1);
        let mut rows: Vec<_> =
            parts.iter().map(|(bytes, shape)| bytes.chunks(row(shape))).collect();
        let mut out = Vec::with_capacity(parts.iter().map(|(bytes, _)| bytes.len()).sum());
        loop {
            let before = out.len();
            for rows in &mut rows {
                out.extend_from_slice(rows.next().unwrap_or_default());
            }
            if out.len() == before {
                return out;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;

    fn spec(name: &str, shape: &[usize]) -> VariableSpec {
        VariableSpec::new(name, shape, DType::UInt8)
    }

    #[test]
    fn separate_gates_are_joined_in_today_s_order() {
        let own = [spec("kernel", &[2, 4]), spec("recurrent_kernel", &[1, 4]), spec("bias", &[4])];
        let form = StoredForm { gates: vec![0, 2, 1, 3], kernel: None };
        let stored = Stored::new(&own, Some(&form));
        let shapes: Vec<_> = stored.arrays.iter().take(4).map(|a| a.shape.clone()).collect();
        assert_eq!(shapes, [vec![2, 1], vec![1, 1], vec![1], vec![2, 1]]);
        // i, f, c, o stand at i, c, f, o.
        assert_eq!(stored.recipes[0].parts, [0, 6, 3, 9]);
        assert_eq!(stored.recipes[2].parts, [2, 8, 5, 11]);
        let gates: Vec<(&[u8], Vec<usize>)> =
            vec![(&[1, 5], vec![2, 1]), (&[2, 6], vec![2, 1]), (&[3, 7], vec![2, 1])];
        assert_eq!(stored.recipes[0].apply(&gates, 1), [1, 2, 3, 5, 6, 7]);
    }

    #[test]
    fn theano_kernels_are_transposed_and_turned() {
        // (out 2, in 1, height 1, width 3) of the file is (1, 3, 1, 2) today.
        let kernel = KernelForm { axes: vec![2, 3, 1, 0], unit_axis: None, rotated: true };
        let form = StoredForm { gates: vec![], kernel: Some(kernel) };
        let stored = Stored::new(&[spec("kernel", &[1, 3, 1, 2]), spec("bias", &[2])], Some(&form));
        assert_eq!(stored.arrays[0].shape, [2, 1, 1, 3]);
        assert_eq!(stored.arrays[1].shape, [2]);
        let today = stored.recipes[0].apply(&[(&[1, 2, 3, 4, 5, 6], vec![2, 1, 1, 3])], 1);
        assert_eq!(today, [3, 6, 2, 5, 1, 4]);
        assert!(stored.recipes[1].is_identity());
    }

    #[test]
    fn a_one_dimensional_kernel_had_a_second_spatial_axis() {
        let kernel = KernelForm { axes: vec![2, 3, 1, 0], unit_axis: Some(1), rotated: false };
        let form = StoredForm { gates: vec![], kernel: Some(kernel) };
        let stored = Stored::new(&[spec("kernel", &[3, 4, 5])], Some(&form));
        assert_eq!(stored.arrays[0].shape, [5, 4, 3, 1]);
    }
}
