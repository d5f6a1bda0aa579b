use bytes::Bytes;

use crate::ErrorCode;

/// What a server answers, generic over how values are held.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Response<B = Bytes> {
    /// Done; under the server's sync policy the write is durable.
    Ok,
    /// The answer to `PING`.
    Pong,
    /// There is no such key.
    NotFound,
    /// One value.
    Value(B),
    /// Several values, `None` for one that is not there; one answer.
    List(Vec<Option<B>>),
    /// The command was not carried out, unless `code` is [`ErrorCode::Storage`]: then the outcome is unknown.
    Error {
        /// What kind of error, for programs.
        code: ErrorCode,
        /// What happened and what to do, for a person; one line.
        message: String,
    },
}
