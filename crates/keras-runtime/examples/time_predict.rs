//! How long a prediction takes, as JSON: `time_predict MODEL BATCH SECONDS`; with `gradients` behind
//! that, the gradients of all trainable weights (`gradients+inputs`: of the inputs, too).
//!
//! The inputs are what the other sides of `benches/onnxruntime_predict.py` take, so that `sum`, the sum of the outputs'
//! sizes, is the same for all. `RAYON_NUM_THREADS` sets the number of threads.

#![allow(clippy::print_stdout, reason = "prints its result")]

use std::time::{Duration, Instant};

use keras_runtime::{DType, Differentiate, Tensor, load_model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let (arguments, what) = match arguments.as_slice() {
        [rest @ .., what] if what.starts_with("gradients") => (rest, Some(what.as_str())),
        all => (all, None),
    };
    let [_, path, batch, seconds] = arguments else {
        return Err("usage: time_predict MODEL BATCH SECONDS [gradients]".into());
    };
    let (batch, limit) = (batch.parse()?, Duration::from_secs_f64(seconds.parse()?));
    let start = Instant::now();
    let model = load_model(path)?;
    let inputs: Vec<Tensor> = model
        .inputs()
        .iter()
        .map(|input| {
            let rest = input.shape.dims().iter().skip(1).map(|n| n.unwrap_or(1));
            let shape: Vec<usize> = std::iter::once(batch).chain(rest).collect();
            let numbers =
                (0..shape.iter().product()).map(|i: usize| (i * 7919 % 1000) as f32 / 500.0 - 1.0);
            Tensor::new(shape, numbers.collect::<Vec<f32>>())?.cast(input.dtype)
        })
        .collect::<Result<_, _>>()?;
    let outputs = model.predict(&inputs)?;
    let first = start.elapsed();
    let sum: f64 = outputs
        .iter()
        .map(|y| y.cast(DType::Float64))
        .collect::<Result<Vec<_>, _>>()?
        .iter()
        .flat_map(|y| y.as_slice::<f64>().unwrap_or_default())
        .map(|y| y * y)
        .sum();
    let how = Differentiate::new().training(true).inputs(what == Some("gradients+inputs"));
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 3 || start.elapsed() < limit {
        let start = Instant::now();
        match what {
            Some(_) => drop(model.gradients_with(&inputs, &outputs, &how)?),
            None => drop(model.predict(&inputs)?),
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let least = times.first().copied().unwrap_or(f64::NAN);
    let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
    println!(
        "{{\"least_ms\": {least:.4}, \"median_ms\": {median:.4}, \"first_ms\": {:.2}, \"sum\": {sum:.6}, \"runs\": {}}}",
        first.as_secs_f64() * 1e3,
        times.len()
    );
    Ok(())
}
