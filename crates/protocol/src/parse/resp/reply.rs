//! Parser of RESP replies, one element at a time: a line, which is a whole reply or announces bytes or elements.

use bytes::Bytes;
use nom::{
    Finish, IResult, Parser,
    bytes::complete::{tag, take_till},
    combinator::all_consuming,
    error::{ErrorKind, ParseError},
    number::complete::u8,
    sequence::terminated,
};
use thiserror::Error;

use super::header::short_header;
use crate::{ErrorReply, Reply, parse_integer};

/// The line at the front of a server's reply, with its line end.
#[derive(Debug, PartialEq)]
pub(crate) enum Element {
    /// A reply that the line has all of.
    Whole(Reply),
    /// So many bytes follow, and a line end.
    Text { form: TextForm, len_bytes: usize },
    /// So many elements follow.
    Aggregate { form: AggregateForm, elements: usize },
}

/// Forms of replies whose bytes follow behind a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextForm {
    Bulk,
    Error,
    Verbatim,
}

/// Forms of replies that are made of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AggregateForm {
    Array,
    Set,
    Map,
    /// Names and values that tell something about the reply behind them.
    Attribute,
    /// A message that no request asked for.
    Push,
}

/// The reason why the bytes of a server are no reply of RESP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum BadReply {
    #[error("a reply begins with one of + - : $ * _ , # ( ! = % ~ > |, and not with '{}'", .0.escape_ascii())]
    Mark(u8),
    #[error("a line does not end in CRLF")]
    LineEnd,
    #[error("a number, a length, a truth value or a null is malformed")]
    Number,
    #[error("a byte string is not followed by CRLF")]
    TextEnd,
    #[error("a verbatim string does not begin with three letters and a colon")]
    VerbatimFormat,
    #[error("a line is longer than {max_bytes} bytes")]
    LineTooLong { max_bytes: usize },
    #[error("a byte string of {len_bytes} bytes is over the limit of {max_bytes}")]
    TextTooLong { len_bytes: usize, max_bytes: usize },
    #[error("a reply has more than {max_elements} elements")]
    TooManyElements { max_elements: usize },
    #[error("a reply is nested deeper than {max_depth} levels")]
    TooDeep { max_depth: usize },
    #[error("a push message stands inside a reply")]
    PushInside,
}

impl ParseError<&[u8]> for BadReply {
    fn from_error_kind(_: &[u8], _: ErrorKind) -> Self {
        Self::LineEnd
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Returns whether a reply can begin with this byte.
pub(crate) fn is_mark(byte: u8) -> bool {
    b"+-:$*_,#(!=%~>|".contains(&byte)
}

/// Parses the element that a whole line has.
#[inline]
pub(crate) fn element(line: &[u8]) -> Result<Element, BadReply> {
    // Written out, because nearly all replies of a pipeline are one of these.
    if line == b"+OK\r\n" {
        return Ok(Element::Whole(Reply::OK));
    }
    match short_header(b'$', line) {
        Some((_, len_bytes)) => Ok(Element::Text { form: TextForm::Bulk, len_bytes }),
        None => any_element(line),
    }
}

fn any_element(line: &[u8]) -> Result<Element, BadReply> {
    let (_, (mark, content)) = all_consuming((u8, content)).parse(line).finish()?;
    let text = |form| Ok(Element::Text { form, len_bytes: length(content)? });
    let aggregate = |form| Ok(Element::Aggregate { form, elements: length(content)? });
    let whole = match mark {
        b'+' => Some(Reply::Simple(String::from_utf8_lossy(content).into_owned().into())),
        b'-' => Some(ErrorReply::from_resp_line(content.to_vec()).into()),
        b':' => parse_integer(content).map(Reply::Integer),
        b',' => double(content).map(Reply::Double),
        b'(' => big_number(content).map(Reply::Bulk),
        b'#' => truth(content).map(Reply::Integer),
        b'_' => content.is_empty().then_some(Reply::Null),
        b'$' | b'*' if content == b"-1" => Some(Reply::Null),
        b'$' => return text(TextForm::Bulk),
        b'!' => return text(TextForm::Error),
        b'=' => return text(TextForm::Verbatim),
        b'*' => return aggregate(AggregateForm::Array),
        b'~' => return aggregate(AggregateForm::Set),
        b'%' => return aggregate(AggregateForm::Map),
        b'|' => return aggregate(AggregateForm::Attribute),
        b'>' => return aggregate(AggregateForm::Push),
        other => return Err(BadReply::Mark(other)),
    };
    whole.map(Element::Whole).ok_or(BadReply::Number)
}

fn content(input: &[u8]) -> IResult<&[u8], &[u8], BadReply> {
    terminated(take_till(|byte| matches!(byte, b'\r' | b'\n')), tag(&b"\r\n"[..])).parse(input)
}

fn length(digits: &[u8]) -> Result<usize, BadReply> {
    parse_integer(digits).and_then(|length| length.try_into().ok()).ok_or(BadReply::Number)
}

fn truth(line: &[u8]) -> Option<i64> {
    match line {
        b"t" => Some(1),
        b"f" => Some(0),
        _ => None,
    }
}

/// Returns the number that `text` is: decimal with or without an exponent, `inf`, `-inf` or `nan`.
fn double(text: &[u8]) -> Option<f64> {
    // Redis before version 7.2 writes `-nan` where its C library does.
    let is_word = matches!(text, b"inf" | b"-inf" | b"-nan") || text.eq_ignore_ascii_case(b"nan");
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let is_decimal = text.first() != Some(&b'+') && text.iter().all(is_part);
    (is_word || is_decimal).then_some(std::str::from_utf8(text).ok()?.parse().ok()?)
}

/// Returns a number of any length as its digits.
fn big_number(text: &[u8]) -> Option<Bytes> {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| Bytes::copy_from_slice(text))
}
