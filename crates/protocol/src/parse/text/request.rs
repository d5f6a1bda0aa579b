//! What a client sends.

use std::borrow::Cow;

use nom::character::complete::{char, u32, u64};
use nom::{Finish, Parser, sequence::terminated};

use super::field::{Fault, Parsed, argument, expect, key, refuse, syntax, value, word};
use super::line;
use crate::limits::{DEFAULT_SCAN_LIMIT, MAX_SCAN_LIMIT};
use crate::{Command, Limits, ProtocolError, Request};

/// The longest verb is shorter, so whatever does not fit is unknown.
const VERB_BUFFER_BYTES: usize = 8;

/// How much of an unknown verb its error shows.
const SHOWN_VERB_BYTES: usize = 32;

/// Every verb, in upper case.
pub(super) const VERBS: [&[u8]; 10] =
    [b"SET", b"GET", b"DELETE", b"EXISTS", b"COUNT", b"SCAN", b"PING", b"INFO", b"COMPACT", b"QUIT"];

const LIMIT_RANGE: &str = "LIMIT needs a number from 1 to 10000";

/// What `frame`, a whole line, asks for.
pub(crate) fn parse_request<'a>(frame: &'a [u8], limits: &Limits) -> Result<Request<'a>, ProtocolError> {
    let (rest, verb) = word(line::content(frame));
    let mut buffer = [0; VERB_BUFFER_BYTES];
    let Some(known) = buffer.get_mut(..verb.len()) else { return Err(unknown(verb)) };
    known.copy_from_slice(verb);
    known.make_ascii_uppercase();

    let max_key_bytes = limits.max_key_bytes;
    let one_key = |usage| argument(key(max_key_bytes), usage);
    let (usage, parsed) = match &*known {
        b"SET" => (SET_USAGE, set(rest, limits)),
        b"GET" => (GET_USAGE, one_key(GET_USAGE).map(|key| Command::Get { key }).parse(rest)),
        b"DELETE" => (DELETE_USAGE, one_key(DELETE_USAGE).map(|key| Command::Delete { key }).parse(rest)),
        b"EXISTS" => (EXISTS_USAGE, one_key(EXISTS_USAGE).map(|key| Command::Exists { key }).parse(rest)),
        b"SCAN" => (SCAN_USAGE, scan(rest, limits)),
        b"COUNT" => ("COUNT takes no arguments", Ok((rest, Command::Count))),
        b"PING" => ("PING takes no arguments", Ok((rest, Command::Ping))),
        b"INFO" => ("INFO takes no arguments", Ok((rest, Command::Info))),
        b"COMPACT" => ("COMPACT takes no arguments", Ok((rest, Command::Compact))),
        b"QUIT" => ("QUIT takes no arguments", Ok((rest, Command::Quit))),
        b"" => return Err(ProtocolError::Syntax("a line must start with a command, such as PING")),
        _ => return Err(unknown(verb)),
    };
    match parsed.finish() {
        Ok(([], request)) => Ok(request),
        Ok(_) => Err(ProtocolError::Syntax(usage)),
        Err(Fault(error)) => Err(error),
    }
}

const SET_USAGE: &str = "usage: SET <key> <value>";
const GET_USAGE: &str = "usage: GET <key>; a key that holds a space must be quoted";
const DELETE_USAGE: &str = "usage: DELETE <key>; a key that holds a space must be quoted";
const EXISTS_USAGE: &str = "usage: EXISTS <key>; a key that holds a space must be quoted";
const SCAN_USAGE: &str = "usage: SCAN <cursor> [PREFIX <prefix>] [LIMIT <n>]";

fn set<'a>(rest: &'a [u8], limits: &Limits) -> Parsed<'a, Request<'a>> {
    let key = argument(key(limits.max_key_bytes), SET_USAGE);
    let (rest, key) = terminated(key, expect(char(' '), SET_USAGE)).parse(rest)?;
    let value = value(rest, limits.max_value_bytes).map_err(refuse)?;
    Ok((&[], Command::Set { key, value }))
}

fn scan<'a>(rest: &'a [u8], limits: &Limits) -> Parsed<'a, Request<'a>> {
    let (mut rest, cursor) = argument(expect(u64, SCAN_USAGE), SCAN_USAGE).parse(rest)?;
    let (mut prefix, mut limit) = (None, None);
    while let Some(options) = rest.strip_prefix(b" ") {
        let (after, option) = word(options);
        if option.eq_ignore_ascii_case(b"PREFIX") && prefix.is_none() {
            let (after, given) = argument(key(limits.max_key_bytes), SCAN_USAGE).parse(after)?;
            (rest, prefix) = (after, Some(given));
        } else if option.eq_ignore_ascii_case(b"LIMIT") && limit.is_none() {
            let (after, given) = argument(scan_limit, LIMIT_RANGE).parse(after)?;
            (rest, limit) = (after, Some(given));
        } else {
            return Err(syntax(SCAN_USAGE));
        }
    }
    let prefix = prefix.unwrap_or(Cow::Borrowed(&[]));
    Ok((rest, Command::Scan { cursor, prefix, limit: limit.unwrap_or(DEFAULT_SCAN_LIMIT) }))
}

fn scan_limit(input: &[u8]) -> Parsed<'_, u32> {
    let (rest, limit) = expect(u32, LIMIT_RANGE).parse(input)?;
    if !(1..=MAX_SCAN_LIMIT).contains(&limit) {
        return Err(syntax(LIMIT_RANGE));
    }
    Ok((rest, limit))
}

/// The verb goes into an answer and into logs: short, and printable whatever it was.
fn unknown(verb: &[u8]) -> ProtocolError {
    ProtocolError::UnknownCommand(shown(verb))
}

pub(super) fn shown(verb: &[u8]) -> String {
    verb.escape_ascii().take(SHOWN_VERB_BYTES).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_key_bytes: 8, max_value_bytes: 16 };

    fn parse(line: &str) -> Result<Request<'_>, ProtocolError> {
        parse_request(line.as_bytes(), &LIMITS)
    }

    fn set<'a>(key: &'a str, value: &'a [u8]) -> Result<Request<'a>, ProtocolError> {
        Ok(Command::Set { key: key.as_bytes().into(), value: value.into() })
    }

    fn scan(cursor: u64, prefix: &str, limit: u32) -> Result<Request<'_>, ProtocolError> {
        Ok(Command::Scan { cursor, prefix: prefix.as_bytes().into(), limit })
    }

    #[test]
    fn every_command_is_understood_in_any_case_and_with_either_line_end() {
        for end in ["\n", "\r\n"] {
            let key = || b"k".into();
            assert_eq!(parse(&format!("sEt k v{end}")), set("k", b"v"));
            assert_eq!(parse(&format!("GET k{end}")), Ok(Command::Get { key: key() }));
            assert_eq!(parse(&format!("delete k{end}")), Ok(Command::Delete { key: key() }));
            assert_eq!(parse(&format!("Exists k{end}")), Ok(Command::Exists { key: key() }));
            assert_eq!(parse(&format!("count{end}")), Ok(Command::Count));
            assert_eq!(parse(&format!("scan 0{end}")), scan(0, "", DEFAULT_SCAN_LIMIT));
            assert_eq!(parse(&format!("ping{end}")), Ok(Command::Ping));
            assert_eq!(parse(&format!("info{end}")), Ok(Command::Info));
            assert_eq!(parse(&format!("Compact{end}")), Ok(Command::Compact));
            assert_eq!(parse(&format!("quit{end}")), Ok(Command::Quit));
        }
    }

    #[test]
    fn a_value_is_the_rest_of_the_line_byte_for_byte() {
        assert_eq!(parse("SET k carpe diem\r\n"), set("k", b"carpe diem"));
        assert_eq!(parse("SET k  v \r\n"), set("k", b" v "));
        assert_eq!(parse("SET k \r\n"), set("k", b""));
        assert_eq!(parse("SET k a\"b\\n\0\r\r\n"), set("k", b"a\"b\\n\0\r"));
        assert_eq!(parse("SET a\"b v\n"), set("a\"b", b"v"));
    }

    #[test]
    fn quoted_fields_are_unescaped() {
        assert_eq!(parse(r#"SET "a b" "c d""#), set("a b", b"c d"));
        assert_eq!(parse(r#"SET "" """#), set("", b""));
        assert_eq!(parse(r#"SET k "\"\\\r\n\t\x00\xfF.""#), set("k", b"\"\\\r\n\t\0\xff."));
    }

    #[test]
    fn only_escapes_are_copied() {
        let Ok(Command::Set { key, value }) = parse(r#"SET "a b" "a\nb""#) else { panic!() };
        assert!(matches!(key, Cow::Borrowed(_)));
        assert!(matches!(value, Cow::Owned(bytes) if bytes.capacity() == 3));
    }

    #[test]
    fn scan_takes_its_options_in_either_order_each_once() {
        assert_eq!(parse("SCAN 18446744073709551615"), scan(u64::MAX, "", 100));
        assert_eq!(parse("SCAN 1 PREFIX us LIMIT 10000"), scan(1, "us", 10_000));
        assert_eq!(parse(r#"SCAN 1 limit 1 prefix "u s""#), scan(1, "u s", 1));
        assert_eq!(parse(r#"SCAN 1 PREFIX """#), scan(1, "", 100));
        assert_eq!(parse("SCAN 1 PREFIX LIMIT"), scan(1, "LIMIT", 100));
        for bad in [
            "SCAN",
            "SCAN ",
            "SCAN x",
            "SCAN -1",
            "SCAN +1",
            "SCAN 1x",
            "SCAN 18446744073709551616",
            "SCAN 1 ",
            "SCAN 1  LIMIT 5",
            "SCAN 1 user",
            "SCAN 1 PREFIX",
            "SCAN 1 PREFIX a PREFIX b",
            "SCAN 1 LIMIT 1 LIMIT 1",
            "SCAN 1 LIMIT 5x",
            "SCAN 1 PREFIX a b",
        ] {
            assert_eq!(parse(bad), Err(ProtocolError::Syntax(SCAN_USAGE)), "{bad}");
        }
    }

    #[test]
    fn a_limit_out_of_range_is_told_the_range() {
        assert!(LIMIT_RANGE.ends_with(&format!("1 to {MAX_SCAN_LIMIT}")));
        for bad in ["", " ", " 0", " 10001", " x", " 99999999999"] {
            assert_eq!(
                parse(&format!("SCAN 0 LIMIT{bad}")),
                Err(ProtocolError::Syntax(LIMIT_RANGE)),
                "{bad}"
            );
        }
    }

    #[test]
    fn malformed_lines_are_syntax_errors() {
        for bad in [
            "",
            "\n",
            "\r\n",
            " ",
            " PING",
            "PING ",
            "PING x",
            "COUNT 1",
            "INFO all",
            "COMPACT now",
            "QUIT now",
            "GET",
            "GET ",
            "GET  k",
            "GET k ",
            "GET a b",
            "DELETE a b",
            "EXISTS",
            "SET",
            "SET ",
            "SET k",
            "SET  v",
            r#"SET "k"v"#,
            r#"SET "k"#,
            r#"SET "k" "v"#,
            r#"SET "k" "v" "#,
            r#"SET "k" "v"w"#,
            r#"GET "k" "#,
            r#"GET ""#,
            r#"GET "\"#,
            r#"GET "\q""#,
            r#"GET "\x1""#,
            r#"GET "\xg0""#,
            r#"GET "\R""#,
        ] {
            assert!(matches!(parse(bad), Err(ProtocolError::Syntax(_))), "{bad:?}");
        }
    }

    #[test]
    fn what_follows_a_closing_quote_is_named_as_the_mistake() {
        for bad in [r#"GET "k"v"#, r#"SET k "v"w"#, r#"SET k "v" w"#, r#"SCAN 0 PREFIX "k"LIMIT 1"#] {
            let message = parse(bad).unwrap_err().to_string();
            assert!(message.contains("closing quote"), "{bad}: {message}");
        }
    }

    #[test]
    fn limits_hold_for_decoded_bytes() {
        assert!(parse(r#"GET "\x00\x00\x00\x00\x00\x00\x00\x00""#).is_ok());
        let key_error = Err(ProtocolError::KeyTooLarge { len_bytes: 9, max_bytes: 8 });
        assert_eq!(parse("GET 123456789"), key_error);
        assert_eq!(parse("SCAN 0 PREFIX 123456789"), key_error);
        assert_eq!(parse(r#"SET "12345678\n" v"#), key_error);

        assert!(parse("SET k 0123456789abcdef").is_ok());
        let value_error = Err(ProtocolError::ValueTooLarge { len_bytes: 17, max_bytes: 16 });
        assert_eq!(parse("SET k 0123456789abcdefg"), value_error);
        assert_eq!(parse(r#"SET k "0123456789abcde\n\x00""#), value_error);
    }

    #[test]
    fn an_unknown_verb_is_shown_short_and_printable() {
        let shown = |line: &[u8]| match parse_request(line, &LIMITS) {
            Err(ProtocolError::UnknownCommand(shown)) => shown,
            other => panic!("{other:?}"),
        };
        assert_eq!(shown(b"PUT k v"), "PUT");
        assert_eq!(shown(b"GETS k"), "GETS");
        assert_eq!(shown(b"\x00\xff\r\x1b[2J\r\n"), r"\x00\xff\r\x1b[2J");
        assert_eq!(shown(&[b'A'; 1000]), "A".repeat(SHOWN_VERB_BYTES));
    }
}
