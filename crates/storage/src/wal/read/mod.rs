//! Reading a log: on all cores or in order, binary or lines, and telling a torn tail from corruption. Relies on `format`
//! alone, and changes no file.

pub(super) mod json_reader;
mod judge;
pub(super) mod pass;
mod place;
pub(super) mod reader;
mod scanner;
pub(super) mod unit;
