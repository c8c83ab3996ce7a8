//! What can go wrong, by what the caller can do about it.

/// The result of every fallible call of this crate.
///
/// ```
/// # let file = hdf5_lite::File::open("../../fixtures/hdf5/tour_new.h5")?;
/// fn names(file: &hdf5_lite::File) -> hdf5_lite::Result<Vec<String>> {
///     Ok(file.root()?.links()?.iter().map(|link| link.name().into_owned()).collect())
/// }
/// assert!(names(&file)?.contains(&"grid".to_owned()));
/// # Ok::<_, hdf5_lite::Error>(())
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Errors of this crate. Offsets count bytes from the start of the file.
///
/// ```
/// use hdf5_lite::{Error, File};
/// match File::from_bytes(&b"PK\x03\x04 and so on"[..]) {
///     Err(Error::NotHdf5 { found }) => assert!(!found.is_empty()),
///     other => panic!("{other:?}"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes carry no HDF5 signature: another kind of file, or a part of one.
    #[error("not an HDF5 file: {found}")]
    NotHdf5 {
        /// What the bytes are instead.
        found: String,
    },
    /// One of several files that make an HDF5 file only together.
    #[error("a member of a set of files that the {driver} driver wrote; one alone cannot be read")]
    FileSet {
        /// The driver, in the words of the C library.
        driver: &'static str,
    },
    /// The file ends before the superblock says that it does, as after a broken download.
    #[error("truncated file: {expected} bytes by its superblock, {actual} bytes there")]
    Truncated {
        /// The end-of-file address of the superblock, user block included.
        expected: u64,
        /// The length of the file.
        actual: u64,
    },
    /// The bytes break the format.
    #[error("malformed {structure} at byte {offset:#x}: {field} (HDF5 spec {spec})")]
    Malformed {
        /// The structure or header message, as the specification calls it.
        structure: &'static str,
        /// The field that is wrong.
        field: &'static str,
        /// The section of the specification, version 3.0.
        spec: &'static str,
        /// Where in the file.
        offset: u64,
    },
    /// Valid HDF5 that this crate does not read.
    #[error("{structure} {field} {found} is not supported")]
    Unsupported {
        /// The structure or header message.
        structure: &'static str,
        /// The field with the unknown value.
        field: &'static str,
        /// The value.
        found: u64,
    },
    /// A filter of the pipeline is neither built in nor registered.
    #[error("filter {id}{} is not available", if name.is_empty() { String::new() } else { format!(" ({name})") })]
    UnknownFilter {
        /// The registered number of the filter.
        id: u16,
        /// Its name, if known.
        name: String,
    },
    /// A filter rejects its input.
    #[error("filter {filter}: {reason}")]
    Filter {
        /// The name of the filter.
        filter: &'static str,
        /// What is wrong with the chunk.
        reason: String,
    },
    /// A size in the file is over [`Limits`](crate::Limits); nothing was allocated for it.
    #[error("{what}: {wanted} asked, limit {limit}")]
    LimitExceeded {
        /// What was to be read.
        what: &'static str,
        /// The size in the file.
        wanted: u64,
        /// The limit.
        limit: u64,
    },
    /// No link or attribute of that name.
    #[error("{place} has no {what} {name:?}")]
    NotFound {
        /// `link` or `attribute`.
        what: &'static str,
        /// The name asked for.
        name: String,
        /// Path of the object that was searched.
        place: String,
    },
    /// The object or its elements are not of the kind asked for.
    #[error("{place} is {found}, not {wanted}")]
    WrongType {
        /// Path of the object.
        place: String,
        /// What was asked for.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// An element does not fit the type asked for.
    #[error("{value} does not fit {wanted}")]
    OutOfRange {
        /// The value in the file.
        value: String,
        /// The type asked for.
        wanted: &'static str,
    },
    /// A selection reaches outside the dataset or has the wrong rank.
    #[error("selection {reason}")]
    Selection {
        /// What does not fit.
        reason: String,
    },
    /// The bytes asked for lie in another file, and no resolver gave it.
    #[error("{what} needs the file {name:?}, and no resolver gives it")]
    Unresolved {
        /// What refers to the file.
        what: &'static str,
        /// Its name, as stored.
        name: String,
    },
    /// A name that is given a second time to one writer.
    #[error("{place} has a {what} {name:?} already")]
    Exists {
        /// `link` or `attribute`.
        what: &'static str,
        /// The name.
        name: String,
        /// Path of the object that has it.
        place: String,
    },
    /// What a writer was given does not make an object.
    #[error("{place} cannot be written: {reason}")]
    Unwritable {
        /// Path of the object, or of the object and the attribute.
        place: String,
        /// What does not fit.
        reason: String,
    },
    /// A value that the format has no room for.
    #[error("{structure} {field} {value} is more than the format can say")]
    TooLarge {
        /// The structure or header message, as the specification calls it.
        structure: &'static str,
        /// The field.
        field: &'static str,
        /// The value.
        value: u64,
    },
    /// The operating system or a caller's source failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
