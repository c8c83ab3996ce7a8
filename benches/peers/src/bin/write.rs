//! The same files written by `hdf5-lite` and by others, in turns, and a table of the times.
//!
//! ```sh
//! cd benches/peers
//! cargo build --release --features libhdf5
//! taskset -c 0 target/release/write # one thread: CPU time
//! target/release/write              # all cores: wall time
//! ```

use std::path::Path;
use std::time::Instant;

/// What is to be written.
#[derive(Clone, Copy, PartialEq)]
enum Task {
    /// 400 MB in one piece.
    Contiguous,
    /// 64 MB in chunks of 1 MB, through shuffle and gzip at level 4.
    Gzip,
    /// 10,000 datasets of eight numbers in 100 groups, each with two attributes.
    Tree,
}

/// Writes `values`, or parts of them, to a path. Panics if it fails.
type Write = fn(Task, &[f32], &Path);

const PEERS: &[(&str, Write)] = &[
    ("hdf5-lite", hdf5_lite),
    ("hdf5-pure", hdf5_pure),
    ("rust-hdf5", rust_hdf5),
    #[cfg(feature = "libhdf5")]
    ("libhdf5", libhdf5),
];

fn main() {
    let times = std::env::args().nth(1).map_or(5, |times| times.parse().expect("a number"));
    let one = std::thread::available_parallelism().is_ok_and(|threads| threads.get() == 1);
    let path = std::env::temp_dir().join("hdf5-peers-write.h5");
    // A signal that gzip makes half as long.
    let value = |n: u32| ((n / 4096) as f32 / 50.0).sin() + (n % 4096) as f32 / 500.0;
    let noise = |n: u32| (n.wrapping_mul(0x9e37_79b9) >> 27) as f32 / 1000.0;
    let signal: Vec<f32> = (0..1 << 24).map(|n| value(n) + noise(n)).collect();
    let large = vec![0.5_f32; 100_000_000];
    println!("best of {times}, ms of {}", if one { "CPU time" } else { "wall time" });
    for (title, task, values) in [
        ("400 MB in one piece", Task::Contiguous, &large[..]),
        ("64 MB through gzip and shuffle", Task::Gzip, &signal),
        ("10,000 datasets", Task::Tree, &signal),
    ] {
        let mut best = vec![f64::MAX; PEERS.len()];
        let mut sizes = vec![0; PEERS.len()];
        for _ in 0..times {
            for (n, (_, write)) in PEERS.iter().enumerate() {
                let (wall, cpu) = (Instant::now(), cpu_time());
                write(task, values, &path);
                let time = if one { cpu_time() - cpu } else { wall.elapsed().as_secs_f64() };
                best[n] = best[n].min(time * 1e3);
                sizes[n] = path.metadata().unwrap().len();
                std::fs::remove_file(&path).unwrap();
            }
        }
        for (n, (name, _)) in PEERS.iter().enumerate() {
            let ratio = best[n] / best[0];
            println!("{title}: {name} {:.0} ({ratio:.2}x), {} bytes", best[n], sizes[n]);
        }
    }
}

fn cpu_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn hdf5_lite(task: Task, values: &[f32], path: &Path) {
    use hdf5_lite::{Array, Writer};
    let mut file = Writer::new();
    match task {
        Task::Contiguous => drop(file.dataset("data", Array::new([10_000, 10_000], values)).unwrap()),
        Task::Gzip => {
            let mut data = file.dataset("data", Array::new([4096, 4096], values)).unwrap();
            data.chunks([64, 4096]).shuffle().deflate(4);
        }
        Task::Tree => {
            for n in 0..10_000 {
                let path = format!("group_{:03}/dataset_{:03}", n / 100, n % 100);
                let mut data = file.dataset(&path, &values[n..n + 8]).unwrap();
                data.set_attr("units", "metres").unwrap().set_attr("scale", [1.5_f32, 2.5]).unwrap();
            }
        }
    }
    file.write_to(path).unwrap();
}

fn hdf5_pure(task: Task, values: &[f32], path: &Path) {
    use hdf5_pure::{AttrValue, FileBuilder};
    let mut file = FileBuilder::new();
    match task {
        Task::Contiguous => {
            file.create_dataset("data").with_f32_data(values).with_shape(&[10_000, 10_000]);
        }
        Task::Gzip => {
            let data = file.create_dataset("data").with_f32_data(values).with_shape(&[4096, 4096]);
            data.with_chunks(&[64, 4096]).with_shuffle().with_deflate(4);
        }
        Task::Tree => {
            for number in 0..100 {
                let mut group = file.create_group(&format!("group_{number:03}"));
                for inner in 0..100 {
                    let n = number * 100 + inner;
                    let data = group.create_dataset(&format!("dataset_{inner:03}"));
                    data.with_f32_data(&values[n..n + 8]);
                    data.set_attr("units", AttrValue::String("metres".into()));
                    data.set_attr("scale", AttrValue::F64Array(vec![1.5, 2.5]));
                }
                file.add_group(group.finish());
            }
        }
    }
    std::fs::write(path, file.finish().unwrap()).unwrap();
}

fn rust_hdf5(task: Task, values: &[f32], path: &Path) {
    use rust_hdf5::H5File;
    use rust_hdf5::types::VarLenUnicode;
    let file = H5File::create(path).unwrap();
    match task {
        Task::Contiguous => {
            let data = file.new_dataset::<f32>().shape([10_000, 10_000]).create("data").unwrap();
            data.write_raw(values).unwrap();
        }
        Task::Gzip => {
            let data = file.new_dataset::<f32>().shape([4096, 4096]).chunk(&[64, 4096]);
            data.shuffle_deflate(4).create("data").unwrap().write_raw(values).unwrap();
        }
        Task::Tree => {
            for number in 0..100 {
                let group = file.create_group(&format!("group_{number:03}")).unwrap();
                for inner in 0..100 {
                    let n = number * 100 + inner;
                    let data = group.new_dataset::<f32>().shape([8]);
                    let data = data.create(&format!("dataset_{inner:03}")).unwrap();
                    data.write_raw(&values[n..n + 8]).unwrap();
                    let units = data.new_attr::<VarLenUnicode>().shape(()).create("units").unwrap();
                    units.write_string("metres").unwrap();
                    let scale = data.new_attr::<f32>().shape([2]).create("scale").unwrap();
                    scale.write_array(&[1.5_f32, 2.5]).unwrap();
                }
            }
        }
    }
    file.close().unwrap();
}

#[cfg(feature = "libhdf5")]
fn libhdf5(task: Task, values: &[f32], path: &Path) {
    use hdf5_metno::File;
    use hdf5_metno::types::VarLenUnicode;
    let file = File::create(path).unwrap();
    match task {
        Task::Contiguous => {
            let data = file.new_dataset::<f32>().shape([10_000, 10_000]).create("data").unwrap();
            data.write_raw(values).unwrap();
        }
        Task::Gzip => {
            let data = file.new_dataset::<f32>().shape([4096, 4096]).chunk([64, 4096]);
            data.shuffle().deflate(4).create("data").unwrap().write_raw(values).unwrap();
        }
        Task::Tree => {
            for number in 0..100 {
                let group = file.create_group(&format!("group_{number:03}")).unwrap();
                for inner in 0..100 {
                    let n = number * 100 + inner;
                    let data = group.new_dataset::<f32>().shape([8]);
                    let data = data.create(format!("dataset_{inner:03}").as_str()).unwrap();
                    data.write_raw(&values[n..n + 8]).unwrap();
                    let units: VarLenUnicode = "metres".parse().unwrap();
                    let attribute = data.new_attr::<VarLenUnicode>().create("units").unwrap();
                    attribute.write_scalar(&units).unwrap();
                    let scale = data.new_attr::<f32>().shape([2]).create("scale").unwrap();
                    scale.write_raw(&[1.5_f32, 2.5]).unwrap();
                }
            }
        }
    }
}
