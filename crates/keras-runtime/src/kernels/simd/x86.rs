//! AVX2 and AVX-512.

#![allow(clippy::wildcard_imports, reason = "the instructions have names of their own")]

use std::arch::x86_64::*;

use super::{Kernel, Simd};

/// Eight numbers; needs AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Sixteen numbers; needs AVX-512F.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const ROWS: &[usize] = &[12, 6];

    fn is_there() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: as the caller's.
            unsafe { kernel.run::<Avx2>() }
        }
        // SAFETY: as the caller's.
        unsafe { run(kernel) }
    }

    functions! {
        splat(value: f32) -> __m256 { _mm256_set1_ps(value) }
        load(from: *const f32) -> __m256 { _mm256_loadu_ps(from) }
        load_first(from: *const f32, count: usize) -> __m256 {
            _mm256_maskload_ps(from, first_of_eight(count))
        }
        store(to: *mut f32, value: __m256) { _mm256_storeu_ps(to, value) }
        store_first(to: *mut f32, count: usize, value: __m256) {
            _mm256_maskstore_ps(to, first_of_eight(count), value)
        }
        add(a: __m256, b: __m256) -> __m256 { _mm256_add_ps(a, b) }
        sub(a: __m256, b: __m256) -> __m256 { _mm256_sub_ps(a, b) }
        mul(a: __m256, b: __m256) -> __m256 { _mm256_mul_ps(a, b) }
        div(a: __m256, b: __m256) -> __m256 { _mm256_div_ps(a, b) }
        fma(a: __m256, b: __m256, c: __m256) -> __m256 { _mm256_fmadd_ps(a, b, c) }
        max(a: __m256, b: __m256) -> __m256 { _mm256_max_ps(a, b) }
        min(a: __m256, b: __m256) -> __m256 { _mm256_min_ps(a, b) }
        abs(a: __m256) -> __m256 { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
        less(a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 {
            _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b))
        }
        if_nan(a: __m256, yes: __m256, no: __m256) -> __m256 {
            _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a))
        }
        power_of_two(n: __m256) -> __m256 {
            let exponent = _mm256_add_epi32(_mm256_castps_si256(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        }
    }
}

impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    const ROWS: &[usize] = &[12, 12, 8, 6];

    fn is_there() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && Avx2::is_there()
    }

    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
        unsafe fn run<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: as the caller's.
            unsafe { kernel.run::<Avx512>() }
        }
        // SAFETY: as the caller's.
        unsafe { run(kernel) }
    }

    functions! {
        splat(value: f32) -> __m512 { _mm512_set1_ps(value) }
        load(from: *const f32) -> __m512 { _mm512_loadu_ps(from) }
        load_first(from: *const f32, count: usize) -> __m512 {
            _mm512_maskz_loadu_ps(first_of_sixteen(count), from)
        }
        store(to: *mut f32, value: __m512) { _mm512_storeu_ps(to, value) }
        store_first(to: *mut f32, count: usize, value: __m512) {
            _mm512_mask_storeu_ps(to, first_of_sixteen(count), value)
        }
        add(a: __m512, b: __m512) -> __m512 { _mm512_add_ps(a, b) }
        sub(a: __m512, b: __m512) -> __m512 { _mm512_sub_ps(a, b) }
        mul(a: __m512, b: __m512) -> __m512 { _mm512_mul_ps(a, b) }
        div(a: __m512, b: __m512) -> __m512 { _mm512_div_ps(a, b) }
        fma(a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmadd_ps(a, b, c) }
        max(a: __m512, b: __m512) -> __m512 { _mm512_max_ps(a, b) }
        min(a: __m512, b: __m512) -> __m512 { _mm512_min_ps(a, b) }
        abs(a: __m512) -> __m512 { _mm512_abs_ps(a) }
        less(a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), no, yes)
        }
        if_nan(a: __m512, yes: __m512, no: __m512) -> __m512 {
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a), no, yes)
        }
        power_of_two(n: __m512) -> __m512 {
            let exponent = _mm512_add_epi32(_mm512_castps_si512(n), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        }
    }
}

/// A mask of the first `count` lanes of sixteen.
#[inline(always)]
fn first_of_sixteen(count: usize) -> __mmask16 {
    ((1_u32 << count) - 1) as __mmask16
}

/// A mask of the first `count` lanes of eight.
#[inline(always)]
unsafe fn first_of_eight(count: usize) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes)
    }
}
