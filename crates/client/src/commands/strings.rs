//! Commands on values.

/// Makes methods of the trait: a trait has one place, and its commands have a file for each group.
macro_rules! string_commands {
    () => {
        /// Returns the value of `key`, or `None` if there is no such key.
        fn get(self, key: impl AsRef<[u8]>) -> Self::Output<Option<Bytes>> {
            self.call(request(Command::Get, &[key.as_ref()]))
        }

        /// Stores `value` under `key`. Done means durable under the server's sync policy, as with every write.
        fn set(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self::Output<()> {
            self.call(request(Command::Set, &[key.as_ref(), value.as_ref()]))
        }

        /// Stores `value` under `key` if the options allow it; true if it was stored.
        fn set_with(
            self,
            key: impl AsRef<[u8]>,
            value: impl AsRef<[u8]>,
            options: SetOptions,
        ) -> Self::Output<bool> {
            options.with_arguments(key.as_ref(), value.as_ref(), false, |arguments| {
                self.call(request(Command::Set, arguments))
            })
        }

        /// Stores `value` under `key` if the options allow it, and returns what was there before, whether it was replaced
        /// or not.
        fn set_with_get(
            self,
            key: impl AsRef<[u8]>,
            value: impl AsRef<[u8]>,
            options: SetOptions,
        ) -> Self::Output<Option<Bytes>> {
            options.with_arguments(key.as_ref(), value.as_ref(), true, |arguments| {
                self.call(request(Command::Set, arguments))
            })
        }

        /// Returns the values of `keys`, in their order; those of up to 10,000 keys as they were at one moment.
        fn mget<K: AsRef<[u8]>>(self, keys: impl IntoIterator<Item = K>) -> Self::Output<Vec<Option<Bytes>>> {
            with_all(Command::MGet, keys, |request| self.call(request))
        }

        /// Stores several values, all or none.
        fn mset<K: AsRef<[u8]>, V: AsRef<[u8]>>(
            self,
            pairs: impl IntoIterator<Item = (K, V)>,
        ) -> Self::Output<()> {
            with_pairs(Command::MSet, pairs, |request| self.call(request))
        }

        /// Stores several values if none of the keys is there, all or none; true if they were stored.
        fn mset_nx<K: AsRef<[u8]>, V: AsRef<[u8]>>(
            self,
            pairs: impl IntoIterator<Item = (K, V)>,
        ) -> Self::Output<bool> {
            with_pairs(Command::MSetNx, pairs, |request| self.call(request))
        }

        /// Stores `value` under `key` if the key is missing; true if it was stored.
        fn set_nx(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self::Output<bool> {
            self.call(request(Command::SetNx, &[key.as_ref(), value.as_ref()]))
        }

        /// Stores `value` under `key` and returns what was there before.
        fn get_set(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self::Output<Option<Bytes>> {
            self.call(request(Command::GetSet, &[key.as_ref(), value.as_ref()]))
        }

        /// Removes `key` and returns the value that it had.
        fn get_del(self, key: impl AsRef<[u8]>) -> Self::Output<Option<Bytes>> {
            self.call(request(Command::GetDel, &[key.as_ref()]))
        }

        /// Adds 1 to the number in `key`, which counts as 0 if it is missing; returns the sum.
        fn incr(self, key: impl AsRef<[u8]>) -> Self::Output<i64> {
            self.call(request(Command::Incr, &[key.as_ref()]))
        }

        /// Subtracts 1 from the number in `key`, which counts as 0 if it is missing; returns the difference.
        fn decr(self, key: impl AsRef<[u8]>) -> Self::Output<i64> {
            self.call(request(Command::Decr, &[key.as_ref()]))
        }

        /// Adds `by` to the number in `key`, which counts as 0 if it is missing; returns the sum.
        fn incr_by(self, key: impl AsRef<[u8]>, by: i64) -> Self::Output<i64> {
            self.call(request(Command::IncrBy, &[key.as_ref(), Digits::new().of(by)]))
        }

        /// Subtracts `by` from the number in `key`, which counts as 0 if it is missing; returns the difference.
        fn decr_by(self, key: impl AsRef<[u8]>, by: i64) -> Self::Output<i64> {
            self.call(request(Command::DecrBy, &[key.as_ref(), Digits::new().of(by)]))
        }

        /// Adds `by` to the decimal number in `key`, which counts as 0 if it is missing, to 17 decimal places; returns the
        /// nearest number to the sum.
        fn incr_by_float(self, key: impl AsRef<[u8]>, by: f64) -> Self::Output<f64> {
            self.call(request(Command::IncrByFloat, &[key.as_ref(), by.to_string().as_bytes()]))
        }

        /// Adds `value` to the end of that of `key`; returns the length then, in bytes. The whole value goes to the log.
        fn append(self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self::Output<u64> {
            self.call(request(Command::Append, &[key.as_ref(), value.as_ref()]))
        }

        /// Overwrites the value of `key` with `part`, beginning at byte `offset`, with zeros in a gap; returns the length
        /// then, in bytes. The whole value goes to the log.
        fn set_range(self, key: impl AsRef<[u8]>, offset: u64, part: impl AsRef<[u8]>) -> Self::Output<u64> {
            let mut from = Digits::new();
            self.call(request(Command::SetRange, &[key.as_ref(), from.of(offset), part.as_ref()]))
        }

        /// Returns the length of the value of `key` in bytes; 0 if there is no such key.
        fn strlen(self, key: impl AsRef<[u8]>) -> Self::Output<u64> {
            self.call(request(Command::StrLen, &[key.as_ref()]))
        }

        /// Returns the bytes of a value from `start` to `end`, both included; a negative position counts from the end,
        /// which is -1. Empty if there is no such key.
        fn get_range(self, key: impl AsRef<[u8]>, start: i64, end: i64) -> Self::Output<Bytes> {
            let (mut first, mut last) = (Digits::new(), Digits::new());
            self.call(request(Command::GetRange, &[key.as_ref(), first.of(start), last.of(end)]))
        }
    };
}

pub(super) use string_commands;
