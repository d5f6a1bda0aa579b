//! What a server answers.

use std::borrow::Cow;

use nom::{Finish, Parser, character::complete::usize};

use super::field::{Fault, Parsed, argument, expect, syntax, value, word};
use super::line;
use crate::{ErrorCode, Limits, ProtocolError};

/// One line of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    Ok,
    Pong,
    NotFound,
    Value(Cow<'a, [u8]>),
    /// So many `Value` lines follow.
    List(usize),
    Error {
        code: ErrorCode,
        message: String,
    },
}

/// What `frame`, a whole line, answers.
pub(crate) fn parse_reply<'a>(frame: &'a [u8], limits: &Limits) -> Result<Reply<'a>, ProtocolError> {
    const USAGE: &str = "expected OK, PONG, NOT_FOUND, VALUE <value>, LIST <n> or ERROR <CODE> <message>";
    let (rest, kind) = word(line::content(frame));
    // The items of a list may be keys.
    let max_bytes = limits.max_value_bytes.max(limits.max_key_bytes);
    let parsed = match kind {
        b"OK" => Ok((rest, Reply::Ok)),
        b"PONG" => Ok((rest, Reply::Pong)),
        b"NOT_FOUND" => Ok((rest, Reply::NotFound)),
        b"VALUE" => argument(value(max_bytes), USAGE).map(Reply::Value).parse(rest),
        b"LIST" => argument(expect(usize, USAGE), USAGE).map(Reply::List).parse(rest),
        b"ERROR" => argument(error, USAGE).parse(rest),
        _ => return Err(ProtocolError::Syntax(USAGE)),
    };
    match parsed.finish() {
        Ok(([], reply)) => Ok(reply),
        Ok(_) => Err(ProtocolError::Syntax(USAGE)),
        Err(Fault(error)) => Err(error),
    }
}

/// A code that this version does not know must not cost the connection: the message keeps its name.
fn error(input: &[u8]) -> Parsed<'_, Reply<'_>> {
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

    fn parse(line: &str) -> Result<Reply<'_>, ProtocolError> {
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
