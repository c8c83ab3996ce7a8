//! What holds for every model: over all fixtures that can be run.

use keras_runtime::{Limits, Loader, Model, Predict, Tensor};

use crate::support::{arrays, assert_close_in, fixture};

/// Every model file of the fixtures that loads without the caller's help.
fn models() -> Vec<(String, Model, Vec<Tensor>)> {
    let mut names: Vec<String> = std::fs::read_dir(fixture(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| matches!(name.split_once('.'), Some((_, "keras" | "h5"))))
        .collect();
    names.sort();
    let models = names.into_iter().filter_map(|name| {
        let stem = name.split('.').next().unwrap().to_owned();
        let meta = std::fs::read_to_string(fixture(&format!("{stem}.meta.json"))).unwrap();
        // Custom objects, or a model that never saw an input.
        if meta.contains("\"unknown\"") || stem == "k3_unbuilt" {
            return None;
        }
        let backend = if stem.starts_with("k122_th") { "theano" } else { "tensorflow" };
        let loader = Loader::new().file(keras_runtime::keras_model::Loader::new().backend(backend));
        Some((name.clone(), loader.load(fixture(&name)).unwrap(), arrays(&stem, "in")))
    });
    let models: Vec<_> = models.collect();
    assert!(models.len() > 70, "{}", models.len());
    models
}

/// Models whose rows have to do with each other.
fn mixes_rows(name: &str) -> bool {
    // Texts are as long as the longest; in training mode the statistics are the batch's; operations
    // along the first axis.
    ["k3_text.", "k3_text_length.", "tfk_training.", "tfk_more_ops."]
        .iter()
        .any(|stem| name.starts_with(stem))
}

#[test]
fn a_batch_is_its_rows() {
    // Kept states are those of one batch.
    for (name, model, x) in models().into_iter().filter(|m| !m.0.starts_with("k3_stateful")) {
        let whole = model.predict(&x).unwrap();
        // Split by itself where there is not the memory for more than a row, if rows are apart.
        let how = Predict::new().memory(1);
        assert_close_in(&name, &model.predict_with(&x, &how).unwrap(), &whole);
        if !mixes_rows(&name) {
            assert_close_in(&name, &model.predict_batches(&x, 1).unwrap(), &whole);
        }
    }
}

/// A plan that was used, and one among others, gives what a fresh one gives.
#[test]
fn plans_may_be_used_again() {
    for (name, model, x) in models().into_iter().filter(|m| !m.0.starts_with("k3_stateful")) {
        let fresh = model.predict(&x).unwrap();
        let by_rows = || (!mixes_rows(&name)).then(|| model.predict_batches(&x, 1).unwrap());
        let row = by_rows();
        for _ in 0..2 {
            assert_eq!(model.predict(&x).unwrap(), fresh, "{name}");
            assert_eq!(by_rows(), row, "{name}");
        }
    }
}

#[test]
fn many_threads_are_as_one() {
    for (name, model, x) in models().into_iter().filter(|m| !m.0.starts_with("k3_stateful")) {
        let one = model.predict(&x).unwrap();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| [model.predict(&x).unwrap(), model.predict(&x).unwrap()]))
                .collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), [one.clone(), one.clone()], "{name}");
            }
        });
    }
}

/// Rows apart where that changes nothing; a layer that looks at all of them sees all of them.
#[test]
fn batches_are_split_where_rows_are_apart() {
    let config = |class: &str| {
        format!(
            r#"{{"class_name": "Sequential", "config": {{"name": "s", "layers": [
            {{"class_name": "InputLayer", "config": {{"batch_shape": [null, 1000], "name": "x"}}}},
            {{"class_name": "{class}", "config": {{"name": "layer"}}}}]}}}}"#
        )
    };
    // Room for a few rows of 4,000 bytes.
    let limits = Limits { memory: 50_000, ..Limits::default() };
    let loader = Loader::new().limits(limits).function("Centre", |ops, x| {
        let mean = ops.mean(x, &[0], true)?;
        ops.subtract(x, mean)
    });
    let x: Vec<f32> = (0..40_000_u16).map(f32::from).collect();
    let x = Tensor::new([40, 1000], x).unwrap();
    let model = loader.from_bytes(config("UnitNormalization")).unwrap();
    let y = model.predict(std::slice::from_ref(&x)).unwrap();
    assert_eq!(y[0].shape(), [40, 1000]);
    let centred = loader.from_bytes(config("Centre")).unwrap();
    let error = centred.predict(std::slice::from_ref(&x)).unwrap_err().to_string();
    assert!(error.contains("limit"), "{error}");
    let centred = loader.limits(Limits::default()).from_bytes(config("Centre")).unwrap();
    let how = Predict::new().memory(1);
    let y = centred.predict_with(std::slice::from_ref(&x), &how).unwrap();
    assert_eq!(y[0].as_slice::<f32>().unwrap()[0], -19_500.0);
    // Who asks for parts gets the mean of each, as in Keras.
    let y = centred.predict_batches(std::slice::from_ref(&x), 2).unwrap();
    assert_eq!(y[0].as_slice::<f32>().unwrap()[0], -500.0);
}
