//! The documentation shows what it talks about.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Whether the line declares something that callers can name.
fn is_public_item(line: &str) -> bool {
    let kinds = ["fn", "const fn", "struct", "enum", "trait", "const", "type"];
    let rest = line.trim_start().strip_prefix("pub ");
    rest.is_some_and(|rest| kinds.iter().any(|kind| rest.starts_with(&format!("{kind} "))))
}

#[test]
fn each_public_item_has_an_example() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let (mut items, mut bare) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (n, line) in lines.iter().enumerate().filter(|(_, line)| is_public_item(line)) {
            let above = lines[..n].iter().rev().map(|line| line.trim_start());
            let above: Vec<_> = above
                .take_while(|line| line.starts_with("///") || line.starts_with("#["))
                .collect();
            // Without a comment it is not for callers: a private module's, or sealed.
            if !above.iter().any(|line| line.starts_with("///")) {
                continue;
            }
            items += 1;
            if !above.iter().any(|line| line.contains("```")) {
                bare.push(format!("{}:{}: {}", file.display(), n + 1, line.trim()));
            }
        }
    }
    assert!(items > 100, "only {items} items found");
    assert!(bare.is_empty(), "without an example:\n{}", bare.join("\n"));
}
