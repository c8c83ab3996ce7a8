//! What quantisation and LoRA do to the variables of `Dense`, `EinsumDense`, `Embedding` and
//! convolutions. Source: `keras/src/layers/core/dense.py`, Keras 3.15.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dtype::Quantization;
use crate::json::Float;
use crate::variables::{VariableSpec, Variables};
use crate::{Call, DType, Result};

/// A low-rank update `a · b · alpha / rank` of a weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lora {
    /// Length of the axis between `a` and `b`; `None` for no update.
    #[serde(default)]
    pub lora_rank: Option<usize>,
    /// Scale of the update; the rank by default.
    #[serde(default)]
    pub lora_alpha: Option<Float>,
}

impl Lora {
    /// Adds `lora_<weight>_a [.., rank]` and `lora_<weight>_b [rank, n]` for the weight
    /// `[.., n]` and freezes that. `.keras` files hold the weight with the update merged in.
    pub(crate) fn extend(self, own: Vec<VariableSpec>, weight: &str) -> Variables {
        let shape = own.iter().find(|v| v.name == weight).map(|v| v.shape.clone());
        self.extend_for(own, weight, &shape.unwrap_or_default())
    }

    /// The same where the weight is stored in another shape than it has: packed.
    pub(crate) fn extend_for(
        self,
        mut own: Vec<VariableSpec>,
        weight: &str,
        shape: &[usize],
    ) -> Variables {
        let (Some(rank), Some((last, first))) = (self.lora_rank, shape.split_last()) else {
            return Variables::of(own);
        };
        let saved = own.iter().map(|v| v.name.clone()).collect();
        let a = [first, &[rank]].concat();
        own.extend([
            VariableSpec::new(format!("lora_{weight}_a"), a, DType::Float32),
            VariableSpec::new(format!("lora_{weight}_b"), [rank, *last], DType::Float32),
        ]);
        // Keras lists a variable where it was created: a trainable weight stays among those.
        own.sort_by_key(|v| !v.trainable);
        if let Some(frozen) = own.iter_mut().find(|v| v.name == weight) {
            frozen.trainable = false;
        }
        Variables { own, saved: Some(saved), ..Variables::none() }
    }
}

/// A kernel as the quantised layers see it: a matrix.
pub(crate) struct Kernel {
    /// The shape without quantisation.
    pub(crate) shape: Vec<usize>,
    /// Input features: the axes that the product sums over.
    pub(crate) rows: usize,
    /// Output features.
    pub(crate) columns: usize,
    /// Shape of the scales of an `int8` kernel.
    pub(crate) scale: Vec<usize>,
    /// Name of the zero points of `gptq` and `awq`: the two layers differ.
    pub(crate) zero_point: &'static str,
}

impl Kernel {
    /// All variables of a layer with this kernel and bias.
    pub(crate) fn variables(
        &self,
        call: &Call<'_>,
        bias: Option<&[usize]>,
        lora: Lora,
        config: Option<&Value>,
    ) -> Result<Variables> {
        let dtype = call.base.dtype.variable;
        let kernel = || VariableSpec::new("kernel", self.shape.clone(), dtype);
        let bias = bias.map(|shape| VariableSpec::new("bias", shape, dtype));
        let zero = self.zero_point;
        let (own, saved): (_, &[&str]) = match &call.base.dtype.quantization {
            None => {
                let own = std::iter::once(kernel()).chain(bias).collect();
                return Ok(lora.extend(own, "kernel"));
            }
            Some(Quantization::Int8) => {
                let own = vec![
                    fixed("kernel", self.shape.clone(), DType::Int8),
                    fixed("kernel_scale", self.scale.clone(), dtype),
                ];
                (own, &["kernel", "bias", "kernel_scale"])
            }
            Some(Quantization::Int4 { block_size: policy }) => {
                let block = block_size(config, *policy);
                let packed = vec![self.rows, half(self.columns)];
                let scale = match block {
                    Some(block) => vec![groups(call, self.rows, block)?, self.columns],
                    None => vec![self.columns],
                };
                let mut own = vec![
                    fixed("kernel", packed, DType::Int8),
                    fixed("kernel_scale", scale.clone(), dtype),
                ];
                if block.is_some() {
                    own.push(fixed("kernel_zero", scale, DType::Int8));
                    own.push(fixed("g_idx", vec![self.rows], DType::Float32));
                }
                (own, &["kernel", "bias", "kernel_scale", "kernel_zero", "g_idx"])
            }
            Some(Quantization::Float8 { amax_history_length }) => {
                let mut own = Vec::new();
                for of in ["inputs", "kernel", "outputs_grad"] {
                    let history = vec![*amax_history_length];
                    own.extend([
                        VariableSpec::new(format!("{of}_scale"), [], DType::Float32),
                        VariableSpec::new(format!("{of}_amax_history"), history, DType::Float32),
                    ]);
                }
                let saved = ["kernel", "bias"].into_iter().map(str::to_owned);
                let saved = saved.chain(own.iter().map(|v| v.name.clone()));
                let has_bias = bias.is_some();
                let saved = saved.filter(|name| has_bias || name != "bias").collect();
                own.push(kernel());
                own.extend(bias);
                return Ok(Variables { own, saved: Some(saved), ..Variables::none() });
            }
            Some(Quantization::Gptq { weight_bits, group_size }) => {
                let packed = if *weight_bits == 4 { half(self.columns) } else { self.columns };
                let mut own = self.grouped(call, packed, *group_size)?;
                let symmetric = config.and_then(|c| c.pointer("/config/symmetric"));
                if symmetric.and_then(Value::as_bool) == Some(true)
                    && let Some(zero) = own.iter_mut().find(|v| v.name == zero)
                {
                    // The middle of the whole numbers that a weight can be.
                    let half = weight_bits.checked_sub(1).and_then(|n| u32::try_from(n).ok());
                    zero.unsaved = half.and_then(|n| 1_u8.checked_shl(n));
                }
                (own, &["bias", "kernel", "kernel_scale", "g_idx"])
            }
            Some(Quantization::Awq { group_size, .. }) => {
                let mut own = self.grouped(call, half(self.columns), *group_size)?;
                let at = own.iter().position(|v| v.name == zero).map_or(0, |i| i.saturating_add(1));
                own.insert(at.min(own.len()), fixed("awq_scales", vec![self.rows], dtype));
                (own, &["bias", "kernel", "kernel_scale", "awq_scales", "g_idx"])
            }
        };
        let own: Vec<VariableSpec> = bias.into_iter().chain(own).collect();
        let saved = saved.iter().filter(|name| own.iter().any(|v| v.name == **name));
        let saved = saved.map(|name| (*name).to_owned()).collect();
        let mut all = lora.extend_for(own, "kernel", &self.shape);
        all.saved = Some(saved);
        Ok(all)
    }

    /// What `gptq` and `awq` share.
    fn grouped(
        &self,
        call: &Call<'_>,
        packed: usize,
        group_size: i64,
    ) -> Result<Vec<VariableSpec>> {
        let count = match group_size {
            -1 => 1,
            n => groups(call, self.rows, usize::try_from(n).unwrap_or(0))?,
        };
        let scale = vec![self.columns, count];
        Ok(vec![
            fixed("kernel", vec![packed, self.rows], DType::UInt8),
            fixed("kernel_scale", scale.clone(), call.base.dtype.variable),
            // Keras 3.15 forgets to write them.
            VariableSpec { unsaved: None, ..fixed(self.zero_point, scale, DType::UInt8) },
            fixed("g_idx", vec![self.rows], DType::Float32),
        ])
    }
}

/// The block size of an `Int4QuantizationConfig`, if there is one, else the policy's.
pub(crate) fn block_size(config: Option<&Value>, policy: Option<usize>) -> Option<usize> {
    match config.and_then(|c| c.get("config")?.get("block_size")) {
        Some(block) => block.as_u64().and_then(|n| usize::try_from(n).ok()),
        None => policy,
    }
}

/// A variable that quantisation makes and training leaves alone.
pub(crate) fn fixed(name: &str, shape: Vec<usize>, dtype: DType) -> VariableSpec {
    VariableSpec::non_trainable(name, shape, dtype)
}

/// `⌈rows / size⌉`.
pub(crate) fn groups(call: &Call<'_>, rows: usize, size: usize) -> Result<usize> {
    if size == 0 {
        return Err(call.error("a quantisation group must not be empty"));
    }
    Ok(rows.div_ceil(size))
}

/// Bytes for `n` four-bit numbers.
pub(crate) const fn half(n: usize) -> usize {
    n.div_ceil(2)
}
