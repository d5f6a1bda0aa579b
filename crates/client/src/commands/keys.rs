//! Commands on keys, whatever their values are.

/// Makes methods of the trait, as its neighbours do.
macro_rules! key_commands {
    () => {
        /// Removes `key`; true if it was there.
        fn delete(self, key: impl AsRef<[u8]>) -> Self::Output<bool> {
            self.call(request(Command::Delete, &[key.as_ref()]))
        }

        /// Removes `keys`, up to 10,000 in one step; returns how many were there.
        fn del<K: AsRef<[u8]>>(self, keys: impl IntoIterator<Item = K>) -> Self::Output<u64> {
            with_all(Command::Del, keys, |request| self.call(request))
        }

        /// Removes `keys` as [`del`](Self::del) does; both free memory in the background.
        fn unlink<K: AsRef<[u8]>>(self, keys: impl IntoIterator<Item = K>) -> Self::Output<u64> {
            with_all(Command::Unlink, keys, |request| self.call(request))
        }

        /// Returns how many of `keys` are there.
        fn touch<K: AsRef<[u8]>>(self, keys: impl IntoIterator<Item = K>) -> Self::Output<u64> {
            with_all(Command::Touch, keys, |request| self.call(request))
        }

        /// Returns whether `key` is there.
        fn exists(self, key: impl AsRef<[u8]>) -> Self::Output<bool> {
            self.call(request(Command::Exists, &[key.as_ref()]))
        }

        /// Returns how many of `keys` are there, up to 10,000 looked up in one step; one that is named twice counts twice.
        fn count_existing<K: AsRef<[u8]>>(self, keys: impl IntoIterator<Item = K>) -> Self::Output<u64> {
            with_all(Command::Exists, keys, |request| self.call(request))
        }

        /// Renames `key`; `new_key` is replaced if it is there. An error if there is no `key`.
        fn rename(self, key: impl AsRef<[u8]>, new_key: impl AsRef<[u8]>) -> Self::Output<()> {
            self.call(request(Command::Rename, &[key.as_ref(), new_key.as_ref()]))
        }

        /// Renames `key` if `new_key` is missing; true if it did. An error if there is no `key`.
        fn rename_nx(self, key: impl AsRef<[u8]>, new_key: impl AsRef<[u8]>) -> Self::Output<bool> {
            self.call(request(Command::RenameNx, &[key.as_ref(), new_key.as_ref()]))
        }

        /// Stores the value of `source` under `destination` as well, if that is missing; true if it did.
        fn copy(self, source: impl AsRef<[u8]>, destination: impl AsRef<[u8]>) -> Self::Output<bool> {
            self.call(request(Command::Copy, &[source.as_ref(), destination.as_ref()]))
        }

        /// Stores the value of `source` under `destination` as well, whatever is there; true if there is a `source`.
        fn copy_replace(self, source: impl AsRef<[u8]>, destination: impl AsRef<[u8]>) -> Self::Output<bool> {
            self.call(request(Command::Copy, &[source.as_ref(), destination.as_ref(), b"REPLACE"]))
        }

        /// Returns what kind of value `key` has: `string`, or `none` if there is no such key.
        fn type_of(self, key: impl AsRef<[u8]>) -> Self::Output<String> {
            self.call(request(Command::Type, &[key.as_ref()]))
        }

        /// Returns how Redis would keep the value of `key`: `int`, `embstr` or `raw`; `None` if there is no such key.
        fn object_encoding(self, key: impl AsRef<[u8]>) -> Self::Output<Option<String>> {
            self.call(request(Command::ObjectEncoding, &[key.as_ref()]))
        }

        /// Returns some key, or `None` if there is none.
        fn random_key(self) -> Self::Output<Option<Bytes>> {
            self.call(request(Command::RandomKey, &[]))
        }

        /// Returns a page of the keys that start with `prefix`, at most `count` of them (1 to 10,000).
        ///
        /// Begin with cursor 0 and go on with [`ScanPage::next_cursor`] until that is 0; a page may be short,
        /// or empty, before the last one. A key that is there all the while is returned at least once.
        /// [`Client::keys`](crate::Client::keys) follows the cursor for you.
        fn scan(self, cursor: u64, prefix: impl AsRef<[u8]>, count: u32) -> Self::Output<ScanPage> {
            let (mut from, mut most, glob) = (Digits::new(), Digits::new(), prefix_glob(prefix.as_ref()));
            let arguments: [&[u8]; 5] = [from.of(cursor), b"MATCH", &glob, b"COUNT", most.of(count)];
            self.call(request(Command::Scan, &arguments))
        }

        /// Returns all keys that match a pattern, a million at most, in one answer; the server looks at every key.
        ///
        /// `*` stands for any bytes, `?` for any one byte, `[a-z]` for one of a class, `\` before a byte for itself; the
        /// pattern has at most 256 bytes. To go through many keys use [`Client::keys`](crate::Client::keys) instead.
        fn keys_matching(self, pattern: impl AsRef<[u8]>) -> Self::Output<Vec<Bytes>> {
            self.call(request(Command::Keys, &[pattern.as_ref()]))
        }
    };
}

pub(super) use key_commands;

/// Returns the pattern of all keys that start with `prefix`.
pub(super) fn prefix_glob(prefix: &[u8]) -> Vec<u8> {
    let mut glob = Vec::with_capacity(prefix.len() + 1);
    for byte in prefix {
        if matches!(byte, b'*' | b'?' | b'[' | b'\\') {
            glob.push(b'\\');
        }
        glob.push(*byte);
    }
    glob.push(b'*');
    glob
}

#[cfg(test)]
mod tests {
    use rustvault_protocol::glob_matches;

    use super::*;

    #[test]
    fn the_pattern_of_a_prefix_matches_what_begins_with_it_and_nothing_else() {
        let prefixes: [&[u8]; 7] = [b"", b"user:", b"a*b", b"a?", b"[a]", b"\\", b"\xff]"];
        for prefix in prefixes {
            let glob = prefix_glob(prefix);
            for key in prefixes.iter().map(|other| [other, &b"x"[..]].concat()).chain([prefix.to_vec()]) {
                assert_eq!(glob_matches(&glob, &key), key.starts_with(prefix), "{prefix:?} {key:?}");
            }
        }
    }
}
