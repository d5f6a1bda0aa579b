//! Batches of operations, executed in two steps: the trait that stores implement and servers use.
//!
//! Programs that embed a store use [`Store`](crate::Store), or the methods of the stores themselves.

use std::fmt;
use std::future::Future;

pub use crate::op::{Condition, KeyUpdate, Op, Pair, PrefixRule, StringUpdate, UpdateWith};
use crate::{Error, Key, KeyPage, Lsn, Stats, Value};

/// The answer to one [`Op`].
#[derive(Debug, Clone)]
pub struct Completion {
    /// LSN that the outcome depends on: it must not be revealed before [`BatchStore::wait`] for it has succeeded.
    pub depends_on: Lsn,
    /// The result of the operation.
    pub outcome: Result<Outcome, Error>,
}

/// The result of an operation.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// [`Op::Get`]: the value, if the key exists.
    Value(Option<Value>),
    /// [`Op::GetMany`]: the value of each key, in order; `None` for a missing key.
    Values(Vec<Option<Value>>),
    /// [`Op::GetManyWithin`]: the result for each key, in order.
    Seen(Vec<Sight>),
    /// [`Op::Set`], [`Op::SetMany`] without a condition: stored.
    Stored,
    /// [`Op::Clear`]: all keys were removed.
    Cleared,
    /// [`Op::Keys`]: the keys, in no particular order.
    Keys(Vec<Key>),
    /// [`Op::Delete`]: true if the key existed.
    Deleted(bool),
    /// [`Op::Exists`]: true if the key exists.
    Exists(bool),
    /// [`Op::Count`], [`Op::CountOf`], [`Op::DeleteMany`]: a number of keys. Some updates: a number of bytes.
    Count(u64),
    /// A conditional write: true if it took effect.
    Changed(bool),
    /// A sum.
    Integer(i64),
    /// A decimal sum.
    Text(String),
    /// [`Op::Scan`]: the page.
    Page(KeyPage),
    /// [`Op::Stats`]: the statistics; boxed, because every outcome is as large as the largest variant.
    Stats(Box<Stats>),
}

impl Outcome {
    pub(crate) fn into_done(self) -> Option<()> {
        matches!(self, Self::Stored).then_some(())
    }

    pub(crate) fn into_value(self) -> Option<Option<Value>> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

    pub(crate) fn into_values(self) -> Option<Vec<Option<Value>>> {
        if let Self::Values(values) = self { Some(values) } else { None }
    }

    pub(crate) fn into_flag(self) -> Option<bool> {
        match self {
            Self::Deleted(flag) | Self::Exists(flag) | Self::Changed(flag) => Some(flag),
            _ => None,
        }
    }

    pub(crate) fn into_count(self) -> Option<u64> {
        if let Self::Count(count) = self { Some(count) } else { None }
    }

    pub(crate) fn into_page(self) -> Option<KeyPage> {
        if let Self::Page(page) = self { Some(page) } else { None }
    }

    pub(crate) fn into_stats(self) -> Option<Stats> {
        if let Self::Stats(stats) = self { Some(*stats) } else { None }
    }
}

/// Result of [`Op::GetManyWithin`] for one key.
#[derive(Debug, Clone)]
pub enum Sight {
    /// There is no such key.
    Missing,
    /// Its value.
    Value(Value),
    /// The key has a value that exceeded the memory limit: that of the record with this LSN. If a later look-up returns the same
    /// [`Value::lsn`], the value has not changed.
    NotHeld(Lsn),
}

/// Uncommitted records of a submit.
///
/// Dropping it requests a commit from the log writer.
pub struct Submission<'a> {
    log: Option<&'a dyn Commit>,
}

/// The part of a store that commits records.
pub trait Commit: Sync {
    /// Requests a commit of the submitted records from another thread.
    fn commit_soon(&self);

    /// Commits the submitted records on this thread, which blocks meanwhile.
    fn commit_here(&self);
}

impl<'a> Submission<'a> {
    /// Returns a submission without uncommitted records.
    pub const fn done() -> Self {
        Self { log: None }
    }

    /// Returns a submission whose records `log` has not committed yet.
    pub const fn pending(log: &'a dyn Commit) -> Self {
        Self { log: Some(log) }
    }

    /// Returns whether there are uncommitted records.
    pub const fn is_pending(&self) -> bool {
        self.log.is_some()
    }

    /// Commits the records on this thread, which blocks for a sync if the policy requires one.
    ///
    /// This saves two hand-overs between threads, and is meant for a thread that serves nobody else. [`BatchStore::wait`] returns
    /// the result, and then hardly waits.
    pub fn commit_here(mut self) {
        if let Some(log) = self.log.take() {
            log.commit_here();
        }
    }

    /// Leaves the records to an earlier uncommitted submission, whose commit includes them.
    pub fn leave_to_earlier(mut self) {
        self.log = None;
    }
}

impl Drop for Submission<'_> {
    fn drop(&mut self) {
        if let Some(log) = self.log {
            log.commit_soon();
        }
    }
}

impl fmt::Debug for Submission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").field("is_pending", &self.is_pending()).finish()
    }
}

/// A store that executes batches of operations.
///
/// Two steps let a pipeline of many commands wait once: [`submit`](Self::submit) executes operations in order, and returns the
/// LSN that each reply depends on; [`wait`](Self::wait) waits until such an LSN is as durable as the sync policy requires.
pub trait BatchStore: Clone + Send + Sync + 'static {
    /// Executes a prefix of `ops`, in order, and appends one [`Completion`] for each to `replies`.
    ///
    /// At least one operation is executed, if there are any. The prefix ends when the replies hold more than `max_reply_bytes`;
    /// before a write with which the records would exceed 1 GiB, or those that depend on stored values 1 MiB; and after operations
    /// that take long: one on the whole keyspace, or several with 2,000 keys in all. The caller submits the rest again. No part of a
    /// reply may be revealed before [`wait`](Self::wait) for its [`depends_on`](Completion::depends_on) has succeeded.
    ///
    /// If the future is dropped before it ends, either no operation of the prefix was executed, or all of them.
    fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> impl Future<Output = Submission<'_>> + Send;

    /// Requests a commit of everything up to `lsn`, including records of a [`Submission`] that is still held, and waits until
    /// replies that depend on it may be revealed.
    ///
    /// # Errors
    /// [`Error::Poisoned`] when the log has failed: the outcome of writes up to `lsn` is unknown.
    fn wait(&self, lsn: Lsn) -> impl Future<Output = Result<(), Error>> + Send;

    /// Waits as [`wait`](Self::wait) does, but leaves the commit to the holder of the [`Submission`]: for callers that gather the
    /// records of several submits for one commit. It does not end while that submission is held.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    fn wait_for_commit(&self, lsn: Lsn) -> impl Future<Output = Result<(), Error>> + Send {
        self.wait(lsn)
    }

    /// Returns the highest LSN for which [`wait`](Self::wait) would return at once.
    fn reply_watermark(&self) -> Lsn;

    /// Rewrites the log as the live data and the writes that arrive meanwhile. The store is in use all the time.
    ///
    /// Returns when a compaction that began after this call has ended. All waiting calls share one. The compaction continues if the
    /// future is dropped. A store without a log does nothing.
    ///
    /// If the log's file was removed, this writes a new one from memory. If another file has the log's name by then, that is kept as
    /// `<log>.replaced-1`, or with the next free number.
    ///
    /// # Errors
    /// [`Error::DiskFull`], [`Error::Io`]: it was abandoned, and the log is unchanged; it is retried automatically when it is due.
    /// [`Error::Locked`]: another process has the file open that has the log's name.
    /// [`Error::Poisoned`], [`Error::Closed`].
    fn compact(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// Changes the limit on memory, [`Options::max_memory_bytes`](crate::Options::max_memory_bytes), from the next write on;
    /// `None` for no limit. Below what is used already it removes nothing, and refuses what adds to it. A store without
    /// such a limit does nothing.
    fn limit_memory(&self, _max_bytes: Option<u64>) {}
}
