//! Errors, and what to do about them.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustvault_protocol::{ErrorCode, ErrorReply};

/// Why a request failed, or why there is no connection.
///
/// The methods say what to do about it; the text is for a person.
#[derive(Clone)]
pub struct Error {
    // Shared: one broken connection is the error of everybody who waited on it.
    kind: Arc<ErrorKind>,
}

impl Error {
    /// Returns whether time ran out: the connect timeout or the request timeout.
    pub fn is_timeout(&self) -> bool {
        match &*self.kind {
            ErrorKind::TimedOut { .. } | ErrorKind::NotSent { .. } => true,
            ErrorKind::Connect { source, .. } => source.kind() == io::ErrorKind::TimedOut,
            _ => false,
        }
    }

    /// Returns whether the same request may be sent again: that is safe, and it may help.
    ///
    /// True for
    /// - a request that was never sent: there was no connection, or the queue did not move in time;
    /// - a **read** that timed out or whose connection broke;
    /// - a request that the server says it did not carry out for a reason that may pass
    ///   (`TOO_MANY_CONNECTIONS`, `OUT_OF_MEMORY`, `READ_ONLY`, `TIMEOUT`, `SHUTTING_DOWN`);
    ///   also a read that met `STORAGE`.
    ///
    /// False for a **write**, or a pipeline with a write, that was handed to the connection and not
    /// answered: whether it took effect is unknown, so reading the key back is up to you. False also where
    /// the answer would be the same again: a key over its limit, a syntax error, an answer that is not
    /// RustVault's protocol.
    pub fn is_retryable(&self) -> bool {
        match &*self.kind {
            ErrorKind::Connect { .. } | ErrorKind::Disconnected { .. } | ErrorKind::NotSent { .. } => true,
            ErrorKind::TimedOut { is_write, .. } | ErrorKind::Lost { is_write, .. } => !is_write,
            ErrorKind::Server { error, is_write } => may_pass(error.code, *is_write),
            ErrorKind::Login { error, .. } => error.code == ErrorCode::Busy || may_pass(error.code, false),
            _ => false,
        }
    }

    /// Returns whether the connection failed: it could not be opened, or it broke before the answer came.
    ///
    /// Only [`is_retryable`](Self::is_retryable) says whether the request may have taken effect.
    pub fn is_not_connected(&self) -> bool {
        matches!(
            *self.kind,
            ErrorKind::Connect { .. }
                | ErrorKind::Tls { .. }
                | ErrorKind::Disconnected { .. }
                | ErrorKind::Lost { .. }
                | ErrorKind::RuntimeGone
        )
    }

    /// Returns whether the server refused to log the user in: neither the user nor the password need be right.
    ///
    /// Asking again does not help until one of them is changed, here or on the server.
    pub fn is_login_refused(&self) -> bool {
        matches!(&*self.kind, ErrorKind::Login { error, .. } if error.code == ErrorCode::Denied)
    }

    /// Returns whether an address or an option cannot be used: nothing was sent, and nothing will be until it is changed.
    pub fn is_wrong_setting(&self) -> bool {
        matches!(
            *self.kind,
            ErrorKind::Address { .. } | ErrorKind::TlsSetup { .. } | ErrorKind::NoSecret { .. }
        )
    }

    /// Returns whether somebody has to change something before the next try to connect can help.
    pub(crate) fn needs_somebody(&self) -> bool {
        let is_final = matches!(
            *self.kind,
            ErrorKind::Login { .. }
                | ErrorKind::NoSecret { .. }
                | ErrorKind::Tls { .. }
                | ErrorKind::TlsSetup { .. }
        );
        is_final && !self.is_login_put_off()
    }

    /// Returns whether the server has too many logins to look at this one now.
    pub(crate) fn is_login_put_off(&self) -> bool {
        matches!(&*self.kind, ErrorKind::Login { error, .. } if error.code == ErrorCode::Busy)
    }

    /// The error code that the server answered with, or would have: limits are checked before anything is
    /// sent.
    pub fn code(&self) -> Option<ErrorCode> {
        match &*self.kind {
            ErrorKind::Server { error, .. } | ErrorKind::Login { error, .. } => Some(error.code),
            ErrorKind::Invalid(error) => Some(error.code),
            ErrorKind::PipelineTooLarge { .. } => Some(ErrorCode::TooLarge),
            _ => None,
        }
    }

    /// Returns the server's answer, if it is one that reports an error.
    pub fn reply(&self) -> Option<&ErrorReply> {
        match &*self.kind {
            ErrorKind::Server { error, .. } | ErrorKind::Login { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self { kind: Arc::new(kind) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.kind, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.kind, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&*self.kind)
    }
}

/// Returns whether the server may answer otherwise next time, and nothing was changed this time.
fn may_pass(code: ErrorCode, is_write: bool) -> bool {
    match code {
        ErrorCode::TooManyConnections
        | ErrorCode::OutOfMemory
        | ErrorCode::ReadOnly
        | ErrorCode::Timeout
        | ErrorCode::ShuttingDown => true,
        ErrorCode::Storage => !is_write,
        _ => false,
    }
}

/// Cause of an [`Error`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrorKind {
    #[error("cannot connect to {addr}: {source}; is rustvault-server running there?")]
    Connect { addr: String, source: io::Error },

    #[error("cannot connect to {addr} over TLS: {problem}")]
    Tls { addr: String, problem: String, source: io::Error },

    #[error("TLS cannot be set up: {problem}")]
    TlsSetup { problem: String },

    #[error("the server refused to log '{}' in: {error} ({}){}", user.escape_debug(), error.code, remedy(error.code))]
    Login { user: String, error: Box<ErrorReply> },

    #[error("not logged in: {source}")]
    NoSecret { source: io::Error },

    #[error("not connected to {addr}: the connection broke ({source}) and reconnecting is off")]
    Disconnected { addr: String, source: Arc<io::Error> },

    #[error("the connection broke before the answer came ({source}){}", unknown_outcome(*is_write))]
    Lost { is_write: bool, source: Arc<io::Error> },

    #[error("no answer within {after:?}{}", unknown_outcome(*is_write))]
    TimedOut { after: Duration, is_write: bool },

    #[error("not sent within {after:?}: too many requests are waiting for their answers")]
    NotSent { after: Duration },

    #[error("{error} ({})", error.code)]
    Server { error: Box<ErrorReply>, is_write: bool },

    #[error("the answer is not RustVault's protocol ({source}); is the address right?")]
    Protocol { source: Arc<io::Error> },

    #[error(transparent)]
    Invalid(ErrorReply),

    #[error(
        "pipeline of {commands} commands, {bytes} bytes; the most are {max_commands} and {max_bytes}: split it"
    )]
    PipelineTooLarge { commands: usize, bytes: usize, max_commands: usize, max_bytes: usize },

    #[error("invalid address '{addr}': {problem}")]
    Address { addr: String, problem: String },

    #[error("cannot start a runtime for the blocking client: {source}")]
    Runtime { source: io::Error },

    #[error("not sent: {reason}")]
    Refused { reason: String },

    #[error(
        "the handle belongs to another pipeline, or to one that was not sent: take the reply from its own"
    )]
    ForeignHandle,

    #[error("the connection's task is gone: the tokio runtime that the client was made in has ended")]
    RuntimeGone,
}

fn remedy(of_login: ErrorCode) -> &'static str {
    if of_login == ErrorCode::Denied { "; check the user and the password" } else { "" }
}

fn unknown_outcome(is_write: bool) -> &'static str {
    if is_write { "; it is unknown whether the write took effect" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: ErrorCode, is_write: bool) -> Error {
        ErrorKind::Server { error: Box::new(ErrorReply::new(code, "why")), is_write }.into()
    }

    #[test]
    fn write_with_unknown_outcome_is_not_retryable() {
        let broken = || Arc::new(io::Error::from(io::ErrorKind::ConnectionReset));
        for (is_write, retryable) in [(true, false), (false, true)] {
            let after = Duration::from_secs(1);
            assert_eq!(Error::from(ErrorKind::TimedOut { after, is_write }).is_retryable(), retryable);
            assert_eq!(Error::from(ErrorKind::Lost { is_write, source: broken() }).is_retryable(), retryable);
            assert_eq!(server(ErrorCode::Storage, is_write).is_retryable(), retryable);
        }
    }

    #[test]
    fn request_that_was_not_carried_out_is_retryable_if_that_may_pass() {
        let retryable: Vec<_> =
            ErrorCode::ALL.into_iter().filter(|code| server(*code, true).is_retryable()).collect();
        assert_eq!(
            retryable,
            [
                ErrorCode::TooManyConnections,
                ErrorCode::OutOfMemory,
                ErrorCode::ReadOnly,
                ErrorCode::Timeout,
                ErrorCode::ShuttingDown
            ]
        );
    }

    #[test]
    fn connect_timeout_is_both_a_timeout_and_no_connection() {
        let source = io::Error::from(io::ErrorKind::TimedOut);
        let error = Error::from(ErrorKind::Connect { addr: "db:8080".into(), source });
        assert!(error.is_timeout() && error.is_not_connected() && error.is_retryable());
        assert!(std::error::Error::source(&error).is_some());
    }
}
