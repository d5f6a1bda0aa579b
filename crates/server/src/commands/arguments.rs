//! Reads the arguments of commands. Errors have Redis's sentences where Redis has one; in the text protocol they also name a bad
//! number.

use std::fmt::Display;

use rustvault_protocol::{Command, ErrorCode, ErrorReply, limits::MAX_GLOB_BYTES, parse_integer};

use super::{Refusal, check_len, too_long};

/// Returns an error with this message.
#[cold]
pub(super) fn refusal(code: ErrorCode, message: impl Display) -> Refusal {
    Box::new(ErrorReply::new(code, message))
}

/// Returns an error with one of Redis's sentences.
#[cold]
pub(super) fn refuse(line: &'static str) -> Refusal {
    Box::new(ErrorReply::fixed(ErrorCode::Syntax, line))
}

pub(super) fn syntax_error() -> Refusal {
    refuse("ERR syntax error")
}

/// Returns a usage error with the syntax of a command.
#[cold]
pub(super) fn usage(command: Command) -> Refusal {
    refusal(ErrorCode::Syntax, format_args!("usage: {}", command.spec().usage()))
}

/// Returns an error that names `word`.
#[cold]
pub(super) fn refuse_word(before: &str, word: &[u8]) -> Refusal {
    Box::new(ErrorReply::about_word(ErrorCode::Syntax, before, word, ""))
}

/// Longest text of a decimal number that the store reads, in bytes.
const MAX_DECIMAL_BYTES: usize = 1100;

/// Reads an argument as an integer; `name` is its name in the error.
pub(super) fn integer(name: &str, text: &[u8]) -> Result<i64, Refusal> {
    parse_integer(text).ok_or_else(|| {
        let expected = format_args!("{name} must be a whole number of 64 bits, without + or leading zeros");
        refuse_number("ERR value is not an integer or out of range", expected)
    })
}

/// Checks that an argument is a decimal number. The store's error for it would be the same as for a stored value that is not a
/// number.
pub(super) fn float<'b>(name: &str, text: &'b [u8]) -> Result<&'b [u8], Refusal> {
    let number = str::from_utf8(text).ok().filter(|text| text.len() <= MAX_DECIMAL_BYTES);
    let number = number.and_then(|text| text.parse::<f64>().ok());
    match number.filter(|number| !number.is_nan()) {
        Some(_) => Ok(text),
        None => Err(refuse_number(
            "ERR value is not a valid float",
            format_args!(
                "{name} must be a decimal number of at most {MAX_DECIMAL_BYTES} characters, such as 0.5 or -2e3"
            ),
        )),
    }
}

/// Returns the error for an argument: Redis's sentence, which does not name it; in text `expected` does.
#[cold]
fn refuse_number(line: &'static str, expected: impl Display) -> Refusal {
    Box::new(ErrorReply::fixed(ErrorCode::Syntax, line).with_text(expected))
}

pub(super) fn glob(text: &[u8]) -> Result<&[u8], Refusal> {
    check_len("pattern", text, MAX_GLOB_BYTES).map(|()| text)
}

/// Returns the glob of a scan. One that is a prefix may be as long as that of a key: matching it is one comparison.
pub(super) fn scan_glob(text: &[u8], max_key_bytes: usize) -> Result<&[u8], Refusal> {
    match prefix_bytes(text) {
        Some(bytes) if text.len() > MAX_GLOB_BYTES => {
            let is_short = bytes <= max_key_bytes;
            if is_short { Ok(text) } else { Err(too_long("prefix", bytes, max_key_bytes)) }
        }
        _ => glob(text),
    }
}

/// Returns the length of the prefix that a glob is, if it is nothing else.
fn prefix_bytes(glob: &[u8]) -> Option<usize> {
    let (mut bytes, mut rest) = (0, glob);
    loop {
        rest = match rest {
            b"*" => return Some(bytes),
            [b'\\', _, rest @ ..] => rest,
            [b'*' | b'?' | b'[' | b'\\', ..] | [] => return None,
            [_, rest @ ..] => rest,
        };
        bytes += 1;
    }
}

/// Reads a cursor as Redis does, with `strtoul`, which accepts `+`, `-`, leading zeros and an empty text.
pub(super) fn cursor(text: &[u8]) -> Result<u64, Refusal> {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    match decimal(digits) {
        Some(number) => Ok(if is_negative { number.wrapping_neg() } else { number }),
        None if text.is_empty() => Ok(0),
        None => Err(refuse("ERR invalid cursor")),
    }
}

/// Reads a number that consists of digits alone.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    // The standard library would accept a `+`.
    str::from_utf8(text).ok().filter(|text| !text.starts_with('+'))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_taken_as_strtoul_does() {
        for (text, expected) in
            [("0", 0), ("", 0), ("+1", 1), ("007", 7), ("-1", u64::MAX), ("18446744073709551615", u64::MAX)]
        {
            assert_eq!(cursor(text.as_bytes()), Ok(expected), "{text:?}");
        }
        for bad in [" 1", "1 ", "x", "+", "-", "--1", "18446744073709551616"] {
            assert!(cursor(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
