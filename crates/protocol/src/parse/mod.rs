//! Parsers: the only module that uses nom.
//!
//! [`RequestParser`] is the interface for servers; each protocol is a submodule.
#![deny(clippy::indexing_slicing)]

mod resp;
mod text;

use std::borrow::Cow;

use crate::command::name;
use crate::{Command, ErrorCode, ErrorReply, Limits};
use resp::FrameReader;
pub(crate) use resp::{AggregateForm, BadReply, Element, TextForm, element, is_mark};
use text::Guard;
pub(crate) use text::{LineReader, ReplyLine, parse_line};

/// A step of a [`RequestParser`] through a read buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A whole request, valid or not, which gets one answer. Its arguments were appended.
    Request {
        /// The command, or the error of the request; then the appended arguments have no meaning.
        command: Result<Command, Box<ErrorReply>>,
        /// Bytes of the input that the request takes.
        consumed_bytes: usize,
    },
    /// Bytes that get no answer: drop them.
    Skip {
        /// Bytes of the input to drop; at least one.
        consumed_bytes: usize,
    },
    /// The input contains no whole request yet: read more, then call again with the same bytes in front.
    Incomplete,
    /// No further request can, or may, be parsed: answer with the error, close the connection, execute nothing that follows, and do
    /// not call again.
    Fatal(Box<Fatal>),
}

/// Error that ends a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Fatal {
    /// The answer to the client.
    pub error: ErrorReply,
    /// Set if the client speaks another protocol, and has not only made a mistake in this one.
    pub is_foreign: bool,
    /// The reason, for the operator.
    pub detail: String,
}

impl Fatal {
    fn protocol_error(error: ErrorReply) -> Self {
        let detail = String::from_utf8_lossy(error.line()).into_owned();
        Self { error, is_foreign: false, detail }
    }

    fn http() -> Self {
        const LINE: &str =
            "ERR this is a request of HTTP, which is not spoken here; the connection is closed";
        let detail = "it sent a request of HTTP".to_owned();
        Self { error: ErrorReply::fixed(ErrorCode::Syntax, LINE), is_foreign: true, detail }
    }

    fn first_line(name: &[u8]) -> Self {
        let name = name::printable(name);
        let message = format_args!(
            "unknown command '{name}' in the first line; the connection is closed, because its client seems to speak \
            another protocol"
        );
        let error = ErrorReply::new(ErrorCode::UnknownCommand, message);
        Self { error, is_foreign: true, detail: format!("it began with '{name}'") }
    }
}

/// The frame at the front of a read buffer, before its content is parsed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LineFrame {
    /// A frame from its first byte to its line end.
    Whole { consumed_bytes: usize },
    /// A frame over the limit; what has not arrived of it comes as `Skip`.
    TooLong { consumed_bytes: usize },
    /// More of a frame that was reported as `TooLong`.
    Skip { consumed_bytes: usize },
    /// No whole frame yet.
    Incomplete,
}

/// Finds and parses requests at the front of a read buffer.
///
/// The connection's first byte decides on its protocol: `*` is RESP, any other is text. The caller drops the consumed bytes after
/// every step and appends the bytes that it reads. Each byte is scanned once, in whatever pieces it arrives, and a declared length
/// takes no memory before it is checked.
///
/// In text, a line that is longer than its key and value may be ([`Limits::max_plain_line_bytes`], its line end not
/// counted) is an error as soon as that is known and dropped as it arrives, so the buffer needs to hold no more than
/// [`Limits::max_line_bytes`] and two bytes. In RESP, a bulk string may be as long as the longest key or value, a request
/// has at most [`MAX_ARGUMENTS`](crate::limits::MAX_ARGUMENTS) arguments and [`Limits::max_line_bytes`] bytes.
/// The server checks the number of arguments of a command, and their lengths.
///
/// ```
/// use rustvault_protocol::{Command, Limits, RequestParser, Step};
///
/// let (mut parser, mut arguments) = (RequestParser::new(Limits::default()), Vec::new());
/// assert_eq!(parser.next(b"GET user", &mut arguments), Step::Incomplete);
/// let step = parser.next(b"GET user:1\r\nPING\r\n", &mut arguments);
/// assert_eq!(step, Step::Request { command: Ok(Command::Get), consumed_bytes: 12 });
/// assert_eq!(arguments, [&b"user:1"[..]]);
/// ```
#[derive(Debug)]
pub struct RequestParser {
    limits: Limits,
    guard: Guard,
    /// `None` before the first byte.
    state: Option<ParserState>,
}

#[derive(Debug)]
enum ParserState {
    Text(LineReader),
    /// Boxed, because it is larger than an idle connection should be.
    Resp(Box<FrameReader>),
}

impl RequestParser {
    /// Makes a parser for the start of a connection.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, guard: Guard::Off, state: None }
    }

    /// Makes a parser for the start of an untrusted connection, whose client may speak another protocol.
    ///
    /// A web page can make its visitor's browser send lines to any port that the browser reaches, including loopback, and an HTTP
    /// request must not be executed as commands. For this parser it is [fatal](Step::Fatal) in text
    ///
    /// - that the first word of the first line that is not empty is no command, as soon as that is certain;
    /// - that this line ends in ` HTTP/<digit>.<digit>`, and is malformed or has two words behind its name, neither of them
    ///   a value;
    /// - that the first word of any later line is `POST` or `Host:`, in any case.
    pub const fn guarded(limits: Limits) -> Self {
        Self { limits, guard: Guard::FirstLine, state: None }
    }

    /// Returns whether the client speaks RESP; `None` before its first byte.
    pub const fn is_resp(&self) -> Option<bool> {
        match self.state {
            None => None,
            Some(ParserState::Text(_)) => Some(false),
            Some(ParserState::Resp(_)) => Some(true),
        }
    }

    /// Returns whether the front of the input belongs to a line over the limit, which is dropped as it arrives.
    pub const fn is_dropping(&self) -> bool {
        matches!(&self.state, Some(ParserState::Text(lines)) if lines.is_dropping())
    }

    /// Parses the request at the front of `input`, and appends its arguments.
    #[inline]
    pub fn next<'a>(&mut self, input: &'a [u8], arguments: &mut Vec<Cow<'a, [u8]>>) -> Step {
        match &mut self.state {
            Some(ParserState::Resp(frames)) => resp::next(frames, input, arguments),
            Some(ParserState::Text(lines)) => {
                text::next(lines, &mut self.guard, &self.limits, input, arguments)
            }
            None => {
                let Some(first) = input.first() else { return Step::Incomplete };
                self.state = Some(match first {
                    b'*' => ParserState::Resp(Box::new(FrameReader::new(&self.limits))),
                    _ => ParserState::Text(LineReader::new(&self.limits)),
                });
                self.next(input, arguments)
            }
        }
    }
}
