//! Effects: what an operation changes in the keyspace, and what the log keeps of it.

use super::Entry;

/// A change of the keyspace.
#[derive(Debug)]
pub(crate) enum Effect<'a> {
    /// The key has this value from now on.
    Put { key: &'a [u8], value: Content<'a> },
    /// The key is gone.
    Delete { key: &'a [u8] },
    /// All keys are gone.
    Clear,
}

/// The bytes of a new value, wherever they are; never a borrow of the map, which an effect is about to change.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// Bytes of the request.
    Borrowed(&'a [u8]),
    /// Bytes that were computed.
    Owned(Vec<u8>),
    /// The value of an entry that is stored already, under whatever key.
    Stored(Entry),
    /// An entry made for this effect, with its key.
    Made(Entry),
}

impl<'a> Effect<'a> {
    /// Returns the key that it changes, if it is one.
    pub(crate) const fn key(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Put { key, .. } | Self::Delete { key } => Some(key),
            Self::Clear => None,
        }
    }

    /// Returns the memory that it takes, in bytes, whatever it gives back.
    pub(crate) fn memory_bytes(&self) -> u64 {
        match self {
            Self::Put { key, value } => Entry::memory_bytes_of(key.len() + value.bytes().len()) as u64,
            Self::Delete { .. } | Self::Clear => 0,
        }
    }
}

impl Content<'_> {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
            Self::Stored(entry) | Self::Made(entry) => entry.value(),
        }
    }
}
