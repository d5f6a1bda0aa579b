//! A key with its value and LSN, in one allocation.

use std::fmt;

use triomphe::{Arc, ThinArc};

use crate::Lsn;
use crate::sync::counter::{AtomicU64, Ordering};

/// The header before an entry's bytes.
struct Header {
    /// LSN of the record that stored this entry; set under the shard's lock, before another thread can see the entry.
    lsn: AtomicU64,
    key_len: u32,
    kind: EntryKind,
}

/// Kind of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    Live,
    Tombstone,
}

/// A key with its value, or a tombstone: one allocation with a reference count.
#[derive(Clone)]
pub(crate) struct Entry(ThinArc<Header, u8>);

impl Entry {
    /// Memory of an entry beyond its key and value, in bytes: the reference count, the header, the length.
    const OVERHEAD_BYTES: usize = 32;

    pub(crate) fn live(key: &[u8], value: &[u8]) -> Self {
        // ThinArc is filled from one slice, so both are joined first. A second copy of a small value is cheap; a byte-wise
        // iterator is not.
        let mut joined = Vec::with_capacity(key.len() + value.len());
        joined.extend_from_slice(key);
        joined.extend_from_slice(value);
        Self::new(EntryKind::Live, key.len(), &joined)
    }

    pub(crate) fn tombstone(key: &[u8]) -> Self {
        Self::new(EntryKind::Tombstone, key.len(), key)
    }

    /// Overwrites the value of a live entry with one of the same length, by the record `lsn`, unless there are other handles;
    /// returns whether it did.
    pub(crate) fn overwrite(&mut self, value: &[u8], lsn: Lsn) -> bool {
        let key_len = self.key_len();
        if !self.is_live() || self.payload_bytes() - key_len != value.len() {
            return false;
        }
        let is_overwritten = self.0.with_arc_mut(|entry| {
            let Some(entry) = Arc::get_mut(entry) else { return false };
            entry.slice_mut().split_at_mut(key_len).1.copy_from_slice(value);
            true
        });
        if is_overwritten {
            self.set_lsn(lsn);
        }
        is_overwritten
    }

    fn new(kind: EntryKind, key_len: usize, bytes: &[u8]) -> Self {
        let key_len = u32::try_from(key_len).unwrap_or_else(|_| unreachable!("keys are under 4 GiB"));
        let header = Header { lsn: AtomicU64::new(0), key_len, kind };
        Self(ThinArc::from_header_and_slice(header, bytes))
    }

    pub(crate) fn set_lsn(&self, lsn: Lsn) {
        self.0.header.header.lsn.store(lsn.get(), Ordering::Relaxed);
    }

    pub(crate) fn lsn(&self) -> Lsn {
        Lsn::new(self.0.header.header.lsn.load(Ordering::Relaxed))
    }

    pub(crate) fn is_live(&self) -> bool {
        self.0.header.header.kind == EntryKind::Live
    }

    pub(crate) fn key(&self) -> &[u8] {
        self.0.slice.split_at(self.key_len()).0
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.0.slice.split_at(self.key_len()).1
    }

    /// Reads the entry's first and last byte.
    pub(crate) fn prefetch(&self) -> u64 {
        self.lsn().get() ^ u64::from(self.0.slice.last().copied().unwrap_or_default())
    }

    /// Returns the memory that is freed with the last handle, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        Self::memory_bytes_of(self.payload_bytes())
    }

    /// Returns the memory of an entry with this many bytes of key and value.
    pub(crate) const fn memory_bytes_of(payload_bytes: usize) -> usize {
        Self::OVERHEAD_BYTES + payload_bytes
    }

    /// Returns the bytes of key and value.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.0.slice.len()
    }

    fn key_len(&self) -> usize {
        self.0.header.header.key_len as usize
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("key", &self.key()).field("lsn", &self.lsn()).finish_non_exhaustive()
    }
}

/// A value, shared with the store: cheap to clone, and unchanged when the key gets another value.
#[derive(Clone)]
pub struct Value(Entry);

impl Value {
    pub(crate) const fn of(entry: Entry) -> Self {
        Self(entry)
    }

    /// Returns the LSN of the record that stored it. A later look-up of the key with the same LSN has the same value.
    pub fn lsn(&self) -> Lsn {
        self.0.lsn()
    }

    /// Returns its memory with that of its key, in bytes, without the table.
    pub fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self.0.value()
    }
}

macro_rules! behave_as_bytes {
    ($type:ty) => {
        impl std::ops::Deref for $type {
            type Target = [u8];

            fn deref(&self) -> &[u8] {
                self.as_ref()
            }
        }

        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                **self == **other
            }
        }

        impl Eq for $type {}

        impl PartialEq<[u8]> for $type {
            fn eq(&self, other: &[u8]) -> bool {
                **self == *other
            }
        }

        impl<const N: usize> PartialEq<[u8; N]> for $type {
            fn eq(&self, other: &[u8; N]) -> bool {
                **self == *other
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "b\"{}\"", self.escape_ascii())
            }
        }
    };
}

pub(super) use behave_as_bytes;

behave_as_bytes!(Value);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_value_as_long_that_nobody_holds_is_overwritten() {
        let mut entry = Entry::live(b"key", b"old");
        assert!(entry.overwrite(b"new", Lsn::new(2)));
        assert_eq!((entry.key(), entry.value(), entry.lsn()), (&b"key"[..], &b"new"[..], Lsn::new(2)));
        assert!(!entry.overwrite(b"longer", Lsn::new(3)));
        assert!(!Entry::tombstone(b"key").overwrite(b"", Lsn::new(3)));

        let held = Value::of(entry.clone());
        assert!(!entry.overwrite(b"yet", Lsn::new(3)));
        assert_eq!((held.as_ref(), entry.lsn()), (&b"new"[..], Lsn::new(2)));
        drop(held);
        assert!(entry.overwrite(b"yet", Lsn::new(3)));
    }
}
