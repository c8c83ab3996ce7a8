//! Writes an HDF5 file anew: all objects of one file in today's format, without the gaps.

use std::path::PathBuf;
use std::process::ExitCode;

use hdf5_lite::{File, Result, Writer};

fn main() -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [from, to] = paths.as_slice() else {
        #[expect(clippy::print_stderr, reason = "this is a program")]
        {
            eprintln!("usage: repack FROM.h5 TO.h5");
        }
        return ExitCode::from(2);
    };
    match repack(from, to) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "this is a program")]
            {
                eprintln!("{}: {error}", from.display());
            }
            ExitCode::FAILURE
        }
    }
}

fn repack(from: &PathBuf, to: &PathBuf) -> Result<()> {
    let file = File::open(from)?;
    Writer::copy_of(&file)?.write_to(to)
}
