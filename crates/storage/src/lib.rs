//! The store of RustVault: a keyspace in memory that a write-ahead log makes durable.
#![doc = include_str!("../README.md")]
// They panic when nobody reads.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod batch;
mod blocking;
mod compaction;
mod cores;
mod demand;
mod durable;
mod error;
mod execute;
pub mod fs;
mod inherent;
mod iter;
mod keyspace;
mod memory;
mod octave_histogram;
pub mod offline;
mod op;
mod options;
mod random;
mod recovery;
mod stats;
mod store;
mod sync;
mod wal;

#[cfg(feature = "shuttle")]
pub use sync::pass_time;

pub use blocking::{Blocking, BlockingEntries, BlockingKeys};
pub use durable::DurableStore;
pub use error::Error;
pub use iter::{Entries, Keys};
pub use keyspace::{Key, Value};
pub use memory::MemoryStore;
pub use octave_histogram::OctaveHistogram;
pub use op::Change;
pub use options::{
    DEFAULT_COMPACT_MIN_BYTES, DEFAULT_COMPACT_RATIO, DEFAULT_MAX_KEY_BYTES, DEFAULT_MAX_VALUE_BYTES,
    LogFormat, Options, ParseSyncPolicyError, SyncPolicy,
};
pub use recovery::{RecoveryPhase, RecoveryProgress, RecoveryReport};
pub use stats::{CommitLatency, LatencySummary, Stats, SyncPeak};
pub use store::{KeyPage, Lsn, Store};
