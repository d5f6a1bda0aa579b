//! The trait of stores for programs that embed one: operations on one key, several keys and all keys.

use std::fmt;
use std::future::Future;

use crate::batch::{BatchStore, Completion, Op, Outcome, StringUpdate, UpdateWith};
use crate::{Change, Error, Key, Stats, Value};

/// A log sequence number: the position of a record in the history of a store.
///
/// LSNs only grow, and none is used twice, even after a crash. They are not byte offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(u64);

impl Lsn {
    /// The LSN before the first record. A reply that depends on it depends on no record.
    pub const ZERO: Self = Self(0);

    /// Returns the LSN with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A page of keys.
#[derive(Debug, Clone, Default)]
pub struct KeyPage {
    /// Cursor of the next page, below 2^53; 0 if this page is the last.
    pub next_cursor: u64,
    /// The keys of this page, in no particular order. A page before the last may be empty.
    pub keys: Vec<Key>,
}

/// A key-value store, for code that is generic over stores; every [`BatchStore`] is one.
///
/// [`DurableStore`](crate::DurableStore) and [`MemoryStore`](crate::MemoryStore) have the same calls as methods of their own,
/// which take any bytes. All return when their changes, and the changes that their results depend on, are as durable as the sync
/// policy requires.
///
/// If the future of a write is dropped, the write either has no effect, or completes, and only its confirmation is lost.
pub trait Store: BatchStore {
    /// Reads the value of `key`.
    ///
    /// # Errors
    /// See [`Error`]; a missing key is `Ok(None)`.
    fn get(&self, key: &[u8]) -> impl Future<Output = Result<Option<Value>, Error>> + Send {
        call(self, Op::Get { key }, Outcome::into_value)
    }

    /// Stores `value` under `key`.
    ///
    /// # Errors
    /// See [`Error`]; a key or value over its limit is refused before anything changes.
    fn set(&self, key: &[u8], value: &[u8]) -> impl Future<Output = Result<(), Error>> + Send {
        async move { call(self, Op::Set { key, value }, Outcome::into_done).await }
    }

    /// Removes `key` and returns whether it existed.
    ///
    /// # Errors
    /// See [`Error`].
    fn delete(&self, key: &[u8]) -> impl Future<Output = Result<bool, Error>> + Send {
        call(self, Op::Delete { key }, Outcome::into_flag)
    }

    /// Returns whether `key` exists.
    ///
    /// # Errors
    /// See [`Error`].
    fn exists(&self, key: &[u8]) -> impl Future<Output = Result<bool, Error>> + Send {
        call(self, Op::Exists { key }, Outcome::into_flag)
    }

    /// Reads several values as of one moment; `None` for each key that does not exist.
    ///
    /// # Errors
    /// See [`Error`].
    fn get_many(&self, keys: &[&[u8]]) -> impl Future<Output = Result<Vec<Option<Value>>, Error>> + Send {
        async move { call(self, Op::GetMany { keys }, Outcome::into_values).await }
    }

    /// Stores several values atomically, for readers and across a crash. Of a repeated key the last value counts.
    ///
    /// # Errors
    /// See [`Error`].
    fn set_many(&self, pairs: &[[&[u8]; 2]]) -> impl Future<Output = Result<(), Error>> + Send {
        async move { call(self, Op::SetMany { pairs }, Outcome::into_done).await }
    }

    /// Removes several keys atomically, for readers and across a crash. Returns the number of keys that existed.
    ///
    /// # Errors
    /// See [`Error`].
    fn delete_many(&self, keys: &[&[u8]]) -> impl Future<Output = Result<u64, Error>> + Send {
        async move { call(self, Op::DeleteMany { keys }, Outcome::into_count).await }
    }

    /// Reads the value of `key` and applies the change that `function` returns for it, in one atomic step; returns whether
    /// anything was changed.
    ///
    /// The function runs under the key's lock and may run more than once, so it must only compute, and not use the store. If it
    /// panics, nothing is changed.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::UpdatePanicked`], [`Error::ValueTooLarge`].
    fn update<F>(&self, key: &[u8], function: F) -> impl Future<Output = Result<bool, Error>> + Send
    where
        F: Fn(Option<&[u8]>) -> Change + Send + Sync,
    {
        async move {
            let update = StringUpdate::With(UpdateWith(&function));
            call(self, Op::Update { key, update }, Outcome::into_flag).await
        }
    }

    /// Counts the keys.
    ///
    /// # Errors
    /// See [`Error`].
    fn count(&self) -> impl Future<Output = Result<u64, Error>> + Send {
        call(self, Op::Count, Outcome::into_count)
    }

    /// Reads a page of at most `limit` keys that start with `prefix`.
    ///
    /// Start with cursor 0 and continue with [`KeyPage::next_cursor`] until that is 0. A key that exists during the whole scan is
    /// returned at least once; one that is added or removed meanwhile may or may not be returned.
    ///
    /// # Errors
    /// See [`Error`].
    fn scan(
        &self,
        cursor: u64,
        prefix: &[u8],
        limit: usize,
    ) -> impl Future<Output = Result<KeyPage, Error>> + Send {
        call(self, Op::Scan { cursor, prefix, rules: &[], limit }, Outcome::into_page)
    }

    /// Reads the store's statistics.
    ///
    /// # Errors
    /// See [`Error`].
    fn stats(&self) -> impl Future<Output = Result<Stats, Error>> + Send {
        call(self, Op::Stats, Outcome::into_stats)
    }
}

impl<S: BatchStore> Store for S {}

/// Executes one operation and waits until its outcome may be revealed.
async fn call<S: BatchStore, T>(store: &S, op: Op<'_>, read: fn(Outcome) -> Option<T>) -> Result<T, Error> {
    let mut completions = Vec::with_capacity(1);
    drop(store.submit(&[op], usize::MAX, &mut completions).await);
    finish(store, completions, read).await
}

/// Does the same as [`call`], but commits on this thread, which may block.
pub(crate) async fn call_and_commit<S: BatchStore, T>(
    store: &S,
    op: Op<'_>,
    read: fn(Outcome) -> Option<T>,
) -> Result<T, Error> {
    let mut completions = Vec::with_capacity(1);
    store.submit(&[op], usize::MAX, &mut completions).await.commit_here();
    finish(store, completions, read).await
}

async fn finish<S: BatchStore, T>(
    store: &S,
    mut completions: Vec<Completion>,
    read: fn(Outcome) -> Option<T>,
) -> Result<T, Error> {
    let completion = completions.pop().ok_or(Error::Internal("an operation was not completed"))?;
    // An error waits as well: some reveal what is stored.
    store.wait(completion.depends_on).await?;
    read(completion.outcome?).ok_or(Error::Internal("an operation had the outcome of another"))
}
