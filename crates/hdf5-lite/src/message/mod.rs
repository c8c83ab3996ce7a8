//! Header messages (IV.A.2), one file each, and the table of them.

mod attribute;
mod attribute_info;
mod continuation;
mod data_layout;
mod dataspace;
mod datatype;
mod driver_info;
mod external_files;
mod file_space;
mod fill_value;
mod filter_pipeline;
mod group_info;
mod link;
mod link_info;
mod shared;
mod shared_table;
mod symbol_table;
mod times;

pub(crate) use attribute::AttributeMessage;
pub(crate) use attribute_info::AttributeInfo;
pub(crate) use continuation::Continuation;
pub(crate) use data_layout::{ChunkIndexing, ChunkedLayout, DataLayout};
pub use dataspace::{Class as SpaceClass, Dataspace};
pub use datatype::*;
pub(crate) use driver_info::{DriverBlock, DriverInfo};
pub(crate) use external_files::{ExternalFiles, Slot};
pub(crate) use file_space::{BTreeK, FileSpaceInfo};
pub(crate) use fill_value::{FillValue, FillValueOld};
pub use filter_pipeline::FilterInfo;
pub(crate) use filter_pipeline::FilterPipeline;
pub(crate) use group_info::GroupInfo;
pub(crate) use link::LinkMessage;
pub(crate) use link_info::LinkInfo;
pub(crate) use shared::Shared;
pub(crate) use shared_table::SharedMessageTable;
pub(crate) use symbol_table::SymbolTable;
pub(crate) use times::{ModificationTime, ModificationTimeOld, ObjectComment, ReferenceCount};

use crate::error::Result;
use crate::parse::{Sizes, Structure};
use crate::storage::Block;

/// A header message.
pub(crate) trait Message: Structure {
    /// "Header Message Type".
    const ID: u16;
}

/// Rows of the messages with a file here. From them come the names and the check that each parses.
macro_rules! messages {
    ($($id:literal $message:ident),* $(,)?) => {
        /// The name of the message type `id` in the specification.
        pub(crate) fn name(id: u16) -> Option<&'static str> {
            $(const _: () = assert!(<$message as Message>::ID == $id);)*
            match id {
                0x0000 => Some("NIL"),
                $($id => Some(<$message as Structure>::NAME),)*
                _ => None,
            }
        }

        /// Parses a message of type `id` and drops it; unknown types pass.
        pub(crate) fn check(id: u16, body: &Block, sizes: Sizes) -> Result<()> {
            match id {
                $($id => <$message as Structure>::read(body, sizes).map(drop),)*
                _ => Ok(()),
            }
        }
    };
}

messages! {
    0x0001 Dataspace,
    0x0002 LinkInfo,
    0x0003 Datatype,
    0x0004 FillValueOld,
    0x0005 FillValue,
    0x0006 LinkMessage,
    0x0007 ExternalFiles,
    0x0008 DataLayout,
    0x000a GroupInfo,
    0x000b FilterPipeline,
    0x000c AttributeMessage,
    0x000d ObjectComment,
    0x000e ModificationTimeOld,
    0x000f SharedMessageTable,
    0x0010 Continuation,
    0x0011 SymbolTable,
    0x0012 ModificationTime,
    0x0013 BTreeK,
    0x0014 DriverInfo,
    0x0015 AttributeInfo,
    0x0016 ReferenceCount,
    0x0017 FileSpaceInfo,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Rows of the README's table of structures.
    fn rows() -> Vec<Vec<String>> {
        let readme = include_str!("../../README.md");
        let table = readme.lines().skip_while(|line| !line.starts_with("| section |")).skip(2);
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        table.take_while(|line| line.starts_with('|')).map(cells).collect()
    }

    #[test]
    fn the_readme_has_every_message() {
        let rows = rows();
        for name in (1..=0xff).filter_map(super::name) {
            let listed = rows.iter().any(|row| {
                row[2]
                    .split([':', ','])
                    .next()
                    .is_some_and(|cell| cell == name || cell.starts_with(&format!("{name} ")))
            });
            assert!(listed, "{name}");
        }
        assert_eq!(super::name(0x0009), None, "the bogus message is for the library's own tests");
    }

    #[test]
    fn the_readme_says_what_is_written() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let rows = rows();
        let messages = rows.iter().filter(|row| row[3].starts_with("message/"));
        for row in messages {
            let source = std::fs::read_to_string(folder.join(&row[3])).unwrap();
            let of_file = || rows.iter().filter(|other| other[3] == row[3]);
            let written = of_file().filter(|other| !other[5].is_empty()).count();
            assert_eq!(written, source.matches("impl Write for").count(), "{}", row[3]);
        }
    }

    #[test]
    fn the_readme_names_files_that_are_there() {
        let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        for row in rows() {
            let source = std::fs::read_to_string(crate_folder.join("src").join(&row[3])).unwrap();
            let section = row[1].split(", ").next().unwrap();
            assert!(source.contains(section), "{} cites {section}", row[3]);
            if row[4].is_empty() {
                let tested = source.contains("#[test]");
                assert!(tested, "{} has no fixture and no test", row[3]);
            } else {
                let fixture = crate_folder.join("../../fixtures/hdf5").join(&row[4]);
                assert!(fixture.is_file(), "{}", fixture.display());
            }
        }
    }
}
