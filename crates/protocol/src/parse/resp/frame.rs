//! Framing of RESP: finds the ends of commands, which are arrays of bulk strings.

use nom::{
    Err, Parser,
    bytes::streaming::{tag, take},
    sequence::terminated,
};

use super::error::ProtocolError;
use super::header::{array_header, bulk_header};
use crate::Limits;

const CRLF: &[u8] = b"\r\n";

/// The shortest argument on the wire, `$0` and two line ends.
const MIN_ARGUMENT_BYTES: usize = 6;

/// The frame at the front of a read buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CommandFrame<'a> {
    /// A command; it has at least one argument, its name being the first.
    Whole { arguments: Arguments<'a>, consumed_bytes: usize },
    /// Nothing to answer: an empty line or an array without items.
    Ignored { consumed_bytes: usize },
    /// No whole command yet.
    Incomplete,
}

/// Finds commands at the front of a read buffer; passes each argument once, however it arrives.
///
/// Only a position and a count are remembered of a command that is still arriving, so declared lengths
/// cost no memory.
#[derive(Debug)]
pub(in crate::parse) struct FrameReader {
    max_bulk_bytes: usize,
    max_command_bytes: usize,
    /// Length of the buffer's front that was passed, in bytes: the array's header and whole arguments.
    passed_bytes: usize,
    missing: usize,
    /// Length of the array header of the command that is arriving, in bytes; `arguments` counts its arguments.
    header_bytes: usize,
    arguments: usize,
}

impl FrameReader {
    pub(in crate::parse) fn new(limits: &Limits) -> Self {
        Self {
            max_bulk_bytes: limits.max_key_bytes.max(limits.max_value_bytes),
            max_command_bytes: limits.max_line_bytes(),
            passed_bytes: 0,
            missing: 0,
            header_bytes: 0,
            arguments: 0,
        }
    }

    /// The command at the front of `input`, which starts with the bytes of the call before, less those consumed.
    pub(super) fn next<'a>(&mut self, input: &'a [u8]) -> Result<CommandFrame<'a>, ProtocolError> {
        match self.advance(input) {
            Ok(frame) => Ok(frame),
            Err(Err::Incomplete(_)) => Ok(CommandFrame::Incomplete),
            Err(Err::Error(error) | Err::Failure(error)) => Err(error),
        }
    }

    fn advance<'a>(&mut self, input: &'a [u8]) -> Result<CommandFrame<'a>, Err<ProtocolError>> {
        if self.missing == 0 {
            let (rest, arguments) = array_header(input)?;
            let consumed_bytes = input.len() - rest.len();
            if arguments == 0 {
                return Ok(CommandFrame::Ignored { consumed_bytes });
            }
            (self.passed_bytes, self.missing) = (consumed_bytes, arguments);
            (self.header_bytes, self.arguments) = (consumed_bytes, arguments);
        }
        let mut rest = input.get(self.passed_bytes..).unwrap_or_default();
        while self.missing > 0 {
            let (payload, len_bytes) = bulk_header(rest)?;
            self.check(len_bytes, input.len() - payload.len())?;
            (rest, _) = terminated(take(len_bytes), tag(CRLF)).parse(payload)?;
            self.passed_bytes = input.len() - rest.len();
            self.missing -= 1;
        }
        let rest = input.get(self.header_bytes..).unwrap_or_default();
        let arguments = Arguments { rest, missing: self.arguments };
        Ok(CommandFrame::Whole { arguments, consumed_bytes: self.passed_bytes })
    }

    /// Checks the length that an argument declares; `before_bytes` of the command precede its bytes.
    fn check(&self, len_bytes: usize, before_bytes: usize) -> Result<(), Err<ProtocolError>> {
        if len_bytes > self.max_bulk_bytes {
            let max_bytes = self.max_bulk_bytes;
            return Err(Err::Failure(ProtocolError::BulkTooLong { len_bytes, max_bytes }));
        }
        let command_bytes = before_bytes + len_bytes + CRLF.len() + (self.missing - 1) * MIN_ARGUMENT_BYTES;
        if command_bytes > self.max_command_bytes {
            return Err(Err::Failure(ProtocolError::CommandTooLong { max_bytes: self.max_command_bytes }));
        }
        Ok(())
    }
}

/// The arguments of a whole command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Arguments<'a> {
    rest: &'a [u8],
    missing: usize,
}

impl<'a> Iterator for Arguments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        self.missing = self.missing.checked_sub(1)?;
        let (payload, len_bytes) = bulk_header(self.rest).ok()?;
        let (argument, rest) = payload.split_at_checked(len_bytes)?;
        self.rest = rest.get(CRLF.len()..)?;
        Some(argument)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.missing, Some(self.missing))
    }
}

impl ExactSizeIterator for Arguments<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_ARGUMENTS;

    const LIMITS: Limits = Limits { max_key_bytes: 8, max_value_bytes: 20 };

    fn reader() -> FrameReader {
        FrameReader::new(&LIMITS)
    }

    fn arguments(input: &[u8]) -> Vec<&[u8]> {
        match reader().next(input) {
            Ok(CommandFrame::Whole { arguments, consumed_bytes }) if consumed_bytes == input.len() => {
                assert_eq!(arguments.len(), arguments.size_hint().0);
                arguments.collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn error(input: &str) -> ProtocolError {
        reader().next(input.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_command_is_an_array_of_any_bytes() {
        assert_eq!(arguments(b"*1\r\n$4\r\nPING\r\n"), [b"PING"]);
        let value = [b'\r'; 20];
        let input = [&b"*3\r\n$0\r\n\r\n$2\r\n$9\r\n$20\r\n"[..], &value, b"\r\n"].concat();
        assert_eq!(arguments(&input), [&b""[..], b"$9", &value]);
    }

    #[test]
    fn empty_lines_and_empty_arrays_are_ignored() {
        for empty in ["\n", "\r\n", "*0\r\n", "*-1\r\n", "*-9223372036854775808\r\n"] {
            let ignored = Ok(CommandFrame::Ignored { consumed_bytes: empty.len() });
            assert_eq!(reader().next(&[empty.as_bytes(), b"*1"].concat()), ignored, "{empty:?}");
        }
    }

    #[test]
    fn a_command_is_whole_at_its_last_byte_and_not_before() {
        let input = b"*2\r\n$3\r\nGET\r\n$10\r\n0123456789\r\n";
        let mut reader = reader();
        for len in 0..input.len() {
            assert_eq!(reader.next(&input[..len]), Ok(CommandFrame::Incomplete), "{len}");
        }
        assert!(matches!(reader.next(input), Ok(CommandFrame::Whole { consumed_bytes: 30, .. })));
        assert!(matches!(reader.next(b"\r\n"), Ok(CommandFrame::Ignored { .. })));
    }

    #[test]
    fn arguments_that_were_passed_are_not_looked_at_again() {
        let mut reader = reader();
        assert_eq!(reader.next(b"*3\r\n$1\r\na\r\n$1"), Ok(CommandFrame::Incomplete));
        assert_eq!((reader.passed_bytes, reader.missing), (11, 2));
        assert_eq!(reader.next(b"???????????$1\r\nb\r\n"), Ok(CommandFrame::Incomplete));
        assert_eq!((reader.passed_bytes, reader.missing), (18, 1));
    }

    #[test]
    fn lengths_are_taken_as_strictly_as_redis_does() {
        for length in [
            "",
            "+1",
            "01",
            "1a",
            "-",
            "--1",
            "-0",
            "1 ",
            "1\rx",
            "1\n",
            "9223372036854775808",
            "-9223372036854775809",
        ] {
            assert_eq!(error(&format!("*{length}\r\n")), ProtocolError::ArrayLength, "{length:?}");
            assert_eq!(error(&format!("*1\r\n${length}\r\n")), ProtocolError::BulkLength, "{length:?}");
        }
        assert_eq!(error("*1\r\n$-1\r\n"), ProtocolError::BulkLength);
        assert_eq!(error("*1\r\n$-2\r\n"), ProtocolError::BulkLength);
    }

    #[test]
    fn a_line_without_end_is_refused_once_it_can_be_no_length() {
        assert_eq!(reader().next(b"*12345678901234567890"), Ok(CommandFrame::Incomplete));
        assert_eq!(error("*123456789012345678901"), ProtocolError::ArrayLength);
        assert_eq!(error("*1\r\n$123456789012345678901"), ProtocolError::BulkLength);
    }

    #[test]
    fn only_bulk_strings_may_stand_in_an_array() {
        assert_eq!(error("*1\r\n*1\r\n"), ProtocolError::NoBulk(b'*'));
        assert_eq!(error("*1\r\n:1\r\n"), ProtocolError::NoBulk(b':'));
        assert_eq!(error("*1\r\n\r\n"), ProtocolError::NoBulk(b'\r'));
        assert_eq!(error("PING\r\n"), ProtocolError::NoArray(b'P'));
        assert_eq!(error("\rPING\r\n"), ProtocolError::NoArray(b'\r'));
        assert_eq!(error("*1\r\n$4\r\nPINGS\r\n"), ProtocolError::MissingLineEnd);
        assert_eq!(error("*1\r\n$4\r\nPING\n*"), ProtocolError::MissingLineEnd);
    }

    #[test]
    fn a_declared_length_is_checked_before_anything_of_it_is_there() {
        assert_eq!(reader().next(format!("*{MAX_ARGUMENTS}\r\n").as_bytes()), Ok(CommandFrame::Incomplete));
        assert_eq!(error(&format!("*{}\r\n", MAX_ARGUMENTS + 1)), ProtocolError::ArrayLength);
        assert_eq!(error("*2147483647\r\n"), ProtocolError::ArrayLength);
        assert_eq!(reader().next(b"*1\r\n$20\r\n"), Ok(CommandFrame::Incomplete));
        assert_eq!(error("*1\r\n$21\r\n"), ProtocolError::BulkTooLong { len_bytes: 21, max_bytes: 20 });
        assert_eq!(error("*1\r\n$99999999999\r\n"), ProtocolError::BulkLength);
    }

    #[test]
    fn the_sum_of_all_arguments_is_limited() {
        let max_bytes = LIMITS.max_line_bytes();
        let input = ["*100\r\n", &"$20\r\n01234567890123456789\r\n".repeat(100)].concat();
        assert_eq!(error(&input), ProtocolError::CommandTooLong { max_bytes });
        let few = max_bytes / MIN_ARGUMENT_BYTES - 1;
        assert_eq!(reader().next(format!("*{few}\r\n$1\r\n").as_bytes()), Ok(CommandFrame::Incomplete));
        assert_eq!(error(&format!("*{}\r\n$1\r\n", few + 1)), ProtocolError::CommandTooLong { max_bytes });
    }
}
