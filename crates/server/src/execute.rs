//! Commands to operations of the store, and its replies to responses: the same for every front door.

use rustvault_protocol::{Command, ErrorCode, ManyRequest, Response};
use rustvault_storage::{Error, Key, Op, Outcome, Value};

use crate::info;
use crate::shared::Shared;

/// How a command gets its response.
pub(crate) enum Plan<'a> {
    /// The store has to be asked.
    Ask(Op<'a>),
    /// It is known already.
    Answer(Response<Field>),
}

/// The bytes of a response, wherever they are held; stored ones are not copied.
#[derive(Debug)]
pub(crate) enum Field {
    Key(Key),
    Value(Value),
    Text(String),
}

impl AsRef<[u8]> for Field {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Key(key) => key.as_ref(),
            Self::Value(value) => value.as_ref(),
            Self::Text(text) => text.as_bytes(),
        }
    }
}

/// What to do for a command on the keyspace.
pub(crate) fn plan<B: AsRef<[u8]>>(command: &Command<B>) -> Plan<'_> {
    Plan::Ask(match command {
        Command::Set { key, value } => Op::Set { key: key.as_ref(), value: value.as_ref() },
        Command::Get { key } => Op::Get { key: key.as_ref() },
        Command::Delete { key } => Op::Delete { key: key.as_ref() },
        Command::Exists { key } => Op::Exists { key: key.as_ref() },
        Command::Count => Op::Count,
        Command::Scan { cursor, prefix, limit } => {
            Op::Scan { cursor: *cursor, prefix: prefix.as_ref(), limit: *limit as usize }
        }
        Command::Info => Op::Stats,
        Command::Ping => return Plan::Answer(Response::Pong),
        Command::Quit => return Plan::Answer(Response::Ok),
        _ => {
            return Plan::Answer(error(ErrorCode::UnknownCommand, "this server does not serve that command"));
        }
    })
}

/// Returns what to do for a command on many keys, but for those whose answers may be large.
pub(crate) fn plan_many<'a>(request: &'a ManyRequest<'a>) -> Plan<'a> {
    Plan::Ask(match request {
        ManyRequest::Set { pairs } => Op::SetMany { pairs },
        ManyRequest::Delete { keys } => Op::DeleteMany { keys },
        ManyRequest::Exists { keys } => Op::CountOf { keys },
        ManyRequest::Clear => Op::Clear,
        _ => {
            return Plan::Answer(error(ErrorCode::UnknownCommand, "this server does not serve that command"));
        }
    })
}

/// The response to what an operation came to.
pub(crate) fn response<S>(outcome: Result<Outcome, Error>, shared: &Shared<S>) -> Response<Field> {
    match outcome {
        Ok(Outcome::Value(Some(value))) => Response::Value(Field::Value(value)),
        Ok(Outcome::Stored | Outcome::Cleared | Outcome::Deleted(true) | Outcome::Exists(true)) => {
            Response::Ok
        }
        Ok(Outcome::Value(None) | Outcome::Deleted(false) | Outcome::Exists(false)) => Response::NotFound,
        Ok(Outcome::Count(keys)) => Response::Value(Field::Text(keys.to_string())),
        Ok(Outcome::Page(page)) => {
            let cursor = Field::Text(page.next_cursor.to_string());
            let keys = page.keys.into_iter().map(Field::Key);
            Response::List(std::iter::once(cursor).chain(keys).map(Some).collect())
        }
        Ok(Outcome::Stats(stats)) => list_of(info::lines(shared, &stats)),
        Ok(_) => store_error(&Error::Internal("the store gave an outcome that the server does not know")),
        Err(error) => store_error(&error),
    }
}

/// The response to `INFO` without the figures of the data, which may show what is not durable.
pub(crate) fn status<S>(outcome: Result<Outcome, Error>, shared: &Shared<S>) -> Response<Field> {
    match outcome {
        Ok(Outcome::Stats(stats)) => {
            let mut lines = info::lines(shared, &stats);
            lines.retain(|line| !info::is_of_data(line));
            list_of(lines)
        }
        outcome => response(outcome, shared),
    }
}

fn list_of(lines: Vec<String>) -> Response<Field> {
    Response::List(lines.into_iter().map(|line| Some(Field::Text(line))).collect())
}

/// The response to a failure of the store.
pub(crate) fn store_error(failure: &Error) -> Response<Field> {
    let code = match failure {
        Error::KeyTooLarge { .. }
        | Error::ValueTooLarge { .. }
        | Error::WriteTooLarge { .. }
        | Error::TooManyKeys { .. } => ErrorCode::TooLarge,
        Error::Closed => ErrorCode::ShuttingDown,
        Error::DiskFull | Error::LogRemoved { .. } => ErrorCode::ReadOnly,
        Error::OutOfMemory { .. } => ErrorCode::OutOfMemory,
        _ => ErrorCode::Storage,
    };
    error(code, failure)
}

/// An error response.
pub(crate) fn error(code: ErrorCode, message: impl ToString) -> Response<Field> {
    Response::Error { code, message: message.to_string() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_full_disk_is_told_first_and_its_code_says_that_reads_go_on() {
        match store_error(&Error::DiskFull) {
            Response::Error { code: ErrorCode::ReadOnly, message } => {
                assert!(message.starts_with("disk full"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn store_errors_have_the_code_that_says_whether_the_outcome_is_known() {
        let code = |failure: Error| match store_error(&failure) {
            Response::Error { code, .. } => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(Error::ValueTooLarge { len_bytes: 2, max_bytes: 1 }), ErrorCode::TooLarge);
        assert_eq!(code(Error::WriteTooLarge { len_bytes: 2, max_bytes: 1 }), ErrorCode::TooLarge);
        assert_eq!(code(Error::Closed), ErrorCode::ShuttingDown);
        assert_eq!(code(Error::OutOfMemory { max_bytes: 1 }), ErrorCode::OutOfMemory);
        assert_eq!(code(Error::Poisoned { cause: Arc::new(Error::Closed) }), ErrorCode::Storage);
    }
}
