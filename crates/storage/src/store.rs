//! The seam between the server and an engine: what every store can do.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::{Error, Key, LogFormat, Op, Value};

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

/// The answer to one [`Op`].
#[derive(Debug, Clone)]
pub struct Reply {
    /// The answer must not be shown to anybody before [`Store::wait`] for this LSN has succeeded.
    pub depends_on: Lsn,
    /// What the operation came to.
    pub outcome: Result<Outcome, Error>,
}

/// What an operation came to.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// [`Op::Get`]: the value, if the key is there.
    Value(Option<Value>),
    /// [`Op::GetMany`]: the value of each key, in order, where there is one.
    Values(Vec<Option<Value>>),
    /// [`Op::GetManyWithin`]: what was seen of each key, in order.
    Seen(Vec<Sight>),
    /// [`Op::Set`], [`Op::SetMany`] without a condition: stored.
    Stored,
    /// [`Op::Clear`]: all keys are gone.
    Cleared,
    /// [`Op::Keys`]: the keys, in no useful order.
    Keys(Vec<Key>),
    /// [`Op::Delete`]: whether the key was there.
    Deleted(bool),
    /// [`Op::Exists`]: whether the key is there.
    Exists(bool),
    /// [`Op::Count`], [`Op::CountOf`], [`Op::DeleteMany`]: a number of keys. Of some updates: a number of bytes.
    Count(u64),
    /// A write with a condition: whether it was carried out.
    Changed(bool),
    /// A sum.
    Integer(i64),
    /// A decimal sum.
    Text(String),
    /// [`Op::Scan`]: the page.
    Page(ScanPage),
    /// [`Op::Stats`]: the figures; boxed, because every outcome is as large as the largest.
    Stats(Box<Stats>),
}

/// What [`Op::GetManyWithin`] saw of a key.
#[derive(Debug, Clone)]
pub enum Sight {
    /// There is no such key.
    Missing,
    /// Its value.
    Value(Value),
    /// There is a value, which was not held: that of the record with this LSN. A later look finds it unchanged if
    /// [`Value::lsn`] is the same.
    NotHeld(Lsn),
}

/// One page of keys.
#[derive(Debug, Clone, Default)]
pub struct ScanPage {
    /// Where the next page starts, below 2^53; 0 when this page was the last.
    pub next_cursor: u64,
    /// The keys of this page, in no useful order. It may be empty before the last page.
    pub keys: Vec<Key>,
}

/// The records of a submit, on their way to being durable.
///
/// Dropping it has the engine commit them soon.
pub struct Submission<'a> {
    engine: Option<&'a dyn Commit>,
}

/// What commits records.
pub trait Commit: Sync {
    /// Has what was submitted committed soon, elsewhere.
    fn commit_soon(&self);

    /// Commits what was submitted on this thread, which blocks as long as that takes.
    fn commit_here(&self);
}

impl<'a> Submission<'a> {
    /// A submission without records, or whose records need nothing more.
    pub const fn done() -> Self {
        Self { engine: None }
    }

    /// A submission whose records `engine` has yet to commit.
    pub const fn pending(engine: &'a dyn Commit) -> Self {
        Self { engine: Some(engine) }
    }

    /// Whether anything is left to be committed.
    pub const fn is_pending(&self) -> bool {
        self.engine.is_some()
    }

    /// Commits the records on this thread, which blocks for a sync if the policy asks for one.
    ///
    /// It saves two hand-overs between threads, and is for a thread that has nobody else to serve.
    /// [`Store::wait`] then has little or nothing left to wait for, and tells how it went.
    pub fn commit_here(mut self) {
        if let Some(engine) = self.engine.take() {
            engine.commit_here();
        }
    }

    /// Leaves the records to an earlier submission that has yet to commit: it will commit these, too.
    pub fn leave_to_earlier(mut self) {
        self.engine = None;
    }
}

impl Drop for Submission<'_> {
    fn drop(&mut self) {
        if let Some(engine) = self.engine {
            engine.commit_soon();
        }
    }
}

impl fmt::Debug for Submission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("is_pending", &self.is_pending()).finish()
    }
}

/// Figures of a store; those that an engine does not have are 0.
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

/// A key-value store: what the server needs of an engine, and what an embedding program uses.
///
/// The primitive is a batch in two steps, so that a pipeline of many commands costs one wait:
/// [`submit`](Self::submit) carries operations out in order and says on which LSN each reply depends;
/// [`wait`](Self::wait) waits until such an LSN is as durable as the sync policy asks. The single-key
/// calls are made of those two.
pub trait Store: Clone + Send + Sync + 'static {
    /// Carries out a prefix of `ops`, in order, and appends one [`Reply`] for each to `replies`.
    ///
    /// At least one operation is carried out if there is any; it stops early once the replies hold more
    /// than `max_reply_bytes`, before a write with which the records would be more than 1 GiB, or after operations
    /// that take long: one on the whole keyspace, or several with 2,000 keys in all. The caller submits the rest again. Nothing of a reply may be shown before [`wait`](Self::wait) for its
    /// [`depends_on`](Reply::depends_on) has succeeded.
    ///
    /// Dropping the future before it ends: either none of `ops` was carried out, or all that would have been.
    fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Reply>,
    ) -> impl Future<Output = Submission<'_>> + Send;

    /// Commits everything up to `lsn`, also records of a [`Submission`] that is still held, and waits until replies that
    /// depend on it may be shown.
    ///
    /// # Errors
    /// [`Error::Poisoned`] when the log has failed: the outcome of writes up to `lsn` is unknown.
    fn wait(&self, lsn: Lsn) -> impl Future<Output = Result<(), Error>> + Send;

    /// Waits as [`wait`](Self::wait) does, but leaves committing to whoever holds the [`Submission`]: for callers that
    /// gather the records of several submits for one commit. It does not end while that submission is held back.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    fn wait_for_commit(&self, lsn: Lsn) -> impl Future<Output = Result<(), Error>> + Send {
        self.wait(lsn)
    }

    /// The highest LSN for which [`wait`](Self::wait) would return at once.
    fn reply_watermark(&self) -> Lsn;

    /// Rewrites the log as the live data and what comes meanwhile; everybody is served all along.
    ///
    /// Returns when a compaction that began after this call has ended. All calls that wait share one. It does
    /// not depend on the future, and goes on when that is dropped. A store without a log has nothing to do.
    ///
    /// If the log's file was removed, this writes a new one from memory. Should another file have its name by now, that
    /// is kept beside it, as `<log>.replaced-1` or with the next number that is free.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`]: it was abandoned, and the log is as it was; it is tried again by
    /// itself when it is due.
    /// [`Error::Locked`]: another process has the file that has taken the log's place.
    /// [`Error::Poisoned`], [`Error::Closed`].
    fn compact(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// The thread that writes and syncs the log, by its number in the system (gettid(2)), for who places threads on
    /// cores; `None` if there is none.
    fn log_writer(&self) -> Option<i32> {
        None
    }

    /// Reads the value of `key`.
    ///
    /// # Errors
    /// See [`Error`]; a missing key is `Ok(None)`.
    fn get(&self, key: &[u8]) -> impl Future<Output = Result<Option<Value>, Error>> + Send {
        async move {
            match run_one(self, Op::Get { key }).await? {
                Outcome::Value(value) => Ok(value),
                _ => Err(Error::Internal("get answered with another outcome")),
            }
        }
    }

    /// Stores `value` under `key`; returns when the write is as durable as the sync policy asks.
    ///
    /// Dropping the future: the write was either not begun, or it is carried out whole and only its
    /// confirmation is lost.
    ///
    /// # Errors
    /// See [`Error`]; a key or value over its limit is refused before anything happens.
    fn set(&self, key: &[u8], value: &[u8]) -> impl Future<Output = Result<(), Error>> + Send {
        async move {
            match run_one(self, Op::Set { key, value }).await? {
                Outcome::Stored => Ok(()),
                _ => Err(Error::Internal("set answered with another outcome")),
            }
        }
    }

    /// Removes `key` and says whether it was there; returns when that is as durable as the sync policy asks.
    ///
    /// # Errors
    /// See [`Error`].
    fn delete(&self, key: &[u8]) -> impl Future<Output = Result<bool, Error>> + Send {
        async move {
            match run_one(self, Op::Delete { key }).await? {
                Outcome::Deleted(was_there) => Ok(was_there),
                _ => Err(Error::Internal("delete answered with another outcome")),
            }
        }
    }

    /// Says whether `key` is there.
    ///
    /// # Errors
    /// See [`Error`].
    fn exists(&self, key: &[u8]) -> impl Future<Output = Result<bool, Error>> + Send {
        async move {
            match run_one(self, Op::Exists { key }).await? {
                Outcome::Exists(is_there) => Ok(is_there),
                _ => Err(Error::Internal("exists answered with another outcome")),
            }
        }
    }

    /// Counts the keys.
    ///
    /// # Errors
    /// See [`Error`].
    fn count(&self) -> impl Future<Output = Result<u64, Error>> + Send {
        async move {
            match run_one(self, Op::Count).await? {
                Outcome::Count(keys) => Ok(keys),
                _ => Err(Error::Internal("count answered with another outcome")),
            }
        }
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
        async move {
            match run_one(self, Op::Scan { cursor, prefix, limit }).await? {
                Outcome::Page(page) => Ok(page),
                _ => Err(Error::Internal("scan answered with another outcome")),
            }
        }
    }

    /// Reads the store's figures.
    ///
    /// # Errors
    /// See [`Error`].
    fn stats(&self) -> impl Future<Output = Result<Stats, Error>> + Send {
        async move {
            match run_one(self, Op::Stats).await? {
                Outcome::Stats(stats) => Ok(*stats),
                _ => Err(Error::Internal("stats answered with another outcome")),
            }
        }
    }
}

async fn run_one<S: Store>(store: &S, op: Op<'_>) -> Result<Outcome, Error> {
    let mut replies = Vec::with_capacity(1);
    store.submit(&[op], usize::MAX, &mut replies).await;
    let reply = replies.pop().ok_or(Error::Internal("an operation got no reply"))?;
    // Errors wait as well: some tell of what is stored.
    store.wait(reply.depends_on).await?;
    reply.outcome
}
