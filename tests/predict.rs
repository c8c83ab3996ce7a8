//! `keras-model predict`: every kind of input and output, and what is said of wrong ones.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{error, fixture, keras_model, npz, stdout};

fn model(name: &str) -> String {
    fixture(format!("models/{name}")).display().to_string()
}

fn path(folder: &tempfile::TempDir, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The architecture of a model that gives its input back.
fn identity(folder: &tempfile::TempDir, shape: &[Option<usize>], dtype: &str) -> String {
    let batch: Vec<Option<usize>> = [&[None], shape].concat();
    let layers = json!([
        {"class_name": "InputLayer", "config": {"batch_shape": batch, "dtype": dtype, "name": "x"}},
        {"class_name": "Identity", "config": {"name": "same", "dtype": "float32"}},
    ]);
    let config = json!({"name": "identity", "layers": layers});
    let text = json!({"class_name": "Sequential", "module": "keras", "config": config}).to_string();
    path(folder, &format!("identity_{}.json", shape.len()), text)
}

/// `out0` of a prediction.
fn out0<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Value {
    let arguments = arguments.into_iter().map(|a| a.as_ref().to_owned());
    let text = stdout(arguments.chain(["--output".into(), "-".into()]));
    serde_json::from_str::<Value>(&text).unwrap()["out0"].clone()
}

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn near(found: &Value, expected: &Value, limit: f64) {
    let (found, expected) = (flat(found), flat(expected));
    assert_eq!(found.len(), expected.len());
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!((a - b).abs() <= limit, "{i}: {a} for {b}");
    }
}

fn floats(array: &npz::Array) -> Vec<f64> {
    let (chunks, _) = array.bytes.as_chunks::<4>();
    chunks.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
}

/// The same outputs in each form.
#[test]
fn outputs_are_the_same_in_every_form() {
    let (model, case) = (model("k3_mlp.keras"), model("k3_mlp.npz"));
    let expected = out0(["predict", &model, "--input", &case]);
    let arrays = npz::read(&fixture("models/k3_mlp.npz")).unwrap();
    near(&expected, &json!(floats(&npz::numbered(arrays, "out")[0])), 1e-6);
    let folder = tempfile::tempdir().unwrap();
    for name in ["y.npz", "y.npy", "y.csv", "y.json"] {
        let output = folder.path().join(name).display().to_string();
        assert_eq!(stdout(["predict", &model, "--input", &case, "--output", &output]), "");
        let bytes = std::fs::read(&output).unwrap();
        let found = match name {
            "y.npz" => json!(floats(&npz::read(Path::new(&output)).unwrap()[0].1)),
            "y.npy" => json!(floats(&npz::npy(&bytes).unwrap())),
            "y.json" => serde_json::from_slice::<Value>(&bytes).unwrap()["out0"].clone(),
            _ => {
                let text = String::from_utf8(bytes).unwrap();
                assert!(text.starts_with("out0_0,out0_1,out0_2\n"), "{text}");
                let rows = text.lines().skip(1);
                rows.flat_map(|l| l.split(',').map(|n| n.parse::<f64>().unwrap())).collect()
            }
        };
        // The texts hold the digits that float32 needs, the arrays all that float64 has of them.
        near(&found, &expected, 1e-7);
    }
    let text = stdout(["predict", &model, "--input", &case]);
    assert!(text.starts_with("out0 float32 [4, 3]\n[[0.202167 0.447319 0.350514]\n"), "{text}");
}

/// A table is read with and without names, from a file and from standard input.
#[test]
fn tables_become_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let model = identity(&folder, &[Some(2), Some(2)], "float32");
    let expected = json!([[[1.0, 2.0], [3.0, 4.5]], [[5.0, 6.0], [7.0, 8.0]]]);
    let rows = "1,2,3,4.5\n5,6,7,8\n";
    for text in
        [rows.to_owned(), format!("a,b,c,d\r\n{rows}"), format!("\u{feff}a,b,c,\"d\"\n{rows}")]
    {
        let file = path(&folder, "x.csv", &text);
        near(&out0(["predict", &model, "--input", &file]), &expected, 0.0);
    }
    let file = path(&folder, "x.tsv", rows.replace(',', "\t"));
    near(&out0(["predict", &model, "--input", &file]), &expected, 0.0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_keras-model"))
        .args(["predict", &model, "--input", "-", "--output", "-", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(rows.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, format!("out0_0,out0_1,out0_2,out0_3\n{rows}"));
}

/// An unknown length is what the columns leave for it.
#[test]
fn a_free_axis_takes_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let model = identity(&folder, &[None, Some(2)], "float32");
    let file = path(&folder, "x.csv", "1,2,3,4,5,6\n");
    assert_eq!(
        out0(["predict", &model, "--input", &file]).as_array().unwrap()[0]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let file = path(&folder, "y.csv", "1,2,3\n");
    let text = error(["predict", &model, "--input", &file]);
    assert!(text.contains("3 columns do not fit input \"x\" of shape (None, None, 2)"), "{text}");
}

/// Texts and words: one a line, or a field of a table.
#[test]
fn texts_become_inputs() {
    let (folder, model) = (tempfile::tempdir().unwrap(), model("k3_text.keras"));
    let lines = path(&folder, "x.txt", "the cat, sat\non the mat\n");
    let table = path(&folder, "x.csv", "line\n\"the cat, sat\"\non the mat\n");
    let expected = out0(["predict", &model, "--input", &lines]);
    assert_eq!(expected.as_array().unwrap().len(), 2);
    near(&out0(["predict", &model, "--input", &table]), &expected, 0.0);
    let wrong = path(&folder, "y.csv", "on the mat\nthe cat, sat\n");
    let text = error(["predict", &model, "--input", &wrong]);
    assert!(
        text.contains("row 2 has 2 fields, the first one 1") && text.contains(".txt"),
        "{text}"
    );
}

/// Several inputs: an archive, files with names, files in order, columns of one table.
#[test]
fn several_inputs_have_several_ways() {
    let (folder, model) = (tempfile::tempdir().unwrap(), model("k3_multi_io.keras"));
    let case = fixture("models/k3_multi_io.npz");
    let expected = out0(["predict", &model, "--input", case.to_str().unwrap()]);
    let arrays = npz::numbered(npz::read(&case).unwrap(), "in");
    let table = |array: &npz::Array| {
        let width = array.shape[1];
        let rows = floats(array);
        let rows = rows.chunks(width).map(|r| r.iter().map(f64::to_string).collect::<Vec<_>>());
        rows.collect::<Vec<_>>()
    };
    let text = |rows: &[Vec<String>]| rows.iter().map(|r| r.join(",") + "\n").collect::<String>();
    let parts = [table(&arrays[0]), table(&arrays[1])];
    let files = [path(&folder, "a.csv", text(&parts[0])), path(&folder, "b.csv", text(&parts[1]))];
    let (first, second) = (format!("text={}", files[0]), format!("number={}", files[1]));
    near(&out0(["predict", &model, "--input", &second, "--input", &first]), &expected, 1e-6);
    near(&out0(["predict", &model, "--input", &files[0], "--input", &files[1]]), &expected, 1e-6);
    let both: Vec<_> =
        parts[0].iter().zip(&parts[1]).map(|(a, b)| [&a[..], &b[..]].concat()).collect();
    let all = path(&folder, "all.csv", text(&both));
    near(&out0(["predict", &model, "--input", &all]), &expected, 1e-6);
    // What does not add up says what is wanted.
    let message = error(["predict", &model, "--input", &files[0]]);
    assert!(
        message.contains("5 columns do not fit the 2 inputs") && message.contains("text, number"),
        "{message}"
    );
    let message = error(["predict", &model, "--input", &first, "--input", &first]);
    assert!(message.contains("the model has 2 inputs (text, number)"), "{message}");
    let message = error([
        "predict", &model, "--input", &files[0], "--input", &files[0], "--input", &files[1],
    ]);
    assert!(message.contains("--input NAME=FILE"), "{message}");
}

/// Pictures are what `load_img` and `img_to_array` give.
#[test]
fn pictures_are_keras_s() {
    let folder = tempfile::tempdir().unwrap();
    let arrays = npz::read(&fixture("images/arrays.npz")).unwrap();
    let mut checked = 0;
    for (name, array) in &arrays {
        let mut words = name.split(' ');
        let (file, how) = (words.next().unwrap(), words.next().unwrap());
        let file = fixture(format!("images/{file}")).display().to_string();
        let shape: Vec<_> = array.shape.iter().map(|n| Some(*n)).collect();
        let model = identity(&folder, &shape, "float32");
        let mut arguments = vec!["predict", &model, "--input", &file];
        match how {
            "nearest" | "bilinear" | "bicubic" | "lanczos" => arguments.extend(["--resize", how]),
            "tf" | "torch" | "caffe" => arguments.extend(["--preprocess", how]),
            _ => {}
        }
        // A JPEG may be decoded with other roundings; Pillow counts weights in whole numbers.
        let limit = match how {
            "bilinear" | "bicubic" | "lanczos" => 1.0,
            _ if name.contains(".jpg") => 2.0,
            _ => 1e-4,
        };
        near(&out0(arguments), &json!(floats(array)), limit);
        checked += 1;
    }
    assert_eq!(checked, 26);
}

/// A folder is a batch; channels may be first, and absent; sizes may be free.
#[test]
fn pictures_come_in_batches_of_any_layout() {
    let folder = tempfile::tempdir().unwrap();
    let picture = |name: &str| fixture(format!("images/{name}")).display().to_string();
    let images = fixture("images").display().to_string();
    let batch = |file: &str, shape: &[Option<usize>]| {
        out0(["predict", &identity(&folder, shape, "float32"), "--input", file])
    };
    let all = batch(&images, &[Some(4), Some(4), Some(3)]);
    assert_eq!(all.as_array().unwrap().len(), 5);
    let last = flat(&batch(&picture("colour.png"), &[None, None, Some(3)]));
    let first = flat(&batch(&picture("colour.png"), &[Some(3), Some(11), Some(14)]));
    let turned: Vec<f64> = (0..3).flat_map(|c| last.iter().skip(c).step_by(3).copied()).collect();
    assert_eq!(first, turned);
    assert_eq!(flat(&batch(&picture("grey.png"), &[Some(11), Some(14)])).len(), 11 * 14);
    let scaled = identity(&folder, &[None, None, Some(3)], "float32");
    let found = out0(["predict", &scaled, "--input", &picture("colour.png"), "--scale", "1/255"]);
    let expected: Vec<f64> = last.iter().map(|v| v / 255.0).collect();
    near(&found, &json!(expected), 1e-6);
}

/// The likeliest classes, named.
#[test]
fn top_names_classes() {
    let (folder, model, case) =
        (tempfile::tempdir().unwrap(), model("k3_mlp.keras"), model("k3_mlp.npz"));
    let labels = path(&folder, "labels.txt", "ant\nbee\ncow\n");
    let text = stdout(["predict", &model, "--input", &case, "--top", "2", "--labels", &labels]);
    let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["sample", "class", "label", "probability"]);
    assert_eq!(rows[1], ["1", "1", "bee", "0.447319"]);
    assert_eq!(rows[2], ["2", "cow", "0.350514"]);
    assert_eq!(rows.len(), 9);
    let text = stdout(["predict", &model, "--input", &case, "--top", "1", "--json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&json[0]["top"][0]["class"], &json[0]["top"][0]["label"]),
        (&json!(1), &Value::Null)
    );
    let short = path(&folder, "short.txt", "ant\nbee\n");
    let text = error(["predict", &model, "--input", &case, "--labels", &short]);
    assert!(text.contains("2 labels for 3 classes"), "{text}");
}

/// Batches give what the whole gives; a file is written once for all.
#[test]
fn batches_are_joined() {
    let (model, case) = (model("k3_mlp.keras"), model("k3_mlp.npz"));
    let whole = out0(["predict", &model, "--input", &case]);
    for size in ["1", "3", "100"] {
        let found = out0(["predict", &model, "--input", &case, "--batch-size", size]);
        near(&found, &whole, 1e-6);
    }
    let zero = keras_model(["predict", &model, "--input", &case, "--batch-size", "0"]);
    assert_eq!(zero.status.code(), Some(2));
}

/// What is wrong is said in one line with the file and what to do.
#[test]
fn wrong_inputs_say_what_is_wrong() {
    let (folder, file, case) =
        (tempfile::tempdir().unwrap(), model("k3_mlp.keras"), model("k3_mlp.npz"));
    let says = |arguments: &[&str], words: &str| {
        let arguments = [&["predict", file.as_str()], arguments].concat();
        let text = error(arguments);
        assert!(text.contains(words), "{words:?} is not in {text}");
    };
    says(&["--input", "missing.npz"], "missing.npz: No such file");
    says(&["--input", &case, "--output", "y.txt"], ".npz, .npy, .csv or .json");
    says(&["--input", &case, "--output", "/missing/y.npz"], "cannot write /missing/y.npz");
    says(&["--input", &case, "--preprocess", "tf"], "--preprocess and --scale are for pictures");
    let input = |name: &str, bytes: &[u8]| path(&folder, name, bytes);
    says(
        &["--input", &input("a.csv", b"1,2,3,4,5,x\n1,2,3,4,5,6\n1,2,3,4,5,y")],
        "row 3, column 6: \"y\" is no float32",
    );
    says(&["--input", &input("b.csv", b"1,2,3\n")], "3 columns do not fit input");
    says(&["--input", &input("c.csv", b"")], "the table has no rows");
    says(
        &["--input", &input("d.bin", &[0xff, 0xfe, 0x00])],
        "neither .npz, .npy, .png, .jpg nor text",
    );
    says(&["--input", &input("e.png", b"\x89PNG\r\n\x1a\n")], "e.png: ");
    says(&["--input", &input("f.npy", b"\x93NUMPY\x01\x00\xff\xff")], "is no array of NumPy");
    says(&["--input", &input("g.npz", b"PK\x03\x04")], "g.npz: ");
    says(&["--input", &fixture("images/colour.png").display().to_string()], "takes no pictures");
    says(
        &["--input", &fixture("models").display().to_string()],
        "folder without .png and .jpg files",
    );
    let wrong = model("k3_cnn.npz");
    says(
        &["--input", &wrong],
        "must be float32 of shape (None, 6), found float32 of shape (3, 10, 10, 3)",
    );
    let used = keras_model(["predict", &file, "--input", &case, "--preprocess", "lenet"]);
    assert_eq!(used.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&used.stderr).contains("keras.applications"));
}
