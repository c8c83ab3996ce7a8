//! Files that are replaced when the new one is complete.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Writes a new file beside the one at `path` and puts it in its place.
pub(super) fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let (beside, file) = beside(path).map_err(io)?;
    let result = (|| {
        let mut file = std::io::BufWriter::with_capacity(1 << 20, file);
        write(&mut file)?;
        file.into_inner().map_err(|e| io(e.into_error()))?.sync_all().map_err(io)?;
        std::fs::rename(&beside, path).map_err(io)
    })();
    if result.is_err() {
        // What was begun is of no use; that it cannot be removed says nothing new.
        let _ = std::fs::remove_file(&beside);
    }
    result
}

/// A new file in the same folder, under a name that nothing else has.
fn beside(path: &Path) -> std::io::Result<(PathBuf, std::fs::File)> {
    let mut tries = 0_u32..;
    loop {
        let number = tries.next().unwrap_or_default();
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{number}.new"));
        let name = path.with_file_name(name);
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&name) {
            // Another one is being saved, or was when the program ended.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && number < MAX_TRIES => {}
            other => return other.map(|file| (name, file)),
        }
    }
}

/// Files that are being written beside each other: more are a folder that something is wrong with.
const MAX_TRIES: u32 = 1000;
