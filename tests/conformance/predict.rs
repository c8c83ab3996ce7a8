//! `keras/` and `keras-old/`: what the program computes, beside what Keras computed.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use crate::npz::{self, NpzWriter};
use crate::{Tally, index, text, texts};

/// Keras's own cases.
pub(crate) fn run(folder: &Path, tally: &mut Tally) {
    for part in ["cases", "beyond"] {
        let folder = folder.join(part);
        for case in index(&folder).iter().filter(|c| c["needs_custom_objects"] != true) {
            let id = text(case, "id");
            let data = folder.join(format!("{id}.npz"));
            let tolerance = [case["rtol"].to_string(), case["atol"].to_string()];
            for format in
                texts(case, "formats").into_iter().filter(|f| matches!(*f, "h5" | "keras"))
            {
                let name = format!("{id}.{format}");
                judge(&name, &[folder.join(&name).into()], &data, &tolerance, tally);
            }
            for weights in texts(case, "weight_files") {
                let architecture = folder.join(text(case, "arch_file")).into();
                let model = [architecture, "--weights".into(), folder.join(weights).into()];
                judge(weights, &model, &data, &tolerance, tally);
            }
        }
    }
}

/// Files of old Keras, where a Lambda stands for no code of ours.
pub(crate) fn run_old(folder: &Path, tally: &mut Tally) {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("case.npz");
    for case in index(folder).iter().filter(|c| !text(c, "name").contains("lambda")) {
        let at = |key: &str| OsString::from(folder.join(text(case, key)));
        let mut npz = NpzWriter::new(File::create(&data).unwrap());
        for (name, array) in npz::read(&folder.join(text(case, "data"))).unwrap() {
            let name = name.replace("x_", "in").replace("pred_", "out");
            if name.starts_with("in") || name.starts_with("out") {
                npz.member(&name, &array.descr, &array.shape, &array.bytes).unwrap();
            }
        }
        npz.finish().unwrap();
        let mut model = match text(case, "kind") {
            "weights" => vec![at("architecture"), "--weights".into(), at("file")],
            _ => vec![at("file")],
        };
        model.extend(["--backend".into(), text(case, "backend").into()]);
        let tolerance = ["0".to_owned(), case["tolerance"]["predict_atol"].to_string()];
        judge(text(case, "id"), &model, &data, &tolerance, tally);
    }
}

/// `tolerance` is relative, then absolute.
fn judge(
    name: &str,
    model: &[OsString],
    data: &Path,
    [relative, absolute]: &[String; 2],
    tally: &mut Tally,
) {
    let output = Command::new(env!("CARGO_BIN_EXE_keras-model"))
        .arg("verify")
        .args(model)
        .arg("--case")
        .arg(data)
        .args(["--rtol", relative, "--atol", absolute])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if output.status.success() {
        tally.case(name, Ok(()));
    } else if said.contains("is not supported") {
        tally.unsupported += 1;
    } else {
        let wrong = said.lines().find(|l| !l.contains(": ok,")).unwrap_or_default();
        tally.case(name, Err(wrong.to_owned()));
    }
}
