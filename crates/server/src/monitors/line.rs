//! The line of a command, in the format of Redis's `MONITOR`: `seconds.microseconds [database peer] "NAME" "argument" …`.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustvault_protocol::{Flags, Request};

use crate::addr::Addr;
use crate::clients::ConnectedClient;
use crate::redact::shown_argument;

/// Most bytes of an argument that are shown.
const MAX_ARGUMENT_BYTES: usize = 4 * 1024;

/// Most arguments that are shown.
const MAX_ARGUMENTS: usize = 128;

/// Length of a line from which no further argument is shown, in bytes.
const MAX_SHOWN_BYTES: usize = 16 * 1024;

/// Returns the line of a request; `None` for commands on the server itself, which may tell secrets: Redis shows none of them
/// either.
pub(super) fn line_of(request: Request<'_>, client: &ConnectedClient) -> Option<String> {
    let spec = request.command.spec();
    if spec.flags.contains(Flags::ADMIN) {
        return None;
    }
    let mut line = beginning(&client.peer);
    spec.container()
        .into_iter()
        .chain([spec.own_name()])
        .for_each(|name| put_quoted(name.as_bytes(), &mut line));
    for index in 0..request.arguments.len() {
        if index == MAX_ARGUMENTS || line.len() > MAX_SHOWN_BYTES {
            let rest = request.arguments.len() - index;
            put_quoted(format!("... ({rest} more arguments)").as_bytes(), &mut line);
            break;
        }
        put_argument(shown_argument(request.command, request.arguments, index), &mut line);
    }
    Some(line)
}

/// Returns the line that stands for commands that found no room. Its peer has a port, as those that parse lines expect.
pub(super) fn left_out(commands: u64) -> String {
    let mut line = time();
    line.push_str(" [0 monitor:0]");
    let plural = if commands == 1 { "" } else { "s" };
    let text = format!("({commands} command{plural} left out: this monitor reads too slowly)");
    put_quoted(text.as_bytes(), &mut line);
    line
}

fn beginning(peer: &Addr) -> String {
    let mut line = time();
    // Writing to a string does not fail.
    let _ = match peer {
        Addr::Tcp(addr) => write!(line, " [0 {addr}]"),
        Addr::Unix(path) => write!(line, " [0 unix:{}]", path.as_os_str().as_encoded_bytes().escape_ascii()),
    };
    line
}

fn time() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("{}.{:06}", now.as_secs(), now.subsec_micros())
}

/// Appends an argument, of which the end may be left out.
fn put_argument(argument: &[u8], line: &mut String) {
    match argument.split_at_checked(MAX_ARGUMENT_BYTES) {
        Some((shown, rest)) if !rest.is_empty() => {
            put_quoted(shown, line);
            // Inside the quotes, as Redis's slow log has it.
            line.pop();
            let _ = write!(line, "... ({} more bytes)\"", rest.len());
        }
        _ => put_quoted(argument, line),
    }
}

/// Appends a space and bytes in quotes, with Redis's escapes.
fn put_quoted(bytes: &[u8], line: &mut String) {
    line.push_str(" \"");
    for byte in bytes {
        let _ = match byte {
            b'"' => line.write_str("\\\""),
            b'\\' => line.write_str("\\\\"),
            b'\n' => line.write_str("\\n"),
            b'\r' => line.write_str("\\r"),
            b'\t' => line.write_str("\\t"),
            0x07 => line.write_str("\\a"),
            0x08 => line.write_str("\\b"),
            b' '..=b'~' => line.write_char(char::from(*byte)),
            _ => write!(line, "\\x{byte:02x}"),
        };
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustvault_protocol::{Command, Protocol};

    use super::*;
    use crate::session::Session;

    /// An argument's bytes may take four characters each.
    const MAX_LINE_BYTES: usize = MAX_SHOWN_BYTES + 4 * MAX_ARGUMENT_BYTES + 1024;

    /// Returns the line of a request, behind its time.
    fn shown(words: &[&[u8]]) -> Option<String> {
        let command = Command::find_whole(words[0], Protocol::Resp2).unwrap();
        let request = Request { command, arguments: &words[1..] };
        let line = line_of(request, &Session::for_tests().client)?;
        assert!(line.len() <= MAX_LINE_BYTES, "{}", line.len());
        Some(line.split_once(' ').unwrap().1.to_owned())
    }

    #[test]
    fn a_command_is_shown_as_redis_shows_it() {
        let line = shown(&[b"SET", b"a \"b\"", b"\\ \r\n\t\x07\x08\x00\x7f\xff"]).unwrap();
        assert_eq!(line, r#"[0 127.0.0.1:1] "SET" "a \"b\"" "\\ \r\n\t\a\b\x00\x7f\xff""#);
        assert_eq!(shown(&[b"CLIENT|ID"]).unwrap(), r#"[0 127.0.0.1:1] "CLIENT" "ID""#);
        let line = beginning(&Addr::Unix(Path::new("/run/a\n.sock").into()));
        assert!(line.ends_with(r" [0 unix:/run/a\n.sock]"), "{line}");
    }

    #[test]
    fn a_line_begins_with_a_time_in_microseconds() {
        let line = left_out(1);
        let (time, rest) = line.split_once(' ').unwrap();
        let (seconds, micros) = time.split_once('.').unwrap();
        assert!(seconds.parse::<u64>().unwrap() > 1_600_000_000 && micros.len() == 6, "{time}");
        assert!(micros.parse::<u32>().is_ok(), "{time}");
        assert_eq!(rest, "[0 monitor:0] \"(1 command left out: this monitor reads too slowly)\"");
    }

    #[test]
    fn no_password_and_no_command_on_the_server_is_shown() {
        let shown = |line: &str| shown(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        let ends = |line: &str, end: &str| {
            let shown = shown(line).unwrap();
            assert!(shown.ends_with(end), "{shown}");
            assert!(!shown.contains("geheim"), "{shown}");
        };
        ends("AUTH geheim", r#""AUTH" "(redacted)""#);
        ends("AUTH ada geheim", r#""AUTH" "(redacted)" "(redacted)""#);
        ends("HELLO 3 auth ada geheim", r#""HELLO" "(redacted)" "(redacted)" "(redacted)" "(redacted)""#);
        for line in ["CONFIG|SET max-memory 1", "MONITOR", "ACL|SETUSER ada >geheim"] {
            assert_eq!(shown(line), None, "{line}");
        }
    }

    #[test]
    fn a_line_stays_short_whatever_the_command_has() {
        let long = [0; MAX_ARGUMENT_BYTES + 7];
        let line = shown(&[b"SET", b"k", &long]).unwrap();
        assert!(line.ends_with("\\x00... (7 more bytes)\""));
        let line = shown(&[b"MGET", &long, &long, &long]).unwrap();
        assert!(line.ends_with("... (7 more bytes)\" \"... (2 more arguments)\""), "{}", line.len());
        let many = [vec![&b"MGET"[..]], vec![&b"k"[..]; MAX_ARGUMENTS + 5]].concat();
        let line = shown(&many).unwrap();
        assert!(line.ends_with("\"k\" \"... (5 more arguments)\""), "{line}");
        assert_eq!(line.matches("\"k\"").count(), MAX_ARGUMENTS);
    }
}
