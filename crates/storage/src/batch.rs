//! Batches of operations, in two steps: what a store implements and a server drives.
//!
//! Programs that embed a store have [`Store`](crate::Store), or the methods of the stores themselves.

use std::fmt;
use std::future::Future;

pub use crate::op::{Condition, KeyUpdate, Op, Pair, StringUpdate, UpdateWith};
use crate::{Error, Key, KeyPage, Lsn, Stats, Value};

/// The answer to one [`Op`].
#[derive(Debug, Clone)]
pub struct Completion {
    /// The answer must not be shown to anybody before [`BatchStore::wait`] for this LSN has succeeded.
    pub depends_on: Lsn,
    /// The result of the operation.
    pub outcome: Result<Outcome, Error>,
}

/// The result of an operation.
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
    Page(KeyPage),
    /// [`Op::Stats`]: the figures; boxed, because every outcome is as large as the largest.
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

/// A key as [`Op::GetManyWithin`] saw it.
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

/// The records of a submit, on their way to being durable.
///
/// Dropping it has the log commit them soon.
pub struct Submission<'a> {
    log: Option<&'a dyn Commit>,
}

/// The part of a store that commits records.
pub trait Commit: Sync {
    /// Asks another thread to commit what was submitted, soon.
    fn commit_soon(&self);

    /// Commits what was submitted on this thread, which blocks as long as that takes.
    fn commit_here(&self);
}

impl<'a> Submission<'a> {
    /// A submission without records, or whose records need nothing more.
    pub const fn done() -> Self {
        Self { log: None }
    }

    /// A submission whose records `log` has yet to commit.
    pub const fn pending(log: &'a dyn Commit) -> Self {
        Self { log: Some(log) }
    }

    /// Returns whether anything is left to be committed.
    pub const fn is_pending(&self) -> bool {
        self.log.is_some()
    }

    /// Commits the records on this thread, which blocks for a sync if the policy asks for one.
    ///
    /// It saves two hand-overs between threads, and is for a thread that has nobody else to serve.
    /// [`BatchStore::wait`] then has little or nothing left to wait for, and tells how it went.
    pub fn commit_here(mut self) {
        if let Some(log) = self.log.take() {
            log.commit_here();
        }
    }

    /// Leaves the records to an earlier submission that has yet to commit: it will commit these, too.
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

/// A store that carries out batches of operations.
///
/// A batch is carried out in two steps, so that a pipeline of many commands costs one wait:
/// [`submit`](Self::submit) carries operations out in order and says on which LSN each reply depends;
/// [`wait`](Self::wait) waits until such an LSN is as durable as the sync policy asks.
pub trait BatchStore: Clone + Send + Sync + 'static {
    /// Carries out a prefix of `ops`, in order, and appends one [`Completion`] for each to `replies`.
    ///
    /// At least one operation is carried out if there is any; it stops early once the replies hold more
    /// than `max_reply_bytes`, before a write with which the records would be more than 1 GiB, or those that depend on stored
    /// values more than 1 MiB, or after operations that take long: one on the whole keyspace, or several with 2,000 keys in
    /// all. The caller submits the rest again. Nothing of a reply may be shown before [`wait`](Self::wait) for its
    /// [`depends_on`](Completion::depends_on) has succeeded.
    ///
    /// Dropping the future before it ends: either none of `ops` was carried out, or all that would have been.
    fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
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
}
