//! `EinsumDense`. Source: `keras/src/layers/core/einsum_dense.py`, Keras 3.15.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LayerConfig;
use super::arrays::KernelAndBias;
use super::quantized::{Kernel, Lora};
use crate::activations::Activation;
use crate::dtype::Quantization;
use crate::variables::Variables;
use crate::{Call, Dim, KerasTensor, Result, Shape};

/// `activation(einsum(equation, x, kernel) + bias)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EinsumDense {
    /// `input,kernel->output`, a letter for each axis: `abc,cd->abd`; `...` on one side of input
    /// and output stands for any axes.
    pub equation: String,
    /// Shape of the output without batch and without the axes behind `...`; `None` where the
    /// input tells.
    pub output_shape: OutputShape,
    /// Applied to each element; `linear` by default.
    #[serde(default)]
    pub activation: Activation,
    /// Letters of the output that the bias has; `None` for no bias.
    #[serde(default)]
    pub bias_axes: Option<String>,
    /// How kernel and bias start, and what training does to them.
    #[serde(flatten)]
    pub arrays: KernelAndBias,
    /// Columns of a kernel that `gptq` packed.
    #[serde(default)]
    pub gptq_unpacked_column_size: Option<usize>,
    /// How it was quantised, where that is more than its policy says.
    #[serde(default)]
    pub quantization_config: Option<Value>,
    /// The low-rank update of the kernel, if there is one.
    #[serde(flatten)]
    pub lora: Lora,
}

/// One length or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OutputShape {
    /// One axis.
    One(usize),
    /// Several.
    Many(Vec<Dim>),
}

impl OutputShape {
    /// The axes.
    pub fn dims(&self) -> Vec<Dim> {
        match self {
            Self::One(n) => vec![Some(*n)],
            Self::Many(dims) => dims.clone(),
        }
    }
}

/// What an equation says about one input.
struct Analysis {
    output: Shape,
    kernel: Vec<usize>,
    bias: Option<Vec<usize>>,
    /// Letters of the kernel, and of the output with one for each axis behind `...`.
    letters: (Vec<char>, Vec<char>),
}

/// The letters of one equation.
struct Equation<'a> {
    input: &'a str,
    kernel: &'a str,
    output: &'a str,
    /// Whether `...` stands before the letters.
    elided_left: bool,
    /// Whether it stands behind them.
    elided_right: bool,
}

impl<'a> Equation<'a> {
    /// `None` if it is none of `ab,bc->ac`, `...b,bc->...c` and `ab...,bc->ac...`.
    fn parse(text: &'a str) -> Option<Self> {
        let (operands, output) = text.split_once("->")?;
        let (input, kernel) = operands.split_once(',')?;
        let elided_left = input.starts_with("...");
        let elided_right = !elided_left && input.ends_with("...");
        let strip = |part: &'a str| match (elided_left, elided_right) {
            (true, _) => part.strip_prefix("..."),
            (_, true) => part.strip_suffix("..."),
            _ => Some(part),
        };
        let (input, output) = (strip(input)?, strip(output)?);
        let letters = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphabetic());
        let valid = letters(input) && letters(kernel) && letters(output);
        valid.then_some(Self { input, kernel, output, elided_left, elided_right })
    }
}

impl EinsumDense {
    /// One with the defaults of everything else: a projection inside an attention layer.
    pub(super) fn projection(
        equation: String,
        output_shape: OutputShape,
        bias_axes: Option<String>,
    ) -> Self {
        Self {
            equation,
            output_shape,
            activation: Activation::Linear,
            bias_axes,
            arrays: KernelAndBias::default(),
            gptq_unpacked_column_size: None,
            quantization_config: None,
            lora: Lora::default(),
        }
    }

    fn analyse(&self, call: &Call<'_>) -> Result<Analysis> {
        let wrong = |why: &str| call.error(format!("equation {:?}: {why}", self.equation));
        let equation = Equation::parse(&self.equation)
            .ok_or_else(|| wrong("expected a form like ab,bc->ac or ...b,bc->...c"))?;
        let input = call.shape()?.dims();
        let elided = input.len().checked_sub(equation.input.len());
        let elided = elided.ok_or_else(|| wrong("the input has too few axes"))?;
        if elided > 0 && !equation.elided_left && !equation.elided_right {
            return Err(wrong("the input has too many axes"));
        }
        // The full shape of the output: batch, axes behind `...`, the given ones. Some authors give
        // the axes behind `...` too, which Keras lets pass.
        let given = self.output_shape.dims();
        let axes = call.sum([equation.output.len(), elided])?;
        let batch = input.iter().take(1).copied();
        let output: Vec<Dim> = if given.len().saturating_add(1) == axes {
            batch.chain(given).collect()
        } else if equation.elided_left {
            batch.chain(input.iter().take(elided).skip(1).copied()).chain(given).collect()
        } else {
            let behind = input.iter().skip(equation.input.len()).copied();
            batch.chain(given).chain(behind).collect()
        };
        if output.len() != axes {
            return Err(wrong("output_shape has another number of axes"));
        }
        let skipped = if equation.elided_left { elided } else { 0 };
        let find = |letters: &str, dims: &[Dim], letter: char| {
            let at = letters.chars().position(|c| c == letter)?;
            dims.get(at.checked_add(skipped)?).copied()
        };
        for letter in equation.input.chars() {
            if let Some(Some(out)) = find(equation.output, &output, letter)
                && find(equation.input, input, letter).flatten() != Some(out)
            {
                return Err(wrong(&format!("input and output differ in the axis {letter}")));
            }
        }
        let mut kernel = Vec::new();
        for letter in equation.kernel.chars() {
            let dim = find(equation.output, &output, letter)
                .or_else(|| find(equation.input, input, letter))
                .ok_or_else(|| wrong(&format!("nothing gives the length of {letter}")))?;
            kernel.push(dim.ok_or_else(|| wrong(&format!("the axis {letter} must be known")))?);
        }
        let bias = match &self.bias_axes {
            None => None,
            Some(axes) => {
                let of_output = |c: char| equation.output.chars().position(|o| o == c);
                if axes.is_empty() || axes.chars().any(|c| of_output(c).is_none()) {
                    return Err(wrong("bias_axes are not axes of the output"));
                }
                let first = axes.chars().filter_map(of_output).min().unwrap_or(0);
                let mut shape = Vec::new();
                for letter in equation.output.chars().skip(first) {
                    shape.push(if axes.contains(letter) {
                        let dim = find(equation.output, &output, letter).flatten();
                        dim.ok_or_else(|| wrong(&format!("the axis {letter} must be known")))?
                    } else {
                        1
                    });
                }
                let behind = if equation.elided_left { 0 } else { elided };
                shape.extend(std::iter::repeat_n(1, behind));
                Some(shape)
            }
        };
        // An axis behind `...` is in the output only: any sign that is no letter will do.
        let dots = std::iter::repeat_n('.', elided);
        let letters = if equation.elided_left {
            dots.chain(equation.output.chars()).collect()
        } else {
            equation.output.chars().chain(dots).collect()
        };
        let letters = (equation.kernel.chars().collect(), letters);
        Ok(Analysis { output: Shape(output), kernel, bias, letters })
    }
}

impl Analysis {
    fn kernel(&self, call: &Call<'_>) -> Result<Kernel> {
        let (kernel, output) = &self.letters;
        let reduced = |i: usize| kernel.get(i).is_some_and(|letter| !output.contains(letter));
        let side = |want: bool| {
            let axes = self.kernel.iter().enumerate().filter(|(i, _)| reduced(*i) == want);
            call.product(axes.map(|(_, n)| *n))
        };
        let (mut rows, mut columns) = (side(true)?, side(false)?);
        if let Some(Quantization::Gptq { .. } | Quantization::Awq { .. }) =
            &call.base.dtype.quantization
        {
            // These two split a kernel by its longest axis instead.
            (rows, columns) = match self.kernel[..] {
                [rows, columns] => (rows, columns),
                [a, b, c] if a >= b && a >= c => (a, call.product([b, c])?),
                [a, b, c] => (call.product([a, b])?, c),
                _ => return Err(call.error("gptq and awq take kernels of 2 or 3 axes")),
            };
        }
        Ok(Kernel {
            shape: self.kernel.clone(),
            rows,
            columns,
            scale: self.scale(),
            zero_point: "zero_point",
        })
    }

    /// Shape of the scale of an `int8` kernel: 1 on the axes that are summed over, laid out so
    /// that it broadcasts with the output.
    fn scale(&self) -> Vec<usize> {
        let (kernel, output) = &self.letters;
        let at = |letter: &char| kernel.iter().position(|k| k == letter);
        let mut missing: Vec<usize> =
            output.iter().enumerate().filter(|(_, l)| at(l).is_none()).map(|(i, _)| i).collect();
        missing.reverse();
        let mut order: Vec<usize> = output.iter().filter_map(at).collect();
        let mut squeezed = Vec::new();
        let mut place = 0;
        for (i, letter) in kernel.iter().enumerate() {
            if output.contains(letter) {
                continue;
            }
            match missing.pop() {
                Some(index) => place = index,
                None => squeezed.push(i),
            }
            order.insert(place.min(order.len()), i);
        }
        let length = |i: &usize| match kernel.get(*i) {
            Some(letter) if output.contains(letter) => self.kernel.get(*i).copied().unwrap_or(1),
            _ => 1,
        };
        let mut scale: Vec<usize> = order.iter().map(length).collect();
        missing.reverse();
        for axis in missing {
            scale.insert(axis.min(scale.len()), 1);
        }
        for axis in squeezed.into_iter().rev() {
            if axis < scale.len() {
                scale.remove(axis);
            }
        }
        scale
    }
}

impl LayerConfig for EinsumDense {
    /// As the equation says: `[a, b, c]` to `[a, b, d]` for `abc,cd->abd`.
    fn output(&self, call: &Call<'_>) -> Result<Vec<KerasTensor>> {
        Ok(call.output(self.analyse(call)?.output))
    }

    /// `kernel` as the equation says: `[c, d]`; `bias` with 1 on the axes that it does not have.
    fn variables(&self, call: &Call<'_>) -> Result<Variables> {
        let analysis = self.analyse(call)?;
        let kernel = analysis.kernel(call)?;
        let config = self.quantization_config.as_ref();
        kernel.variables(call, analysis.bias.as_deref(), self.lora, config)
    }
}
