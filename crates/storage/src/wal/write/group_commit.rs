//! Group commit: one write and one sync for the records of all waiting writers. All work at the log's end runs here, under the
//! appender's lock.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::thread::Pid;

use super::admission::MAX_WAITING_BYTES;
use super::appender::{AppendError, Appender};
use super::commit_histograms::CommitHistograms;
use super::file_watch::FileWatch;
use super::in_flight::InFlight;
use super::log::LogStart;
use super::size_limit::SizeLimit;
use super::space::Space;
use super::tail::{PendingBatch, Tail};
use super::waiters::Waiters;
use super::watchdog::Watchdog;
use crate::fs::LogFile;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Instant, OnceLock, OrderedMutex, Rank, Semaphore, SetOnce, counter};
use crate::{Error, Lsn, SyncPolicy};

/// State of a log in use, shared by its writers, waiters and threads.
pub(in crate::wal) struct SharedLog {
    pub(super) path: PathBuf,
    pub(super) policy: SyncPolicy,
    pub(super) tail: OrderedMutex<Tail>,
    /// Locked before the tail, and held until the records taken from the tail are written and synced.
    pub(in crate::wal) appender: OrderedMutex<Appender>,
    /// Wakes the writer thread when the tail has records to commit, or is closing.
    pub(super) work: Condvar,
    pub(super) writer_thread: OnceLock<Pid>,
    /// One permit for each byte of unwritten records.
    pub(super) admission: Semaphore,
    pub(in crate::wal) space: Space,
    /// Admissions that may still append.
    pub(super) in_flight: InFlight,
    pub(super) appended: AtomicU64,
    written: AtomicU64,
    pub(in crate::wal) synced: AtomicU64,
    pub(in crate::wal) waiters: Waiters,
    pub(super) failure: SetOnce<Error>,
    /// The file to sync; locked while a sync runs, so that no other one follows a failed sync.
    pub(in crate::wal) syncing: OrderedMutex<Arc<dyn LogFile>>,
    pub(in crate::wal) watchdog: Watchdog,
    pub(in crate::wal) file_watch: FileWatch,
    pub(super) size_limit: SizeLimit,
    /// Pause after every batch, in microseconds, by which a compaction slows writers down to catch up.
    pub(super) pause_us: AtomicU64,
    pub(in crate::wal) counters: CommitCounters,
    pub(super) histograms: CommitHistograms,
}

/// Counters of commits.
#[derive(Default)]
pub(in crate::wal) struct CommitCounters {
    pub(super) syncs: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) peak_batch_records: AtomicU64,
    pub(in crate::wal) failures: CallFailures,
}

/// Counters of failed calls on the log's file; each of them has failed the log.
#[derive(Default)]
pub(in crate::wal) struct CallFailures {
    pub(super) writes: counter::AtomicU64,
    pub(in crate::wal) syncs: counter::AtomicU64,
    pub(super) reservations: counter::AtomicU64,
}

impl CommitCounters {
    fn count(&self, batch: &PendingBatch) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.peak_batch_records.fetch_max(u64::from(batch.records), Ordering::Relaxed);
    }
}

impl SharedLog {
    /// Makes what the threads of a log share; nothing runs yet. `on_size`: as for [`Log::start`](super::log::Log::start).
    pub(super) fn new(start: &LogStart, on_size: impl Fn() + Send + Sync + 'static) -> Self {
        let last_lsn = start.next_lsn.get() - 1;
        Self {
            path: start.path.clone(),
            policy: start.policy,
            tail: OrderedMutex::new(Rank::Tail, Tail::new(start.next_lsn, start.last_timestamp_ms)),
            appender: OrderedMutex::new(Rank::Appender, Appender::new(start)),
            work: Condvar::new(),
            writer_thread: OnceLock::new(),
            admission: Semaphore::new(MAX_WAITING_BYTES as usize),
            space: Space::new(start.format, start.offset),
            in_flight: InFlight::new(),
            appended: AtomicU64::new(last_lsn),
            written: AtomicU64::new(last_lsn),
            synced: AtomicU64::new(last_lsn),
            waiters: Waiters::new(),
            failure: SetOnce::new(),
            syncing: OrderedMutex::new(Rank::Syncing, Arc::clone(&start.file)),
            watchdog: Watchdog::new(start.path.clone()),
            file_watch: FileWatch::new(start.target.clone(), &*start.file, start.offset),
            size_limit: SizeLimit::new(on_size),
            pause_us: AtomicU64::new(0),
            counters: CommitCounters::default(),
            histograms: CommitHistograms::default(),
        }
    }

    pub(in crate::wal) fn watermark(&self) -> Lsn {
        let watermark = match self.policy {
            SyncPolicy::Always => &self.synced,
            SyncPolicy::Interval(_) | SyncPolicy::Never => &self.written,
        };
        Lsn::new(watermark.load(Ordering::Acquire))
    }

    pub(in crate::wal) fn written(&self) -> Lsn {
        Lsn::new(self.written.load(Ordering::Acquire))
    }

    pub(in crate::wal) fn synced(&self) -> Lsn {
        Lsn::new(self.synced.load(Ordering::Acquire))
    }

    pub(super) fn set_appended(&self, lsn: Lsn) {
        self.appended.store(lsn.get(), Ordering::Release);
    }

    /// Requests from the writer thread a commit of the records in the tail.
    pub(super) fn announce(&self) {
        if self.tail.lock().announce() {
            self.work.notify_one();
        }
    }

    /// Wakes the writer thread if the tail holds records up to `lsn`.
    pub(super) fn announce_up_to(&self, lsn: Lsn) {
        let mut tail = self.tail.lock();
        if tail.first_lsn() <= lsn && tail.announce() {
            drop(tail);
            self.work.notify_one();
        }
    }

    /// Runs `work` at the log's end, unless the log has failed.
    ///
    /// If `work` fails or panics, the log has failed before the lock is released. Otherwise another committer could write in the place
    /// of a lost batch, and its acknowledged records would follow a gap that recovery refuses.
    pub(super) fn at_end<T>(&self, work: impl FnOnce(&mut Appender) -> Result<T, Error>) -> Result<T, Error> {
        let mut appender = self.appender.lock();
        let _guard = FailOnPanic::new(self);
        self.check()?;
        work(&mut appender).inspect_err(|error| self.fail(error.clone()))
    }

    /// Writes the records in the tail as one batch, and syncs it if the policy requires. Blocks.
    pub(super) fn commit(&self) -> Result<(), Error> {
        let asked_at = Instant::now();
        self.at_end(|appender| {
            let (batch, wanted_bytes, was_sealed) = {
                let mut tail = self.tail.lock();
                if tail.is_empty() {
                    return Ok(());
                }
                let was_sealed = tail.idle().is_none();
                let wanted_bytes = tail.take_wanted_room();
                (tail.take(std::mem::take(&mut appender.spare), asked_at), wanted_bytes, was_sealed)
            };
            if was_sealed {
                // While the log is sealed, the writer thread sleeps without a timeout. It has to write the next seal.
                self.work.notify_one();
            }
            self.write(appender, batch, wanted_bytes)
        })
    }

    fn write(
        &self,
        appender: &mut Appender,
        mut batch: PendingBatch,
        wanted_bytes: u64,
    ) -> Result<(), Error> {
        debug_assert!(
            batch.last_lsn.get() <= self.appended.load(Ordering::Acquire),
            "written before appended"
        );
        self.watchdog.start();
        let began = Instant::now();
        // Growing the file would hide that it was truncated, so it is checked before.
        if self.file_watch.note_write() || appender.grows_with(&batch) {
            self.check_file(appender);
        }
        let written = appender.write(&mut batch, self.synced());
        let write_time = began.elapsed();
        self.check_append(written)?;
        self.space.used(appender.offset(), batch.claim);
        self.counters.count(&batch);
        // A sync on the interval's thread may have failed meanwhile.
        self.check()?;
        self.written.store(batch.last_lsn.get(), Ordering::Release);
        if matches!(self.policy, SyncPolicy::Always) {
            self.sync()?;
        }
        // Only now: statistics must not reveal a batch that is not durable.
        self.histograms.gather.record(batch.gather_time);
        self.histograms.queue.record(batch.queue_time);
        self.histograms.write.record(write_time);
        self.histograms.count_batch(batch.records);
        self.waiters.wake_leaders(self.watermark().get());
        self.release(batch.charge);
        appender.spare = batch.into_spare();
        self.prepare_next(appender, wanted_bytes)
    }

    /// Reserves room, and looks at the size of the log, before the next batch begins.
    fn prepare_next(&self, appender: &mut Appender, wanted_bytes: u64) -> Result<(), Error> {
        // Waiting writers get room here, too, because the writer thread may never be idle.
        let is_short = !self.space.is_full() && appender.is_short_of(self.space.end_wanted(0));
        if is_short || wanted_bytes > 0 {
            self.reserve(appender, wanted_bytes)?;
        }
        self.size_limit.check_alarm(appender.offset());
        match self.pause_us.load(Ordering::Relaxed) {
            0 => {}
            pause_us => thread::sleep(Duration::from_micros(pause_us)),
        }
        Ok(())
    }

    /// Requests from the writer thread room for a claim of this many bytes.
    pub(super) fn want_room(&self, bytes: u64) {
        self.tail.lock().want_room(bytes);
        self.work.notify_one();
    }

    /// Reserves the requested room, as far as the disk has it.
    pub(super) fn make_room(&self) -> Result<(), Error> {
        self.at_end(|appender| {
            let wanted_bytes = self.tail.lock().take_wanted_room();
            self.reserve(appender, wanted_bytes)
        })
    }

    fn reserve(&self, appender: &mut Appender, wanted_bytes: u64) -> Result<(), Error> {
        if !self.open_epoch(appender)? {
            self.space.set_reserved(appender.reserved_end(), true);
            return Ok(());
        }
        let least = self.space.end_wanted(wanted_bytes);
        if least > appender.reserved_end() && !self.size_limit.admits(least) {
            return Ok(());
        }
        // If the file system cannot reserve room, zeros grow the file.
        self.check_file(appender);
        let reserved = self.histograms.reserve.time(|| appender.reserve(least, self.size_limit.max_bytes()));
        let end = reserved.map_err(|error| {
            self.counters.failures.reservations.fetch_add(1, counter::Ordering::Relaxed);
            self.io_error("reserve room for", error)
        })?;
        self.space.set_reserved(end, end < least);
        Ok(())
    }

    /// Checks the log's file.
    pub(super) fn look_for_file(&self) -> Result<(), Error> {
        self.at_end(|appender| {
            self.check_file(appender);
            Ok(())
        })
    }

    pub(in crate::wal) fn check_file(&self, appender: &Appender) {
        let (file, min_bytes) = appender.file();
        self.file_watch.check(file, appender.offset(), min_bytes);
    }

    pub(super) fn check_append(&self, result: Result<(), AppendError>) -> Result<(), Error> {
        result.map_err(|error| error.into_error(|error| self.write_error(error)))
    }

    /// Counts a failed write, and returns its error.
    pub(super) fn write_error(&self, error: std::io::Error) -> Error {
        self.counters.failures.writes.fetch_add(1, counter::Ordering::Relaxed);
        self.io_error("write to", error)
    }

    /// Syncs the file, which makes all earlier writes durable.
    ///
    /// The system reports a failed sync once: a later sync would succeed and prove nothing. So syncs run one at a time, and a failure is
    /// recorded before the next one can begin.
    pub(super) fn sync(&self) -> Result<(), Error> {
        let file = self.syncing.lock();
        let _guard = FailOnPanic::new(self);
        self.check()?;
        let written = self.written.load(Ordering::Acquire);
        let _running = self.watchdog.sync_begins();
        if let Err(error) = self.histograms.sync.time(|| file.sync()) {
            self.counters.failures.syncs.fetch_add(1, counter::Ordering::Relaxed);
            let error = self.io_error("sync", error);
            self.fail(error.clone());
            return Err(error);
        }
        self.counters.syncs.fetch_add(1, Ordering::Relaxed);
        let before = self.synced.fetch_max(written, Ordering::AcqRel);
        debug_assert!(before <= written, "synced before written");
        Ok(())
    }

    /// The failure, if the log has failed.
    pub(in crate::wal) fn check(&self) -> Result<(), Error> {
        self.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    pub(super) fn release(&self, charge: u32) {
        self.admission.add_permits(charge as usize);
    }

    /// Poisons the log: nobody is admitted any more, and waiting callers get the error.
    pub(in crate::wal) fn fail(&self, error: Error) {
        let message = error.to_string();
        // The first failure is kept; later ones are consequences.
        if self.failure.set(Error::Poisoned { cause: Arc::new(error) }).is_ok() {
            tracing::error!(error = message, "the log has failed");
        }
        self.admission.close();
        self.space.wake_all();
        self.waiters.wake_all(u64::MAX);
        self.work.notify_one();
    }

    pub(super) fn io_error(&self, action: &'static str, source: std::io::Error) -> Error {
        Error::Io { action, path: self.path.clone(), source: Arc::new(source) }
    }

    pub(super) fn refusal(&self) -> Error {
        self.failure.get().cloned().unwrap_or(Error::Closed)
    }
}

/// Fails the log when a thread panics at its end or in a sync, before the locks there are released.
pub(in crate::wal) struct FailOnPanic<'s> {
    shared: &'s SharedLog,
    was_panicking: bool,
}

impl<'s> FailOnPanic<'s> {
    pub(in crate::wal) fn new(shared: &'s SharedLog) -> Self {
        Self { shared, was_panicking: thread::panicking() }
    }
}

impl Drop for FailOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            self.shared.fail(Error::Internal("a thread panicked while it wrote to the log"));
        }
    }
}

pub(super) fn spawn(
    name: &str,
    shared: &SharedLog,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, Error> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| shared.io_error("start a thread for", error))
}
