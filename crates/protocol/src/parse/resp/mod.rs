//! RESP: a frame is an array of bulk strings.

use std::borrow::Cow;

mod command;
mod fault;
mod frame;
mod header;
mod keyspace;
mod number;
mod session;
mod transaction;

use frame::{Frame, FrameReader};

use crate::{Limits, RespCommand};

/// One step of a [`RespParser`] through a read buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum RespStep<'a> {
    /// A whole command; it gets exactly one answer.
    Command {
        /// What it asks for.
        command: RespCommand<'a>,
        /// How many bytes of the input it took.
        consumed_bytes: usize,
    },
    /// These bytes, an empty line or an array without items, get no answer: drop them.
    Ignored {
        /// How many bytes of the input to drop; at least one.
        consumed_bytes: usize,
    },
    /// The input holds no whole command yet: read more, then ask again with the same bytes in front.
    Incomplete,
    /// This is no RESP, or over a limit: answer with the error `message`, close the connection and do not ask again.
    ProtocolError {
        /// For [`RespValue::Error`](crate::RespValue::Error).
        message: Cow<'static, [u8]>,
    },
}

/// Finds and parses RESP commands at the front of a read buffer, remembering how far it has looked.
///
/// The caller drops the consumed bytes after every step and appends what it reads. A half-received array is
/// gone on with where it ended, so feeding a command byte by byte takes linear work, and a declared length
/// is checked against the limits before it counts for anything: a bulk string may be as long as the longest
/// key or value, a command has at most [`MAX_RESP_ARGUMENTS`](crate::limits::MAX_RESP_ARGUMENTS) arguments and
/// [`Limits::max_line_bytes`] bytes. Commands with few arguments take no allocation.
///
/// ```
/// use rustvault_protocol::{Command, Limits, RespCommand, RespParser, RespStep, Shape};
///
/// let mut parser = RespParser::new(Limits::default());
/// assert_eq!(parser.next(b"*2\r\n$3\r\nGET\r\n$6\r\nuser"), RespStep::Incomplete);
/// let step = parser.next(b"*2\r\n$3\r\nGET\r\n$6\r\nuser:1\r\n*1\r\n");
/// let request = Command::Get { key: b"user:1".into() };
/// let command = RespCommand::One { request, shape: Shape::Plain };
/// assert_eq!(step, RespStep::Command { command, consumed_bytes: 25 });
/// ```
#[derive(Debug)]
pub struct RespParser {
    limits: Limits,
    frames: FrameReader,
}

impl RespParser {
    /// A parser at the start of a connection.
    pub fn new(limits: Limits) -> Self {
        Self { limits, frames: FrameReader::new(&limits) }
    }

    /// Parses the command at the front of `input`.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> RespStep<'a> {
        match self.frames.next(input) {
            Ok(Frame::Whole { arguments, consumed_bytes }) => {
                let command = command::parse(arguments, &self.limits);
                RespStep::Command { command, consumed_bytes }
            }
            Ok(Frame::Ignored { consumed_bytes }) => RespStep::Ignored { consumed_bytes },
            Ok(Frame::Incomplete) => RespStep::Incomplete,
            Err(fault) => RespStep::ProtocolError { message: fault.message() },
        }
    }
}

#[cfg(test)]
mod support {
    use super::*;
    use crate::RespValue;

    pub(super) const LIMITS: Limits = Limits { max_key_bytes: 64, max_value_bytes: 2048 };

    /// What a line means whose words are the arguments.
    pub(super) fn parse(line: &str) -> RespCommand<'static> {
        parse_arguments(&line.split(' ').map(str::as_bytes).collect::<Vec<_>>())
    }

    pub(super) fn parse_arguments(arguments: &[&[u8]]) -> RespCommand<'static> {
        let mut wire = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments {
            wire.extend([format!("${}\r\n", argument.len()).as_bytes(), argument, b"\r\n"].concat());
        }
        match RespParser::new(LIMITS).next(wire.leak()) {
            RespStep::Command { command, .. } => command,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn error(line: &str) -> String {
        error_of(parse(line))
    }

    pub(super) fn error_of(command: RespCommand<'_>) -> String {
        match command {
            RespCommand::Answered(RespValue::Error(line)) => {
                line.escape_ascii().to_string().replace("\\'", "'")
            }
            other => panic!("{other:?}"),
        }
    }
}
