//! Heaps: local (III.D), global (III.E) and fractal (III.G).

mod fractal;
mod global;
mod local;

pub(crate) use fractal::{FractalHeap, Kind as FractalHeapKind, store};
pub(crate) use global::{Collection, GlobalHeap, GlobalHeapId};
pub(crate) use local::{LocalHeap, write_local};
