//! Every codec on arbitrary bytes, with arbitrary client data.
//!
//! The input is: which filter, how many client data values, the length wanted (three bytes),
//! the values, and the chunk.

#![no_main]

use std::borrow::Cow;

use hdf5_lite::filter::{built_in, max_len};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [filter, values, low, middle, high, rest @ ..] = bytes else { return };
    let filters = built_in();
    let filter = filters[usize::from(*filter) % filters.len()];
    let values = usize::from(*values % 24).min(rest.len() / 4);
    let (values, chunk) = rest.split_at(values * 4);
    let values: Vec<u32> =
        values.chunks_exact(4).map(|v| u32::from_le_bytes([v[0], v[1], v[2], v[3]])).collect();
    let expected = u32::from_le_bytes([*low, *middle, *high & 15, 0]) as usize;
    if let Ok(decoded) = filter.decode(&values, Cow::Borrowed(chunk), expected) {
        assert!(
            decoded.len() <= max_len(expected).max(chunk.len()),
            "{} is too long",
            filter.name()
        );
        let _ = filter.encode(&values, &decoded);
    }
});
