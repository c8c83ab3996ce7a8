//! `.keras`: a zip of `metadata.json`, `config.json` and `model.weights.h5`.
//! Source: `keras/src/saving/saving_lib.py`, Keras 3.15.

use std::collections::BTreeMap;
use std::io::{Read as _, Write};

use bytes::Bytes;
use hdf5_lite::{File, Limits, Writer};
use rawzip::extra_fields::ExtraFieldId;
use rawzip::time::UtcDateTime;
use rawzip::{CompressionMethod, Header, ZipArchive, ZipArchiveWriter, ZipSliceEntry};
use serde_json::Value;

use super::{Container, Source, Store};
use crate::{Error, Result, json};

/// A packed member may not grow past this: `config.json` and weights of packed archives.
const MAX_UNPACKED: u64 = 4 << 30;

/// Nor may it grow by more than this from the stored bytes, once it is over a size that harms.
const MAX_RATIO: u64 = 200;
const SMALL: u64 = 1 << 20;

/// Members that are read at once.
const DOCUMENTS: &[&str] = &["metadata.json", "config.json"];

pub(super) fn open(bytes: &Bytes, limits: &Limits) -> Result<Source> {
    let archive = ZipArchive::from_slice(bytes).map_err(zip)?;
    let mut members = BTreeMap::new();
    for record in archive.entries() {
        let record = record.map_err(zip)?;
        let name = String::from_utf8_lossy(record.file_path().as_ref()).into_owned();
        let place = (record.wayfinder(), record.compression_method());
        members.entry(name).or_insert(place);
    }
    let member = |name: &str| match members.get(name) {
        Some((wayfinder, method)) => {
            let entry = archive.get_entry(*wayfinder).map_err(zip)?;
            unpack(bytes, name, &entry, *method, wayfinder.uncompressed_size_hint()).map(Some)
        }
        None => Ok(None),
    };
    let document = |name: &str| -> Result<Option<Value>> {
        let Some(member) = member(name)? else { return Ok(None) };
        json::parse_bytes(&member, name).map(Some)
    };
    let metadata = document("metadata.json")?;
    let mut config = document("config.json")?
        .ok_or_else(|| Error::NotKeras { found: "a zip archive without config.json".into() })?;
    let version = metadata.as_ref().and_then(|m| m.get("keras_version")).and_then(Value::as_str);
    let compile_config = config.as_object_mut().and_then(|c| c.remove("compile_config"));
    let (weights, optimizer_weights) = match member(WEIGHTS)? {
        Some(h5) => {
            let file = File::options().limits(limits.clone()).from_bytes(h5);
            let file = file.map_err(Error::hdf5(WEIGHTS))?;
            let optimizer = super::h5::optimizer_vars(&file)?;
            (Store::Paths(file), optimizer)
        }
        None => (Store::None, Vec::new()),
    };
    let mut assets = BTreeMap::new();
    for name in members.keys() {
        if let Some(path) = name.strip_prefix("assets/").filter(|p| !p.is_empty())
            && let Some(asset) = member(name)?
        {
            assets.insert(path.to_owned(), asset);
        }
    }
    Ok(Source {
        container: Container::Keras,
        keras_version: version.map(str::to_owned),
        backend: None,
        config: Some(config),
        compile_config: compile_config.filter(|c| c.as_object().is_some_and(|c| !c.is_empty())),
        weights,
        optimizer_weights,
        assets,
    })
}

/// Weights lie at multiples of this, so that they can be used where they lie in the mapped file.
const ALIGNMENT: u64 = 64;

/// The members of an archive that [`open`] reads.
pub(crate) struct Members<'a> {
    pub metadata: String,
    pub config: String,
    pub weights: &'a Writer<'a>,
    /// By their paths below `assets/`.
    pub assets: &'a [(String, Bytes)],
}

/// Writes the archive from front to back, nothing packed.
pub(crate) fn write(members: &Members<'_>, out: impl Write) -> Result<()> {
    let mut archive = ZipArchiveWriter::new(out);
    let mut document = |name: &str, bytes: &[u8]| {
        let file = archive.new_file(name).last_modified(UtcDateTime::from_unix(FIRST_DAY));
        let (mut entry, config) = file.start().map_err(zip)?;
        let mut member = config.wrap(&mut entry);
        member.write_all(bytes).map_err(|e| Error::CannotSave(format!("{name}: {e}")))?;
        let (_, sums) = member.finish().map_err(zip)?;
        entry.finish(sums).map_err(zip)
    };
    document("metadata.json", members.metadata.as_bytes())?;
    document("config.json", members.config.as_bytes())?;
    for (path, bytes) in members.assets {
        document(&format!("assets/{path}"), bytes)?;
    }
    // A local header of 30 bytes, the name, and a field that fills up to the next multiple.
    let header = archive.stream_offset().saturating_add(30 + WEIGHTS.len() as u64 + 4);
    let gap = header.next_multiple_of(ALIGNMENT).saturating_sub(header);
    let zeros = vec![0; usize::try_from(gap).unwrap_or(0)];
    let file = archive.new_file(WEIGHTS).last_modified(UtcDateTime::from_unix(FIRST_DAY));
    let file = file.extra_field(FILLER, &zeros, Header::LOCAL).map_err(zip)?;
    let (mut entry, config) = file.start().map_err(zip)?;
    let mut member = config.wrap(&mut entry);
    members.weights.write(&mut member).map_err(Error::hdf5(WEIGHTS))?;
    let (_, sums) = member.finish().map_err(zip)?;
    entry.finish(sums).map_err(zip)?;
    let mut out = archive.finish().map_err(zip)?;
    out.flush().map_err(|e| Error::CannotSave(e.to_string()))
}

/// When members were written: the first day that zip knows, so that the same model gives the same
/// bytes.
const FIRST_DAY: i64 = 315_532_800;

const WEIGHTS: &str = "model.weights.h5";

/// The field by which Android's tools align members of archives: readers pass over it.
const FILLER: ExtraFieldId = ExtraFieldId::ANDROID_ZIP_ALIGNMENT;

#[allow(clippy::needless_pass_by_value, reason = "`map_err` gives it")]
fn zip(error: rawzip::Error) -> Error {
    Error::Zip(error.to_string())
}

/// A member of the archive: a part of `archive` itself if it is stored, unpacked if it is packed.
///
/// The checksum is verified of all but stored weights, which stay in the file until they are used.
fn unpack(
    archive: &Bytes,
    name: &str,
    entry: &ZipSliceEntry<'_>,
    method: CompressionMethod,
    wanted: u64,
) -> Result<Bytes> {
    let data = entry.data();
    let broken = |e: std::io::Error| Error::Zip(format!("{name}: {e}"));
    if method == CompressionMethod::STORE {
        if DOCUMENTS.contains(&name) {
            std::io::copy(&mut entry.verifying_reader(data), &mut std::io::sink())
                .map_err(broken)?;
        }
        return Ok(archive.slice_ref(data));
    }
    if method != CompressionMethod::DEFLATE {
        return Err(Error::Zip(format!("{name}: this compression is not supported")));
    }
    // A small claim is let through; above it no config and no weights shrink to less than this.
    let limit = MAX_UNPACKED.min((data.len() as u64).saturating_mul(MAX_RATIO).max(SMALL));
    if wanted > limit {
        return Err(Error::LimitExceeded { what: format!("unpacked {name}"), wanted, limit });
    }
    let mut unpacked = Vec::new();
    entry
        .verifying_reader(flate2::read::DeflateDecoder::new(data))
        .take(wanted)
        .read_to_end(&mut unpacked)
        .map_err(broken)?;
    Ok(unpacked.into())
}
