//! Superblock: HDF5 File Format Specification 3.0, II.A.

use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::{cond, verify};
use nom::number::complete::{le_u8, le_u16, le_u32};

use crate::error::{Error, Result};
use crate::message::DriverBlock;
use crate::out::{Out, SIZES, Write};
use crate::parse::{self, Address, Context, Parsed, Sizes, Structure, field, signature, version};
use crate::storage::{Block, Storage};

/// "Format Signature".
pub(crate) const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// No version is longer: version 1 with offsets of eight bytes.
const MAX_LEN: u64 = 100;

/// What the superblock says of the file.
#[derive(Clone, Debug)]
pub(crate) struct Superblock {
    pub(crate) version: u8,
    pub(crate) sizes: Sizes,
    /// "Base Address". A user block put in front later does not change it.
    stored_base: u64,
    /// "End of File Address".
    pub(crate) end_of_file: Option<Address>,
    /// Object header of the root group.
    pub(crate) root: Address,
    /// Driver information block of versions 0 and 1: the file is one of several.
    pub(crate) driver_info: Option<Address>,
    /// Superblock extension of versions 2 and 3.
    pub(crate) extension: Option<Address>,
}

impl Superblock {
    /// Bytes of the superblock that is written.
    pub(crate) const LEN: u64 = 48;

    /// Of a file that ends at `end`.
    pub(crate) fn of(root: Address, end: u64) -> Self {
        Self {
            version: 2,
            sizes: SIZES,
            stored_base: 0,
            end_of_file: Some(Address(end)),
            root,
            driver_info: None,
            extension: None,
        }
    }

    /// Finds and reads the superblock; also says where it lies, which is the base address.
    pub(crate) fn find(storage: &Storage) -> Result<(u64, Self)> {
        let base = find_signature(storage)?;
        let block = storage.read_up_to(base, MAX_LEN)?;
        let (read, sizes) = match Self::sizes(&block.data) {
            Ok((rest, sizes)) => (block.data.len() - rest.len(), sizes),
            Err(stop) => return Err(Self::error(&block, stop)),
        };
        let superblock = Self::read(&block, sizes)?;
        if superblock.version >= 2 {
            // Signature, version, sizes, flags; four addresses; checksum.
            let len = 12 + 4 * usize::from(sizes.offsets) + 4;
            let whole = block.slice(0, len.max(read));
            let whole = whole.ok_or_else(|| Self::malformed(base, "end of the file"))?;
            parse::verify(&whole).map_err(|field| Self::malformed(base, field))?;
        }
        if let Some(Address(address)) = superblock.driver_info {
            let block = storage.read_up_to(base.saturating_add(address), 16)?;
            let DriverBlock(info) = DriverBlock::read(&block, sizes)?;
            info.check()?;
        }
        if let Some(Address(end)) = superblock.end_of_file {
            // Both count from the file's start as it was when it was written.
            let expected = base.saturating_add(end.saturating_sub(superblock.stored_base));
            if expected > storage.len() {
                return Err(Error::Truncated { expected, actual: storage.len() });
            }
        }
        Ok((base, superblock))
    }

    /// The first fields, which say how long the others are.
    fn sizes(i: &[u8]) -> Parsed<'_, Sizes> {
        let (i, ()) = signature(SIGNATURE).parse(i)?;
        let (i, version) = version(0..=3).parse(i)?;
        let (i, _) = field("versions", cond(version < 2, take(4_usize))).parse(i)?;
        let size = || verify(le_u8, |size| matches!(size, 2 | 4 | 8));
        let (i, offsets) = field("size of offsets", size()).parse(i)?;
        let (i, lengths) = field("size of lengths", size()).parse(i)?;
        Ok((i, Sizes { offsets, lengths }))
    }
}

impl Structure for Superblock {
    const NAME: &'static str = "superblock";
    const SPEC: &'static str = "II.A";

    fn parse<'a>(i: &'a [u8], _: &Context<'_>) -> Parsed<'a, Self> {
        let (_, version) = le_u8(i.get(SIGNATURE.len()..).unwrap_or_default())?;
        let (i, sizes) = Self::sizes(i)?;
        let address = |i| sizes.address(i);
        if version >= 2 {
            let (i, _) = field("file consistency flags", le_u8).parse(i)?;
            let (i, base) = field("base address", address).parse(i)?;
            let stored_base = base.map_or(0, |base| base.0);
            let (i, extension) = field("superblock extension address", address).parse(i)?;
            let (i, end_of_file) = field("end of file address", address).parse(i)?;
            let (i, root) = field("root group address", |i| sizes.defined(i)).parse(i)?;
            return Ok((
                i,
                Self {
                    version,
                    sizes,
                    stored_base,
                    end_of_file,
                    root,
                    driver_info: None,
                    extension,
                },
            ));
        }
        let (i, _) = field("reserved", le_u8).parse(i)?;
        let (i, _) = field("group node k", (le_u16, le_u16)).parse(i)?;
        let (i, _) = field("file consistency flags", le_u32).parse(i)?;
        let (i, _) = field("indexed storage k", cond(version == 1, (le_u16, le_u16))).parse(i)?;
        let (i, base) = field("base address", address).parse(i)?;
        let stored_base = base.map_or(0, |base| base.0);
        let (i, _) = field("free space address", address).parse(i)?;
        let (i, end_of_file) = field("end of file address", address).parse(i)?;
        let (i, driver_info) = field("driver information address", address).parse(i)?;
        // The root group's symbol table entry (III.C); only the header's address matters.
        let (i, _) = field("root link name", |i| sizes.length(i)).parse(i)?;
        let (i, root) = field("root group address", |i| sizes.defined(i)).parse(i)?;
        Ok((
            i,
            Self { version, sizes, stored_base, end_of_file, root, driver_info, extension: None },
        ))
    }
}

impl Write for Superblock {
    /// Version 2, which HDF5 1.8 brought.
    fn write(&self, out: &mut Out) -> Result<()> {
        out.bytes(SIGNATURE);
        out.bytes(&[2, SIZES.offsets, SIZES.lengths, 0]);
        out.u64(self.stored_base);
        out.address(self.extension);
        out.address(self.end_of_file);
        out.address(Some(self.root));
        out.checksum();
        Ok(())
    }
}

/// The signature lies at byte 0, 512, 1024, 2048 and so on: a user block may come before it.
fn find_signature(storage: &Storage) -> Result<u64> {
    let mut offset = 0_u64;
    while offset.saturating_add(SIGNATURE.len() as u64) <= storage.len() {
        if storage.read(offset, SIGNATURE.len() as u64)?.data == SIGNATURE[..] {
            return Ok(offset);
        }
        offset = (offset * 2).max(512);
    }
    Err(Error::NotHdf5 { found: describe(&storage.read_up_to(0, 64)?) })
}

/// What a file without the signature looks like.
fn describe(start: &Block) -> String {
    let bytes: &[u8] = &start.data;
    let known: [(&[u8], &str); 11] = [
        (b"", "an empty file"),
        (b"PK\x03\x04", "a zip archive"),
        (b"CDF\x01", "a netCDF classic file"),
        (b"CDF\x02", "a netCDF 64-bit offset file"),
        (b"CDF\x05", "a netCDF CDF-5 file"),
        (b"\x0e\x03\x13\x01", "an HDF4 file"),
        (b"\x1f\x8b", "a gzip stream"),
        (b"version https://git-lfs", "a Git LFS pointer; the content was not fetched"),
        (b"<!", "text that looks like HTML"),
        (b"<html", "text that looks like HTML"),
        (b"<?xml", "text that looks like XML"),
    ];
    let is = |sign: &[u8]| if sign.is_empty() { bytes.is_empty() } else { bytes.starts_with(sign) };
    match known.into_iter().find(|(sign, _)| is(sign)) {
        Some((_, name)) => name.into(),
        None => format!(
            "no signature; the file starts with \"{}\" (a later member of a family, multi, split \
             or subfiling set has none either)",
            bytes.get(..bytes.len().min(8)).unwrap_or_default().escape_ascii()
        ),
    }
}

#[test]
fn what_is_written_is_read() {
    let mut bytes = Superblock::of(Address(48), 64).to_bytes().unwrap();
    assert_eq!(bytes.len() as u64, Superblock::LEN);
    bytes.resize(64, 0);
    let (base, found) = Superblock::find(&Storage::bytes(bytes.into())).unwrap();
    assert_eq!((base, found.version, found.root), (0, 2, Address(48)));
    assert_eq!(found.end_of_file, Some(Address(64)));
}
