//! Models that ask for too much or make no sense: an error, soon, and without the memory.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on panics"
)]

#[allow(dead_code, reason = "the other tests look at what was recorded")]
mod cases;
#[path = "../../keras-model/tests/support/damage.rs"]
mod damage;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Read, Write as _};
use std::panic::{AssertUnwindSafe, PanicHookInfo};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use damage::{Random, hostile};
use keras_runtime::keras_model::compile::CompileConfig;
use keras_runtime::keras_model::{Container, Saver, Shape};
use keras_runtime::{DType, Limits, Loader, Loss, Metric, Predict, Result, Samples, Tensor};
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Sizes that only a broken file asks for.
const MANY: u64 = 1_000_000_000;
const FLOOD: u64 = 1_000_000_000_000_000_000;

/// What the layers of `no_layer_does_harm` may use.
const LIMITS: Limits = Limits { memory: 16 << 20, operations: 20_000 };

/// Memory is that of the process: the tests run one after the other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn sequential(shape: &[Option<u64>], layers: &[Value]) -> String {
    let input = json!({"class_name": "InputLayer", "config": {"batch_shape": shape, "name": "x"}});
    let layers: Vec<&Value> = std::iter::once(&input).chain(layers).collect();
    json!({"class_name": "Sequential", "config": {"name": "s", "layers": layers}}).to_string()
}

fn layer(class: &str, config: impl Into<Value>) -> Value {
    let config: Value = config.into();
    json!({"class_name": class, "config": config})
}

/// Loads and predicts: the error, which must not have cost memory or time.
fn refused(name: &str, config: &str, shape: &[usize]) -> String {
    let x = Tensor::zeros(shape, DType::Float32);
    let (before, start) = (MEMORY.current_usage(), Instant::now());
    MEMORY.reset_peak_usage();
    let result = Loader::new().from_bytes(config.to_owned());
    let result = result.and_then(|model| model.predict(std::slice::from_ref(&x)));
    let (peak, elapsed) = (MEMORY.peak_usage().saturating_sub(before), start.elapsed());
    assert!(peak < 64 << 20, "{name}: {peak} bytes");
    // A debug build on a busy machine; it is milliseconds otherwise.
    assert!(elapsed < Duration::from_secs(2), "{name}: {elapsed:?}");
    match result {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{name}: computed"),
    }
}

/// Sizes that a file only claims.
#[test]
fn nothing_is_allocated_for_claims() {
    let _alone = alone();
    let image = [None, Some(4), Some(4), Some(3)];
    let row = [None, Some(4)];
    for (name, input, layer, words) in [
        ("units", &row[..], layer("Dense", json!({"units": MANY})), "Dense/kernel"),
        ("units past 2^64", &row[..], layer("Dense", json!({"units": u64::MAX})), "Dense/kernel"),
        ("negative units", &row[..], layer("Dense", json!({"units": -1})), "Dense/units"),
        ("no number of units", &row[..], layer("Dense", json!({"units": "NaN"})), "Dense/units"),
        ("repeat", &row[..], layer("RepeatVector", json!({"n": MANY})), "limit"),
        ("repeat past 2^64", &row[..], layer("RepeatVector", json!({"n": FLOOD})), "limit"),
        ("up", &image[..], layer("UpSampling2D", json!({"size": [MANY, MANY]})), "limit"),
        ("pad", &image[..], layer("ZeroPadding2D", json!({"padding": FLOOD})), "limit"),
        ("crop", &image[..], layer("Cropping2D", json!({"cropping": 5})), "leaves nothing"),
        ("negative crop", &image[..], layer("Cropping2D", json!({"cropping": -5})), "cropping"),
        ("resize", &image[..], layer("Resizing", json!({"height": MANY, "width": 1})), "limit"),
        ("pool", &image[..], layer("MaxPooling2D", json!({"pool_size": FLOOD})), "does not fit"),
        ("stride", &image[..], layer("MaxPooling2D", json!({"strides": 0})), "must not be 0"),
        (
            "filters",
            &image[..],
            layer("Conv2D", json!({"filters": MANY, "kernel_size": 3})),
            "limit",
        ),
        ("kernel", &image[..], layer("Conv2D", json!({"filters": 1, "kernel_size": FLOOD})), "fit"),
        ("reshape", &row[..], layer("Reshape", json!({"target_shape": [FLOOD, FLOOD]})), "shape"),
        ("axis", &image[..], layer("Softmax", json!({"axis": MANY})), "no axis"),
        ("permute", &image[..], layer("Permute", json!({"dims": [MANY, 1, 2]})), "permutation"),
        ("categories", &row[..], layer("CategoryEncoding", json!({"num_tokens": FLOOD})), "limit"),
        ("unknown class", &row[..], layer("Denser", json!({"units": 1})), "Denser"),
    ] {
        let config = sequential(input, std::slice::from_ref(&layer));
        let length = |n: &Option<u64>| n.map_or(2, |n| usize::try_from(n).unwrap());
        let shape: Vec<usize> = input.iter().map(length).collect();
        let error = refused(name, &config, &shape);
        assert!(error.contains(words), "{name}: {error}");
        // Whatever is too large is named with its layer.
        let class = layer["class_name"].as_str().unwrap();
        assert!(error.contains(class), "{name}: {error}");
    }
}

/// An operation node of a functional model of the input `x: [None, 4]`.
fn operation(class: &str, kwargs: &Value) -> String {
    let x = json!({"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}});
    json!({"class_name": "Functional", "config": {"name": "f", "layers": [
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"name": "x", "batch_shape": [null, 4]}},
        {"class_name": class, "module": "keras.src.ops.numpy", "name": "op", "config": {"name": "op"},
         "inbound_nodes": [{"args": [x], "kwargs": kwargs}]},
    ], "input_layers": [["x", 0, 0]], "output_layers": [["op", 0, 0]]}})
    .to_string()
}

#[test]
fn operations_ask_for_too_much() {
    let _alone = alone();
    for (class, kwargs, words) in [
        ("Nonsense", json!({}), "Nonsense"),
        ("Tile", json!({"repeats": [1, FLOOD]}), "limit"),
        ("Repeat", json!({"repeats": FLOOD, "axis": 1}), "limit"),
        ("Pad", json!({"pad_width": [[0, 0], [0, FLOOD]]}), "limit"),
        ("BroadcastTo", json!({"shape": [FLOOD, FLOOD, 4]}), ""),
        ("OneHot", json!({"num_classes": FLOOD}), "limit"),
        ("Reshape", json!({"newshape": [FLOOD, FLOOD]}), "reshape"),
    ] {
        let error = refused(class, &operation(class, &kwargs), &[2, 4]);
        assert!(error.contains(words), "{class}: {error}");
    }
}

/// More layers than any model has, and models in models in models.
#[test]
fn layers_are_counted_and_nesting_ends() {
    let _alone = alone();
    let many = vec![layer("ReLU", json!({})); 1_000_000];
    let error = refused("many layers", &sequential(&[None, Some(4)], &many), &[1, 4]);
    assert!(error.contains("limit"), "{error}");
    let start = r#"{"class_name": "Sequential", "config": {"layers": ["#;
    let nested = format!("{}{}{}", start.repeat(10_000), "", "]}}".repeat(10_000));
    let error = refused("nesting", &nested, &[1, 4]);
    assert!(error.contains("recursion"), "{error}");
}

#[test]
fn graphs_have_no_cycles() {
    let _alone = alone();
    let tensor = |layer: &str| json!({"class_name": "__keras_tensor__", "config": {"keras_history": [layer, 0, 0]}});
    let relu = |name: &str, from: &str| {
        json!({"class_name": "ReLU", "name": name, "config": {"name": name},
               "inbound_nodes": [{"args": [tensor(from)], "kwargs": {}}]})
    };
    let config = json!({"class_name": "Functional", "config": {"name": "f",
        "layers": [relu("a", "b"), relu("b", "a")],
        "input_layers": [["a", 0, 0]], "output_layers": [["b", 0, 0]]}});
    let error = refused("cycle", &config.to_string(), &[1, 4]);
    assert!(error.contains("cycle"), "{error}");
}

/// Weights of another shape than the layers say.
#[test]
fn weights_fit_their_layers() {
    let _alone = alone();
    let fixture =
        |name: &str| format!("{}/../../fixtures/models/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(fixture("k3_weights.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    let layers = config["config"]["layers"].as_array_mut().unwrap();
    let dense = layers.iter_mut().find(|l| l["class_name"] == "Dense").unwrap();
    dense["config"]["units"] = json!(1_000_000_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("architecture.json");
    std::fs::write(&path, config.to_string()).unwrap();
    let (before, start) = (MEMORY.current_usage(), Instant::now());
    MEMORY.reset_peak_usage();
    let error =
        Loader::new().load_with_weights(&path, fixture("k3_weights.weights.h5")).unwrap_err();
    assert!(MEMORY.peak_usage().saturating_sub(before) < 64 << 20);
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(error.to_string().contains("shape"), "{error}");
}

/// Puts something bad in the place of one value of a tree.
fn harm(value: &mut Value, random: &mut Random) {
    let children: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(map) => map.values_mut().collect(),
        _ => Vec::new(),
    };
    let count = children.len();
    if count > 0
        && let Some(child) = children.into_iter().nth(random.below(count))
    {
        return harm(child, random);
    }
    *value = hostile(random);
}

/// Collects what must not happen: panics, and what takes long or much memory.
struct Watch {
    harm: BTreeMap<String, String>,
    place: Arc<Mutex<String>>,
    hook: Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send>,
}

impl Watch {
    fn start() -> Self {
        let place = Arc::new(Mutex::new(String::new()));
        let hook = std::panic::take_hook();
        let panicked = Arc::clone(&place);
        std::panic::set_hook(Box::new(move |info| *panicked.lock().unwrap() = info.to_string()));
        Self { harm: BTreeMap::new(), place, hook }
    }

    /// Whether `run` gave a result; `input` is what it does it on.
    fn runs(&mut self, input: &str, run: impl FnOnce() -> Result<Vec<Tensor>>) -> bool {
        let (before, start) = (MEMORY.current_usage(), Instant::now());
        MEMORY.reset_peak_usage();
        let result = std::panic::catch_unwind(AssertUnwindSafe(run));
        let (peak, elapsed) = (MEMORY.peak_usage().saturating_sub(before), start.elapsed());
        if peak > 128 << 20 || elapsed > Duration::from_secs(2) {
            self.harm.insert(format!("{peak} bytes, {elapsed:?}"), input.to_owned());
        }
        let Ok(result) = result else {
            let place = self.place.lock().unwrap().clone();
            self.harm.entry(place).or_insert_with(|| input.to_owned());
            return false;
        };
        result.is_ok()
    }

    fn end(self) {
        std::panic::set_hook(self.hook);
        assert!(self.harm.is_empty(), "{:#?}", self.harm);
    }
}

/// Inputs of a hostile test; `HOSTILE_INPUTS` asks for more.
fn inputs(usual: usize) -> usize {
    std::env::var("HOSTILE_INPUTS").map_or(usual, |n| n.parse().unwrap())
}

/// Loads and runs models whose last layer was damaged: it ends soon, within the limits, and never
/// in a panic.
fn damaged(models: &[(Value, Vec<Tensor>)], inputs: usize) {
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut watch = Watch::start();
    let mut computed = 0;
    for i in 0..inputs {
        let (config, x) = &models[i % models.len()];
        let mut config = config.clone();
        let layers = config["config"]["layers"].as_array_mut().unwrap();
        let layer = layers.last_mut().unwrap();
        let is_operation = layer["module"].as_str().is_some_and(|m| m.contains("ops"))
            || layer["class_name"] == "TFOpLambda";
        for _ in 0..=random.below(2) {
            // The arguments of an operation stand in its call.
            let call = random.below(8) == 0 || is_operation && random.below(3) > 0;
            harm(&mut layer[if call { "inbound_nodes" } else { "config" }], &mut random);
        }
        let how = Predict::new().training(random.below(4) == 0);
        let text = config.to_string();
        let differentiates = random.below(4) == 0;
        let ran = watch.runs(&text, || {
            let model = Loader::new().limits(LIMITS).from_bytes(text.clone())?;
            let y = model.predict_with(x, &how)?;
            if differentiates { model.gradients(x, &y).map(|g| g.outputs) } else { Ok(y) }
        });
        computed += usize::from(ran);
    }
    watch.end();
    assert!((inputs / 10..inputs).contains(&computed), "{computed} of {inputs} computed");
}

/// Layers of every class with hostile values in every place.
#[test]
fn no_layer_does_harm() {
    let _alone = alone();
    let models: Vec<_> = cases::all().iter().map(cases::Case::model).collect();
    assert!(models.len() > 700, "{}", models.len());
    damaged(&models, inputs(20_000));
}

/// The cases of such a file: an operation each or a few, and zeros that they take.
fn operations(file: &str) -> Vec<(Value, Vec<Tensor>)> {
    let path = format!("{}/../../fixtures/{file}", env!("CARGO_MANIFEST_DIR"));
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    // Some stand there as text, as they hold infinities.
    let cases = all["cases"].as_array().unwrap().iter().filter(|c| c["model"].is_object());
    let zeros = |input: &Value| {
        let shape: Vec<usize> = serde_json::from_value(input["shape"].clone()).unwrap();
        Tensor::zeros(shape, DType::from_name(input["dtype"].as_str().unwrap()).unwrap())
    };
    let inputs = |case: &Value| case["inputs"].as_array().unwrap().iter().map(zeros).collect();
    cases.map(|case| (case["model"].clone(), inputs(case))).collect()
}

/// The same for operations of `keras.ops` as nodes of a graph.
#[test]
fn no_operation_does_harm() {
    let _alone = alone();
    let models = operations("ops.json");
    assert!(models.len() > 500, "{}", models.len());
    damaged(&models, inputs(20_000));
}

/// The same for functions of TensorFlow.
#[test]
fn no_function_of_tensorflow_does_harm() {
    let _alone = alone();
    let models = operations("tf_ops.json");
    assert!(models.len() > 500, "{}", models.len());
    damaged(&models, inputs(20_000));
}

/// Whole files with a few wrong bytes, weights included.
#[test]
fn no_file_does_harm() {
    let _alone = alone();
    let inputs = inputs(1_000);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/models");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|p| matches!(p.extension().and_then(|e| e.to_str()), Some("h5" | "keras")))
        .collect();
    paths.sort();
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let mut watch = Watch::start();
    let mut computed = 0;
    for i in 0..inputs {
        let path = &paths[i % paths.len()];
        let mut bytes = std::fs::read(path).unwrap();
        let mut input = path.display().to_string();
        for _ in 0..=random.below(3) {
            let (at, value) = (random.below(bytes.len()), random.below(256));
            bytes[at] = u8::try_from(value).unwrap();
            write!(input, " [{at}] = {value}").unwrap();
        }
        let ran = watch.runs(&input, || {
            let model = Loader::new().limits(LIMITS).from_bytes(bytes)?;
            let zeros = model.inputs().iter().map(|input| {
                let shape: Vec<usize> =
                    input.shape.dims().iter().map(|n| n.unwrap_or(2).min(64)).collect();
                Tensor::zeros(shape, input.dtype)
            });
            model.predict(&zeros.collect::<Vec<_>>())
        });
        computed += usize::from(ran);
    }
    watch.end();
    assert!((inputs / 10..inputs).contains(&computed), "{computed} of {inputs} computed");
}

/// Losses and metrics with hostile arguments.
#[test]
fn no_loss_and_no_metric_does_harm() {
    let _alone = alone();
    let inputs = inputs(20_000);
    let all = ["losses", "metrics"].map(|file| {
        let path = format!("{}/../../fixtures/{file}.json", env!("CARGO_MANIFEST_DIR"));
        let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        all.as_array().unwrap().clone()
    });
    let values = |shape: &[usize]| {
        let count = shape.iter().product();
        let values = (0..count).map(|i| (i % 3) as f32 / 3.0).collect::<Vec<f32>>();
        Tensor::new(shape, values).unwrap()
    };
    let samples = [[4, 3].as_slice(), &[4], &[2, 3, 3]].map(&values);
    let weight = values(&[4]);
    let mut random = Random::new(0x9e37_79b9_7f4a_7c15);
    let mut watch = Watch::start();
    let mut computed = 0;
    for i in 0..inputs {
        let is_loss = i % 2 == 0;
        let cases = &all[usize::from(!is_loss)];
        let case = &cases[random.below(cases.len())];
        let mut object = json!({"class_name": case["class"], "config": case["config"]});
        for _ in 0..=random.below(2) {
            harm(&mut object["config"], &mut random);
        }
        let y_pred = &samples[random.below(samples.len())];
        let y_true = if random.below(3) > 0 { y_pred } else { &samples[random.below(2)] };
        let mut given = Samples::new(y_true, y_pred);
        if random.below(3) == 0 {
            given = given.sample_weight(&weight);
        }
        let ran = watch.runs(&object.to_string(), || {
            if is_loss {
                let loss = Loss::get(&object)?;
                loss.call(&given)?;
                loss.gradient(&given).map(|(value, gradient)| vec![value, gradient])
            } else {
                let mut metric = Metric::get(&object)?;
                metric.update_state(&given)?;
                metric.update_state(&given)?;
                metric.result().map(|result| vec![result])
            }
        });
        computed += usize::from(ran);
    }
    watch.end();
    assert!((inputs / 20..inputs).contains(&computed), "{computed} of {inputs} computed");
}

/// Compiled models whose compile config was damaged.
#[test]
fn no_compile_config_does_harm() {
    let _alone = alone();
    let inputs = inputs(2_000);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/training");
    let archives = ["several", "partial"].map(|name| {
        let bytes = std::fs::read(format!("{folder}/{name}.keras")).unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let members = (0..archive.len()).map(|i| {
            let mut member = archive.by_index(i).unwrap();
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).unwrap();
            (member.name().unwrap().into_owned(), bytes)
        });
        members.collect::<Vec<(String, Vec<u8>)>>()
    });
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let mut watch = Watch::start();
    let mut computed = 0;
    for i in 0..inputs {
        let mut input = String::new();
        let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in &archives[i % archives.len()] {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            if name == "config.json" {
                let mut config: Value = serde_json::from_slice(bytes).unwrap();
                for _ in 0..=random.below(2) {
                    harm(&mut config["compile_config"], &mut random);
                }
                input = config["compile_config"].to_string();
                archive.write_all(config.to_string().as_bytes()).unwrap();
            } else {
                archive.write_all(bytes).unwrap();
            }
        }
        let bytes = archive.finish().unwrap().into_inner();
        let ran = watch.runs(&input, || {
            let model = Loader::new().limits(LIMITS).from_bytes(bytes)?;
            let zeros = |shape: &Shape, dtype| {
                let shape: Vec<usize> = shape.dims().iter().map(|n| n.unwrap_or(2)).collect();
                Tensor::zeros(shape, dtype)
            };
            let x: Vec<Tensor> = model.inputs().iter().map(|i| zeros(&i.shape, i.dtype)).collect();
            let y: Vec<Tensor> = model.predict(&x)?;
            model.evaluate(&x, &y)?;
            model.loss_gradients(&x, &y, &[]).map(|found| vec![Tensor::scalar(found.loss)])
        });
        computed += usize::from(ran);
    }
    watch.end();
    assert!((inputs / 20..inputs).contains(&computed), "{computed} of {inputs} computed");
}

/// Optimizers of every class with hostile values in every place, a step each; what is saved then loads.
#[test]
fn no_optimizer_does_harm() {
    let _alone = alone();
    let inputs = inputs(2_000);
    let path = format!("{}/../../fixtures/fit.json", env!("CARGO_MANIFEST_DIR"));
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = all["cases"].as_array().unwrap();
    let zeros = |of: &Value| {
        let shape: Vec<usize> = serde_json::from_value(of["shape"].clone()).unwrap();
        Tensor::zeros(shape, DType::from_name(of["dtype"].as_str().unwrap()).unwrap())
    };
    let mut random = Random::new(0x2545_f491_4f6c_dd1d);
    let mut watch = Watch::start();
    let mut computed = 0;
    for i in 0..inputs {
        let case = &cases[i % cases.len()];
        let given = &all["models"][case["model"].as_str().unwrap()];
        let mut config = case["compile"].clone();
        for _ in 0..=random.below(2) {
            harm(&mut config["optimizer"], &mut random);
        }
        let ran = watch.runs(&config.to_string(), || {
            let mut model = Loader::new().limits(LIMITS).from_bytes(given["model"].to_string())?;
            let weights = given["weights"].as_array().unwrap().iter().map(zeros).collect();
            model.set_weights(weights)?;
            model.compile(CompileConfig::parse(&config)?);
            let (x, y) = (zeros(&given["x"]), zeros(&given["y"]));
            let report = model.train_on_batch(std::slice::from_ref(&x), &[y], &[])?;
            let saved = Saver::new().to_bytes(&model.to_file()?, Container::Keras)?;
            Loader::new().limits(LIMITS).from_bytes(saved.bytes)?;
            Ok(vec![Tensor::scalar(report.loss())])
        });
        computed += usize::from(ran);
    }
    watch.end();
    assert!((inputs / 20..inputs).contains(&computed), "{computed} of {inputs} computed");
}
