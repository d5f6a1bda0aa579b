//! Fields of a line: bare and quoted keys and values.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use nom::{
    Err, IResult, Parser,
    character::complete::char,
    error::{ErrorKind, ParseError},
};

pub(super) type LineResult<'a, T> = IResult<&'a [u8], T, SyntaxError>;

/// The error of a line; a type of its own keeps nom out of the crate's public API.
#[derive(Debug)]
pub(super) struct SyntaxError(pub(super) &'static str);

impl ParseError<&[u8]> for SyntaxError {
    fn from_error_kind(_: &[u8], _: ErrorKind) -> Self {
        Self("malformed line")
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// Refuses the line for good: nothing in this grammar needs backtracking.
pub(super) fn refuse(message: &'static str) -> Err<SyntaxError> {
    Err::Failure(SyntaxError(message))
}

/// Returns a parser that accepts what `parser` accepts, and refuses the line with `message` where that fails.
pub(super) fn expect<'a, P>(
    mut parser: P,
    message: &'static str,
) -> impl Parser<&'a [u8], Output = P::Output, Error = SyntaxError>
where
    P: Parser<&'a [u8], Error = ()>,
{
    move |input| parser.parse(input).map_err(|_| refuse(message))
}

/// The bytes up to the next space, perhaps none.
#[inline]
pub(super) fn word(input: &[u8]) -> (&[u8], &[u8]) {
    let (word, rest) = input.split_at(memchr(b' ', input).unwrap_or(input.len()));
    (rest, word)
}

/// Parses a field: a quoted string, or the bytes up to the next space. A space or the line's end follows it.
#[inline]
pub(super) fn field(input: &[u8]) -> LineResult<'_, Cow<'_, [u8]>> {
    if starts_quoted(input) { quoted(input) } else { bare(input) }
}

/// The rest of the line, unless that is a quoted string and perhaps more: every byte as it is.
#[inline]
pub(super) fn bare_rest(input: &[u8]) -> Option<Cow<'_, [u8]>> {
    (!starts_quoted(input)).then_some(Cow::Borrowed(input))
}

fn starts_quoted(input: &[u8]) -> bool {
    input.first() == Some(&b'"')
}

fn bare(input: &[u8]) -> LineResult<'_, Cow<'_, [u8]>> {
    let (rest, word) = word(input);
    if word.is_empty() {
        return Err(refuse(
            "a field is missing; fields are separated by one space, and an empty one is \"\"",
        ));
    }
    Ok((rest, Cow::Borrowed(word)))
}

fn quoted(input: &[u8]) -> LineResult<'_, Cow<'_, [u8]>> {
    const UNCLOSED: &str = "a quoted string has no closing quote";
    let (body, _) = expect(char('"'), UNCLOSED).parse(input)?;
    let (mut rest, mut decoded_bytes) = (body, 0);
    loop {
        let Some(at) = memchr2(b'"', b'\\', rest) else { return Err(refuse(UNCLOSED)) };
        decoded_bytes += at;
        let (_, tail) = rest.split_at(at);
        let Some(after_quote) = tail.strip_prefix(b"\"") else {
            (rest, _) = escape(tail)?;
            decoded_bytes += 1;
            continue;
        };
        if !matches!(after_quote.first(), None | Some(b' ')) {
            return Err(refuse(
                "a closing quote must be followed by a space or the line's end; write \\\" inside",
            ));
        }
        let (raw, _) = body.split_at(body.len() - tail.len());
        return Ok((after_quote, unescape(raw, decoded_bytes)?));
    }
}

/// Resolves the escapes of what is that long without them.
fn unescape(raw: &[u8], decoded_bytes: usize) -> Result<Cow<'_, [u8]>, Err<SyntaxError>> {
    if decoded_bytes == raw.len() {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(decoded_bytes);
    let mut rest = raw;
    while let Some(at) = memchr(b'\\', rest) {
        let (plain, escaped) = rest.split_at(at);
        let (after, byte) = escape(escaped)?;
        decoded.extend_from_slice(plain);
        decoded.push(byte);
        rest = after;
    }
    decoded.extend_from_slice(rest);
    Ok(Cow::Owned(decoded))
}

/// Binary values are full of escapes, so this one is written out: combinators took more than twice as long.
fn escape(input: &[u8]) -> LineResult<'_, u8> {
    let (byte, rest) = match input {
        [b'\\', b'x', high, low, rest @ ..] => (hex_byte(*high, *low), rest),
        [b'\\', name, rest @ ..] => (named_escape(*name), rest),
        _ => (None, input),
    };
    match byte {
        Some(byte) => Ok((rest, byte)),
        None => Err(refuse("unknown escape in a quoted string; there are \\\" \\\\ \\r \\n \\t \\xHH")),
    }
}

fn named_escape(name: u8) -> Option<u8> {
    match name {
        b'"' | b'\\' => Some(name),
        b'r' => Some(b'\r'),
        b'n' => Some(b'\n'),
        b't' => Some(b'\t'),
        _ => None,
    }
}

fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |digit| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
