//! No damage to a file does harm: every fixture, and what the writer makes, is damaged in some
//! thousand ways, with and without its checksums repaired, and then read as far as it goes, and
//! copied if it goes all the way.

#![expect(clippy::indexing_slicing, reason = "helpers of tests")]

use std::collections::HashSet;

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, io};

use hdf5_lite::{
    Array, Datatype, File, Folder, Limits, LinkTarget, Node, Object, Result, Value, Writer,
};
use peak_alloc::PeakAlloc;

#[path = "../src/checksum.rs"]
mod checksum;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Ways to damage each fixture: at least, and at most.
const WAYS: (usize, usize) = (600, 1500);

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/hdf5")
}

/// Opens, walks and reads; an error of one object does not keep from the next.
fn read_all(bytes: &[u8], copies: bool) -> Result<()> {
    let mut limits = Limits::default();
    limits.read_bytes = 1 << 24;
    limits.unbacked_bytes = 1 << 20;
    let options = File::options().limits(limits).resolver(Folder::new(folder()));
    let file = options.from_bytes(bytes.to_vec())?;
    let mut seen = HashSet::new();
    let mut waiting = vec![file.root()?.object().clone()];
    while let Some(object) = waiting.pop() {
        let _ = read_object(&file, &object, &mut seen, &mut waiting);
    }
    // Bytes may be damaged that no read of an object needs, and a copy does.
    if copies { Writer::copy_of(&file)?.write(&mut io::sink()) } else { Ok(()) }
}

fn read_object(
    file: &File,
    object: &Object,
    seen: &mut HashSet<u64>,
    waiting: &mut Vec<Object>,
) -> Result<()> {
    if !seen.insert(object.address().get()) {
        return Ok(());
    }
    let _ = object.check_messages();
    for attribute in object.attrs().unwrap_or_default() {
        let _ = attribute.values();
        let _ = object.find_attr(&attribute.name());
    }
    match object.clone().into_node()? {
        Node::Group(group) => {
            for (n, link) in group.links()?.iter().enumerate() {
                let _ = group.find_link(&link.name());
                // A few soft links will do: each may lead over many others.
                let follows = match link.target() {
                    LinkTarget::Hard(_) => true,
                    LinkTarget::Soft(_) => n < 4,
                    _ => false,
                };
                if let (true, Ok(object)) = (follows, group.follow(link)) {
                    waiting.push(object);
                }
            }
        }
        Node::Dataset(dataset) => {
            let _ = (dataset.filters(), dataset.fill_value(), dataset.external_files());
            let _ = dataset.read::<f64>();
            let first = vec![hdf5_lite::Axis::from(0..1); dataset.shape().len()];
            let _ = dataset.bytes_of_slice(first);
            for value in dataset.values()?.into_iter().take(8) {
                if let hdf5_lite::Value::Reference(reference) = value {
                    waiting.push(file.dereference(&reference)?);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// A file with each structure that the writer knows.
fn written() -> Result<Vec<u8>> {
    let values: Vec<u16> = (0..400).collect();
    let mut file = Writer::new();
    for n in 0..40 {
        file.group(&format!("many/a group with a long name {n}"))?.set_attr("n", n)?;
    }
    let mut root = file.root_mut();
    root.set_attr("large", vec![1_u8; 5000])?.set_attr("texts", ["zero", "one"])?;
    for n in 0..20 {
        root.set_attr(&format!("attribute {n}"), [n])?;
    }
    root.dataset("packed", Array::new([20, 20], &values))?.chunks([7, 3]).shuffle().deflate(4);
    root.dataset("summed", Array::new([400], &values))?.chunks([5]).fletcher32();
    root.dataset("lists", Array::strings([2], ["a", "text"]))?.compact();
    let to_group = Value::Reference(root.reference("many")?);
    root.dataset("to", Array::values([1], Datatype::object_reference(), vec![to_group]))?;
    root.hard_link("many/same", "packed")?;
    root.soft_link("soft", "/many")?;
    root.datatype("type", Datatype::of::<f32>())?;
    file.to_bytes()
}

/// A structure with a checksum: where it starts, and where its checksum is.
struct Checksummed {
    start: usize,
    end: usize,
    sum: usize,
}

impl Checksummed {
    fn sum_of(&self, bytes: &[u8]) -> [u8; 4] {
        let mut part = bytes[self.start..self.end].to_vec();
        if self.sum < self.end {
            part[self.sum - self.start..][..4].fill(0);
        }
        checksum::lookup3(&part).to_le_bytes()
    }

    fn is_right(&self, bytes: &[u8]) -> bool {
        bytes.get(self.sum..self.sum + 4).is_some_and(|sum| sum == self.sum_of(bytes))
    }

    /// The structure at `start`, of the length that makes its checksum right.
    fn find(bytes: &[u8], start: usize) -> Option<Self> {
        let rest = bytes.len() - start;
        // Direct blocks of fractal heaps have it inside, and a size that is a power of two.
        let inside = bytes[start..].starts_with(b"FHDB");
        let mut ends = (8..rest.min(4096)).map(|len| start + len);
        if inside {
            let sizes = (9..16).map(|bits| 1 << bits).filter(|size| *size <= rest);
            let sums = [13, 15, 17, 18, 19, 21];
            let each = sizes.flat_map(|size| sums.map(|sum| (start + size, start + sum)));
            return each.map(|(end, sum)| Self { start, end, sum }).find(|one| one.is_right(bytes));
        }
        ends.find_map(|end| Some(Self { start, end, sum: end }).filter(|one| one.is_right(bytes)))
    }

    fn all(bytes: &[u8]) -> Vec<Self> {
        let names = [
            b"OHDR", b"OCHK", b"FRHP", b"FHDB", b"FHIB", b"BTHD", b"BTIN", b"BTLF", b"FAHD",
            b"FADB", b"EAHD", b"EAIB", b"EASB", b"EADB", b"\x89HDF",
        ];
        let starts =
            (0..bytes.len()).filter(|at| names.iter().any(|n| bytes[*at..].starts_with(*n)));
        starts.filter_map(|start| Self::find(bytes, start)).collect()
    }
}

/// Damages `bytes` in the way numbered `n`; says where.
fn damage(bytes: &mut Vec<u8>, places: &[usize], n: usize) -> Option<usize> {
    let len = bytes.len() as u64;
    let hostile = [u64::MAX, u64::MAX >> 1, 1 << 32, len, len - 8, 1, 0, 0x0001_0001_0001_0001];
    // Neighbours get different damage; a prime step spreads the ways over a long file.
    let at = places[n * 7919 % places.len()];
    match (n / places.len() + n) % 12 {
        0 => bytes.truncate(at),
        1 => bytes[at] = 0xff,
        2 => bytes[at] ^= 0x80,
        3 => bytes[at] = bytes[at].wrapping_add(1),
        kind => {
            let value = hostile[kind - 4].to_le_bytes();
            for (to, from) in bytes[at..].iter_mut().zip(value) {
                *to = from;
            }
        }
    }
    (at < bytes.len()).then_some(at)
}

#[test]
fn no_damage_does_harm() {
    let mut inputs = 0;
    let mut names: Vec<_> = fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
    names.retain(|name| name.extension().is_some_and(|extension| extension == "h5"));
    names.sort();
    assert!(names.len() >= 40);
    let files = names.iter().map(|name| (name.display().to_string(), fs::read(name).unwrap()));
    for (name, whole) in files.chain([("what the writer makes".into(), written().unwrap())]) {
        read_all(&whole, true).unwrap();
        let checksummed = Checksummed::all(&whole);
        let in_checksummed = |at: usize| checksummed.iter().any(|c| (c.start..c.end).contains(&at));
        // Metadata has checksums, or is what is not zero, and the byte before it.
        let matters = |at: &usize| {
            in_checksummed(*at) || whole[*at] != 0 || whole.get(at + 1).is_some_and(|b| *b != 0)
        };
        let places: Vec<usize> = (0..whole.len()).filter(matters).collect();
        for n in 0..places.len().clamp(WAYS.0, WAYS.1) {
            let mut bytes = whole.clone();
            let damaged = damage(&mut bytes, &places, n);
            let mut variants = vec![bytes];
            if let Some(at) = damaged {
                let mut repaired = variants[0].clone();
                for one in checksummed.iter().filter(|c| (c.start..c.end + 4).contains(&at)) {
                    let sum = one.sum_of(&repaired);
                    repaired[one.sum..one.sum + 4].copy_from_slice(&sum);
                }
                variants.push(repaired);
            }
            for bytes in variants {
                inputs += 1;
                let (start, before) = (Instant::now(), MEMORY.current_usage());
                MEMORY.reset_peak_usage();
                let _ = read_all(&bytes, n % 4 == 0); // a copy takes twice the time
                let peak = MEMORY.peak_usage().saturating_sub(before);
                let place = format!("{name} damaged in way {n}");
                assert!(peak <= 8 * bytes.len() + (16 << 20), "{place}: {peak} bytes of memory");
                assert!(start.elapsed() < Duration::from_secs(2), "{place}: {:?}", start.elapsed());
            }
        }
    }
    println!("{inputs} inputs");
    assert!(inputs >= 100_000, "{inputs} inputs");
}
