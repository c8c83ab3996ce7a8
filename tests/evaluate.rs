//! `keras-model evaluate`: names and values as Keras gives them, and what is said of wrong targets.

use std::fs::File;

use serde_json::Value;

use crate::support::npz::{self, NpzWriter};
use crate::support::{error, fixture, stdout};

/// Arrays of a case of `fixtures/training/` under the names that the program takes.
fn arrays(folder: &tempfile::TempDir, case: &str, from: &str, to: &str) -> String {
    let path = folder.path().join(format!("{case}_{to}.npz"));
    let mut npz = NpzWriter::new(File::create(&path).unwrap());
    let all = npz::read(&fixture(format!("training/{case}.npz"))).unwrap();
    for (number, array) in npz::numbered(all, from).into_iter().enumerate() {
        npz.member(&format!("{to}{number}"), &array.descr, &array.shape, &array.bytes).unwrap();
    }
    npz.finish().unwrap();
    path.display().to_string()
}

fn near(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| near(found, expected))
        }
        (found, expected) => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            (found - expected).abs() <= 1e-5 * expected.abs().max(1.0)
        }
    }
}

#[test]
fn evaluates_as_keras_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = |prefix: [&str; 2]| arrays(&folder, "several", prefix[0], prefix[1]);
    let (x, y, weights) = (path(["x", "in"]), path(["y", "out"]), path(["sw", "sw"]));
    let text = std::fs::read_to_string(fixture("training/several.json")).unwrap();
    let said: Value = serde_json::from_str(&text).unwrap();
    for format in ["keras", "h5"] {
        let model = fixture(format!("training/several.{format}")).display().to_string();
        let command = ["evaluate", &model, "--x", &x, "--y", &y, "--batch-size", "4"];
        for (more, expected) in
            [(vec![], "evaluate"), (vec!["--sample-weight", &weights], "weighted")]
        {
            let found = stdout(command.into_iter().chain(more).chain(["--json"]));
            let found: Value = serde_json::from_str(&found).unwrap();
            let (found, expected) =
                (found.as_object().unwrap(), said[expected].as_object().unwrap());
            assert_eq!(found.keys().next().unwrap(), "loss");
            assert_eq!(found.len(), expected.len());
            for (name, value) in expected {
                assert!(near(&found[name], value), "{name}: {} for {value}", found[name]);
            }
        }
        let lines = stdout(command);
        assert!(lines.starts_with("loss: ") && lines.contains("\nyes_auc: 0."), "{lines}");
    }
}

#[test]
fn says_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let x = arrays(&folder, "several", "x", "in");
    let few = arrays(&folder, "partial", "y", "out");
    let model = fixture("training/several.keras").display().to_string();
    let said = error(["evaluate", &model, "--x", &x, "--y", &few]);
    assert!(said.contains("4 outputs"), "{said}");
    let said = error(["evaluate", &model, "--x", &x, "--y", &x]);
    assert!(said.contains("has no array out0"), "{said}");
    let said = error(["evaluate", &model, "--x", &x, "--y", &few, "--no-compile"]);
    assert!(said.contains("targets") || said.contains("not compiled"), "{said}");
    let own = fixture("training/own.keras").display().to_string();
    let (x, y) = (arrays(&folder, "own", "x", "in"), arrays(&folder, "own", "y", "out"));
    let said = error(["evaluate", &own, "--x", &x, "--y", &y]);
    assert!(said.contains("own>pinball") && said.contains("Loader::loss"), "{said}");
}
