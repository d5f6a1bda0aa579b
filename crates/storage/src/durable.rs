//! The durable store: a keyspace behind a write-ahead log.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::batch::{BatchStore, Completion, Op, Submission};
use crate::compaction::{Compactor, Rule};
use crate::demand::{self, Bounds, MAX_SUBMIT_BYTES, StoredValues, Wanted};
use crate::execute::{Executor, RecordSink};
use crate::fs::{FileSystem, OsFileSystem};
use crate::keyspace::Keyspace;
use crate::recovery::{RecoveryProgress, RecoveryReport, recover};
use crate::wal::{Admission, Demand, Growth, Log, LoggedChange};
use crate::{Error, Lsn, Options, Stats};

/// Highest limit of [`Options`] on keys and values, because lengths in the log have 32 bits.
pub(crate) const MAX_LIMIT_BYTES: usize = 1024 * 1024 * 1024;

/// Slack beyond the bound that proved too small when an operation is retried, in bytes; doubled at each further retry.
const MIN_SLACK_BYTES: usize = 1024;

/// A durable store: every write is logged before anybody can see it.
///
/// Clones share the store. Dropping the last one closes the log, which blocks for a sync. [`close`](Self::close) does that at a
/// place of your choice, and returns the result.
#[derive(Clone)]
pub struct DurableStore {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped before the log, which it uses.
    compactor: Compactor,
    // Dropped before the keyspace, because closing may clear tombstones.
    log: Log,
    keyspace: Arc<Keyspace>,
    options: Options,
    recovery: RecoveryReport,
}

impl DurableStore {
    /// Opens the log at `path`, or creates one, and recovers its contents.
    ///
    /// Blocks until recovery has ended; from async code, call it on a thread that may block. A new log is accessible to its owner
    /// alone (mode 0600); an existing one keeps its mode.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has the log; [`Error::NotALog`], [`Error::NewerFormat`] and
    /// [`Error::Corrupted`] if this version cannot trust its content, and then the file is unchanged;
    /// [`Error::Io`]; [`Error::InvalidOptions`].
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        Self::open_watched(path, options, &RecoveryProgress::default())
    }

    /// Opens a log as [`open`](Self::open) does; other threads may look at the progress meanwhile.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_watched(
        path: impl AsRef<Path>,
        options: Options,
        progress: &RecoveryProgress,
    ) -> Result<Self, Error> {
        Self::open_with(Arc::new(OsFileSystem), path.as_ref(), options, progress)
    }

    /// Opens a log as [`open`](Self::open) does, on another file system, for example one that injects faults.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(fs: Arc<dyn FileSystem>, path: impl AsRef<Path>, options: Options) -> Result<Self, Error> {
        Self::open_with(fs, path.as_ref(), options, &RecoveryProgress::default())
    }

    fn open_with(
        fs: Arc<dyn FileSystem>,
        path: &Path,
        options: Options,
        progress: &RecoveryProgress,
    ) -> Result<Self, Error> {
        if options.max_key_bytes.max(options.max_value_bytes) > MAX_LIMIT_BYTES {
            return Err(Error::InvalidOptions("max_key_bytes and max_value_bytes must be at most 1 GiB"));
        }
        let rule = Rule::new(&options)?;
        let recovered = recover(&fs, path, &options, progress)?;
        let keyspace = Arc::new(recovered.keyspace);
        keyspace.limit_memory(options.max_memory_bytes);
        let tombstones = Arc::clone(&keyspace);
        let compactor = Compactor::new();
        let log = Log::start(
            recovered.start,
            move |watermark| tombstones.clear_tombstones(watermark),
            compactor.alarm(),
        )?;
        let (log_handle, format) = (log.handle(), options.log_format);
        compactor.start(Arc::clone(&keyspace), log_handle, recovered.location, rule, format)?;
        let recovery = recovered.report;
        Ok(Self { inner: Arc::new(Inner { compactor, log, keyspace, options, recovery }) })
    }

    /// Returns the report of what recovery found.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.recovery
    }

    /// Waits until the log has failed, and returns the failure; never ends if it does not fail.
    pub async fn poisoned(&self) -> Error {
        self.inner.log.failed().await
    }

    /// Returns the thread id (gettid(2)) of the thread that writes and syncs the log, for callers that pin threads to cores. The
    /// store itself pins none.
    pub fn writer_thread(&self) -> i32 {
        self.inner.log.writer_thread()
    }

    /// Closes the log: refuses writes from now on, then syncs and seals it. Blocks. A second call does nothing.
    ///
    /// Reads continue; writes get [`Error::Closed`].
    ///
    /// # Errors
    /// [`Error::Poisoned`] if the log has failed, now or before. [`Error::LogRemoved`] if its file is missing: then the contents of
    /// the store are lost, unless there is a copy.
    pub fn close(&self) -> Result<(), Error> {
        self.inner.compactor.stop();
        self.inner.log.close()
    }
}

impl BatchStore for DurableStore {
    async fn submit(
        &self,
        ops: &[Op<'_>],
        max_reply_bytes: usize,
        replies: &mut Vec<Completion>,
    ) -> Submission<'_> {
        let Inner { log, keyspace, options, recovery, compactor } = &*self.inner;
        let replies_before = replies.len();
        let (mut least_bytes, mut slack_bytes) = (0, MIN_SLACK_BYTES);
        loop {
            let Admitted { ops, bounds, admission, refusal } = self.admit(ops, least_bytes).await;
            let submission = if admission.is_ok() { Submission::pending(log) } else { Submission::done() };
            let (records, starts) = (Vec::new(), Vec::new());
            let bounds = bounds.into_iter();
            let sink = LogSink { log, recovery, compactor, admission, refusal, bounds, records, starts };
            let watermark = log.watermark();
            let unadmitted =
                Executor { keyspace, options, watermark, sink }.run(ops, max_reply_bytes, replies);
            match unadmitted {
                // A value has grown since its length was asked for. The admission has been given back by now, so
                // who waits for more holds none.
                Some(record_bytes) if replies.len() == replies_before => {
                    least_bytes = record_bytes.saturating_add(slack_bytes);
                    slack_bytes = slack_bytes.saturating_mul(2);
                }
                _ => return submission,
            }
        }
    }

    async fn wait(&self, lsn: Lsn) -> Result<(), Error> {
        self.inner.log.wait(lsn).await
    }

    async fn wait_for_commit(&self, lsn: Lsn) -> Result<(), Error> {
        self.inner.log.wait_for_commit(lsn).await
    }

    fn reply_watermark(&self) -> Lsn {
        self.inner.log.watermark()
    }

    async fn compact(&self) -> Result<(), Error> {
        self.inner.compactor.compact().await
    }

    fn limit_memory(&self, max_bytes: Option<u64>) {
        self.inner.keyspace.limit_memory(max_bytes);
    }
}

impl fmt::Debug for DurableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableStore").field("log", &self.inner.log).finish_non_exhaustive()
    }
}

impl DurableStore {
    /// Admits the leading operations of `ops` that fit into one submit. If that would have to wait, it admits only the leading
    /// reads, because readers never wait for admission. On a full disk it admits only deletes, and returns the error for the
    /// rest. `least_bytes`: as for [`demand::leading`].
    async fn admit<'o, 'a>(&self, ops: &'o [Op<'a>], least_bytes: usize) -> Admitted<'o, 'a, '_> {
        let log = &self.inner.log;
        let Wanted { ops, demand, bounds } =
            demand::leading(ops, MAX_SUBMIT_BYTES, least_bytes, &*self.inner);
        let reads_only = |ops| Admitted {
            ops,
            bounds: Bounds::new(),
            admission: Err(Error::Internal("an operation wrote without admission")),
            refusal: None,
        };
        if demand == Demand::default() {
            return reads_only(ops);
        }
        let admission = match log.try_admit(demand, Growth::Grows) {
            Some(admission) => admission,
            None => match demand::leading_reads(ops) {
                [] => log.admit(demand, Growth::Grows).await,
                reads => return reads_only(reads),
            },
        };
        match admission {
            Err(refusal @ Error::DiskFull) => {
                let admission = log.try_admit(demand::shrinking_demand(ops), Growth::Shrinks);
                let admission = admission.unwrap_or(Err(Error::DiskFull));
                Admitted { ops, bounds, admission, refusal: Some(refusal) }
            }
            admission => Admitted { ops, bounds, admission, refusal: None },
        }
    }
}

impl StoredValues for Inner {
    fn value_bytes(&self, key: &[u8]) -> usize {
        self.keyspace.value_bytes(key)
    }

    fn max_value_bytes(&self) -> usize {
        self.options.max_value_bytes
    }
}

/// Operations that may be executed.
struct Admitted<'o, 'a, 'l> {
    ops: &'o [Op<'a>],
    bounds: Bounds,
    admission: Result<Admission<'l>, Error>,
    /// The reason why changes that need room are not admitted, when others are.
    refusal: Option<Error>,
}

/// Puts records into the log.
struct LogSink<'a> {
    log: &'a Log,
    recovery: &'a RecoveryReport,
    compactor: &'a Compactor,
    admission: Result<Admission<'a>, Error>,
    /// The reason why changes that need room are not admitted, when others are.
    refusal: Option<Error>,
    /// The bounds of operations that are still to come.
    bounds: <Bounds as IntoIterator>::IntoIter,
    /// The prepared records, and where each of them begins.
    records: Vec<u8>,
    starts: Vec<usize>,
}

impl RecordSink for LogSink<'_> {
    fn check_admitted(&self, growth: Growth) -> Result<(), Error> {
        if let (Growth::Grows, Some(refusal)) = (growth, &self.refusal) {
            return Err(refusal.clone());
        }
        self.admission.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    fn next_bound(&mut self) -> usize {
        self.bounds.next().unwrap_or_default()
    }

    fn prepare<'c>(&mut self, changes: impl Iterator<Item = LoggedChange<'c>>) {
        self.records.clear();
        self.starts.clear();
        for change in changes {
            self.starts.push(self.records.len());
            change.encode(&mut self.records);
        }
    }

    fn append_prepared(&mut self) -> Lsn {
        match &mut self.admission {
            Ok(admission) => admission.append(&mut self.records, &self.starts),
            Err(_) => unreachable!("the executor asks whether records are admitted"),
        }
    }

    fn appended(&self) -> Lsn {
        self.log.appended()
    }

    fn fill_stats(&self, stats: &mut Stats) {
        self.log.fill_stats(stats);
        self.compactor.fill_stats(stats);
        stats.records_recovered = self.recovery.records;
        stats.torn_bytes_dropped = self.recovery.torn_bytes_dropped;
    }
}
