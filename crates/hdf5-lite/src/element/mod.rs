//! Elements: bytes as stored become values.

mod float;
mod number;
mod text;

pub use number::Element;
pub(crate) use number::{numbers, view};
pub(crate) use text::strings;
