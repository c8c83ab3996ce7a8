//! Runs of bytes, brought together: as few reads as pay, into memory that is written once.

use bytemuck::Pod;

use crate::error::Result;
use crate::storage::Storage;
use crate::{element, map};

/// Runs that start this close are taken from one piece of the file. A fault of the map brings
/// 16 pages and costs some five times a read of its own, which brings one run.
const NEAR_IN_MAP: u64 = 1 << 14;

/// The same for a [`Source`](crate::Source), which may be at the other end of a network.
const NEAR_IN_SOURCE: u64 = 1 << 16;

/// Bytes of such a piece at most, so that it stays a part of a large dataset.
const MOST: u64 = 1 << 23;

/// Appends runs of bytes of a storage to `to`, in the order in which they are [added](Self::add).
/// Each is a whole number of elements long, and lies in the storage.
pub(crate) struct Gather<'s, T> {
    storage: &'s Storage,
    /// Offsets and lengths of runs near each other, which are not read yet.
    near: Vec<(u64, u64)>,
    to: Vec<T>,
}

impl<'s, T: Pod> Gather<'s, T> {
    pub(crate) fn new(storage: &'s Storage, to: Vec<T>) -> Self {
        Self { storage, near: Vec::new(), to }
    }

    pub(crate) fn add(&mut self, offset: u64, len: u64) -> Result<()> {
        let near = match self.storage {
            Storage::Memory { file: None, .. } => {
                append(&self.storage.read(offset, len)?.data, &mut self.to);
                return Ok(());
            }
            Storage::Memory { file: Some(_), .. } => NEAR_IN_MAP,
            Storage::Source(_) => NEAR_IN_SOURCE,
        };
        if let (Some((first, _)), Some((last, last_len))) = (self.near.first(), self.near.last()) {
            let follows = offset >= last.saturating_add(*last_len) && offset - last < near;
            if !follows || offset.saturating_add(len) - first > MOST {
                self.read_near()?;
            }
        }
        self.near.push((offset, len));
        Ok(())
    }

    /// All that was added.
    pub(crate) fn finish(mut self) -> Result<Vec<T>> {
        self.read_near()?;
        Ok(self.to)
    }

    fn read_near(&mut self) -> Result<()> {
        match (self.storage, self.near.as_slice()) {
            (_, []) => {}
            (Storage::Memory { file: Some(file), .. }, [(offset, len)]) => {
                let len = self.storage.check(*offset, *len)?;
                map::append(file, *offset, len, &mut self.to)?;
            }
            (Storage::Source(_), [(first, _), .., (last, len)]) => {
                let piece = self.storage.read(*first, last - first + len)?;
                let piece = Storage::bytes(piece.data);
                for (offset, len) in &self.near {
                    append(&piece.read(offset - first, *len)?.data, &mut self.to);
                }
            }
            _ => {
                for (offset, len) in &self.near {
                    append(&self.storage.read(*offset, *len)?.data, &mut self.to);
                }
            }
        }
        self.near.clear();
        Ok(())
    }
}

/// Appends elements that may lie at any byte.
fn append<T: Pod>(bytes: &[u8], to: &mut Vec<T>) {
    if let Ok(elements) = bytemuck::try_cast_slice(bytes) {
        element::append(elements, to);
        return;
    }
    let start = to.len();
    to.resize(start + bytes.len() / size_of::<T>().max(1), T::zeroed());
    let room: &mut [u8] = bytemuck::cast_slice_mut(to.get_mut(start..).unwrap_or_default());
    room.copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;

    use super::*;
    use crate::Source;

    /// A source that notes what is read of it.
    #[derive(Debug)]
    struct Remote {
        bytes: Bytes,
        asked: Mutex<Vec<(u64, usize)>>,
    }

    impl Source for Remote {
        fn len(&self) -> u64 {
            self.bytes.len() as u64
        }

        fn read_at(&self, offset: u64, len: usize) -> io::Result<Bytes> {
            self.asked.lock().unwrap().push((offset, len));
            let start = usize::try_from(offset).unwrap();
            Ok(self.bytes.slice(start..start + len))
        }
    }

    fn gathered<T: Pod>(storage: &Storage, runs: &[(u64, u64)]) -> Vec<T> {
        let mut gather = Gather::new(storage, Vec::new());
        runs.iter().for_each(|(offset, len)| gather.add(*offset, *len).unwrap());
        gather.finish().unwrap()
    }

    #[test]
    fn all_storages_give_the_same() {
        let bytes: Bytes = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let runs = [(8, 4), (16, 8), (401, 4), (100_000, 400_000), (3_000_000, 40), (12, 4)];
        let wanted: Vec<u8> = runs
            .iter()
            .flat_map(|(offset, len)| bytes[*offset..offset + len].iter().copied())
            .collect();
        let runs = runs.map(|(offset, len)| (offset as u64, len as u64));
        let remote = Remote { bytes: bytes.clone(), asked: Mutex::default() };
        let storages = [
            Storage::bytes(bytes),
            Storage::open(file.path()).unwrap(),
            Storage::Source(Arc::new(remote)),
        ];
        for storage in storages {
            assert_eq!(gathered::<u8>(&storage, &runs), wanted);
            let elements: Vec<u32> = gathered(&storage, &runs);
            assert_eq!(bytemuck::cast_slice::<u32, u8>(&elements), wanted);
        }
    }

    #[test]
    fn a_source_is_asked_for_what_is_wanted() {
        let remote = Arc::new(Remote { bytes: vec![0; 1 << 24].into(), asked: Mutex::default() });
        let storage = Storage::Source(remote.clone());
        gathered::<u8>(&storage, &[(0, 4), (1000, 4), (1 << 20, 8), (1 << 22, 1 << 22)]);
        let asked = remote.asked.lock().unwrap();
        assert_eq!(*asked, [(0, 1004), (1 << 20, 8), (1 << 22, 1 << 22)]);
    }

    #[test]
    fn a_file_that_became_shorter_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 20).unwrap();
        let storage = Storage::open(file.path()).unwrap();
        file.as_file().set_len(1 << 10).unwrap();
        let mut gather = Gather::<u8>::new(&storage, Vec::new());
        gather.add(1 << 19, 1 << 16).unwrap();
        assert!(gather.finish().is_err());
    }
}
