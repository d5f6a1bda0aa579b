//! A store as a program that embeds it uses it: one key, several keys, all keys.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::batch::{BatchStore, Completion, Op, Outcome, StringUpdate, UpdateWith};
use crate::{Change, Error, Key, LogFormat, Value};

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

/// One page of keys.
#[derive(Debug, Clone, Default)]
pub struct ScanPage {
    /// Where the next page starts, below 2^53; 0 when this page was the last.
    pub next_cursor: u64,
    /// The keys of this page, in no useful order. It may be empty before the last page.
    pub keys: Vec<Key>,
}

/// Figures of a store; those that a store does not have are 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Live keys.
    pub keys: u64,
    /// Memory that entries and tables take, counted, in bytes.
    pub used_bytes: u64,
    /// How the log is encoded at present.
    pub log_format: LogFormat,
    /// The log's size in bytes.
    pub log_bytes: u64,
    /// What the live entries alone would take in a compacted binary log, in bytes.
    pub live_bytes: u64,
    /// The highest LSN that survives a power loss.
    pub durable_lsn: u64,
    /// Syncs of the log since the start.
    pub syncs: u64,
    /// Batches written to the log since the start.
    pub batches: u64,
    /// Most records that one batch held since the start.
    pub peak_batch_records: u64,
    /// Records that recovery replayed at the start.
    pub records_recovered: u64,
    /// Bytes of a torn tail that recovery dropped at the start.
    pub torn_bytes_dropped: u64,
    /// The disk is full: writes that need room are refused until there is some.
    pub is_disk_full: bool,
    /// The log's file was removed, replaced or truncated: writes are refused until a compaction has written a new one.
    pub is_log_removed: bool,
    /// Durations of the stages of the log's commits since the start.
    pub commit_latency: CommitLatency,
    /// Milliseconds that the running sync of the log has taken; 0 if none runs. Thousands mean that the disk hangs.
    pub sync_running_ms: u64,
    /// Compactions that succeeded since the start.
    pub compactions: u64,
    /// Whether a compaction is running.
    pub compaction_running: bool,
    /// How long the last compaction that succeeded took, in milliseconds.
    pub last_compaction_ms: u64,
    /// When the last compaction that succeeded ended, in milliseconds since the Unix epoch; 0 if none has.
    pub last_compaction_unix_ms: u64,
    /// Why the last compaction failed; `None` once one has succeeded after it.
    pub last_compaction_error: Option<Arc<str>>,
}

/// Durations of the stages that a durable write waits for, since the start.
///
/// The stage that is slow points to the cause: `gather` to whoever holds commits back to share a sync, `queue` to the commit before
/// or the processor, `write` to memory or the file system, `sync` to the disk, `wake` to the processor. Percentiles of stages do not
/// add up to one of whole writes. Under [`SyncPolicy::Interval`](crate::SyncPolicy::Interval) and
/// [`SyncPolicy::Never`](crate::SyncPolicy::Never) no write waits for `sync`, and `wake` begins when the batch is written. Nothing
/// here covers what a write waits for before its record has an LSN, such as room in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CommitLatency {
    /// From the first record of a batch until somebody asks for its commit. One value a batch.
    pub gather: Latency,
    /// From there until the commit begins: the commit before has to end, and the log writer to get a core. One value a batch.
    pub queue: Latency,
    /// Writing the batch to the file: to the system's cache, not to the disk. One value a batch.
    pub write: Latency,
    /// Syncing the file. One value a sync: those of the interval and of seals count, too.
    pub sync: Latency,
    /// From the wake-up of those who wait until the first of them runs. One value for each thread that has some.
    pub wake: Latency,
    /// Reserving room for the file. A commit that is asked for meanwhile waits for it, in `queue`. One value a reservation.
    pub reserve: Latency,
}

/// Summary of the durations of one stage, in microseconds, rounded to two significant digits. All is 0 before the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Latency {
    /// Number of durations.
    pub count: u64,
    /// The median.
    pub p50_us: u64,
    /// The 99th percentile: 99% took no longer.
    pub p99_us: u64,
    /// The 99.9th percentile: 99.9% took no longer.
    pub p999_us: u64,
    /// The longest. More than a minute counts as a minute.
    pub max_us: u64,
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
    /// Start with cursor 0 and go on with [`ScanPage::next_cursor`] until that is 0. A key that is there
    /// during the whole scan is returned at least once; one that comes or goes meanwhile may or may not be.
    ///
    /// # Errors
    /// See [`Error`].
    fn scan(
        &self,
        cursor: u64,
        prefix: &[u8],
        limit: usize,
    ) -> impl Future<Output = Result<ScanPage, Error>> + Send {
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
