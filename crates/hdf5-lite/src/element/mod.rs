//! Elements: bytes as stored become values.

mod convert;
mod float;
mod number;
mod text;
mod value;

pub(crate) use convert::{convert, encode_number};
pub(crate) use float::float_value;
pub use number::Element;
pub(crate) use number::{Number, NumberType, append, is_made_of, numbers, view};
pub(crate) use text::{strings, variable};
pub use value::Value;
pub(crate) use value::values;
