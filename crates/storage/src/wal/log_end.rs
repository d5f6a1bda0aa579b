//! The end of a log: its state when a successor is begun, and the place where a file goes on.

use std::sync::Arc;

use crate::fs::LogFile;
use crate::{LogFormat, Lsn};

/// The state of a log when its successor was begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// The last record that was written.
    pub(super) last_lsn: Lsn,
    pub(super) last_timestamp_ms: u64,
    pub(super) epoch: u32,
}

/// The place where a log goes on.
pub(super) struct LogEnd {
    pub(super) file: Arc<dyn LogFile>,
    pub(super) format: LogFormat,
    pub(super) offset: u64,
    /// From `offset` to here the file holds zeros.
    pub(super) zeroed_end: u64,
    /// Up to here the file system keeps room for the file.
    pub(super) reserved_end: u64,
    /// These are of the binary format alone.
    pub(super) crc_seed: u32,
    pub(super) previous_crc: u32,
}
