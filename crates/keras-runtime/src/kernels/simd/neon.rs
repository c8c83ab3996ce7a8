//! NEON.

#![allow(clippy::wildcard_imports, reason = "the instructions have names of their own")]

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;

use super::{Kernel, Simd};

/// Four numbers in each of 32 registers.
#[derive(Clone, Copy)]
pub(crate) struct Neon;

impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;
    const ROWS: &[usize] = &[12, 12, 8, 6];

    fn is_there() -> bool {
        is_aarch64_feature_detected!("neon")
    }

    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
        #[target_feature(enable = "neon")]
        unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: as the caller's.
            unsafe { kernel.run::<Neon>() }
        }
        // SAFETY: as the caller's.
        unsafe { run(kernel) }
    }

    functions! {
        splat(value: f32) -> float32x4_t { vdupq_n_f32(value) }
        load(from: *const f32) -> float32x4_t { vld1q_f32(from) }
        store(to: *mut f32, value: float32x4_t) { vst1q_f32(to, value) }
        add(a: float32x4_t, b: float32x4_t) -> float32x4_t { vaddq_f32(a, b) }
        sub(a: float32x4_t, b: float32x4_t) -> float32x4_t { vsubq_f32(a, b) }
        mul(a: float32x4_t, b: float32x4_t) -> float32x4_t { vmulq_f32(a, b) }
        div(a: float32x4_t, b: float32x4_t) -> float32x4_t { vdivq_f32(a, b) }
        fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t { vfmaq_f32(c, a, b) }
        // Not `vmaxq_f32`, which gives NaN if one is.
        max(a: float32x4_t, b: float32x4_t) -> float32x4_t { vbslq_f32(vcgtq_f32(a, b), a, b) }
        min(a: float32x4_t, b: float32x4_t) -> float32x4_t { vbslq_f32(vcltq_f32(a, b), a, b) }
        abs(a: float32x4_t) -> float32x4_t { vabsq_f32(a) }
        less(
            a: float32x4_t, b: float32x4_t, yes: float32x4_t, no: float32x4_t
        ) -> float32x4_t {
            vbslq_f32(vcltq_f32(a, b), yes, no)
        }
        if_nan(a: float32x4_t, yes: float32x4_t, no: float32x4_t) -> float32x4_t {
            vbslq_f32(vceqq_f32(a, a), no, yes)
        }
        power_of_two(n: float32x4_t) -> float32x4_t {
            let exponent = vaddq_s32(vreinterpretq_s32_f32(n), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))
        }
    }
}
