//! The command line: help, exit codes, what each command prints.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{error, fixture, keras_model, stdout};

fn model(name: &str) -> String {
    fixture(format!("models/{name}")).display().to_string()
}

#[test]
fn every_command_has_help() {
    let help = stdout(["--help"]);
    for command in ["summary", "check", "inspect", "weights", "convert", "h5"] {
        assert!(help.contains(command), "{help}");
        assert!(stdout([command, "--help"]).contains("Usage"), "{command}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    assert_eq!(keras_model(["summary"]).status.code(), Some(2));
    assert_eq!(keras_model(["no-such-command"]).status.code(), Some(2));
}

#[test]
fn inspect_gives_everything_as_json() {
    let file = model("k3_multi_io.keras");
    let json: Value = serde_json::from_str(&stdout(["inspect", "--json", &file])).unwrap();
    assert_eq!(json["container"], "Keras");
    assert!(json["inputs"].as_array().unwrap().len() > 1);
    assert!(json["weights"].as_array().unwrap().len() > 1);
    assert!(json["model"]["config"]["layers"].as_array().unwrap().len() > 3);
    let text = stdout(["inspect", &file]);
    assert!(text.contains("input  ") && text.contains("weights "), "{text}");
}

#[test]
fn check_prints_a_report_as_text_and_json() {
    let file = model("k231_mlp.h5");
    let text = stdout(["check", &file]);
    assert!(text.contains("Keras 2.3.1") && text.ends_with("ok\n"), "{text}");
    let json: Value = serde_json::from_str(&stdout(["check", "--json", &file])).unwrap();
    assert!(!json["rewrites"].as_array().unwrap().is_empty());
}

#[test]
fn weights_are_listed_and_exported() {
    let file = model("k3_mlp.keras");
    let text = stdout(["weights", &file]);
    assert!(text.contains("kernel") && text.contains("float32"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    stdout(["weights", &file, "--export", path.to_str().unwrap()]);
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let listed: Vec<Value> = serde_json::from_str(&stdout(["weights", "--json", &file])).unwrap();
    assert_eq!(tensors.names().len(), listed.len());
    for weight in listed {
        let tensor = tensors.tensor(weight["path"].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::json!(tensor.shape()), weight["shape"]);
    }
    let text = error(["weights", &file, "--export", "w.csv"]);
    assert!(text.contains(".npz or .safetensors"), "{text}");
}

#[test]
fn a_weights_file_alone_is_listed() {
    let text = stdout(["weights", &model("k3_weights.weights.h5")]);
    assert!(text.contains("vars/0"), "{text}");
    let text = error(["summary", &model("k3_weights.weights.h5")]);
    assert!(text.contains("architecture"), "{text}");
}

#[test]
fn custom_objects_stand_for_what_is_not_there() {
    let file = model("k3_lambda.keras");
    assert_eq!(keras_model(["check", &file]).status.code(), Some(1));
    let text = stdout(["check", &file, "--custom", "<lambda>=relu"]);
    assert!(text.ends_with("ok\n"), "{text}");
    let text = error(["check", &file, "--custom", "<lambda>=nothing"]);
    assert!(text.contains("nothing"), "{text}");
}

/// A reader that has seen enough is no error.
#[test]
fn a_closed_pipe_ends_quietly() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_keras-model"))
        .args(["inspect", "--json", &model("k3_transformer.keras")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}

#[test]
fn h5_ls_shows_the_tree() {
    let text = stdout(["h5", "ls", &model("k3_mlp.h5")]);
    assert!(text.contains("model_weights") && text.contains("kernel"), "{text}");
}
