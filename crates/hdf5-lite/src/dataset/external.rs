//! Elements in raw files (IV.A.2.h).

use bytes::Bytes;

use super::ExternalFile;
use crate::error::Result;
use crate::file::File;
use crate::heap::LocalHeap;
use crate::message::ExternalFiles;
use crate::object::text;

/// The files with their names.
pub(super) fn names(file: &File, files: &ExternalFiles) -> Result<Vec<ExternalFile>> {
    let heap = LocalHeap::read_at(file, files.heap)?;
    let named = files.slots.iter().map(|slot| {
        let name = heap.keep(slot.name)?.data;
        Ok(ExternalFile { name, offset: slot.offset, size: slot.size })
    });
    named.collect()
}

/// The first `wanted` bytes of all files together; what the files do not have is zero.
pub(super) fn read(file: &File, files: &ExternalFiles, wanted: u64) -> Result<Bytes> {
    file.limits().ask_read(wanted, file.len())?;
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let mut bytes = Vec::new();
    for part in names(file, files)? {
        if bytes.len() >= wanted {
            break;
        }
        let raw = file.other_bytes(&text(&part.name), "external storage")?;
        let room = (wanted - bytes.len()) as u64;
        let len = usize::try_from(part.size.unwrap_or(room).min(room)).unwrap_or(0);
        let start = usize::try_from(part.offset).unwrap_or(usize::MAX).min(raw.len());
        let there = raw.get(start..).unwrap_or_default();
        let there = there.get(..len.min(there.len())).unwrap_or_default();
        let end = bytes.len() + len;
        bytes.extend_from_slice(there);
        bytes.resize(end, 0);
    }
    bytes.resize(wanted, 0);
    Ok(bytes.into())
}
