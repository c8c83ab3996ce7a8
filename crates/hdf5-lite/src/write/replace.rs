//! Files that are replaced when the new one is complete.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Result;

/// Number of the next file of this process that is not complete.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Has `write` write the file `path`: into one beside it, which takes its name in the end.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    // A device or a pipe is written, not replaced.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return complete(File::options().write(true).open(path)?, write);
    }
    // What a link leads to is replaced, not the link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?);
    name.push(format!(".{}.{}.part", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let part = path.with_file_name(name);
    let written = complete(File::create_new(&part)?, write)
        .and_then(|()| fs::rename(&part, path).map_err(Into::into));
    if written.is_err() {
        // The first error says more.
        let _ = fs::remove_file(&part);
    }
    written
}

fn complete(file: File, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    out.flush()?;
    Ok(())
}

#[test]
fn what_is_there_stays_until_the_new_one_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    replace(&path, |out| Ok(out.write_all(b"one")?)).unwrap();
    replace(&path, |out| {
        out.write_all(b"two")?;
        assert_eq!(fs::read(&path)?, b"one");
        Err(io::Error::other("no more room").into())
    })
    .unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"one");
    replace(&path, |out| Ok(out.write_all(b"two")?)).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
