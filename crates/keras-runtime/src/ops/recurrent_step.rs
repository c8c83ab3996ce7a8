//! One step of a recurrent cell once more, and back.

use super::recurrent::{CellKind, Recurrent, Step};
use super::recurrent_gradient::Shared;
use super::slope::slope;
use super::unary::{Function, apply};

/// What was found forward of one step of one sequence.
pub(super) struct Known<'a, T> {
    pub(super) arguments: &'a [T],
    pub(super) gates: &'a [T],
    pub(super) inner: &'a [T],
    pub(super) h: &'a [T],
    pub(super) c: &'a [T],
}

impl Recurrent {
    /// The states' products with the kernel; without `reset_after` those of the first two gates.
    pub(super) fn state_product<T: Step>(&self, all: &Shared<'_, T>, h: &[T], to: &mut [T]) {
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
    pub(super) fn back_product<T: Step>(&self, all: &Shared<'_, T>, d: &[T], to: &mut [T]) {
        let units = all.units;
        let width = units * self.kind.gates();
        T::product(d, &all.turned, all.packed_turned.as_ref(), to, [width, units, units]);
    }

    /// One step once more: the arguments are those of the state's product and become those of the
    /// gates, whose values are beside them; the states become the new ones.
    pub(super) fn again<T: Step>(
        &self,
        all: &Shared<'_, T>,
        x: &[T],
        [arguments, gates, reset]: [&mut [T]; 3],
        [h, c]: &mut [Vec<T>; 2],
    ) {
        let units = all.units;
        let (function, gate) = (&self.activation, &self.gate_function);
        match self.kind {
            CellKind::Simple => {
                arguments.iter_mut().zip(x).for_each(|(a, x)| *a += *x);
                gates.copy_from_slice(arguments);
                apply(function, gates);
                h.copy_from_slice(gates);
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
                let (gates, candidate) = gates.split_at_mut(2 * units);
                first.iter_mut().zip(x).for_each(|(a, x)| *a += *x);
                gates.copy_from_slice(first);
                apply(gate, gates);
                if reset_after {
                    last.iter_mut().zip(&gates[units..]).for_each(|(a, r)| *a *= *r);
                } else {
                    for i in 0..units {
                        reset[i] = gates[units + i] * h[i];
                    }
                    let kernel = &all.kernel[(2 * units).min(all.kernel.len())..];
                    T::product(reset, kernel, None, candidate, [units, units, 3 * units]);
                    last.iter_mut().zip(&*candidate).for_each(|(a, p)| *a += *p);
                }
                last.iter_mut().zip(&x[2 * units..]).for_each(|(a, x)| *a += *x);
                candidate.copy_from_slice(last);
                apply(function, candidate);
                for i in 0..units {
                    h[i] = gates[i] * h[i] + (T::one() - gates[i]) * candidate[i];
                }
            }
        }
    }

    /// One step back: of what reaches the new states, what reaches the arguments of the gates
    /// (`dx`), the state's product (`arrived`) and, past the product, the states before.
    pub(super) fn back<T: Step>(
        &self,
        all: &Shared<'_, T>,
        known: &Known<'_, T>,
        [dh, dc, passed]: [&mut [T]; 3],
        [dx, arrived, scratch]: [&mut [T]; 3],
    ) {
        let units = all.units;
        let (function, gate) = (&self.activation, &self.gate_function);
        let part = |i: usize| i * units..(i + 1) * units;
        // What reaches the values of a gate becomes what reaches its arguments.
        let through = |function: &Function, i: usize, dx: &mut [T]| {
            let (arguments, values) = (&known.arguments[part(i)], &known.gates[part(i)]);
            slope(function, arguments, values, &mut dx[part(i)]);
        };
        let value = |gate: usize, i: usize| known.gates[gate * units + i];
        match self.kind {
            CellKind::Simple => {
                dx.copy_from_slice(dh);
                through(function, 0, dx);
                arrived.copy_from_slice(dx);
            }
            CellKind::Lstm => {
                let (cell, active) = scratch.split_at_mut(units);
                for (i, cell) in cell.iter_mut().enumerate() {
                    *cell = value(1, i) * known.c[i] + value(0, i) * value(2, i);
                }
                active.copy_from_slice(cell);
                apply(function, active);
                for i in 0..units {
                    dx[3 * units + i] = dh[i] * active[i];
                    dh[i] *= value(3, i);
                }
                slope(function, cell, active, dh);
                for i in 0..units {
                    dc[i] += dh[i];
                    dx[i] = dc[i] * value(2, i);
                    dx[units + i] = dc[i] * known.c[i];
                    dx[2 * units + i] = dc[i] * value(0, i);
                    dc[i] *= value(1, i);
                }
                for (i, function) in [gate, gate, function, gate].into_iter().enumerate() {
                    through(function, i, dx);
                }
                arrived.copy_from_slice(dx);
            }
            CellKind::Gru { reset_after } => {
                for i in 0..units {
                    dx[i] = dh[i] * (known.h[i] - value(2, i));
                    dx[2 * units + i] = dh[i] * (T::one() - value(0, i));
                    passed[i] = dh[i] * value(0, i);
                }
                through(gate, 0, dx);
                through(function, 2, dx);
                if reset_after {
                    for i in 0..units {
                        dx[units + i] = dx[2 * units + i] * known.inner[i];
                        arrived[2 * units + i] = dx[2 * units + i] * value(1, i);
                    }
                } else {
                    let turned = &all.turned[(2 * units * units).min(all.turned.len())..];
                    let product = &mut scratch[..units];
                    T::product(&dx[2 * units..], turned, None, product, [units, units, units]);
                    for i in 0..units {
                        dx[units + i] = product[i] * known.h[i];
                        passed[i] += product[i] * value(1, i);
                        // Its product was with the state that is left, not with the state.
                        arrived[2 * units + i] = T::zero();
                    }
                }
                through(gate, 1, dx);
                arrived[..2 * units].copy_from_slice(&dx[..2 * units]);
            }
        }
    }
}
