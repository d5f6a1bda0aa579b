//! The text protocol: a frame is a line.

mod field;
mod guard;
mod line;
mod reply;
mod request;

pub(crate) use guard::{Guard, is_word_of_http};
pub(crate) use line::LineReader;
pub(crate) use reply::{Reply, parse_reply};
pub(crate) use request::parse_request;
