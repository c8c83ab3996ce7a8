//! A prediction after the first ones takes memory for its results only.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use keras_runtime::{Tensor, load_model};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// For lists of inputs and outputs and their shapes.
const BOOKKEEPING: usize = 512;

#[test]
fn only_the_results_are_allocated() {
    for name in
        ["k3_mlp.h5", "k3_cnn.h5", "k3_conv_kinds.keras", "k3_rnn.keras", "k3_transformer.keras"]
    {
        let model = load_model(format!("../../fixtures/models/{name}")).unwrap();
        let inputs: Vec<Tensor> = model
            .inputs()
            .iter()
            .map(|input| {
                let rest = input.shape.dims().iter().skip(1).map(|n| n.unwrap_or(3));
                let shape: Vec<usize> = std::iter::once(2).chain(rest).collect();
                Tensor::zeros(shape, input.dtype)
            })
            .collect();
        // A thread takes its own working memory with the first work that it gets, which on a busy
        // machine may be in a later prediction.
        let beyond_results = || {
            let before = MEMORY.current_usage();
            MEMORY.reset_peak_usage();
            let outputs = model.predict(&inputs).unwrap();
            let taken = MEMORY.peak_usage() - before;
            let results: usize = outputs.iter().map(|y| y.len() * y.dtype().size()).sum();
            taken.saturating_sub(results)
        };
        let least = (0..20).map(|_| beyond_results()).min().unwrap();
        assert!(least <= BOOKKEEPING, "{name}: {least} bytes beside the results");
    }
}
