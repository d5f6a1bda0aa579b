//! Reads the arguments of commands; what is wrong with them is said in Redis's words where it has some.

use std::fmt::Display;

use rustvault_protocol::{Command, ErrorCode, ErrorReply, limits::MAX_GLOB_BYTES, parse_integer};

use super::{Refusal, check_len};

/// Refuses a command; `message` says why.
#[cold]
pub(super) fn refusal(code: ErrorCode, message: impl Display) -> Refusal {
    Box::new(ErrorReply::new(code, message))
}

/// Refuses a command in Redis's words.
#[cold]
pub(super) fn refuse(line: &'static str) -> Refusal {
    Box::new(ErrorReply::fixed(ErrorCode::Syntax, line))
}

pub(super) fn syntax_error() -> Refusal {
    refuse("ERR syntax error")
}

/// Says how to write a command.
#[cold]
pub(super) fn usage(command: Command) -> Refusal {
    refusal(ErrorCode::Syntax, format_args!("usage: {}", command.spec().usage()))
}

/// Says that `word` is wrong.
#[cold]
pub(super) fn refuse_word(before: &str, word: &[u8]) -> Refusal {
    Box::new(ErrorReply::about_word(ErrorCode::Syntax, before, word, ""))
}

pub(super) fn integer(text: &[u8]) -> Result<i64, Refusal> {
    parse_integer(text).ok_or_else(|| refuse("ERR value is not an integer or out of range"))
}

pub(super) fn glob(text: &[u8]) -> Result<&[u8], Refusal> {
    check_len("pattern", text, MAX_GLOB_BYTES).map(|()| text)
}

/// Returns the cursor that `text` is. Redis reads it with `strtoul`, which takes `+`, `-`, leading zeros and nothing at all.
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

/// Returns the number that `text` is, if it has digits alone.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    // The standard library takes a `+`, too.
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
