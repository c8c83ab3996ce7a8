//! The inner loops, written once over vectors and compiled for each instruction set; which one is
//! used is found out when the program runs. Each is tested against a plain loop.

#![allow(
    unsafe_code,
    reason = "vector instructions and loops over raw rows; each block says why it is sound"
)]
#![allow(
    clippy::indexing_slicing,
    reason = "the loops index what they sized themselves; tested against plain loops"
)]
#![allow(
    clippy::inline_always,
    reason = "vector instructions must end up in the function that enables them"
)]

mod gemm;
pub(crate) mod hash;
pub(crate) mod parallel;
mod simd;

pub(crate) use gemm::{Epilogue, Packed, Rows, gemm, gemv, with_scratch};
