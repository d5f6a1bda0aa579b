//! Copies of keys, for lists: a handle on an entry would keep its value in memory as well.

use std::fmt;

use bytes::Bytes;

use super::entry::behave_as_bytes;

/// A copy of a key: cheap to clone, and it keeps no entry of the store in memory.
///
/// The keys of one page or list share their memory, which is freed with the last of them.
#[derive(Clone)]
pub struct Key(Bytes);

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

behave_as_bytes!(Key);

/// Keys that are being gathered.
#[derive(Debug, Default)]
pub(super) struct KeyList {
    bytes: Vec<u8>,
    /// Offset in `bytes` of the end of each key.
    ends: Vec<usize>,
}

impl KeyList {
    pub(super) fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }

    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) const fn key_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_keys(self) -> Vec<Key> {
        let (bytes, mut start) = (Bytes::from(self.bytes), 0);
        let key = |end| Key(bytes.slice(std::mem::replace(&mut start, end)..end));
        self.ends.into_iter().map(key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_out_as_they_went_in() {
        let mut list = KeyList::default();
        for key in [&b"a"[..], b"", b"\0\xff", b""] {
            list.push(key);
        }
        assert_eq!((list.len(), list.key_bytes()), (4, 3));
        let keys = list.into_keys();
        assert!(keys.iter().map(|key| &**key).eq([&b"a"[..], b"", b"\0\xff", b""]));
        assert!(KeyList::default().into_keys().is_empty());
    }
}
