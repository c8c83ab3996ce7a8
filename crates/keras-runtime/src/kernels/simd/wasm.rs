//! WebAssembly's vectors, where the program is compiled for them (`-C target-feature=+simd128`): an
//! engine without them would not load it.

#![allow(clippy::wildcard_imports, reason = "the instructions have names of their own")]

use std::arch::wasm32::*;

use super::{Kernel, Simd};

/// Four numbers. They have no sum of a product in one step: the product is rounded first.
#[derive(Clone, Copy)]
pub(crate) struct Simd128;

impl Simd for Simd128 {
    type V = v128;
    const LANES: usize = 4;
    const ROWS: &[usize] = &[8, 4];

    fn is_there() -> bool {
        true
    }

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: all of the program is compiled for it.
        unsafe { kernel.run::<Self>() }
    }

    functions! {
        splat(value: f32) -> v128 { f32x4_splat(value) }
        load(from: *const f32) -> v128 { v128_load(from.cast()) }
        store(to: *mut f32, value: v128) { v128_store(to.cast(), value) }
        add(a: v128, b: v128) -> v128 { f32x4_add(a, b) }
        sub(a: v128, b: v128) -> v128 { f32x4_sub(a, b) }
        mul(a: v128, b: v128) -> v128 { f32x4_mul(a, b) }
        div(a: v128, b: v128) -> v128 { f32x4_div(a, b) }
        fma(a: v128, b: v128, c: v128) -> v128 { f32x4_add(f32x4_mul(a, b), c) }
        // The second one unless the first one is less (more), so with the two exchanged.
        max(a: v128, b: v128) -> v128 { f32x4_pmax(b, a) }
        min(a: v128, b: v128) -> v128 { f32x4_pmin(b, a) }
        abs(a: v128) -> v128 { f32x4_abs(a) }
        less(a: v128, b: v128, yes: v128, no: v128) -> v128 {
            v128_bitselect(yes, no, f32x4_lt(a, b))
        }
        if_nan(a: v128, yes: v128, no: v128) -> v128 {
            v128_bitselect(yes, no, f32x4_ne(a, a))
        }
        power_of_two(n: v128) -> v128 { i32x4_shl(i32x4_add(n, i32x4_splat(127)), 23) }
    }
}
