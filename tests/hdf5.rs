//! `keras-model h5`: what the commands print of the fixtures, held against h5py.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{error, fixture, keras_model, stdout};

fn h5(name: &str) -> String {
    fixture(format!("hdf5/{name}.h5")).display().to_string()
}

fn expected() -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(fixture("hdf5/expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The objects of a list in JSON by path.
fn by_path(text: &str) -> BTreeMap<String, Value> {
    let list: Vec<Value> = serde_json::from_str(text).unwrap();
    list.into_iter().map(|object| (object["path"].as_str().unwrap().to_owned(), object)).collect()
}

/// The values within lists, one by one.
fn flat(values: &Value) -> Vec<&Value> {
    match values.as_array() {
        Some(list) => list.iter().flat_map(flat).collect(),
        None => vec![values],
    }
}

/// A value as h5py showed it: numbers as Python prints a `float`, strings as they are.
#[expect(
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    reason = "equal is what they must be"
)]
fn assert_values(place: &str, found: &Value, expected: &Value) {
    let Some(expected) = expected.as_array() else { return };
    let found = if found.is_null() { Vec::new() } else { flat(found) };
    assert_eq!(found.len(), expected.len(), "{place}: {found:?}");
    for (found, expected) in found.into_iter().zip(expected) {
        let expected = expected.as_str().unwrap();
        let number = match found {
            Value::Number(number) => number.as_f64(),
            Value::Bool(value) => Some(f64::from(u8::from(*value))),
            // NaN and the infinities, or integers beyond 64 bits; or names of an enumeration.
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        match (number, expected.parse::<f64>()) {
            (Some(found), Ok(wanted)) => {
                // Of 32 bits, no more digits are shown than they have.
                let single = found as f32 == wanted as f32 && f64::from(wanted as f32) == wanted;
                let same = found == wanted || single || found.is_nan() && wanted.is_nan();
                assert!(same, "{place}: {found}, not {wanted}");
            }
            (None, Ok(_)) if found.is_string() => {} // the name of a number
            _ => assert_eq!(found.as_str(), Some(expected), "{place}"),
        }
    }
}

#[test]
fn dump_prints_what_h5py_reads() {
    for (name, file) in expected() {
        // Some have more elements than any screen.
        if name.starts_with("bombs") || name.starts_with("virtual_large") {
            continue;
        }
        let path = fixture(format!("hdf5/{name}")).display().to_string();
        let output = keras_model(["h5", "dump", "--json", "--all", &path]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let found = by_path(&String::from_utf8(output.stdout).unwrap());
        for (path, dataset) in file["datasets"].as_object().unwrap() {
            let object = &found[path];
            if object["kind"] != "dataset" {
                continue; // another path of an object that was shown
            }
            assert_eq!(object["shape"], dataset["shape"], "{name} {path}");
            assert_values(&format!("{name} {path}"), &object["values"], &dataset["values"]);
        }
        for (place, values) in file["attributes"].as_object().unwrap() {
            let (path, attribute) = place.split_once('@').unwrap();
            let found = &found[path]["attributes"][attribute]["value"];
            assert_values(&format!("{name} {place}"), found, values);
        }
    }
}

#[test]
fn dump_is_for_people() {
    let text = stdout(["h5", "dump", &h5("composites_new")]);
    for line in [
        "/array  [2, 2] of int32 [2]\n  (0): [0, 1, 2, 3], [4, 5, 6, 7]\n",
        "/bool  bool [2]\n  (0): TRUE, FALSE\n",
        "  (0): blue, red, green\n",
        "  (0): 0x010203\n",
        "  (0): (), (0), (0, 1)\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let text = stdout(["h5", "dump", &h5("references_new")]);
    assert!(text.contains("-> /target, -> null"), "{text}");
    assert!(text.contains("-> a region of /target"), "{text}");
    assert!(text.contains("  @a  int64 = 1\n  (0,0): 0, 1, 2, 3, 4\n  (1,0): 5"), "{text}");
}

#[test]
fn dump_selects() {
    let file = h5("filters_new");
    let text = stdout(["h5", "dump", &file, "deflate", "--slice", "::3,-2:"]);
    let rows = "  (0,5): 5, 6\n  (3,5): 26, 27\n  (6,5): 47, 48\n  (9,5): 68, 69\n";
    assert_eq!(text, format!("/deflate  int32 [10, 7]\n{rows}"));
    let text = stdout(["h5", "dump", "--header", &file, "deflate"]);
    assert_eq!(text, "/deflate  int32 [10, 7]\n");
    let text = error(["h5", "dump", &file, "deflate", "--slice", "99"]);
    assert!(text.contains("index 99 of an axis of 10"), "{text}");
    let text = error(["h5", "dump", &file, "nothing"]);
    assert!(text.contains("nothing"), "{text}");
    assert_eq!(keras_model(["h5", "dump", &file, "--slice", "0"]).status.code(), Some(2));
}

#[test]
fn dump_shows_a_part_of_large_data() {
    let file = h5("index_extensible_array_deep_new");
    let text = stdout(["h5", "dump", &file]);
    assert!(text.contains("... 39900 more elements"), "{text}");
    assert!(stdout(["h5", "dump", "--all", &file]).contains("(39"), "all of it");
    let text = stdout(["h5", "dump", &h5("bombs_new"), "declared"]);
    assert!(text.contains("more elements"), "{text}");
}

#[test]
fn ls_shows_structure_and_storage() {
    let text = stdout(["h5", "ls", &h5("links_old")]);
    for line in [
        "/  group\n",
        "  dangling  -> /nowhere\n",
        "  elsewhere  -> groups_new.h5:/a/b/c/d/x\n",
        "    data  int32 [3], contiguous, 12 B\n",
        "    up  = /\n",
        "  hard  = /g/data\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let flat = stdout(["h5", "ls", "--flat", &h5("links_old"), "g"]);
    assert!(flat.starts_with("/g  group\n/g/data  int32"), "{flat}");
    let text = stdout(["h5", "ls", &h5("filters_old")]);
    assert!(text.contains("deflate  int32 [10, 7], chunks [4, 4] x 6, deflate(4), "), "{text}");
    let text = stdout(["h5", "ls", "--attrs", &h5("attributes_old")]);
    assert!(text.contains("  @array  int32 [2, 3] = 0, 1, 2, 3, 4, 5\n"), "{text}");
    let json = by_path(&stdout(["h5", "ls", "--json", &h5("filters_old")]));
    assert_eq!(json["/deflate"]["filters"][0]["id"], 1);
    assert_eq!(json["/deflate"]["stored_chunks"], 6);
}

/// A dataset of 256 GiB is listed as quickly as any other.
#[test]
fn ls_reads_no_elements() {
    let text = stdout(["h5", "ls", &h5("bombs_old")]);
    assert!(text.contains("[274877906944]"), "{text}");
}

#[test]
fn diff_finds_no_difference_in_how_things_are_stored() {
    for stem in ["filters", "compounds", "references", "attributes", "groups", "layouts"] {
        let (old, new) = (h5(&format!("{stem}_old")), h5(&format!("{stem}_new")));
        assert_eq!(stdout(["h5", "diff", &old, &new]), "", "{stem}");
    }
}

#[test]
fn diff_lists_differences() {
    let (links, groups) = (h5("links_old"), h5("groups_old"));
    let output = keras_model(["h5", "diff", &links, &groups]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("/g/data: only in ") && text.contains("/empty: only in "), "{text}");

    // The 20 of 0, 1, 2, ... becomes another number.
    let bytes = std::fs::read(h5("references_old")).unwrap();
    let numbers: Vec<u8> = (0..20_i32).flat_map(i32::to_le_bytes).collect();
    let at = bytes.windows(numbers.len()).position(|part| part == numbers).unwrap();
    let mut changed = bytes;
    changed[at + 4 * 7] = 9;
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.h5").display().to_string();
    std::fs::write(&other, changed).unwrap();
    let output = keras_model(["h5", "diff", &h5("references_old"), &other]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "/target: 1 of 20 elements, first at [1, 2]: 7 and 9\n");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout(["h5", "diff", "--atol", "2", &h5("references_old"), &other]), "");
}

#[test]
fn check_names_what_is_damaged() {
    for name in expected().into_keys() {
        let text = stdout(["h5", "check", &fixture(format!("hdf5/{name}")).display().to_string()]);
        assert!(text.ends_with(": ok\n"), "{name}: {text}");
    }
    // One bit of one chunk, which only its checksum knows of.
    let list = by_path(&stdout(["h5", "dump", "--json", &h5("filters_old"), "fletcher32"]));
    assert_eq!(list["/fletcher32"]["values"][0][1], 1);
    let mut bytes = std::fs::read(h5("filters_old")).unwrap();
    let row: Vec<u8> = [0_i32, 1, 2, 3, 7, 8, 9, 10].iter().flat_map(|n| n.to_le_bytes()).collect();
    let at = bytes.windows(row.len()).position(|part| part == row).unwrap();
    bytes[at] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.h5").display().to_string();
    std::fs::write(&path, bytes).unwrap();
    let output = keras_model(["h5", "check", &path]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let line = "/fletcher32 chunk [0, 0]: filter fletcher32: ";
    assert!(text.contains(line) && text.contains(&format!("(at byte {at:#x})")), "{text}");
    assert!(text.ends_with(": 1 problem\n"), "{text}");
}

/// A header that lost its link is found by its signature.
#[test]
fn check_notes_orphans() {
    // A second `/empty` in the bytes after the end of the file: as if it had been deleted.
    let mut bytes = std::fs::read(h5("groups_new")).unwrap();
    let at = bytes.windows(4).rposition(|part| part == b"OHDR").unwrap();
    let header = bytes[at..].to_vec();
    let orphan = bytes.len();
    bytes.extend(header);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orphan.h5").display().to_string();
    std::fs::write(&path, bytes).unwrap();
    let text = stdout(["h5", "check", &path]);
    let note = format!("note: 1 object that no link leads to, at byte {orphan:#x}\n");
    assert!(text.starts_with(&note), "{text}");
}

/// Objects that cannot be read do not stop the others, and the exit code is 1.
#[test]
fn bad_objects_are_gone_over() {
    let mut bytes = std::fs::read(h5("groups_new")).unwrap();
    // The header of a group in a group: `OHDR` of the last object.
    let at = bytes.windows(4).rposition(|part| part == b"OHDR").unwrap();
    bytes[at + 4] = 77;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.h5").display().to_string();
    std::fs::write(&path, bytes).unwrap();
    for command in ["ls", "dump"] {
        let output = keras_model(["h5", command, &path]);
        let (text, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("error: ") && text.contains("empty"), "{text}");
        assert!(stderr.contains("1 object is not readable"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn digest_is_a_line_of_json_per_object() {
    let text = stdout(["h5", "digest", &h5("groups_old")]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["kind"], "file");
    assert!(lines.iter().any(|line| line["path"] == "/größe/層" && line["sha256"].is_string()));
    for stem in ["filters", "strings", "floats"] {
        // How values are stored makes no difference to their hashes.
        let hashes = |version: &str| -> Vec<Value> {
            let text = stdout(["h5", "digest", &h5(&format!("{stem}_{version}"))]);
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.map(|line| line["sha256"].clone()).collect()
        };
        assert_eq!(hashes("old"), hashes("new"), "{stem}");
    }
}
