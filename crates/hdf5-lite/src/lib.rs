//! HDF5 files in pure Rust: lazy, zero-copy, safe on any input.
//!
//! ```no_run
//! let file = hdf5_lite::File::open("model.h5")?;
//! let kernel = file.dataset("model_weights/dense/kernel")?;
//! assert_eq!(kernel.shape(), [784, 10]);
//! let values = kernel.read::<f32>()?; // borrowed where the file allows
//! let names = file.group("model_weights")?.attr("layer_names")?.strings()?;
//! let rows: Vec<f32> = kernel.read_slice(hdf5_lite::s![0..16, ..])?; // only the chunks it needs
//! # Ok::<_, hdf5_lite::Error>(())
//! ```
//!
//! Opening a file reads its superblock and nothing else; groups, attributes and elements are
//! read when asked for. Handles are cheap to clone, own what they need, and can be used from
//! many threads.
//!
//! Files are written from a tree that is described first:
//!
//! ```
//! let kernel = vec![0.5_f32; 7840];
//! let mut file = hdf5_lite::Writer::new();
//! file.group("model_weights")?.set_attr("layer_names", ["dense"])?;
//! let kernel = hdf5_lite::Array::new([784, 10], &kernel); // not copied
//! file.dataset("model_weights/dense/kernel", kernel)?.chunks([98, 10]).shuffle().deflate(4);
//! let bytes = file.to_bytes()?;
//! # assert_eq!(hdf5_lite::File::from_bytes(bytes)?.dataset("model_weights/dense/kernel")?.shape(), [784, 10]);
//! # Ok::<_, hdf5_lite::Error>(())
//! ```
//!
//! No input can do harm: what a file asks for is bounded by [`Limits`], and what it names
//! outside of itself is refused unless the caller gives a [`Resolver`].

mod attribute;
mod btree;
mod checksum;
mod chunk;
mod dataset;
mod element;
mod error;
mod file;
pub mod filter;
mod gather;
mod group;
mod header;
mod heap;
mod limits;
mod map;
mod message;
mod object;
mod orphans;
mod out;
mod parse;
mod reference;
mod resolve;
mod selection;
mod shared_messages;
mod storage;
mod superblock;
#[cfg(test)]
mod testing;
mod write;

pub use attribute::Attribute;
pub use dataset::{Axis, Dataset, ExternalFile, Layout, StoredChunk};
pub use element::{Element, Value};
pub use error::{Error, Result};
pub use file::{File, Options};
pub use filter::Filter;
pub use group::{Group, Link, LinkTarget};
pub use limits::Limits;
pub use map::map;
pub use message::{
    ArrayType, BitFieldType, ByteOrder, CharacterSet, ComplexType, CompoundType, Dataspace,
    Datatype, EnumType, FilterInfo, FixedPoint, FloatingPoint, Member, Normalization, OpaqueType,
    Padding, ReferenceKind, ReferenceType, SpaceClass, StringType, TimeType, VariableKind,
    VariableType,
};
pub use object::{CommittedDatatype, Node, Object, ObjectAddress, ObjectKind};
pub use reference::{Reference, Region};
pub use resolve::{Folder, Resolver};
pub use storage::{Seekable, Source};
pub use write::{Array, DatasetMut, GroupMut, Writer};
