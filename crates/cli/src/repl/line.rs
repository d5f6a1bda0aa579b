//! One line of a session: a command in the words of the text protocol, or one of the session's own.

use std::borrow::Cow;

use bytes::Bytes;
use rustvault_protocol::{Command, Request, RequestParser, Step};

use crate::commands::{Action, LIMITS};
use crate::error::CliError;

/// The words that a line may begin with, for completion.
pub(super) const VERBS: [&str; 12] =
    ["compact", "count", "delete", "exists", "exit", "get", "help", "info", "ping", "quit", "scan", "set"];

const SCAN_USAGE: &str = "usage: scan [--prefix P] [--limit N]";

/// One line of a session, parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Action(Action),
    Help,
    Quit,
    /// An empty line or a comment.
    Nothing,
}

/// Parses a line, with or without its line end.
///
/// # Errors
/// [`CliError::Usage`] for a line that is no command.
pub(super) fn parse(line: &[u8]) -> Result<Line, CliError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(Line::Nothing);
    }
    let (word, rest) = split_word(line);
    let verb = String::from_utf8_lossy(word).to_ascii_lowercase();
    let action = match verb.as_str() {
        "help" => return Ok(Line::Help),
        "quit" | "exit" => return Ok(Line::Quit),
        "scan" => parse_scan(rest)?,
        // Only a value may end in spaces.
        "set" => parse_request(line)?,
        verb if VERBS.contains(&verb) => parse_request(line.trim_ascii_end())?,
        verb => {
            return Err(usage(format!(
                "unknown command '{}'; type help for the commands",
                verb.escape_debug()
            )));
        }
    };
    Ok(Line::Action(action))
}

/// Keys and values are as in the text protocol, so its parser reads them.
fn parse_request(line: &[u8]) -> Result<Action, CliError> {
    let mut frame = Vec::with_capacity(line.len() + 1);
    frame.extend_from_slice(line);
    frame.push(b'\n');
    match RequestParser::new(LIMITS).next(&frame) {
        Step::Request { request: Ok(request), .. } => action_of(request),
        Step::Request { request: Err(error), .. } => Err(usage(error.to_string())),
        Step::Skip { .. } | Step::Incomplete => Err(usage("not a command".to_owned())),
    }
}

fn action_of(request: Request<'_>) -> Result<Action, CliError> {
    Ok(match request {
        Command::Set { key, value } => Action::Set { key: owned(key), value: owned(value) },
        Command::Get { key } => Action::Get { key: owned(key), raw: false },
        Command::Delete { key } => Action::Delete { key: owned(key) },
        Command::Exists { key } => Action::Exists { key: owned(key) },
        Command::Scan { prefix, .. } => Action::Scan { prefix: owned(prefix), limit: None },
        Command::Count => Action::Count,
        Command::Ping => Action::Ping,
        Command::Info => Action::Info,
        Command::Compact => Action::Compact,
        _ => return Err(usage("not a command of this program".to_owned())),
    })
}

fn parse_scan(options: &[u8]) -> Result<Action, CliError> {
    let (mut prefix, mut limit) = (Bytes::new(), None);
    let mut rest = options.trim_ascii();
    while !rest.is_empty() {
        let (name, after) = split_word(rest);
        let (field, after) = split_field(after.trim_ascii_start());
        match name {
            b"--prefix" if !field.is_empty() => prefix = unquote(field)?,
            b"--limit" => limit = Some(parse_number(field)?),
            _ => return Err(usage(SCAN_USAGE.to_owned())),
        }
        rest = after.trim_ascii_start();
    }
    Ok(Action::Scan { prefix, limit })
}

fn parse_number(field: &[u8]) -> Result<u64, CliError> {
    let number = std::str::from_utf8(field).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| usage(SCAN_USAGE.to_owned()))
}

fn unquote(field: &[u8]) -> Result<Bytes, CliError> {
    match parse_request(&[b"SCAN 0 PREFIX ", field].concat())? {
        Action::Scan { prefix, .. } => Ok(prefix),
        _ => Err(usage(SCAN_USAGE.to_owned())),
    }
}

pub(super) fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|&byte| byte == b' ').unwrap_or(text.len());
    text.split_at(end)
}

/// Splits off a field, a quoted one with its quotes.
pub(super) fn split_field(text: &[u8]) -> (&[u8], &[u8]) {
    if !text.starts_with(b"\"") {
        return split_word(text);
    }
    let mut escaped = false;
    let closing = text.iter().skip(1).position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    text.split_at(closing.map_or(text.len(), |index| index + 2))
}

fn owned(bytes: Cow<'_, [u8]>) -> Bytes {
    Bytes::from(bytes.into_owned())
}

fn usage(message: String) -> CliError {
    CliError::Usage(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(line: &str) -> Action {
        match parse(line.as_bytes()) {
            Ok(Line::Action(action)) => action,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    fn set(key: &'static [u8], value: &'static [u8]) -> Action {
        Action::Set { key: Bytes::from_static(key), value: Bytes::from_static(value) }
    }

    fn scan(prefix: &'static str, limit: Option<u64>) -> Action {
        Action::Scan { prefix: prefix.into(), limit }
    }

    #[test]
    fn value_is_the_rest_of_the_line() {
        assert_eq!(action("set motto carpe  diem "), set(b"motto", b"carpe  diem "));
        assert_eq!(action("SET k v\r\n"), set(b"k", b"v"));
        assert_eq!(action("set n -5"), set(b"n", b"-5"));
    }

    #[test]
    fn quotes_are_those_of_the_protocol() {
        assert_eq!(action(r#"set "two words" "a\n\x00\"""#), set(b"two words", b"a\n\x00\""));
        assert_eq!(action(r#"scan --prefix "a \" b" --limit 5"#), scan("a \" b", Some(5)));
    }

    #[test]
    fn commands_are_case_insensitive_and_spaces_around_them_do_not_matter() {
        assert_eq!(action("  Count  "), Action::Count);
        assert_eq!(action("COMPACT"), Action::Compact);
        assert_eq!(action("get k \r\n"), Action::Get { key: "k".into(), raw: false });
        assert_eq!(parse(b"QUIT").ok(), Some(Line::Quit));
        assert_eq!(parse(b"exit\n").ok(), Some(Line::Quit));
    }

    #[test]
    fn scan_options_come_in_any_order() {
        assert_eq!(action("scan"), scan("", None));
        assert_eq!(action("scan --limit 7 --prefix user:"), scan("user:", Some(7)));
    }

    #[test]
    fn empty_lines_and_comments_are_nothing() {
        for line in ["", "\n", "  \r\n", "# set k v", "  # note"] {
            assert_eq!(parse(line.as_bytes()).ok(), Some(Line::Nothing), "{line:?}");
        }
    }

    #[test]
    fn bad_lines_are_usage_errors() {
        for line in
            ["frobnicate", "get", "set k", "count 1", "scan 5", "scan --limit x", "scan --prefix", "get \"a"]
        {
            assert!(matches!(parse(line.as_bytes()), Err(CliError::Usage(_))), "{line:?}");
        }
    }
}
