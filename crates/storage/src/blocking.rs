//! Blocking methods of a store.

use pollster::block_on;

use crate::batch::{BatchStore, Op, Outcome, Pair, StringUpdate, UpdateWith};
use crate::store::call_and_commit;
use crate::{Change, Entries, Error, Key, KeyPage, Keys, Stats, Value};

/// A store with blocking methods: for programs without a runtime, and for threads that may block.
///
/// Do not call it from async code: it blocks the calling thread for as long as a sync takes. That thread writes and syncs the log
/// itself, together with the records that others have appended by then, so a single writer waits for no other thread.
#[derive(Debug)]
pub struct Blocking<'s, S> {
    store: &'s S,
}

/// Executes an operation on a [`Blocking`] store and returns its outcome.
fn call<S: BatchStore, T>(store: &S, op: Op<'_>, read: fn(Outcome) -> Option<T>) -> Result<T, Error> {
    block_on(call_and_commit(store, op, read))
}

impl<'s, S: BatchStore> Blocking<'s, S> {
    pub(crate) const fn new(store: &'s S) -> Self {
        Self { store }
    }

    /// Reads the value of `key`.
    ///
    /// # Errors
    /// See [`Error`]; a missing key is `Ok(None)`.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Value>, Error> {
        call(self.store, Op::Get { key: key.as_ref() }, Outcome::into_value)
    }

    /// Stores `value` under `key`.
    ///
    /// # Errors
    /// See [`Error`]; a key or value over its limit is refused before anything changes.
    pub fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<(), Error> {
        let op = Op::Set { key: key.as_ref(), value: value.as_ref() };
        call(self.store, op, Outcome::into_done)
    }

    /// Removes `key` and returns whether it existed.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        call(self.store, Op::Delete { key: key.as_ref() }, Outcome::into_flag)
    }

    /// Returns whether `key` exists.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn exists(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        call(self.store, Op::Exists { key: key.as_ref() }, Outcome::into_flag)
    }

    /// Reads several values as of one moment; `None` for each key that does not exist.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn get_many<K: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<Value>>, Error> {
        let keys: Vec<_> = keys.into_iter().collect();
        let keys: Vec<_> = keys.iter().map(AsRef::as_ref).collect();
        call(self.store, Op::GetMany { keys: &keys }, Outcome::into_values)
    }

    /// Stores several values atomically, for readers and across a crash. Of a repeated key the last value counts.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn set_many<K: AsRef<[u8]>, V: AsRef<[u8]>>(
        &self,
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), Error> {
        let pairs: Vec<_> = pairs.into_iter().collect();
        let pairs: Vec<Pair<'_>> = pairs.iter().map(|(key, value)| [key.as_ref(), value.as_ref()]).collect();
        call(self.store, Op::SetMany { pairs: &pairs }, Outcome::into_done)
    }

    /// Removes several keys atomically, for readers and across a crash. Returns the number of keys that existed.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn delete_many<K: AsRef<[u8]>>(&self, keys: impl IntoIterator<Item = K>) -> Result<u64, Error> {
        let keys: Vec<_> = keys.into_iter().collect();
        let keys: Vec<_> = keys.iter().map(AsRef::as_ref).collect();
        call(self.store, Op::DeleteMany { keys: &keys }, Outcome::into_count)
    }

    /// Reads and changes the value of `key` in one atomic step, as [`Store::update`](crate::Store::update) does.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::UpdatePanicked`], [`Error::ValueTooLarge`].
    pub fn update(
        &self,
        key: impl AsRef<[u8]>,
        function: impl Fn(Option<&[u8]>) -> Change + Send + Sync,
    ) -> Result<bool, Error> {
        let update = StringUpdate::With(UpdateWith(&function));
        call(self.store, Op::Update { key: key.as_ref(), update }, Outcome::into_flag)
    }

    /// Counts the keys.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn count(&self) -> Result<u64, Error> {
        call(self.store, Op::Count, Outcome::into_count)
    }

    /// Reads a page of keys, as [`Store::scan`](crate::Store::scan) does.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn scan(&self, cursor: u64, prefix: impl AsRef<[u8]>, limit: usize) -> Result<KeyPage, Error> {
        let op = Op::Scan { cursor, prefix: prefix.as_ref(), rules: &[], limit };
        call(self.store, op, Outcome::into_page)
    }

    /// Returns the keys that start with `prefix`.
    pub fn keys(&self, prefix: impl AsRef<[u8]>) -> BlockingKeys<'s, S> {
        BlockingKeys(Keys::new(self.store, prefix.as_ref()))
    }

    /// Returns the keys that start with `prefix`, with their values.
    pub fn entries(&self, prefix: impl AsRef<[u8]>) -> BlockingEntries<'s, S> {
        BlockingEntries(Entries::new(self.store, prefix.as_ref()))
    }

    /// Reads the store's statistics.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn stats(&self) -> Result<Stats, Error> {
        call(self.store, Op::Stats, Outcome::into_stats)
    }

    /// Rewrites the log as the live data, as [`BatchStore::compact`] does.
    ///
    /// # Errors
    /// As [`BatchStore::compact`].
    pub fn compact(&self) -> Result<(), Error> {
        block_on(self.store.compact())
    }
}

/// Blocking iterator over the keys of a store, as of [`Keys`]. It ends after an error.
#[derive(Debug)]
pub struct BlockingKeys<'s, S>(Keys<'s, S>);

/// Blocking iterator over the keys of a store with their values, as of [`Entries`]. It ends after an error.
#[derive(Debug)]
pub struct BlockingEntries<'s, S>(Entries<'s, S>);

impl<S: BatchStore> Iterator for BlockingKeys<'_, S> {
    type Item = Result<Key, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.0.next()).transpose()
    }
}

impl<S: BatchStore> Iterator for BlockingEntries<'_, S> {
    type Item = Result<(Key, Value), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.0.next()).transpose()
    }
}
