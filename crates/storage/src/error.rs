//! Errors of this crate.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Error for which a store cannot be opened, or an operation is not executed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key is over [`Options::max_key_bytes`](crate::Options::max_key_bytes); nothing was written.
    #[error("key of {len_bytes} bytes is over the limit of {max_bytes}")]
    KeyTooLarge {
        /// The key's length.
        len_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// The value is over [`Options::max_value_bytes`](crate::Options::max_value_bytes); nothing was written.
    #[error("value of {len_bytes} bytes is over the limit of {max_bytes}")]
    ValueTooLarge {
        /// The value's length.
        len_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// The records of one write of several keys exceed what one batch of the log can hold; nothing was written.
    #[error(
        "records of {len_bytes} bytes in one write are over the limit of {max_bytes}; write fewer keys at a time"
    )]
    WriteTooLarge {
        /// Bytes that the records take in the log.
        len_bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The operation that was tried, as a verb: `open`, `sync`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// More keys match than the operation may list.
    #[error("more than {max_keys} keys match; list them in pages, with a scan")]
    TooManyKeys {
        /// The limit.
        max_keys: usize,
    },
    /// The disk is full; nothing was written. Writes resume when there is room.
    #[error(
        "disk full: the log cannot grow; free space on the disk, and writes resume by themselves; reads continue"
    )]
    DiskFull,
    /// The log's file was removed, replaced or truncated; nothing was written. Reads continue, and
    /// [`BatchStore::compact`](crate::batch::BatchStore::compact) writes a new log from memory.
    #[error(
        "log removed: {} {reason}; reads continue; COMPACT (BGREWRITEAOF) writes a new log from memory",
        path.display()
    )]
    LogRemoved {
        /// The log.
        path: PathBuf,
        /// The event, as the end of a sentence: `was truncated`.
        reason: &'static str,
    },
    /// The limit [`Options::max_memory_bytes`](crate::Options::max_memory_bytes) is reached; nothing was written. Deletes still
    /// succeed.
    #[error("the memory limit of {max_bytes} bytes is reached; delete keys or raise the limit")]
    OutOfMemory {
        /// The limit.
        max_bytes: u64,
    },
    /// The value is not a 64-bit integer in decimal digits; nothing was written.
    #[error("value is not an integer or out of range")]
    NotAnInteger,
    /// The sum is not a 64-bit integer; nothing was written.
    #[error("increment or decrement would overflow")]
    Overflow,
    /// The value, or the increment, is not a decimal number; nothing was written.
    #[error("value is not a valid float")]
    NotADecimal,
    /// The sum is beyond the range of 64-bit floating point; nothing was written.
    #[error("increment would produce NaN or Infinity")]
    NotFinite,
    /// The key to rename does not exist; nothing was written.
    #[error("no such key")]
    NoSuchKey,
    /// The function of an update panicked; nothing was written.
    #[error("the update function panicked, nothing was written; see the message of the panic")]
    UpdatePanicked,
    /// An option is out of its range.
    #[error("{0}")]
    InvalidOptions(&'static str),
    /// Another process has the log open.
    #[error("{} is in use by {}; stop it or choose another log", path.display(), holder_name(*holder_pid))]
    Locked {
        /// The log.
        path: PathBuf,
        /// Process id of the holder, if the system reports it.
        holder_pid: Option<u32>,
    },
    /// The file is not a RustVault log; it was left unchanged.
    #[error("{} is not a RustVault log: {reason}; it was left unchanged; choose another file", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
        /// Description of its content.
        reason: &'static str,
    },
    /// A newer version of RustVault wrote the log; it was left unchanged.
    #[error("{} has log format {found}, this version reads formats up to {supported}; use a newer RustVault", path.display())]
    NewerFormat {
        /// The log.
        path: PathBuf,
        /// The log's format version.
        found: u32,
        /// The newest format version that this build reads.
        supported: u32,
    },
    /// The log is damaged in a way that no crash explains; it was left unchanged.
    #[error("{} is corrupt at byte {offset}: {reason}; it was left unchanged; {}", path.display(), way_out(*offset))]
    Corrupted {
        /// The log.
        path: PathBuf,
        /// Offset at which the damage starts, in bytes from the start of the file.
        offset: u64,
        /// Description of the damage.
        reason: String,
    },
    /// The log has failed; the store refuses writes, and the outcome of unconfirmed ones is unknown.
    #[error("the log has failed, and unconfirmed writes may or may not survive a restart: {cause}")]
    Poisoned {
        /// The failure.
        cause: Arc<Error>,
    },
    /// The store was closed; the operation was not executed.
    #[error("the store is closed")]
    Closed,
    /// A defect of the store.
    #[error("internal error, please report it: {0}")]
    Internal(&'static str),
}

impl Error {
    /// Returns whether the reason is the content of the log, and not the system.
    pub const fn is_bad_log(&self) -> bool {
        matches!(self, Self::NotALog { .. } | Self::NewerFormat { .. } | Self::Corrupted { .. })
    }

    /// Returns whether a file operation failed because the disk is full.
    pub(crate) fn is_no_space(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_no_space(source))
    }
}

/// Returns whether the system reports a full disk, an exhausted quota, or a file at its size limit.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn holder_name(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Returns advice on what to do about a log that is damaged at this offset, in bytes.
const fn way_out(offset: u64) -> &'static str {
    match offset {
        0 => {
            "restore a copy: 'rustvault-cli wal repair' cannot help, because nothing behind a damaged beginning can be checked"
        }
        _ => "restore a copy, or run 'rustvault-cli wal repair', which shows what it would cut off and asks",
    }
}
