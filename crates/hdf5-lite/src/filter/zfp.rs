//! ZFP, filter 32013: blocks of 4 to 256 neighbours, transformed, and coded bit plane by bit
//! plane.
//!
//! `client_data`: a version, and then the header of a ZFP stream in words of 32 bits: type,
//! extent and mode. A chunk is a stream without header.

use std::borrow::Cow;

use zfp_rs::{
    ZfpBitStreamRef, ZfpConfig, ZfpFieldMetadata, ZfpFieldMut, ZfpHeaderMask, ZfpScalar,
    ZfpScalarType,
};

use super::{Filter, broken, max_len, output};
use crate::error::Result;

/// Streams are of words of so many bytes.
const WORD: usize = 8;

#[derive(Debug)]
pub(super) struct Zfp;

impl Filter for Zfp {
    fn id(&self) -> u16 {
        32013
    }

    fn name(&self) -> &'static str {
        "zfp"
    }

    fn decode<'c>(
        &self,
        client_data: &[u32],
        chunk: Cow<'c, [u8]>,
        expected: usize,
    ) -> Result<Cow<'c, [u8]>> {
        let header = client_data.get(1..).unwrap_or_default();
        let little: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
        let (config, field) = read_header(little)
            .or_else(|| {
                // Written by a machine of the other byte order.
                read_header(header.iter().flat_map(|word| word.to_be_bytes()).collect())
            })
            .ok_or_else(|| broken(self, "no header of ZFP in the client data"))?;
        let dims = field.dims.iter().take_while(|dim| **dim > 0);
        let elements = dims.fold(1_usize, |n, dim| n.saturating_mul(*dim));
        let size = field.scalar_type.size();
        if elements.saturating_mul(size) > max_len(expected) {
            return Err(broken(self, "the stream is longer than the chunk"));
        }
        let decoded = match field.scalar_type {
            ZfpScalarType::I32 => self.values::<i32>(&config, &field, chunk, elements),
            ZfpScalarType::I64 => self.values::<i64>(&config, &field, chunk, elements),
            ZfpScalarType::F32 => self.values::<f32>(&config, &field, chunk, elements),
            ZfpScalarType::F64 => self.values::<f64>(&config, &field, chunk, elements),
        }?;
        Ok(Cow::Owned(decoded))
    }
}

impl Zfp {
    fn values<T: ZfpScalar + bytemuck::Pod>(
        &self,
        config: &ZfpConfig,
        field: &ZfpFieldMetadata,
        chunk: Cow<'_, [u8]>,
        elements: usize,
    ) -> Result<Vec<u8>> {
        let failed = |error: &dyn std::fmt::Display| broken(self, error.to_string());
        let mut values = Vec::new();
        values.try_reserve_exact(elements).map_err(|error| failed(&error))?;
        values.resize(elements, T::zeroed());
        let words = words(chunk.into_owned());
        let mut stream = ZfpBitStreamRef::from_words(&words);
        let mut out = ZfpFieldMut::new(&mut values, field.dims).map_err(|error| failed(&error))?;
        stream.decompress(config, &mut out).map_err(|error| failed(&error))?;
        let mut bytes = output(self, elements.saturating_mul(size_of::<T>()))?;
        bytes.extend_from_slice(bytemuck::cast_slice(&values));
        Ok(bytes)
    }
}

fn read_header(bytes: Vec<u8>) -> Option<(ZfpConfig, ZfpFieldMetadata)> {
    let words = words(bytes);
    let mut stream = ZfpBitStreamRef::from_words(&words);
    let header = stream.read_header(ZfpHeaderMask::FULL).ok()?;
    header.config.zip(header.metadata)
}

/// The words of a stream, which reads bits from the lowest of each on. The last is filled up.
fn words(mut bytes: Vec<u8>) -> Vec<u64> {
    bytes.resize(bytes.len().next_multiple_of(WORD), 0);
    bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}
