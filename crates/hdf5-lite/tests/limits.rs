//! What a file may ask for is bounded, and asked before anything is done.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hdf5_lite::{Error, File, Folder, Limits, Resolver};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hdf5").join(name)
}

fn is_limit<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::LimitExceeded { .. }))
}

#[test]
fn bombs_are_refused_at_once() {
    for name in ["bombs_old.h5", "bombs_new.h5"] {
        let start = Instant::now();
        let file = File::open(fixture(name)).unwrap();
        for name in ["declared", "declared_chunks"] {
            let dataset = file.dataset(name).unwrap();
            assert!(is_limit(&dataset.bytes()), "{name}");
            assert!(is_limit(&dataset.read::<u8>()), "{name}");
            assert!(is_limit(&dataset.values()), "{name}");
        }
        // What it has is still there.
        let chunks = file.dataset("declared_chunks").unwrap();
        assert_eq!(chunks.read_slice::<f64>(hdf5_lite::s![0..2, 5]).unwrap(), [0.0, 0.0]);

        let mut limits = Limits::default();
        limits.unbacked_bytes = 1 << 20;
        let file = File::options().limits(limits).open(fixture(name)).unwrap();
        assert!(is_limit(&file.dataset("inflates").unwrap().bytes()));
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    }
}

#[test]
fn links_through_links_come_to_an_end() {
    for name in ["soft_link_bomb_old.h5", "soft_link_bomb_new.h5"] {
        let start = Instant::now();
        let file = File::open(fixture(name)).unwrap();
        assert!(is_limit(&file.node("s0")));
        assert!(file.node("s38").is_ok());
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    }
}

#[test]
fn each_limit_is_asked() {
    let open = |name, set: &dyn Fn(&mut Limits)| {
        let mut limits = Limits::default();
        set(&mut limits);
        File::options().limits(limits).open(fixture(name)).unwrap()
    };
    let file = open("attributes_new.h5", &|limits| limits.attribute_bytes = 4);
    assert!(is_limit(&file.root().unwrap().attr("array").unwrap().bytes()));
    let file = open("attributes_old.h5", &|limits| limits.header_bytes = 64);
    assert!(is_limit(&file.root()));
    let file = open("many_links_new.h5", &|limits| limits.entries = 50);
    assert!(is_limit(&file.group("many").unwrap().links()));
    let file = open("filters_new.h5", &|limits| limits.chunk_bytes = 10);
    assert!(is_limit(&file.dataset("deflate").unwrap().bytes()));
    let file = open("links_new.h5", &|limits| limits.depth = 1);
    assert!(file.dataset("soft").is_ok(), "one link is no chain");
    assert!(is_limit(&file.dataset("circle")));
}

#[test]
fn nothing_outside_is_read() {
    // Without a resolver, not at all.
    let file = File::open(fixture("external_storage_old.h5")).unwrap();
    let read = file.dataset("external").unwrap().bytes();
    assert!(matches!(read, Err(Error::Unresolved { .. })));
    let file = File::open(fixture("virtual_new.h5")).unwrap();
    let read = file.dataset("strided").unwrap().bytes();
    assert!(matches!(read, Err(Error::Unresolved { .. })));
    // With one for a folder, only below it.
    let folder = Folder::new(fixture(""));
    assert!(folder.resolve("external_1.raw").unwrap().is_some());
    for name in ["/etc/passwd", "../make/hdf5.py", "../../Cargo.toml", "..", "", "/"] {
        assert_eq!(folder.resolve(name).unwrap(), None, "{name}");
    }
}
