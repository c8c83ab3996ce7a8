//! Load a model of any kind; its weights, its summary, its report.

#![no_main]

use hdf5_lite::Limits;
use keras_model::Loader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut limits = Limits::default();
    limits.read_bytes = 1 << 24;
    limits.unbacked_bytes = 1 << 20;
    let Ok(file) = Loader::new().limits(limits).from_bytes(bytes.to_vec()) else { return };
    let _ = (file.check(), file.stored_weights().map(|weights| weights.len()));
    if let Some(summary) = file.summary(Default::default()) {
        let _ = summary.to_string();
    }
});
