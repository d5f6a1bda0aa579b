//! A line of a session: a command in the words of the text protocol, or one of the session's own.

use bytes::{BufMut, Bytes, BytesMut};
use rustvault_protocol::{Command, OwnedRequest, ServerCodec};
use tokio_util::codec::Decoder;

use crate::commands::{Action, LIMITS};
use crate::error::CliError;

/// The words that a line may begin with, for completion.
pub(super) const VERBS: [&str; 12] =
    ["compact", "count", "delete", "exists", "exit", "get", "help", "info", "ping", "quit", "scan", "set"];

const SCAN_USAGE: &str = "usage: scan [--prefix P] [--limit N]";

/// A line of a session, parsed.
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

fn parse_request(line: &[u8]) -> Result<Action, CliError> {
    let OwnedRequest { command, arguments } = read(line)?;
    Ok(match (command, &arguments[..]) {
        (Command::Set, [key, value]) => Action::Set { key: key.clone(), value: value.clone() },
        (Command::Get, [key]) => Action::Get { key: key.clone(), raw: false },
        (Command::Delete, [key]) => Action::Delete { key: key.clone() },
        (Command::TextExists, [key]) => Action::Exists { key: key.clone() },
        (Command::DbSize, []) => Action::Count,
        (Command::Ping, []) => Action::Ping,
        (Command::TextInfo, []) => Action::Info,
        (Command::Compact, []) => Action::Compact,
        (command, arguments) => return Err(bad_arguments(line, command, arguments.len())),
    })
}

/// Reads a command as a server does: keys and values are as in the text protocol.
fn read(line: &[u8]) -> Result<OwnedRequest, CliError> {
    let mut frame = BytesMut::with_capacity(line.len() + 1);
    frame.put_slice(line);
    frame.put_u8(b'\n');
    match ServerCodec::new(LIMITS).decode(&mut frame) {
        Ok(Some(Ok(request))) => Ok(request),
        Ok(Some(Err(error))) => Err(usage(error.to_string())),
        Ok(None) | Err(_) => Err(usage("not a command".to_owned())),
    }
}

/// Says what is wrong with the number of arguments, under the name that was typed.
fn bad_arguments(line: &[u8], command: Command, given: usize) -> CliError {
    let spec = command.spec();
    let name = String::from_utf8_lossy(split_word(line).0).to_ascii_uppercase();
    let how = format!("usage: {name} {}", spec.syntax);
    usage(match spec.arity.bounds() {
        // More than a session can ask for, such as options of SET.
        _ if spec.arity.admits(given) => format!("too many arguments for {name}; type help for the commands"),
        (_, most) if given > most && spec.keys.is_some() => {
            format!("{how}; a key that holds a space must be quoted")
        }
        _ => how.trim_end().to_owned(),
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
    let request = read(&[b"GET ", field].concat())?;
    request.arguments.into_iter().next().ok_or_else(|| usage(SCAN_USAGE.to_owned()))
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

    #[test]
    fn the_usage_is_that_of_the_command_by_the_name_that_was_typed() {
        for (line, expected) in [
            ("get", "usage: GET key"),
            ("get two words", "usage: GET key; a key that holds a space must be quoted"),
            ("exists two words", "usage: EXISTS key; a key that holds a space must be quoted"),
            ("Set k", "usage: SET key value [NX | XX] [GET]"),
            ("count 1", "usage: COUNT"),
            ("info server", "usage: INFO"),
            (r#"set k "v" NX"#, "too many arguments for SET; type help for the commands"),
            ("ping hello", "too many arguments for PING; type help for the commands"),
        ] {
            let error = parse(line.as_bytes()).expect_err("no command");
            assert_eq!(error.to_string(), expected, "{line:?}");
        }
    }
}
