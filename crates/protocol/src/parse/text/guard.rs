//! Detects connections that speak another protocol, such as HTTP.

use super::field::word;
use super::line::content;
use crate::command::name::is_word_of_http;
use crate::parse::Fatal;
use crate::{Command, Protocol};

/// More bytes than the longest name of a command.
const MAX_NAME_BYTES: usize = 16;

/// Position of a guarded parser in its connection, which decides what it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing is refused: the client is trusted.
    Off,
    /// The first line has not arrived yet.
    FirstLine,
    /// The first line was a command of this protocol, or a mistyped one.
    LaterLines,
}

impl Guard {
    /// Returns whether a line that begins with a command's name is a command, and not a request line of HTTP.
    #[inline]
    pub(super) fn admits(&mut self, command: Command, arguments: usize, line: &[u8]) -> bool {
        if *self != Self::FirstLine {
            return true;
        }
        let spec = command.spec();
        // A request line has two words behind its method; those of a value may be any.
        let is_ours = spec.arity.admits(arguments) && (arguments != 2 || spec.rest.is_some());
        let is_request_of_http = !is_ours && ends_as_http(content(line));
        if !is_request_of_http {
            *self = Self::LaterLines;
        }
        !is_request_of_http
    }

    /// Returns the error if `line`, which is not a command, ends the connection.
    #[cold]
    pub(super) fn judge(&mut self, line: &[u8]) -> Option<Box<Fatal>> {
        let line = content(line);
        let (_, name) = word(line);
        let fatal = match self {
            Self::FirstLine if line.is_empty() => return None,
            Self::FirstLine if !is_name(name) => Fatal::first_line(name),
            Self::FirstLine if ends_as_http(line) => Fatal::http(),
            Self::LaterLines if is_word_of_http(name) => Fatal::http(),
            Self::FirstLine => {
                *self = Self::LaterLines;
                return None;
            }
            Self::Off | Self::LaterLines => return None,
        };
        Some(Box::new(fatal))
    }

    /// Returns why `input`, the beginning of a line, ends the connection, if it is the first one's and can become no
    /// command: a client that speaks TLS waits for an answer before it sends a line end.
    #[inline]
    pub(super) fn judge_beginning(self, input: &[u8]) -> Option<Box<Fatal>> {
        if self == Self::FirstLine { judge_first(input) } else { None }
    }
}

fn judge_first(input: &[u8]) -> Option<Box<Fatal>> {
    let line = content(input);
    let (rest, name) = word(line);
    let is_whole = !rest.is_empty();
    let may_go_on = name.len() <= MAX_NAME_BYTES && name.iter().all(u8::is_ascii_graphic);
    let is_ours = if is_whole { is_name(name) } else { may_go_on };
    (!is_ours).then(|| Box::new(Fatal::first_line(name)))
}

fn is_name(word: &[u8]) -> bool {
    Command::find(word, Protocol::Text).is_some()
}

/// Returns whether the line ends like a request line of HTTP.
fn ends_as_http(line: &[u8]) -> bool {
    match line {
        [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor] => {
            major.is_ascii_digit() && minor.is_ascii_digit()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::MAX_NAME_BYTES;
    use crate::{Command, Limits, Protocol, RequestParser, Step};

    const LIMITS: Limits = Limits { max_key_bytes: 8, max_value_bytes: 16 };

    /// Returns whether a guarded parser ends the connection.
    fn is_foreign(input: &[u8]) -> bool {
        let (mut parser, mut rest) = (RequestParser::guarded(LIMITS), input);
        loop {
            match parser.next(rest, &mut Vec::new()) {
                Step::Request { consumed_bytes, .. } | Step::Skip { consumed_bytes } => {
                    rest = &rest[consumed_bytes..]
                }
                Step::Incomplete => return false,
                Step::Fatal(fatal) => return fatal.is_foreign,
            }
        }
    }

    #[test]
    fn a_first_line_of_another_protocol_is_told_from_ours() {
        for line in [
            &b"POST / HTTP/1.1\r\n"[..],
            b"GET / HTTP/1.1\r\n",
            b"get /index.html HTTP/1.0\n",
            b"DELETE /k HTTP/1.1\r\n",
            b"DEL /k HTTP/1.1\r\n",
            b"MSET / HTTP/1.1\r\n",
            b"QUIT / HTTP/1.1\r\n",
            b"CLIENT / HTTP/1.1\r\n",
            b"GET /longer-than-a-key HTTP/1.1\r\n",
            b"PUT /k HTTP/1.1\r\n",
            b"OPTIONS * HTTP/1.1\r\n",
            b"PRI * HTTP/2.0\r\n",
            b"\r\n\r\nPOST / HTTP/1.1\r\n",
            b"EHLO example.org\r\n",
            b"SSH-2.0-OpenSSH_9.9\r\n",
            b"NONSENSE\r\n",
            b" PING\r\n",
            b"\x16\x03\x01",
            b"\0",
            b"COMPACTS ",
            b"LONGER-THAN-ANY-NAME",
            b"FETCH ",
            b"+PONG\r\n",
        ] {
            assert!(is_foreign(line), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_first_line_of_ours_is_served_or_corrected() {
        for line in [
            &b"SET / HTTP/1.1\r\n"[..],
            b"GET HTTP/1.1\r\n",
            b"MGET HTTP/1.1\r\n",
            b"DEL a b c HTTP/1.1\r\n",
            b"GET k\r\n",
            b"GET\r\n",
            b"GET a b\r\n",
            b"set k\r\n",
            b"GET / HTTP/1.x\r\n",
            b"GET / HTTP/1.1 \r\n",
            b"GET longer-than-a-key\r\n",
            b"\r\n",
            b"\r",
            b"P",
            b"compact",
            b"compact\r",
            b"PUT",
            b"SET ",
            b"",
        ] {
            assert!(!is_foreign(line), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn later_lines_end_at_the_words_that_every_request_of_http_has() {
        for first in ["PING", "GET", "SET / HTTP/1.1"] {
            for word in ["POST / HTTP/1.1", "post", "Host: a", "HOST:"] {
                assert!(is_foreign(format!("{first}\r\n{word}\r\nPING\r\n").as_bytes()), "{word}");
            }
            for line in
                ["PUT / HTTP/1.1", "GET / HTTP/1.1", "Host", "POSTS", "GET Host:", "SET POST Host:", " POST"]
            {
                assert!(!is_foreign(format!("{first}\r\n{line}\r\n").as_bytes()), "{line}");
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_known_by_its_first_word() {
        let long = vec![b'x'; 1000];
        assert!(is_foreign(&[b"POST ", &long[..]].concat()));
        assert!(!is_foreign(&[b"SET k ", &long[..]].concat()));
        assert!(is_foreign(&[b"PING\nPOST ", &long[..]].concat()));
    }

    #[test]
    fn a_parser_without_a_guard_takes_any_line_for_what_it_is() {
        let (mut parser, mut arguments) = (RequestParser::new(LIMITS), Vec::new());
        let Step::Request { command: Err(error), .. } = parser.next(b"POST / HTTP/1.1\r\n", &mut arguments)
        else {
            panic!()
        };
        assert_eq!(error.message(), b"unknown command 'POST'; HELP lists the commands");
        assert_eq!(parser.next(b"\x16\x03", &mut arguments), Step::Incomplete);
    }

    #[test]
    fn no_name_is_longer_than_the_first_word_may_be() {
        for command in Command::served(Protocol::Text) {
            assert!(command.name().len() <= MAX_NAME_BYTES, "{}", command.name());
        }
    }
}
