//! What the codecs of others wrote reads as they read it: `fixtures/make/hdf5_filters.py`.

#![cfg(feature = "filters")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use hdf5_lite::{Array, Datatype, File, FilterInfo, Node, Writer};
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

/// Of each filter that is written: its number, client data, and whether it compresses.
const WRITTEN: &[(u16, &[u32], bool)] = &[
    (1, &[6], true),
    (2, &[], false),
    (3, &[], false),
    (4, &[32, 16], true),
    (4, &[4, 8], false),
    (5, &[], false), // there is no bit too many
    (6, &[0], true),
    (307, &[9], true),
    (32_000, &[], true),
    (32_004, &[0], true),
    (32_004, &[1000], true),
    (32_008, &[], false),
    (32_008, &[0, 2], true),
    (32_008, &[64, 3], true),
    (32_015, &[3], true),
];

#[test]
fn every_filter_that_is_written_is_read() {
    let numbers: Vec<i32> = (0..6007).map(|n| n % 50 * (n % 7) - 500).collect();
    let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_be_bytes()).collect();
    let Datatype::FixedPoint(big) = Datatype::of::<i32>() else { return };
    let big = hdf5_lite::FixedPoint { order: hdf5_lite::ByteOrder::BigEndian, ..big };
    let mut file = Writer::new();
    for (n, (id, client_data, _)) in WRITTEN.iter().enumerate() {
        let filter = || FilterInfo {
            id: *id,
            name: String::new(),
            optional: false,
            client_data: client_data.to_vec(),
        };
        let native = Array::new([6007], &numbers);
        file.dataset(&format!("{n}"), native).unwrap().chunks([1003]).filter(filter());
        let big = Array::bytes([6007], Datatype::FixedPoint(big), &bytes);
        file.dataset(&format!("big {n}"), big).unwrap().chunks([1003]).filter(filter());
    }
    let file = File::from_bytes(file.to_bytes().unwrap()).unwrap();
    for (n, (id, client_data, compresses)) in WRITTEN.iter().enumerate() {
        for name in [format!("{n}"), format!("big {n}")] {
            let dataset = file.dataset(&name).unwrap();
            assert!(*dataset.read::<i32>().unwrap() == numbers, "filter {id} {client_data:?}");
            let is_smaller = dataset.stored_bytes().unwrap() < 4 * 6007 * 9 / 10;
            assert_eq!(is_smaller, *compresses, "filter {id} {client_data:?}");
        }
    }
}

#[test]
fn floats_are_rounded_to_decimal_digits() {
    let numbers: Vec<f64> = (0..1000).map(|n| f64::from(n * n % 977) / 7.0 - 50.0).collect();
    let mut file = Writer::new();
    file.dataset("f8", &numbers).unwrap().chunks([300]).scale_offset(3);
    let file = File::from_bytes(file.to_bytes().unwrap()).unwrap();
    let dataset = file.dataset("f8").unwrap();
    assert!(dataset.stored_bytes().unwrap() < 8000 / 2);
    for (read, written) in dataset.read::<f64>().unwrap().iter().zip(&numbers) {
        assert!((read - written).abs() <= 0.0005 + 1e-9, "{read} for {written}");
    }
}
