//! The same questions to `hdf5-lite` and to other HDF5 readers, in turns, and a table of the answers' times.
//!
//! ```sh
//! target/bench-python/bin/python benches/make_files.py # see there
//! cd benches/peers
//! cargo build --release
//! taskset -c 0 target/release/peers                    # one thread: CPU time
//! RUST_HDF5_IO_THREADS=2 target/release/peers          # all cores: wall time
//! ```
//!
//! `--features libhdf5` adds the C library, `peers 20` asks 20 times. Readers that answer
//! differently from `hdf5-lite` stop the program.

mod hdf5_lite;
mod hdf5_pure;
mod hdf5_reader;
#[cfg(feature = "libhdf5")]
mod libhdf5;
mod rust_hdf5;
mod rustyhdf5;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is asked of a reader.
#[derive(Clone, Copy, PartialEq)]
enum Question {
    /// Open, then every object and the value of every attribute.
    Walk,
    /// All elements in a `Vec` of their own.
    Copy,
    /// One element of every page, wherever the reader has them.
    Touch,
    /// Twenty times 1 % of the rows.
    Rows,
    /// Twenty times a tenth of the rows and columns.
    Boxes,
}

/// Answers with a number that is the same for all readers; `None` if it has no way to. Panics if it fails.
type Answer = fn(Question, &Path) -> Option<f64>;

const PEERS: &[(&str, Answer)] = &[
    ("hdf5-lite", hdf5_lite::answer),
    ("hdf5-reader", hdf5_reader::answer),
    ("hdf5-pure", hdf5_pure::answer),
    ("rust-hdf5", rust_hdf5::answer),
    ("rustyhdf5", rustyhdf5::answer),
    #[cfg(feature = "libhdf5")]
    ("libhdf5", libhdf5::answer),
];

const ROWS: &[(&str, Question, &str)] = &[
    ("open and walk 10,000 datasets, old format", Question::Walk, "tree10k_old.h5"),
    ("the same, new format", Question::Walk, "tree10k_new.h5"),
    ("400 MB in one piece, copied", Question::Copy, "contiguous400.h5"),
    ("400 MB in one piece, each page touched", Question::Touch, "contiguous400.h5"),
    ("200 MB of gzip and shuffle", Question::Copy, "gzip200.h5"),
    ("20 x 1 % of it, whole rows", Question::Rows, "gzip200.h5"),
    ("20 x 1 % of it, boxes", Question::Boxes, "gzip200.h5"),
    ("20 x 1 % of 400 MB, whole rows", Question::Rows, "contiguous400.h5"),
    ("20 x 1 % of 400 MB, boxes", Question::Boxes, "contiguous400.h5"),
];

fn main() {
    let times = std::env::args().nth(1).map_or(7, |times| times.parse().expect("a number"));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench-files");
    // One thread's CPU time does not depend on what else runs; several threads' does not say enough.
    // A reader that fails has no figure; the others go on.
    std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
    let clock = if threads == 1 { "CPU time, median" } else { "wall time, best" };
    println!("ms of {clock} of {times}; threads: {threads}; load before: {}", load());
    let names: Vec<&str> = PEERS.iter().map(|(name, _)| *name).collect();
    println!("\n| | {} |\n|---{}|", names.join(" | "), "|---".repeat(names.len()));
    for (title, question, file) in ROWS {
        println!(
            "| {title} | {} |",
            row(*question, &folder.join(file), times, threads).join(" | ")
        );
    }
    println!("\nload after: {}", load());
}

fn row(question: Question, path: &PathBuf, times: usize, threads: usize) -> Vec<String> {
    if !path.exists() {
        return vec!["no file".into(); PEERS.len()];
    }
    let wanted = PEERS[0].1(question, path);
    let mut taken: Vec<Vec<Duration>> = vec![Vec::new(); PEERS.len()];
    for round in 0..times {
        // Memory that the one before gave back is the next one's: each is next to begin in its turn.
        for at in (0..PEERS.len()).map(|n| (n + round) % PEERS.len()) {
            let ((name, answer), taken) = (PEERS[at], &mut taken[at]);
            let (wall, cpu) = (Instant::now(), cpu_time());
            let found = std::panic::catch_unwind(|| answer(question, path)).ok().flatten();
            let time = if threads == 1 { cpu_time() - cpu } else { wall.elapsed() };
            if found.is_some() {
                assert_eq!(found, wanted, "{name} answers differently on {}", path.display());
                taken.push(time);
            }
        }
    }
    let figures: Vec<Option<f64>> = taken
        .iter_mut()
        .map(|taken| {
            taken.sort();
            let at = if threads == 1 { taken.len() / 2 } else { 0 };
            taken.get(at).map(|time| time.as_secs_f64() * 1e3)
        })
        .collect();
    let own = figures[0].unwrap_or(f64::NAN);
    let cell = |(n, figure): (usize, &Option<f64>)| match figure {
        None => "-".to_owned(),
        Some(ms) if n == 0 => number(*ms),
        Some(ms) => format!("{} ({:.2}x)", number(*ms), ms / own),
    };
    figures.iter().enumerate().map(cell).collect()
}

/// Three digits that matter.
fn number(ms: f64) -> String {
    match ms {
        ..1.0 => format!("{ms:.3}"),
        ..10.0 => format!("{ms:.2}"),
        ..100.0 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

/// CPU time of all threads so far, to the nanosecond.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// Starts and lengths of the parts: the same for each reader.
fn parts(question: Question, [rows, columns]: [u64; 2]) -> Vec<([u64; 2], [u64; 2])> {
    let shares = if question == Question::Rows { (100, 1) } else { (10, 10) };
    let (height, width) = (rows / shares.0, columns / shares.1);
    // A fixed sequence that looks random.
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 33) % (below + 1)
    };
    let part = |_| ([random(rows - height), random(columns - width)], [height, width]);
    (0..20).map(part).collect()
}

/// What to answer about elements: their number, the first, the last and one in between.
fn sum_of(elements: &[f32]) -> f64 {
    let some = [0, elements.len() / 2, elements.len() - 1];
    elements.len() as f64 + some.iter().map(|at| f64::from(elements[*at])).sum::<f64>()
}

/// What to answer about elements that were touched.
fn touched(elements: &[f32]) -> f64 {
    f64::from(elements.iter().step_by(1024).sum::<f32>())
}
