//! Broken, hostile and foreign files: a clear line, exit code 1, never a panic.

use std::collections::BTreeSet;

use keras_model::{Error, load_model};

use crate::support::{error, fixture, keras_model};

/// The word by which `expected.tsv` calls an error.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::Io { .. } => "io",
        Error::NotKeras { .. } => "not-keras",
        Error::Hdf5 { source: hdf5_lite::Error::LimitExceeded { .. }, .. }
        | Error::LimitExceeded { .. } => "limit",
        Error::Hdf5 { .. } => "hdf5",
        Error::Zip(_) => "zip",
        Error::Json { .. } => "json",
        Error::Config { .. } | Error::Layer { .. } | Error::UnknownObjects(_) => "config",
        Error::Weights(_) => "weights",
        _ => "other",
    }
}

#[test]
fn each_file_fails_as_expected() {
    let table = std::fs::read_to_string(fixture("damaged/expected.tsv")).unwrap();
    let mut listed = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in table.lines().skip(1) {
        let [name, kinds, text] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        listed.insert(name.to_owned());
        let path = fixture(format!("damaged/{name}"));
        let arguments = ["check".as_ref(), path.as_os_str()];
        let output = keras_model(arguments);
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!stderr.contains("panicked"), "{name}: {stderr}");
        // Nothing predictions need is wrong: loaded, and the report names it.
        if kinds == "report" {
            let said = output.status.success() && stdout.contains(text);
            if !said || load_model(&path).is_err() {
                wrong.push(format!("{name}: {stdout}{stderr}"));
            }
            continue;
        }
        let found = load_model(&path).err();
        let found = found.as_ref().map_or("loaded", kind);
        let message = format!("{stdout}{stderr}");
        let says = text == "-" || message.to_lowercase().contains(&text.to_lowercase());
        if output.status.code() != Some(1) || !kinds.split('|').any(|k| k == found) || !says {
            wrong.push(format!("{name}: {found}, wanted {kinds} and {text:?}: {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let there: BTreeSet<String> = std::fs::read_dir(fixture("damaged"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "expected.tsv" && name != "README.md")
        .collect();
    assert_eq!(there, listed);
}

#[test]
fn what_is_no_file_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let text = error(["summary".as_ref(), folder.path().as_os_str()]);
    assert!(text.contains("a directory"), "{text}");
    let missing = folder.path().join("missing.h5");
    let text = error(["summary".as_ref(), missing.as_os_str()]);
    assert!(text.contains("missing.h5") && text.contains("No such file"), "{text}");
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_is_said_so() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret.h5");
    std::fs::write(&path, "x").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads everything.
    if std::fs::read(&path).is_ok() {
        return;
    }
    let text = error(["summary".as_ref(), path.as_os_str()]);
    assert!(text.contains("ermission denied"), "{text}");
}
