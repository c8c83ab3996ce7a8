//! `.keras`: a zip of `metadata.json`, `config.json` and `model.weights.h5`.
//! Source: `keras/src/saving/saving_lib.py`, Keras 3.15.

use std::collections::BTreeMap;
use std::io::Read as _;

use bytes::Bytes;
use hdf5_lite::{File, Limits};
use rawzip::{CompressionMethod, ZipArchive, ZipSliceEntry};
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
    let (weights, optimizer_weights) = match member("model.weights.h5")? {
        Some(h5) => {
            let file = File::options().limits(limits.clone()).from_bytes(h5);
            let file = file.map_err(Error::hdf5("model.weights.h5"))?;
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
