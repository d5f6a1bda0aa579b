//! A log that takes records: started, waited for, closed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::group_commit::{CallFailures, SharedLog, spawn};
use super::syncer::Syncer;
use super::wait_for::WaitFor;
use super::writer::Writer;
use crate::batch::Commit;
use crate::fs::LogFile;
use crate::sync::atomic::Ordering;
use crate::sync::thread::JoinHandle;
use crate::sync::{Mutex, counter};
use crate::wal::format::batch::BATCH_HEADER_BYTES;
use crate::{Error, LogFormat, Lsn, Stats, SyncPolicy};

/// A log that takes records: shared by all writers, served by one thread.
pub(crate) struct Log {
    pub(super) shared: Arc<SharedLog>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Place and state in which a log goes on after recovery.
pub(crate) struct LogStart {
    /// Path of the log as it was given, for messages.
    pub(crate) path: PathBuf,
    /// The file's own, whatever links lead to it.
    pub(crate) target: PathBuf,
    pub(crate) file: Arc<dyn LogFile>,
    pub(crate) policy: SyncPolicy,
    pub(crate) format: LogFormat,
    /// Offset at which the next batch goes, in bytes from the start of the file.
    pub(crate) offset: u64,
    /// The seal that begins the epoch: it is written there and synced before a record is admitted, as soon as
    /// the disk has room for it.
    pub(crate) opening_seal: Option<[u8; BATCH_HEADER_BYTES]>,
    /// The file's size; from `offset` on it holds zeros.
    pub(crate) file_bytes: u64,
    pub(crate) epoch: u32,
    pub(crate) crc_seed: u32,
    pub(crate) previous_crc: u32,
    pub(crate) next_lsn: Lsn,
    pub(crate) last_timestamp_ms: u64,
}

impl Log {
    /// Starts the log's threads. `on_idle` is called with the reply watermark when writes have paused,
    /// `on_size` when the log has the size that [`LogHandle::set_alarm`] says.
    pub(crate) fn start(
        start: LogStart,
        on_idle: impl Fn(Lsn) + Send + 'static,
        on_size: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let shared = Arc::new(SharedLog::new(&start, on_size));
        shared.make_room()?;
        let syncer = match start.policy {
            SyncPolicy::Interval(interval) => Some(Syncer::start(Arc::clone(&shared), interval)?),
            SyncPolicy::Always | SyncPolicy::Never => None,
        };
        let writer = Writer::new(Arc::clone(&shared), syncer, Box::new(on_idle));
        let thread = spawn("wal-writer", &shared, move || writer.run())?;
        Ok(Self { shared, threads: Mutex::new(vec![thread]) })
    }

    /// Commits everything up to `lsn`, and waits until replies that depend on it may leave.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if that will never be.
    pub(crate) async fn wait(&self, lsn: Lsn) -> Result<(), Error> {
        if lsn > self.watermark() {
            self.shared.announce_up_to(lsn);
        }
        self.wait_for_commit(lsn).await
    }

    /// Waits until replies that depend on `lsn` may leave; somebody else commits.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if that will never be.
    pub(crate) async fn wait_for_commit(&self, lsn: Lsn) -> Result<(), Error> {
        if lsn <= self.watermark() {
            return Ok(());
        }
        WaitFor::new(&self.shared, lsn).await
    }

    /// Returns the LSN up to which replies may leave under the sync policy.
    pub(crate) fn watermark(&self) -> Lsn {
        self.shared.watermark()
    }

    /// The number that the system knows the writer thread by; waits until that has begun.
    pub(crate) fn writer_thread(&self) -> i32 {
        self.shared.writer_thread.wait().as_raw_nonzero().get()
    }

    /// The LSN of the newest record.
    pub(crate) fn appended(&self) -> Lsn {
        Lsn::new(self.shared.appended.load(Ordering::Acquire))
    }

    /// Ends when the log has failed.
    pub(crate) async fn failed(&self) -> Error {
        self.shared.failure.wait().await.clone()
    }

    pub(crate) fn fill_stats(&self, stats: &mut Stats) {
        self.fill_failures(stats);
        let counters = &self.shared.counters;
        stats.log_format = self.shared.space.format();
        stats.log_bytes = self.shared.space.log_end();
        stats.sync_running_ms =
            u64::try_from(self.shared.watchdog.sync_running().as_millis()).unwrap_or(u64::MAX);
        stats.syncs = counters.syncs.load(Ordering::Relaxed);
        stats.batches = counters.batches.load(Ordering::Relaxed);
        stats.peak_batch_records = counters.peak_batch_records.load(Ordering::Relaxed);
        stats.slow_syncs = self.shared.watchdog.slow_syncs();
        stats.recent_syncs = self.shared.histograms.sync.peaks.recent();
        stats.batch_records = self.shared.histograms.batch_records();
        stats.commit_latency = self.shared.histograms.latency();
        stats.durable_lsn = self.shared.synced.load(Ordering::Acquire);
    }

    fn fill_failures(&self, stats: &mut Stats) {
        let CallFailures { writes, syncs, reservations } = &self.shared.counters.failures;
        stats.failed_writes = writes.load(counter::Ordering::Relaxed);
        stats.failed_syncs = syncs.load(counter::Ordering::Relaxed);
        stats.failed_reservations = reservations.load(counter::Ordering::Relaxed);
        stats.is_disk_full = self.shared.space.is_full();
        stats.disk_full_episodes = self.shared.space.full_episodes();
        stats.is_log_removed = self.shared.file_watch.is_removed();
        let failure = self.shared.failure.get();
        stats.is_poisoned = failure.is_some();
        stats.log_failure = failure.map(|failure| match failure {
            Error::Poisoned { cause } => cause.to_string().into(),
            other => other.to_string().into(),
        });
    }

    /// Takes no more records, writes and syncs what there is, seals the log. Blocks. Idempotent.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if the log failed, now or before; [`Error::LogRemoved`].
    pub(crate) fn close(&self) -> Result<(), Error> {
        self.shared.admission.close();
        self.shared.in_flight.admission_has_ended();
        self.shared.space.wake_all();
        self.shared.tail.lock().is_closing = true;
        self.shared.work.notify_one();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                self.shared.fail(Error::Internal("the log writer panicked"));
            }
        }
        self.shared.watchdog.stop();
        self.shared.check()?;
        self.shared.file_watch.error().map_or(Ok(()), Err)
    }
}

impl Commit for Log {
    fn commit_soon(&self) {
        self.shared.announce();
    }

    fn commit_here(&self) {
        // A sync may take longer than the interval: that is for the log's own threads.
        if matches!(self.shared.policy, SyncPolicy::Interval(_)) {
            return self.commit_soon();
        }
        // Who waits for these records learns of a failure from the log.
        let _ = self.shared.commit();
        if !self.shared.waiters.is_empty() {
            // The writer thread looks after waiters whose leader does not.
            self.shared.work.notify_one();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "closing the log failed; the next start recovers it");
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("path", &self.shared.path).finish_non_exhaustive()
    }
}
