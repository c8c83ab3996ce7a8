//! Kernels of few bits: what `Dense`, `EinsumDense` and the embeddings share.

use keras_model::layers::quantized::Lora;
use keras_model::{DType, Quantization};
use serde_json::Value as Json;

use crate::graph::{Builder, Value};
use crate::ops::{Arithmetic, Float8, Function, Reduction};
use crate::tensor::Slice;
use crate::{Result, Tensor};

/// Largest number of `float8_e4m3fn`.
const FLOAT8_MAX: f64 = 448.0;

/// How activations are rounded while predicting, if they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounding {
    least: f64,
    most: f64,
    epsilon: f64,
}

impl Rounding {
    /// Of a layer: as its `quantization_config` says, else as the mode does it.
    pub(super) fn of(config: Option<&Json>, default: bool) -> Option<Self> {
        let usual = Self { least: -127.0, most: 127.0, epsilon: 1e-7 };
        let Some(config) = config.filter(|c| !c.is_null()) else {
            return default.then_some(usual);
        };
        let config = config.get("config").unwrap_or(config);
        let quantizer = config.get("activation_quantizer").filter(|q| !q.is_null())?;
        let quantizer = quantizer.get("config").unwrap_or(quantizer);
        let number = |v: Option<&Json>, or: f64| v.and_then(Json::as_f64).unwrap_or(or);
        let range = quantizer.get("value_range");
        Some(Self {
            least: number(range.and_then(|r| r.get(0)), usual.least),
            most: number(range.and_then(|r| r.get(1)), usual.most),
            epsilon: number(quantizer.get("epsilon"), usual.epsilon),
        })
    }

    /// Whole numbers (as floats) and the scale that they were multiplied by, one along `axes`.
    pub(super) fn apply(
        self,
        b: &mut Builder<'_>,
        x: Value,
        axes: &[usize],
    ) -> Result<(Value, Value)> {
        let size = b.unary(Function::Abs, x)?;
        let largest = b.reduce(Reduction::Max, size, axes, true)?;
        let largest = b.with_number(Arithmetic::Add, largest, self.epsilon)?;
        let most = b.scalar(self.most, b.dtype(x))?;
        let scale = b.div(most, largest)?;
        let y = b.mul(x, scale)?;
        let y = b.unary(Function::Round, y)?;
        let y = b.with_number(Arithmetic::Max, y, self.least)?;
        let y = b.with_number(Arithmetic::Min, y, self.most)?;
        Ok((b.cast(y, DType::Float32)?, scale))
    }

    /// The same, with the gradient as if nothing were rounded: the custom one of Keras's products.
    pub(super) fn straight_through(
        self,
        b: &mut Builder<'_>,
        x: Value,
        axes: &[usize],
    ) -> Result<(Value, Value)> {
        let (rounded, scale) = self.apply(b, x, axes)?;
        let scale = b.stop_gradient(scale)?;
        Ok((b.with_gradient_of(rounded, |b| b.mul(x, scale))?, scale))
    }
}

/// The stored whole numbers of a weight as floats.
pub(super) fn whole(b: &mut Builder<'_>, name: &str) -> Result<Value> {
    let stored = b.stored_weight(name)?;
    b.cast(stored, DType::Float32)
}

/// Numbers of four bits, two in each byte along `axis`, of which there are `length`.
pub(super) fn unpack(
    b: &mut Builder<'_>,
    name: &str,
    axis: usize,
    length: usize,
    signed: bool,
) -> Result<Value> {
    let stored = b.stored_weight(name)?;
    let bytes: Option<Vec<u8>> = b.known(stored).and_then(|view| match view.data {
        Slice::Int8(v) => Some(v.iter().map(|n| n.cast_unsigned()).collect()),
        Slice::UInt8(v) => Some(v.to_vec()),
        _ => None,
    });
    let bytes = bytes.ok_or_else(|| b.error(format!("{name} holds no bytes")))?;
    let number = |bits: u8| match (signed, bits) {
        (true, 8..) => f32::from(bits) - 16.0,
        _ => f32::from(bits),
    };
    // The two halves of a byte become an axis of their own behind the packed one.
    let halves: Vec<f32> =
        bytes.iter().flat_map(|byte| [number(byte & 15), number(byte >> 4)]).collect();
    let mut shape = b.shape(stored).to_vec();
    let rank = shape.len();
    let pairs = Tensor::new([shape.as_slice(), &[2]].concat(), halves)?;
    let pairs = b.constant(pairs);
    let pairs = b.move_axis(pairs, rank, axis + 1)?;
    if let Some(n) = shape.get_mut(axis) {
        *n *= 2;
    }
    let all = b.reshape(pairs, shape)?;
    b.slice(all, axis, 0, length)
}

/// `(w - zero) · scale`, both by the groups that the places along `axis` belong to.
pub(super) fn grouped(
    b: &mut Builder<'_>,
    w: Value,
    scale: Value,
    zero: Option<Value>,
    axis: usize,
) -> Result<Value> {
    let groups = b.stored_weight("g_idx")?;
    let scale = b.gather(scale, groups, axis)?;
    let w = match zero {
        None => w,
        Some(zero) => {
            let zero = b.cast(zero, DType::Float32)?;
            let zero = b.gather(zero, groups, axis)?;
            b.sub(w, zero)?
        }
    };
    b.mul(w, scale)
}

/// The block size of `int4`, if scales are per block.
pub(super) fn block_size(config: Option<&Json>, policy: Option<usize>) -> Option<usize> {
    match config.and_then(|c| c.get("config")?.get("block_size")) {
        Some(block) => block.as_u64().and_then(|n| usize::try_from(n).ok()),
        None => policy,
    }
}

/// The bias of a product with a kernel of few bits.
pub(super) fn bias(b: &mut Builder<'_>, mode: Option<&Quantization>) -> Result<Value> {
    let bias = b.weight("bias")?;
    if matches!(mode, Some(Quantization::Float8 { .. })) && b.compute() == DType::Float32 {
        // Keras rounds it so that a GPU can add it within the product.
        let rounded = b.cast(bias, DType::BFloat16)?;
        return b.cast(rounded, DType::Float32);
    }
    Ok(bias)
}

/// Rounded to eight bits and back.
pub(super) fn float8(b: &mut Builder<'_>, x: Value, scale: &str) -> Result<Value> {
    if b.differentiates() {
        // Keras 3.15.1 fails there with TensorFlow.
        return Err(b.unsupported("the gradient of float8"));
    }
    let scale = b.weight(scale)?;
    let x = b.div(x, scale)?;
    let x = b.with_number(Arithmetic::Max, x, -FLOAT8_MAX)?;
    let x = b.with_number(Arithmetic::Min, x, FLOAT8_MAX)?;
    let x = b.op(Float8, &[x])?;
    b.mul(x, scale)
}

/// The names of a low-rank update and its factor, if the file holds one.
pub(super) fn lora(b: &Builder<'_>, name: &str, lora: Lora) -> Option<(String, String, f64)> {
    let first = format!("lora_{name}_a");
    let rank = lora.lora_rank.filter(|_| b.has_weight(&first))? as f64;
    let factor = lora.lora_alpha.map_or(rank, |a| a.0) / rank;
    Some((first, format!("lora_{name}_b"), factor))
}

/// A product with a kernel of few bits, the kernel as a matrix `[rows, columns]`.
pub(super) struct Kernel<'a> {
    pub(super) columns: usize,
    pub(super) config: Option<&'a Json>,
    /// Name of the zero points of `gptq` and `awq`.
    pub(super) zero: &'static str,
}

impl Kernel<'_> {
    /// The kernel as floats, where the mode does not multiply whole numbers.
    pub(super) fn floats(&self, b: &mut Builder<'_>, mode: &Quantization) -> Result<Value> {
        let kernel = match mode {
            Quantization::Int8 => {
                let kernel = whole(b, "kernel")?;
                let scale = b.weight("kernel_scale")?;
                b.div(kernel, scale)?
            }
            Quantization::Int4 { block_size: policy } => {
                let kernel = unpack(b, "kernel", 1, self.columns, true)?;
                let scale = b.weight("kernel_scale")?;
                if block_size(self.config, *policy).is_some() {
                    let zero = b.stored_weight("kernel_zero")?;
                    grouped(b, kernel, scale, Some(zero), 0)?
                } else {
                    b.div(kernel, scale)?
                }
            }
            Quantization::Float8 { .. } => {
                let kernel = b.weight("kernel")?;
                float8(b, kernel, "kernel_scale")?
            }
            Quantization::Gptq { weight_bits, .. } | Quantization::Awq { weight_bits, .. } => {
                let kernel = if *weight_bits == 4 {
                    unpack(b, "kernel", 0, self.columns, false)?
                } else {
                    whole(b, "kernel")?
                };
                let scale = b.weight("kernel_scale")?;
                if all(b, kernel, 0.0) && all(b, scale, 1.0) {
                    return Err(b.error(
                        "was never calibrated, and Keras did not save its kernel: leave it out with the filters of quantize",
                    ));
                }
                let zero = b.has_weight(self.zero);
                let zero = zero.then(|| b.stored_weight(self.zero)).transpose()?;
                let kernel = grouped(b, kernel, scale, zero, 1)?;
                let kernel = b.transpose(kernel, vec![1, 0])?;
                if matches!(mode, Quantization::Awq { .. }) {
                    let scales = b.weight("awq_scales")?;
                    let scales = b.expand(scales, 1)?;
                    b.div(kernel, scales)?
                } else {
                    kernel
                }
            }
        };
        b.cast(kernel, b.compute())
    }
}

/// Whether a weight is `number` everywhere.
fn all(b: &Builder<'_>, weight: Value, number: f32) -> bool {
    b.known(weight).is_some_and(|view| match view.data {
        Slice::Float32(v) => v.iter().all(|n| *n == number),
        _ => false,
    })
}

#[test]
fn what_was_never_calibrated_is_refused() -> Result<()> {
    let policy = r#"{"class_name": "GPTQDTypePolicy", "config": {"mode": "gptq/8/-1", "source_name": "float32"}}"#;
    let input =
        r#"{"class_name": "InputLayer", "config": {"batch_shape": [null, 3], "name": "x"}}"#;
    let dense = format!(
        r#"{{"class_name": "Dense", "config": {{"name": "y", "units": 2, "dtype": {policy}}}}}"#
    );
    let config =
        format!(r#"{{"class_name": "Sequential", "config": {{"layers": [{input}, {dense}]}}}}"#);
    let mut model = crate::Loader::new().from_bytes(config)?;
    let x = [Tensor::zeros([1, 3], DType::Float32)];
    let mut weights = model.get_weights()?;
    let scale = weights.iter_mut().find(|w| w.shape() == [2, 1] && w.dtype().is_float());
    if let Some(scale) = scale {
        *scale = Tensor::new([2, 1], vec![1.0_f32, 1.0])?;
    }
    model.set_weights(weights)?;
    let error = model.predict(&x).map(|_| ()).map_err(|e| e.to_string());
    assert!(error.is_err_and(|e| e.contains("never calibrated")));
    Ok(())
}
