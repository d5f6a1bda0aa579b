//! A store as a program that embeds it uses it: one key, several keys, all keys.

use std::fmt;
use std::future::Future;

use crate::batch::{BatchStore, Completion, Op, Outcome, StringUpdate, UpdateWith};
use crate::{Change, Error, Key, Stats, Value};

/// A log sequence number: the place of a record in the history of a store.
///
/// LSNs only grow, and one is never used twice, also not after a crash. They are not byte positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(u64);

impl Lsn {
    /// Before the first record: what depends on it depends on nothing.
    pub const ZERO: Self = Self(0);

    /// The LSN with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
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
    /// Cursor at which the next page starts, below 2^53; 0 when this page was the last.
    pub next_cursor: u64,
    /// The keys of this page, in no useful order. It may be empty before the last page.
    pub keys: Vec<Key>,
}

/// A key-value store, for code that is generic over stores; every [`BatchStore`] is one.
///
/// [`DurableStore`](crate::DurableStore) and [`MemoryStore`](crate::MemoryStore) have the same calls as methods of their own,
/// which take any bytes. All return when what they have done, and what they tell, is as durable as the sync policy asks.
///
/// Dropping the future of a write: it was either not begun, or it is carried out whole and only its confirmation is lost.
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
    /// See [`Error`]; a key or value over its limit is refused before anything happens.
    fn set(&self, key: &[u8], value: &[u8]) -> impl Future<Output = Result<(), Error>> + Send {
        async move { call(self, Op::Set { key, value }, Outcome::into_done).await }
    }

    /// Removes `key` and returns whether it was there.
    ///
    /// # Errors
    /// See [`Error`].
    fn delete(&self, key: &[u8]) -> impl Future<Output = Result<bool, Error>> + Send {
        call(self, Op::Delete { key }, Outcome::into_flag)
    }

    /// Returns whether `key` is there.
    ///
    /// # Errors
    /// See [`Error`].
    fn exists(&self, key: &[u8]) -> impl Future<Output = Result<bool, Error>> + Send {
        call(self, Op::Exists { key }, Outcome::into_flag)
    }

    /// Reads several values, all as they were at one moment; `None` for each key that is not there.
    ///
    /// # Errors
    /// See [`Error`].
    fn get_many(&self, keys: &[&[u8]]) -> impl Future<Output = Result<Vec<Option<Value>>, Error>> + Send {
        async move { call(self, Op::GetMany { keys }, Outcome::into_values).await }
    }

    /// Stores several values at once: readers, and a crash, see all of them or none. Of a key that comes twice the last
    /// value counts.
    ///
    /// # Errors
    /// See [`Error`].
    fn set_many(&self, pairs: &[[&[u8]; 2]]) -> impl Future<Output = Result<(), Error>> + Send {
        async move { call(self, Op::SetMany { pairs }, Outcome::into_done).await }
    }

    /// Removes several keys at once: readers, and a crash, see all of that or nothing. Returns how many were there.
    ///
    /// # Errors
    /// See [`Error`].
    fn delete_many(&self, keys: &[&[u8]]) -> impl Future<Output = Result<u64, Error>> + Send {
        async move { call(self, Op::DeleteMany { keys }, Outcome::into_count).await }
    }

    /// Changes `key` by what `function` returns for the value that it has, if it is there; returns whether anything was
    /// changed. Nothing comes between.
    ///
    /// The function must only compute: it runs under the key's lock, so it must not use the store, and it may run more than
    /// once. If it panics, nothing is changed.
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
    /// Start with cursor 0 and go on with [`KeyPage::next_cursor`] until that is 0. A key that is there
    /// during the whole scan is returned at least once; one that comes or goes meanwhile may or may not be.
    ///
    /// # Errors
    /// See [`Error`].
    fn scan(
        &self,
        cursor: u64,
        prefix: &[u8],
        limit: usize,
    ) -> impl Future<Output = Result<KeyPage, Error>> + Send {
        call(self, Op::Scan { cursor, prefix, limit }, Outcome::into_page)
    }

    /// Reads the store's figures.
    ///
    /// # Errors
    /// See [`Error`].
    fn stats(&self) -> impl Future<Output = Result<Stats, Error>> + Send {
        call(self, Op::Stats, Outcome::into_stats)
    }
}

impl<S: BatchStore> Store for S {}

/// Carries one operation out and waits until its outcome may be shown.
async fn call<S: BatchStore, T>(store: &S, op: Op<'_>, read: fn(Outcome) -> Option<T>) -> Result<T, Error> {
    let mut completions = Vec::with_capacity(1);
    drop(store.submit(&[op], usize::MAX, &mut completions).await);
    finish(store, completions, read).await
}

/// Does what [`call`] does, but this thread, which has nobody else to serve, commits what it has written.
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
    // Errors wait as well: some tell of what is stored.
    store.wait(completion.depends_on).await?;
    read(completion.outcome?).ok_or(Error::Internal("an operation had the outcome of another"))
}
