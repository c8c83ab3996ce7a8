//! B-trees of version 1 (III.A.1) and 2 (III.A.2), and the records in them.

pub(crate) mod records;
pub(crate) mod symbols;
pub(crate) mod v1;
pub(crate) mod v2;

pub(crate) use records::HugeObject;
