//! Vectors of `f32` behind one trait, and how a loop written over it is compiled for each
//! instruction set.

use std::sync::OnceLock;

/// An instruction set that this program was compiled for and this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// What every machine has.
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The best one of this machine.
    pub(crate) fn detect() -> Self {
        static ISA: OnceLock<Isa> = OnceLock::new();
        *ISA.get_or_init(|| Self::all().last().copied().unwrap_or(Self::Plain))
    }

    /// All that this machine has, the best one last.
    pub(crate) fn all() -> Vec<Self> {
        let known = [
            Self::Plain,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512,
        ];
        known.into_iter().filter(|isa| isa.is_there()).collect()
    }

    fn is_there(self) -> bool {
        match self {
            Self::Plain => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && Self::Avx2.is_there()
            }
        }
    }

    /// Numbers in a vector.
    pub(crate) const fn lanes(self) -> usize {
        match self {
            Self::Plain => Plain::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::LANES,
        }
    }
}

/// A loop that is compiled for each instruction set: over its vectors, or as a plain loop that the
/// compiler turns into them.
pub(crate) trait Kernel {
    type Output;

    /// Runs it; must be `#[inline(always)]`, and all it calls.
    ///
    /// # Safety
    /// The machine must have `S`.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

/// Runs a loop with the best instruction set of this machine.
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    dispatch_on(Isa::detect(), kernel)
}

/// Runs a loop with that instruction set.
pub(crate) fn dispatch_on<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    // SAFETY: an `Isa` other than `Plain` is made only where the machine has it.
    unsafe {
        match isa {
            Isa::Plain => kernel.run::<Plain>(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::avx2(kernel),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::avx512(kernel),
        }
    }
}

/// A loop without vectors of its own, which the compiler turns into such for each instruction set.
pub(crate) trait PlainLoop {
    type Output;

    /// Runs it; must be `#[inline(always)]`.
    fn run(self) -> Self::Output;
}

/// Runs a plain loop with the best instruction set of this machine.
pub(crate) fn dispatch_loop<L: PlainLoop>(plain: L) -> L::Output {
    dispatch(Plainly(plain))
}

struct Plainly<L>(L);

impl<L: PlainLoop> Kernel for Plainly<L> {
    type Output = L::Output;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> L::Output {
        self.0.run()
    }
}

/// A vector type and what the loops do with it.
///
/// # Safety
/// The functions may only be called where the instruction set is there; those that take pointers
/// read or write `LANES` numbers there, or the first `count` ones.
pub(crate) trait Simd: Copy {
    type V: Copy;
    const LANES: usize;
    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    /// Zeros behind the first `count`, which is at most `LANES`.
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V;
    unsafe fn store(to: *mut f32, value: Self::V);
    unsafe fn store_first(to: *mut f32, count: usize, value: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger one; `b` if one is NaN.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller one; `b` if one is NaN.
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn abs(a: Self::V) -> Self::V;
    /// `yes` where `a < b`, else `no`.
    unsafe fn less(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// `yes` where `a` is NaN, else `no`.
    unsafe fn if_nan(a: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// `2^n` for the whole number `n`, -127 to 127, that was added to [`MAGIC`].
    unsafe fn power_of_two(n: Self::V) -> Self::V;
}

/// A number that leaves whole ones only, the nearest, when it is added: `1.5 · 2^23`.
pub(crate) const MAGIC: f32 = 12_582_912.0;

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
    unsafe fn load_first(from: *const f32, count: usize) -> [f32; 4] {
        let mut value = [0.0; 4];
        for (i, value) in value.iter_mut().enumerate().take(count) {
            // SAFETY: that many numbers are readable, says the caller.
            *value = unsafe { from.add(i).read() };
        }
        value
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, value: [f32; 4]) {
        // SAFETY: four numbers are writable, says the caller.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(value) }
    }

    #[inline(always)]
    unsafe fn store_first(to: *mut f32, count: usize, value: [f32; 4]) {
        for (i, value) in value.into_iter().enumerate().take(count) {
            // SAFETY: that many numbers are writable, says the caller.
            unsafe { to.add(i).write(value) }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
#[allow(clippy::wildcard_imports, reason = "the instructions have names of their own")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Kernel, Simd};

    /// Eight numbers; needs AVX2 and FMA.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx2;

    /// Sixteen numbers; needs AVX-512F.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512;

    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: as the caller's.
        unsafe { kernel.run::<Avx2>() }
    }

    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    pub(super) unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
        // SAFETY: as the caller's.
        unsafe { kernel.run::<Avx512>() }
    }

    /// Functions of the trait, whose callers promise what their instructions need.
    macro_rules! functions {
        ($($name:ident($($x:ident: $t:ty),*) $(-> $out:ty)? { $($body:tt)* })*) => {$(
            #[inline(always)]
            unsafe fn $name($($x: $t),*) $(-> $out)? {
                // SAFETY: the caller has the instruction set and the memory.
                unsafe { $($body)* }
            }
        )*};
    }

    impl Simd for Avx2 {
        type V = __m256;
        const LANES: usize = 8;

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
}
