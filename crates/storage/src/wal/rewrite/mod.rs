//! Making the next log: beside the one in use, which it takes over from, or beside one that nobody writes. Relies on
//! `format` and `write`, and may use `read`; no other folder of the log knows it.

pub(super) mod copy;
mod file_writer;
mod source;
pub(super) mod successor;
pub(super) mod swap;
