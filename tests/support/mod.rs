//! What the tests share: the program, the fixtures, NumPy's files.

#[allow(dead_code, reason = "the program's own: tests only read")]
#[path = "../../crates/cli/npz.rs"]
pub(crate) mod npz;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A file or folder of `fixtures/`.
pub(crate) fn fixture(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// Runs the program that users run.
pub(crate) fn keras_model<S: AsRef<std::ffi::OsStr>>(
    arguments: impl IntoIterator<Item = S>,
) -> Output {
    Command::new(env!("CARGO_BIN_EXE_keras-model")).args(arguments).output().unwrap()
}

/// What it prints, when it must succeed.
pub(crate) fn stdout<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> String {
    let output = keras_model(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stderr, "");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line that it prints when it must fail, with exit code 1.
pub(crate) fn error<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> String {
    let output = keras_model(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

/// The stems of `fixtures/models/`.
pub(crate) fn stems() -> Vec<String> {
    let mut stems: Vec<String> = std::fs::read_dir(fixture("models"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.split('.').next().unwrap().to_owned())
        .collect();
    stems.sort();
    stems.dedup();
    stems
}

/// What the maker of a fixture says of it.
pub(crate) fn meta(stem: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(fixture(format!("models/{stem}.meta.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The arguments that name each form of a model: its file, or architecture and weights.
pub(crate) fn forms(stem: &str) -> Vec<(String, Vec<String>)> {
    let path = |suffix: &str| fixture(format!("models/{stem}{suffix}")).display().to_string();
    let meta = meta(stem);
    let suffixes = meta["files"].as_array().unwrap().iter().map(|s| s.as_str().unwrap());
    let mut forms = Vec::new();
    for suffix in suffixes.filter(|s| *s != ".json") {
        let mut arguments = if suffix.contains("weights") {
            vec![path(".json"), "--weights".to_owned(), path(suffix)]
        } else {
            vec![path(suffix)]
        };
        // Keras 1 does not say which backend wrote a file.
        if stem.starts_with("k122_th") {
            arguments.extend(["--backend".to_owned(), "theano".to_owned()]);
        }
        forms.push((suffix.to_owned(), arguments));
    }
    forms
}
