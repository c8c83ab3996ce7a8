//! Plain arithmetic on every machine.

use super::{Kernel, Simd};

/// Four numbers at a time, which every 64-bit machine can add and multiply.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

/// Functions of each lane alone.
macro_rules! lanes {
    ($($name:ident($($x:ident),*) $f:expr;)*) => {$(
        #[inline(always)]
        unsafe fn $name($($x: [f32; 4]),*) -> [f32; 4] {
            let mut y = [0.0; 4];
            for i in 0..4 {
                y[i] = $f($($x[i]),*);
            }
            y
        }
    )*};
}

impl Simd for Plain {
    type V = [f32; 4];
    const LANES: usize = 4;
    const ROWS: &[usize] = &[4, 4];

    fn is_there() -> bool {
        true
    }

    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: every machine has it.
        unsafe { kernel.run::<Self>() }
    }

    lanes! {
        add(a, b) |a: f32, b: f32| a + b;
        sub(a, b) |a: f32, b: f32| a - b;
        mul(a, b) |a: f32, b: f32| a * b;
        div(a, b) |a: f32, b: f32| a / b;
        fma(a, b, c) |a: f32, b: f32, c: f32| a * b + c;
        max(a, b) |a: f32, b: f32| if a > b { a } else { b };
        min(a, b) |a: f32, b: f32| if a < b { a } else { b };
        abs(a) f32::abs;
        less(a, b, yes, no) |a: f32, b: f32, yes: f32, no: f32| if a < b { yes } else { no };
        if_nan(a, yes, no) |a: f32, yes: f32, no: f32| if a.is_nan() { yes } else { no };
        power_of_two(n) |n: f32| f32::from_bits(n.to_bits().wrapping_add(127) << 23);
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> [f32; 4] {
        [value; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [f32; 4] {
        // SAFETY: four numbers are readable, says the caller; arrays of them need no alignment here.
        unsafe { from.cast::<[f32; 4]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [f32; 4]) {
        // SAFETY: four numbers are writable, says the caller.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(value) }
    }
}
