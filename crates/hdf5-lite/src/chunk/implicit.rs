//! Implicit index: HDF5 File Format Specification 3.0, VII.B. All chunks lie one after another.

use super::List;
use crate::error::Result;
use crate::message::DataLayout;
use crate::parse::{Address, Structure};

pub(super) fn list(address: Address, list: &mut List<'_>) -> Result<()> {
    let grid = list.grid;
    let broken = |field| DataLayout::malformed(list.file.offset(address), field);
    let number = grid.max_chunks.iter().try_fold(1_u64, |n, dim| n.checked_mul((*dim)?));
    let number = number.ok_or_else(|| broken("implicit index of a dataset without end"))?;
    let bytes =
        number.checked_mul(grid.bytes).and_then(|n| n.checked_add(list.file.offset(address)));
    if bytes.is_none_or(|end| end > list.file.len()) {
        return Err(broken("implicit index reaches past the end of the file"));
    }
    for n in 0..number {
        let place = grid.place_of_max(n);
        list.add(&place, Address(address.0 + n * grid.bytes), grid.bytes, 0)?;
    }
    Ok(())
}
