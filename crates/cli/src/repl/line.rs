//! A line of a session: a command, split into words as the text protocol does, or one of the session's own.

use bytes::{BufMut, Bytes, BytesMut};
use rustvault_protocol::{Command, CommandSpec, Limits, OwnedRequest, Protocol, ServerCodec};
use tokio_util::codec::Decoder;

use crate::action::Action;
use crate::commands::LIMITS;
use crate::error::CliError;
use crate::names::{self, PROTOCOL};

/// A command of the text protocol that takes any number of fields. It stands in for commands whose last argument is not the
/// rest of the line: theirs are split in the same way.
const ANY_FIELDS: Command = Command::MGet;

/// A line of a session, parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Action(Action),
    /// Asks for help on what these words name.
    Help(Vec<String>),
    Quit,
    /// An empty line or a comment.
    Nothing,
}

/// Parses a line, with or without its line end.
///
/// # Errors
/// [`CliError::Usage`] for a line that is not well-formed, or no form of one of this program's own commands.
pub(super) fn parse(line: &[u8]) -> Result<Line, CliError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(Line::Nothing);
    }
    let (typed, rest) = split_word(line);
    let name = names::resolve_alias(typed).map_or(typed, str::as_bytes);
    if name.eq_ignore_ascii_case(b"help") {
        let words = rest.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        return Ok(Line::Help(words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()));
    }
    if [&b"quit"[..], b"exit"].iter().any(|quit| name.eq_ignore_ascii_case(quit)) {
        return Ok(Line::Quit);
    }
    let arguments = arguments(name, rest)?;
    check(typed, name, &arguments)?;
    let words = [vec![Bytes::copy_from_slice(name)], arguments].concat();
    Action::from_words(words).map(Line::Action)
}

/// Splits what follows a name into arguments, as a server does with a line of the text protocol.
fn arguments(name: &[u8], rest: &[u8]) -> Result<Vec<Bytes>, CliError> {
    let takes_rest = Command::find(name, Protocol::Text).filter(|command| command.spec().rest.is_some());
    // Only a value that is the rest of its line may end in spaces.
    let rest = if takes_rest.is_some() { rest } else { rest.trim_ascii_end() };
    let stand_in = takes_rest.unwrap_or(ANY_FIELDS).name();
    let mut frame = BytesMut::with_capacity(stand_in.len() + rest.len() + 1);
    frame.put_slice(stand_in.as_bytes());
    frame.put_slice(rest);
    frame.put_u8(b'\n');
    // Which arguments are keys is not known here: the client and the server look at their lengths.
    let limits = Limits { max_key_bytes: LIMITS.max_value_bytes, ..LIMITS };
    match ServerCodec::new(limits).decode(&mut frame) {
        Ok(Some(Ok(OwnedRequest { arguments, .. }))) => Ok(arguments),
        Ok(Some(Err(error))) => Err(usage(error.to_string())),
        Ok(None) | Err(_) => Err(usage("not a command".to_owned())),
    }
}

/// Checks the number of arguments of the commands that have forms of their own here, and are not sent otherwise.
fn check(typed: &[u8], name: &[u8], arguments: &[Bytes]) -> Result<(), CliError> {
    let Some(command) = Command::find(name, PROTOCOL) else { return Ok(()) };
    let spec = command.spec();
    let (least, most) = spec.arity.bounds();
    let is_checked = match command {
        // Its options are the server's to check.
        Command::Set => arguments.len() < least,
        Command::Get | Command::Delete => {
            arguments.first().is_none_or(|argument| !argument.starts_with(b"--"))
        }
        // Their other forms have more arguments, not fewer.
        Command::Exists => arguments.is_empty(),
        Command::DbSize | Command::Compact => true,
        _ => false,
    };
    if !is_checked || spec.arity.admits(arguments.len()) {
        return Ok(());
    }
    Err(usage(explained(typed, spec, arguments.len() > most)))
}

/// Returns how a command is written, under the name that was typed.
fn explained(typed: &[u8], spec: &CommandSpec, has_too_many: bool) -> String {
    let name = String::from_utf8_lossy(typed).to_ascii_uppercase();
    let how = format!("usage: {name} {}", spec.syntax);
    if has_too_many && spec.keys.is_some() {
        return format!("{how}; a key that holds a space must be quoted");
    }
    how.trim_end().to_owned()
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

    /// The words that a line sends.
    fn words(line: &str) -> Vec<Bytes> {
        match action(line) {
            Action::Command(words) => words,
            other => panic!("{line:?} is {other:?}"),
        }
    }

    fn scan(prefix: &'static str, limit: Option<u64>) -> Action {
        Action::Scan { prefix: prefix.into(), limit }
    }

    #[test]
    fn value_is_the_rest_of_the_line() {
        assert_eq!(words("set motto carpe  diem "), ["set", "motto", "carpe  diem "]);
        assert_eq!(words("SET k v\r\n"), ["SET", "k", "v"]);
        assert_eq!(words("set n -5"), ["set", "n", "-5"]);
        assert_eq!(words("put n two words"), ["set", "n", "two words"]);
        assert_eq!(words("echo to be or not"), ["echo", "to be or not"]);
    }

    #[test]
    fn quotes_are_those_of_the_protocol() {
        assert_eq!(words(r#"set "two words" "a\n\x00\"""#), ["set", "two words", "a\n\x00\""]);
        assert_eq!(words(r#"set k "v" NX"#), ["set", "k", "v", "NX"]);
        assert_eq!(words(r#"mset "a b" "" c \n"#), ["mset", "a b", "", "c", "\\n"]);
        assert_eq!(action(r#"scan --prefix "a \" b" --limit 5"#), scan("a \" b", Some(5)));
        assert_eq!(words(r#"nonsense "a b" c"#), ["nonsense", "a b", "c"]);
    }

    #[test]
    fn commands_of_resp_alone_and_subcommands_are_words_like_others() {
        assert_eq!(words("Client List TYPE normal "), ["Client", "List", "TYPE", "normal"]);
        assert_eq!(words("command docs set"), ["command", "docs", "set"]);
        assert_eq!(words("hello 3"), ["hello", "3"]);
        assert_eq!(words("exists a b"), ["exists", "a", "b"]);
        assert_eq!(words("scan 5"), ["scan", "5"]);
    }

    #[test]
    fn commands_are_case_insensitive_and_spaces_around_them_do_not_matter() {
        assert_eq!(words("  Count  "), ["Count"]);
        assert_eq!(words("get k \r\n"), ["get", "k"]);
        assert_eq!(parse(b"QUIT").ok(), Some(Line::Quit));
        assert_eq!(parse(b"exit\n").ok(), Some(Line::Quit));
        assert_eq!(parse(b"Help").ok(), Some(Line::Help(vec![])));
        assert_eq!(
            parse(b"help client  list").ok(),
            Some(Line::Help(vec!["client".to_owned(), "list".to_owned()]))
        );
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
            ["get", "set k", "count 1", "scan --limit x", "scan --prefix", "get \"a", "mget a  b", "exists"]
        {
            assert!(matches!(parse(line.as_bytes()), Err(CliError::Usage(_))), "{line:?}");
        }
    }

    #[test]
    fn the_usage_is_that_of_the_command_by_the_name_that_was_typed() {
        for (line, expected) in [
            ("get", "usage: GET key"),
            ("get two words", "usage: GET key; a key that holds a space must be quoted"),
            ("rm two words", "usage: RM key; a key that holds a space must be quoted"),
            ("Set k", "usage: SET key value [NX | XX] [GET]"),
            ("count 1", "usage: COUNT"),
        ] {
            let error = parse(line.as_bytes()).expect_err("no command");
            assert_eq!(error.to_string(), expected, "{line:?}");
        }
    }

    #[test]
    fn long_values_of_any_command_are_taken() {
        let value = "v".repeat(100_000);
        assert_eq!(words(&format!("mset k {value}"))[2], value);
    }
}
