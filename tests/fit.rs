//! `keras-model fit`: a trained model is saved, and goes on where it stopped.

use std::path::Path;

use serde_json::Value;

use crate::support::npz::NpzWriter;
use crate::support::{error, fixture, keras_model, stdout};

/// Inputs and targets for `k3_mlp`.
fn samples(folder: &Path) -> [String; 2] {
    let write = |name: &str, array: &str, descr: &str, shape: &[usize], bytes: Vec<u8>| {
        let path = folder.join(name);
        let mut npz = NpzWriter::new(std::fs::File::create(&path).unwrap());
        npz.member(array, descr, shape, &bytes).unwrap();
        npz.finish().unwrap();
        path.display().to_string()
    };
    let numbers = (0..60_u16).map(|i| f32::from(i * 7 % 23) / 23.0);
    let x = write("x.npz", "in0", "<f4", &[10, 6], numbers.flat_map(f32::to_le_bytes).collect());
    let classes = (0..10).map(|i| i % 3);
    let y = write("y.npz", "out0", "<i4", &[10, 1], classes.flat_map(i32::to_le_bytes).collect());
    [x, y]
}

#[test]
fn trains_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let [x, y] = samples(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let fit = |model: &str, to: &str, more: &[&str]| {
        let given = ["fit", model, "--x", &x, "--y", &y, "-o", to, "--no-shuffle"];
        stdout(given.iter().chain(["--batch-size", "4"].iter()).chain(more))
    };
    let history = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
    };
    for format in ["keras", "h5"] {
        let start = fixture(format!("models/k3_mlp.{format}")).display().to_string();
        let [whole, half, end] = ["whole", "half", "end"].map(|n| path(&format!("{n}.{format}")));
        let lines = fit(&start, &whole, &["--epochs", "2", "--history", &path("whole.json")]);
        assert!(lines.starts_with("Epoch 1/2 - loss: ") && lines.contains("accuracy"), "{lines}");
        // The optimizer's state is in the file: two halves are the whole.
        fit(&start, &half, &["--history", &path("half.json")]);
        fit(&half, &end, &["--history", &path("end.json")]);
        let losses = |name: &str| history(name)["batch_loss"].as_array().unwrap().clone();
        assert_eq!([losses("half.json"), losses("end.json")].concat(), losses("whole.json"));
        assert_eq!(history("whole.json")["epochs"][1], history("end.json")["epochs"][0]);
        let digest = |file: &str| stdout(["weights", file, "--no-compile"]);
        assert_eq!(digest(&whole), digest(&end));
        assert_ne!(digest(&whole), digest(&start));
    }
}

#[test]
fn choices_reach_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let [x, y] = samples(folder.path());
    let model = fixture("models/k3_mlp.keras").display().to_string();
    let to = folder.path().join("out.keras").display().to_string();
    let given = ["fit", &model, "--x", &x, "--y", &y, "-o", &to];
    let lines = |more: &[&str]| stdout(given.iter().chain(more));
    assert!(lines(&["--validation-split", "0.3"]).contains(" - val_accuracy: "));
    assert_ne!(lines(&["--class-weight", r#"{"0": 5, "2": 0.1}"#]), lines(&[]));
    let again = ["--loss", "sparse_categorical_crossentropy", "--optimizer", "adam"];
    let again = [&again[..], &["--metrics", "accuracy,mse", "--learning-rate", "0.5"]].concat();
    assert!(lines(&again).contains(" - mse: "));
    let inspected = stdout(["inspect", &to]);
    assert!(inspected.contains("Adam"), "{inspected}");
    // What is wrong is said, and nothing is written.
    std::fs::remove_file(&to).unwrap();
    let said = error(given.iter().chain(&["--no-compile"]));
    assert!(said.contains("not compiled"), "{said}");
    let said = error(given.iter().chain(&["--loss", "nonsense"]));
    assert!(said.contains("nonsense"), "{said}");
    let usage = keras_model(given.iter().chain(&["--class-weight", "[1]"]));
    assert_eq!(usage.status.code(), Some(2));
    assert!(!Path::new(&to).exists());
}
