//! Every fixture of `fixtures/make/hdf5.py` reads as h5py read it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::PathBuf;

use hdf5_lite::{Datatype, Error, File, Folder, Limits, Options, Value};
use serde_json::Value as Json;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hdf5")
}

fn options() -> Options {
    File::options().resolver(Folder::new(folder()))
}

fn open(name: &str) -> File {
    options().open(folder().join(name)).unwrap()
}

fn expected() -> serde_json::Map<String, Json> {
    let text = fs::read_to_string(folder().join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Numbers are written as Python shows them, strings as they are; both are JSON strings.
fn check(place: &str, expected: &Json, datatype: &Datatype, numbers: &[f64], strings: &[String]) {
    let Some(expected) = expected.as_array() else { return };
    let expected: Vec<&str> = expected.iter().map(|value| value.as_str().unwrap()).collect();
    if datatype.is_string() {
        assert_eq!(strings, expected, "{place}");
        return;
    }
    let expected: Vec<f64> = expected.iter().map(|value| value.parse().unwrap()).collect();
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(numbers), bits(&expected), "{place}: {numbers:?}, not {expected:?}");
}

#[test]
fn every_value_is_what_h5py_reads() {
    for (name, expected) in expected() {
        let file = open(&name);
        for (path, expected) in expected["datasets"].as_object().unwrap() {
            let place = format!("{name} {path}");
            let dataset = file.dataset(path).unwrap_or_else(|error| panic!("{place}: {error}"));
            if let Some(shape) = expected["shape"].as_array() {
                let shape: Vec<u64> = shape.iter().map(|dim| dim.as_u64().unwrap()).collect();
                assert_eq!(dataset.extent().unwrap().dims, shape, "{place}");
            }
            let values = &expected["values"];
            if values.is_null() && dataset.elements().is_some_and(|n| n < 100_000) {
                dataset.values().unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            if values.is_null() {
                continue;
            }
            let datatype = dataset.datatype();
            let numbers = if datatype.is_string() {
                Vec::new()
            } else {
                dataset.read().unwrap().into_owned()
            };
            let strings =
                if datatype.is_string() { dataset.strings().unwrap() } else { Vec::new() };
            check(&place, values, datatype, &numbers, &strings);
        }
        for (place, values) in expected["attributes"].as_object().unwrap() {
            let (path, attribute) = place.split_once('@').unwrap();
            let object = file.node(path).unwrap();
            let attribute = object.object().attr(attribute).unwrap();
            let datatype = attribute.datatype();
            let numbers = if datatype.is_string() { Vec::new() } else { attribute.read().unwrap() };
            let strings =
                if datatype.is_string() { attribute.strings().unwrap() } else { Vec::new() };
            check(&format!("{name} {place}"), values, datatype, &numbers, &strings);
        }
    }
}

#[test]
fn every_fixture_is_expected() {
    let mut files: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| PathBuf::from(name).extension().is_some_and(|e| e == "h5"))
        .collect();
    files.sort();
    assert!(files.len() >= 40);
    assert_eq!(files, expected().keys().cloned().collect::<Vec<_>>());
}

#[test]
fn contiguous_floats_are_borrowed() {
    let file = open("layouts_old.h5");
    let dataset = file.dataset("contiguous").unwrap();
    assert!(matches!(dataset.read::<f32>().unwrap(), std::borrow::Cow::Borrowed(_)));
    assert!(dataset.as_slice::<f64>().is_none(), "another type is converted");
    let slice = dataset.as_slice::<f32>().unwrap();
    let bytes = dataset.bytes().unwrap();
    assert_eq!(slice.as_ptr().cast(), bytes.as_ptr(), "bytes are not copied either");
}

#[test]
fn slices_are_parts_of_the_whole() {
    for name in ["index_btree2_new.h5", "index_btree1_old.h5"] {
        let file = open(name);
        let dataset = file.dataset("btree").unwrap();
        let all = dataset.read::<u32>().unwrap();
        let every_third = hdf5_lite::Axis { start: 1, stride: 3, count: None, block: 2 };
        let part: Vec<u32> = dataset.read_slice(hdf5_lite::s![3..9, every_third]).unwrap();
        let columns = (0..19).filter(|n| n % 3 != 0);
        let wanted = (3..9).flat_map(|row| columns.clone().map(move |column| row * 20 + column));
        assert_eq!(part, wanted.map(|n| all[n]).collect::<Vec<_>>(), "{name}");
        let points = [[19, 0], [0, 0], [3, 7]];
        let found: Vec<u32> = dataset.read_points(&points).unwrap();
        assert_eq!(found, [all[380], all[0], all[67]], "{name}");
        assert!(matches!(dataset.read_points::<u8>(&[[20, 0]]), Err(Error::Selection { .. })));
    }
}

#[test]
fn chunks_that_threads_share_come_to_their_places() {
    let file = open("slabs_new.h5");
    let dataset = file.dataset("data").unwrap();
    let value = |row: u64, column: u64| {
        let written = row < 64 || (96..250).contains(&row) || row < 96 && column < 256;
        let number = u16::try_from((row * 700 + column) & 0xffff).unwrap();
        if written { number / 64 } else { 7 }
    };
    let axis = |start, stride, count, block| hdf5_lite::Axis { start, stride, count, block };
    for (rows, columns) in [
        (axis(0, 1, None, 1), axis(0, 1, None, 1)),
        (axis(0, 1, None, 1), axis(700 - 9, 1, None, 1)),
        (axis(31, 1, Some(200), 1), axis(250, 1, Some(300), 1)),
        (axis(5, 50, None, 33), axis(1, 7, None, 3)),
        (axis(60, 1, Some(40), 1), axis(0, 1, None, 1)),
        (axis(33, 1, Some(2), 1), axis(0, 2, None, 1)),
    ] {
        let picked = |axis: hdf5_lite::Axis, len: u64| -> Vec<u64> {
            let blocks = (0..).map(|n| axis.start + n * axis.stride);
            let count = usize::try_from(axis.count.unwrap_or(len)).unwrap();
            let blocks = blocks.take(count).take_while(|start| start + axis.block <= len);
            blocks.flat_map(|start| start..start + axis.block).collect()
        };
        let columns_picked = picked(columns, 700);
        let wanted = picked(rows, 300).into_iter().flat_map(|row| {
            columns_picked.iter().map(move |column| value(row, *column)).collect::<Vec<_>>()
        });
        let found: Vec<u16> = dataset.read_slice([rows, columns]).unwrap();
        assert!(found == wanted.collect::<Vec<_>>(), "{rows:?} {columns:?}");
    }
}

#[test]
fn elements_far_out_are_found() {
    for (name, dataset, set) in [
        ("index_fixed_array_paged_new.h5", "paged", &[0_usize, 5, 2400][..]),
        ("index_extensible_array_deep_new.h5", "deep", &[0, 3, 100, 1000, 9000, 39999]),
    ] {
        let values = open(name).dataset(dataset).unwrap().read::<u8>().unwrap().into_owned();
        for (n, value) in values.iter().enumerate() {
            let wanted = if set.contains(&n) { n % 251 + 1 } else { 0 };
            assert_eq!(usize::from(*value), wanted, "{name} element {n}");
        }
    }
}

#[test]
fn parts_of_virtual_datasets_are_parts() {
    let file = open("virtual_new.h5");
    let dataset = file.dataset("strided").unwrap();
    let all = dataset.read::<i32>().unwrap();
    let part: Vec<i32> = dataset.read_slice(hdf5_lite::s![1..5, 1..4]).unwrap();
    let wanted = (1..5).flat_map(|row| (1..4).map(move |column| row * 5 + column));
    assert_eq!(part, wanted.map(|n| all[n]).collect::<Vec<_>>());
    // Every range of rows of every dataset, whatever run of elements it cuts.
    for name in ["virtual_new.h5", "virtual_unlimited_new.h5"] {
        for link in open(name).root().unwrap().links().unwrap() {
            let Ok(dataset) = open(name).dataset(&link.name()) else { continue };
            let (dims, all) = (dataset.extent().unwrap().dims, dataset.bytes().unwrap());
            let Some(rows) = dims.first().copied().filter(|rows| *rows > 0) else { continue };
            let row = all.len() / usize::try_from(rows).unwrap();
            for (start, end) in (0..rows).flat_map(|a| (a..rows).map(move |b| (a, b + 1))) {
                let mut axes = vec![hdf5_lite::Axis::from(..); dims.len()];
                axes[0] = (start..end).into();
                let part = dataset.bytes_of_slice(&axes).unwrap();
                let [start, end] = [start, end].map(|n| usize::try_from(n).unwrap() * row);
                assert!(part == all[start..end], "{name} {} {start}..{end}", link.name());
            }
        }
    }
    // Rows of a dataset that is too large as a whole.
    let dataset = open("virtual_large_new.h5").dataset("large").unwrap();
    assert!(matches!(dataset.read::<i32>(), Err(Error::LimitExceeded { .. })));
    assert_eq!(
        dataset.read_slice::<i32>(hdf5_lite::s![999..1002, 3..]).unwrap(),
        [-1, -1, 3, 4, 8, 9]
    );
    // The rows that no source has need no source: this file was opened without a resolver.
    let alone = File::open(folder().join("virtual_new.h5")).unwrap();
    let dataset = alone.dataset("strided").unwrap();
    assert_eq!(dataset.read_slice::<i32>(hdf5_lite::s![7, ..]).unwrap(), [-1; 5]);
}

#[test]
fn odd_floats_have_their_values() {
    for version in ["old", "new"] {
        let file = open(&format!("odd_floats_{version}.h5"));
        let read = |name| file.dataset(name).unwrap().read::<f64>().unwrap().into_owned();
        assert_eq!(read("bfloat16"), [1.0, -2.5, 2_f64.powi(-133)]);
        assert_eq!(read("e5m2"), [1.0, -1.5, 2_f64.powi(-16)]);
        assert_eq!(read("quad"), [1.0, -3.0]);
        let bits = file.dataset("bfloat16").unwrap().read::<half::bf16>().unwrap().into_owned();
        assert_eq!(bits[1], half::bf16::from_f32(-2.5));
        let file = open(&format!("short_integers_{version}.h5"));
        let read = file.dataset("nine_bits").unwrap().read::<i16>().unwrap().into_owned();
        assert_eq!(read, [0, 5, -5, -256]);
    }
}

#[test]
fn wide_integers_and_vax_floats_have_their_values() {
    for version in ["old", "new"] {
        let file = open(&format!("wide_integers_{version}.h5"));
        for name in ["i16", "be_i32"] {
            let values = file.dataset(name).unwrap().read::<i128>().unwrap().into_owned();
            assert_eq!(values, [1, -2, (1 << 100) + 3], "{name}");
            let narrow = file.dataset(name).unwrap().read::<i64>().unwrap_err();
            assert!(matches!(narrow, Error::OutOfRange { .. }), "{narrow}");
        }
        let file = open(&format!("vax_floats_{version}.h5"));
        for name in ["f", "d"] {
            let values = file.dataset(name).unwrap().read::<f64>().unwrap().into_owned();
            assert_eq!(values, [1.0, -2.5, 0.0], "{name}");
        }
    }
}

#[test]
fn links_in_deep_trees_and_filtered_heaps_are_found() {
    for (name, number) in [("filtered_heap_new.h5", 201), ("deep_btrees_old.h5", 60)] {
        let group = open(name).group("group").unwrap();
        let links = group.links().unwrap();
        assert_eq!(links.len(), number, "{name}");
        for link in links {
            let found = group.find_link(&link.name()).unwrap().unwrap();
            assert_eq!(found.target(), link.target(), "{name} {}", link.name());
        }
        assert!(group.find_link("link").unwrap().is_none());
    }
    let long = open("filtered_heap_new.h5").group("group").unwrap().find_link("long");
    let target = hdf5_lite::LinkTarget::Soft("/x".repeat(3000).into());
    assert_eq!(*long.unwrap().unwrap().target(), target);
}

#[test]
fn compounds_are_trees() {
    let rows = open("compounds_new.h5").dataset("table").unwrap().values().unwrap();
    let text = |value: &str| Value::String(value.into());
    let inner = Value::Compound(vec![
        ("n".into(), Value::Array(vec![Value::Signed(3), Value::Signed(4)])),
        ("s".into(), text("c")),
    ]);
    let row = [("x", Value::Float(-2.0)), ("inner", inner), ("name", text("second"))];
    let row = row.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(rows[1], Value::Compound(row.into()));
}

#[test]
fn complex_numbers_have_two_parts() {
    let file = open("complex_numbers_new.h5");
    for name in ["c8", "be_c16"] {
        let dataset = file.dataset(name).unwrap();
        let values = [Value::Complex(1.0, 2.0), Value::Complex(-0.5, 3.0)];
        assert_eq!(dataset.values().unwrap(), values, "{name}");
        assert_eq!(dataset.read::<f64>().unwrap()[..], [1.0, 2.0, -0.5, 3.0], "{name}");
    }
}

#[test]
fn sequences_enums_and_references_have_values() {
    let file = open("composites_old.h5");
    let values = |name: &str| file.dataset(name).unwrap().values().unwrap();
    let one = |value| Value::Sequence(value);
    assert_eq!(
        values("ragged"),
        [one(vec![]), one(vec![Value::Signed(0)]), one(vec![Value::Signed(0), Value::Signed(1)])]
    );
    assert_eq!(values("enum")[0], Value::Enum(Box::new(Value::Unsigned(2)), Some("blue".into())));
    assert!(file.dataset("bool").unwrap().datatype().is_bool());
    for version in ["old", "new"] {
        let file = open(&format!("references_{version}.h5"));
        let target = file.dataset("target").unwrap();
        let objects = file.dataset("object").unwrap().values().unwrap();
        let [Value::Reference(first), Value::Reference(second)] = &objects[..] else { panic!() };
        assert_eq!(file.dereference(first).unwrap().address(), target.object().address());
        assert_eq!(*second, hdf5_lite::Reference::Null);
        let regions = file.dataset("region").unwrap().values().unwrap();
        let Value::Reference(hdf5_lite::Reference::Region(region)) = &regions[0] else { panic!() };
        assert_eq!(target.read_region::<i32>(region).unwrap(), [7, 8, 12, 13]);
    }
}

#[test]
fn links_lead_where_they_say() {
    for version in ["old", "new"] {
        let file = open(&format!("links_{version}.h5"));
        let root = file.root().unwrap();
        for path in ["hard", "soft", "relative", "g/up/g/data", "/g/data"] {
            let values = file.dataset(path).unwrap().read::<i32>().unwrap().into_owned();
            assert_eq!(values, [0, 1, 2], "{path}");
        }
        assert!(!root.contains("dangling").unwrap());
        assert!(matches!(root.contains("circle"), Err(Error::LimitExceeded { .. })));
        assert_eq!(file.dataset("elsewhere").unwrap().read::<f64>().unwrap()[..], [1.0]);
        let unresolved = File::open(folder().join(format!("links_{version}.h5"))).unwrap();
        assert!(matches!(unresolved.dataset("elsewhere"), Err(Error::Unresolved { .. })));
        let error = root.dataset("g/nothing").unwrap_err();
        assert_eq!(error.to_string(), "/g has no link \"nothing\"");
        assert!(matches!(root.dataset("g"), Err(Error::WrongType { .. })));
        let names = root.links().unwrap();
        let names: Vec<_> = names.iter().map(|link| link.name()).collect();
        assert_eq!(names, ["circle", "dangling", "elsewhere", "g", "hard", "relative", "soft"]);
    }
}

#[test]
fn creation_order_is_told() {
    let file = open("creation_order_new.h5");
    let mut links = file.root().unwrap().links().unwrap();
    links.sort_by_key(hdf5_lite::Link::creation_order);
    assert_eq!(links.iter().map(|link| link.name()).collect::<String>(), "zyxab");
    let mut attributes = file.root().unwrap().attrs().unwrap();
    attributes.sort_by_key(hdf5_lite::Attribute::creation_order);
    assert_eq!(attributes.iter().map(|attribute| attribute.name()).collect::<String>(), "zyxab");
}

#[test]
fn any_source_of_bytes_will_do() {
    let path = folder().join("filters_new.h5");
    let from_file = open("filters_new.h5").dataset("shuffle").unwrap().bytes().unwrap();
    let bytes = fs::read(&path).unwrap();
    let from_bytes = File::from_bytes(bytes.clone()).unwrap().dataset("shuffle").unwrap();
    assert_eq!(from_bytes.bytes().unwrap(), from_file);
    let source = hdf5_lite::Seekable::new(fs::File::open(&path).unwrap()).unwrap();
    let from_source = options().from_source(source).unwrap().dataset("shuffle").unwrap();
    assert_eq!(from_source.bytes().unwrap(), from_file);
    // As a range of a larger file, at an odd place.
    let larger = [b"0123456", &bytes[..], b"789"].concat();
    let range = bytes::Bytes::from(larger).slice(7..7 + bytes.len());
    let from_range = File::from_bytes(range).unwrap().dataset("shuffle").unwrap();
    assert_eq!(from_range.bytes().unwrap(), from_file);
}

#[test]
fn limits_are_asked_first() {
    let mut limits = Limits::default();
    limits.read_bytes = 8;
    let file = File::options().limits(limits).open(folder().join("layouts_new.h5")).unwrap();
    for name in ["contiguous", "fill", "fill_chunks"] {
        let read = file.dataset(name).unwrap().bytes();
        assert!(matches!(read, Err(Error::LimitExceeded { .. })), "{name}: {read:?}");
    }
}

#[test]
fn what_is_no_hdf5_file_is_named() {
    for (bytes, found) in [
        (&b""[..], "an empty file"),
        (b"PK\x03\x04....", "a zip archive"),
        (b"CDF\x01....", "a netCDF classic file"),
        (b"<!DOCTYPE html>", "text that looks like HTML"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    ] {
        let error = File::from_bytes(bytes).unwrap_err();
        assert!(matches!(error, Error::NotHdf5 { .. }));
        assert!(error.to_string().contains(found), "{error}");
    }
    let mut whole = fs::read(folder().join("groups_old.h5")).unwrap();
    whole.truncate(2000);
    assert!(matches!(File::from_bytes(whole), Err(Error::Truncated { actual: 2000, .. })));
}

#[test]
fn handles_go_anywhere() {
    fn anywhere<T: Clone + std::fmt::Debug + Send + Sync + 'static>() {}
    anywhere::<File>();
    anywhere::<hdf5_lite::Group>();
    anywhere::<hdf5_lite::Dataset>();
    anywhere::<hdf5_lite::Attribute>();
    anywhere::<hdf5_lite::Object>();
}

#[test]
fn objects_tell_about_themselves() {
    let file = open("links_old.h5");
    let data = file.dataset("hard").unwrap();
    assert_eq!(data.object().reference_count().unwrap(), 2);
    let file = open("links_new.h5");
    assert_eq!(file.dataset("hard").unwrap().object().reference_count().unwrap(), 2);
    assert!(file.root().unwrap().object().modified().unwrap() > Some(1_700_000_000));
    let names: Vec<_> = data.object().messages().map(|(_, name)| name).collect();
    assert!(names.contains(&"Dataspace") && names.contains(&"Data Layout"), "{names:?}");
    data.object().check_messages().unwrap();
}
