//! What a server answers.

use std::borrow::Cow;

use nom::{Finish, Parser, character::complete::usize};

use super::field::{Fault, Parsed, expect, syntax, value, word};
use super::line;
use crate::{ErrorCode, Limits, ProtocolError};

/// One line of an answer, generic over how its value is held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply<B> {
    Ok,
    Pong,
    NotFound,
    Value(B),
    /// So many `Value` lines follow.
    List(usize),
    Error {
        code: ErrorCode,
        message: String,
    },
}

impl<B> Reply<B> {
    /// The same line with its value held another way.
    #[inline]
    pub(crate) fn map<C>(self, hold: impl FnOnce(B) -> C) -> Reply<C> {
        match self {
            Self::Ok => Reply::Ok,
            Self::Pong => Reply::Pong,
            Self::NotFound => Reply::NotFound,
            Self::Value(value) => Reply::Value(hold(value)),
            Self::List(items) => Reply::List(items),
            Self::Error { code, message } => Reply::Error { code, message },
        }
    }
}

/// A [`Reply`] that borrows from its line; only a value with escapes is owned.
type BorrowedReply<'a> = Reply<Cow<'a, [u8]>>;

/// What `frame`, a whole line, answers.
#[inline]
pub(crate) fn parse_reply<'a>(frame: &'a [u8], limits: &Limits) -> Result<BorrowedReply<'a>, ProtocolError> {
    const USAGE: &str = "expected OK, PONG, NOT_FOUND, VALUE <value>, LIST <n> or ERROR <CODE> <message>";
    // The items of a list may be keys.
    let max_bytes = limits.max_value_bytes.max(limits.max_key_bytes);
    let parsed = match line::content(frame) {
        b"OK" => return Ok(Reply::Ok),
        b"PONG" => return Ok(Reply::Pong),
        b"NOT_FOUND" => return Ok(Reply::NotFound),
        [b'V', b'A', b'L', b'U', b'E', b' ', rest @ ..] => return value(rest, max_bytes).map(Reply::Value),
        [b'L', b'I', b'S', b'T', b' ', rest @ ..] => expect(usize, USAGE).map(Reply::List).parse(rest),
        [b'E', b'R', b'R', b'O', b'R', b' ', rest @ ..] => error(rest),
        _ => return Err(ProtocolError::Syntax(USAGE)),
    };
    match parsed.finish() {
        Ok(([], reply)) => Ok(reply),
        Ok(_) => Err(ProtocolError::Syntax(USAGE)),
        Err(Fault(error)) => Err(error),
    }
}

/// A code that this version does not know must not cost the connection: the message keeps its name.
fn error(input: &[u8]) -> Parsed<'_, BorrowedReply<'_>> {
    let (rest, name) = word(input);
    if name.is_empty() {
        return Err(syntax("an ERROR answer has no code"));
    }
    let (code, message) = match ErrorCode::from_wire(name) {
        Some(code) => (code, rest.strip_prefix(b" ").unwrap_or_default()),
        None => (ErrorCode::Other, input),
    };
    Ok((&[], Reply::Error { code, message: String::from_utf8_lossy(message).into_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<BorrowedReply<'_>, ProtocolError> {
        parse_reply(line.as_bytes(), &Limits::default())
    }

    #[test]
    fn every_kind_of_line_is_understood() {
        assert_eq!(parse("OK\r\n"), Ok(Reply::Ok));
        assert_eq!(parse("PONG\n"), Ok(Reply::Pong));
        assert_eq!(parse("NOT_FOUND\r\n"), Ok(Reply::NotFound));
        assert_eq!(parse("VALUE carpe diem\r\n"), Ok(Reply::Value(b"carpe diem".into())));
        assert_eq!(parse("VALUE \r\n"), Ok(Reply::Value(b"".into())));
        assert_eq!(parse("LIST 3\r\n"), Ok(Reply::List(3)));
    }

    #[test]
    fn errors_carry_code_and_message() {
        let error = |code, message: &str| Ok(Reply::Error { code, message: message.into() });
        for code in ErrorCode::ALL {
            assert_eq!(parse(&format!("ERROR {code} try  again\r\n")), error(code, "try  again"));
        }
        assert_eq!(parse("ERROR DENIED\r\n"), error(ErrorCode::Denied, ""));
        assert_eq!(parse("ERROR DENIED \r\n"), error(ErrorCode::Denied, ""));
    }

    #[test]
    fn the_code_of_a_newer_server_is_kept_in_the_message() {
        let message = "QUOTA_EXCEEDED delete some keys".into();
        let expected = Reply::Error { code: ErrorCode::Other, message };
        assert_eq!(parse("ERROR QUOTA_EXCEEDED delete some keys\r\n"), Ok(expected));
    }

    #[test]
    fn anything_else_is_refused() {
        let bad = [
            "",
            " OK",
            "ok",
            "OK ",
            "PONG x",
            "VALUE",
            "VALUE \"a",
            "VALUE \"a\" ",
            "LIST",
            "LIST -1",
            "LIST 1 ",
        ];
        let bad_errors = ["ERROR", "ERROR ", "ERROR  x", "LIST 99999999999999999999999", "NOT_FOUNDS"];
        for line in bad.into_iter().chain(bad_errors) {
            assert!(matches!(parse(line), Err(ProtocolError::Syntax(_))), "{line:?}");
        }
    }
}
