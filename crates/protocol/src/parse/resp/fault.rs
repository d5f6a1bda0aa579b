//! Why a connection of RESP cannot go on.

use crate::{ErrorCode, ErrorReply};

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
    /// Returns the error that is answered, in Redis's words where it has some.
    pub(super) fn error(self) -> ErrorReply {
        let (code, problem) = match self {
            Self::ArrayLength => (ErrorCode::Syntax, b"invalid multibulk length".to_vec()),
            Self::BulkLength => (ErrorCode::Syntax, b"invalid bulk length".to_vec()),
            Self::NoArray(got) => (ErrorCode::Syntax, expected("'*'", got)),
            Self::NoBulk(got) => (ErrorCode::Syntax, expected("'$'", got)),
            Self::MissingLineEnd => (ErrorCode::Syntax, b"expected CRLF after a bulk string".to_vec()),
            Self::BulkTooLong { len_bytes, max_bytes } => {
                let problem = format!("bulk of {len_bytes} bytes is over the limit of {max_bytes}");
                (ErrorCode::TooLarge, problem.into_bytes())
            }
            Self::CommandTooLong { max_bytes } => {
                (ErrorCode::TooLarge, format!("command is longer than {max_bytes} bytes").into_bytes())
            }
        };
        ErrorReply::with_bytes(code, [b"ERR Protocol error: ", &problem[..]].concat())
    }
}

fn expected(what: &str, got: u8) -> Vec<u8> {
    [b"expected ", what.as_bytes(), b", got '", &[got], b"'"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fault: Fault) -> String {
        fault.error().line().escape_ascii().to_string().replace("\\'", "'")
    }

    #[test]
    fn faults_are_told_as_in_redis() {
        assert_eq!(line(Fault::ArrayLength), "ERR Protocol error: invalid multibulk length");
        assert_eq!(line(Fault::BulkLength), "ERR Protocol error: invalid bulk length");
        assert_eq!(line(Fault::NoBulk(b'*')), "ERR Protocol error: expected '$', got '*'");
        assert_eq!(line(Fault::NoBulk(0xff)), r"ERR Protocol error: expected '$', got '\xff'");
    }

    #[test]
    fn a_fault_that_redis_does_not_know_names_its_limit() {
        let too_long = Fault::BulkTooLong { len_bytes: 9, max_bytes: 8 };
        assert_eq!(line(too_long), "ERR Protocol error: bulk of 9 bytes is over the limit of 8");
        let too_long = Fault::CommandTooLong { max_bytes: 8 };
        assert_eq!(line(too_long), "ERR Protocol error: command is longer than 8 bytes");
    }
}
