//! Parser of a server's answers, line by line.

use std::borrow::Cow;

use nom::{Finish, Parser, character::complete::usize};

use super::field::{LineResult, SyntaxError, bare_rest, expect, field, refuse, word};
use super::line;
use crate::{ErrorCode, Reply};

/// A line of an answer. It borrows from the read buffer; only a value with escapes is owned.
#[derive(Debug, PartialEq)]
pub(crate) enum ReplyLine<'a> {
    Value(Cow<'a, [u8]>),
    /// So many `Value` lines follow.
    List(usize),
    /// A whole answer without a value.
    Other(Reply),
}

/// Parses a whole line; the error is what was expected.
#[inline]
pub(crate) fn parse_line(line: &[u8]) -> Result<ReplyLine<'_>, &'static str> {
    const USAGE: &str = "expected OK, PONG, NOT_FOUND, VALUE <value>, LIST <n> or ERROR <CODE> <message>";
    let parsed = match line::content(line) {
        b"OK" => return Ok(ReplyLine::Other(Reply::OK)),
        b"PONG" => return Ok(ReplyLine::Other(Reply::simple("PONG"))),
        b"NOT_FOUND" => return Ok(ReplyLine::Other(Reply::Null)),
        [b'V', b'A', b'L', b'U', b'E', b' ', rest @ ..] => match bare_rest(rest) {
            Some(value) => return Ok(ReplyLine::Value(value)),
            None => field(rest).map(|(rest, value)| (rest, ReplyLine::Value(value))),
        },
        [b'L', b'I', b'S', b'T', b' ', rest @ ..] => expect(usize, USAGE).map(ReplyLine::List).parse(rest),
        [b'E', b'R', b'R', b'O', b'R', b' ', rest @ ..] => error(rest),
        _ => return Err(USAGE),
    };
    match parsed.finish() {
        Ok(([], line)) => Ok(line),
        Ok(_) => Err(USAGE),
        Err(SyntaxError(message)) => Err(message),
    }
}

/// A code that this version does not know must not cost the connection: the message keeps its name.
fn error(input: &[u8]) -> LineResult<'_, ReplyLine<'_>> {
    let (rest, name) = word(input);
    if name.is_empty() {
        return Err(refuse("an ERROR answer has no code"));
    }
    let (code, message) = match ErrorCode::from_wire(name) {
        Some(code) => (code, rest.strip_prefix(b" ").unwrap_or_default()),
        None => (ErrorCode::Other, input),
    };
    Ok((&[], ReplyLine::Other(Reply::error(code, String::from_utf8_lossy(message)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<ReplyLine<'_>, &'static str> {
        parse_line(line.as_bytes())
    }

    #[test]
    fn every_kind_of_line_is_understood() {
        assert_eq!(parse("OK\r\n"), Ok(ReplyLine::Other(Reply::OK)));
        assert_eq!(parse("PONG\n"), Ok(ReplyLine::Other(Reply::simple("PONG"))));
        assert_eq!(parse("NOT_FOUND\r\n"), Ok(ReplyLine::Other(Reply::Null)));
        assert_eq!(parse("VALUE carpe diem\r\n"), Ok(ReplyLine::Value(b"carpe diem".into())));
        assert_eq!(parse("VALUE \r\n"), Ok(ReplyLine::Value(b"".into())));
        assert_eq!(parse("LIST 3\r\n"), Ok(ReplyLine::List(3)));
    }

    #[test]
    fn errors_carry_code_and_message() {
        let error = |code, message: &str| Ok(ReplyLine::Other(Reply::error(code, message)));
        for code in ErrorCode::ALL {
            assert_eq!(parse(&format!("ERROR {code} try  again\r\n")), error(code, "try  again"));
        }
        assert_eq!(parse("ERROR DENIED\r\n"), error(ErrorCode::Denied, ""));
        assert_eq!(parse("ERROR DENIED \r\n"), error(ErrorCode::Denied, ""));
    }

    #[test]
    fn the_code_of_a_newer_server_is_kept_in_the_message() {
        let error = Reply::error(ErrorCode::Other, "QUOTA_EXCEEDED delete some keys");
        let line = parse("ERROR QUOTA_EXCEEDED delete some keys\r\n");
        assert_eq!(line, Ok(ReplyLine::Other(error)));
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
            assert!(parse(line).is_err(), "{line:?}");
        }
    }
}
