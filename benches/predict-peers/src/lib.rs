//! What the programs share: their arguments, the inputs of `time_predict`, and the report.

use std::time::{Duration, Instant};

/// Model, batch size and time to spend.
pub fn arguments() -> (String, usize, Duration) {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, batch, seconds] = arguments.as_slice() else {
        panic!("usage: MODEL BATCH SECONDS")
    };
    (path.clone(), batch.parse().unwrap(), Duration::from_secs_f64(seconds.parse().unwrap()))
}

/// The numbers of an input of that shape.
pub fn numbers(shape: &[usize]) -> Vec<f32> {
    (0..shape.iter().product()).map(|i: usize| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect()
}

/// Runs `predict`, which gives the sum of the squares of its outputs, for that long and prints JSON.
pub fn measure(limit: Duration, mut predict: impl FnMut() -> f64) {
    let sum = predict();
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 3 || start.elapsed() < limit {
        let start = Instant::now();
        predict();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let (least, median) = (times[0], times[times.len() / 2]);
    println!(
        "{{\"least_ms\": {least:.4}, \"median_ms\": {median:.4}, \"sum\": {sum:.6}, \"runs\": {}}}",
        times.len()
    );
}
