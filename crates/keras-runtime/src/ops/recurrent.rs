//! Recurrent cells over the time axis.

use std::sync::Arc;

use keras_model::DType;

use super::unary::{Function, apply};
use super::{Gradient, Operator, Out, Spec, Types};
use crate::element::Real;
use crate::graph::{Builder, Value};
use crate::kernels::{Epilogue, Matrix, Packed, PackedCache, gemm, parallel, with_scratch};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// What happens at each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CellKind {
    /// `h = f(x + h · U)`
    Simple,
    /// Gates in the order i, f, c, o; a second state.
    Lstm,
    /// Gates in the order z, r, h; `reset_after`: whether `r` acts on `h · U` instead of on `h`.
    Gru { reset_after: bool },
}

impl CellKind {
    pub(crate) const fn gates(self) -> usize {
        match self {
            Self::Simple => 1,
            Self::Lstm => 4,
            Self::Gru { .. } => 3,
        }
    }

    pub(crate) const fn states(self) -> usize {
        if matches!(self, Self::Lstm) { 2 } else { 1 }
    }
}

/// A recurrent layer without the product of its input, which is made for all steps at once.
///
/// # Shapes
/// `x: [batch, time, gates · units]` (the input's product with bias), `U: [units, gates · units]`,
/// the states `[batch, units]`, with `bias` the state's bias `[gates · units]`, with `masked` a mask
/// `[batch, time]` of `bool`; to the outputs of all steps `[batch, time, units]` and the last states.
///
/// # Source
/// `LSTMCell.call`, `GRUCell.call`, `SimpleRNNCell.call` and `backend.rnn`, Keras 3.
#[derive(Clone, Debug)]
pub(crate) struct Recurrent {
    pub(crate) kind: CellKind,
    pub(crate) activation: Function,
    pub(crate) gate_function: Function,
    /// Whether the last step comes first; outputs come in the order of the steps.
    pub(crate) backwards: bool,
    /// Whether masked steps give zeros rather than the output before.
    pub(crate) zero_masked: bool,
    pub(crate) bias: bool,
    pub(crate) masked: bool,
    /// `U` in the form that the inner loop reads, where it is a constant.
    pub(crate) packed: Option<Arc<Packed>>,
}

impl Recurrent {
    /// Brings a constant `U` into the kernel's form.
    pub(crate) fn pack(&mut self, cache: &PackedCache, kernel: View<'_>) -> bool {
        let (Ok(data), &[units, n]) = (kernel.of::<f32>(Self::NAME), kernel.shape) else {
            return false;
        };
        // Without `reset_after` the last gate is multiplied by itself.
        let late = self.kind == CellKind::Gru { reset_after: false };
        self.packed = (!late).then(|| cache.get(data, [units, n], n, 1));
        !late
    }
}

impl Operator for Recurrent {
    const NAME: &'static str = "recurrent";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let wrong = || {
            let shapes: Vec<&[usize]> = x.iter().map(|s| &s.shape[..]).collect();
            Error::op(Self::NAME, format!("shapes {shapes:?} do not fit each other"))
        };
        let states = self.kind.states();
        let count = 2 + states + usize::from(self.bias) + usize::from(self.masked);
        let (Some(sequence), Some(kernel)) = (x.first(), x.get(1)) else { return Err(wrong()) };
        let (&[batch, time, width], &[units, columns]) =
            (sequence.shape.as_slice(), kernel.shape.as_slice())
        else {
            return Err(wrong());
        };
        let mut rest = x[2..].iter();
        let mut next = |shape: &[usize], dtype| {
            rest.next().is_some_and(|s| s.shape == shape && s.dtype == dtype)
        };
        let dtype = sequence.dtype;
        let fits = x.len() == count
            && width == units * self.kind.gates()
            && columns == width
            && kernel.dtype == dtype
            && (0..states).all(|_| next(&[batch, units], dtype))
            && (!self.bias || next(&[width], dtype))
            && (!self.masked || next(&[batch, time], DType::Bool));
        if !fits {
            return Err(wrong());
        }
        let mut out = vec![Spec::new([batch, time, units], dtype)];
        out.extend((0..states).map(|_| Spec::new([batch, units], dtype)));
        Ok(out)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        floats!(x[0].data.dtype(), Self::NAME, T => self.run::<T>(x, y))
    }

    fn gradient(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        self.through_time(b, x, y, dy)
    }
}

/// `y = x · B` for small matrices of `f64`, through the kernel for `f32`.
pub(super) trait Step: Real {
    /// A matrix `[k, n]` in the form that the kernel reads, if it is one for it.
    fn pack(_b: &[Self], _sizes: [usize; 2]) -> Option<Packed> {
        None
    }

    fn product(x: &[Self], b: &[Self], packed: Option<&Packed>, y: &mut [Self], sizes: [usize; 3]) {
        let ([k, n, row], _) = (sizes, packed);
        for (x, y) in x.chunks_exact(k.max(1)).zip(y.chunks_exact_mut(n.max(1))) {
            y.fill(Self::zero());
            for (i, x) in x.iter().enumerate() {
                y.iter_mut().zip(&b[i * row..]).for_each(|(y, b)| *y += *x * *b);
            }
        }
    }

    /// Lends that many zeros.
    fn with_scratch(len: usize, f: impl FnOnce(&mut [Self])) {
        f(&mut vec![Self::zero(); len]);
    }
}

impl Step for f64 {}

impl Step for f32 {
    fn pack(b: &[f32], sizes: [usize; 2]) -> Option<Packed> {
        Some(Packed::new(b, sizes, sizes[1], 1))
    }

    fn product(x: &[f32], b: &[f32], packed: Option<&Packed>, y: &mut [f32], sizes: [usize; 3]) {
        let [k, n, row] = sizes;
        if let Some(packed) = packed {
            gemm(x, &Matrix { columns: k }, packed, Epilogue::NONE, y, [n, 0]);
            return;
        }
        for (x, y) in x.chunks_exact(k.max(1)).zip(y.chunks_exact_mut(n.max(1))) {
            y.fill(0.0);
            for (i, x) in x.iter().enumerate() {
                y.iter_mut().zip(&b[i * row..]).for_each(|(y, b)| *y += x * b);
            }
        }
    }

    fn with_scratch(len: usize, f: impl FnOnce(&mut [f32])) {
        with_scratch(|buffer| {
            buffer.clear();
            buffer.resize(len, 0.0);
            f(buffer);
        });
    }
}

/// What all sequences of a batch share.
struct Sequences<'a, T> {
    /// `[batch, time, gates · units]`.
    x: &'a [T],
    kernel: &'a [T],
    packed: Option<&'a Packed>,
    bias: Option<&'a [T]>,
    mask: Option<&'a [bool]>,
    time: usize,
    units: usize,
}

/// Some sequences of a batch: the first one's number, their outputs, and their states, which hold
/// the initial ones at first.
struct Part<'a, T> {
    first: usize,
    output: &'a mut [T],
    h: &'a mut [T],
    c: &'a mut [T],
}

impl Recurrent {
    fn run<T: Step>(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let &[batch, time, width] = x[0].shape else {
            return Err(Error::op(Self::NAME, "takes [batch, time, features]"));
        };
        let units = width / self.kind.gates();
        let states = self.kind.states();
        let bias = if self.bias { Some(x[2 + states].of::<T>(Self::NAME)?) } else { None };
        let mask = match x.last() {
            Some(mask) if self.masked => Some(mask.of::<bool>(Self::NAME)?),
            _ => None,
        };
        // A kernel that is no constant is packed for this run.
        let is_late = self.kind == CellKind::Gru { reset_after: false };
        let kernel = x[1].of::<T>(Self::NAME)?;
        let own = if self.packed.is_some() || is_late || time < 2 {
            None
        } else {
            T::pack(kernel, [units, width])
        };
        let all = Sequences {
            x: x[0].of::<T>(Self::NAME)?,
            kernel,
            packed: self.packed.as_deref().or(own.as_ref()),
            bias,
            mask,
            time,
            units,
        };
        let [output, rest @ ..] = y else { return Err(Error::op(Self::NAME, "has no output")) };
        let output = out::<T>(&mut output.data, Self::NAME)?;
        for (y, state) in rest.iter_mut().zip(&x[2..]) {
            out::<T>(&mut y.data, Self::NAME)?.copy_from_slice(state.of::<T>(Self::NAME)?);
        }
        let (h, c) = match rest {
            [h] => (out::<T>(&mut h.data, Self::NAME)?, &mut [][..]),
            [h, c, ..] => (out::<T>(&mut h.data, Self::NAME)?, out::<T>(&mut c.data, Self::NAME)?),
            [] => return Err(Error::op(Self::NAME, "has no state")),
        };
        let work = batch * time * units * width;
        let rows = batch.div_ceil(parallel::threads(work)).max(LEAST_TOGETHER);
        if rows >= batch {
            self.sequences(&all, Part { first: 0, output, h, c });
            return Ok(());
        }
        let cells = output.chunks_mut(rows * time * units).zip(h.chunks_mut(rows * units));
        let mut cells_of_c = c.chunks_mut(rows * units);
        let parts = cells.enumerate().map(|(i, (output, h))| {
            let c = cells_of_c.next().unwrap_or_default();
            Part { first: i * rows, output, h, c }
        });
        parallel::all(parts.collect(), work, |part| self.sequences(&all, part));
        Ok(())
    }

    fn sequences<T: Step>(&self, all: &Sequences<'_, T>, part: Part<'_, T>) {
        let &Sequences { kernel, packed, bias, mask, time, units, .. } = all;
        let width = units * self.kind.gates();
        let Part { first, output, h, c } = part;
        let batch = h.len() / units.max(1);
        let late = self.kind == CellKind::Gru { reset_after: false };
        T::with_scratch(batch * (width + 4 * units), |scratch| {
            let (z, scratch) = scratch.split_at_mut(batch * width);
            let (reset, scratch) = scratch.split_at_mut(batch * units);
            let (candidate, zr) = scratch.split_at_mut(batch * units);
            for step in 0..time {
                let t = if self.backwards { time - 1 - step } else { step };
                let x = |row: usize| &all.x[((first + row) * time + t) * width..][..width];
                if late {
                    // Only `z` and `r`; the candidate's product is with `r · h`.
                    T::product(h, kernel, None, zr, [units, 2 * units, width]);
                    for row in 0..batch {
                        z[row * width..][..2 * units]
                            .copy_from_slice(&zr[row * 2 * units..][..2 * units]);
                        z[row * width + 2 * units..][..units].fill(T::zero());
                    }
                } else {
                    T::product(h, kernel, packed, z, [units, width, width]);
                }
                for row in 0..batch {
                    let z = &mut z[row * width..][..width];
                    if let Some(bias) = bias {
                        z.iter_mut().zip(bias).for_each(|(z, b)| *z += *b);
                    }
                    let gates =
                        if let CellKind::Gru { .. } = self.kind { 2 * units } else { width };
                    z[..gates].iter_mut().zip(x(row)).for_each(|(z, x)| *z += *x);
                }
                if late {
                    for row in 0..batch {
                        let z = &mut z[row * width..][..width];
                        apply(&self.gate_function, &mut z[..2 * units]);
                        for i in 0..units {
                            reset[row * units + i] = z[units + i] * h[row * units + i];
                        }
                    }
                    let kernel = &kernel[(2 * units).min(kernel.len())..];
                    T::product(reset, kernel, None, candidate, [units, units, width]);
                }
                for row in 0..batch {
                    let z = &mut z[row * width..][..width];
                    let h = &mut h[row * units..][..units];
                    let to = (row * time + step) * units;
                    if mask.is_some_and(|m| !m[(first + row) * time + t]) {
                        // States stay, and the output is the one before: zeros at the start.
                        if self.zero_masked || step == 0 {
                            output[to..to + units].fill(T::zero());
                        } else {
                            output.copy_within(to - units..to, to);
                        }
                        continue;
                    }
                    let candidate = &candidate[row * units..][..units];
                    let c = c.get_mut(row * units..(row + 1) * units).unwrap_or_default();
                    self.cell(z, x(row), candidate, h, c);
                    output[to..to + units].copy_from_slice(h);
                }
            }
        });
    }

    /// One step of one sequence: the products `z` and the state's, to the new states.
    fn cell<T: Step>(&self, z: &mut [T], x: &[T], candidate: &[T], h: &mut [T], c: &mut [T]) {
        let units = h.len();
        match self.kind {
            CellKind::Simple => {
                apply(&self.activation, z);
                h.copy_from_slice(z);
            }
            CellKind::Lstm => {
                apply(&self.gate_function, &mut z[..2 * units]);
                apply(&self.activation, &mut z[2 * units..3 * units]);
                apply(&self.gate_function, &mut z[3 * units..]);
                for i in 0..units {
                    c[i] = z[units + i] * c[i] + z[i] * z[2 * units + i];
                }
                h.copy_from_slice(c);
                apply(&self.activation, h);
                h.iter_mut().zip(&z[3 * units..]).for_each(|(h, o)| *h *= *o);
            }
            CellKind::Gru { reset_after } => {
                let x = &x[2 * units..];
                if reset_after {
                    apply(&self.gate_function, &mut z[..2 * units]);
                    for i in 0..units {
                        z[2 * units + i] = x[i] + z[units + i] * z[2 * units + i];
                    }
                } else {
                    for i in 0..units {
                        z[2 * units + i] += x[i] + candidate[i];
                    }
                }
                apply(&self.activation, &mut z[2 * units..]);
                for i in 0..units {
                    h[i] = z[i] * h[i] + (T::one() - z[i]) * z[2 * units + i];
                }
            }
        }
    }
}

/// Sequences that one thread computes at least: their steps share the reads of `U`.
pub(super) const LEAST_TOGETHER: usize = 4;
