//! Vectors of `f32` behind one trait, and how a loop written over it is compiled for each
//! instruction set.
//!
//! To add one: its file, `mod`, and a row in the table below.

use std::sync::OnceLock;

macro_rules! instruction_sets {
    ($($(#[$cfg:meta])? $name:ident,)*) => {
        /// An instruction set that this program was compiled for and this machine has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Isa { $($(#[$cfg])? $name,)* }

        impl Isa {
            /// All that this machine has, the best one last.
            pub(crate) fn all() -> Vec<Self> {
                let known = [$($(#[$cfg])? (Self::$name, $name::is_there as fn() -> bool),)*];
                known.into_iter().filter(|(_, is_there)| is_there()).map(|(isa, _)| isa).collect()
            }

            /// Numbers in a vector.
            pub(crate) const fn lanes(self) -> usize {
                match self { $($(#[$cfg])? Self::$name => $name::LANES,)* }
            }

            /// [`Simd::ROWS`].
            pub(crate) const fn rows(self) -> &'static [usize] {
                match self { $($(#[$cfg])? Self::$name => $name::ROWS,)* }
            }
        }

        /// Runs a loop with that instruction set.
        pub(crate) fn dispatch_on<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
            // SAFETY: an `Isa` is made only where the machine has it.
            unsafe { match isa { $($(#[$cfg])? Isa::$name => $name::enter(kernel),)* } }
        }
    };
}

/// Functions of the trait for a file with instructions, whose callers promise what their instructions need.
#[allow(unused_macros, reason = "not every machine has instructions here")]
macro_rules! functions {
    ($($name:ident($($x:ident: $t:ty),*) $(-> $out:ty)? { $($body:tt)* })*) => {$(
        #[inline(always)]
        #[allow(unused_unsafe, reason = "what all of a program is compiled for is safe to call")]
        unsafe fn $name($($x: $t),*) $(-> $out)? {
            // SAFETY: the caller has the instruction set and the memory.
            unsafe { $($body)* }
        }
    )*};
}
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
use neon::Neon;
use plain::Plain;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use wasm::Simd128;
#[cfg(target_arch = "x86_64")]
use x86::{Avx2, Avx512};

instruction_sets! {
    Plain,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
}

impl Isa {
    /// The best one of this machine.
    pub(crate) fn detect() -> Self {
        static ISA: OnceLock<Isa> = OnceLock::new();
        *ISA.get_or_init(|| Self::all().last().copied().unwrap_or(Self::Plain))
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
    /// Numbers in a vector.
    const LANES: usize;
    /// The rows whose sums fit into the registers, for rows of one vector, of two, and so on up to
    /// the widest that is of use.
    const ROWS: &[usize];
    /// Whether this machine has it.
    fn is_there() -> bool;
    /// Runs a loop, compiled for it.
    unsafe fn enter<K: Kernel>(kernel: K) -> K::Output;
    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, value: Self::V);

    /// Zeros behind the first `count`, which is at most `LANES`.
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self::V {
        let mut all = [0.0; MOST_LANES];
        // SAFETY: that many numbers are readable, says the caller; there is room for a vector.
        unsafe {
            for (i, to) in all.iter_mut().enumerate().take(count) {
                *to = from.add(i).read();
            }
            Self::load(all.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn store_first(to: *mut f32, count: usize, value: Self::V) {
        let mut all = [0.0; MOST_LANES];
        // SAFETY: that many numbers are writable, says the caller; there is room for a vector.
        unsafe {
            Self::store(all.as_mut_ptr(), value);
            for (i, from) in all.into_iter().enumerate().take(count) {
                to.add(i).write(from);
            }
        }
    }

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

/// Numbers in the widest vector.
pub(crate) const MOST_LANES: usize = 16;

/// A number that leaves whole ones only, the nearest, when it is added: `1.5 · 2^23`.
pub(crate) const MAGIC: f32 = 12_582_912.0;
