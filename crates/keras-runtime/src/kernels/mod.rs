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

#[cfg(feature = "parallel")]
mod crew;
mod gemm;
mod gemv;
pub(crate) mod hash;
mod math;
mod packed;
pub(crate) mod parallel;
mod simd;
mod tile;
mod window;
mod winograd;

pub(crate) use gemm::{Epilogue, Matrix, OUTSIDE, Rows, gemm, with_scratch};
pub(crate) use gemv::gemv;
pub(crate) use math::{Smooth, map, softmax};
pub(crate) use packed::{LINE, Packed, PackedCache, aligned};
pub(crate) use simd::{PlainLoop, dispatch_loop};
pub(crate) use window::{Combine, Run, slide};
pub(crate) use winograd::{Frame, Winograd};
