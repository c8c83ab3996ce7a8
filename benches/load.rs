//! How long until a model file can be used, on a small CNN, a ResNet50 and 2,000 small layers, as `.h5` and `.keras`.
//!
//! | group | measures | slower means |
//! |---|---|---|
//! | `load/floor_read` | reading the whole file into memory | the machine: compare nothing across machines |
//! | `load/floor_map` | mapping the file and touching every page | the machine; touching weights cannot beat it |
//! | `load/hdf5_open` | `hdf5_lite::File::open` and no more | something is read before it is asked for |
//! | `load/hdf5_metadata` | every object and attribute of an `.h5` | parsing costs more; at most 0.8 of `load/hdf5_reader` |
//! | `load/hdf5_touch` | every page of every dataset of an `.h5` | arrays are copied; at most 1.2 of `load/floor_map` |
//! | `load/model` | `keras_model::load_model`: all bound, nothing touched | config, graph or binding cost more; at most 1/100 of Keras |
//! | `load/model_touch` | the same and every page of every weight | weights are copied; at most 1.2 of `load/floor_map` |
//! | `load/hdf5_reader` | the crate `hdf5-reader` walking all metadata of an `.h5` | the peer changed |
//!
//! `benches/keras_load.py` puts `keras.models.load_model` beside these.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use hdf5_lite::{Dataset, Group, Node};
use memmap2::Mmap;

criterion_group!(
    benches,
    floor_read,
    floor_map,
    hdf5_open,
    hdf5_metadata,
    hdf5_reader_metadata,
    hdf5_touch,
    model,
    model_touch
);

fn floor_read(c: &mut Criterion) {
    each_model(c, "load/floor_read", |_| true, |path| fs::read(path).unwrap().len());
}

fn floor_map(c: &mut Criterion) {
    each_model(c, "load/floor_map", |_| true, |path| touch(&map(path)));
}

fn hdf5_open(c: &mut Criterion) {
    each_model(c, "load/hdf5_open", is_h5, |path| hdf5_lite::File::open(path).unwrap());
}

fn hdf5_metadata(c: &mut Criterion) {
    each_model(c, "load/hdf5_metadata", is_h5, |path| {
        walk(&hdf5_lite::File::open(path).unwrap().root().unwrap(), &mut |_| 1)
    });
}

fn hdf5_touch(c: &mut Criterion) {
    each_model(c, "load/hdf5_touch", is_h5, |path| {
        let mut of_dataset = |dataset: &Dataset| touch(&dataset.bytes().unwrap());
        walk(&hdf5_lite::File::open(path).unwrap().root().unwrap(), &mut of_dataset)
    });
}

fn model(c: &mut Criterion) {
    each_model(c, "load/model", |_| true, |path| keras_model::load_model(path).unwrap());
}

fn model_touch(c: &mut Criterion) {
    each_model(
        c,
        "load/model_touch",
        |_| true,
        |path| {
            let model = keras_model::load_model(path).unwrap();
            model.weights.iter().map(|weight| touch(&weight.bytes().unwrap())).sum::<u64>()
        },
    );
}

/// Number of objects and attributes in `group`, a dataset counting for what `of_dataset` says.
fn walk(group: &Group, of_dataset: &mut impl FnMut(&Dataset) -> u64) -> u64 {
    let mut count = group.attrs().unwrap().len() as u64;
    for link in group.links().unwrap() {
        count += match group.follow(&link).unwrap().into_node().unwrap() {
            Node::Group(group) => walk(&group, of_dataset),
            Node::Dataset(dataset) => dataset.attrs().unwrap().len() as u64 + of_dataset(&dataset),
            _ => 1,
        };
    }
    count
}

fn hdf5_reader_metadata(c: &mut Criterion) {
    each_model(c, "load/hdf5_reader", is_h5, |path| {
        let file = hdf5_reader::Hdf5File::open(path).unwrap();
        walk_with_hdf5_reader(&file.root_group().unwrap())
    });
}

/// Number of objects and attributes in `group`.
fn walk_with_hdf5_reader(group: &hdf5_reader::group::Group) -> usize {
    let (groups, datasets) = group.members().unwrap();
    let attributes = datasets.iter().map(|d| d.attributes().len());
    group.attributes().unwrap().len()
        + attributes.sum::<usize>()
        + datasets.len()
        + groups.iter().map(walk_with_hdf5_reader).sum::<usize>()
}

/// Benches `run` on every model that `wanted` takes; says so when there is none.
fn each_model<T>(
    c: &mut Criterion,
    group: &str,
    wanted: impl Fn(&Path) -> bool,
    mut run: impl FnMut(&Path) -> T,
) {
    let models = models();
    if models.is_empty() {
        eprintln!("{group}: skipped, benches/make_models.py has not been run");
        return;
    }
    let mut group = c.benchmark_group(group);
    group.sample_size(10);
    for path in models.iter().filter(|path| wanted(path)) {
        let name = path.file_name().unwrap().to_string_lossy();
        group.throughput(Throughput::Bytes(fs::metadata(path).unwrap().len()));
        group.bench_with_input(BenchmarkId::from_parameter(name), path, |b, path| {
            b.iter(|| black_box(run(black_box(path))));
        });
    }
}

fn models() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-models");
    let mut models: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    models.sort();
    models
}

fn is_h5(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "h5")
}

#[expect(unsafe_code, reason = "the floor is the bare system call")]
fn map(path: &Path) -> Mmap {
    // SAFETY: nothing else writes to the bench models while the benches run.
    unsafe { Mmap::map(&File::open(path).unwrap()).unwrap() }
}

/// Reads one byte of every page.
fn touch(bytes: &[u8]) -> u64 {
    bytes.iter().step_by(4096).map(|byte| u64::from(*byte)).sum()
}
