//! Finds the code of an error by its line in RESP: by its kind, or by Redis's sentence where the kind is `ERR`.

use std::borrow::Cow;

use crate::{ErrorCode, ErrorReply};

/// The kinds of errors that tell their code, those of Redis and our own.
const KINDS: &[(&[u8], ErrorCode)] = &[
    (b"ERR", ErrorCode::Syntax),
    (b"OOM", ErrorCode::OutOfMemory),
    (b"MISCONF", ErrorCode::ReadOnly),
    (b"READONLY", ErrorCode::ReadOnly),
    (b"STORAGE", ErrorCode::Storage),
    (b"NOAUTH", ErrorCode::AuthRequired),
    (b"NOPERM", ErrorCode::Denied),
    (b"WRONGPASS", ErrorCode::Denied),
    (b"DENIED", ErrorCode::Denied),
    (b"NOPROTO", ErrorCode::Syntax),
    (b"WRONGTYPE", ErrorCode::WrongType),
    (b"TOOLARGE", ErrorCode::TooLarge),
    (b"TIMEOUT", ErrorCode::Timeout),
    (b"SHUTDOWN", ErrorCode::ShuttingDown),
    (b"BUSY", ErrorCode::Busy),
    (b"MOVED", ErrorCode::Moved),
];

/// Beginnings of `ERR` lines that have a code of their own, nearly all of them Redis's; any other `ERR` is a matter of how the
/// command was written.
const SENTENCES: &[(&[u8], ErrorCode)] = &[
    (b"ERR unknown command", ErrorCode::UnknownCommand),
    (b"ERR unknown subcommand", ErrorCode::UnknownCommand),
    (b"ERR max number of clients", ErrorCode::TooManyConnections),
    (b"ERR no such key", ErrorCode::NoSuchKey),
    // Redis says so of arguments, too, which are a matter of syntax: the line is the same.
    (b"ERR value is not an integer", ErrorCode::WrongType),
    (b"ERR value is not a valid float", ErrorCode::WrongType),
    (b"ERR hash value is not", ErrorCode::WrongType),
    (b"ERR increment or decrement would overflow", ErrorCode::OutOfRange),
    (b"ERR decrement would overflow", ErrorCode::OutOfRange),
    (b"ERR increment would produce NaN or Infinity", ErrorCode::OutOfRange),
    (b"ERR string exceeds maximum allowed size", ErrorCode::TooLarge),
    // What RustVault's own parser says of a request that is over a limit.
    (b"ERR Protocol error: bulk of ", ErrorCode::TooLarge),
    (b"ERR Protocol error: command is longer", ErrorCode::TooLarge),
    (b"ERR Background append only file rewriting already in progress", ErrorCode::Busy),
    // What a login that was not tried is told, with the texts of the server.
    (b"ERR too many failed logins", ErrorCode::Busy),
    (b"ERR too many logins at once", ErrorCode::Busy),
    (b"ERR the users are being changed", ErrorCode::Busy),
    (b"ERR AUTH <password> called without any password", ErrorCode::Denied),
];

impl ErrorReply {
    /// An error as it stands in RESP, for example `OOM the memory limit is reached`, without its mark and line end.
    ///
    /// Its code is found by its kind, the first word, and where that is `ERR` by what Redis says then; of any other `ERR` it is
    /// [`ErrorCode::Syntax`]. Of a kind that this version does not know it is [`ErrorCode::Other`], and the message is the
    /// whole line.
    pub fn from_resp_line(line: Vec<u8>) -> Self {
        let code = code_of(&line);
        let text = (code == ErrorCode::Other).then(|| String::from_utf8_lossy(&line).into());
        Self { code, line: Cow::Owned(line), text }
    }
}

fn code_of(line: &[u8]) -> ErrorCode {
    let kind = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let sentence = SENTENCES.iter().find(|(beginning, _)| line.starts_with(beginning));
    let found = sentence.or_else(|| KINDS.iter().find(|(known, _)| *known == kind));
    found.map_or(ErrorCode::Other, |(_, code)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> ErrorCode {
        ErrorReply::from_resp_line(line.into()).code
    }

    #[test]
    fn a_code_with_a_kind_of_its_own_survives_resp() {
        // Redis says these with ERR and a sentence, and Other stands for kinds that are not known.
        let without_kind = [
            ErrorCode::UnknownCommand,
            ErrorCode::TooManyConnections,
            ErrorCode::Busy,
            ErrorCode::WrongType,
            ErrorCode::OutOfRange,
            ErrorCode::NoSuchKey,
            ErrorCode::Other,
        ];
        for sent in ErrorCode::ALL {
            let error = ErrorReply::new(sent, "what happened");
            let expected = if without_kind.contains(&sent) { ErrorCode::Syntax } else { sent };
            let received = ErrorReply::from_resp_line(error.line().to_vec());
            assert_eq!((received.code, received.message()), (expected, error.message()), "{sent}");
        }
    }

    #[test]
    fn what_redis_says_in_a_sentence_has_a_code() {
        for (line, expected) in [
            ("ERR unknown command 'FOO', with args beginning with: ", ErrorCode::UnknownCommand),
            ("ERR unknown subcommand 'x'. Try CLIENT HELP.", ErrorCode::UnknownCommand),
            ("ERR max number of clients reached", ErrorCode::TooManyConnections),
            ("ERR no such key", ErrorCode::NoSuchKey),
            ("ERR value is not an integer or out of range", ErrorCode::WrongType),
            ("ERR value is not a valid float", ErrorCode::WrongType),
            ("ERR hash value is not an integer", ErrorCode::WrongType),
            ("ERR increment or decrement would overflow", ErrorCode::OutOfRange),
            ("ERR decrement would overflow", ErrorCode::OutOfRange),
            ("ERR increment would produce NaN or Infinity", ErrorCode::OutOfRange),
            ("ERR string exceeds maximum allowed size (proto-max-bulk-len)", ErrorCode::TooLarge),
            ("ERR Background append only file rewriting already in progress", ErrorCode::Busy),
            ("ERR syntax error", ErrorCode::Syntax),
            ("ERR Protocol version is not an integer or out of range", ErrorCode::Syntax),
            ("ERR", ErrorCode::Syntax),
            ("NOPROTO unsupported protocol version", ErrorCode::Syntax),
            (
                "ERR AUTH <password> called without any password configured for the default user.",
                ErrorCode::Denied,
            ),
            ("WRONGPASS invalid username-password pair", ErrorCode::Denied),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", ErrorCode::WrongType),
            ("READONLY You can't write against a read only replica.", ErrorCode::ReadOnly),
            ("BUSY Redis is busy running a script.", ErrorCode::Busy),
            ("MOVED 3999 127.0.0.1:6381", ErrorCode::Moved),
        ] {
            assert_eq!(code(line), expected, "{line}");
        }
    }

    #[test]
    fn an_unknown_kind_is_kept_in_the_message() {
        for line in
            ["EXECABORT Transaction discarded", "BUSYKEY Target key name already exists.", "err x", ""]
        {
            let error = ErrorReply::from_resp_line(line.into());
            assert_eq!(
                (error.code, error.line(), error.message()),
                (ErrorCode::Other, line.as_bytes(), line.as_bytes())
            );
        }
    }
}
