//! Heaps: local (III.D), global (III.E) and fractal (III.G).

mod fractal;
mod global;
mod local;

pub(crate) use fractal::FractalHeap;
pub(crate) use global::{Collection, GlobalHeapId};
pub(crate) use local::LocalHeap;
