//! Every layer class: beside the numbers that Keras gives, and the table of all in `LAYERS.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use keras_runtime::keras_model::layers::CLASSES;
use keras_runtime::keras_model::{self, Kind, Layer};
use keras_runtime::{Error, Loader, Model, Predict, Result, Tensor};

use crate::cases::{self, Case};
use crate::gradients;
use crate::support::{difference, fixture, gradient_values, layer_values, numbers};

/// Arrays of the cases of `layers.npz` and `gradients.npz`.
struct Values {
    layers: BTreeMap<String, Vec<Tensor>>,
    gradients: BTreeMap<String, Tensor>,
}

/// What the cases of a class came to.
#[derive(Default)]
struct Row {
    cases: usize,
    /// By the file that names them.
    weights: BTreeMap<&'static str, BTreeSet<String>>,
    /// Cases whose numbers are Keras's.
    right: usize,
    /// Cases that run; what they should give nobody wrote down.
    run: usize,
    /// What is not computed.
    refused: BTreeSet<String>,
    wrong: Vec<String>,
    /// Whether training differs from inference, if it is computed.
    training: BTreeSet<&'static str>,
    gradient: Gradient,
    models: BTreeSet<String>,
}

/// What the gradients of the cases of a class came to.
#[derive(Default)]
struct Gradient {
    /// Cases whose gradients are Keras's.
    right: usize,
    /// Cases that have some; what they should be nobody wrote down.
    run: usize,
    /// Cases where nothing depends smoothly on anything.
    none: usize,
    /// Why a case has none.
    refused: BTreeSet<String>,
}

impl Row {
    fn add(&mut self, case: &Case, values: &Values) {
        self.cases += 1;
        for weight in case.recorded["weights"].as_array().into_iter().flatten() {
            let path = weight[0].as_str().unwrap().trim_end_matches(":0");
            let name = path.rsplit('/').next().unwrap();
            // Keras 1 puts the layer's name before: `dense_1_W`.
            let layer = case.recorded["object"]["config"]["name"].as_str().unwrap_or_default();
            let name = name.strip_prefix(&format!("{layer}_")).unwrap_or(name);
            self.weights.entry(case.file).or_default().insert(name.to_owned());
        }
        let of = |kind: &str| {
            let values = values.layers.get(&format!("{}/{kind}", case.name()));
            values.filter(|_| case.file == "layers.json").cloned().unwrap_or_default()
        };
        let (config, zeros) = case.model();
        let expected = of("out");
        let inputs = if expected.is_empty() { zeros } else { of("in") };
        let run = || -> Result<_> {
            let mut model = Loader::new().from_bytes(config.to_string())?;
            if !expected.is_empty() {
                model.set_weights(of("w"))?;
            }
            let trained = model.predict_with(&inputs, &Predict::new().training(true));
            Ok((model.predict(&inputs)?, trained, model))
        };
        match run() {
            Ok((found, trained, model)) => {
                self.add_gradient(case, &model, &inputs, &found, &values.gradients);
                self.training.insert(match trained {
                    Ok(trained) if difference(&trained, &found, 0.0).is_none() => "as inference",
                    Ok(_) => "computed",
                    Err(_) => "error",
                });
                match difference(&found, &expected, tolerance(case)) {
                    _ if expected.is_empty() => self.run += 1,
                    None => self.right += 1,
                    Some(reason) => self.wrong.push(format!("{}: {reason}", case.name())),
                }
            }
            Err(Error::Unsupported { what, .. }) => {
                self.refused.insert(what);
            }
            Err(Error::Model(keras_model::Error::UnknownObjects(_))) => {
                self.refused.insert("without the caller's code".to_owned());
            }
            // Zeros may be no input for it, or its table is in a file's assets.
            Err(_) if expected.is_empty() => {}
            Err(error) => self.wrong.push(format!("{}: {error}", case.name())),
        }
    }

    /// The gradients for outputs of these shapes.
    fn add_gradient(
        &mut self,
        case: &Case,
        model: &Model,
        inputs: &[Tensor],
        y: &[Tensor],
        values: &BTreeMap<String, Tensor>,
    ) {
        for (kind, training) in [("", false), ("/training", true)] {
            let expected = values.get(&format!("{}{kind}", case.name()));
            let expected = expected.filter(|_| case.file == "layers.json");
            if training && expected.is_none() {
                continue;
            }
            match (gradients::gradients(model, inputs, y, training), expected) {
                (Ok(found), Some(expected)) => {
                    let tolerance = 5.0 * tolerance(case);
                    match gradients::difference(&found, inputs, &numbers(expected), tolerance) {
                        None => self.gradient.right += 1,
                        Some(reason) => {
                            self.wrong.push(format!("{}{kind}, gradient: {reason}", case.name()));
                        }
                    }
                }
                (Ok(found), None) => {
                    let weights = found.weights.iter().map(|w| &w.gradient);
                    let any = found.inputs.iter().chain(weights).any(Option::is_some);
                    *if any { &mut self.gradient.run } else { &mut self.gradient.none } += 1;
                }
                // The column before says it.
                (Err(Error::Unsupported { .. }), _) if training => {}
                (Err(Error::Unsupported { what, .. }), _) => {
                    self.gradient.refused.insert(what);
                }
                (Err(Error::Op { op, reason }), _) if reason == "has no gradient" => {
                    self.gradient.refused.insert(op.to_owned());
                }
                (Err(error), _) => {
                    self.wrong.push(format!("{}{kind}, gradient: {error}", case.name()));
                }
            }
        }
    }

    fn cells(&self, class: &str) -> String {
        let list = |items: &mut dyn Iterator<Item = &String>| -> String {
            let items: Vec<String> = items.map(|w| format!("`{w}`")).collect();
            if items.is_empty() { "–".to_owned() } else { items.join(" ") }
        };
        let weights = self.weights.get("layers.json").or(self.weights.values().next_back());
        let weights = list(&mut weights.into_iter().flatten());
        let mut inference = match (self.right, self.run) {
            (0, 0) => "–".to_owned(),
            (0, run) => format!("runs ({run})"),
            (right, _) => format!("Keras's numbers ({right})"),
        };
        if !self.refused.is_empty() {
            let refused: Vec<&str> = self.refused.iter().map(String::as_str).collect();
            write!(inference, "; not {}", refused.join(", ")).unwrap();
        }
        let training: Vec<&str> = self.training.iter().copied().collect();
        let training = if training.contains(&"computed") {
            "computed".to_owned()
        } else if training.is_empty() {
            "–".to_owned()
        } else {
            training.join(", ")
        };
        let gradient = self.gradient.cell();
        let models = list(&mut self.models.iter().take(3));
        format!(
            "| `{class}` | {} | {weights} | {inference} | {training} | {gradient} | {models} |",
            self.cases
        )
    }
}

impl Gradient {
    fn cell(&self) -> String {
        let mut cell = match (self.right, self.run, self.none) {
            (0, 0, 0) => "–".to_owned(),
            (0, 0, _) => "none".to_owned(),
            (0, run, _) => format!("runs ({run})"),
            (right, ..) => format!("Keras's numbers ({right})"),
        };
        if !self.refused.is_empty() {
            let refused: Vec<&str> = self.refused.iter().map(String::as_str).collect();
            write!(cell, "; not {}", refused.join(", ")).unwrap();
        }
        cell
    }
}

fn tolerance(case: &Case) -> f64 {
    let outputs = case.recorded["outputs"].to_string();
    // Half precision has 11 and 8 bits: sums in another order differ by a unit of the last place.
    match outputs {
        o if o.contains("bfloat16") => 2e-2,
        o if o.contains("float16") => 2e-3,
        _ => 2e-5,
    }
}

/// The classes of all layers of a model.
fn classes(layer: &Layer, into: &mut BTreeSet<String>) {
    into.insert(layer.base.class.clone());
    layer.kind.config().sublayers().iter().for_each(|(_, l)| classes(l, into));
    if let Kind::Model(model) = &layer.kind {
        model.layers.iter().for_each(|l| classes(l, into));
    }
}

fn rows() -> &'static BTreeMap<&'static str, Row> {
    static ROWS: OnceLock<BTreeMap<&'static str, Row>> = OnceLock::new();
    ROWS.get_or_init(make_rows)
}

fn make_rows() -> BTreeMap<&'static str, Row> {
    let mut rows: BTreeMap<&'static str, Row> =
        CLASSES.iter().map(|c| (*c, Row::default())).collect();
    let values = Values { layers: layer_values(), gradients: gradient_values() };
    for case in cases::all() {
        if let Some(row) = rows.get_mut(case.class().as_str()) {
            row.add(&case, &values);
        }
    }
    for entry in std::fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (stem, suffix) = name.split_once('.').unwrap();
        if !matches!(suffix, "h5" | "keras" | "json") {
            continue;
        }
        let mut held = BTreeSet::new();
        classes(&keras_model::Loader::new().inspect(&path).unwrap().root, &mut held);
        for class in held {
            if let Some(row) = rows.get_mut(class.as_str()) {
                row.models.insert(stem.to_owned());
            }
        }
    }
    rows
}

const HEAD: &str = "\
# Layers

Every layer class that `keras-model` reads, and what is known of it here. A test writes this table
(`UPDATE_LAYERS=1 cargo test -p keras-runtime --test tests layers::`), and fails if it is another one.

- *config*: cases of `fixtures/layers*.json`, by real Keras, whose config, shapes and weights are read as Keras has them.
- *weights*: their names in Keras 3, else in the last Keras that had the class.
- *inference*: cases of these whose numbers are Keras's (`fixtures/layers.npz`), with random weights; or that just run.
  What is not computed is an error that says so.
- *training*: what `Predict::training(true)` does: as inference, computed as Keras does, or an error.
- *gradient*: cases whose gradients by inputs and weights are Keras's (`fixtures/gradients.npz`), some with training's own;
  or that just have some; or that none can have: whole numbers or texts go in, or come out.
- *models*: some of `fixtures/models/` that hold the class; their outputs are compared with Keras's as well.

| class | config | weights | inference | training | gradient | models |
|---|---|---|---|---|---|---|
";

/// The numbers of every class are Keras's, and the table says what there is.
#[test]
fn numbers_are_keras_s_and_the_table_is_true() {
    let rows = rows();
    let wrong: Vec<String> = rows
        .iter()
        .flat_map(|(class, row)| row.wrong.iter().map(move |reason| format!("{class}, {reason}")))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let right: usize = rows.values().map(|row| row.right).sum();
    assert!(right > 600, "{right}");
    let mut table = HEAD.to_owned();
    for (class, row) in rows {
        writeln!(table, "{}", row.cells(class)).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("LAYERS.md");
    if std::env::var_os("UPDATE_LAYERS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let line = written.lines().zip(table.lines()).find(|(a, b)| a != b);
    assert!(written == table, "LAYERS.md is old: {line:?} (UPDATE_LAYERS=1 writes it)");
}

/// Each class is lowered: the `match` in `lower/` has no other arm, so what is left are those that
/// refuse, and they are named here.
#[test]
fn every_class_has_a_lowering() {
    let refuse: BTreeSet<&str> = rows()
        .iter()
        .filter(|(_, row)| row.right + row.run == 0 && row.models.is_empty())
        .map(|(class, _)| *class)
        .collect();
    // A cell of `ConvRNN2D`, which runs.
    assert_eq!(refuse, BTreeSet::from(["ConvLSTM2DCell"]));
}
