//! Resolves subcommands, and reports names that are no command.

use std::borrow::Cow;

use super::why_not_served;
use crate::reply::{MAX_SHOWN_BYTES, shown};
use crate::{Command, ErrorCode, ErrorReply, Protocol};

/// Most bytes of an unknown name that an error of the text protocol shows.
const MAX_SHOWN_NAME_BYTES: usize = 32;

/// Advice on a command whose answer has no form in the text protocol.
const IN_RESP_ALONE: &str = "it is served in RESP alone: use redis-cli or rustvault-cli";

/// Returns the subcommand that the argument at `first` names, and takes that argument out; `command` if it has none.
#[inline]
pub(crate) fn with_subcommand(
    command: Command,
    protocol: Protocol,
    arguments: &mut Vec<Cow<'_, [u8]>>,
    first: usize,
) -> Result<Command, Box<ErrorReply>> {
    if !command.spec().is_container || arguments.len() == first {
        return Ok(command);
    }
    let name = arguments.remove(first);
    command
        .find_subcommand(&name, protocol)
        .ok_or_else(|| Box::new(unknown_subcommand(command, &name, protocol)))
}

fn unknown_subcommand(command: Command, name: &[u8], protocol: Protocol) -> ErrorReply {
    let after = match command.find_subcommand(name, Protocol::Resp2) {
        Some(_) if protocol == Protocol::Text => format!(": {IN_RESP_ALONE}"),
        _ => format!(". Try {} HELP.", command.name()),
    };
    ErrorReply::about_word(ErrorCode::UnknownCommand, "unknown subcommand", name, &after)
}

/// Says that there is no such command as Redis does, and why, if it is one that people miss.
pub(crate) fn unknown_in_resp(name: &[u8], arguments: &[Cow<'_, [u8]>]) -> ErrorReply {
    let mut shown_arguments = Vec::new();
    for argument in arguments {
        let Some(room) = MAX_SHOWN_BYTES.checked_sub(shown_arguments.len()).filter(|room| *room > 0) else {
            break;
        };
        shown_arguments.extend([b"'", shown(argument, room), b"' "].concat());
    }
    let shown_name = shown(name, MAX_SHOWN_BYTES);
    let mut line =
        [b"ERR unknown command '", shown_name, b"', with args beginning with: ", &shown_arguments].concat();
    if let Some(reason) = why_not_served(name) {
        line.extend([b"; ", reason.as_bytes()].concat());
    }
    ErrorReply::with_bytes(ErrorCode::UnknownCommand, line)
}

/// Says that there is no such command. The name goes into messages, too: short, and printable whatever it was.
pub(crate) fn unknown_in_text(name: &[u8]) -> ErrorReply {
    let what = match Command::find(name, Protocol::Resp2) {
        Some(_) => IN_RESP_ALONE,
        None => why_not_served(name).unwrap_or("HELP lists the commands"),
    };
    ErrorReply::new(ErrorCode::UnknownCommand, format_args!("unknown command '{}'; {what}", printable(name)))
}

/// Returns the beginning of a name, escaped.
pub(crate) fn printable(name: &[u8]) -> String {
    name.escape_ascii().take(MAX_SHOWN_NAME_BYTES).map(char::from).collect()
}

/// Returns whether Redis, too, takes a line or command that begins with this word for HTTP.
pub(crate) fn is_word_of_http(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"POST") || word.eq_ignore_ascii_case(b"Host:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_resp(name: &[u8], arguments: &[&[u8]]) -> String {
        let arguments: Vec<_> = arguments.iter().copied().map(Cow::Borrowed).collect();
        unknown_in_resp(name, &arguments).line().escape_ascii().to_string().replace("\\'", "'")
    }

    #[test]
    fn an_unknown_command_is_shown_as_redis_does() {
        let expected = |name: &str, arguments: &str| {
            format!("ERR unknown command '{name}', with args beginning with: {arguments}")
        };
        assert_eq!(in_resp(b"FOO", &[b"a", b"b"]), expected("FOO", "'a' 'b' "));
        assert_eq!(in_resp(b"f\xff\0x", &[b"\r\n", b""]), expected("f\\xff", "'\\r\\n' '' "));
        let arguments = format!("'{}' '{}' ", "x".repeat(100), "y".repeat(25));
        let shown = in_resp(&[b'f'; 200], &[&[b'x'; 100], &[b'y'; 100], b"z"]);
        assert_eq!(shown, expected(&"f".repeat(128), &arguments));
    }

    #[test]
    fn a_command_that_people_miss_says_why() {
        let lpush = in_resp(b"lpush", &[b"k"]);
        assert!(
            lpush.starts_with("ERR unknown command 'lpush', with args beginning with: 'k' ; it is not"),
            "{lpush}"
        );
        assert!(unknown_in_text(b"EXPIRE").to_string().contains("there is no expiry"));
    }

    #[test]
    fn an_unknown_name_in_text_is_short_and_printable() {
        let shown = |name: &[u8]| unknown_in_text(name).to_string();
        assert_eq!(shown(b"PUT"), "unknown command 'PUT'; HELP lists the commands");
        assert_eq!(
            shown(b"hello"),
            "unknown command 'hello'; it is served in RESP alone: use redis-cli or rustvault-cli"
        );
        assert_eq!(printable(b"\x00\xff\r\x1b[2J"), r"\x00\xff\r\x1b[2J");
        assert_eq!(printable(&[b'A'; 1000]), "A".repeat(MAX_SHOWN_NAME_BYTES));
    }

    #[test]
    fn a_subcommand_is_taken_out_of_the_arguments() {
        let mut arguments: Vec<Cow<'_, [u8]>> =
            vec![Cow::Borrowed(b"before"), Cow::Borrowed(b"id"), Cow::Borrowed(b"x")];
        let found = with_subcommand(Command::Client, Protocol::Resp2, &mut arguments, 1);
        assert_eq!((found, arguments.len()), (Ok(Command::ClientId), 2));
        let unknown = with_subcommand(Command::Client, Protocol::Resp2, &mut arguments, 1).unwrap_err();
        assert_eq!(unknown.line(), b"ERR unknown subcommand 'x'. Try CLIENT HELP.");
        assert_eq!(with_subcommand(Command::Client, Protocol::Resp2, &mut arguments, 1), Ok(Command::Client));
        let mut arguments: Vec<Cow<'_, [u8]>> = vec![Cow::Borrowed(b"get")];
        let in_text = with_subcommand(Command::SlowLog, Protocol::Text, &mut arguments, 0).unwrap_err();
        assert_eq!(
            in_text.line(),
            b"ERR unknown subcommand 'get': it is served in RESP alone: use redis-cli or rustvault-cli"
        );
    }
}
