//! Object headers found by their signature, whether or not a link leads to them.

use crate::file::File;
use crate::header::ObjectHeader;
use crate::object::ObjectAddress;
use crate::parse::Address;

/// Headers before version 2 have no signature.
const SIGNATURE: &[u8] = b"OHDR";

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
        let found = file.windows(SIGNATURE.len()).enumerate();
        let found = found.filter(|(_, bytes)| *bytes == SIGNATURE);
        let found = found.map(|(at, _)| Address(at as u64));
        found
            .filter(|address| ObjectHeader::read_at(self, *address).is_ok())
            .map(ObjectAddress)
            .collect()
    }

    /// Where the extension of the superblock lies, which is an object without a link.
    pub fn superblock_extension(&self) -> Option<ObjectAddress> {
        self.extension().map(ObjectAddress)
    }
}
