//! Prints the digest of an HDF5 file: the walk over everything in it, in one program.

use std::path::PathBuf;
use std::process::ExitCode;

#[path = "../../cli/h5/digest.rs"]
mod digest;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return ExitCode::from(2);
    };
    digest::digest(&path).unwrap_or_else(|error| {
        #[expect(clippy::print_stderr, reason = "this is a program")]
        {
            eprintln!("{}: {error}", path.display());
        }
        ExitCode::FAILURE
    })
}
