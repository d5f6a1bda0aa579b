//! Parser of a client's requests: a name and fields.

use std::borrow::Cow;

use super::field::{SyntaxError, bare_rest, field, word};
use crate::command::name;
use crate::limits::MAX_ARGUMENTS;
use crate::{Command, ErrorCode, ErrorReply, Protocol};

/// Returns the command that a line, without its line end, names, and appends its arguments.
pub(super) fn parse<'a>(
    line: &'a [u8],
    arguments: &mut Vec<Cow<'a, [u8]>>,
) -> Result<Command, Box<ErrorReply>> {
    let (mut rest, name) = word(line);
    let Some(command) = Command::find(name, Protocol::Text) else { return Err(unknown(name)) };
    let first = arguments.len();
    // More than a command takes are not read: who counts them refuses the request anyway.
    let (_, max) = command.spec().arity.bounds();
    let end = first + max.saturating_add(1).min(MAX_ARGUMENTS + 1);
    let rest_of_line = command.spec().rest.map(|position| first + usize::from(position));
    while let [b' ', start @ ..] = rest
        && arguments.len() < end
    {
        if rest_of_line == Some(arguments.len())
            && let Some(bytes) = bare_rest(start)
        {
            arguments.push(bytes);
            break;
        }
        let (after, argument) = field(start).map_err(malformed)?;
        arguments.push(argument);
        rest = after;
    }
    if arguments.len() - first > MAX_ARGUMENTS {
        return Err(too_many());
    }
    name::with_subcommand(command, Protocol::Text, arguments, first)
}

#[cold]
fn unknown(name: &[u8]) -> Box<ErrorReply> {
    Box::new(match name {
        b"" => ErrorReply::new(ErrorCode::Syntax, "a line must start with the name of a command"),
        name => name::unknown_in_text(name),
    })
}

#[cold]
fn too_many() -> Box<ErrorReply> {
    Box::new(ErrorReply::new(ErrorCode::TooLarge, format_args!("more than {MAX_ARGUMENTS} arguments")))
}

#[cold]
fn malformed(error: nom::Err<SyntaxError>) -> Box<ErrorReply> {
    let message = match error {
        nom::Err::Error(SyntaxError(message)) | nom::Err::Failure(SyntaxError(message)) => message,
        nom::Err::Incomplete(_) => "malformed line",
    };
    Box::new(ErrorReply::new(ErrorCode::Syntax, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The command and its arguments, or the error.
    fn parse_line(line: &str) -> Result<(Command, Vec<Vec<u8>>), ErrorReply> {
        let mut arguments = Vec::new();
        match parse(line.as_bytes(), &mut arguments) {
            Ok(command) => Ok((command, arguments.into_iter().map(Cow::into_owned).collect())),
            Err(error) => Err(*error),
        }
    }

    #[track_caller]
    fn assert_is(line: &str, command: Command, arguments: &[&[u8]]) {
        let arguments = arguments.iter().map(|argument| argument.to_vec()).collect();
        assert_eq!(parse_line(line), Ok((command, arguments)), "{line:?}");
    }

    #[test]
    fn every_name_is_understood_in_any_case() {
        for command in Command::served(Protocol::Text).filter(|command| !command.spec().is_container) {
            assert_is(command.name(), command, &[]);
            assert_is(&format!("{} a", command.name().to_lowercase()), command, &[b"a"]);
        }
        assert_is("count", Command::DbSize, &[]);
        assert_is("client id", Command::ClientId, &[]);
        assert_is("client", Command::Client, &[]);
    }

    #[test]
    fn a_value_is_the_rest_of_the_line_byte_for_byte() {
        assert_is("SET k carpe diem", Command::Set, &[b"k", b"carpe diem"]);
        assert_is("SET k  v ", Command::Set, &[b"k", b" v "]);
        assert_is("SET k ", Command::Set, &[b"k", b""]);
        assert_is("SET k", Command::Set, &[b"k"]);
        assert_is("SET k a\"b\\n\0\r", Command::Set, &[b"k", b"a\"b\\n\0\r"]);
        assert_is("SET a\"b v", Command::Set, &[b"a\"b", b"v"]);
        assert_is("PING to be or not", Command::Ping, &[b"to be or not"]);
    }

    #[test]
    fn behind_a_quoted_value_options_may_follow() {
        assert_is(r#"SET k "v""#, Command::Set, &[b"k", b"v"]);
        assert_is(r#"SET k "v" NX "b c""#, Command::Set, &[b"k", b"v", b"NX", b"b c"]);
        assert_is("SET k v NX", Command::Set, &[b"k", b"v NX"]);
    }

    #[test]
    fn no_more_arguments_are_read_than_a_command_takes() {
        let parsed = |line: &str| parse_line(line).map(|(_, arguments)| arguments.len());
        assert_eq!(parsed(&format!("GET {}", "a ".repeat(1000))), Ok(2));
        assert_eq!(parsed(&format!("MGET{}", " a".repeat(1000))), Ok(1000));
        let too_many = parsed(&format!("MGET{}", " a".repeat(MAX_ARGUMENTS + 2)));
        assert_eq!(too_many.map_err(|error| error.code), Err(ErrorCode::TooLarge));
    }

    #[test]
    fn quoted_fields_are_unescaped() {
        assert_is(r#"SET "a b" "c d""#, Command::Set, &[b"a b", b"c d"]);
        assert_is(r#"SET "" """#, Command::Set, &[b"", b""]);
        assert_is(r#"SET k "\"\\\r\n\t\x00\xfF.""#, Command::Set, &[b"k", b"\"\\\r\n\t\0\xff."]);
        assert_is(r#"MGET a "b c" d"#, Command::MGet, &[b"a", b"b c", b"d"]);
    }

    #[test]
    fn only_escapes_are_copied() {
        let mut arguments = Vec::new();
        parse(br#"SET "a b" "a\nb""#, &mut arguments).unwrap();
        let [Cow::Borrowed(_), Cow::Owned(value)] = &arguments[..] else { panic!("{arguments:?}") };
        assert_eq!(value.capacity(), 3);
    }

    #[test]
    fn malformed_lines_are_syntax_errors() {
        for bad in [
            "",
            " ",
            " PING",
            "GET ",
            "GET  k",
            "GET k ",
            "SET ",
            "SET  v",
            r#"SET "k"v"#,
            r#"SET "k"#,
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
            assert_eq!(parse_line(bad).map_err(|error| error.code), Err(ErrorCode::Syntax), "{bad:?}");
        }
    }

    #[test]
    fn what_follows_a_closing_quote_is_named_as_the_mistake() {
        for bad in [r#"GET "k"v"#, r#"SET k "v"w"#, r#"SCAN 0 PREFIX "k"LIMIT 1"#] {
            let message = parse_line(bad).unwrap_err().to_string();
            assert!(message.contains("closing quote"), "{bad}: {message}");
        }
    }

    #[test]
    fn another_name_is_an_unknown_command() {
        for unknown in ["PUT k v", "GETS k", "CLIENT|ID", "HELLO 3"] {
            assert_eq!(parse_line(unknown).map_err(|error| error.code), Err(ErrorCode::UnknownCommand));
        }
        assert_eq!(parse_line("CLIENT NONSENSE").map_err(|error| error.code), Err(ErrorCode::UnknownCommand));
    }
}
