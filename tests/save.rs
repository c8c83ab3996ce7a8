//! Every fixture saved as everything: what comes back is what was there, and predicts the same.

use std::collections::BTreeSet;
use std::path::Path;

use keras_model::{Container, Loader, ModelFile, Saver, Weight};

use crate::support::{error, fixture, forms, keras_model, meta, stems};

/// Models that Keras 3 cannot have, or not in a `.keras` file, and what is said of them.
const REFUSED: &[(&str, &str)] = &[
    ("k122_gone_layers", r#"layer "MaxoutDense (the class)" at sequential/maxoutdense_1"#),
    ("k122_merge_graph", r#"layer "Merge (mode cos)" at merges/cos"#),
    ("k231_cnn", r#"layer "LocallyConnected2D (the class)" at cnn/local"#),
    ("k3_lora.h5", "save it as .h5"),
    ("tfk_more_ops", r#"operation "Matmul (it takes no argument transpose_b)""#),
    (
        "tfk_training",
        r#"layer "BatchNormalization (a call with training=True)" at training/always"#,
    ),
];

/// Optimizers whose state means something else in Keras 3: Nadam's product of momenta.
const LOST: &[&str] = &["k231_mlp"];

/// The fixtures with all that they need.
fn whole() -> impl Iterator<Item = (String, String, Vec<String>)> {
    let known = stems().into_iter().filter(|stem| meta(stem)["unknown"].is_null());
    known.flat_map(|stem| {
        forms(&stem).into_iter().map(move |(suffix, arguments)| (stem.clone(), suffix, arguments))
    })
}

fn refused(stem: &str, suffix: &str) -> Option<&'static str> {
    let is_it = |name: &str| name == stem || name == format!("{stem}{suffix}");
    REFUSED.iter().find(|(name, _)| is_it(name)).map(|(_, words)| *words)
}

fn convert(arguments: &[String], to: &Path) -> std::process::Output {
    let date = ["--date", "2026-01-31@12:00:00"].map(str::to_owned);
    let to = to.display().to_string();
    keras_model(["convert".to_owned()].iter().chain(arguments).chain([&to]).chain(&date))
}

fn verify(arguments: &[String], stem: &str, what: &str) {
    // Half precision has 11 bits: sums in another order differ by a unit of the last place.
    let half = matches!(stem, "k3_mixed_float16" | "tfk_mixed_float16");
    let rtol = if half { "2e-3" } else { "1e-4" };
    let case = fixture(format!("models/{stem}.npz")).display().to_string();
    let tolerance = ["--case", &case, "--rtol", rtol].map(str::to_owned);
    let output = keras_model(["verify".to_owned()].iter().chain(arguments).chain(&tolerance));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&said));
}

/// `convert` from each fixture to each kind of file, and from there to the others: all predict what
/// Keras predicted, and a file of ours saved again is the same, byte for byte.
#[test]
fn every_form_of_every_model_predicts_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let own = |name: &str| vec![path(name).display().to_string()];
    let mut saved = 0;
    for (stem, suffix, arguments) in whole() {
        let what = format!("{stem}{suffix}");
        let output = convert(&arguments, &path("a.keras"));
        if let Some(words) = refused(&stem, &suffix) {
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && said.contains(words), "{what}: {said}");
            continue;
        }
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{what}: {said}");
        assert_eq!(said.contains("lost: "), LOST.contains(&stem.as_str()), "{what}: {said}");
        for (from, to) in [
            (arguments, "b.h5"),
            (own("a.keras"), "c.keras"),
            (own("b.h5"), "d.h5"),
            (own("a.keras"), "e.json"),
            (own("a.keras"), "e.weights.h5"),
        ] {
            let output = convert(&from, &path(to));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{what} to {to}: {said}");
        }
        for [first, second] in [["a.keras", "c.keras"], ["b.h5", "d.h5"]] {
            let same = std::fs::read(path(first)).unwrap() == std::fs::read(path(second)).unwrap();
            assert!(same, "{what}: {second} is another file than {first}");
        }
        // A model that never saw an input cannot be run; vocabularies are in no file of weights.
        if stem == "k3_unbuilt" {
            continue;
        }
        verify(&own("a.keras"), &stem, &format!("{what} as .keras"));
        verify(&own("b.h5"), &stem, &format!("{what} as .h5"));
        let apart = [own("e.json"), vec!["--weights".into()], own("e.weights.h5")].concat();
        verify(&apart, &stem, &format!("{what} as .json and .weights.h5"));
        saved += 1;
    }
    assert!(saved > 80, "{saved}");
}

fn elements(weights: &[Weight]) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let one = |w: &Weight| {
        let name = format!("{} {}", w.layer.replace('/', "_"), w.name);
        (name, w.shape.clone(), w.bytes().unwrap().to_vec())
    };
    weights.iter().map(one).collect()
}

/// Names, shapes and elements of the weights and of the optimizer's state.
fn all_of(file: &ModelFile) -> BTreeSet<(String, Vec<usize>, Vec<u8>)> {
    let mut all: BTreeSet<_> = elements(&file.weights).into_iter().collect();
    for slot in file.optimizer_state.iter().flat_map(|state| &state.slots) {
        let (name, shape, bytes) = elements(std::slice::from_ref(&slot.weight)).remove(0);
        all.insert((format!("{} {name}", slot.slot), shape, bytes));
    }
    all
}

/// Layers, compile information, weights and optimizer state, bit for bit.
#[test]
fn nothing_changes_on_the_way() {
    for (stem, suffix, _) in whole().filter(|(_, suffix, _)| !suffix.contains("weights")) {
        if refused(&stem, &suffix).is_some() {
            continue;
        }
        let loader = Loader::new();
        let loader = if stem.starts_with("k122_th") { loader.backend("theano") } else { loader };
        let file = loader.load(fixture(format!("models/{stem}{suffix}"))).unwrap();
        for container in [Container::Keras, Container::WholeModelH5] {
            let what = format!("{stem}{suffix} as {container}");
            let saved = Saver::new().to_bytes(&file, container).unwrap();
            let again = Loader::new().from_bytes(saved.bytes).unwrap();
            assert!(!again.check().unwrap().is_error(), "{what}");
            if file.keras_version.as_ref().is_some_and(|v| v.starts_with('3')) {
                // Vocabularies are part of the config of an `.h5` file only.
                if container == Container::Keras || file.assets.is_empty() {
                    assert_eq!(again.root, file.root, "{what}");
                }
                assert_eq!(again.compile, file.compile, "{what}");
            }
            let (before, after) = (all_of(&file), all_of(&again));
            // Without momentum Keras 3 keeps nothing that older Keras kept.
            let missing: Vec<_> = before.difference(&after).map(|(name, ..)| name).collect();
            let is_old = file.keras_version.as_ref().is_none_or(|v| !v.starts_with('3'));
            assert!(missing.is_empty() || is_old, "{what} has lost {missing:?}");
            assert!(after.is_subset(&before), "{what}");
        }
    }
}

/// The file that a model comes from can be replaced by it; a save that fails leaves all as it was.
#[test]
fn files_are_replaced_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    std::fs::copy(fixture("models/k3_cnn.keras"), &path).unwrap();
    let model = Loader::new().load(&path).unwrap();
    let before = elements(&model.weights);
    model.save(&path).unwrap();
    // The old file is still mapped, the new one has the same weights.
    assert_eq!(elements(&model.weights), before);
    assert_eq!(elements(&Loader::new().load(&path).unwrap().weights), before);

    let bytes = std::fs::read(&path).unwrap();
    let old = Loader::new().load(fixture("models/k122_merge_graph.h5")).unwrap();
    old.save(&path).unwrap_err();
    Saver::new().overwrite(false).save(&model, &path).unwrap_err();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    model.save(folder.path().join("missing/model.keras")).unwrap_err();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// Weights in a `.keras` file lie so that they can be used where they are.
#[test]
fn weights_of_archives_are_aligned() {
    let model = Loader::new().load(fixture("models/k3_cnn.keras")).unwrap();
    let bytes = Saver::new().to_bytes(&model, Container::Keras).unwrap().bytes;
    let again = Loader::new().from_bytes(bytes).unwrap();
    let is_borrowed = |w: &Weight| matches!(w.to_f32().unwrap(), std::borrow::Cow::Borrowed(_));
    assert!(again.weights.iter().all(is_borrowed));
}

#[test]
fn convert_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| folder.path().join(name).display().to_string();
    let model = |name: &str| fixture(format!("models/{name}")).display().to_string();
    let said = error(["convert", &model("k3_mlp.h5"), &to("model.onnx")]);
    assert!(said.contains("the ending must be .keras, .h5, .weights.h5 or .json"), "{said}");
    let said = error(["convert", &model("k213_rnn_weights.json"), &to("model.keras")]);
    assert!(said.contains("has no weights"), "{said}");
    let said = error(["convert", &model("k3_custom.keras"), &to("model.keras")]);
    assert!(said.contains("custom_objects"), "{said}");
    std::fs::write(to("there.h5"), "").unwrap();
    let said = error(["convert", &model("k3_mlp.h5"), &to("there.h5"), "--keep"]);
    assert!(said.contains("is there already"), "{said}");
}

/// Weights alone, as Keras 2 kept them, and for other programs.
#[test]
fn weights_are_converted_alone() {
    let folder = tempfile::tempdir().unwrap();
    let to = |name: &str| folder.path().join(name).display().to_string();
    let model = fixture("models/k3_rnn.keras").display().to_string();
    for (output, option) in
        [("w.h5", Some("--weights-only")), ("w.safetensors", None), ("a.json", None)]
    {
        let output = to(output);
        let arguments = ["convert", &model, &output].into_iter().chain(option);
        assert!(keras_model(arguments).status.success());
    }
    let loader = Loader::new();
    let again = loader.load_with_weights(to("a.json"), to("w.h5")).unwrap();
    let first = loader.load(&model).unwrap();
    assert_eq!(elements(&again.weights), elements(&first.weights));
    assert_eq!(again.root, first.root);
    assert!(std::fs::metadata(to("w.safetensors")).unwrap().len() > 1000);
}
