//! The conformance corpus: files that nobody here wrote, and what Keras and h5py say of them.
//!
//! `CONFORMANCE_DIR` says where it is, `../shared/conformance` by default. Without the folder the
//! run says that it skipped; a case that fails fails the run.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and says what it did"
)]

#[allow(dead_code, reason = "the program's own: tests only read")]
#[path = "../../crates/cli/npz.rs"]
mod npz;

#[allow(dead_code, reason = "the program's own: tests only read")]
#[path = "../../crates/cli/arrays.rs"]
mod arrays;
mod custom;
#[allow(dead_code, reason = "the program's own, for its arrays")]
#[path = "../../crates/cli/error.rs"]
mod error;
mod evaluate_old;
mod hdf5;
mod keras;
mod keras_old;
mod losses_metrics;
mod predict;
mod training;
mod trajectories;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

/// What became of the cases of one folder.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
    /// Cases that need what is not there yet, and say so.
    unsupported: usize,
}

impl Tally {
    fn case(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(reason) => self.failed.push(format!("{name}: {reason}")),
        }
    }
}

/// Runs the cases of one folder.
type Run = fn(&Path, &mut Tally);

/// The folders of the corpus.
const RUNS: &[(&str, &str, Run)] = &[
    ("hdf5", "digests", hdf5::run),
    ("keras", "loading", keras::run),
    ("keras", "predictions", predict::run),
    ("keras", "predictions with the caller's code", custom::run),
    ("keras-old", "loading", keras_old::run),
    ("keras-old", "predictions", predict::run_old),
    ("keras-old", "predictions with the caller's code", custom::run_old),
    ("keras-old", "evaluate", evaluate_old::run),
    ("training", "loading", training::run),
    ("training", "losses and metrics", losses_metrics::run),
    ("training", "evaluate", trajectories::evaluate),
    ("training", "gradients of the first step", trajectories::gradients),
    ("training", "resumed steps", trajectories::steps),
];

fn main() -> ExitCode {
    let root = std::env::var_os("CONFORMANCE_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"),
        PathBuf::from,
    );
    let mut failed = false;
    // Words behind `--` choose among the runs.
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_chosen = |run: &str| words.is_empty() || words.iter().any(|word| run.contains(word));
    for (name, what, run) in
        RUNS.iter().filter(|(name, what, _)| is_chosen(&format!("{name}, {what}")))
    {
        let folder = root.join(name);
        if !folder.is_dir() {
            println!("{name}: skipped, there is no folder {}", folder.display());
            continue;
        }
        let mut tally = Tally::default();
        run(&folder, &mut tally);
        tally.failed.iter().for_each(|line| println!("{name}, {what}: FAILED {line}"));
        let Tally { passed, failed: wrong, unsupported } = &tally;
        let wrong = wrong.len();
        println!(
            "{name}, {what}: {passed} passed, {wrong} failed, {unsupported} not supported yet"
        );
        failed |= !tally.failed.is_empty() || tally.passed == 0;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The lines of an `index.jsonl`.
fn index(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("index.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

/// The strings of a list.
fn texts<'a>(case: &'a Value, key: &str) -> Vec<&'a str> {
    case[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// That the report has nothing against the model, or names what it needs.
fn usable(file: &keras_model::ModelFile, needs_custom_objects: bool) -> Result<(), String> {
    let report = file.check().map_err(|e| e.to_string())?;
    let unknown: Vec<_> = report.unknown.iter().filter(|u| u.is_error()).collect();
    match (needs_custom_objects, unknown.as_slice()) {
        (true, []) => Err("needs custom objects and names none".into()),
        (false, []) => match report.findings.iter().find(|f| f.is_error()) {
            Some(finding) => Err(finding.to_string()),
            None => Ok(()),
        },
        (true, _) => Ok(()),
        (false, [first, ..]) => Err(format!("unknown {} {:?}", first.kind, first.name)),
    }
}
