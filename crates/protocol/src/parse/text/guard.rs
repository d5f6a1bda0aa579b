//! Tells connections that speak another protocol, such as HTTP, from ours.

use super::field::word;
use super::line::content;
use super::request::{VERBS, shown};
use crate::ProtocolError;

/// The longest verb.
const MAX_VERB_BYTES: usize = 7;

/// Position of a guarded parser in its connection, which decides what it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Nothing is refused: a person types the lines, or a program of ours sends them.
    Off,
    /// The first line is yet to come.
    FirstLine,
    /// The first line was a command of this protocol, or was meant as one.
    LaterLines,
}

impl Guard {
    /// Notes that a line was a command.
    #[inline]
    pub(crate) fn pass(&mut self) {
        if *self == Self::FirstLine {
            *self = Self::LaterLines;
        }
    }

    /// Returns the problem with `line`, which is no command: the one that was found, or that it is another protocol's.
    #[cold]
    pub(crate) fn judge(&mut self, line: &[u8], problem: ProtocolError) -> ProtocolError {
        let line = content(line);
        let (_, verb) = word(line);
        match self {
            Self::FirstLine if line.is_empty() => problem,
            Self::FirstLine if !is_verb(verb) => ProtocolError::UnknownFirstCommand(shown(verb)),
            Self::FirstLine if ends_as_http(line) => ProtocolError::Http,
            Self::LaterLines if is_word_of_http(verb) => ProtocolError::Http,
            Self::FirstLine => {
                *self = Self::LaterLines;
                problem
            }
            Self::Off | Self::LaterLines => problem,
        }
    }

    /// Returns a problem if `input`, the beginning of a line, is the first one's and can become no command: a client that
    /// speaks TLS waits for an answer before it sends a line end.
    #[inline]
    pub(crate) fn judge_beginning(self, input: &[u8]) -> Option<ProtocolError> {
        if self == Self::FirstLine { judge_first(input) } else { None }
    }
}

fn judge_first(input: &[u8]) -> Option<ProtocolError> {
    let line = content(input);
    let (rest, verb) = word(line);
    let is_whole = !rest.is_empty();
    let may_go_on = verb.len() <= MAX_VERB_BYTES && verb.iter().all(u8::is_ascii_graphic);
    let is_ours = if is_whole { is_verb(verb) } else { may_go_on };
    (!is_ours).then(|| ProtocolError::UnknownFirstCommand(shown(verb)))
}

/// Returns whether Redis, too, takes a line or command that begins with this word for HTTP.
pub(crate) fn is_word_of_http(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"POST") || word.eq_ignore_ascii_case(b"Host:")
}

fn is_verb(word: &[u8]) -> bool {
    VERBS.iter().any(|verb| verb.eq_ignore_ascii_case(word))
}

/// Returns whether the line ends as a request line of HTTP does.
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
    use crate::{Command, Limits, ProtocolError, RequestParser, Step};

    const LIMITS: Limits = Limits { max_key_bytes: 8, max_value_bytes: 16 };

    /// Returns the answers of a guarded parser to each line, up to one that is foreign.
    fn judge(input: &[u8]) -> Vec<Result<(), ProtocolError>> {
        let (mut parser, mut rest, mut seen) = (RequestParser::guarded(LIMITS), input, Vec::new());
        loop {
            match parser.next(rest) {
                Step::Request { request, consumed_bytes } => {
                    let is_foreign = request.as_ref().is_err_and(ProtocolError::is_foreign);
                    seen.push(request.map(drop));
                    rest = &rest[consumed_bytes..];
                    if is_foreign {
                        return seen;
                    }
                }
                Step::Skip { consumed_bytes } => rest = &rest[consumed_bytes..],
                Step::Incomplete => return seen,
            }
        }
    }

    #[track_caller]
    fn last_is_foreign(input: &[u8]) -> bool {
        judge(input).last().is_some_and(|last| last.as_ref().is_err_and(ProtocolError::is_foreign))
    }

    #[test]
    fn a_first_line_of_another_protocol_is_told_from_ours() {
        for line in [
            &b"POST / HTTP/1.1\r\n"[..],
            b"GET / HTTP/1.1\r\n",
            b"get /index.html HTTP/1.0\n",
            b"DELETE /k HTTP/1.1\r\n",
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
            b"COMPACTS",
            b"FETCH ",
            b"+PONG\r\n",
        ] {
            assert!(last_is_foreign(line), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn a_first_line_of_ours_is_served_or_corrected() {
        for line in [
            &b"SET / HTTP/1.1\r\n"[..],
            b"GET HTTP/1.1\r\n",
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
            assert!(!last_is_foreign(line), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn later_lines_end_at_the_words_that_every_request_of_http_has() {
        for first in ["PING", "GET", "SET / HTTP/1.1"] {
            for word in ["POST / HTTP/1.1", "post", "Host: a", "HOST:"] {
                assert!(last_is_foreign(format!("{first}\r\n{word}\r\nPING\r\n").as_bytes()), "{word}");
            }
            for line in
                ["PUT / HTTP/1.1", "GET / HTTP/1.1", "Host", "POSTS", "GET Host:", "SET POST Host:", " POST"]
            {
                assert!(!last_is_foreign(format!("{first}\r\n{line}\r\n").as_bytes()), "{line}");
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_known_by_its_first_word() {
        let long = vec![b'x'; 1000];
        assert!(last_is_foreign(&[b"POST ", &long[..]].concat()));
        assert!(!last_is_foreign(&[b"SET k ", &long[..]].concat()));
        assert!(last_is_foreign(&[b"PING\nPOST ", &long[..]].concat()));
    }

    #[test]
    fn a_parser_without_a_guard_takes_any_line_for_what_it_is() {
        let mut parser = RequestParser::new(LIMITS);
        let Step::Request { request: Err(problem), .. } = parser.next(b"POST / HTTP/1.1\r\n") else {
            panic!()
        };
        assert_eq!(problem, ProtocolError::UnknownCommand("POST".to_owned()));
        assert_eq!(parser.next(b"\x16\x03"), Step::Incomplete);
    }

    #[test]
    fn every_verb_is_known() {
        for verb in super::VERBS {
            assert!(verb.len() <= super::MAX_VERB_BYTES);
            let line = [verb, b"\n"].concat();
            let Step::Request { request, .. } = RequestParser::new(LIMITS).next(&line) else { panic!() };
            assert!(!matches!(request, Err(ProtocolError::UnknownCommand(_))), "{}", verb.escape_ascii());
        }
        // One that is added here has to be added there.
        let _: fn(Command) = |command| match command {
            Command::Set { .. }
            | Command::Get { .. }
            | Command::Delete { .. }
            | Command::Exists { .. }
            | Command::Count
            | Command::Scan { .. }
            | Command::Ping
            | Command::Info
            | Command::Compact
            | Command::Quit => (),
        };
    }
}
