//! The HDF5 reader on files of 10,000 small datasets, of 400 MB in one piece and of 200 MB in gzipped chunks.
//!
//! | group | measures | slower means |
//! |---|---|---|
//! | `hdf5/walk` | open, then each object and the value of each attribute | parsing costs more: headers, trees, heaps |
//! | `hdf5/contiguous` | every page of 400 MB in one piece, where it lies | elements are copied |
//! | `hdf5/contiguous_copy` | the same into a new `Vec` | they are copied twice, or converted one by one |
//! | `hdf5/gzip` | 200 MB of gzip and shuffle, a chunk at a time and with two threads | inflate, unshuffle or their buffers cost more |
//! | `hdf5/write` | 400 MB in one piece into a file, beside the same bytes written without a format | elements are copied before they are written |
//! | `hdf5/write_gzip` | 64 MB through shuffle and gzip, level 4, with one and with two threads | cutting, shuffling or deflating chunks costs more |
//! | `hdf5/write_tree` | 10,000 datasets in 100 groups, each with two attributes, into memory | headers, heaps and trees cost more |
//! | `hdf5/rows`, `hdf5/boxes` | 20 random parts, 1 % of the elements each | more chunks are decoded than hold the part, or one more often than needed |
//!
//! The files are made by `benches/make_files.py` (needs h5py); without them the groups skip.
//! `benches/peers` asks other readers the same.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use hdf5_lite::{Array, Axis, Dataset, File, Group, Node, Writer};

criterion_group!(
    benches,
    walk,
    contiguous,
    contiguous_copy,
    gzip,
    rows,
    boxes,
    write,
    write_gzip,
    write_tree
);

fn walk(c: &mut Criterion) {
    each(c, "hdf5/walk", &["tree10k_old.h5", "tree10k_new.h5"], |path| {
        count(&File::open(path).unwrap().root().unwrap())
    });
}

fn contiguous(c: &mut Criterion) {
    each(c, "hdf5/contiguous", &["contiguous400.h5"], |path| {
        data(path).as_slice::<f32>().unwrap().iter().step_by(1024).sum::<f32>()
    });
}

fn contiguous_copy(c: &mut Criterion) {
    each(c, "hdf5/contiguous_copy", &["contiguous400.h5"], |path| {
        data(path).read::<f32>().unwrap().into_owned()
    });
}

fn gzip(c: &mut Criterion) {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let group = format!("hdf5/gzip/{threads}_threads");
        each(c, &group, &["gzip200.h5"], |path| {
            pool.install(|| data(path).read::<f32>().unwrap().into_owned())
        });
    }
}

fn rows(c: &mut Criterion) {
    each(c, "hdf5/rows", &["contiguous400.h5", "gzip200.h5"], |path| parts(path, (100, 1)));
}

fn boxes(c: &mut Criterion) {
    each(c, "hdf5/boxes", &["contiguous400.h5", "gzip200.h5"], |path| parts(path, (10, 10)));
}

fn write(c: &mut Criterion) {
    let values = vec![0.5_f32; 100_000_000];
    let bytes: &[u8] = bytemuck::cast_slice(&values);
    let path = std::env::temp_dir().join("hdf5-lite-bench.h5");
    let mut group = c.benchmark_group("hdf5/write");
    group.sample_size(10).throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("hdf5-lite", |b| {
        b.iter(|| {
            let mut file = Writer::new();
            file.dataset("data", Array::new([10_000, 10_000], black_box(&values))).unwrap();
            file.write_to(&path).unwrap();
        });
    });
    group.bench_function("bytes", |b| b.iter(|| std::fs::write(&path, black_box(bytes)).unwrap()));
    let _ = std::fs::remove_file(path);
}

fn write_gzip(c: &mut Criterion) {
    // A signal that gzip makes half as long.
    let value = |n: u32| ((n / 4096) as f32 / 50.0).sin() + (n % 4096) as f32 / 500.0;
    let noise = |n: u32| (n.wrapping_mul(0x9e37_79b9) >> 27) as f32 / 1000.0;
    let values: Vec<f32> = (0..1 << 24).map(|n| value(n) + noise(n)).collect();
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut group = c.benchmark_group(format!("hdf5/write_gzip/{threads}_threads"));
        group.sample_size(10).throughput(Throughput::Bytes(values.len() as u64 * 4));
        group.bench_function("64MB", |b| {
            b.iter(|| {
                let mut file = Writer::new();
                let array = Array::new([4096, 4096], black_box(&values));
                file.dataset("data", array).unwrap().chunks([64, 4096]).shuffle().deflate(4);
                pool.install(|| file.to_bytes().unwrap())
            });
        });
    }
}

fn write_tree(c: &mut Criterion) {
    let values: Vec<f32> = (0_u8..8).map(f32::from).collect();
    c.bench_function("hdf5/write_tree", |b| {
        b.iter(|| {
            let mut file = Writer::new();
            for number in 0..10_000 {
                let path = format!("group_{:03}/dataset_{:03}", number / 100, number % 100);
                let mut dataset = file.dataset(&path, black_box(&values)).unwrap();
                dataset.set_attr("units", "metres").unwrap();
                dataset.set_attr("scale", [1.5_f32, 2.5]).unwrap();
            }
            file.to_bytes().unwrap()
        });
    });
}

/// Opens the only dataset of the file.
fn data(path: &Path) -> Dataset {
    File::open(path).unwrap().dataset("data").unwrap()
}

/// 20 parts, each one `share.0`th of the rows and one `share.1`th of the columns.
fn parts(path: &Path, share: (u64, u64)) -> usize {
    let dataset = data(path);
    let [rows, columns] = *dataset.shape() else { return 0 };
    let (height, width) = (rows / share.0, columns / share.1);
    // A fixed sequence that looks random.
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 33) % (below + 1)
    };
    let mut read = 0;
    for _ in 0..20 {
        let (row, column) = (random(rows - height), random(columns - width));
        let part = [Axis::from(row..row + height), Axis::from(column..column + width)];
        read += dataset.read_slice::<f32>(part).unwrap().len();
    }
    read
}

/// Number of objects and attributes below `group`.
fn count(group: &Group) -> usize {
    let values = |attributes: Vec<hdf5_lite::Attribute>| {
        attributes.iter().map(|attribute| attribute.values().unwrap().len()).sum::<usize>()
    };
    let mut found = values(group.attrs().unwrap());
    for link in group.links().unwrap() {
        found += match group.follow(&link).unwrap().into_node().unwrap() {
            Node::Group(group) => count(&group),
            Node::Dataset(dataset) => dataset.shape().len() + values(dataset.attrs().unwrap()),
            _ => 1,
        };
    }
    found
}

/// Benches `run` on each of `files`; says so when one is not there.
fn each<T>(c: &mut Criterion, group: &str, files: &[&str], mut run: impl FnMut(&Path) -> T) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench-files");
    let (there, missing): (Vec<_>, Vec<_>) =
        files.iter().map(|file| folder.join(file)).partition(|path| path.exists());
    if !missing.is_empty() {
        eprintln!("{group}: skipped, benches/make_files.py has not been run");
    }
    let mut group = c.benchmark_group(group);
    group.sample_size(10);
    for path in there {
        let name = path.file_stem().unwrap().to_string_lossy();
        group.throughput(Throughput::Bytes(path.metadata().unwrap().len()));
        group.bench_with_input(BenchmarkId::from_parameter(name), &path, |b, path| {
            b.iter(|| black_box(run(black_box(path))));
        });
    }
}
