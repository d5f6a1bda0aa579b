//! Why a connection of RESP cannot go on.

use crate::{ErrorCode, ErrorReply};

/// Why a connection cannot go on: nobody knows where the next command starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProtocolError {
    ArrayLength,
    BulkLength,
    NoArray(u8),
    NoBulk(u8),
    MissingLineEnd,
    BulkTooLong { len_bytes: usize, max_bytes: usize },
    CommandTooLong { max_bytes: usize },
}

impl ProtocolError {
    /// Returns the error that is answered, in Redis's words where it has some.
    pub(super) fn reply(self) -> ErrorReply {
        match self {
            Self::ArrayLength => malformed(b"invalid multibulk length"),
            Self::BulkLength => malformed(b"invalid bulk length"),
            Self::NoArray(got) => malformed(&[b"expected '*', got '", &[got][..], b"'"].concat()),
            Self::NoBulk(got) => malformed(&[b"expected '$', got '", &[got][..], b"'"].concat()),
            Self::MissingLineEnd => malformed(b"expected CRLF after a bulk string"),
            Self::BulkTooLong { len_bytes, max_bytes } => {
                too_large(format!("bulk of {len_bytes} bytes is over the limit of {max_bytes}"))
            }
            Self::CommandTooLong { max_bytes } => {
                too_large(format!("command is longer than {max_bytes} bytes"))
            }
        }
    }
}

fn malformed(problem: &[u8]) -> ErrorReply {
    protocol_error(ErrorCode::Syntax, problem)
}

fn too_large(problem: String) -> ErrorReply {
    protocol_error(ErrorCode::TooLarge, problem.as_bytes())
}

/// Says it as Redis says all that ends a connection, whatever its code: clients know the words.
fn protocol_error(code: ErrorCode, problem: &[u8]) -> ErrorReply {
    ErrorReply::with_bytes(code, [b"ERR Protocol error: ", problem].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(error: ProtocolError) -> String {
        error.reply().line().escape_ascii().to_string().replace("\\'", "'")
    }

    #[test]
    fn faults_are_told_as_in_redis() {
        assert_eq!(line(ProtocolError::ArrayLength), "ERR Protocol error: invalid multibulk length");
        assert_eq!(line(ProtocolError::BulkLength), "ERR Protocol error: invalid bulk length");
        assert_eq!(line(ProtocolError::NoBulk(b'*')), "ERR Protocol error: expected '$', got '*'");
        assert_eq!(line(ProtocolError::NoBulk(0xff)), r"ERR Protocol error: expected '$', got '\xff'");
    }

    #[test]
    fn an_error_that_redis_does_not_know_names_its_limit() {
        let too_long = ProtocolError::BulkTooLong { len_bytes: 9, max_bytes: 8 };
        assert_eq!(line(too_long), "ERR Protocol error: bulk of 9 bytes is over the limit of 8");
        let too_long = ProtocolError::CommandTooLong { max_bytes: 8 };
        assert_eq!(line(too_long), "ERR Protocol error: command is longer than 8 bytes");
    }

    #[test]
    fn a_client_finds_the_code_of_a_protocol_error_by_its_line() {
        for error in [
            ProtocolError::ArrayLength,
            ProtocolError::BulkLength,
            ProtocolError::NoArray(b'x'),
            ProtocolError::NoBulk(b'x'),
            ProtocolError::MissingLineEnd,
            ProtocolError::BulkTooLong { len_bytes: 9, max_bytes: 8 },
            ProtocolError::CommandTooLong { max_bytes: 8 },
        ] {
            let sent = error.reply();
            assert_eq!(ErrorReply::from_resp_line(sent.line().to_vec()), sent);
        }
    }
}
