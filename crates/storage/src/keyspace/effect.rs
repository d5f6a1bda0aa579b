//! Effects: changes of the keyspace by an operation.

use super::Entry;

/// A change of the keyspace.
#[derive(Debug)]
pub(crate) enum Effect<'a> {
    /// Stores a value.
    Put { key: &'a [u8], value: Content<'a> },
    /// Removes a key.
    Delete { key: &'a [u8] },
    /// Removes all keys.
    Clear,
}

/// Bytes of a new value. They never borrow from the map, which the effect is about to change.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    /// Bytes of the request.
    Borrowed(&'a [u8]),
    /// Bytes that were computed.
    Owned(Vec<u8>),
    /// The value of a stored entry, of any key.
    Stored(Entry),
    /// An entry made for this effect, with its key.
    Made(Entry),
}

impl<'a> Effect<'a> {
    /// Returns the key that it changes, if it changes a single one.
    pub(crate) const fn key(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Put { key, .. } | Self::Delete { key } => Some(key),
            Self::Clear => None,
        }
    }

    /// Returns the memory that it adds, in bytes, without subtracting what it frees.
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
