//! Tests at the outermost boundary.
