//! Statistics of a store, for monitoring.

use std::sync::Arc;

use crate::{LogFormat, OctaveHistogram};

/// Statistics of a store; those that a store lacks are 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Live keys.
    pub keys: u64,
    /// Memory of entries and tables as counted, in bytes.
    pub used_bytes: u64,
    /// Present format of the log.
    pub log_format: LogFormat,
    /// The log's size in bytes.
    pub log_bytes: u64,
    /// Size of a compacted binary log that holds the live entries alone, in bytes.
    pub live_bytes: u64,
    /// The highest LSN that survives a power loss.
    pub durable_lsn: u64,
    /// Syncs of the log since the start.
    pub syncs: u64,
    /// Batches written to the log since the start.
    pub batches: u64,
    /// Most records that one batch held since the start.
    pub peak_batch_records: u64,
    /// Records in each batch that was committed since the start.
    pub batch_records: OctaveHistogram,
    /// Records that recovery replayed at the start.
    pub records_recovered: u64,
    /// Bytes of a torn tail that recovery dropped at the start.
    pub torn_bytes_dropped: u64,
    /// Set while writes that need room are refused because the disk is full.
    pub is_disk_full: bool,
    /// Number of times that the disk has become full since the start.
    pub disk_full_episodes: u64,
    /// Set while writes are refused because the log's file was removed, replaced or truncated.
    pub is_log_removed: bool,
    /// Set once the log has failed: it refuses every write from then on.
    pub is_poisoned: bool,
    /// Cause of the log's failure; `None` if it has not failed.
    pub log_failure: Option<Arc<str>>,
    /// Writes to the log's file that failed since the start.
    pub failed_writes: u64,
    /// Syncs of the log's file or its directory that failed since the start.
    pub failed_syncs: u64,
    /// Reservations of room for the log's file that failed since the start, for another reason than a full disk.
    pub failed_reservations: u64,
    /// Durations of the stages of the log's commits since the start.
    pub commit_latency: CommitLatency,
    /// Milliseconds that the running sync of the log has taken; 0 if none runs. Thousands mean that the disk hangs.
    pub sync_running_ms: u64,
    /// Syncs of the log that took 5 seconds or more since the start. The running one counts as soon as it has taken that long.
    pub slow_syncs: u64,
    /// The longest sync of each second in which one took 10 milliseconds or more, for the last 160 such seconds, oldest first.
    pub recent_syncs: Vec<SyncPeak>,
    /// Compactions that succeeded since the start.
    pub compactions: u64,
    /// Compactions that failed since the start.
    pub failed_compactions: u64,
    /// Total duration of the compactions that succeeded since the start, in milliseconds.
    pub compaction_ms: u64,
    /// Total size of the log after each compaction since the start, in bytes.
    pub compaction_written_bytes: u64,
    /// Total bytes by which compactions have made the log smaller since the start.
    pub compaction_freed_bytes: u64,
    /// Set while a compaction is running.
    pub compaction_running: bool,
    /// Duration of the last compaction that succeeded, in milliseconds.
    pub last_compaction_ms: u64,
    /// End of the last compaction that succeeded, in milliseconds since the Unix epoch; 0 if none has.
    pub last_compaction_unix_ms: u64,
    /// Error of the last compaction; `None` if it succeeded.
    pub last_compaction_error: Option<Arc<str>>,
}

/// Durations of the stages that a durable write waits for, since the start.
///
/// The slow stage points to the cause: `gather` to callers that delay commits to share a sync, `queue` to the previous commit or the
/// processor, `write` to memory or the file system, `sync` to the disk, `wake` to the processor. Percentiles of stages do not add up
/// to those of whole writes. Under [`SyncPolicy::Interval`](crate::SyncPolicy::Interval) and
/// [`SyncPolicy::Never`](crate::SyncPolicy::Never) no write waits for `sync`, and `wake` begins when the batch is written. Nothing
/// here covers what a write waits for before its record has an LSN, such as room in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CommitLatency {
    /// Time from the first record of a batch until its commit is requested. One value per batch.
    pub gather: LatencySummary,
    /// Time from the request until the commit begins, which needs the end of the previous commit, and a core for the log writer.
    /// One value per batch.
    pub queue: LatencySummary,
    /// Writing the batch to the page cache. One value per batch.
    pub write: LatencySummary,
    /// Syncing the file. One value per sync, including those of the interval and of seals.
    pub sync: LatencySummary,
    /// Time from the wake-up of the waiters until the first of them runs. One value for each thread with waiters.
    pub wake: LatencySummary,
    /// Reserving room for the file. A commit that is requested meanwhile waits for it, in `queue`. One value per reservation.
    pub reserve: LatencySummary,
}

/// Summary of the durations of one stage, in microseconds, rounded to two significant digits. All is 0 before the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LatencySummary {
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
    /// All durations, in microseconds.
    pub histogram: OctaveHistogram,
}

/// The longest sync of the log that ended within one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SyncPeak {
    /// The second, since the Unix epoch.
    pub unix_seconds: u64,
    /// Duration of the sync in milliseconds.
    pub ms: u64,
}
