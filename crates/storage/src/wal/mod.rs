//! The write-ahead log: records in checksummed batches, one writer thread, group commit.
//!
//! Nothing here depends on the keyspace: the log appends encoded changes and returns LSNs.

mod format;
mod read;
mod rewrite;
mod write;

pub use format::batch::BatchKind;
pub(crate) use format::batch::{BatchHeader, LSN_STRIDE, MAX_BATCH_PAYLOAD_BYTES};
pub(crate) use format::header::{FILE_HEADER_BYTES, FORMAT_VERSION, FileHeader, HeaderError};
pub(crate) use format::json::{
    decode as decode_line, encode as encode_line, encoded_bytes as line_bytes, max_line_bytes,
};
pub(crate) use format::record::{LoggedChange, LoggedEntry};
pub(crate) use read::json_reader::{JsonEnding, JsonReadError, JsonReader};
pub(crate) use read::pass::{Passed, Visitor, headers_from, pass};
pub(crate) use read::reader::{Cores, Ending, ReadError, Reader};
pub(crate) use read::unit::Logged;
pub(crate) use rewrite::copy::LogCopy;
pub(crate) use rewrite::successor::compacted_overhead_bytes;
pub(crate) use rewrite::swap::{Location, Rewrite};
pub(crate) use write::admission::{Admission, Demand, now_ms};
pub(crate) use write::handle::LogHandle;
pub(crate) use write::log::{Log, LogStart};
pub(crate) use write::space::Growth;
