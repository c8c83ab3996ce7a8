//! `hdf5/`: HDF5 files of other people's software, and the digest that libhdf5 gave of each.
//!
//! The folder's README defines the digest and the rules. A file with an `.error` is one that
//! libhdf5 refused: the program must end by itself, in time and without a panic.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Tally;

/// A valid file is to be read in this time, by a build without optimization too.
const VALID: Duration = Duration::from_mins(1);
/// A malformed one in this.
const MALFORMED: Duration = Duration::from_secs(10);
/// Words for what the oracle could not do.
const NOT_COMPARED: [&str; 2] = ["unsupported", "error"];

pub(crate) fn run(folder: &Path, tally: &mut Tally) {
    let (files, expected) = (folder.join("files"), folder.join("expected"));
    for path in below(&files) {
        let name = path.strip_prefix(&files).unwrap().display().to_string();
        let of = |suffix: &str| expected.join(format!("{name}.{suffix}"));
        if let Ok(digest) = std::fs::read_to_string(of("jsonl")) {
            tally.case(&name, valid(&path, &digest));
        } else if of("error").exists() {
            tally.case(&name, end(&path, MALFORMED).map(|_| ()));
        }
    }
}

/// All files below `folder`, in order.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Runs the program to its end, which must be one of its own.
fn end(path: &Path, most: Duration) -> Result<Output, String> {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_keras-model"))
        .args(["h5", "digest"])
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    // A pipe that fills up would stop the program: threads read both.
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |pipe: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).map(|_| bytes).unwrap_or_default()
    };
    let (stdout, stderr) = std::thread::scope(|scope| {
        let out = scope.spawn(|| read(&mut out));
        let err = scope.spawn(|| read(&mut err));
        while start.elapsed() < most && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = child.kill(); // no harm if it has ended
        (out.join().unwrap(), err.join().unwrap())
    });
    let status = child.wait().map_err(|e| e.to_string())?;
    let output = Output { status, stdout, stderr };
    let message = String::from_utf8_lossy(&output.stderr);
    match status.code() {
        None if start.elapsed() >= most => Err(format!("not done after {most:?}")),
        None => Err(format!("{status}")),
        Some(101 | 128..) => Err(format!("{status}: {message}")),
        Some(_) if message.contains("panicked at") => Err(message.into_owned()),
        Some(_) => Ok(output),
    }
}

type Digest = BTreeMap<String, Value>;

fn digest(text: &str) -> Result<Digest, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let object: Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
            // The first line has no path.
            Ok((object["path"].as_str().unwrap_or_default().to_owned(), object))
        })
        .collect()
}

fn valid(path: &Path, expected: &str) -> Result<(), String> {
    let expected = digest(expected)?;
    let output = end(path, VALID)?;
    let found = digest(&String::from_utf8_lossy(&output.stdout))?;
    let bad: Vec<&String> =
        expected.iter().filter(|(_, object)| object["kind"] == "error").map(|(p, _)| p).collect();
    if bad.is_empty() && !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let excused = |path: &str| {
        bad.iter().any(|bad| {
            let below = path.strip_prefix(bad.trim_end_matches('/'));
            path == *bad || below.is_some_and(|rest| rest.starts_with('/'))
        })
    };
    for (path, object) in &expected {
        if object["kind"] == "error" {
            continue;
        }
        let found = found.get(path).ok_or_else(|| format!("{path} is missing"))?;
        if object["kind"] == "hardlink" && excused(object["target"].as_str().unwrap_or_default()) {
            continue;
        }
        // Fields that are not in the definition are the program's own.
        for (key, value) in object.as_object().into_iter().flatten() {
            same(value, found.get(key), key).map_err(|reason| format!("{path}: {reason}"))?;
        }
    }
    match found.keys().find(|path| !expected.contains_key(*path) && !excused(path)) {
        Some(path) => Err(format!("{path} is not in the file")),
        None => Ok(()),
    }
}

fn same(expected: &Value, found: Option<&Value>, place: &str) -> Result<(), String> {
    if expected.as_str().is_some_and(|word| NOT_COMPARED.contains(&word)) {
        return Ok(());
    }
    match (expected, found) {
        (Value::Object(expected), Some(Value::Object(found))) => {
            for (key, value) in expected {
                same(value, found.get(key), &format!("{place}.{key}"))?;
            }
            match found.keys().find(|key| !expected.contains_key(*key)) {
                Some(key) => Err(format!("{place}.{key} is not in the file")),
                None => Ok(()),
            }
        }
        (Value::Array(expected), Some(Value::Array(found))) if expected.len() == found.len() => {
            let mut pairs = expected.iter().zip(found);
            pairs.try_for_each(|(expected, found)| same(expected, Some(found), place))
        }
        (expected, Some(found)) if expected == found => Ok(()),
        (expected, found) => {
            let found = found.map_or_else(|| "nothing".into(), Value::to_string);
            Err(format!("{place}: {found}, expected {expected}"))
        }
    }
}
