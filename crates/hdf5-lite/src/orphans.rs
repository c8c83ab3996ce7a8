//! Object headers found by their signature, whether or not a link leads to them.

use crate::file::File;
use crate::header::ObjectHeader;
use crate::object::ObjectAddress;
use crate::parse::Address;

/// Headers before version 2 have no signature.
const SIGNATURE: &[u8] = b"OHDR";

/// Signatures without a header behind them, after which the search ends: in no honest file are so
/// many, and each costs the time of a checksum.
const MOST_FALSE: usize = 16;

impl File {
    /// Addresses of all object headers of version 2 whose checksum fits, in order: those too that
    /// no link leads to, as of deleted objects. None if the file is read by ranges.
    ///
    /// ```no_run
    /// let file = hdf5_lite::File::open("model.h5")?;
    /// println!("{} objects, past and present", file.object_headers().len());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn object_headers(&self) -> Vec<ObjectAddress> {
        let Some(memory) = self.memory() else { return Vec::new() };
        let start = usize::try_from(self.user_block()).unwrap_or(usize::MAX);
        let file = memory.get(start..).unwrap_or_default();
        let mut found = Vec::new();
        let (mut at, mut read, mut false_ones) = (0, 0_u64, 0);
        let enough = self.len().saturating_mul(4);
        while read <= enough && false_ones < MOST_FALSE {
            let rest = file.get(at..).unwrap_or_default();
            let next = rest.windows(SIGNATURE.len()).position(|bytes| bytes == SIGNATURE);
            let Some(next) = next else { break };
            at += next;
            let address = Address(at as u64);
            if let Ok(header) = ObjectHeader::read_at(self, address) {
                found.push(ObjectAddress(address));
                let (first, all) = header.lens();
                at += first.max(SIGNATURE.len());
                read = read.saturating_add(all);
            } else {
                at += SIGNATURE.len();
                false_ones += 1;
            }
        }
        found
    }

    /// Where the extension of the superblock lies, which is an object without a link.
    ///
    /// ```
    /// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
    /// assert!(file.superblock_extension().is_none());
    /// # Ok::<_, hdf5_lite::Error>(())
    /// ```
    pub fn superblock_extension(&self) -> Option<ObjectAddress> {
        self.extension().map(ObjectAddress)
    }
}
