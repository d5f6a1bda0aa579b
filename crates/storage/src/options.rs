//! Settings of a store: limits, sync policy, format of the log, compaction.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Default limit on the length of keys, in bytes.
pub const DEFAULT_MAX_KEY_BYTES: usize = 64 * 1024;

/// Default limit on the length of values, in bytes.
pub const DEFAULT_MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;

/// Default ratio of a log's size to that of its live data at which it is compacted.
pub const DEFAULT_COMPACT_RATIO: f64 = 2.0;

/// Default least size of a log that is compacted automatically, in bytes.
pub const DEFAULT_COMPACT_MIN_BYTES: u64 = 32 * 1024 * 1024;

/// Policy by which writes are synced: when a write is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// After a sync: survives a crash of the process or the kernel, and a power loss.
    #[default]
    Always,
    /// After `write(2)`: survives a crash of the process. A sync runs at this interval, concurrently with writes, so a kernel crash
    /// or power loss loses at most the last two intervals.
    Interval(Duration),
    /// After `write(2)`: survives a crash of the process. A kernel crash or power loss loses what the kernel has not written back.
    Never,
}

/// Error for a text that is not a sync policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no sync policy: say always, never, or interval:<duration> such as interval:100ms")]
pub struct ParseSyncPolicyError(String);

impl FromStr for SyncPolicy {
    type Err = ParseSyncPolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let interval = |text: &str| {
            let digits_end = text.find(|c: char| !c.is_ascii_digit())?;
            let (digits, unit) = text.split_at(digits_end);
            let number: u64 = digits.parse().ok()?;
            let millis = match unit {
                "ms" => number,
                "s" => number.checked_mul(1000)?,
                "m" => number.checked_mul(60_000)?,
                _ => return None,
            };
            (1..=MAX_INTERVAL_MS).contains(&millis).then(|| Self::Interval(Duration::from_millis(millis)))
        };
        match text {
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => text
                .strip_prefix("interval:")
                .and_then(interval)
                .ok_or_else(|| ParseSyncPolicyError(text.to_owned())),
        }
    }
}

/// Longest interval between syncs: an hour.
const MAX_INTERVAL_MS: u64 = 3_600_000;

impl fmt::Display for SyncPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Interval(interval) => write!(f, "interval:{}ms", interval.as_millis()),
            Self::Never => f.write_str("never"),
        }
    }
}

/// Format of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LogFormat {
    /// Checksummed batches of binary records.
    #[default]
    Binary,
    /// A line of JSON for each record: for standard tools. Without checksums, it promises less after a crash.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Binary => "binary",
            Self::Json => "json",
        })
    }
}

/// Settings of a store; every setting has a method that returns the options with it.
///
/// ```
/// use rustvault_storage::{Options, SyncPolicy};
///
/// let options = Options::default().sync_policy(SyncPolicy::Never).max_memory_bytes(1 << 30);
/// # assert_eq!(options.max_memory_bytes, Some(1 << 30));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Policy by which writes are synced; [`SyncPolicy::Always`] by default.
    pub sync_policy: SyncPolicy,
    /// Longest key, in bytes; 64 KiB by default, at most 1 GiB.
    pub max_key_bytes: usize,
    /// Longest value, in bytes; 16 MiB by default, at most 1 GiB.
    pub max_value_bytes: usize,
    /// Format of the log. An existing log in another format is converted by its next compaction. With `None`, the default, a
    /// new log is binary, and an existing one keeps its format.
    pub log_format: Option<LogFormat>,
    /// Ratio of the log's size to that of its live data at which the log is compacted; 2 by default.
    pub compact_ratio: f64,
    /// Least size of a log that is compacted automatically, in bytes; 32 MiB by default.
    pub compact_min_bytes: u64,
    /// Most bytes of memory for entries and tables, as [`Stats::used_bytes`](crate::Stats::used_bytes) counts
    /// them; no limit by default.
    ///
    /// Writes beyond it are refused with [`Error::OutOfMemory`](crate::Error::OutOfMemory), except deletes and values that are no
    /// longer than those they replace; recovery is never refused. Tables that grow for a write may exceed the limit by some
    /// 64 KiB; concurrent writers may exceed it by that and by what each of them adds.
    pub max_memory_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync_policy: SyncPolicy::default(),
            max_key_bytes: DEFAULT_MAX_KEY_BYTES,
            max_value_bytes: DEFAULT_MAX_VALUE_BYTES,
            log_format: None,
            compact_ratio: DEFAULT_COMPACT_RATIO,
            compact_min_bytes: DEFAULT_COMPACT_MIN_BYTES,
            max_memory_bytes: None,
        }
    }
}

impl Options {
    /// Sets the policy by which writes are synced.
    #[must_use]
    pub const fn sync_policy(mut self, sync_policy: SyncPolicy) -> Self {
        self.sync_policy = sync_policy;
        self
    }

    /// Sets the longest key, in bytes; at most 1 GiB.
    #[must_use]
    pub const fn max_key_bytes(mut self, max_key_bytes: usize) -> Self {
        self.max_key_bytes = max_key_bytes;
        self
    }

    /// Sets the longest value, in bytes; at most 1 GiB.
    #[must_use]
    pub const fn max_value_bytes(mut self, max_value_bytes: usize) -> Self {
        self.max_value_bytes = max_value_bytes;
        self
    }

    /// Sets the format of the log; an existing log in another format is converted by its next compaction.
    #[must_use]
    pub const fn log_format(mut self, log_format: LogFormat) -> Self {
        self.log_format = Some(log_format);
        self
    }

    /// Sets the ratio of the log's size to that of its live data at which the log is compacted.
    #[must_use]
    pub const fn compact_ratio(mut self, compact_ratio: f64) -> Self {
        self.compact_ratio = compact_ratio;
        self
    }

    /// Sets the least size of a log that is compacted automatically, in bytes.
    #[must_use]
    pub const fn compact_min_bytes(mut self, compact_min_bytes: u64) -> Self {
        self.compact_min_bytes = compact_min_bytes;
        self
    }

    /// Limits the memory of entries and tables, in bytes.
    #[must_use]
    pub const fn max_memory_bytes(mut self, max_memory_bytes: u64) -> Self {
        self.max_memory_bytes = Some(max_memory_bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sync_policies_read_back_as_they_are_shown() {
        for text in ["always", "never", "interval:1ms", "interval:100ms", "interval:3600000ms"] {
            assert_eq!(text.parse::<SyncPolicy>().map(|policy| policy.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("interval:2s".parse(), Ok(SyncPolicy::Interval(Duration::from_secs(2))));
    }

    #[test]
    fn what_is_no_sync_policy_is_refused() {
        for text in [
            "",
            "Always",
            "interval",
            "interval:",
            "interval:0ms",
            "interval:5",
            "interval:2h",
            "interval:99999999999999999999s",
        ] {
            assert!(text.parse::<SyncPolicy>().is_err(), "{text}");
        }
    }
}
