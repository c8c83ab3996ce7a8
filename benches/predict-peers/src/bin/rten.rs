//! `rten`, on as many threads as `RAYON_NUM_THREADS` says.

use rten::{Dimension, Model, RunOptions, ThreadPool};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (path, batch, limit) = predict_peers::arguments();
    let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let model = Model::load_file(path)?;
    let input = model.input_ids()[0];
    let shape = model.node_info(input).and_then(|i| i.shape()).ok_or("an input without a shape")?;
    let mut shape: Vec<usize> = shape
        .iter()
        .map(|d| match d {
            Dimension::Fixed(n) => *n,
            Dimension::Symbolic(_) => batch,
        })
        .collect();
    shape[0] = batch;
    let x = Tensor::from_data(&shape, predict_peers::numbers(&shape));
    let options =
        RunOptions::default().with_thread_pool(Some(ThreadPool::with_num_threads(threads).into()));
    predict_peers::measure(limit, || {
        let y = model.run_one(x.view().into(), Some(options.clone())).unwrap();
        let y: Tensor<f32> = y.try_into().unwrap();
        y.iter().map(|y| f64::from(*y).powi(2)).sum()
    });
    Ok(())
}
