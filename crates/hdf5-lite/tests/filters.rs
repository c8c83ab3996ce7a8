//! What the codecs of others wrote reads as they read it: `fixtures/make/hdf5_filters.py`.

#![cfg(feature = "filters")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use hdf5_lite::{File, Node};
use sha2::{Digest, Sha256};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/filters")
}

#[test]
fn every_dataset_is_what_the_codec_read() {
    let folder = std::env::var_os("FILTERS").map_or_else(folder, PathBuf::from);
    let text = fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    for (name, datasets) in expected {
        let file = File::open(folder.join(&name)).unwrap();
        for (path, hash) in datasets {
            let dataset = file.dataset(&path).unwrap();
            match dataset.bytes() {
                Ok(bytes) if format!("{:x}", Sha256::digest(&bytes)) == hash => {}
                Ok(_) => wrong.push(format!("{name} {path}: other values")),
                Err(error) => wrong.push(format!("{name} {path}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Chunks that were cut short or changed are errors or other values, and nothing worse.
#[test]
fn damaged_chunks_are_refused() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "h5") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for seed in 0..60_usize {
            let mut damaged = bytes.clone();
            // A stride that meets all parts of the file; metadata is damaged by other tests.
            for n in 0..40 {
                let at = (seed * 7919 + n * 104_729) % damaged.len();
                damaged[at] = [0, 0xff, damaged[at] ^ 1, damaged[at].wrapping_add(1)][seed % 4];
            }
            let Ok(root) = File::from_bytes(damaged).and_then(|file| file.root()) else { continue };
            for link in root.links().unwrap_or_default() {
                if let Ok(Node::Dataset(dataset)) = root.node(&link.name()) {
                    let _ = dataset.bytes();
                }
            }
        }
    }
}
