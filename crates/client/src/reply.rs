use std::io;

use bytes::Bytes;
use rustvault_protocol::Response;

use crate::error::{Error, ErrorKind};

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

/// One page of keys, as [`Client::scan`](crate::Client::scan) returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanPage {
    /// Where the next page starts; 0 after the last one.
    pub next_cursor: u64,
    /// The keys, in no order that means anything.
    pub keys: Vec<Bytes>,
}

/// What was asked, which decides what may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Set,
    Get,
    Delete,
    Exists,
    Count,
    Scan,
    Ping,
    Info,
    Compact,
}

impl Kind {
    pub(crate) const fn is_write(self) -> bool {
        matches!(self, Self::Set | Self::Delete)
    }

    /// The typed answer; the outer error says that this command is never answered like that.
    pub(crate) fn read(self, response: Response) -> io::Result<Result<Reply, Error>> {
        let reply = match (self, response) {
            (_, Response::Error { code, message }) => {
                return Ok(Err(ErrorKind::Server { code, message, is_write: self.is_write() }.into()));
            }
            (Self::Set | Self::Compact, Response::Ok) | (Self::Ping, Response::Pong) => Reply::Done,
            (Self::Get, Response::Value(value)) => Reply::Value(Some(detach(value))),
            (Self::Get, Response::NotFound) => Reply::Value(None),
            (Self::Delete | Self::Exists, Response::Ok) => Reply::Existed(true),
            (Self::Delete | Self::Exists, Response::NotFound) => Reply::Existed(false),
            (Self::Count, Response::Value(count)) => Reply::Count(number(&count)?),
            (Self::Scan, Response::List(items)) => Reply::Page(page(all_there(items)?)?),
            (Self::Info, Response::List(lines)) => {
                let lines = all_there(lines)?;
                Reply::Info(lines.iter().map(|line| name_and_value(line)).collect::<io::Result<_>>()?)
            }
            (kind, response) => {
                return Err(unexpected(format!("{kind:?} answered with {}", name(&response))));
            }
        };
        Ok(Ok(reply))
    }
}

pub(crate) fn unexpected(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The first word of a response as it stands on the wire.
pub(crate) fn name(response: &Response) -> &'static str {
    match response {
        Response::Ok => "OK",
        Response::Pong => "PONG",
        Response::NotFound => "NOT_FOUND",
        Response::Value(_) => "VALUE",
        Response::List(_) => "LIST",
        Response::Error { .. } => "ERROR",
        _ => "a response of a later version",
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

fn all_there(items: Vec<Option<Bytes>>) -> io::Result<Vec<Bytes>> {
    let all: Option<Vec<_>> = items.into_iter().collect();
    all.ok_or_else(|| unexpected("NOT_FOUND in a list of what is there".into()))
}

fn page(items: Vec<Bytes>) -> io::Result<ScanPage> {
    let mut items = items.into_iter();
    let cursor = items.next().ok_or_else(|| unexpected("Scan answered without a cursor".into()))?;
    Ok(ScanPage { next_cursor: number(&cursor)?, keys: items.map(detach).collect() })
}

fn name_and_value(line: &[u8]) -> io::Result<(String, String)> {
    let line = String::from_utf8_lossy(line);
    let (name, value) = line
        .split_once('=')
        .ok_or_else(|| unexpected(format!("Info answered with '{}'", line.escape_debug())))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_of_another_command_is_unexpected() {
        let value = || Response::Value(Bytes::from_static(b"v"));
        for (kind, response) in [
            (Kind::Get, Response::Ok),
            (Kind::Set, value()),
            (Kind::Delete, Response::Pong),
            (Kind::Ping, Response::Ok),
            (Kind::Count, value()),
            (Kind::Scan, Response::List(vec![])),
            (Kind::Scan, Response::List(vec![Some(Bytes::from_static(b"0")), None])),
            (Kind::Info, Response::List(vec![Some(Bytes::from_static(b"no equals sign"))])),
            (Kind::Compact, Response::NotFound),
        ] {
            assert!(kind.read(response).is_err(), "{kind:?}");
        }
    }

    #[test]
    fn small_value_does_not_keep_the_read_buffer() {
        let buffer = Bytes::from(vec![b'v'; 64 * 1024]);
        let Ok(Ok(Reply::Value(Some(value)))) = Kind::Get.read(Response::Value(buffer.slice(..10))) else {
            panic!("a value is what GET is answered with");
        };
        assert!(buffer.is_unique());
        assert_eq!(value, vec![b'v'; 10]);
    }
}
