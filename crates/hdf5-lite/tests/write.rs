//! What is written is read again, with the same types, shapes, values and attributes.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};

use hdf5_lite::{
    Array, DatasetMut, Dataspace, Datatype, Error, File, FilterInfo, Layout, Seekable, Source,
    Value, Writer,
};

fn read(writer: &Writer<'_>) -> File {
    File::from_bytes(writer.to_bytes().unwrap()).unwrap()
}

fn floats(number: u16) -> Vec<f32> {
    (0..number).map(|n| f32::from(n) / 8.0).collect()
}

#[test]
fn attributes_of_every_kind() {
    let mut file = Writer::new();
    let mut root = file.root_mut();
    root.set_attr("text", "A tour").unwrap().set_attr("none", "").unwrap();
    root.set_attr("texts", ["dense", "\u{e9}", ""]).unwrap();
    root.set_attr("fixed", Array::fixed_strings(["dense", "dense_1"])).unwrap();
    root.set_attr("number", 2.5_f32).unwrap().set_attr("numbers", [1_u8, 2]).unwrap();
    root.set_attr("flag", true).unwrap().set_attr("flags", &[true, false][..]).unwrap();
    root.set_attr("nothing", Array::null(Datatype::of::<f64>())).unwrap();
    root.set_attr("\u{e9}/ name", Vec::<i64>::new()).unwrap();
    // Too long for a message, as Keras's lists of names may be.
    let names: Vec<String> = (0..5000).map(|n| format!("a_layer_{n:0>20}")).collect();
    root.set_attr("many", Array::fixed_strings(&names)).unwrap();
    let file = read(&file);
    let root = file.root().unwrap();
    let strings = |name: &str| root.attr(name).unwrap().strings().unwrap();
    assert_eq!(root.attr("text").unwrap().string().unwrap(), "A tour");
    assert_eq!(root.attr("none").unwrap().string().unwrap(), "");
    assert_eq!(strings("texts"), ["dense", "\u{e9}", ""]);
    assert_eq!(strings("fixed"), ["dense", "dense_1"]);
    assert_eq!(strings("many"), names);
    assert_eq!(root.attr("fixed").unwrap().datatype().size(), 7);
    assert_eq!(root.attr("number").unwrap().read::<f32>().unwrap(), [2.5]);
    assert_eq!(root.attr("numbers").unwrap().read::<u8>().unwrap(), [1, 2]);
    assert!(root.attr("flag").unwrap().datatype().is_bool());
    assert_eq!(root.attr("flags").unwrap().read::<u8>().unwrap(), [1, 0]);
    assert_eq!(root.attr("nothing").unwrap().dataspace().elements(), Some(0));
    assert_eq!(root.attr("\u{e9}/ name").unwrap().shape(), [0]);
    assert_eq!(root.attrs().unwrap().len(), 11);
}

#[test]
fn datasets_of_every_layout() {
    let values = floats(6000);
    let mut file = Writer::new();
    let mut root = file.root_mut();
    let mut group = root.group("a/b").unwrap();
    let array = || Array::new([60, 100], &values);
    group.dataset("contiguous", array()).unwrap();
    group.dataset("compact", Array::new([2, 3], &values[..6])).unwrap().compact();
    group.dataset("chunked", array()).unwrap().chunks([1, 3]);
    let mut packed = group.dataset("packed", array()).unwrap();
    packed.chunks([7, 13]).shuffle().deflate(4).fletcher32().set_attr("unit", "m").unwrap();
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    let lazy = || Seekable::new(Cursor::new(raw.clone())).unwrap();
    let lazy = || Array::lazy([60, 100], Datatype::of::<f32>(), lazy());
    group.dataset("lazy", lazy()).unwrap();
    group.dataset("lazy_chunks", lazy()).unwrap().chunks([7, 200]).deflate(1);
    group.dataset("lazy_cut", lazy()).unwrap().chunks([11, 9]);
    group.dataset("lazy_compact", lazy()).unwrap().compact();
    group.dataset("/texts", Array::strings([2, 1], ["zero", "one"])).unwrap().chunks([1, 1]);
    group.dataset("empty", Array::new([0, 3], Vec::<u8>::new())).unwrap();
    let bytes = file.to_bytes().unwrap();
    let mut stream = Vec::new();
    file.write(&mut stream).unwrap();
    assert!(bytes == stream, "with and without seeking");
    let file = File::from_bytes(bytes).unwrap();
    for name in
        ["contiguous", "chunked", "packed", "lazy", "lazy_chunks", "lazy_cut", "lazy_compact"]
    {
        let dataset = file.dataset(&format!("a/b/{name}")).unwrap();
        assert_eq!(dataset.shape(), [60, 100]);
        assert!(*dataset.read::<f32>().unwrap() == values, "{name}");
    }
    let compact = file.dataset("a/b/compact").unwrap();
    assert_eq!(
        (compact.layout(), &*compact.read::<f32>().unwrap()),
        (Layout::Compact, &values[..6])
    );
    let packed = file.dataset("a/b/packed").unwrap();
    assert_eq!(packed.chunks(), Some(&[7, 13][..]));
    assert!(packed.stored_bytes().unwrap() < 24_000 / 2);
    assert_eq!(packed.attr("unit").unwrap().string().unwrap(), "m");
    assert_eq!(file.dataset("texts").unwrap().strings().unwrap(), ["zero", "one"]);
    assert_eq!(file.dataset("a/b/empty").unwrap().shape(), [0, 3]);
}

#[test]
fn groups_and_objects_with_many_members() {
    let mut file = Writer::new();
    for n in 0..3000 {
        file.group(&format!("many/group {n}")).unwrap().set_attr("n", n).unwrap();
    }
    for n in 0..300 {
        file.group("many").unwrap().set_attr(&format!("attribute {n}"), n).unwrap();
    }
    let many = read(&file).group("many").unwrap();
    assert_eq!((many.links().unwrap().len(), many.attrs().unwrap().len()), (3000, 300));
    for n in [0, 7, 299] {
        let group = many.group(&format!("group {n}")).unwrap();
        assert_eq!(group.attr("n").unwrap().scalar::<i32>().unwrap(), n);
        let attribute = many.attr(&format!("attribute {n}")).unwrap();
        assert_eq!(attribute.scalar::<i32>().unwrap(), n);
    }
}

#[test]
fn values_of_variable_length_within_others() {
    let lists = Datatype::sequence(Datatype::sequence(Datatype::text()));
    let list = |texts: &[&str]| {
        let texts = texts.iter().map(|text| Value::String((*text).into()));
        Value::Sequence(texts.collect())
    };
    let values = vec![
        Value::Sequence(vec![list(&["a", "bc"]), list(&[]), list(&["", "d"])]),
        Value::Sequence(vec![]),
    ];
    let mut file = Writer::new();
    file.dataset("lists", Array::values([2], lists, values.clone())).unwrap();
    assert_eq!(read(&file).dataset("lists").unwrap().values().unwrap(), values);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let mut file = Writer::new();
    let mut root = file.root_mut();
    root.dataset("data", [1, 2, 3]).unwrap();
    root.soft_link("link", "/data").unwrap();
    let exists = |error| matches!(error, Error::Exists { .. });
    assert!(exists(root.dataset("data", [1]).unwrap_err()));
    assert!(exists(root.group("link/more").unwrap_err()));
    assert!(matches!(root.group("data/more").unwrap_err(), Error::WrongType { .. }));
    let unwritable = |error: Error| match error {
        Error::Unwritable { place, reason } => format!("{place}: {reason}"),
        other => panic!("{other}"),
    };
    let error = unwritable(root.dataset("short", Array::new([2, 2], &[1, 2, 3])).unwrap_err());
    assert_eq!(error, "/short: its shape [2, 2] of elements of 4 bytes takes 16 bytes, not 12");
    unwritable(root.dataset("huge", Array::new([1 << 40, 1 << 40], &[1])).unwrap_err());
    unwritable(root.dataset("", 1).unwrap_err());
    unwritable(root.set_attr("a\0b", 1).unwrap_err());
    unwritable(root.set_attr(&"n".repeat(70_000), 1).unwrap_err());
    let text = Array::bytes([1], Datatype::text(), &[0; 16]);
    unwritable(root.dataset("text", text).unwrap_err());
    // What is said of a dataset after it was made shows when it is written.
    let written = |array: Array<'static>, change: &dyn Fn(&mut DatasetMut<'_, '_>)| {
        let mut file = Writer::new();
        change(&mut file.dataset("data", array).unwrap());
        let error = file.to_bytes().unwrap_err();
        assert_eq!(file.write(&mut std::io::sink()).unwrap_err().to_string(), error.to_string());
        error
    };
    let three = || Array::from([1, 2, 3]);
    let absent = || Array::absent([3], Datatype::of::<u8>());
    unwritable(written(three(), &|data| _ = data.deflate(4)));
    unwritable(written(three(), &|data| _ = data.chunks([2]).compact()));
    for array in [three, absent] {
        for chunk in [vec![2, 2], vec![], vec![0], vec![1 << 40]] {
            unwritable(written(array(), &|data| _ = data.chunks(chunk.clone())));
        }
    }
    let growing = Dataspace::from([3]).growing([None]);
    unwritable(written(Array::absent(growing, Datatype::of::<u8>()), &|_| {}));
    let large = || Array::from(vec![0_u8; 70_000]);
    unwritable(written(large(), &|data| _ = data.compact()));
    let unknown = FilterInfo { id: 999, name: "?".into(), optional: false, client_data: vec![] };
    let error = written(three(), &|data| _ = data.chunks([2]).filter(unknown.clone()));
    assert!(matches!(error, Error::UnknownFilter { id: 999, .. }));
}

#[test]
fn a_file_is_replaced_by_a_copy_of_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.h5");
    let values = floats(6000);
    let mut file = Writer::new();
    file.dataset("data", &values).unwrap();
    file.write_to(&path).unwrap();
    let mut copy = Writer::copy_of(&File::open(&path).unwrap()).unwrap();
    copy.dataset("more", 1).unwrap();
    copy.write_to(&path).unwrap();
    let file = File::open(&path).unwrap();
    assert!(*file.dataset("data").unwrap().read::<f32>().unwrap() == values);
    assert_eq!(file.root().unwrap().links().unwrap().len(), 2);
}

#[test]
fn a_copy_that_fails_leaves_nothing() {
    let mut good = Writer::new();
    let mut group = good.group("group").unwrap();
    group.dataset("texts", Array::strings([1], ["abc"])).unwrap();
    let long = "x".repeat(10_000);
    group.dataset("z", Array::strings([1], [long.as_str()])).unwrap();
    let mut bytes = good.to_bytes().unwrap();
    // The heap of the last text is gone.
    let heap = bytes.windows(4).rposition(|part| part == b"GCOL").unwrap();
    bytes[heap] = 0;
    let bad = File::from_bytes(bytes).unwrap();
    let mut file = Writer::new();
    file.root_mut().set_attr("text", "one").unwrap();
    let before = file.to_bytes().unwrap();
    file.root_mut().copy("copy", bad.group("group").unwrap().object()).unwrap_err();
    assert!(file.to_bytes().unwrap() == before);
    file.root_mut().copy("copy", good_group(&good).object()).unwrap();
}

fn good_group(writer: &Writer<'_>) -> hdf5_lite::Group {
    read(writer).group("group").unwrap()
}

/// Elements are read when they are written, in pieces.
#[test]
fn nothing_is_held_in_memory() {
    #[derive(Debug)]
    struct Counts<'c>(&'c AtomicUsize);

    impl Source for Counts<'_> {
        fn len(&self) -> u64 {
            1 << 30
        }

        fn read_at(&self, _: u64, len: usize) -> std::io::Result<bytes::Bytes> {
            self.0.fetch_max(len, Ordering::Relaxed);
            Ok(vec![0; len].into())
        }
    }

    let largest = AtomicUsize::new(0);
    let array = || Array::lazy([1 << 10, 1 << 20], Datatype::of::<u8>(), Counts(&largest));
    let mut file = Writer::new();
    file.dataset("contiguous", array()).unwrap();
    file.dataset("chunks", array()).unwrap().chunks([2, 1 << 19]);
    file.write(&mut std::io::sink()).unwrap();
    assert!(largest.load(Ordering::Relaxed) <= 1 << 22);
}
