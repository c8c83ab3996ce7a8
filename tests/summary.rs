//! `summary` beside the text that Keras 3.15.1 printed, byte for byte.

use crate::support::{fixture, forms, meta, stdout, stems};

/// Tables that the file alone cannot give: shapes behind classes and code of the file's author.
const NEED_CODE: &[&str] = &["k3_blocks", "k3_custom", "k3_lambda", "k3_subclassed"];

#[test]
fn summaries_are_keras_s() {
    let mut compared = 0;
    let mut models = 0;
    for stem in stems() {
        if NEED_CODE.contains(&stem.as_str()) {
            continue;
        }
        let mut has_one = false;
        for (variant, options) in [
            ("", &[][..]),
            ("-expand", &["--expand-nested"]),
            ("-trainable", &["--show-trainable"]),
        ] {
            let text = fixture(format!("models/{stem}.summary{variant}.txt"));
            let Ok(expected) = std::fs::read_to_string(text) else { continue };
            has_one = true;
            // What Keras 3 cannot load was built from the same layers and not compiled.
            let not_compiled =
                meta(&stem)["summary"].as_str().is_some_and(|s| s.ends_with("not compiled"));
            for (suffix, mut arguments) in forms(&stem) {
                arguments.insert(0, "summary".to_owned());
                arguments.extend(["--width".to_owned(), "80".to_owned()]);
                arguments.extend(options.iter().map(ToString::to_string));
                arguments.extend(not_compiled.then(|| "--no-compile".to_owned()));
                let found = stdout(&arguments);
                assert_eq!(found, expected, "{stem}{suffix} {options:?}");
                compared += 1;
            }
        }
        models += usize::from(has_one);
    }
    assert!(models >= 20, "only {models} models have a summary");
    println!("{compared} tables of {models} models");
}
