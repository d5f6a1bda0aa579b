//! Typed replies, and how they are read from what the server sent.

use std::io;

use bytes::Bytes;
use rustvault_protocol::{Command, Reply as WireReply};

use crate::error::{Error, ErrorKind};
use crate::request::is_write;

/// Values up to this many bytes are copied out of the read buffer, so that keeping one does not keep the
/// buffer.
const MAX_COPIED_VALUE_BYTES: usize = 4 * 1024;

/// The answer to one command of a [`Pipeline`](crate::Pipeline).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// `SET` and `PING`: done.
    Done,
    /// `GET`: the value, or `None` if there is no such key.
    Value(Option<Bytes>),
    /// `DELETE` and `EXISTS`: whether the key was there.
    Existed(bool),
    /// `COUNT`: the number of keys.
    Count(u64),
    /// `SCAN`: one page of keys.
    Page(ScanPage),
    /// `INFO`: the server's state as names and values, in the server's order.
    Info(Vec<(String, String)>),
}

/// A page of keys, as [`Client::scan`](crate::Client::scan) returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPage {
    /// Cursor of the next page; 0 after the last one.
    pub next_cursor: u64,
    /// The keys, in no order that means anything.
    pub keys: Vec<Bytes>,
}

/// Returns the typed answer to a command; the outer error says that it is never answered like that.
pub(crate) fn read(command: Command, reply: WireReply) -> io::Result<Result<Reply, Error>> {
    let reply = match (command, reply) {
        (_, WireReply::Error(error)) => {
            return Ok(Err(ErrorKind::Server { error, is_write: is_write(command) }.into()));
        }
        (Command::Set | Command::Compact, WireReply::Simple(word)) if word == "OK" => Reply::Done,
        (Command::Ping, WireReply::Simple(word)) if word == "PONG" => Reply::Done,
        (Command::Get, WireReply::Bulk(value)) => Reply::Value(Some(detach(value))),
        (Command::Get, WireReply::Null) => Reply::Value(None),
        (Command::Delete | Command::TextExists, WireReply::Simple(word)) if word == "OK" => {
            Reply::Existed(true)
        }
        (Command::Delete | Command::TextExists, WireReply::Null) => Reply::Existed(false),
        (Command::DbSize, WireReply::Bulk(count)) => Reply::Count(number(&count)?),
        (Command::TextScan, WireReply::Array(items)) => Reply::Page(page(all_there(items)?)?),
        (Command::TextInfo, WireReply::Array(lines)) => {
            let lines = all_there(lines)?;
            Reply::Info(lines.iter().map(|line| name_and_value(line)).collect::<io::Result<_>>()?)
        }
        (command, reply) => {
            return Err(unexpected(format!("{} answered with {}", command.name(), name(&reply))));
        }
    };
    Ok(Ok(reply))
}

pub(crate) fn unexpected(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Returns the first word of a reply as it stands on the wire.
pub(crate) fn name(reply: &WireReply) -> &str {
    match reply {
        WireReply::Simple(word) => word,
        WireReply::Null => "NOT_FOUND",
        WireReply::Array(_) => "LIST",
        WireReply::Error(_) => "ERROR",
        // The text protocol has no other.
        _ => "VALUE",
    }
}

fn detach(value: Bytes) -> Bytes {
    if value.len() <= MAX_COPIED_VALUE_BYTES { Bytes::copy_from_slice(&value) } else { value }
}

fn number(bytes: &[u8]) -> io::Result<u64> {
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| unexpected(format!("'{}' where a number is due", bytes.escape_ascii())))
}

fn all_there(items: Vec<WireReply>) -> io::Result<Vec<Bytes>> {
    let value = |item| match item {
        WireReply::Bulk(value) => Ok(value),
        _ => Err(unexpected("NOT_FOUND in a list of what is there".into())),
    };
    items.into_iter().map(value).collect()
}

fn page(items: Vec<Bytes>) -> io::Result<ScanPage> {
    let mut items = items.into_iter();
    let cursor = items.next().ok_or_else(|| unexpected("SCAN answered without a cursor".into()))?;
    Ok(ScanPage { next_cursor: number(&cursor)?, keys: items.map(detach).collect() })
}

fn name_and_value(line: &[u8]) -> io::Result<(String, String)> {
    let line = String::from_utf8_lossy(line);
    let (name, value) = line
        .split_once('=')
        .ok_or_else(|| unexpected(format!("INFO answered with '{}'", line.escape_debug())))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_of_another_command_is_unexpected() {
        let value = |text: &'static str| WireReply::Bulk(Bytes::from(text));
        for (command, reply) in [
            (Command::Get, WireReply::OK),
            (Command::Set, value("v")),
            (Command::Delete, WireReply::simple("PONG")),
            (Command::Ping, WireReply::OK),
            (Command::DbSize, value("v")),
            (Command::TextScan, WireReply::Array(vec![])),
            (Command::TextScan, WireReply::Array(vec![value("0"), WireReply::Null])),
            (Command::TextInfo, WireReply::Array(vec![value("no equals sign")])),
            (Command::Compact, WireReply::Null),
        ] {
            assert!(read(command, reply).is_err(), "{command:?}");
        }
    }

    #[test]
    fn small_value_does_not_keep_the_read_buffer() {
        let buffer = Bytes::from(vec![b'v'; 64 * 1024]);
        let Ok(Ok(Reply::Value(Some(value)))) = read(Command::Get, WireReply::Bulk(buffer.slice(..10)))
        else {
            panic!("a value is what GET is answered with");
        };
        assert!(buffer.is_unique());
        assert_eq!(value, vec![b'v'; 10]);
    }
}
