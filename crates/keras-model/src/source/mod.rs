//! Where config and weights lie in a file, and how the config is spelled.

pub mod dialect;
