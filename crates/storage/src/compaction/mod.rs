//! Compaction: rewrites the log as the live entries and the writes that arrive meanwhile, while the store is in use.

mod control;
mod pace;
mod report_limit;
mod rule;
mod run;
mod sample;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use control::{Control, Wakeup};
use report_limit::ReportLimit;
pub(crate) use rule::Rule;
use rule::Sizes;
use run::{Run, Summary};

use crate::keyspace::Keyspace;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Instant, Mutex};
use crate::wal::{Location, LogHandle, LoggedChange, now_ms};
use crate::{Error, LogFormat, Stats};

/// Interval between checks whether a compaction is due, while something is written.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Delay before the first retry of a failed compaction; twice as long after each further failure.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Longest delay before a retry.
const LAST_RETRY: Duration = Duration::from_secs(300);

/// Compacts a log when it is due or requested, on a thread of its own.
pub(crate) struct Compactor {
    control: Arc<Control>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Compactor {
    pub(crate) fn new() -> Self {
        Self { control: Arc::default(), thread: Mutex::new(None) }
    }

    /// Returns the callback that the log calls when it has reached its alarm size.
    pub(crate) fn alarm(&self) -> impl Fn() + Send + Sync + 'static {
        let control = Arc::clone(&self.control);
        move || control.alarm()
    }

    /// Starts the thread. Compactions write this format, also if the log has another one.
    pub(crate) fn start(
        &self,
        keyspace: Arc<Keyspace>,
        log: LogHandle,
        location: Location,
        rule: Rule,
        format: Option<LogFormat>,
    ) -> Result<(), Error> {
        let control = Arc::clone(&self.control);
        let format = format.unwrap_or(log.format());
        if format != log.format() {
            tracing::info!(now = %log.format(), next = %format, "the next compaction changes the format of the log");
        }
        let worker = Worker {
            control,
            keyspace,
            log,
            location,
            rule,
            format,
            after_last: 0,
            failures: 0,
            retry_at: None,
            reports: ReportLimit::default(),
            failure_reports: ReportLimit::default(),
        };
        // Set here, before anything is written, because the thread may get a core late.
        worker.limit_size();
        let spawn_error = worker.location.spawn_error();
        let thread = thread::Builder::new().name("compactor".to_owned()).spawn(move || worker.run());
        *self.thread.lock() = Some(thread.map_err(spawn_error)?);
        Ok(())
    }

    /// Compacts the log; returns after the end of a compaction that began after this call.
    pub(crate) async fn compact(&self) -> Result<(), Error> {
        self.control.compact().await
    }

    /// Abandons a running compaction; no further one begins.
    pub(crate) fn stop(&self) {
        self.control.stop();
        if self.thread.lock().take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the compacting thread panicked");
        }
    }

    pub(crate) fn fill_stats(&self, stats: &mut Stats) {
        self.control.fill_stats(stats);
    }
}

impl Drop for Compactor {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The compacting thread.
struct Worker {
    control: Arc<Control>,
    keyspace: Arc<Keyspace>,
    log: LogHandle,
    location: Location,
    rule: Rule,
    /// Format of the log that a compaction writes.
    format: LogFormat,
    /// The log's size after the last compaction.
    after_last: u64,
    /// Number of failures since the last compaction that succeeded.
    failures: u32,
    retry_at: Option<Instant>,
    /// Limits the messages on each compaction, because a client may ask for one after the other.
    reports: ReportLimit,
    /// Limits the messages on failures alone, so that compactions that succeed take no message away from one that fails.
    failure_reports: ReportLimit,
}

impl Drop for Worker {
    /// Ends the wait of all callers when the thread ends: no compaction follows.
    fn drop(&mut self) {
        self.log.set_size_limit(u64::MAX);
    }
}

impl Worker {
    fn run(mut self) {
        let mut look_at = Some(Instant::now());
        let mut last_log_bytes = 0;
        loop {
            let waiting = match self.control.next_wakeup(look_at) {
                Wakeup::Stop => return,
                Wakeup::Asked(waiting) => waiting,
                Wakeup::Look if self.is_due() => Vec::new(),
                Wakeup::Look => {
                    let log_bytes = self.log.len_bytes();
                    look_at = self.plan(log_bytes, log_bytes == last_log_bytes);
                    last_log_bytes = log_bytes;
                    continue;
                }
            };
            // Another file has the log's name, maybe on purpose: only a requested compaction moves it.
            let result = self.compact(!waiting.is_empty());
            let result = result.map_err(|error| self.error_for_callers(error));
            waiting.into_iter().for_each(|waiting| drop(waiting.send(result.clone())));
            look_at = Some(Instant::now());
        }
    }

    /// Limits the size of the log, so that writers leave the room that a compaction needs, if one may run.
    fn limit_size(&self) {
        let limit = match self.sizes() {
            // If none is due, writers that wait for more room get it: waiting would free none.
            Ok(sizes) if self.may_try() => Rule::size_limit(&sizes).max(self.log.held_bytes()),
            _ => u64::MAX,
        };
        self.log.set_size_limit(limit);
    }

    /// Returns the time of the next check; `None` for a log that does not grow, which is checked when it grows.
    fn plan(&self, log_bytes: u64, is_quiet: bool) -> Option<Instant> {
        self.limit_size();
        let now = Instant::now();
        if is_quiet {
            self.log.set_alarm(log_bytes + 1);
            if self.log.len_bytes() == log_bytes {
                return self.retry_at.filter(|&retry_at| retry_at > now);
            }
        }
        let look_bytes = self.sizes().map_or(u64::MAX, |sizes| self.rule.look_bytes(&sizes));
        self.log.set_alarm(look_bytes);
        // The log may have passed the alarm size since it was checked.
        Some(if self.is_due() { now } else { now + LOOK_EVERY })
    }

    /// Returns whether a due compaction may begin automatically.
    fn may_try(&self) -> bool {
        !self.log.is_removed() && self.retry_at.is_none_or(|retry_at| retry_at <= Instant::now())
    }

    fn is_due(&self) -> bool {
        self.may_try() && self.sizes().is_ok_and(|sizes| self.rule.is_due(&sizes))
    }

    fn sizes(&self) -> Result<Sizes, Error> {
        Ok(Sizes {
            log: self.log.len_bytes(),
            live: self.live_bytes(),
            after_last: self.after_last,
            free: self.location.free_bytes()?,
        })
    }

    /// Returns the size of a compacted log of the live entries, in bytes; an estimate for lines of JSON.
    fn live_bytes(&self) -> u64 {
        let stats = self.keyspace.stats();
        let entry_bytes = LoggedChange::live_bytes(stats.live_keys, stats.live_payload_bytes);
        match self.format {
            LogFormat::Binary => entry_bytes,
            LogFormat::Json => sample::bytes_as_lines(&self.keyspace, entry_bytes),
        }
    }

    fn compact(&mut self, may_restore: bool) -> Result<(), Error> {
        let began = Instant::now();
        let (log_bytes, live_bytes) = (self.log.len_bytes(), self.live_bytes());
        let permission = self.reports.admit(began);
        if let Some(left_out) = permission {
            tracing::info!(log_bytes, live_bytes, left_out, "compaction begins");
        }
        self.control.stats.lock().is_running = true;
        let &Self { ref control, ref keyspace, ref log, ref location, format, .. } = &*self;
        let run = Run { keyspace, log, location, control, format, may_restore };
        let result = catch_unwind(AssertUnwindSafe(|| run.run(live_bytes))).unwrap_or_else(|_| {
            let error = Error::Internal("the compacting thread panicked");
            self.log.fail(error.clone());
            Err(error)
        });
        match &result {
            Ok(summary) => self.succeeded(*summary, log_bytes, began.elapsed(), permission.is_some()),
            Err(error) => self.failed(error),
        }
        result.map(|_| ())
    }

    /// Returns the error for callers that waited for a compaction that ended with `error`.
    fn error_for_callers(&self, error: Error) -> Error {
        match self.log.check() {
            Ok(()) if error.is_no_space() => Error::DiskFull,
            _ => error,
        }
    }

    fn succeeded(&mut self, summary: Summary, before_bytes: u64, elapsed: Duration, is_reported: bool) {
        self.after_last = self.log.len_bytes();
        (self.failures, self.retry_at) = (0, None);
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let Summary { entries, peak_memory_bytes } = summary;
        let after_bytes = self.after_last;
        if is_reported {
            tracing::info!(
                before_bytes,
                after_bytes,
                entries,
                peak_memory_bytes,
                elapsed_ms,
                "compaction done"
            );
        }
        let mut stats = self.control.stats.lock();
        stats.is_running = false;
        stats.compactions += 1;
        stats.total_ms += elapsed_ms;
        stats.written_bytes += after_bytes;
        stats.freed_bytes += before_bytes.saturating_sub(after_bytes);
        stats.last_ms = elapsed_ms;
        stats.last_unix_ms = now_ms();
        stats.last_error = None;
    }

    fn failed(&mut self, error: &Error) {
        let mut stats = self.control.stats.lock();
        stats.is_running = false;
        if self.control.is_stopping() {
            return;
        }
        let delay = FIRST_RETRY.saturating_mul(1 << self.failures.min(16)).min(LAST_RETRY);
        self.failures += 1;
        self.retry_at = Some(Instant::now() + delay);
        if let Some(left_out) = self.failure_reports.admit(Instant::now()) {
            tracing::warn!(%error, ?delay, left_out, "compaction failed; the log is unchanged, and compaction is retried after the delay");
        }
        stats.failures += 1;
        stats.last_error = Some(error.to_string().into());
    }
}
