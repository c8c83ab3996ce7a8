//! Copy a file and open the copy. What could be copied is there again.

#![no_main]

use hdf5_lite::{File, Limits, Writer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut limits = Limits::default();
    limits.read_bytes = 1 << 21;
    limits.unbacked_bytes = 1 << 18;
    let Ok(file) = File::options().limits(limits).from_bytes(bytes.to_vec()) else { return };
    let Ok(copy) = Writer::copy_of(&file) else { return };
    let Ok(bytes) = copy.to_bytes() else { return };
    let links = |file: &File| file.root().and_then(|root| root.links()).map(|links| links.len());
    let copy = File::from_bytes(bytes).and_then(|copy| links(&copy));
    assert_eq!(copy.ok(), links(&file).ok());
});
