//! The end of a log: its state when a successor is begun, and the place where a file goes on.

use std::sync::Arc;

use crate::fs::LogFile;
use crate::{LogFormat, Lsn};

/// The state of a log when its successor was begun.
#[derive(Debug, Clone, Copy)]
pub(in crate::wal) struct Mark {
    /// The last record that was written.
    pub(in crate::wal) last_lsn: Lsn,
    pub(in crate::wal) last_timestamp_ms: u64,
    pub(in crate::wal) epoch: u32,
}

/// The place where a log goes on.
pub(in crate::wal) struct LogEnd {
    pub(in crate::wal) file: Arc<dyn LogFile>,
    pub(in crate::wal) format: LogFormat,
    pub(in crate::wal) offset: u64,
    /// End of the zeros that the file holds from `offset` on, in bytes from its start.
    pub(in crate::wal) zeroed_end: u64,
    /// Up to here the file system keeps room for the file.
    pub(in crate::wal) reserved_end: u64,
    /// These are of the binary format alone.
    pub(in crate::wal) crc_seed: u32,
    pub(in crate::wal) previous_crc: u32,
}
