//! The parsers: the only module that names nom.
//!
//! [`RequestParser`] and [`RespParser`] are the faces that servers use; each protocol is a submodule.
#![deny(clippy::indexing_slicing)]

use crate::{Limits, ProtocolError, Request};

mod resp;
mod text;

pub use resp::{RespParser, RespStep};
use text::Guard;
pub(crate) use text::is_word_of_http;
pub(crate) use text::{LineReader, Reply, parse_reply};

/// One step of a [`RequestParser`] through a read buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A whole request, good or bad; it gets exactly one answer.
    Request {
        /// The request, or what is wrong with it.
        request: Result<Request<'a>, ProtocolError>,
        /// How many bytes of the input it took.
        consumed_bytes: usize,
    },
    /// These bytes belong to an over-long line that was answered already: drop them.
    Skip {
        /// How many bytes of the input to drop; at least one.
        consumed_bytes: usize,
    },
    /// The input holds no whole request yet: read more, then ask again with the same bytes in front.
    Incomplete,
}

/// What stands at the front of a read buffer, before anybody looks into it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A frame from its first byte to its line end.
    Whole { consumed_bytes: usize },
    /// A frame over the limit; what has not arrived of it comes as `Skip`.
    TooLong { consumed_bytes: usize },
    /// More of a frame that was reported as `TooLong`.
    Skip { consumed_bytes: usize },
    /// No whole frame yet.
    Incomplete,
}

/// Finds and parses requests at the front of a read buffer, remembering how far it has looked.
///
/// The caller drops the consumed bytes after every step and appends what it reads; each byte is
/// looked at for a line end once, however small the pieces are in which it arrives. A line that is
/// longer than its key and value may be ([`Limits::max_plain_line_bytes`], its line end not counted) is answered with
/// [`ProtocolError::LineTooLong`] as soon as that is known and dropped as it arrives, so the buffer
/// needs to hold no more than [`Limits::max_line_bytes`] and two bytes.
///
/// ```
/// use rustvault_protocol::{Command, Limits, RequestParser, Step};
///
/// let mut parser = RequestParser::new(Limits::default());
/// assert_eq!(parser.next(b"GET user"), Step::Incomplete);
/// let Step::Request { request, consumed_bytes } = parser.next(b"GET user:1\r\nPING\r\n") else { panic!() };
/// assert_eq!(request, Ok(Command::Get { key: b"user:1".into() }));
/// assert_eq!(consumed_bytes, 12);
/// ```
#[derive(Debug)]
pub struct RequestParser {
    limits: Limits,
    lines: LineReader,
    guard: Guard,
}

impl RequestParser {
    /// A parser at the start of a connection.
    pub fn new(limits: Limits) -> Self {
        Self { limits, lines: LineReader::new(&limits), guard: Guard::Off }
    }

    /// A parser at the start of a connection from a stranger, who may speak another protocol.
    ///
    /// A web page can have its visitor's browser send lines to any port that the browser reaches, loopback included, so
    /// a request of HTTP must not pass for commands. This parser reports an error that
    /// [is foreign](ProtocolError::is_foreign) for
    ///
    /// - the first line that is not empty, if its first word is no command, as soon as that is certain;
    /// - that line, if it is malformed and ends in ` HTTP/<digit>.<digit>`;
    /// - any later line whose first word is `POST` or `Host:`, in any case.
    ///
    /// Answer it, close the connection, and do not ask again.
    pub fn guarded(limits: Limits) -> Self {
        Self { guard: Guard::FirstLine, ..Self::new(limits) }
    }

    /// Parses the request at the front of `input`.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        match self.frame(input) {
            Frame::Whole { consumed_bytes } => {
                let (frame, _) = input.split_at(consumed_bytes);
                let request = match self.parse(frame) {
                    Ok(request) => {
                        self.guard.pass();
                        Ok(request)
                    }
                    Err(problem) => Err(self.guard.judge(frame, problem)),
                };
                Step::Request { request, consumed_bytes }
            }
            Frame::TooLong { consumed_bytes } => {
                let (line, _) = input.split_at(consumed_bytes);
                let problem = self.guard.judge(line, self.too_long());
                Step::Request { request: Err(problem), consumed_bytes }
            }
            Frame::Skip { consumed_bytes } => Step::Skip { consumed_bytes },
            Frame::Incomplete => match self.guard.judge_beginning(input) {
                Some(problem) => Step::Request { request: Err(problem), consumed_bytes: input.len() },
                None => Step::Incomplete,
            },
        }
    }

    /// The first half of [`next`](Self::next): where the frame at the front of `input` ends.
    pub(crate) fn frame(&mut self, input: &[u8]) -> Frame {
        self.lines.next(input)
    }

    /// The second half of [`next`](Self::next): what a [`Frame::Whole`] says.
    pub(crate) fn parse<'a>(&self, frame: &'a [u8]) -> Result<Request<'a>, ProtocolError> {
        text::parse_request(frame, &self.limits)
    }

    /// What a [`Frame::TooLong`] is answered with.
    pub(crate) fn too_long(&self) -> ProtocolError {
        ProtocolError::LineTooLong { max_bytes: self.limits.max_plain_line_bytes() }
    }
}
