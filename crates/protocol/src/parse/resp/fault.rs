//! What Redis answers to bytes and commands that it cannot do anything with.

use std::borrow::Cow;

use super::frame::Arguments;
use crate::ProtocolError;
use crate::limits::{MAX_GLOB_BYTES, MAX_GLOBS_BYTES};

/// How much of a name, and of the arguments after it, an error shows.
const MAX_SHOWN_BYTES: usize = 128;

/// Why a connection cannot go on: nobody knows where the next command starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    ArrayLength,
    BulkLength,
    NoArray(u8),
    NoBulk(u8),
    MissingLineEnd,
    BulkTooLong { len_bytes: usize, max_bytes: usize },
    CommandTooLong { max_bytes: usize },
}

impl Fault {
    /// The error's line, without `-` and line end.
    pub(super) fn message(self) -> Cow<'static, [u8]> {
        match self {
            Self::ArrayLength => b"ERR Protocol error: invalid multibulk length".into(),
            Self::BulkLength => b"ERR Protocol error: invalid bulk length".into(),
            Self::NoArray(got) => expected("'*'", got),
            Self::NoBulk(got) => expected("'$'", got),
            Self::MissingLineEnd => b"ERR Protocol error: expected CRLF after a bulk string".into(),
            Self::BulkTooLong { len_bytes, max_bytes } => {
                let problem = format!("bulk of {len_bytes} bytes is over the limit of {max_bytes}");
                format!("ERR Protocol error: {problem}").into_bytes().into()
            }
            Self::CommandTooLong { max_bytes } => {
                format!("ERR Protocol error: command is longer than {max_bytes} bytes").into_bytes().into()
            }
        }
    }
}

fn expected(what: &str, got: u8) -> Cow<'static, [u8]> {
    [b"ERR Protocol error: expected ", what.as_bytes(), b", got '", &[got], b"'"].concat().into()
}

/// Why a command is not carried out: the error's line, without `-` and line end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) Cow<'static, [u8]>);

impl Refusal {
    pub(super) const SYNTAX: Self = Self::fixed("ERR syntax error");
    pub(super) const NOT_AN_INTEGER: Self = Self::fixed("ERR value is not an integer or out of range");

    pub(super) const fn fixed(line: &'static str) -> Self {
        Self(Cow::Borrowed(line.as_bytes()))
    }

    pub(super) fn wrong_number_of_arguments(command: &str) -> Self {
        Self(format!("ERR wrong number of arguments for '{command}' command").into_bytes().into())
    }

    pub(super) fn unknown_command(name: &[u8], arguments: Arguments<'_>) -> Self {
        let mut shown_arguments = Vec::new();
        for argument in arguments {
            let Some(room) = MAX_SHOWN_BYTES.checked_sub(shown_arguments.len()).filter(|room| *room > 0)
            else {
                break;
            };
            shown_arguments.extend([b"'", shown(argument, room), b"' "].concat());
        }
        let name = shown(name, MAX_SHOWN_BYTES);
        let line = [b"ERR unknown command '", name, b"', with args beginning with: ", &shown_arguments];
        Self(line.concat().into())
    }

    pub(super) fn unknown_subcommand(command: &str, name: &[u8]) -> Self {
        let name = shown(name, MAX_SHOWN_BYTES);
        let command = command.to_ascii_uppercase();
        let line = [b"ERR unknown subcommand '", name, b"'. Try ", command.as_bytes(), b" HELP."];
        Self(line.concat().into())
    }

    /// Says of an option that Redis has what is missing here: a bare syntax error would send its user looking for a typo.
    pub(super) fn option_of_set(option: &[u8]) -> Self {
        let is_one_of = |names: &[&'static str]| {
            names.iter().copied().find(|name| option.eq_ignore_ascii_case(name.as_bytes()))
        };
        if let Some(name) = is_one_of(&["EX", "PX", "EXAT", "PXAT", "KEEPTTL"]) {
            let problem = format!("there is no expiry yet: SET does not take {name}, and nothing was stored");
            return Self(format!("ERR {problem}").into_bytes().into());
        }
        if let Some(name) = is_one_of(&["NX", "XX", "GET"]) {
            return Self(
                format!("ERR SET does not take {name} yet, and nothing was stored").into_bytes().into(),
            );
        }
        Self::SYNTAX
    }

    pub(super) fn unrecognized_option(option: &[u8]) -> Self {
        Self([b"ERR Unrecognized option '", until_nul(option), b"'"].concat().into())
    }

    pub(super) fn glob_too_long(len_bytes: usize) -> Self {
        let problem = format!("pattern of {len_bytes} bytes is over the limit of {MAX_GLOB_BYTES}");
        Self(format!("ERR {problem}").into_bytes().into())
    }

    pub(super) fn globs_too_long(len_bytes: usize) -> Self {
        let patterns = format!("patterns of {len_bytes} bytes, with spaces between them,");
        Self(format!("ERR {patterns} are over the limit of {MAX_GLOBS_BYTES}").into_bytes().into())
    }

    pub(super) fn hello_option(option: &[u8]) -> Self {
        Self([b"ERR Syntax error in HELLO option '", until_nul(option), b"'"].concat().into())
    }
}

impl From<ProtocolError> for Refusal {
    fn from(error: ProtocolError) -> Self {
        Self(format!("ERR {error}").into_bytes().into())
    }
}

fn shown(text: &[u8], max_bytes: usize) -> &[u8] {
    let text = until_nul(text);
    text.get(..max_bytes).unwrap_or(text)
}

/// Redis prints what it was sent as C strings.
fn until_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_as_in_redis() {
        let message = |fault: Fault| fault.message().escape_ascii().to_string().replace("\\'", "'");
        assert_eq!(message(Fault::ArrayLength), "ERR Protocol error: invalid multibulk length");
        assert_eq!(message(Fault::BulkLength), "ERR Protocol error: invalid bulk length");
        assert_eq!(message(Fault::NoBulk(b'*')), "ERR Protocol error: expected '$', got '*'");
        assert_eq!(message(Fault::NoBulk(0xff)), r"ERR Protocol error: expected '$', got '\xff'");
    }

    #[test]
    fn a_fault_that_redis_does_not_know_names_its_limit() {
        let too_long = Fault::BulkTooLong { len_bytes: 9, max_bytes: 8 };
        assert_eq!(&*too_long.message(), b"ERR Protocol error: bulk of 9 bytes is over the limit of 8");
        let too_long = Fault::CommandTooLong { max_bytes: 8 };
        assert_eq!(&*too_long.message(), b"ERR Protocol error: command is longer than 8 bytes");
    }
}
