//! Makes replies from outcomes of the store, and holds their bytes.

use std::ops::Range;

use rustvault_protocol::{ErrorCode, ErrorReply, Reply, Request};
use rustvault_storage::batch::Outcome;
use rustvault_storage::{Error, Key, Value};

use super::Refusal;

/// Bytes of a reply. Stored bytes are shared, not copied.
#[derive(Debug)]
pub(crate) enum Payload<'a> {
    Key(Key),
    Value(Value),
    /// A part of a value.
    Part(Value, Range<u32>),
    Owned(Vec<u8>),
    /// Bytes of the request, or of a constant.
    Borrowed(&'a [u8]),
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Key(key) => key.as_ref(),
            Self::Value(value) => value.as_ref(),
            Self::Part(value, range) => {
                value.get(range.start as usize..range.end as usize).unwrap_or_default()
            }
            Self::Owned(bytes) => bytes,
            Self::Borrowed(bytes) => bytes,
        }
    }
}

/// Returns a byte string that the reply owns.
pub(crate) fn bulk<'a>(text: impl Into<String>) -> Reply<Payload<'a>> {
    Reply::Bulk(Payload::Owned(text.into().into_bytes()))
}

/// Returns a byte string that the reply borrows.
pub(crate) const fn borrowed(bytes: &[u8]) -> Reply<Payload<'_>> {
    Reply::Bulk(Payload::Borrowed(bytes))
}

/// Returns the value that was read, or null.
pub(crate) fn value<'a>(outcome: Outcome, _: Request<'a>) -> Reply<Payload<'a>> {
    match outcome {
        Outcome::Value(Some(value)) => Reply::Bulk(Payload::Value(value)),
        Outcome::Value(None) => Reply::Null,
        _ => unexpected().into(),
    }
}

/// Returns `OK`, or null if the key does not exist or the condition did not hold.
pub(crate) fn ok<'a>(outcome: Outcome, _: Request<'a>) -> Reply<Payload<'a>> {
    match outcome {
        Outcome::Stored
        | Outcome::Cleared
        | Outcome::Changed(true)
        | Outcome::Deleted(true)
        | Outcome::Exists(true) => Reply::OK,
        Outcome::Changed(false) | Outcome::Deleted(false) | Outcome::Exists(false) => Reply::Null,
        _ => unexpected().into(),
    }
}

/// Returns the outcome as a number: a count of keys or bytes, a sum, or 1 if the operation took effect and 0 if not.
pub(crate) fn number<'a>(outcome: Outcome, _: Request<'a>) -> Reply<Payload<'a>> {
    match outcome {
        Outcome::Count(count) => integer(count),
        Outcome::Integer(number) => Reply::Integer(number),
        Outcome::Changed(is_one) | Outcome::Deleted(is_one) | Outcome::Exists(is_one) => {
            Reply::Integer(is_one.into())
        }
        _ => unexpected().into(),
    }
}

/// Returns a number, or the largest one that a reply can have.
pub(crate) fn integer<'a>(number: impl TryInto<i64>) -> Reply<Payload<'a>> {
    Reply::Integer(number.try_into().unwrap_or(i64::MAX))
}

/// Returns the error for an outcome that the operation never has.
#[cold]
pub(crate) fn unexpected() -> Refusal {
    store_error(Error::Internal("the store gave an outcome that the server does not know"))
}

/// Returns the error for a failure of the store.
#[cold]
pub(crate) fn store_error(failure: Error) -> Refusal {
    let code = match &failure {
        Error::KeyTooLarge { .. }
        | Error::ValueTooLarge { .. }
        | Error::WriteTooLarge { .. }
        | Error::TooManyKeys { .. } => ErrorCode::TooLarge,
        Error::Closed => ErrorCode::ShuttingDown,
        Error::DiskFull | Error::LogRemoved { .. } => ErrorCode::ReadOnly,
        Error::OutOfMemory { .. } => ErrorCode::OutOfMemory,
        Error::NotAnInteger | Error::NotADecimal => ErrorCode::WrongType,
        Error::Overflow | Error::NotFinite => ErrorCode::OutOfRange,
        Error::NoSuchKey => ErrorCode::NoSuchKey,
        _ => ErrorCode::Storage,
    };
    Box::new(ErrorReply::new(code, failure))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_full_disk_is_told_first_and_its_code_says_that_reads_go_on() {
        let error = store_error(Error::DiskFull);
        assert_eq!(error.code, ErrorCode::ReadOnly);
        assert!(error.message().starts_with(b"disk full"), "{error}");
    }

    #[test]
    fn store_errors_have_the_code_that_says_whether_the_outcome_is_known() {
        let code = |failure: Error| store_error(failure).code;
        assert_eq!(code(Error::ValueTooLarge { len_bytes: 2, max_bytes: 1 }), ErrorCode::TooLarge);
        assert_eq!(code(Error::WriteTooLarge { len_bytes: 2, max_bytes: 1 }), ErrorCode::TooLarge);
        assert_eq!(code(Error::Closed), ErrorCode::ShuttingDown);
        assert_eq!(code(Error::OutOfMemory { max_bytes: 1 }), ErrorCode::OutOfMemory);
        assert_eq!(code(Error::Poisoned { cause: Arc::new(Error::Closed) }), ErrorCode::Storage);
    }

    #[test]
    fn a_client_of_resp_finds_the_code_of_every_store_error() {
        for failure in [
            Error::KeyTooLarge { len_bytes: 2, max_bytes: 1 },
            Error::ValueTooLarge { len_bytes: 2, max_bytes: 1 },
            Error::WriteTooLarge { len_bytes: 2, max_bytes: 1 },
            Error::TooManyKeys { max_keys: 1 },
            Error::Closed,
            Error::DiskFull,
            Error::LogRemoved { path: "log".into(), reason: "was removed" },
            Error::OutOfMemory { max_bytes: 1 },
            Error::NotAnInteger,
            Error::NotADecimal,
            Error::Overflow,
            Error::NotFinite,
            Error::NoSuchKey,
            Error::UpdatePanicked,
            Error::Poisoned { cause: Arc::new(Error::DiskFull) },
            Error::Internal("a fault"),
        ] {
            let sent = store_error(failure);
            let received = ErrorReply::from_resp_line(sent.line().to_vec());
            assert_eq!((received.code, received.message()), (sent.code, sent.message()));
        }
    }
}
