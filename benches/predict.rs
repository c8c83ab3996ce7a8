//! How long a prediction takes, one sample and a batch of 32, on as many threads as there are (`RAYON_NUM_THREADS`).
//!
//! | group | models | slower means |
//! |---|---|---|
//! | `predict/1` | an MLP, a small CNN, ResNet50, MobileNetV2, an LSTM, a transformer | a kernel, or the fixed cost of a call on the small ones |
//! | `predict/32` | the same | a kernel, or threads that wait |
//!
//! `benches/onnxruntime_predict.py` puts ONNX Runtime beside these: compare ratios, machines differ.

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use keras_runtime::{Tensor, load_model};

criterion_group!(benches, predict);

const MODELS: [&str; 6] = ["mlp", "cnn", "resnet50", "mobilenetv2", "lstm", "transformer"];

fn predict(c: &mut Criterion) {
    for batch in [1, 32] {
        let mut group = c.benchmark_group(format!("predict/{batch}"));
        group.sample_size(10);
        group.throughput(Throughput::Elements(batch as u64));
        for name in MODELS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/predict-models");
            let path = folder.join(name).with_extension("keras");
            if !path.exists() {
                eprintln!(
                    "predict/{batch}/{name}: skipped, benches/make_models.py has not been run"
                );
                continue;
            }
            let model = load_model(path).unwrap();
            let x = input(&model, batch);
            group.bench_with_input(BenchmarkId::from_parameter(name), &x, |b, x| {
                b.iter(|| model.predict(black_box(std::slice::from_ref(x))).unwrap());
            });
        }
    }
}

/// Numbers between -1 and 1 for the one input.
fn input(model: &keras_runtime::Model, batch: usize) -> Tensor {
    let rest = model.inputs()[0].shape.dims().iter().skip(1).map(|n| n.unwrap());
    let shape: Vec<usize> = std::iter::once(batch).chain(rest).collect();
    let numbers =
        (0..shape.iter().product()).map(|i: usize| (i * 7919 % 1000) as f32 / 500.0 - 1.0);
    Tensor::new(shape, numbers.collect::<Vec<f32>>()).unwrap()
}
