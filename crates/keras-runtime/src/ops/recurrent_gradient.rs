//! The gradient of [`Recurrent`]: its steps once more, then back through time.

use super::recurrent::{CellKind, LEAST_TOGETHER, Recurrent, Step};
use super::slope::slope;
use super::unary::{Function, apply};
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
    fn is_late(&self) -> bool {
        self.kind == CellKind::Gru { reset_after: false }
    }

    fn resets_after(&self) -> bool {
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
struct Shared<'a, T> {
    x: &'a [T],
    kernel: &'a [T],
    packed: Option<Packed>,
    /// The kernel turned: `[gates · units, units]`.
    turned: Vec<T>,
    packed_turned: Option<Packed>,
    bias: Option<&'a [T]>,
    mask: Option<&'a [bool]>,
    /// The first states.
    states: [&'a [T]; 2],
    /// What reaches the outputs of all steps, and the last states.
    upstream: [&'a [T]; 3],
    time: usize,
    units: usize,
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
        // Forward: the arguments of all gates, the states before each step; `inner` is the state's
        // product in the candidate of `reset_after`.
        let mut gates = vec![T::zero(); batch * time * width];
        let mut inner = vec![T::zero(); product.len() / op.kind.gates()];
        let mut cells = vec![T::zero(); if dc.is_empty() { 0 } else { batch * time * units }];
        let own = |states: &[T]| states[first * units..][..batch * units].to_vec();
        let mut h = own(all.states[0]);
        let mut c = if dc.is_empty() { Vec::new() } else { own(all.states[1]) };
        let mut made = vec![T::zero(); batch * width];
        let mut cell = vec![T::zero(); width.max(2 * units)];
        for step in 0..time {
            let t = at(step);
            op.state_product(all, &h, &mut made);
            for row in 0..batch {
                let place = row * time + t;
                let h = &mut h[row * units..][..units];
                before[place * units..][..units].copy_from_slice(h);
                let arguments = &mut gates[place * width..][..width];
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
                let mut new = [h.to_vec(), c.to_vec()];
                op.again(all, x, arguments, &mut cell, reset, &mut new);
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
                    arguments: &gates[place * width..][..width],
                    inner: inner.get(place * units..(place + 1) * units).unwrap_or_default(),
                    h: &before[place * units..][..units],
                    c: cells.get(place * units..(place + 1) * units).unwrap_or_default(),
                };
                let passed = &mut passed[state.clone()];
                let dc = dc.get_mut(state).unwrap_or_default();
                let arrived = &mut arrived[row * width..][..width];
                op.back(all, &known, [dh, dc, passed], dx, arrived);
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

/// What was found forward of one step of one sequence.
struct Known<'a, T> {
    arguments: &'a [T],
    inner: &'a [T],
    h: &'a [T],
    c: &'a [T],
}

/// A function's values and, over them, what reaches its argument of what reaches the values.
fn through<T: Step>(function: &Function, arguments: &[T], values: &[T], d: &mut [T]) {
    slope(function, arguments, values, d);
}

fn values<T: Step>(function: &Function, arguments: &[T]) -> Vec<T> {
    let mut values = arguments.to_vec();
    apply(function, &mut values);
    values
}

impl Recurrent {
    /// The states' products with the kernel; without `reset_after` those of the first two gates.
    fn state_product<T: Step>(&self, all: &Shared<'_, T>, h: &[T], to: &mut [T]) {
        let units = all.units;
        let width = units * self.kind.gates();
        if !self.is_late() {
            T::product(h, all.kernel, all.packed.as_ref(), to, [units, width, width]);
            return;
        }
        let mut two = vec![T::zero(); h.len() * 2];
        T::product(h, all.kernel, None, &mut two, [units, 2 * units, width]);
        for (to, two) in to.chunks_exact_mut(width.max(1)).zip(two.chunks_exact((2 * units).max(1)))
        {
            to[..2 * units].copy_from_slice(two);
            to[2 * units..].fill(T::zero());
        }
    }

    /// What reaches the states of what reaches their products.
    fn back_product<T: Step>(&self, all: &Shared<'_, T>, d: &[T], to: &mut [T]) {
        let units = all.units;
        let width = units * self.kind.gates();
        T::product(d, &all.turned, all.packed_turned.as_ref(), to, [width, units, units]);
    }

    /// One step once more: `arguments` are those of the state's product and become those of the
    /// gates, the states become the new ones.
    fn again<T: Step>(
        &self,
        all: &Shared<'_, T>,
        x: &[T],
        arguments: &mut [T],
        gates: &mut [T],
        reset: &mut [T],
        [h, c]: &mut [Vec<T>; 2],
    ) {
        let units = all.units;
        let (function, gate) = (&self.activation, &self.gate_function);
        let gates = &mut gates[..arguments.len()];
        match self.kind {
            CellKind::Simple => {
                arguments.iter_mut().zip(x).for_each(|(a, x)| *a += *x);
                h.copy_from_slice(arguments);
                apply(function, h);
            }
            CellKind::Lstm => {
                arguments.iter_mut().zip(x).for_each(|(a, x)| *a += *x);
                gates.copy_from_slice(arguments);
                apply(gate, &mut gates[..2 * units]);
                apply(function, &mut gates[2 * units..3 * units]);
                apply(gate, &mut gates[3 * units..]);
                for i in 0..units {
                    c[i] = gates[units + i] * c[i] + gates[i] * gates[2 * units + i];
                }
                h.copy_from_slice(c);
                apply(function, h);
                h.iter_mut().zip(&gates[3 * units..]).for_each(|(h, o)| *h *= *o);
            }
            CellKind::Gru { reset_after } => {
                let (first, last) = arguments.split_at_mut(2 * units);
                first.iter_mut().zip(x).for_each(|(a, x)| *a += *x);
                let gates = &mut gates[..2 * units];
                gates.copy_from_slice(first);
                apply(gate, gates);
                if reset_after {
                    last.iter_mut().zip(&gates[units..]).for_each(|(a, r)| *a *= *r);
                } else {
                    for i in 0..units {
                        reset[i] = gates[units + i] * h[i];
                    }
                    let width = 3 * units;
                    let kernel = &all.kernel[(2 * units).min(all.kernel.len())..];
                    let mut product = vec![T::zero(); units];
                    T::product(reset, kernel, None, &mut product, [units, units, width]);
                    last.iter_mut().zip(&product).for_each(|(a, p)| *a += *p);
                }
                last.iter_mut().zip(&x[2 * units..]).for_each(|(a, x)| *a += *x);
                let candidate = values(function, last);
                for i in 0..units {
                    h[i] = gates[i] * h[i] + (T::one() - gates[i]) * candidate[i];
                }
            }
        }
    }

    /// One step back: of what reaches the new states, what reaches the arguments of the gates
    /// (`dx`), the state's product (`arrived`) and, past the product, the states before.
    fn back<T: Step>(
        &self,
        all: &Shared<'_, T>,
        known: &Known<'_, T>,
        [dh, dc, passed]: [&mut [T]; 3],
        dx: &mut [T],
        arrived: &mut [T],
    ) {
        let units = all.units;
        let (function, gate) = (&self.activation, &self.gate_function);
        let arguments = known.arguments;
        match self.kind {
            CellKind::Simple => {
                dx.copy_from_slice(dh);
                through(function, arguments, &values(function, arguments), dx);
                arrived.copy_from_slice(dx);
            }
            CellKind::Lstm => {
                let part = |i: usize| &arguments[i * units..][..units];
                let (input, forget) = (values(gate, part(0)), values(gate, part(1)));
                let (new, output) = (values(function, part(2)), values(gate, part(3)));
                let cell = |i: usize| forget[i] * known.c[i] + input[i] * new[i];
                let cell: Vec<T> = (0..units).map(cell).collect();
                let active = values(function, &cell);
                let mut to_cell: Vec<T> = (0..units).map(|i| dh[i] * output[i]).collect();
                through(function, &cell, &active, &mut to_cell);
                for i in 0..units {
                    dc[i] += to_cell[i];
                    dx[i] = dc[i] * new[i];
                    dx[units + i] = dc[i] * known.c[i];
                    dx[2 * units + i] = dc[i] * input[i];
                    dx[3 * units + i] = dh[i] * active[i];
                    dc[i] *= forget[i];
                }
                let parts = [(gate, &input), (gate, &forget), (function, &new), (gate, &output)];
                for (i, (function, values)) in parts.into_iter().enumerate() {
                    through(function, part(i), values, &mut dx[i * units..][..units]);
                }
                arrived.copy_from_slice(dx);
            }
            CellKind::Gru { reset_after } => {
                let part = |i: usize| &arguments[i * units..][..units];
                let (update, reset) = (values(gate, part(0)), values(gate, part(1)));
                let candidate = values(function, part(2));
                let h = known.h;
                for i in 0..units {
                    dx[i] = dh[i] * (h[i] - candidate[i]);
                    dx[2 * units + i] = dh[i] * (T::one() - update[i]);
                    passed[i] = dh[i] * update[i];
                }
                through(gate, part(0), &update, &mut dx[..units]);
                through(function, part(2), &candidate, &mut dx[2 * units..]);
                if reset_after {
                    for i in 0..units {
                        dx[units + i] = dx[2 * units + i] * known.inner[i];
                        arrived[2 * units + i] = dx[2 * units + i] * reset[i];
                    }
                } else {
                    let turned = &all.turned[(2 * units * units).min(all.turned.len())..];
                    let mut product = vec![T::zero(); units];
                    T::product(&dx[2 * units..], turned, None, &mut product, [units, units, units]);
                    for i in 0..units {
                        dx[units + i] = product[i] * h[i];
                        passed[i] += product[i] * reset[i];
                        // Its product was with the state that is left, not with the state.
                        arrived[2 * units + i] = T::zero();
                    }
                }
                through(gate, part(1), &reset, &mut dx[units..2 * units]);
                arrived[..2 * units].copy_from_slice(&dx[..2 * units]);
            }
        }
    }
}

#[test]
fn gradient_is_the_slope() {
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
