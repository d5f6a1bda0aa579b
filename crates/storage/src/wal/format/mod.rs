//! The log's bytes: file header, batches, records, and the same as lines of JSON. Relies on nothing else of the log.

pub(super) mod batch;
pub(super) mod bytes;
pub(super) mod header;
pub(super) mod json;
pub(super) mod record;
