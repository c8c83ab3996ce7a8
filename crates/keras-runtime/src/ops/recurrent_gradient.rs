//! The gradient of [`Recurrent`]: its steps once more, then back through time.

use super::recurrent::{CellKind, LEAST_TOGETHER, Recurrent, Step};
use super::recurrent_step::Known;
use super::{Gradient, Operator, Out, Spec, Types, no_gradient, size};
use crate::graph::{Builder, Value};
use crate::kernels::{Packed, parallel};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// What reaches the inputs of a recurrent layer, its kernel and bias left out: those get products
/// and sums of what this gives.
///
/// # Shapes
/// The inputs of [`Recurrent`], then what reaches each of its outputs, to:
/// - what reaches `x: [batch, time, gates · units]`,
/// - with `reset_after` what reaches the product of the state, of the same shape,
/// - the state before each step `[batch, time, units]`,
/// - without `reset_after` the part of it that is not reset, of the same shape,
/// - what reaches the first states `[batch, units]`.
#[derive(Clone, Debug)]
pub(crate) struct RecurrentGradient(Recurrent);

impl Recurrent {
    pub(super) fn is_late(&self) -> bool {
        self.kind == CellKind::Gru { reset_after: false }
    }

    pub(super) fn resets_after(&self) -> bool {
        self.kind == CellKind::Gru { reset_after: true }
    }

    /// What reaches all inputs: `x`, the kernel, the states, the bias.
    pub(super) fn through_time(
        &self,
        b: &mut Builder<'_>,
        x: &[Value],
        y: &[Value],
        dy: &[Option<Value>],
    ) -> Gradient {
        let mut inputs = x.to_vec();
        for (y, dy) in y.iter().zip(dy) {
            inputs.push(dy.map_or_else(|| b.zeros_like(*y), Ok)?);
        }
        let made = b.ops(RecurrentGradient(self.clone()), &inputs)?;
        let (dx, mut rest) = (made[0], made[1..].iter().copied());
        let mut next = || rest.next().ok_or_else(|| Error::op(Self::NAME, "has too few outputs"));
        let product = if self.resets_after() { next()? } else { dx };
        let before = next()?;
        let rows = |b: &mut Builder<'_>, v: Value| {
            let shape = b.shape(v).to_vec();
            b.reshape(v, [size(&shape[..2]), shape[2]])
        };
        let (before, product) = (rows(b, before)?, rows(b, product)?);
        let kernel = if self.is_late() {
            let reset = next()?;
            let reset = rows(b, reset)?;
            let units = b.shape(before)[1];
            let gates = b.slice(product, 1, 0, 2 * units)?;
            let candidate = b.slice(product, 1, 2 * units, 3 * units)?;
            let (before, reset) = (b.transpose_matrices(before)?, b.transpose_matrices(reset)?);
            let parts = [b.matmul(before, gates)?, b.matmul(reset, candidate)?];
            b.concat(&parts, 1)?
        } else {
            let before = b.transpose_matrices(before)?;
            b.matmul(before, product)?
        };
        let mut all = vec![Some(dx), Some(kernel)];
        for _ in 0..self.kind.states() {
            all.push(Some(next()?));
        }
        if self.bias {
            all.push(Some(b.sum(product, &[0], false)?));
        }
        all.resize(x.len(), None);
        Ok(all)
    }
}

impl Operator for RecurrentGradient {
    const NAME: &'static str = "recurrent_gradient";
    const TYPES: Types = Types::Floats;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let count = x.len().saturating_sub(1 + self.0.kind.states());
        let (inputs, upstream) = x.split_at(count);
        let outputs = self.0.output(inputs)?;
        if outputs != upstream {
            return Err(Error::op(Self::NAME, "what reaches the outputs does not fit them"));
        }
        let mut all = vec![inputs[0].clone()];
        if self.0.resets_after() {
            all.push(inputs[0].clone());
        }
        all.push(outputs[0].clone());
        if self.0.is_late() {
            all.push(outputs[0].clone());
        }
        all.extend_from_slice(&outputs[1..]);
        Ok(all)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        floats!(x[0].data.dtype(), Self::NAME, T => self.run::<T>(x, y))
    }

    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        _x: &[Value],
        _y: &[Value],
        _dy: &[Option<Value>],
    ) -> Gradient {
        no_gradient(Self::NAME)
    }
}

/// What all sequences of a batch share.
pub(super) struct Shared<'a, T> {
    pub(super) x: &'a [T],
    pub(super) kernel: &'a [T],
    pub(super) packed: Option<Packed>,
    /// The kernel turned: `[gates · units, units]`.
    pub(super) turned: Vec<T>,
    pub(super) packed_turned: Option<Packed>,
    pub(super) bias: Option<&'a [T]>,
    pub(super) mask: Option<&'a [bool]>,
    /// The first states.
    pub(super) states: [&'a [T]; 2],
    /// What reaches the outputs of all steps, and the last states.
    pub(super) upstream: [&'a [T]; 3],
    pub(super) time: usize,
    pub(super) units: usize,
}

/// Some sequences: the first one's number, and their parts of the results.
struct Part<'a, T> {
    first: usize,
    dx: &'a mut [T],
    product: &'a mut [T],
    before: &'a mut [T],
    reset: &'a mut [T],
    states: [&'a mut [T]; 2],
}

impl RecurrentGradient {
    fn run<T: Step>(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let op = &self.0;
        let &[batch, time, width] = x[0].shape else {
            return Err(Error::op(Self::NAME, "takes [batch, time, features]"));
        };
        let (units, states) = (width / op.kind.gates(), op.kind.states());
        let kernel = x[1].of::<T>(Self::NAME)?;
        let mut turned = vec![T::zero(); kernel.len()];
        for (i, row) in kernel.chunks_exact(width.max(1)).enumerate() {
            row.iter().enumerate().for_each(|(j, k)| turned[j * units + i] = *k);
        }
        let numbers = |at: usize| x[at].of::<T>(Self::NAME);
        let inputs = x.len() - 1 - states;
        let second = |at: usize| if states == 2 { numbers(at) } else { Ok(&[][..]) };
        let whole = !op.is_late();
        let all = Shared {
            x: numbers(0)?,
            kernel,
            packed: if whole { T::pack(kernel, [units, width]) } else { None },
            packed_turned: if whole { T::pack(&turned, [width, units]) } else { None },
            turned,
            bias: if op.bias { Some(numbers(2 + states)?) } else { None },
            mask: if op.masked { Some(x[inputs - 1].of::<bool>(Self::NAME)?) } else { None },
            states: [numbers(2)?, second(3)?],
            upstream: [numbers(inputs)?, numbers(inputs + 1)?, second(inputs + 2)?],
            time,
            units,
        };
        let mut outputs = y.iter_mut();
        let mut next = |is_there: bool| match is_there.then(|| outputs.next()).flatten() {
            Some(y) => out::<T>(&mut y.data, Self::NAME),
            None => Ok(&mut [][..]),
        };
        let dx = next(true)?;
        let product = next(op.resets_after())?;
        let before = next(true)?;
        let reset = next(op.is_late())?;
        let (h, c) = (next(true)?, next(states == 2)?);
        let work = 3 * batch * time * units * width;
        let rows = batch.div_ceil(parallel::threads(work)).max(LEAST_TOGETHER);
        let (wide, narrow) = ((rows * time * width).max(1), (rows * time * units).max(1));
        let mut parts = Vec::new();
        let mut product = product.chunks_mut(wide);
        let mut before = before.chunks_mut(narrow);
        let mut reset = reset.chunks_mut(narrow);
        let mut h = h.chunks_mut((rows * units).max(1));
        let mut c = c.chunks_mut((rows * units).max(1));
        for (i, dx) in dx.chunks_mut(wide).enumerate() {
            parts.push(Part {
                first: i * rows,
                dx,
                product: product.next().unwrap_or_default(),
                before: before.next().unwrap_or_default(),
                reset: reset.next().unwrap_or_default(),
                states: [h.next().unwrap_or_default(), c.next().unwrap_or_default()],
            });
        }
        parallel::all(parts, work, |part| self.sequences(&all, part));
        Ok(())
    }

    fn sequences<T: Step>(&self, all: &Shared<'_, T>, part: Part<'_, T>) {
        let op = &self.0;
        let &Shared { time, units, .. } = all;
        let width = units * op.kind.gates();
        let Part { first, dx, product, before, reset, states: [dh, dc] } = part;
        let batch = dh.len() / units.max(1);
        let at = |step: usize| if op.backwards { time - 1 - step } else { step };
        let is_masked =
            |row: usize, t: usize| all.mask.is_some_and(|m| !m[(first + row) * time + t]);
        // Forward: the arguments of all gates and their values, the states before each step; `inner`
        // is the state's product in the candidate of `reset_after`.
        let mut arguments = vec![T::zero(); batch * time * width];
        let mut gates = vec![T::zero(); batch * time * width];
        let mut inner = vec![T::zero(); product.len() / op.kind.gates()];
        let mut cells = vec![T::zero(); if dc.is_empty() { 0 } else { batch * time * units }];
        let own = |states: &[T]| states[first * units..][..batch * units].to_vec();
        let mut h = own(all.states[0]);
        let mut c = if dc.is_empty() { Vec::new() } else { own(all.states[1]) };
        let mut made = vec![T::zero(); batch * width];
        let mut new =
            [vec![T::zero(); units], vec![T::zero(); if dc.is_empty() { 0 } else { units }]];
        let mut scratch = vec![T::zero(); 2 * units];
        for step in 0..time {
            let t = at(step);
            op.state_product(all, &h, &mut made);
            for row in 0..batch {
                let place = row * time + t;
                let h = &mut h[row * units..][..units];
                before[place * units..][..units].copy_from_slice(h);
                let arguments = &mut arguments[place * width..][..width];
                let gates = &mut gates[place * width..][..width];
                arguments.copy_from_slice(&made[row * width..][..width]);
                if let Some(bias) = all.bias {
                    arguments.iter_mut().zip(bias).for_each(|(a, b)| *a += *b);
                }
                if op.resets_after() {
                    inner[place * units..][..units].copy_from_slice(&arguments[2 * units..]);
                }
                let x = &all.x[((first + row) * time + t) * width..][..width];
                let c = c.get_mut(row * units..(row + 1) * units).unwrap_or_default();
                if let Some(cells) = cells.get_mut(place * units..(place + 1) * units) {
                    cells.copy_from_slice(c);
                }
                let reset = reset.get_mut(place * units..(place + 1) * units).unwrap_or_default();
                new[0].copy_from_slice(h);
                new[1].copy_from_slice(c);
                op.again(all, x, [&mut *arguments, &mut *gates, reset], &mut new);
                if !is_masked(row, t) {
                    h.copy_from_slice(&new[0]);
                    c.copy_from_slice(&new[1]);
                }
            }
        }
        // Backward.
        dh.copy_from_slice(&all.upstream[1][first * units..][..batch * units]);
        if !dc.is_empty() {
            dc.copy_from_slice(&all.upstream[2][first * units..][..batch * units]);
        }
        // What reached outputs of masked steps, which repeat the one before.
        let mut repeated = vec![T::zero(); batch * units];
        let mut arrived = vec![T::zero(); batch * width];
        let mut through = vec![T::zero(); batch * units];
        let mut passed = vec![T::zero(); batch * units];
        for step in (0..time).rev() {
            let t = at(step);
            arrived.fill(T::zero());
            passed.fill(T::zero());
            for row in 0..batch {
                let place = row * time + t;
                let state = row * units..(row + 1) * units;
                let dy = &all.upstream[0][((first + row) * time + step) * units..][..units];
                let repeated = &mut repeated[state.clone()];
                repeated.iter_mut().zip(dy).for_each(|(r, d)| *r += *d);
                let dx = &mut dx[place * width..][..width];
                if is_masked(row, t) {
                    dx.fill(T::zero());
                    if op.zero_masked {
                        repeated.iter_mut().zip(dy).for_each(|(r, d)| *r -= *d);
                    }
                    // The state goes through as it is.
                    passed[state.clone()].copy_from_slice(&dh[state]);
                    continue;
                }
                let dh = &mut dh[state.clone()];
                dh.iter_mut().zip(&*repeated).for_each(|(h, r)| *h += *r);
                repeated.fill(T::zero());
                let known = Known {
                    arguments: &arguments[place * width..][..width],
                    gates: &gates[place * width..][..width],
                    inner: inner.get(place * units..(place + 1) * units).unwrap_or_default(),
                    h: &before[place * units..][..units],
                    c: cells.get(place * units..(place + 1) * units).unwrap_or_default(),
                };
                let passed = &mut passed[state.clone()];
                let dc = dc.get_mut(state).unwrap_or_default();
                let arrived = &mut arrived[row * width..][..width];
                op.back(all, &known, [dh, dc, passed], [dx, arrived, &mut scratch]);
                if let Some(product) = product.get_mut(place * width..(place + 1) * width) {
                    product.copy_from_slice(arrived);
                }
            }
            op.back_product(all, &arrived, &mut through);
            dh.copy_from_slice(&passed);
            dh.iter_mut().zip(&through).for_each(|(h, t)| *h += *t);
        }
        for row in 0..batch {
            for t in (0..time).filter(|t| is_masked(row, *t)) {
                let place = (row * time + t) * width;
                if let Some(product) = product.get_mut(place..place + width) {
                    product.fill(T::zero());
                }
            }
        }
    }
}

#[test]
fn gradient_is_the_slope() {
    use super::unary::Function;

    let kinds = [
        CellKind::Simple,
        CellKind::Lstm,
        CellKind::Gru { reset_after: true },
        CellKind::Gru { reset_after: false },
    ];
    let some = super::some_numbers;
    let (batch, time, units) = (2, 4, 3);
    let mask = vec![true, false, true, true, false, true, true, false];
    for kind in kinds {
        for (backwards, zero_masked, bias, masked) in [
            (false, false, false, false),
            (true, false, true, true),
            (false, true, true, true),
            (true, true, false, false),
        ] {
            let width = units * kind.gates();
            let mut x = vec![some(&[batch, time, width], 0), some(&[units, width], 1)];
            x.extend((0..kind.states()).map(|i| some(&[batch, units], 2 + i)));
            x.extend(bias.then(|| some(&[width], 4)));
            x.extend(masked.then(|| crate::Tensor::new([batch, time], mask.clone()).unwrap()));
            let op = Recurrent {
                kind,
                activation: Function::Tanh,
                gate_function: Function::Sigmoid,
                backwards,
                zero_masked,
                bias,
                masked,
                packed: None,
            };
            super::check_gradient(op, &x);
        }
    }
}
