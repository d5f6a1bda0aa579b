//! Parsers of the headers that stand before an array and before each bulk string in it.

use nom::{
    Err, IResult, Needed,
    error::{ErrorKind, ParseError},
    number::streaming::u8,
};

use super::error::ProtocolError;
use crate::limits::MAX_ARGUMENTS;
use crate::parse_integer;

/// The longest decimal number of 64 bits and its sign.
const MAX_LENGTH_DIGITS: usize = 20;

/// A bulk string over this length has an invalid length to Redis; below it, the message names our own limit.
const REDIS_MAX_BULK_BYTES: usize = 512 * 1024 * 1024;

pub(super) type HeaderResult<'a, T> = IResult<&'a [u8], T, ProtocolError>;

impl ParseError<&[u8]> for ProtocolError {
    fn from_error_kind(_: &[u8], _: ErrorKind) -> Self {
        Self::MissingLineEnd
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Returns the number of arguments that follow; 0 for an empty line, or an array without items: both are ignored.
#[inline]
pub(super) fn array_header(input: &[u8]) -> HeaderResult<'_, usize> {
    short_header(b'*', input).map_or_else(|| any_array_header(input), Ok)
}

fn any_array_header(input: &[u8]) -> HeaderResult<'_, usize> {
    match u8(input)? {
        (rest, b'*') => length(rest, i64::MIN, MAX_ARGUMENTS, ProtocolError::ArrayLength),
        (rest, b'\n') => Ok((rest, 0)),
        ([], b'\r') => Err(Err::Incomplete(Needed::new(1))),
        ([b'\n', rest @ ..], b'\r') => Ok((rest, 0)),
        (_, other) => Err(Err::Failure(ProtocolError::NoArray(other))),
    }
}

/// Returns the length of the bulk string that follows, in bytes.
#[inline]
pub(super) fn bulk_header(input: &[u8]) -> HeaderResult<'_, usize> {
    short_header(b'$', input).map_or_else(|| any_bulk_header(input), Ok)
}

/// A header that is there and has one or two digits, as those of most commands, names and keys do.
///
/// Written out, because combinators took more than twice as long.
#[inline]
pub(super) fn short_header(mark: u8, input: &[u8]) -> Option<(&[u8], usize)> {
    let digit = |digit: &u8| digit.wrapping_sub(b'0');
    let (first, number, rest) = match input {
        [first, one, b'\r', b'\n', rest @ ..] if digit(one) < 10 => (first, digit(one), rest),
        [first, ten @ b'1'..=b'9', one, b'\r', b'\n', rest @ ..] if digit(one) < 10 => {
            (first, digit(ten) * 10 + digit(one), rest)
        }
        _ => return None,
    };
    (*first == mark).then_some((rest, number.into()))
}

fn any_bulk_header(input: &[u8]) -> HeaderResult<'_, usize> {
    match u8(input)? {
        (rest, b'$') => length(rest, 0, REDIS_MAX_BULK_BYTES, ProtocolError::BulkLength),
        (_, other) => Err(Err::Failure(ProtocolError::NoBulk(other))),
    }
}

/// The number up to the end of the line, 0 for one below that. A line that can be none from `min` to `max` is `error`
/// before its end is there.
fn length(input: &[u8], min: i64, max: usize, error: ProtocolError) -> HeaderResult<'_, usize> {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-');
    let Some(len) = input.iter().take(MAX_LENGTH_DIGITS + 1).position(|byte| !is_part(byte)) else {
        let too_long = input.len() > MAX_LENGTH_DIGITS;
        return Err(if too_long { Err::Failure(error) } else { Err::Incomplete(Needed::Unknown) });
    };
    let (number, line_end) = input.split_at(len);
    let number = parse_integer(number).filter(|number| *number >= min);
    let number =
        number.and_then(|number| usize::try_from(number.max(0)).ok()).filter(|number| *number <= max);
    match (number, line_end) {
        (Some(number), [b'\r', b'\n', rest @ ..]) => Ok((rest, number)),
        (Some(_), [b'\r']) => Err(Err::Incomplete(Needed::new(1))),
        _ => Err(Err::Failure(error)),
    }
}
